#include "token/session/token.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "token/base/lock.h"
#include "token/base/log.h"
#include "token/object/build.h"
#include "token/object/finder.h"
#include "token/object/material.h"
#include "token/session/binding.h"
#include "token/session/exported.h"
#include "token/session/life.h"
#include "token/session/section.h"
#include "token/session/state.h"
#include "token/session/stored.h"
#include "token/session/version.h"
#include "token/session/writable.h"

/* One counter for the process: a handle never means two objects. */
static _Atomic CK_OBJECT_HANDLE last_handle;

CK_RV token_add_object(struct token *token, CK_SESSION_HANDLE owner, struct object *object)
{
    if (token->object_count == token->object_room) {
        size_t room = token->object_room ? 2 * token->object_room : 16;
        struct object **objects = realloc(token->objects, room * sizeof(struct object *));
        if (!objects)
            return CKR_HOST_MEMORY;
        token->objects = objects;
        token->object_room = room;
    }
    object->handle = ++last_handle;
    object->owner = owner;
    token->objects[token->object_count++] = object;
    CK_RV rv = token_list_object(token, object);
    if (rv != CKR_OK)
        token->object_count--;
    return rv;
}

/* Small tokens are searched one by one, and those that are only listed, too. */
#define FINDER_FROM 32

CK_RV token_index(struct token *token)
{
    if (token->finder || token->object_count < FINDER_FROM)
        return CKR_OK;
    CK_RV rv = finder_new(&token->finder);
    for (size_t i = 0; i < token->object_count && rv == CKR_OK; i++)
        rv = finder_add(token->finder, token->objects[i]);
    if (rv != CKR_OK) {
        finder_free(token->finder);
        token->finder = NULL;
    }
    return rv;
}

CK_RV token_list_object(struct token *token, struct object *object)
{
    return token->finder ? finder_add(token->finder, object) : CKR_OK;
}

void token_unlist_object(struct token *token, struct object *object)
{
    if (token->finder)
        finder_remove(token->finder, object);
}

