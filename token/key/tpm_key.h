/* The kind of key that stays in a TPM. Inside the room only. */
#ifndef SIGNET_KEY_TPM_KEY_H
#define SIGNET_KEY_TPM_KEY_H

#include "token/crypto/decode.h"
#include "token/key/material.h"
#include "token/key/ops.h"
#include "token/tpm/key.h"

/* A key from a TSS2 PRIVATE KEY file; no TPM command is sent. CKR_DATA_INVALID or
 * CKR_FUNCTION_NOT_SUPPORTED with the reason. */
CHECKED CK_RV tpm_key_from_file(struct tpm *tpm, const struct tpm_key_file *file,
                                enum tpm_protection protection, struct key **ret_key,
                                struct reason *reason);

/* CKR_FUNCTION_NOT_SUPPORTED with the reason for a TSS2 file whose kind is not served. */
CHECKED CK_RV tpm_key_check_file(const struct tpm_key_file *file, struct reason *reason);

/* A key of a token: `file` is taken over on success. It takes its authorisation, that of
 * the object `unique`, from the vault for each operation, unless the file's is empty. */
struct vault;
CHECKED CK_RV tpm_key_of_vault(struct vault *vault, struct tpm_key_file *file, struct view unique,
                               struct key **ret_key, struct reason *reason);

/* Frees the contents of a file that is not on the heap itself. */
void tpm_key_file_clear(struct tpm_key_file *file);

enum key_place tpm_key_place(enum tpm_kind kind);
enum tpm_protection tpm_key_protection(enum key_protection protection);

/* A persistent key, whose public half must be known from elsewhere. */
CHECKED CK_RV tpm_key_from_handle(struct tpm *tpm, uint32_t handle, enum tpm_protection protection,
                                  const struct public_key *public_key, struct key **ret_key,
                                  struct reason *reason);

#endif
