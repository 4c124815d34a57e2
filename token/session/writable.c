#include "token/session/writable.h"

#include <stdlib.h>
#include <string.h>

#include "token/base/log.h"
#include "token/object/text.h"
#include "token/session/records.h"
#include "token/store/entry.h"

CK_RV writable_open(const struct writable_settings *settings, struct writable **ret_writable)
{
    struct writable *writable = calloc(1, sizeof(*writable));
    if (!writable)
        return CKR_HOST_MEMORY;
    writable->pinless = settings->pinless;
    writable->pin_required = settings->pin_required;
    writable->sealing = settings->sealing;
    writable->secrets_in_tpm = settings->secrets_in_tpm;
    memcpy(writable->try_limit, settings->try_limit, sizeof(writable->try_limit));
    CK_RV rv = directory_new(settings->path, &writable->directory);
    if (rv == CKR_OK)
        rv = vault_new(settings->tpm, settings->protection, &writable->vault);
    if (rv != CKR_OK) {
        writable_free(writable);
        return rv;
    }
    *ret_writable = writable;
    return CKR_OK;
}

void writable_free(struct writable *writable)
{
    if (!writable)
        return;
    records_free(writable);
    token_file_clear(&writable->file);
    vault_free(writable->vault);
    directory_free(writable->directory);
    free(writable);
}

CK_RV writable_fail(const struct token *token, CK_RV rv, const struct reason *reason)
{
    const char *path = directory_path(token->writable->directory);
    /* The store names the file itself. */
    bool named = strncmp(reason->text, path, strlen(path)) == 0;
    if (rv != CKR_OK && *reason->text)
        log_line(LOG_LEVEL_ERROR, "session", "%s%s%s", named ? "" : path, named ? "" : ": ",
                 reason->text);
    return rv;
}

CK_RV writable_lock(struct token *token)
{
    struct writable *writable = token->writable;
    struct reason reason = {0};
    CK_RV rv = writable->locked ? CKR_OK : directory_lock(writable->directory, &reason);
    if (rv == CKR_OK)
        writable->locked++;
    return writable_fail(token, rv, &reason);
}

void writable_release(struct token *token)
{
    if (--token->writable->locked == 0)
        directory_unlock(token->writable->directory);
}

bool writable_is_initialised(const struct writable *writable)
{
    return writable->known && writable->file.initialised;
}

bool writable_needs_login(const struct writable *writable)
{
    return writable_is_initialised(writable) && !writable->file.seals[VAULT_USER].open;
}

bool writable_is_read_only(const struct writable *writable)
{
    return writable->damaged ||
           (directory_exists(writable->directory) && !directory_writable(writable->directory));
}

CK_RV writable_unlock(struct token *token)
{
    struct writable *writable = token->writable;
    const struct vault_seal *seal = &writable->file.seals[VAULT_USER];
    if (vault_is_open(writable->vault))
        return CKR_OK;
    if (!seal->present || !seal->open)
        return CKR_USER_NOT_LOGGED_IN;
    struct vault_tries tries;
    return vault_open(writable->vault, VAULT_USER, seal, (struct view){0}, &tries);
}

/* What the vault is to know of the token: which it is, where it was made, and whether
 * its keys want an authorisation. */
CK_RV writable_tell_vault(struct writable *writable)
{
    const struct token_file *file = &writable->file;
    if (!file->initialised)
        return CKR_OK;
    CK_RV rv = vault_use_token(writable->vault, view_of(file->id, sizeof(file->id)),
                               bytes_view(&file->tpm.root_name));
    return rv != CKR_OK ? rv : vault_set_open(writable->vault, &file->seals[VAULT_USER]);
}

/* Another token's secret is of no use for this one. */
static CK_RV take_file(struct token *token, struct token_file *file)
{
    struct writable *writable = token->writable;
    bool same = writable->known && writable->file.initialised == file->initialised &&
                memcmp(writable->file.id, file->id, sizeof(file->id)) == 0;
    if (!same) {
        if (token->login != TOKEN_PUBLIC && token_logout(token) != CKR_OK)
            token->login = TOKEN_PUBLIC;
        vault_close(writable->vault);
        records_forget(token);
        writable->stale = true;
    }
    token_file_clear(&writable->file);
    writable->file = *file;
    *file = (struct token_file){0};
    writable->known = true;
    writable->damaged = false;
    /* The PINs may be others now: what was wrong may be right. */
    pin_source_forget(&token->pin_source);
    pin_source_forget(&token->so_pin_source);
    CK_RV rv = bytes_copy(&token->label, bytes_view(&writable->file.label));
    if (rv == CKR_OK && !token->serial_given && writable->file.initialised)
        rv = token_set_serial(token, view_of(writable->file.id, sizeof(writable->file.id)));
    return rv != CKR_OK ? rv : writable_tell_vault(writable);
}

