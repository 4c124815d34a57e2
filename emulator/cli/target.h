#ifndef EMULATOR_CLI_TARGET_H
#define EMULATOR_CLI_TARGET_H

#include "emulator/control.h"

/* Where a TPM is to come into being. Failures have an error text. */

/* Opens the directory, made if it is missing, and takes its turn until it is
 * closed. A TPM that is there already is an error; with `force` only if another
 * process uses it. */
TSS2_RC target_open(const char *path, bool force, struct directory *ret);

#define TARGET_SCOPE __attribute__((cleanup(directory_close)))

/* Writes a state: one that runs, or a permanent state alone, to be started. The
 * TPM is there with its last write. */
TSS2_RC target_write_running(const struct directory *directory, const struct tpm_state *state);
TSS2_RC target_write(const struct directory *directory, const struct blob *permanent);

/* Removes the certificate of the CA of another TPM. */
TSS2_RC target_forget_ca(const struct directory *directory);

#endif
