/* The file `token` of a token directory: what the token is, on which TPM it was made,
 * and how its users' PINs open it. Nothing in it is secret. */
#ifndef SIGNET_SESSION_TOKEN_FILE_H
#define SIGNET_SESSION_TOKEN_FILE_H

#include "token/key/vault.h"

#define TOKEN_FILE_NAME "token"
#define TOKEN_LABEL_SIZE 32

/* `id` names the token in its entries and in the TPM. `next` (if has_next) is the id
 * of one that is being made in its place: what a killed C_InitToken left in the TPM
 * bears it. `previous` (if has_previous) was in its place before, and is yet to be
 * removed from the directory and the TPM. A seal that is `pending` replaces the other of its user
 * as soon as the TPM's counter has moved on. */
struct token_file {
    bool initialised;
    uint8_t id[VAULT_TOKEN_SIZE];
    bool has_next;
    uint8_t next[VAULT_TOKEN_SIZE];
    bool has_previous;
    uint8_t previous[VAULT_TOKEN_SIZE];
    struct bytes label;
    struct vault_identity tpm;
    struct vault_seal seals[VAULT_USERS];
    struct vault_seal pending[VAULT_USERS];
};

/* CKR_DATA_INVALID with the reason and line. The caller clears ret_file. */
CHECKED CK_RV token_file_parse(struct view text, struct token_file *ret_file,
                               struct reason *reason);
CHECKED CK_RV token_file_write(const struct token_file *file, struct bytes *ret_text);
CHECKED CK_RV token_file_copy(struct token_file *file, const struct token_file *from);
void token_file_clear(struct token_file *file);

#endif
