/* Throughput of one TPM state by the number of processes that sign on it, and a
 * load of all kinds at once.
 *     load_bench DIRECTORY SECONDS LOAD_SECONDS
 * DIRECTORY is empty; each row runs for SECONDS, the last for LOAD_SECONDS. */
#include "emulator/load.h"

#define GOAL 1.8 /* times one process's throughput, on two cores */

static const struct row {
    unsigned processes, threads, writers;
} rows[] = {{1, 1, 0}, {2, 1, 0}, {4, 1, 0}, {16, 1, 0}, {1, 4, 0}, {16, 4, 0}, {16, 4, 4}};

static const char *judge(const struct row *row, double ratio)
{
    if (row->processes == 1 || row->writers)
        return "";
    return ratio >= GOAL ? "1.8  met" : "1.8  NOT MET";
}

static const char *findings(const struct load_result *result, bool writes, char text[128])
{
    int length = snprintf(text, 128, "%lu equal of %lu draws", result->equal_draws, result->draws);

    if (writes)
        (void)snprintf(text + length, 128 - (size_t)length, ", %lu writes lost, slowest %.0f/s",
                       result->lost_writes, result->slowest_writes);
    if (result->first_error)
        (void)snprintf(text, 128, "FAILED with 0x%x", result->first_error);
    return text;
}

static void measure(const char *directory, const struct row *row, double seconds, double *one)
{
    const struct load load = {directory, row->processes, row->threads, row->writers, seconds};
    struct load_result result;
    char text[128];

    load_run(&load, &result);
    if (*one == 0)
        *one = result.signatures;
    printf("%2u x %u%-22s %9.0f /s %9.0f /s %8.2f     %-12s  %s\n", row->processes, row->threads,
           row->writers ? ", and 4 that write NV" : "", result.signatures, result.writes,
           result.signatures / *one, judge(row, result.signatures / *one),
           findings(&result, row->writers > 0, text));
    (void)fflush(stdout);
}

int main(int argc, char **argv)
{
    double one = 0;

    if (argc != 4) {
        fprintf(stderr, "usage: load_bench DIRECTORY SECONDS LOAD_SECONDS\n");
        return 1;
    }
    printf("%-28s %12s %12s %8s     %s\n", "processes x threads", "signatures", "NV writes",
           "ratio", "goal");
    (void)fflush(stdout);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        measure(argv[1], &rows[i], atof(argv[rows[i].writers ? 3 : 2]), &one);
    return 0;
}
