#include <string.h>

#include "token/base/log.h"
#include "token/mechanism/software.h"
#include "token/session/life.h"
#include "token/session/remains.h"
#include "token/session/tries.h"
#include "token/session/writable.h"

static CK_RV random_id(uint8_t id[VAULT_TOKEN_SIZE])
{
    return mechanism_random(id, VAULT_TOKEN_SIZE);
}

/* Before anything is made in the TPM, the file says under which name: what a killed
 * process leaves there is found again. */
static CK_RV announce(struct token *token, uint8_t next[VAULT_TOKEN_SIZE])
{
    struct token_file file = {0};
    const struct token_file *now = &token->writable->file;
    if (now->has_next) {
        memcpy(next, now->next, VAULT_TOKEN_SIZE);
        return CKR_OK;
    }
    CK_RV rv = token_file_copy(&file, now);
    if (rv == CKR_OK)
        rv = random_id(file.next);
    file.has_next = true;
    memcpy(next, file.next, VAULT_TOKEN_SIZE);
    if (rv == CKR_OK)
        rv = writable_write_token_file(token, &file);
    token_file_clear(&file);
    return rv;
}

static struct view without_blanks(struct view label)
{
    while (label.size && (label.data[label.size - 1] == ' ' || !label.data[label.size - 1]))
        label.size--;
    return label;
}

/* The new token, as it will stand in the file: a fresh secret, sealed for the SO, and
 * for everybody where no PIN is wanted. */
static CK_RV make_seals(struct token *token, struct view pin, struct token_file *file)
{
    struct writable *writable = token->writable;
    struct vault *vault = writable->vault;
    CK_RV rv = vault_use_token(vault, view_of(file->id, sizeof(file->id)), (struct view){0});
    if (rv == CKR_OK)
        rv = vault_begin(vault);
    if (rv == CKR_OK)
        rv = vault_identify(vault, &file->tpm);
    /* Nobody needs to be asked before such a token is wiped. */
    bool so = !writable->pinless || pin.size;
    if (rv == CKR_OK && so)
        rv = vault_seal(vault, VAULT_SO,
                        view_of(pin.data ? pin.data : (const uint8_t *)"", pin.size),
                        writable->try_limit[VAULT_SO], NULL, &file->seals[VAULT_SO]);
    if (rv == CKR_OK && writable->pinless)
        rv = vault_seal(vault, VAULT_USER, (struct view){0}, 0, NULL, &file->seals[VAULT_USER]);
    vault_close(vault);
    return rv;
}

static CK_RV make_token(struct token *token, struct view pin, struct view label)
{
    struct writable *writable = token->writable;
    struct token_file old = {0};
    struct token_file file = {.initialised = true};
    remains_remove(token, NULL);
    CK_RV rv = announce(token, file.id);
    if (rv == CKR_OK)
        rv = token_file_copy(&old, &writable->file);
    file.has_previous = old.initialised;
    memcpy(file.previous, old.id, sizeof(file.previous));
    if (rv == CKR_OK)
        rv = bytes_copy(&file.label, without_blanks(label));
    if (rv == CKR_OK)
        rv = make_seals(token, pin, &file);
    if (rv == CKR_OK)
        rv = writable_write_token_file(token, &file);
    if (rv == CKR_OK) {
        memset(writable->tries, 0, sizeof(writable->tries));
        tries_write(writable);
        remains_remove(token, &old);
    }
    CK_RV told = writable_tell_vault(writable);
    token_file_clear(&old);
    token_file_clear(&file);
    return rv != CKR_OK ? rv : told;
}

/* Only the SO of an initialised token may wipe it. */
static CK_RV check_so(struct token *token, struct view pin)
{
    struct writable *writable = token->writable;
    bool pending = false;
    if (!writable_is_initialised(writable) || !writable->file.seals[VAULT_SO].present)
        return CKR_OK;
    CK_RV rv = life_open_vault(token, VAULT_SO, pin, &pending);
    vault_close(writable->vault);
    if (rv == CKR_DEVICE_ERROR || rv == CKR_PIN_LOCKED)
        log_line(LOG_LEVEL_ERROR, "session",
                 "%s: without the SO's PIN the token is not initialised again; to give up what is "
                 "in it, remove the file '" TOKEN_FILE_NAME "' there",
                 directory_path(writable->directory));
    return rv;
}

CK_RV life_init_token(struct token *token, struct view pin, struct view label)
{
    struct writable *writable = token->writable;
    struct reason reason = {0};
    writable_refresh(token);
    if (token->session_count)
        return CKR_SESSION_EXISTS;
    if (pin.size > TOKEN_MAX_PIN_SIZE)
        return CKR_PIN_LEN_RANGE;
    if (writable->damaged)
        return CKR_DEVICE_ERROR;
    CK_RV rv = writable_fail(token, directory_make(writable->directory, &reason), &reason);
    if (rv == CKR_OK)
        rv = writable_lock(token);
    if (rv != CKR_OK)
        return rv;
    writable_refresh(token);
    rv = writable_is_read_only(writable) ? CKR_TOKEN_WRITE_PROTECTED : check_so(token, pin);
    if (rv == CKR_OK)
        rv = make_token(token, pin, label);
    writable_release(token);
    return rv;
}
