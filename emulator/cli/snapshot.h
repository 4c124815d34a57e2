#ifndef EMULATOR_CLI_SNAPSHOT_H
#define EMULATOR_CLI_SNAPSHOT_H

#include "emulator/backend.h"
#include "emulator/control.h"

#include <limits.h>

/* Copies of a TPM: of its state at one moment, and run apart from it. All
 * failures have an error text that names the directory. */

struct snapshot {
    struct tpm_state state;
    unsigned others; /* who use the TPM: processes, or threads of one */
};

void snapshot_free(struct snapshot *snapshot);
#define SNAPSHOT_SCOPE __attribute__((cleanup(snapshot_free)))

/* An error if the directory holds no TPM, without making one. */
TSS2_RC snapshot_expect_tpm(const char *path);

/* A connection to the TPM of the directory, which is not made either. */
struct connection;
TSS2_RC snapshot_connect(const char *path, struct connection **ret);

/* Takes the state in the turn of this process. A TPM that nobody used since the
 * machine started is powered on, as any use does. */
TSS2_RC snapshot_take(const char *path, struct snapshot *ret);

/* A TPM of this process alone. */
void scratch_close(struct tpm_backend **tpm);
#define SCRATCH_SCOPE __attribute__((cleanup(scratch_close)))

/* Goes on from where the state was taken. */
TSS2_RC scratch_resume(const struct tpm_state *state, struct tpm_backend **ret);

/* _TPM_Init and TPM2_Startup(CLEAR) on a permanent state. */
TSS2_RC scratch_start(const struct blob *permanent, struct tpm_backend **ret);

/* TPM2_Shutdown(CLEAR). `before` is the permanent state that the TPM came from;
 * what it stored since takes its place. */
TSS2_RC scratch_shut_down(struct tpm_backend *tpm, const struct blob *before, struct blob *ret);

/* The permanent state that a TPM has which is shut down in order now. */
TSS2_RC snapshot_shut_down(const struct snapshot *snapshot, struct blob *ret);

#endif
