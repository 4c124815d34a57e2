#include "token/session/token.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "token/base/lock.h"
#include "token/object/build.h"
#include "token/object/finder.h"
#include "token/object/material.h"
#include "token/session/exported.h"
#include "token/session/life.h"
#include "token/session/section.h"
#include "token/session/state.h"
#include "token/session/stored.h"
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
