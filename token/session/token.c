#include "token/session/token.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "token/base/lock.h"
#include "token/base/log.h"
#include "token/object/build.h"
#include "token/session/section.h"
#include "token/session/version.h"

/* One counter for the process: a handle never means two objects. */
static _Atomic CK_OBJECT_HANDLE last_handle;

CK_RV token_add_object(struct token *token, CK_SESSION_HANDLE owner, struct object *object)
{
    struct object **objects =
        realloc(token->objects, (token->object_count + 1) * sizeof(struct object *));
    if (!objects)
        return CKR_HOST_MEMORY;
    token->objects = objects;
    object->handle = ++last_handle;
    object->owner = owner;
    objects[token->object_count++] = object;
    return CKR_OK;
}

/* Handles only grow, so the array is sorted by them. */
static struct object *find_object(const struct token *token, CK_OBJECT_HANDLE handle)
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
    bool found = low < token->object_count && token->objects[low]->handle == handle;
    return found ? token->objects[low] : NULL;
}

static bool is_hidden(const struct token *token, const struct object *object)
{
    return !token->logged_in && token_needs_login(token) && object_bool(object, CKA_PRIVATE);
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
    for (size_t i = 0; i < token->object_count; i++) {
        if (token->objects[i] != object)
            continue;
        memmove(&token->objects[i], &token->objects[i + 1],
                (token->object_count - i - 1) * sizeof(struct object *));
        token->object_count--;
        object_free(object);
        return;
    }
}

void token_remove_session_objects(struct token *token, CK_SESSION_HANDLE owner)
{
    for (size_t i = token->object_count; i > 0; i--)
        if (token->objects[i - 1]->owner == owner)
            token_remove_object(token, token->objects[i - 1]);
}

static CK_RV add(struct token *token, CK_RV rv, struct object *object)
{
    if (rv == CKR_OK)
        rv = token_add_object(token, CK_INVALID_HANDLE, object);
    if (rv != CKR_OK)
        object_free(object);
    return rv;
}

static CK_RV add_certificate(struct token *token, struct object_names names,
                             const struct certificate *certificate, bool leaf)
{
    struct bytes id CLEANUP(bytes_free) = {0};
    struct object *object = NULL;
    /* Certificates of issuers pair with no key of this token: an id of their own. */
    if (!leaf) {
        CK_RV rv = key_material_id(&certificate->public_key, &id);
        if (rv != CKR_OK)
            return rv;
        names.id = bytes_view(&id);
        if (certificate->common_name.size)
            names.label = bytes_view(&certificate->common_name);
    }
    CK_RV rv = object_from_certificate(&names, certificate, &object);
    return add(token, rv, object);
}

static CK_RV add_certificates(struct token *token, const struct object_names *names,
                              const struct certificate *certificates, size_t count)
{
    CK_RV rv = CKR_OK;
    for (size_t i = 0; i < count && rv == CKR_OK; i++) {
        bool leaf =
            token->material.public_key.algorithm == KEY_ALGORITHM_NONE
                ? i == 0
                : public_key_equal(&certificates[i].public_key, &token->material.public_key);
        char unique[40];
        snprintf(unique, sizeof(unique), "%s-%zu", token->serial, i);
        struct object_names own = *names;
        own.unique = view_string(unique);
        rv = add_certificate(token, own, &certificates[i], leaf);
    }
    return rv;
}

/* The subject of the key's own certificate, wherever that was found. */
static struct view subject_of(const struct token *token)
{
    const struct key_material *material = &token->material;
    const struct certificate *certificates = material->certificates;
    size_t count = material->certificate_count;
    if (!count && material->key)
        certificates = key_certificates(material->key, &count);
    for (size_t i = 0; i < count; i++)
        if (public_key_equal(&certificates[i].public_key, &material->public_key))
            return bytes_view(&certificates[i].subject);
    return (struct view){0};
}

static struct object_names names_of(const struct token *token)
{
    return (struct object_names){
        .label = bytes_view(&token->label),
        .id = bytes_view(&token->id),
        .subject = subject_of(token),
        .unique = view_string(token->serial),
        .login = token_needs_login(token),
    };
}

static CK_RV add_key_objects(struct token *token)
{
    struct object_names names = names_of(token);
    struct object *object = NULL;
    CK_RV rv = CKR_OK;
    if (token->material.public_key.algorithm == KEY_ALGORITHM_NONE)
        return CKR_OK;
    if (token->material.key) {
        rv = object_from_private_key(&names, token->material.key, &object);
        rv = add(token, rv, object);
    }
    if (rv != CKR_OK)
        return rv;
    object = NULL;
    rv = object_from_public_key(&names, &token->material.public_key, &object);
    return add(token, rv, object);
}

static CK_RV add_objects(struct token *token)
{
    struct object_names names = names_of(token);
    struct object *object = NULL;
    CK_RV rv = add_key_objects(token);
    if (rv == CKR_OK)
        rv = add_certificates(token, &names, token->material.certificates,
                              token->material.certificate_count);
    if (rv != CKR_OK)
        return rv;
    rv = object_public_certificates_profile(&names, &object);
    return add(token, rv, object);
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
    if (rv == CKR_OK)
        rv = add_objects(token);
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
    key_material_clear(&token->material);
    bytes_free(&token->label);
    bytes_free(&token->id);
    pin_source_clear(&token->pin_source);
    problems_clear(&token->problems);
    lock_free(token->lock);
    free(token);
}

