#ifndef EMULATOR_BEHAVIOUR_FAILURE_H
#define EMULATOR_BEHAVIOUR_FAILURE_H

#include "emulator/stage.h"

/* Answers as a TPM in failure mode (TPM 2.0 Library part 1, "Failure Mode"):
 * TPM_RC_FAILURE, but for TPM2_GetTestResult, and for TPM2_GetCapability of the
 * properties from TPM_PT_MANUFACTURER to TPM_PT_FIRMWARE_VERSION_2, one at a
 * time, whose values are asked of the next stage. */
void failure_answer(struct stage *next, struct exchange *exchange);

#endif
