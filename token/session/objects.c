#include "token/session/objects.h"

#include <string.h>

#include "token/base/log.h"
#include "token/mechanism/ecdh.h"
#include "token/mechanism/software.h"
#include "token/object/build.h"
#include "token/object/material.h"
#include "token/object/schema.h"
#include "token/session/mechanisms.h"

static bool is_secret_size(CK_KEY_TYPE type, size_t size)
{
    if (type == CKK_AES)
        return size == 16 || size == 24 || size == 32;
    return type == CKK_GENERIC_SECRET && size > 0;
}

/* What the module itself says of a secret key. */
static CK_RV complete_secret(struct attributes *attributes)
{
    struct view value = attributes_value(attributes, CKA_VALUE);
    CK_KEY_TYPE type = attributes_ulong(attributes, CKA_KEY_TYPE, CK_UNAVAILABLE_INFORMATION);
    if (!is_secret_size(type, value.size))
        return CKR_ATTRIBUTE_VALUE_INVALID;
    return attributes_set_ulong(attributes, CKA_VALUE_LEN, value.size);
}

static CK_RV complete_public(struct attributes *attributes, struct public_key *public_key)
{
    CK_RV rv = material_public(attributes, public_key);
    if (rv == CKR_OK)
        rv = mechanism_complete_public_key(public_key);
    return rv != CKR_OK ? rv : material_set_public(attributes, public_key);
}

static CK_RV complete(struct attributes *attributes, struct public_key *public_key)
{
    switch (attributes_ulong(attributes, CKA_CLASS, CK_UNAVAILABLE_INFORMATION)) {
    case CKO_DATA:
    case CKO_CERTIFICATE:
        return CKR_OK;
    case CKO_PUBLIC_KEY:
        return complete_public(attributes, public_key);
    case CKO_SECRET_KEY:
        return complete_secret(attributes);
    default:
        log_line(LOG_LEVEL_WARNING, "session",
                 "C_CreateObject: this token takes no private keys; name the key's file in the "
                 "configuration");
        return CKR_TEMPLATE_INCONSISTENT;
    }
}

/* Where a new object may go: only into the session, and privately only for the
 * user. */
static CK_RV check_place(const struct session *session, const struct attributes *attributes)
{
    const struct token *token = session->token;
    if (attributes_bool(attributes, CKA_TOKEN, false))
        return CKR_TOKEN_WRITE_PROTECTED;
    if (attributes_bool(attributes, CKA_PRIVATE, false) && token_needs_login(token) &&
        !token->logged_in)
        return CKR_USER_NOT_LOGGED_IN;
    return CKR_OK;
}

/* Takes all three over, also on failure. */
static CK_RV add(struct session *session, struct attributes *attributes,
                 struct public_key *public_key, struct key *key, CK_OBJECT_HANDLE *ret_handle)
{
    struct object *object = NULL;
    CK_RV rv = check_place(session, attributes);
    if (rv == CKR_OK)
        rv = object_new(attributes, &object);
    if (rv != CKR_OK) {
        attributes_clear(attributes);
        public_key_clear(public_key);
        key_unref(key);
        return rv;
    }
    object->public_key = *public_key;
    object->key = key;
    rv = token_add_object(session->token, session->handle, object);
    if (rv != CKR_OK) {
        object_free(object);
        return rv;
    }
    *ret_handle = object->handle;
    return CKR_OK;
}

CK_RV objects_create(struct session *session, const CK_ATTRIBUTE *template, CK_ULONG count,
                     CK_OBJECT_HANDLE *ret_handle)
{
    struct attributes attributes = {0};
    struct public_key public_key = {0};
    CK_RV rv = schema_build(SCHEMA_CREATE, template, count, NULL, &attributes);
    if (rv == CKR_OK)
        rv = complete(&attributes, &public_key);
    if (rv != CKR_OK) {
        attributes_clear(&attributes);
        public_key_clear(&public_key);
        return rv;
    }
    return add(session, &attributes, &public_key, NULL, ret_handle);
}

