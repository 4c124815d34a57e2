#ifndef EMULATOR_BEHAVIOUR_PROFILE_STAGE_H
#define EMULATOR_BEHAVIOUR_PROFILE_STAGE_H

#include "emulator/conf.h"
#include "emulator/connection.h"
#include "emulator/stage.h"

/* Is there the configured profile? Else TSS2_TCTI_RC_BAD_VALUE, with the known names
 * in the text: before a TPM is made that would not be that chip. */
TSS2_RC profile_check(const struct conf *conf);

/* The stage that makes the TPM a chip of the configured profile: what it shows,
 * what it refuses, how long it takes, one command at a time on a state directory.
 * The resource manager's own commands pass below, at full speed. Without a profile
 * only TPM2_GetCapability is touched: the vendor strings say "Signet embedded".
 * An unknown name is an error as of profile_check. */
TSS2_RC profile_open(const struct conf *conf, struct connection *connection, struct stage **ret);

#endif
