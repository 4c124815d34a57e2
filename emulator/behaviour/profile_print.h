#ifndef EMULATOR_BEHAVIOUR_PROFILE_PRINT_H
#define EMULATOR_BEHAVIOUR_PROFILE_PRINT_H

#include <stdio.h>

/* Writes what profiles there are, for people: for each a line with its name, its
 * manufacturer and firmware as GetCapability shows them, and the times in
 * milliseconds that half of all commands stay below ("~": an estimate; "-": none),
 * then lines with the chip, its limits in words, and where all that is from.
 * Returns 0, or -1 if the file cannot be written to. */
int profiles_print(FILE *file);

#endif
