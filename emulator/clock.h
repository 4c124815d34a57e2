#ifndef EMULATOR_CLOCK_H
#define EMULATOR_CLOCK_H

#include "emulator/instance.h"

/* The TPM's clock as processes are told it. Each copy of the TPM counts for itself
 * and loses a little at a take-over; nobody shall be told an earlier time than
 * somebody before. Needs no lock of the directory. */

/* Does the answer to the command hold the clock, and may that be looked at before? */
bool clock_is_told(const struct instance *instance, const struct command *command);

/* Waits, some milliseconds at most, until the copy's clock is past what was told. */
void clock_catch_up(struct instance *instance);

/* Notes what may have been told. */
void clock_note(struct instance *instance);

#endif
