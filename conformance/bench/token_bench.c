/* How a token directory of many entries is opened and searched. Each entry is a
 * certificate, or a key pair; object i has the label "object i" and the id of four bytes i.
 *     token_bench once MODULE TOKEN ENTRIES     one process: its figures
 *     token_bench times N MODULE TOKEN ENTRIES  N processes one after the other: medians
 * A line of figures is: µs from before dlopen until all handles are known, of that dlopen
 * and C_Initialize; µs of a search by id, by label, and of one that finds nothing; the
 * process's resident memory in KiB; the number of objects. */
#include <link.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conformance/bench/bench.h"

enum { LISTED, LOADED, BY_ID, BY_LABEL, MISSED, RESIDENT, OBJECTS, FIGURES };

#define SEARCHES 1000
#define MAX_PROCESSES 1000

static CK_ULONG count_all(CK_SESSION_HANDLE session)
{
    CK_OBJECT_HANDLE objects[512];
    CK_ULONG count, total = 0;

    MUST(p11->C_FindObjectsInit(session, NULL, 0));
    do {
        MUST(p11->C_FindObjects(session, objects, COUNT_OF(objects), &count));
        total += count;
    } while (count);
    MUST(p11->C_FindObjectsFinal(session));
    return total;
}

/* One search that finds something, or nothing. */
static void search(CK_SESSION_HANDLE session, CK_ATTRIBUTE *wanted, int expected)
{
    CK_OBJECT_HANDLE objects[8];
    CK_ULONG count = 0;

    MUST(p11->C_FindObjectsInit(session, wanted, 1));
    MUST(p11->C_FindObjects(session, objects, COUNT_OF(objects), &count));
    MUST(p11->C_FindObjectsFinal(session));
    if ((count > 0) != expected)
        give_up("a search found %lu objects", count);
}

static void search_for(CK_SESSION_HANDLE session, int how, unsigned number)
{
    CK_BYTE id[4] = {(CK_BYTE)(number >> 24), (CK_BYTE)(number >> 16), (CK_BYTE)(number >> 8),
                     (CK_BYTE)number};
    char label[32];
    CK_ATTRIBUTE wanted = {CKA_ID, id, sizeof(id)};

    snprintf(label, sizeof(label), how == MISSED ? "nothing %u" : "object %u", number);
    if (how != BY_ID)
        wanted = (CK_ATTRIBUTE){CKA_LABEL, label, strlen(label)};
    search(session, &wanted, how != MISSED);
}

static double median_search(CK_SESSION_HANDLE session, int how, unsigned entries)
{
    static double times[SEARCHES];

    for (unsigned i = 0; i < SEARCHES; i++) {
        double begin = microseconds();

        search_for(session, how, i * 7919 % entries);
        times[i] = microseconds() - begin;
    }
    return median(times, SEARCHES);
}

static double resident_kib(void)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[128];
    double kib = 0;

    while (file && fgets(line, sizeof(line), file))
        if (strncmp(line, "VmRSS:", 6) == 0)
            kib = atof(line + 6);
    if (file)
        fclose(file);
    return kib;
}

/* argv: MODULE, TOKEN, ENTRIES */
static void measure_once(char **argv, double figures[FIGURES])
{
    unsigned entries = (unsigned)atoi(argv[2]);
    double begin = microseconds();
    CK_SESSION_HANDLE session;

    load_module(argv[0]);
    MUST(p11->C_Initialize(NULL));
    figures[LOADED] = microseconds() - begin;
    session = open_session(slot_of(argv[1]));
    figures[OBJECTS] = (double)count_all(session);
    figures[LISTED] = microseconds() - begin;
    figures[RESIDENT] = resident_kib();
    if (figures[OBJECTS] < entries)
        give_up("only %.0f objects of %u entries", figures[OBJECTS], entries);
    for (int how = BY_ID; how <= MISSED; how++)
        figures[how] = median_search(session, how, entries);
    MUST(p11->C_Finalize(NULL));
}

static void print_figures(const double *figures)
{
    for (int i = 0; i < FIGURES; i++)
        printf("%s%.1f", i ? " " : "", figures[i]);
    printf("\n");
}

static void measure_process(char **argv, double figures[FIGURES])
{
    int ends[2], status;
    char line[256] = "";
    FILE *answer;
    pid_t pid;

    if (pipe(ends) != 0 || (pid = fork()) < 0)
        give_up("no new process");
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        execv("/proc/self/exe", argv);
        _exit(127);
    }
    close(ends[1]);
    answer = fdopen(ends[0], "r");
    if (!answer || !fgets(line, sizeof(line), answer) || waitpid(pid, &status, 0) != pid || status)
        give_up("a process ended badly");
    fclose(answer);
    if (sscanf(line, "%lf %lf %lf %lf %lf %lf %lf", &figures[0], &figures[1], &figures[2],
               &figures[3], &figures[4], &figures[5], &figures[6]) != FIGURES)
        give_up("not figures: %s", line);
}

int main(int argc, char **argv)
{
    static double all[FIGURES][MAX_PROCESSES];
    double figures[FIGURES] = {0};
    int count = argc == 6 ? atoi(argv[2]) : 0;

    if (argc == 5 && strcmp(argv[1], "once") == 0) {
        measure_once(argv + 2, figures);
        print_figures(figures);
        return 0;
    }
    if (argc != 6 || strcmp(argv[1], "times") != 0 || count < 1 || count > MAX_PROCESSES)
        give_up("usage: token_bench once|times N MODULE TOKEN ENTRIES");
    for (int i = 0; i < count; i++) {
        char *once[] = {argv[0], (char[]){"once"}, argv[3], argv[4], argv[5], NULL};

        measure_process(once, figures);
        for (int j = 0; j < FIGURES; j++)
            all[j][i] = figures[j];
    }
    for (int j = 0; j < FIGURES; j++)
        figures[j] = median(all[j], (size_t)count);
    print_figures(figures);
    return 0;
}
