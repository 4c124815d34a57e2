#ifndef EMULATOR_BENCH_SUPPORT_H
#define EMULATOR_BENCH_SUPPORT_H

/* What the benches and the load share: asking a TPM in the words of
 * compare_command.h. Outside of a test, a failed assertion ends the program. */

#include "emulator/compare_answer.h"

#include <time.h>

#define NO_ANSWER 0xffffffffu /* the TCTI failed */
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static inline double microseconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static inline int compare_times(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static inline double median(double *times, size_t count)
{
    qsort(times, count, sizeof(*times), compare_times);
    return count ? times[count / 2] : 0;
}

/* Sends a command as it is; the answer's code. */
static inline uint32_t send_message(TSS2_TCTI_CONTEXT *context, const struct message *command,
                                    struct message *ret)
{
    ret->size = sizeof(ret->bytes);
    if (Tss2_Tcti_Transmit(context, command->size, command->bytes) != TSS2_RC_SUCCESS ||
        Tss2_Tcti_Receive(context, &ret->size, ret->bytes, TSS2_TCTI_TIMEOUT_BLOCK) !=
            TSS2_RC_SUCCESS ||
        ret->size < HEADER_SIZE)
        return NO_ANSWER;
    return response_code(ret);
}

/* Asks in words, and saves the fields of a good answer. */
static inline uint32_t ask(struct side *side, const char *command, const char *fields)
{
    struct message message, answer;
    uint32_t rc;

    side->row = command;
    assemble_command(side, command, &message);
    rc = send_message(side->context, &message, &answer);
    if (rc == TPM2_RC_SUCCESS)
        answer_read(side, fields, &answer);
    return rc;
}

/* Names bytes for commands to come. */
static inline void define(struct side *side, const char *name, const char *words)
{
    struct message bytes = {0};
    struct assembly a = {.side = side, .out = &bytes};
    char copy[1024];

    (void)snprintf(copy, sizeof(copy), "%s", words);
    assemble_words(&a, copy);
    value_save(side, name, bytes.bytes, bytes.size);
}

#endif
