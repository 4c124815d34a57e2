/* The public and sensitive areas of keys that are to be made or imported, from plain
 * data. No TPM is asked. Inside the room only. */
#ifndef SIGNET_TPM_TEMPLATE_H
#define SIGNET_TPM_TEMPLATE_H

#include <tss2/tss2_tpm2_types.h>

#include "token/base/key_spec.h"

/* An area for TPM2_Create. CKR_KEY_SIZE_RANGE, CKR_CURVE_NOT_SUPPORTED for what no TPM
 * has or is too weak, CKR_ATTRIBUTE_VALUE_INVALID for other kinds and exponents. */
CHECKED CK_RV template_of_spec(const struct key_spec *spec, TPMT_PUBLIC *ret_area);

/* The same of a secret key: KEY_ALGORITHM_AES, or KEY_ALGORITHM_SECRET for HMAC with any
 * hash. made_by_tpm: its value is not given. CKR_KEY_SIZE_RANGE, CKR_ARGUMENTS_BAD. */
CHECKED CK_RV template_of_secret(enum key_algorithm algorithm, unsigned bits, bool made_by_tpm,
                                 TPMT_PUBLIC *ret_area);

/* At most 32 bytes, else CKR_PIN_LEN_RANGE. */
CHECKED CK_RV template_auth(struct view auth, TPM2B_AUTH *ret_auth);

/* Unmarshals what an outer wrapper gave; CKR_DATA_INVALID. */
CHECKED CK_RV template_duplicate(struct view duplicate, struct view encrypted_secret,
                                 TPM2B_PRIVATE *ret_duplicate, TPM2B_ENCRYPTED_SECRET *ret_secret);

#endif
