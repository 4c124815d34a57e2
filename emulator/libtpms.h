#ifndef EMULATOR_LIBTPMS_H
#define EMULATOR_LIBTPMS_H

#include "emulator/backend.h"

/* A TPM on a copy of libtpms of its own: the library keeps one TPM in its static
 * data, so each TPM of a process needs one. Every call runs on a private OpenSSL
 * context. Failures have an error text. */
TSS2_RC libtpms_open(struct tpm_backend **ret);

#endif
