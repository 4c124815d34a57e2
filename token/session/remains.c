#include "token/session/remains.h"

#include "token/base/log.h"
#include "token/session/writable.h"

static CK_RV discard_seals(struct vault *vault, const struct token_file *old)
{
    CK_RV rv = CKR_OK;
    for (enum vault_user user = 0; user < VAULT_USERS; user++) {
        const struct vault_seal *const seals[] = {&old->seals[user], &old->pending[user]};
        for (size_t i = 0; i < ARRAY_SIZE(seals) && rv == CKR_OK; i++)
            rv = vault_discard(vault, user, seals[i]);
    }
    return rv;
}

static CK_RV discard(struct token *token, const struct token_file *old)
{
    struct writable *writable = token->writable;
    const uint8_t *id = writable->file.previous;
    CK_RV rv = vault_use_token(writable->vault, view_of(id, VAULT_TOKEN_SIZE), (struct view){0});
    if (rv == CKR_OK)
        rv = old ? discard_seals(writable->vault, old) : vault_discard_all(writable->vault);
    CK_RV told = writable_tell_vault(writable);
    return rv != CKR_OK ? rv : told;
}

void remains_remove(struct token *token, const struct token_file *old)
{
    struct writable *writable = token->writable;
    struct token_file file = {0};
    if (!writable->file.has_previous)
        return;
    writable_remove_entries(token, writable->file.previous);
    CK_RV rv = discard(token, old);
    if (rv != CKR_OK)
        log_line(LOG_LEVEL_WARNING, "session",
                 "%s: the TPM still holds NV indexes of the old token",
                 directory_path(writable->directory));
    if (rv == CKR_OK)
        rv = token_file_copy(&file, &writable->file);
    file.has_previous = false;
    if (rv == CKR_OK)
        rv = writable_write_token_file(token, &file);
    if (rv != CKR_OK)
        log_line(LOG_LEVEL_INFO, "session", "%s: the next login tries to remove it again",
                 directory_path(writable->directory));
    token_file_clear(&file);
}

void remains_settle(struct token *token)
{
    struct writable *writable = token->writable;
    if (!writable->file.has_previous || writable_is_read_only(writable) ||
        writable_lock(token) != CKR_OK)
        return;
    writable_refresh(token);
    remains_remove(token, NULL);
    writable_release(token);
}