static CK_RV no_file(struct token *token)
{
    struct token_file none = {0};
    CK_RV rv = take_file(token, &none);
    token->writable->known = false;
    return rv;
}

/* Who can write the file can put a token without PIN in its place. */
static CK_RV check_pin(const struct writable *writable, const struct token_file *file,
                       struct reason *reason)
{
    if (!writable->pin_required || !file->seals[VAULT_USER].open)
        return CKR_OK;
    reason_set(reason, "it says 'pin = none', but the configuration 'pin = required': this is not "
                       "the token that is meant");
    return CKR_DATA_INVALID;
}

CK_RV writable_read_token_file(struct token *token)
{
    struct writable *writable = token->writable;
    struct bytes text CLEANUP(bytes_free) = {0};
    struct token_file file = {0};
    struct file_stamp stamp;
    struct reason reason = {0};
    CK_RV rv = directory_read(writable->directory, TOKEN_FILE_NAME, &text, &stamp, &reason);
    if (rv == CKR_OBJECT_HANDLE_INVALID)
        return no_file(token);
    if (rv == CKR_OK)
        rv = token_file_parse(bytes_view(&text), &file, &reason);
    if (rv == CKR_OK)
        rv = check_pin(writable, &file, &reason);
    if (rv == CKR_OK) {
        problems_remove(&token->problems, TOKEN_FILE_NAME);
        rv = take_file(token, &file);
        token_file_clear(&file);
        return rv;
    }
    token_file_clear(&file);
    problems_add(&token->problems, TOKEN_FILE_NAME, &reason);
    if (!writable->damaged)
        log_line(LOG_LEVEL_ERROR, "session",
                 "%s/%s:%u: %s; the token cannot be used until that is put right",
                 directory_path(writable->directory), TOKEN_FILE_NAME, reason.line, reason.text);
    writable->damaged = true;
    return rv == CKR_DATA_INVALID ? (CK_RV)CKR_DEVICE_ERROR : rv;
}

CK_RV writable_write_token_file(struct token *token, const struct token_file *file)
{
    struct writable *writable = token->writable;
    struct bytes text CLEANUP(bytes_free) = {0};
    struct token_file copy = {0};
    struct reason reason = {0};
    CK_RV rv = token_file_write(file, &text);
    if (rv == CKR_OK)
        rv = token_file_copy(&copy, file);
    if (rv == CKR_OK)
        rv = writable_fail(
            token,
            directory_write(writable->directory, TOKEN_FILE_NAME, bytes_view(&text), &reason),
            &reason);
    if (rv == CKR_OK)
        rv = take_file(token, &copy);
    token_file_clear(&copy);
    const struct directory_file *now = directory_find(writable->directory, TOKEN_FILE_NAME);
    if (rv == CKR_OK)
        writable->file_version = now ? now->version : 0;
    return rv;
}

static void refresh_token_file(struct token *token)
{
    struct writable *writable = token->writable;
    const struct directory_file *file = directory_find(writable->directory, TOKEN_FILE_NAME);
    uint64_t version = file ? file->version : 0;
    if (version == writable->file_version && (version || !writable->known))
        return;
    if (writable_read_token_file(token) == CKR_OK || writable->damaged)
        writable->file_version = version;
}

/* What was counted by the last login in any process: a hint, no more. */
static void refresh_tries(struct writable *writable)
{
    static const char *const names[VAULT_USERS][2] = {{"user failed", "user limit"},
                                                      {"so failed", "so limit"}};
    const struct directory_file *file = directory_find(writable->directory, TRIES_FILE_NAME);
    uint64_t version = file ? file->version : 0;
    if (version == writable->tries_version)
        return;
    writable->tries_version = version;
    memset(writable->tries, 0, sizeof(writable->tries));
    struct bytes text CLEANUP(bytes_free) = {0};
    struct entry entry CLEANUP(entry_clear) = {0};
    struct file_stamp stamp;
    if (!file ||
        directory_read(writable->directory, TRIES_FILE_NAME, &text, &stamp, NULL) != CKR_OK ||
        entry_parse(bytes_view(&text), &entry, NULL) != CKR_OK)
        return;
    for (enum vault_user user = 0; user < VAULT_USERS; user++) {
        uint32_t values[2] = {0};
        for (size_t i = 0; i < 2; i++) {
            struct view value = entry_value(&entry.groups[0], names[user][i]);
            for (size_t j = 0;
                 j < value.size && j < 4 && value.data[j] >= '0' && value.data[j] <= '9'; j++)
                values[i] = 10 * values[i] + (uint32_t)(value.data[j] - '0');
        }
        writable->tries[user] =
            (struct vault_tries){.known = values[1] != 0, .failed = values[0], .limit = values[1]};
    }
}

