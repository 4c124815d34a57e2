#include "token/session/life.h"

#include <string.h>

#include "token/base/log.h"
#include "token/session/remains.h"
#include "token/session/tries.h"
#include "token/session/writable.h"

/* How many changes of the token one login follows. */
#define MOST_OVERTAKEN 3

static void describe(const struct token *token, enum vault_user user, CK_RV rv,
                     const struct vault_tries *tries)
{
    const char *who = user == VAULT_SO ? "SO" : "user";
    const char *path = directory_path(token->writable->directory);
    bool locked = tries->known && tries->failed >= tries->limit;
    const char *way = !locked ? ""
                      : user == VAULT_USER
                          ? "; it is locked until the SO sets a new one (C_InitPIN)"
                          : "; it is locked for good";
    if (rv == CKR_PIN_INCORRECT && tries->known)
        log_line(LOG_LEVEL_WARNING, "session", "%s: wrong %s PIN: %u of %u tries are used%s", path,
                 who, (unsigned)tries->failed, (unsigned)tries->limit, way);
    if (rv == CKR_PIN_LOCKED && locked)
        log_line(LOG_LEVEL_ERROR, "session", "%s: the %s PIN had %u wrong tries%s", path, who,
                 (unsigned)tries->failed, way);
}

static CK_RV check_state(struct token *token, enum vault_user user)
{
    struct writable *writable = token->writable;
    writable_refresh(token);
    if (writable->damaged)
        return CKR_DEVICE_ERROR;
    if (!writable_is_initialised(writable))
        return CKR_TOKEN_NOT_RECOGNIZED;
    if (!writable->file.seals[user].present)
        return user == VAULT_USER ? CKR_USER_PIN_NOT_INITIALIZED : CKR_USER_TYPE_INVALID;
    return CKR_OK;
}

/* A change of the PIN that was killed between the file and the counter shows in that the
 * seal is out of date: then the pending one is it. */
static CK_RV open_seals(struct token *token, enum vault_user user, struct view pin,
                        struct vault_tries *tries, bool *ret_pending)
{
    struct writable *writable = token->writable;
    const struct token_file *file = &writable->file;
    *ret_pending = false;
    CK_RV rv = vault_open(writable->vault, user, &file->seals[user], pin, tries);
    if (rv == CKR_PIN_EXPIRED && file->pending[user].present) {
        rv = vault_open(writable->vault, user, &file->pending[user], pin, tries);
        *ret_pending = rv == CKR_OK;
    }
    return rv;
}

/* The seals do not open any more, as another process has replaced them meanwhile: there
 * are newer ones. */
static bool is_overtaken(struct token *token, enum vault_user user, CK_RV rv)
{
    uint64_t version = token->writable->file_version;
    return (rv == CKR_PIN_EXPIRED || rv == CKR_DEVICE_ERROR) &&
           check_state(token, user) == CKR_OK && token->writable->file_version != version;
}

CK_RV life_open_vault(struct token *token, enum vault_user user, struct view pin, bool *ret_pending)
{
    struct writable *writable = token->writable;
    struct vault_tries tries = {0};
    CK_RV rv = open_seals(token, user, pin, &tries, ret_pending);
    for (unsigned again = 0; again < MOST_OVERTAKEN && is_overtaken(token, user, rv); again++)
        rv = open_seals(token, user, pin, &tries, ret_pending);
    if (rv == CKR_PIN_EXPIRED) {
        log_line(LOG_LEVEL_ERROR, "session",
                 "%s: this is an old copy of the token: its PIN was changed, or it was initialised "
                 "again, since",
                 directory_path(writable->directory));
        rv = CKR_DEVICE_ERROR;
    }
    tries_note(token, user, &tries);
    describe(token, user, rv, &tries);
    return rv;
}

static void use_pending(struct token_file *file, enum vault_user user)
{
    vault_seal_clear(&file->seals[user]);
    file->seals[user] = file->pending[user];
    file->pending[user] = (struct vault_seal){0};
}

/* With the directory's lock held: the pending seal is the seal from now on, if it still
 * is the one that was found to open. */
static CK_RV write_promoted(struct token *token, enum vault_user user, struct view opened)
{
    struct token_file file = {0};
    writable_refresh(token);
    const struct vault_seal *pending = &token->writable->file.pending[user];
    if (!pending->present || !view_equal(bytes_view(&pending->sealed), opened))
        return CKR_OK;
    CK_RV rv = token_file_copy(&file, &token->writable->file);
    if (rv == CKR_OK) {
        use_pending(&file, user);
        rv = writable_write_token_file(token, &file);
    }
    token_file_clear(&file);
    return rv;
}

static void promote(struct token *token, enum vault_user user)
{
    struct bytes opened CLEANUP(bytes_free) = {0};
    if (token_is_read_only(token))
        return;
    CK_RV rv = bytes_copy(&opened, bytes_view(&token->writable->file.pending[user].sealed));
    if (rv == CKR_OK)
        rv = writable_lock(token);
    if (rv == CKR_OK) {
        rv = write_promoted(token, user, bytes_view(&opened));
        writable_release(token);
    }
    if (rv != CKR_OK)
        log_line(LOG_LEVEL_WARNING, "session", "%s: a change of PIN is still to be completed",
                 directory_path(token->writable->directory));
}

CK_RV life_login(struct token *token, CK_USER_TYPE user, struct view pin)
{
    enum vault_user who = user == CKU_SO ? VAULT_SO : VAULT_USER;
    bool pending = false;
    CK_RV rv = check_state(token, who);
    if (rv != CKR_OK)
        return rv;
    remains_settle(token);
    /* Without a PIN there is nothing to check; clients that hold one may say it. */
    if (token->writable->file.seals[who].open)
        return CKR_OK;
    rv = life_open_vault(token, who, pin, &pending);
    if (rv == CKR_OK && pending)
        promote(token, who);
    /* It may have become another token just now. */
    return rv == CKR_OK && !vault_is_open(token->writable->vault) ? (CK_RV)CKR_FUNCTION_FAILED : rv;
}

