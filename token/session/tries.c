#include "token/session/tries.h"

#include <stdio.h>

#include "token/base/log.h"
#include "token/session/life.h"
#include "token/store/entry.h"

static const struct {
    CK_FLAGS low;
    CK_FLAGS final;
    CK_FLAGS locked;
} try_flags[VAULT_USERS] = {
    {CKF_USER_PIN_COUNT_LOW, CKF_USER_PIN_FINAL_TRY, CKF_USER_PIN_LOCKED},
    {CKF_SO_PIN_COUNT_LOW, CKF_SO_PIN_FINAL_TRY, CKF_SO_PIN_LOCKED},
};

static CK_FLAGS flags_of_tries(const struct vault_tries *tries, enum vault_user user)
{
    if (!tries->known || !tries->failed)
        return 0;
    if (tries->failed >= tries->limit)
        return try_flags[user].locked;
    return try_flags[user].low | (tries->failed + 1 == tries->limit ? try_flags[user].final : 0);
}

CK_FLAGS life_flags(struct token *token)
{
    struct writable *writable = token->writable;
    writable_refresh(token);
    CK_FLAGS flags = writable_is_read_only(writable) ? CKF_WRITE_PROTECTED : 0;
    if (!writable_is_initialised(writable))
        return flags | (writable->pinless ? 0 : CKF_LOGIN_REQUIRED);
    const struct vault_seal *user = &writable->file.seals[VAULT_USER];
    flags |= CKF_TOKEN_INITIALIZED;
    if (!user->open)
        flags |= CKF_LOGIN_REQUIRED | (user->present ? CKF_USER_PIN_INITIALIZED : 0) |
                 flags_of_tries(&writable->tries[VAULT_USER], VAULT_USER);
    return flags | flags_of_tries(&writable->tries[VAULT_SO], VAULT_SO);
}

/* The hint that other processes' C_GetTokenInfo reads; it matters to nobody else, so
 * failing to write it is no failure. */
void tries_write(struct writable *writable)
{
    char text[160];
    const struct vault_tries *tries = writable->tries;
    struct reason reason = {0};
    struct bytes file CLEANUP(bytes_free) = {0};
    snprintf(text, sizeof(text),
             "user failed = %u\nuser limit = %u\nso failed = %u\nso limit = %u\n",
             (unsigned)tries[VAULT_USER].failed, (unsigned)tries[VAULT_USER].limit,
             (unsigned)tries[VAULT_SO].failed, (unsigned)tries[VAULT_SO].limit);
    CK_RV rv = entry_write_header(&file);
    if (rv == CKR_OK)
        rv = bytes_append(&file, view_string(text), 4096);
    if (rv == CKR_OK)
        rv = directory_write(writable->directory, TRIES_FILE_NAME, bytes_view(&file), &reason);
    if (rv != CKR_OK) {
        log_line(LOG_LEVEL_INFO, "session", "%s", reason.text);
        return;
    }
    const struct directory_file *now = directory_find(writable->directory, TRIES_FILE_NAME);
    writable->tries_version = now ? now->version : 0;
}

void tries_note(struct token *token, enum vault_user user, const struct vault_tries *tries)
{
    struct writable *writable = token->writable;
    struct vault_tries *old = &writable->tries[user];
    bool same = old->failed == tries->failed && (!tries->failed || old->limit == tries->limit);
    if (!tries->known || same)
        return;
    *old = *tries;
    if (!directory_writable(writable->directory) || writable_lock(token) != CKR_OK)
        return;
    tries_write(writable);
    writable_release(token);
}

/* With the directory's lock held: a new seal begins with no wrong tries. */
void tries_forget(struct writable *writable, enum vault_user user)
{
    if (!writable->tries[user].failed)
        return;
    writable->tries[user] = (struct vault_tries){0};
    tries_write(writable);
}
