#ifndef EMULATOR_BEHAVIOUR_LIMITS_H
#define EMULATOR_BEHAVIOUR_LIMITS_H

#include "emulator/behaviour/chip.h"
#include "emulator/behaviour/profile.h"
#include "emulator/command.h"
#include "emulator/stage.h"

/* What a chip refuses that the TPM below would do. Looks at the parameters of
 * commands, so that keys which are there already, and contexts of keys, can be
 * used although the chip could not have made them. */
struct limits {
    const struct profile *profile;
    struct chip *chip;   /* closed if the profile does not need it */
    uint32_t retried[8]; /* a bit for each command code that had its TPM_RC_RETRY */
};

/* The response code that the chip answers with, or TPM2_RC_SUCCESS if it would
 * run the command. A chip's answer comes before authorizations are looked at. */
uint32_t limits_check(struct limits *limits, struct stage *below, const struct command *command,
                      const struct message *message);

/* Follows what a successful command did to the clients' saved sessions. */
void limits_note(const struct limits *limits, const struct command *command,
                 const struct message *message, const struct message *response);

#endif
