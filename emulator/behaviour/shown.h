#ifndef EMULATOR_BEHAVIOUR_SHOWN_H
#define EMULATOR_BEHAVIOUR_SHOWN_H

#include "emulator/behaviour/profile.h"
#include "emulator/command.h"
#include "emulator/stage.h"

/* TPM2_GetCapability as the chip of a profile answers it: algorithms, commands,
 * curves, PCR banks and properties. Answers in an audit session carry an HMAC, and
 * stay as the TPM gives them. */
struct shown {
    const struct profile *profile;
    const struct command_attributes *commands; /* the TPM's */
    bool managed; /* a resource manager makes room for objects and sessions */
};

/* Runs a TPM2_GetCapability on the stages below. */
void shown_run(const struct shown *shown, struct stage *below, struct exchange *exchange);

#endif