/* Handles only grow, so the array is sorted by them. */
static size_t place_of(const struct token *token, CK_OBJECT_HANDLE handle)
{
    size_t low = 0;
    size_t high = token->object_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (token->objects[middle]->handle < handle)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct object *find_object(const struct token *token, CK_OBJECT_HANDLE handle)
{
    size_t at = place_of(token, handle);
    bool found = at < token->object_count && token->objects[at]->handle == handle;
    return found ? token->objects[at] : NULL;
}

static bool is_hidden(const struct token *token, const struct object *object)
{
    return !token_is_open(token) && object_bool(object, CKA_PRIVATE);
}

bool token_shows(const struct token *token, const struct object *object)
{
    return !is_hidden(token, object);
}

struct object *token_object(const struct token *token, CK_OBJECT_HANDLE handle)
{
    struct object *object = find_object(token, handle);
    return object && !is_hidden(token, object) ? object : NULL;
}

bool token_object_is_hidden(const struct token *token, CK_OBJECT_HANDLE handle)
{
    const struct object *object = find_object(token, handle);
    return object && is_hidden(token, object);
}

void token_remove_object(struct token *token, struct object *object)
{
    size_t at = place_of(token, object->handle);
    if (at == token->object_count || token->objects[at] != object)
        return;
    token_unlist_object(token, object);
    memmove(&token->objects[at], &token->objects[at + 1],
            (token->object_count - at - 1) * sizeof(struct object *));
    token->object_count--;
    object_free(object);
}

void token_remove_stored_objects(struct token *token)
{
    for (size_t i = token->object_count; i > 0; i--)
        if (token->objects[i - 1]->home)
            token_remove_object(token, token->objects[i - 1]);
}

void token_remove_session_objects(struct token *token, CK_SESSION_HANDLE owner)
{
    for (size_t i = token->object_count; i > 0; i--)
        if (token->objects[i - 1]->owner == owner)
            token_remove_object(token, token->objects[i - 1]);
}

/* Certificates can be listed without login (PKCS#11 3.0 profiles). */
static CK_RV add_profile(struct token *token)
{
    struct object *object = NULL;
    const struct object_names names = {.unique = view_string("token")};
    CK_RV rv = object_public_certificates_profile(&names, &object);
    if (rv == CKR_OK)
        rv = token_add_object(token, CK_INVALID_HANDLE, object);
    if (rv != CKR_OK)
        object_free(object);
    return rv;
}

CK_RV token_open(const struct configuration *configuration, const struct config_section *section,
                 CK_SLOT_ID slot, struct token **ret_token, struct reason *reason)
{
    struct token *token = calloc(1, sizeof(*token));
    if (!token)
        return CKR_HOST_MEMORY;
    token->slot = slot;
    CK_RV rv = section_read(configuration, section, token, reason);
    if (rv == CKR_OK)
        rv = lock_new(&token->lock);
    if (rv == CKR_OK && token->writable)
        rv = add_profile(token);
    else if (rv == CKR_OK)
        rv = exported_add_objects(token);
    if (rv != CKR_OK) {
        token_free(token);
        return rv;
    }
    *ret_token = token;
    return CKR_OK;
}

void token_free(struct token *token)
{
    if (!token)
        return;
    for (size_t i = 0; i < token->object_count; i++)
        object_free(token->objects[i]);
    free(token->objects);
    finder_free(token->finder);
    writable_free(token->writable);
    key_material_clear(&token->material);
    bytes_free(&token->label);
    bytes_free(&token->id);
    saved_states_free(token->saved);
    pin_source_clear(&token->pin_source);
    pin_source_clear(&token->so_pin_source);
    problems_clear(&token->problems);
    lock_free(token->lock);
    free(token);
}

/* A stored key is read from its file when it is used first. */
static CK_RV read_key(struct token *token, struct object *object)
{
    struct entry_objects contents CLEANUP(entry_objects_clear) = {.count = 0};
    struct bytes unique CLEANUP(bytes_free) = {0};
    struct entry_object *entry = NULL;
    struct reason reason = {0}, named = {0};
    const struct record *record = object->home;
    CK_RV rv = writable_read(token, object, &contents, &entry);
    if (rv == CKR_OBJECT_HANDLE_INVALID)
        return CKR_KEY_HANDLE_INVALID;
    /* What this object is known to allow counts, wherever that was read. */
    if (rv == CKR_OK)
        rv = binding_of(&object->attributes, bytes_view(&entry->key_id), &unique);
    if (rv == CKR_OK)
        rv = key_read(token->writable->vault, contents.own ? KEY_OF_TOKEN : KEY_DROPPED_IN,
                      bytes_view(&entry->pem), bytes_view(&unique), &object->key, &reason);
    if (rv == CKR_OK)
        rv = bytes_copy(&object->key_id, bytes_view(&entry->key_id));
    if (rv == CKR_HOST_MEMORY || rv == CKR_OK)
        return rv;
    if (*reason.text)
        reason_set(&named, "%s: %s", record->name, reason.text);
    return writable_fail(token, CKR_FUNCTION_FAILED, &named);
}

CK_RV token_key(struct token *token, struct object *object, struct key **ret_key)
{
    CK_RV rv = CKR_OK;
    if (object->home && !token_is_open(token))
        return CKR_USER_NOT_LOGGED_IN;
    if (!object->key && object->home)
        rv = read_key(token, object);
    if (rv == CKR_OK && !object->key)
        rv = CKR_KEY_HANDLE_INVALID;
    if (rv == CKR_OK)
        *ret_key = object->key;
    return rv;
}

/* Which objects have something to read that their file keeps encrypted. */
static bool can_be_revealed(const struct object *object)
{
    CK_OBJECT_CLASS class = object_class(object);
    if (!object->home || object->revealed)
        return false;
    if (class == CKO_DATA)
        return object_bool(object, CKA_PRIVATE);
    return (class == CKO_PRIVATE_KEY || class == CKO_SECRET_KEY) &&
           !object_bool(object, CKA_SENSITIVE) && object_bool(object, CKA_EXTRACTABLE);
}

static CK_RV reveal_key(struct token *token, struct object *object)
{
    struct key *key = NULL;
    struct bytes value CLEANUP(bytes_free) = {0};
    struct private_parts parts = {0};
    CK_RV rv = token_key(token, object, &key);
    if (rv != CKR_OK)
        return rv;
    if (object_class(object) == CKO_SECRET_KEY) {
        rv = key_secret_value(key, &value);
        return rv != CKR_OK ? rv
                            : attributes_set(&object->attributes, CKA_VALUE, bytes_view(&value));
    }
    rv = key_export_parts(key, &parts);
    if (rv == CKR_OK)
        rv = material_put_private(&object->attributes, &parts);
    private_parts_clear(&parts);
    return rv == CKR_KEY_UNEXTRACTABLE ? CKR_OK : rv;
}

static CK_RV reveal_value(struct token *token, struct object *object)
{
    struct entry_objects contents CLEANUP(entry_objects_clear) = {.count = 0};
    struct entry_object *entry = NULL;
    CK_RV rv = writable_read(token, object, &contents, &entry);
    if (rv == CKR_OK)
        rv = stored_decrypt_value(token, entry);
    return rv != CKR_OK ? rv
                        : attributes_set(&object->attributes, CKA_VALUE,
                                         attributes_value(&entry->attributes, CKA_VALUE));
}

CK_RV token_reveal(struct token *token, struct object *object)
{
    if (!can_be_revealed(object) || !token_is_open(token))
        return CKR_OK;
    token_unlist_object(token, object);
    CK_RV rv =
        object_class(object) == CKO_DATA ? reveal_value(token, object) : reveal_key(token, object);
    object->revealed = true;
    CK_RV listed = token_list_object(token, object);
    /* Half of it may be there. */
    if (rv != CKR_OK)
        stored_conceal(token, object);
    return rv != CKR_OK ? rv : listed;
}

void token_look(struct token *token)
{
    if (token->writable)
        writable_refresh(token);
}

bool token_needs_login(const struct token *token)
{
    if (token->writable)
        return writable_needs_login(token->writable);
    return token->material.key && key_needs_login(token->material.key);
}

bool token_is_open(const struct token *token)
{
    return token->login == TOKEN_USER || !token_needs_login(token);
}

bool token_is_read_only(const struct token *token)
{
    return !token->writable || writable_is_read_only(token->writable);
}

/* Exported keys have one user, whose PIN is the key's own authorisation. */
static CK_RV login_exported(struct token *token, CK_USER_TYPE user, struct view pin)
{
    if (user != CKU_USER)
        return CKR_USER_TYPE_INVALID;
    /* A key without PIN is open already; clients that hold one for it may say it. */
    CK_RV rv = token_needs_login(token) ? key_login(token->material.key, pin) : CKR_OK;
    if (rv == CKR_OK)
        rv = exported_reveal(token);
    token->pin_flags = rv == CKR_PIN_INCORRECT ? CKF_USER_PIN_COUNT_LOW
                       : rv == CKR_PIN_LOCKED  ? CKF_USER_PIN_LOCKED
                       : rv == CKR_OK          ? 0
                                               : token->pin_flags;
    return rv;
}

CK_FLAGS token_pin_flags(struct token *token)
{
    return token->writable ? life_flags(token) : token->pin_flags;
}

CK_RV token_login(struct token *token, CK_USER_TYPE user, struct view pin)
{
    enum token_login wanted = user == CKU_SO ? TOKEN_SO : TOKEN_USER;
    if (token->login != TOKEN_PUBLIC)
        return token->login == wanted ? CKR_USER_ALREADY_LOGGED_IN
                                      : CKR_USER_ANOTHER_ALREADY_LOGGED_IN;
    if (pin.size > TOKEN_MAX_PIN_SIZE)
        return CKR_PIN_LEN_RANGE;
    CK_RV rv = token->writable ? life_login(token, user, pin) : login_exported(token, user, pin);
    if (rv == CKR_OK)
        token->login = wanted;
    return rv;
}

CK_RV token_check_pin(struct token *token, struct view pin)
{
    if (token->login == TOKEN_PUBLIC)
        return CKR_USER_NOT_LOGGED_IN;
    if (pin.size > TOKEN_MAX_PIN_SIZE)
        return CKR_PIN_LEN_RANGE;
    if (!token->writable)
        return token_needs_login(token) ? key_login(token->material.key, pin) : CKR_OK;
    return life_check_pin(token, token->login == TOKEN_SO ? VAULT_SO : VAULT_USER, pin);
}

/* Private session objects die with the login (PKCS#11 5.6.9), and values that were
 * decrypted go back to where they came from. */
static void hide_private(struct token *token)
{
    for (size_t i = token->object_count; i > 0; i--) {
        struct object *object = token->objects[i - 1];
        if (object->owner != CK_INVALID_HANDLE && object_bool(object, CKA_PRIVATE))
            token_remove_object(token, object);
        else if (object->revealed)
            stored_conceal(token, object);
    }
}

CK_RV token_logout(struct token *token)
{
    if (token->login == TOKEN_PUBLIC)
        return CKR_USER_NOT_LOGGED_IN;
    token->login = TOKEN_PUBLIC;
    if (token->writable)
        vault_close(token->writable->vault);
    else if (token_needs_login(token))
        key_logout(token->material.key);
    if (token_needs_login(token))
        hide_private(token);
    return CKR_OK;
}

void token_fill_field(unsigned char *field, size_t room, struct view text)
{
    memset(field, ' ', room);
    size_t size = text.size < room ? text.size : room;
    while (size && size < text.size && (text.data[size] & 0xc0) == 0x80)
        size--;
    if (size)
        memcpy(field, text.data, size);
}

enum key_place token_place(const struct token *token)
{
    if (token->writable)
        return vault_place(token->writable->vault);
    return token->material.key ? key_place(token->material.key) : KEY_IN_SOFTWARE;
}

static CK_VERSION tpm_version(const struct token *token)
{
    return token_place(token) != KEY_IN_SOFTWARE ? (CK_VERSION){.major = 2, .minor = 0}
                                                 : (CK_VERSION){0};
}

/* The TPM's own, as far as it fits into PKCS#11's two bytes; otherwise the module's. */
static CK_VERSION firmware_version(const struct token *token)
{
    unsigned major = 0, minor = 0;
    if (!token->writable ||
        sscanf(token->writable->file.tpm.firmware, "%5u.%5u", &major, &minor) != 2 || major > 255 ||
        minor > 255)
        return version_library();
    return (CK_VERSION){.major = (CK_BYTE)major, .minor = (CK_BYTE)minor};
}

void token_slot_info(const struct token *token, CK_SLOT_INFO *ret_info)
{
    *ret_info = (CK_SLOT_INFO){
        .flags = CKF_TOKEN_PRESENT | (token_place(token) == KEY_IN_DEVICE ? CKF_HW_SLOT : 0),
        .hardwareVersion = tpm_version(token),
        .firmwareVersion = firmware_version(token),
    };
    token_fill_field(ret_info->slotDescription, sizeof(ret_info->slotDescription),
                     view_string(token->description));
    token_fill_field(ret_info->manufacturerID, sizeof(ret_info->manufacturerID),
                     view_string(token->manufacturer));
}

static CK_FLAGS exported_flags(const struct token *token)
{
    CK_FLAGS login = CKF_LOGIN_REQUIRED | CKF_USER_PIN_INITIALIZED | token->pin_flags;
    return CKF_TOKEN_INITIALIZED | CKF_WRITE_PROTECTED | (token_needs_login(token) ? login : 0);
}

void token_info(struct token *token, CK_TOKEN_INFO *ret_info)
{
    CK_FLAGS flags = token->writable ? life_flags(token) : exported_flags(token);
    if (pin_source_is_protected(&token->pin_source) && flags & CKF_LOGIN_REQUIRED)
        flags |= CKF_PROTECTED_AUTHENTICATION_PATH;
    *ret_info = (CK_TOKEN_INFO){
        .flags = CKF_RNG | CKF_DUAL_CRYPTO_OPERATIONS | flags,
        .ulMaxSessionCount = CK_EFFECTIVELY_INFINITE,
        .ulSessionCount = token->session_count,
        .ulMaxRwSessionCount = CK_EFFECTIVELY_INFINITE,
        .ulRwSessionCount = token->rw_session_count,
        .ulMaxPinLen = TOKEN_MAX_PIN_SIZE,
        .ulMinPinLen = 0,
        .ulTotalPublicMemory = CK_UNAVAILABLE_INFORMATION,
        .ulFreePublicMemory = CK_UNAVAILABLE_INFORMATION,
        .ulTotalPrivateMemory = CK_UNAVAILABLE_INFORMATION,
        .ulFreePrivateMemory = CK_UNAVAILABLE_INFORMATION,
        .hardwareVersion = tpm_version(token),
        .firmwareVersion = firmware_version(token),
    };
    token_fill_field(ret_info->label, sizeof(ret_info->label), bytes_view(&token->label));
    token_fill_field(ret_info->manufacturerID, sizeof(ret_info->manufacturerID),
                     view_string(token->manufacturer));
    token_fill_field(ret_info->model, sizeof(ret_info->model), view_string(token->model));
    token_fill_field(ret_info->serialNumber, sizeof(ret_info->serialNumber),
                     view_string(token->serial));
    token_fill_field(ret_info->utcTime, sizeof(ret_info->utcTime), (struct view){0});
}
