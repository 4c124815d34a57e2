#ifndef EMULATOR_IDENTITY_EK_H
#define EMULATOR_IDENTITY_EK_H

#include "emulator/backend.h"
#include "emulator/directory.h"

/* What makes a manufactured TPM a whole one: endorsement keys that somebody
 * vouches for. TCG EK Credential Profile for TPM Family 2.0, section 2.2.1.4 (the
 * NV indexes of the low range), annex B.3 (templates L-1 and L-2), section 3
 * (the certificates). */

#define EK_RSA_INDEX 0x01C00002u
#define EK_ECC_INDEX 0x01C0000Au

/* The CA's certificate, in PEM, in the state directory. */
#define EK_CA_FILE "ek-ca.crt"

/* How it is wanted. All zero: by a CA of the TPM's own, whose private key is
 * forgotten. */
struct ek_order {
    const char *ca_key; /* both or none */
    const char *ca_certificate;
    bool none; /* a TPM without certificates */
};

/* Makes the endorsement keys of a TPM that was just manufactured and started,
 * writes the CA's certificate into the directory, and the keys' certificates into
 * NV. Nothing stays loaded. order may be NULL. Failures have an error text. */
TSS2_RC ek_certify(struct tpm_backend *tpm, const struct directory *directory,
                   const struct ek_order *order);

#endif
