#ifndef EMULATOR_BEHAVIOUR_COUNTERS_H
#define EMULATOR_BEHAVIOUR_COUNTERS_H

#include "emulator/behaviour/observation.h"

#include <stdio.h>
#include <tss2/tss2_common.h>

/* What was counted of a command. */
struct counter {
    uint64_t commands;
    uint64_t failed;      /* with an answer other than success */
    uint64_t unanswered;  /* with none */
    uint64_t nanoseconds; /* from the command to its answer */
};

#define COUNTERS_FIRST 0x11fu
#define COUNTERS_CODES 256

/* A counters file without its head, as of all processes that name it. */
struct counters {
    struct counter of[COUNTERS_CODES]; /* by command code - COUNTERS_FIRST */
    struct counter other;              /* of any other code, and of what has none */
    uint64_t bytes_in;                 /* of commands */
    uint64_t bytes_out;                /* of answers */
};

/* The counter of a command code. */
const struct counter *counters_of(const struct counters *counters, uint32_t code);

/* The sum over all codes. */
struct counter counters_total(const struct counters *counters);

/* Reads a file of counters, in use or not. TSS2_TCTI_RC_IO_ERROR: it cannot be
 * read; TSS2_TCTI_RC_BAD_VALUE: it is something else; both with an error text,
 * and *ret is then untouched. Fields may be of different moments, each is whole. */
TSS2_RC counters_read(const char *path, struct counters *ret);

/* Prints a table with a line for each command that was ever sent, and a total. */
void counters_print(FILE *to, const struct counters *counters);

/* Counts into a file, made with mode 0600 if it is missing or empty. Any other
 * file is refused, and left as it is. Counts last until the file is removed. */
struct counters_file;
TSS2_RC counters_open(const char *path, struct counters_file **ret);
void counters_close(struct counters_file *file);
void counters_note(struct counters_file *file, const struct observation *seen);

#endif