/* A token's own objects cannot be changed; a copy for the session can. */
static CK_RV loosen(struct attributes *attributes, const struct object *from)
{
    if (from->owner != CK_INVALID_HANDLE)
        return CKR_OK;
    CK_RV rv = attributes_set_bool(attributes, CKA_MODIFIABLE, true);
    return rv != CKR_OK ? rv : attributes_set_bool(attributes, CKA_DESTROYABLE, true);
}

CK_RV objects_copy(struct session *session, CK_OBJECT_HANDLE handle, const CK_ATTRIBUTE *template,
                   CK_ULONG count, CK_OBJECT_HANDLE *ret_handle)
{
    const struct object *from = token_object(session->token, handle);
    if (!from)
        return CKR_OBJECT_HANDLE_INVALID;
    if (!object_bool(from, CKA_COPYABLE))
        return CKR_ACTION_PROHIBITED;
    struct attributes attributes = {0};
    struct public_key public_key = {0};
    CK_RV rv = attributes_copy(&attributes, &from->attributes);
    if (rv == CKR_OK)
        rv = loosen(&attributes, from);
    if (rv == CKR_OK)
        rv = schema_change(&attributes, template, count, SCHEMA_COPY);
    if (rv == CKR_OK)
        rv = public_key_copy(&public_key, &from->public_key);
    if (rv != CKR_OK) {
        attributes_clear(&attributes);
        return rv;
    }
    return add(session, &attributes, &public_key, from->key ? key_ref(from->key) : NULL,
               ret_handle);
}

/* The object, if it belongs to a session and so may be changed at all. */
static CK_RV find_own(struct session *session, CK_OBJECT_HANDLE handle,
                      CK_ATTRIBUTE_TYPE permission, struct object **ret_object)
{
    struct object *object = token_object(session->token, handle);
    if (!object)
        return CKR_OBJECT_HANDLE_INVALID;
    if (object->owner == CK_INVALID_HANDLE)
        return CKR_TOKEN_WRITE_PROTECTED;
    if (!object_bool(object, permission))
        return CKR_ACTION_PROHIBITED;
    *ret_object = object;
    return CKR_OK;
}

CK_RV objects_change(struct session *session, CK_OBJECT_HANDLE handle, const CK_ATTRIBUTE *template,
                     CK_ULONG count)
{
    struct object *object = NULL;
    CK_RV rv = find_own(session, handle, CKA_MODIFIABLE, &object);
    return rv != CKR_OK ? rv : schema_change(&object->attributes, template, count, SCHEMA_SET);
}

CK_RV objects_destroy(struct session *session, CK_OBJECT_HANDLE handle)
{
    struct object *object = NULL;
    CK_RV rv = find_own(session, handle, CKA_DESTROYABLE, &object);
    if (rv == CKR_OK)
        token_remove_object(session->token, object);
    return rv;
}

static CK_RV find_base(const struct session *session, const CK_MECHANISM *mechanism,
                       CK_OBJECT_HANDLE handle, const struct object **ret_base)
{
    const struct token *token = session->token;
    const struct mechanism *row = mechanism_find(mechanism->mechanism);
    if (!(token_mechanism_flags(token, row) & CKF_DERIVE))
        return CKR_MECHANISM_INVALID;
    const struct object *base = token_object(token, handle);
    if (!base)
        return token_object_is_hidden(token, handle) ? CKR_USER_NOT_LOGGED_IN
                                                     : CKR_KEY_HANDLE_INVALID;
    if (!base->key || base->public_key.algorithm != row->algorithm)
        return CKR_KEY_TYPE_INCONSISTENT;
    if (!object_bool(base, CKA_DERIVE))
        return CKR_KEY_FUNCTION_NOT_PERMITTED;
    *ret_base = base;
    return CKR_OK;
}

