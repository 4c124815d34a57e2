/* The kind of key that stays in a TPM. Inside the room only. */
#ifndef SIGNET_KEY_TPM_KEY_H
#define SIGNET_KEY_TPM_KEY_H

#include "token/crypto/decode.h"
#include "token/key/ops.h"
#include "token/tpm/key.h"

/* A key from a TSS2 PRIVATE KEY file; no TPM command is sent. CKR_DATA_INVALID or
 * CKR_FUNCTION_NOT_SUPPORTED with the reason. */
CHECKED CK_RV tpm_key_from_file(struct tpm *tpm, const struct tpm_key_file *file,
                                enum tpm_protection protection, struct key **ret_key,
                                struct reason *reason);

/* A persistent key, whose public half must be known from elsewhere. */
CHECKED CK_RV tpm_key_from_handle(struct tpm *tpm, uint32_t handle, enum tpm_protection protection,
                                  const struct public_key *public_key, struct key **ret_key,
                                  struct reason *reason);

#endif