bool token_needs_login(const struct token *token)
{
    return token->material.key && key_needs_login(token->material.key);
}

CK_RV token_check_login(const struct token *token, CK_USER_TYPE user)
{
    /* No operation of this token asks for its own login; nobody manages it. */
    if (user == CKU_CONTEXT_SPECIFIC)
        return CKR_OPERATION_NOT_INITIALIZED;
    if (user != CKU_USER)
        return CKR_USER_TYPE_INVALID;
    return token->logged_in ? CKR_USER_ALREADY_LOGGED_IN : CKR_OK;
}

/* What the file gave away when it was opened: the key pair, and certificates if
 * the configuration named none. */
static CK_RV reveal(struct token *token)
{
    struct key *key = token->material.key;
    if (token->material.public_key.algorithm != KEY_ALGORITHM_NONE)
        return CKR_OK;
    size_t count = 0;
    const struct certificate *certificates = key_certificates(key, &count);
    CK_RV rv = public_key_copy(&token->material.public_key, key_public(key));
    if (rv == CKR_OK && !token->id.size)
        rv = key_material_id(&token->material.public_key, &token->id);
    if (rv == CKR_OK)
        rv = add_key_objects(token);
    if (rv != CKR_OK || token->material.certificate_count)
        return rv;
    struct object_names names = names_of(token);
    return add_certificates(token, &names, certificates, count);
}

CK_RV token_login(struct token *token, CK_USER_TYPE user, struct view pin)
{
    CK_RV rv = token_check_login(token, user);
    if (rv != CKR_OK)
        return rv;
    if (pin.size > TOKEN_MAX_PIN_SIZE)
        return CKR_PIN_LEN_RANGE;
    /* A key without PIN is open already; clients that hold one for it may say it. */
    rv = token_needs_login(token) ? key_login(token->material.key, pin) : CKR_OK;
    if (rv == CKR_OK)
        rv = reveal(token);
    token->pin_flags = rv == CKR_PIN_INCORRECT ? CKF_USER_PIN_COUNT_LOW
                       : rv == CKR_PIN_LOCKED  ? CKF_USER_PIN_LOCKED
                       : rv == CKR_OK          ? 0
                                               : token->pin_flags;
    token->logged_in = rv == CKR_OK;
    return rv;
}

CK_RV token_logout(struct token *token)
{
    if (!token->logged_in)
        return CKR_USER_NOT_LOGGED_IN;
    token->logged_in = false;
    if (token_needs_login(token))
        key_logout(token->material.key);
    /* PKCS#11 5.6.9: handles of private session objects die with the login. */
    for (size_t i = token->object_count; i > 0; i--) {
        struct object *object = token->objects[i - 1];
        if (object->owner != CK_INVALID_HANDLE && object_bool(object, CKA_PRIVATE))
            token_remove_object(token, object);
    }
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

static bool in_hardware(const struct token *token)
{
    return token->material.key && key_place(token->material.key) == KEY_IN_DEVICE;
}

static CK_VERSION tpm_version(const struct token *token)
{
    bool tpm = token->material.key && key_in_tpm(token->material.key);
    return tpm ? (CK_VERSION){.major = 2, .minor = 0} : (CK_VERSION){0};
}

void token_slot_info(const struct token *token, CK_SLOT_INFO *ret_info)
{
    *ret_info = (CK_SLOT_INFO){
        .flags = CKF_TOKEN_PRESENT | (in_hardware(token) ? CKF_HW_SLOT : 0),
        .hardwareVersion = tpm_version(token),
        .firmwareVersion = version_library(),
    };
    token_fill_field(ret_info->slotDescription, sizeof(ret_info->slotDescription),
                     view_string(token->description));
    token_fill_field(ret_info->manufacturerID, sizeof(ret_info->manufacturerID),
                     view_string(token->manufacturer));
}

void token_info(const struct token *token, CK_TOKEN_INFO *ret_info)
{
    CK_FLAGS login = CKF_LOGIN_REQUIRED | CKF_USER_PIN_INITIALIZED | token->pin_flags;
    if (pin_source_is_protected(&token->pin_source))
        login |= CKF_PROTECTED_AUTHENTICATION_PATH;
    *ret_info = (CK_TOKEN_INFO){
        .flags = CKF_TOKEN_INITIALIZED | CKF_WRITE_PROTECTED | CKF_RNG |
                 (token_needs_login(token) ? login : 0),
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
        .firmwareVersion = version_library(),
    };
    token_fill_field(ret_info->label, sizeof(ret_info->label), bytes_view(&token->label));
    token_fill_field(ret_info->manufacturerID, sizeof(ret_info->manufacturerID),
                     view_string(token->manufacturer));
    token_fill_field(ret_info->model, sizeof(ret_info->model), view_string(token->model));
    token_fill_field(ret_info->serialNumber, sizeof(ret_info->serialNumber),
                     view_string(token->serial));
    token_fill_field(ret_info->utcTime, sizeof(ret_info->utcTime), (struct view){0});
}