static void note_public(struct token *token)
{
    struct reason reason = {0};
    const struct directory *directory = token->writable->directory;
    if (!directory_is_public(directory))
        return;
    reason_set(&reason, "%s: everybody may write there: chmod o-w", directory_path(directory));
    problems_add(&token->problems, NULL, &reason);
}

/* True, logged, if there is a directory that cannot be read. */
static bool note_failure(struct token *token, CK_RV rv, const struct reason *reason)
{
    if (rv == CKR_OK)
        return false;
    log_line(LOG_LEVEL_ERROR, "session", "%s", reason->text);
    problems_add(&token->problems, NULL, reason);
    return true;
}

void writable_refresh(struct token *token)
{
    static const char *const own[] = {TOKEN_FILE_NAME, TRIES_FILE_NAME};
    struct writable *writable = token->writable;
    struct reason reason = {0};
    CK_RV rv = directory_glance(writable->directory, own, ARRAY_SIZE(own), &reason);
    problems_remove(&token->problems, NULL);
    if (note_failure(token, rv, &reason))
        return;
    /* A write that failed may have changed it, too. */
    refresh_token_file(token);
    refresh_tries(writable);
    note_public(token);
}

void writable_load(struct token *token)
{
    struct writable *writable = token->writable;
    struct reason reason = {0};
    bool changed = false;
    writable_refresh(token);
    CK_RV rv = directory_refresh(writable->directory, &changed, &reason);
    if (note_failure(token, rv, &reason))
        return;
    refresh_token_file(token);
    note_public(token);
    if (!changed && !writable->stale)
        return;
    writable->stale = false;
    records_refresh(token);
}

static void free_name(char **name)
{
    free(*name);
}

void writable_remove_entries(struct token *token, const uint8_t id[VAULT_TOKEN_SIZE])
{
    struct writable *writable = token->writable;
    struct reason unreadable = {0};
    bool changed = false;
    if (note_failure(token, directory_refresh(writable->directory, &changed, &unreadable),
                     &unreadable))
        return;
    writable->stale |= changed;
    for (size_t i = directory_count(writable->directory); i > 0; i--) {
        struct bytes text CLEANUP(bytes_free) = {0};
        struct file_stamp stamp;
        struct reason reason = {0};
        /* The list's own name goes with the file. */
        char *name CLEANUP(free_name) = strdup(directory_at(writable->directory, i - 1)->name);
        if (!name || strcmp(name, TOKEN_FILE_NAME) == 0 ||
            directory_read(writable->directory, name, &text, &stamp, NULL) != CKR_OK ||
            !entry_file_belongs(bytes_view(&text), id))
            continue;
        if (directory_remove(writable->directory, name, &reason) != CKR_OK)
            log_line(LOG_LEVEL_WARNING, "session", "%s", reason.text);
    }
}

CK_RV writable_read(struct token *token, const struct object *object,
                    struct entry_objects *ret_objects, struct entry_object **ret_object)
{
    const struct record *record = object->home;
    struct bytes text CLEANUP(bytes_free) = {0};
    struct file_stamp stamp;
    struct reason reason = {0};
    CK_RV rv = directory_read(token->writable->directory, record->name, &text, &stamp, &reason);
    if (rv == CKR_OK)
        rv = entry_file_parse(bytes_view(&text), record->name, token_needs_login(token),
                              ret_objects, &reason);
    if (rv == CKR_DATA_INVALID)
        rv = CKR_DEVICE_ERROR;
    /* Another process has removed it: no fault of anybody's. */
    if (rv == CKR_OBJECT_HANDLE_INVALID)
        return rv;
    if (rv != CKR_OK)
        return writable_fail(token, rv, &reason);
    struct view unique = attributes_value(&object->attributes, CKA_UNIQUE_ID);
    *ret_object = entry_file_find(ret_objects, unique);
    return *ret_object ? CKR_OK : CKR_OBJECT_HANDLE_INVALID;
}