CK_RV life_check_pin(struct token *token, enum vault_user user, struct view pin)
{
    bool pending = false;
    CK_RV rv = check_state(token, user);
    if (rv == CKR_OK && token->login != TOKEN_PUBLIC && !token->writable->file.seals[user].open)
        rv = life_open_vault(token, user, pin, &pending);
    if (token->login != TOKEN_PUBLIC)
        return rv;
    /* Another process has initialised the token again: that ended the login. */
    vault_close(token->writable->vault);
    return CKR_USER_NOT_LOGGED_IN;
}

/* Changing PINs. With the lock held and the vault open: the file gets the new seal as
 * pending, the counter moves on, the file gets it as the seal. */
static CK_RV replace_seal(struct token *token, enum vault_user user, struct view pin)
{
    struct writable *writable = token->writable;
    struct token_file file = {0};
    CK_RV rv = token_file_copy(&file, &writable->file);
    struct vault_seal *seal = &file.seals[user];
    struct vault_seal *pending = &file.pending[user];
    const struct vault_seal *old = seal->present ? seal : NULL;
    if (rv == CKR_OK) {
        vault_seal_clear(pending);
        rv = vault_seal(writable->vault, user, pin, writable->try_limit[user], old, pending);
    }
    if (rv == CKR_OK && old)
        rv = writable_write_token_file(token, &file);
    if (rv == CKR_OK && old)
        rv = vault_commit(writable->vault, user, pending, seal);
    if (rv == CKR_OK) {
        vault_seal_clear(seal);
        *seal = *pending;
        *pending = (struct vault_seal){0};
        rv = writable_write_token_file(token, &file);
    }
    if (rv == CKR_OK)
        tries_forget(writable, user);
    token_file_clear(&file);
    return rv;
}

/* A change that was killed may have left two seals, of which nobody can tell here which
 * one opens. The new one is made to, before what they have in the TPM is used again. */
static CK_RV settle_pending(struct token *token, enum vault_user user)
{
    struct token_file file = {0};
    const struct token_file *now = &token->writable->file;
    if (!now->pending[user].present ||
        vault_commit(token->writable->vault, user, &now->pending[user], &now->seals[user]) !=
            CKR_OK)
        return CKR_OK;
    CK_RV rv = token_file_copy(&file, now);
    if (rv == CKR_OK) {
        use_pending(&file, user);
        rv = writable_write_token_file(token, &file);
    }
    token_file_clear(&file);
    return rv;
}

/* What gives the right to change it: the old PIN, or (NULL) that the SO is logged in. */
static CK_RV permit(struct token *token, enum vault_user user, const struct view *old_pin)
{
    bool pending = false;
    if (!old_pin)
        return vault_is_open(token->writable->vault) ? settle_pending(token, user)
                                                     : (CK_RV)CKR_USER_NOT_LOGGED_IN;
    CK_RV rv = life_open_vault(token, user, *old_pin, &pending);
    if (rv == CKR_OK && pending)
        promote(token, user);
    return rv;
}

static CK_RV change_pin(struct token *token, enum vault_user user, const struct view *old_pin,
                        struct view pin)
{
    uint8_t id[VAULT_TOKEN_SIZE];
    memcpy(id, token->writable->file.id, sizeof(id));
    if (pin.size > TOKEN_MAX_PIN_SIZE)
        return CKR_PIN_LEN_RANGE;
    if (!pin.data)
        return CKR_ARGUMENTS_BAD;
    if (token_is_read_only(token))
        return CKR_TOKEN_WRITE_PROTECTED;
    CK_RV rv = writable_lock(token);
    if (rv != CKR_OK)
        return rv;
    writable_refresh(token);
    bool same = memcmp(id, token->writable->file.id, sizeof(id)) == 0;
    rv = token->writable->damaged ? CKR_DEVICE_ERROR : same ? CKR_OK : CKR_USER_NOT_LOGGED_IN;
    if (rv == CKR_OK)
        rv = permit(token, user, old_pin);
    if (rv == CKR_OK)
        rv = replace_seal(token, user, pin);
    writable_release(token);
    return rv;
}

CK_RV life_init_pin(struct token *token, struct view pin)
{
    if (token->login != TOKEN_SO)
        return CKR_USER_NOT_LOGGED_IN;
    if (token->writable->file.seals[VAULT_USER].open) {
        log_line(LOG_LEVEL_ERROR, "session",
                 "%s: this token was made without a PIN ('pin = none') and cannot get one; "
                 "initialise it again without that line",
                 directory_path(token->writable->directory));
        return CKR_FUNCTION_REJECTED;
    }
    return change_pin(token, VAULT_USER, NULL, pin);
}

CK_RV life_set_pin(struct token *token, struct view old_pin, struct view new_pin)
{
    enum vault_user user = token->login == TOKEN_SO ? VAULT_SO : VAULT_USER;
    if (old_pin.size > TOKEN_MAX_PIN_SIZE)
        return CKR_PIN_INCORRECT;
    CK_RV rv = check_state(token, user);
    if (rv == CKR_OK && token->writable->file.seals[user].open)
        return CKR_FUNCTION_REJECTED;
    if (rv == CKR_OK)
        rv = change_pin(token, user, &old_pin, new_pin);
    /* The old PIN was asked for, and is no login. */
    if (token->login == TOKEN_PUBLIC)
        vault_close(token->writable->vault);
    return rv;
}
