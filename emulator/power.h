#ifndef EMULATOR_POWER_H
#define EMULATOR_POWER_H

#include "emulator/instance.h"

/* Starts the TPM of an instance whose parts are open, under the directory's lock:
 * - others run it, or ran it since the machine started: goes on from there,
 *   with no TPM2_Startup, so that no exit, however unclean, counts as a try;
 * - the machine was started since, or swtpm changed the permanent state alone:
 *   a TPM reset, orderly if the volatile state is still there;
 * - swtpm ran it, and stored its volatile state as well: goes on from there;
 * - nothing there: manufactures, with lockout parameters that a developer
 *   survives (32 tries, one given back each 10 s, lockout authorization
 *   usable again after 10 s) and empty hierarchy authorizations.
 * A state that cannot be read is an error that names the file, and stays. */
TSS2_RC power_on(struct instance *instance);

/* What can happen to a running TPM's power. TPM 2.0 Library part 1, "TPM Power
 * State Transitions" and part 3, TPM2_Startup. */
enum tpm_reset {
    TPM_RESET,      /* Shutdown(CLEAR), Startup(CLEAR) */
    TPM_RESTART,    /* Shutdown(STATE), Startup(CLEAR): hibernation */
    TPM_RESUME,     /* Shutdown(STATE), Startup(STATE): suspend and resume */
    TPM_POWER_LOSS, /* no Shutdown, Startup(CLEAR): can count as a failed try */
};

/* Does that, under the directory's lock, and publishes the outcome. On failure
 * nothing is published, and the TPM is out of step. */
TSS2_RC power_cycle(struct instance *instance, enum tpm_reset how);

#endif
