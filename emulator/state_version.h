#ifndef EMULATOR_STATE_VERSION_H
#define EMULATOR_STATE_VERSION_H

#include "emulator/bytes.h"

#include <stdbool.h>

/* What the front of a libtpms state tells: u16 format, u32 magic, and from format
 * 2 on u16, the oldest format that a reader must know; all big-endian. */
struct state_version {
    uint16_t format;
    uint16_t needs;
};

/* By the magic of TPM 2.0 permanent and volatile states. */
#define STATE_MAGIC_PERMANENT 0xab364723u
#define STATE_MAGIC_VOLATILE 0x45637889u

/* False if the state is too short, or of another magic. */
bool state_version_parse(const struct blob *state, uint32_t magic, struct state_version *ret);

/* Writes "format 9, for readers of format 7 or newer", or why there is none, into
 * the text; returns it. */
const char *state_version_describe(const struct blob *state, uint32_t magic, char *text,
                                   size_t room);

#endif
