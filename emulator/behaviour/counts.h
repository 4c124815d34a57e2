#ifndef EMULATOR_BEHAVIOUR_COUNTS_H
#define EMULATOR_BEHAVIOUR_COUNTS_H

#include "emulator/behaviour/schedule.h"

#include <stdatomic.h>

/* What a running schedule remembers. Used by any number of threads, and of
 * processes if it is in a file. */
struct counts {
    _Atomic uint64_t rules[SCHEDULE_RULES_MAX]; /* commands that matched */
    _Atomic uint32_t failure_mode;
};

/* Makes keys: of a schedule's text, and of the place that it is played at. */
uint64_t counts_hash(uint64_t start, const void *data, size_t size);

/* The counts that this process keeps for a key. They outlast the connections, so
 * that one that is closed and opened again goes on, and are never freed. */
TSS2_RC counts_of_process(uint64_t key, struct counts **ret);

/* Maps the counts in a file, made if it is missing; emptied if they are for another
 * key. A file that holds anything else is left alone, and an error. To be given
 * back with counts_unmap. */
TSS2_RC counts_in_file(const char *path, uint64_t key, struct counts **ret);
void counts_unmap(struct counts *counts);

#endif