/* CKA_VALUE_LEN is a wish here: it is taken out of the template before. */
static CK_RV split_template(const CK_ATTRIBUTE *template, CK_ULONG count, CK_ATTRIBUTE *rest,
                            CK_ULONG *ret_rest_count, CK_ULONG *ret_size)
{
    *ret_size = 0;
    *ret_rest_count = 0;
    for (CK_ULONG i = 0; i < count; i++) {
        if (template[i].type != CKA_VALUE_LEN) {
            rest[(*ret_rest_count)++] = template[i];
            continue;
        }
        if (!template[i].pValue || template[i].ulValueLen != sizeof(CK_ULONG))
            return CKR_ATTRIBUTE_VALUE_INVALID;
        memcpy(ret_size, template[i].pValue, sizeof(*ret_size));
        if (*ret_size == 0)
            return CKR_ATTRIBUTE_VALUE_INVALID;
    }
    return CKR_OK;
}

static CK_RV derived_defaults(const CK_ATTRIBUTE *template, CK_ULONG count,
                              struct attributes *preset)
{
    CK_RV rv = attributes_set_ulong(preset, CKA_CLASS, CKO_SECRET_KEY);
    for (CK_ULONG i = 0; i < count; i++)
        if (template[i].type == CKA_KEY_TYPE)
            return rv;
    return rv != CKR_OK ? rv : attributes_set_ulong(preset, CKA_KEY_TYPE, CKK_GENERIC_SECRET);
}

static CK_RV derived_attributes(const CK_ATTRIBUTE *template, CK_ULONG count,
                                struct attributes *ret_attributes, CK_ULONG *ret_size)
{
    CK_ATTRIBUTE rest[ATTRIBUTES_MAX_COUNT];
    CK_ULONG rest_count = 0;
    if (count > ATTRIBUTES_MAX_COUNT)
        return CKR_TEMPLATE_INCONSISTENT;
    struct attributes preset CLEANUP(attributes_clear) = {0};
    CK_RV rv = split_template(template, count, rest, &rest_count, ret_size);
    if (rv == CKR_OK)
        rv = derived_defaults(rest, rest_count, &preset);
    return rv != CKR_OK ? rv
                        : schema_build(SCHEMA_DERIVE, rest, rest_count, &preset, ret_attributes);
}

static CK_RV derive_value(const struct object *base, const CK_MECHANISM *mechanism, CK_ULONG size,
                          struct attributes *attributes)
{
    CK_KEY_TYPE type = attributes_ulong(attributes, CKA_KEY_TYPE, CK_UNAVAILABLE_INFORMATION);
    size_t whole = public_key_coordinate_size(&base->public_key);
    if (!size)
        size = whole;
    if (size > whole || !is_secret_size(type, size))
        return type == CKK_AES && size == whole ? CKR_TEMPLATE_INCOMPLETE
                                                : CKR_TEMPLATE_INCONSISTENT;
    struct bytes secret CLEANUP(bytes_free) = {0};
    CK_RV rv = ecdh_derive(mechanism, base->key, &secret);
    if (rv == CKR_OK)
        rv = ecdh_truncate(&secret, size);
    if (rv == CKR_OK)
        rv = attributes_set(attributes, CKA_VALUE, bytes_view(&secret));
    return rv != CKR_OK ? rv : complete_secret(attributes);
}

CK_RV objects_derive(struct session *session, const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE base,
                     const CK_ATTRIBUTE *template, CK_ULONG count, CK_OBJECT_HANDLE *ret_handle)
{
    const struct object *base_key = NULL;
    struct attributes attributes CLEANUP(attributes_clear) = {0};
    CK_ULONG size = 0;
    CK_RV rv = find_base(session, mechanism, base, &base_key);
    if (rv == CKR_OK)
        rv = derived_attributes(template, count, &attributes, &size);
    if (rv == CKR_OK)
        rv = check_place(session, &attributes);
    if (rv == CKR_OK)
        rv = derive_value(base_key, mechanism, size, &attributes);
    if (rv != CKR_OK)
        return rv;
    struct public_key no_key = {0};
    return add(session, &attributes, &no_key, NULL, ret_handle);
}
