#ifndef EMULATOR_LIBTPMS_H
#define EMULATOR_LIBTPMS_H

#include "emulator/backend.h"

/* A TPM on a copy of libtpms of its own: the library keeps one TPM in its static
 * data, so each TPM of a process needs one. Every call runs on a private OpenSSL
 * context. Failures have an error text. */
TSS2_RC libtpms_open(struct tpm_backend **ret);

/* The version of such a TPM's library: 0x00090200 is 0.9.2. */
uint32_t libtpms_version(struct tpm_backend *tpm);

#endif
