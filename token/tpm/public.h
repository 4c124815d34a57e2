/* TPM2B_PUBLIC and what it says of a key. Inside the room only. */
#ifndef SIGNET_TPM_PUBLIC_H
#define SIGNET_TPM_PUBLIC_H

#include <tss2/tss2_esys.h>

#include "token/base/public_key.h"
#include "token/tpm/key.h"

/* CKR_DATA_INVALID with the reason for anything but a whole, well-formed public
 * area of an RSA or NIST-curve key. ret_key has no spki. */
CHECKED CK_RV tpm_public_decode(struct view marshalled, TPM2B_PUBLIC *ret_public,
                                struct reason *reason);
CHECKED CK_RV tpm_public_key(const TPMT_PUBLIC *area, struct public_key *ret_key,
                             struct reason *reason);
/* The same of an HMAC key (KEY_ALGORITHM_SECRET) or an AES key, of which only the
 * algorithm, and of AES the bits, are told: there is no more that is public. False for what
 * is neither, or is not free to be used with any hash or mode. */
bool tpm_public_secret(const TPMT_PUBLIC *area, struct public_key *ret_key);

struct tpm_key_abilities tpm_public_abilities(const TPMT_PUBLIC *area);

/* The public area of an object that ESYS has just read; no command is sent. */
TSS2_RC tpm_public_of(ESYS_CONTEXT *esys, ESYS_TR handle, TPM2B_PUBLIC *ret_public);

/* The curve that ECParameters (DER) name and its coordinates' size; TPM2_ECC_NONE if it
 * is none of NIST's. */
TPM2_ECC_CURVE tpm_public_curve(struct view parameters, size_t *ret_coordinate);

/* TPM2_ALG_NULL for HASH_NONE, and back. */
TPM2_ALG_ID tpm_hash_algorithm(enum hash hash);
enum hash tpm_hash_of(TPM2_ALG_ID algorithm);

#endif
