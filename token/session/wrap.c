#include <string.h>

#include "token/mechanism/manage.h"
#include "token/object/material.h"
#include "token/object/parts.h"
#include "token/object/schema.h"
#include "token/session/key_use.h"
#include "token/session/made.h"
#include "token/session/manage.h"
#include "token/session/mechanisms.h"
#include "token/session/output.h"

/* Public keys wrap and private ones unwrap, secret ones do both. */
static CK_RV find_wrapper(struct session *session, const CK_MECHANISM *mechanism, CK_FLAGS flag,
                          CK_OBJECT_HANDLE handle, CK_ATTRIBUTE_TYPE permission,
                          struct object **ret_object)
{
    const struct mechanism *row = mechanism_find(mechanism->mechanism);
    bool wraps = permission == CKA_WRAP;
    if (!(token_mechanism_flags(session->token, row) & flag))
        return CKR_MECHANISM_INVALID;
    if (mechanism->ulParameterLen && !mechanism->pParameter)
        return CKR_MECHANISM_PARAM_INVALID;
    CK_RV rv = key_use_find(session->token, row, handle, wraps ? KEY_HALF_PUBLIC : KEY_HALF_PRIVATE,
                            permission, ret_object);
    if (rv == CKR_KEY_HANDLE_INVALID)
        return wraps ? CKR_WRAPPING_KEY_HANDLE_INVALID : CKR_UNWRAPPING_KEY_HANDLE_INVALID;
    if (rv == CKR_KEY_TYPE_INCONSISTENT)
        return wraps ? CKR_WRAPPING_KEY_TYPE_INCONSISTENT : CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT;
    return rv;
}

/* What is to be wrapped, if it may leave (PKCS#11 5.18.3). */
static CK_RV read_target(struct session *session, CK_OBJECT_HANDLE handle,
                         const struct object *wrapper, struct bytes *ret_plain)
{
    struct token *token = session->token;
    struct object *object = token_object(token, handle);
    struct key *key = NULL;
    if (!object)
        return token_object_is_hidden(token, handle) ? CKR_USER_NOT_LOGGED_IN
                                                     : CKR_KEY_HANDLE_INVALID;
    CK_OBJECT_CLASS class = object_class(object);
    if (class != CKO_PRIVATE_KEY && class != CKO_SECRET_KEY)
        return class == CKO_PUBLIC_KEY ? CKR_KEY_NOT_WRAPPABLE : CKR_KEY_HANDLE_INVALID;
    if (!object_bool(object, CKA_EXTRACTABLE))
        return CKR_KEY_UNEXTRACTABLE;
    if (object_bool(object, CKA_WRAP_WITH_TRUSTED) && !object_bool(wrapper, CKA_TRUSTED))
        return CKR_KEY_NOT_WRAPPABLE;
    CK_RV rv = token_key(token, object, &key);
    if (rv != CKR_OK)
        return rv;
    if (class == CKO_SECRET_KEY)
        return key_secret_value(key, ret_plain);
    struct private_parts parts = {0};
    rv = key_export_parts(key, &parts);
    if (rv == CKR_OK)
        rv = key_parts_to_pkcs8(&parts, ret_plain);
    private_parts_clear(&parts);
    return rv;
}

/* Asking for the length wraps nothing. */
static CK_RV wrap(struct session *session, const CK_MECHANISM *mechanism, struct object *wrapper,
                  struct view plain, CK_BYTE *out, CK_ULONG *out_size)
{
    struct public_key public_key CLEANUP(public_key_clear) = {0};
    struct bytes wrapped CLEANUP(bytes_free) = {0};
    struct key *key = NULL;
    size_t size = 0;
    bool public = object_class(wrapper) == CKO_PUBLIC_KEY;
    CK_RV rv = public ? material_public(&wrapper->attributes, &public_key)
                      : token_key(session->token, wrapper, &key);
    const struct public_key *with = public ? &public_key : NULL;
    if (rv == CKR_OK)
        rv = mechanism_wrapped_size(mechanism, with, plain.size, &size);
    if (rv != CKR_OK || output_tells(size, true, out, out_size, &rv))
        return rv;
    rv = mechanism_wrap(mechanism, with, key, plain, &wrapped);
    return rv != CKR_OK ? rv : output_give(bytes_view(&wrapped), out, out_size);
}

CK_RV manage_wrap(struct session *session, const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE wrapping,
                  CK_OBJECT_HANDLE key, CK_BYTE *out, CK_ULONG *out_size)
{
    struct object *wrapper = NULL;
    struct bytes plain CLEANUP(bytes_free) = {0};
    CK_RV rv = find_wrapper(session, mechanism, CKF_WRAP, wrapping, CKA_WRAP, &wrapper);
    if (rv == CKR_OK)
        rv = read_target(session, key, wrapper, &plain);
    return rv != CKR_OK ? rv : wrap(session, mechanism, wrapper, bytes_view(&plain), out, out_size);
}

/* The length is that of the key; asking for it makes no IV. */
CK_RV manage_wrap_authenticated(struct session *session, const CK_MECHANISM *mechanism,
                                CK_OBJECT_HANDLE wrapping, CK_OBJECT_HANDLE target,
                                struct view associated, CK_BYTE *out, CK_ULONG *out_size)
{
    struct object *wrapper = NULL;
    struct bytes plain CLEANUP(bytes_free) = {0};
    struct bytes wrapped CLEANUP(bytes_free) = {0};
    struct key *key = NULL;
    CK_RV rv = find_wrapper(session, mechanism, CKF_MESSAGE_ENCRYPT, wrapping, CKA_WRAP, &wrapper);
    if (rv == CKR_OK)
        rv = read_target(session, target, wrapper, &plain);
    if (rv == CKR_OK)
        rv = token_key(session->token, wrapper, &key);
    if (rv != CKR_OK || output_tells(plain.size, true, out, out_size, &rv))
        return rv;
    rv = mechanism_wrap_authenticated(mechanism, key, associated, bytes_view(&plain), &wrapped);
    return rv != CKR_OK ? rv : output_give(bytes_view(&wrapped), out, out_size);
}

static CK_RV take_unwrapped(struct made *made, struct bytes *plain)
{
    CK_OBJECT_CLASS class = attributes_ulong(&made->attributes, CKA_CLASS, 0);
    size_t size = 0;
    if (class == CKO_PRIVATE_KEY) {
        CK_RV rv = key_parts_from_pkcs8(bytes_view(plain), &made->parts);
        return rv == CKR_HOST_MEMORY || rv == CKR_OK ? rv : (CK_RV)CKR_WRAPPED_KEY_INVALID;
    }
    if (class != CKO_SECRET_KEY)
        return CKR_TEMPLATE_INCONSISTENT;
    CK_RV rv = made_take_wished_size(made, &size);
    if (rv == CKR_OK && size && size != plain->size)
        rv = CKR_WRAPPED_KEY_LEN_RANGE;
    if (rv == CKR_OK)
        rv = attributes_set(&made->attributes, CKA_VALUE, bytes_view(plain));
    if (rv == CKR_OK)
        rv = made_take_secret(made);
    return rv == CKR_ATTRIBUTE_VALUE_INVALID ? (CK_RV)CKR_WRAPPED_KEY_LEN_RANGE : rv;
}

/* The key type that the template promised must be the one that came out. */
static CK_RV check_type(const struct made *made)
{
    enum key_algorithm came = made->parts.algorithm;
    return came == KEY_ALGORITHM_NONE || came == part_algorithm(part_key_type(&made->attributes))
               ? CKR_OK
               : CKR_TEMPLATE_INCONSISTENT;
}

/* A wrapped key, with its associated data (NULL: wrapped without authentication). */
struct wrapped {
    struct view bytes;
    const struct view *associated;
};

static CK_RV unwrap(struct session *session, const CK_MECHANISM *mechanism,
                    CK_OBJECT_HANDLE unwrapping, struct wrapped wrapped,
                    struct manage_template template, CK_OBJECT_HANDLE *ret_handle)
{
    CK_FLAGS flag = wrapped.associated ? CKF_MESSAGE_DECRYPT : CKF_UNWRAP;
    struct made made CLEANUP(made_clear) = {0};
    struct bytes plain CLEANUP(bytes_free) = {0};
    struct object *unwrapper = NULL;
    struct key *key = NULL;
    CK_RV rv = find_wrapper(session, mechanism, flag, unwrapping, CKA_UNWRAP, &unwrapper);
    if (rv == CKR_OK)
        rv = schema_build(SCHEMA_UNWRAP, template.attributes, template.count, NULL,
                          &made.attributes);
    if (rv == CKR_OK)
        rv = schema_complete_key(&made.attributes, SCHEMA_UNWRAP, CK_UNAVAILABLE_INFORMATION, NULL);
    if (rv == CKR_OK)
        rv = made_check_place(session, &made.attributes);
    if (rv == CKR_OK)
        rv = token_key(session->token, unwrapper, &key);
    if (rv == CKR_OK)
        rv = wrapped.associated ? mechanism_unwrap_authenticated(
                                      mechanism, key, *wrapped.associated, wrapped.bytes, &plain)
                                : mechanism_unwrap(mechanism, key, wrapped.bytes, &plain);
    if (rv == CKR_OK)
        rv = take_unwrapped(&made, &plain);
    if (rv == CKR_OK)
        rv = check_type(&made);
    return rv != CKR_OK ? rv : made_place(session, &made, 1, ret_handle);
}

CK_RV manage_unwrap(struct session *session, const CK_MECHANISM *mechanism,
                    CK_OBJECT_HANDLE unwrapping, struct view wrapped,
                    struct manage_template template, CK_OBJECT_HANDLE *ret_handle)
{
    return unwrap(session, mechanism, unwrapping, (struct wrapped){wrapped, NULL}, template,
                  ret_handle);
}

CK_RV manage_unwrap_authenticated(struct session *session, const CK_MECHANISM *mechanism,
                                  CK_OBJECT_HANDLE unwrapping, struct view wrapped,
                                  struct manage_template template, struct view associated,
                                  CK_OBJECT_HANDLE *ret_handle)
{
    return unwrap(session, mechanism, unwrapping, (struct wrapped){wrapped, &associated}, template,
                  ret_handle);
}

/* HKDF may take its salt from a key. */
static CK_RV find_salt(struct session *session, const CK_MECHANISM *mechanism,
                       struct bytes *ret_salt)
{
    CK_OBJECT_HANDLE handle = mechanism_salt_key(mechanism);
    struct object *object = NULL;
    struct key *key = NULL;
    if (handle == CK_INVALID_HANDLE)
        return CKR_OK;
    CK_RV rv = key_use_find(session->token, mechanism_find(mechanism->mechanism), handle,
                            KEY_HALF_PRIVATE, CKA_DERIVE, &object);
    if (rv == CKR_OK)
        rv = token_key(session->token, object, &key);
    return rv != CKR_OK ? rv : key_secret_value(key, ret_salt);
}

static CK_RV find_base(struct session *session, const CK_MECHANISM *mechanism,
                       CK_OBJECT_HANDLE handle, struct object **ret_base)
{
    const struct mechanism *row = mechanism_find(mechanism->mechanism);
    if (!(token_mechanism_flags(session->token, row) & CKF_DERIVE))
        return CKR_MECHANISM_INVALID;
    if (mechanism->ulParameterLen && !mechanism->pParameter)
        return CKR_MECHANISM_PARAM_INVALID;
    return key_use_find(session->token, row, handle, KEY_HALF_PRIVATE, CKA_DERIVE, ret_base);
}

/* A generic secret, where the template does not say. */
static CK_RV build_derived(const CK_MECHANISM *mechanism, struct manage_template template,
                           const struct object *base, struct made *made)
{
    struct attributes preset CLEANUP(attributes_clear) = {0};
    bool type_given = false;
    for (CK_ULONG i = 0; i < template.count; i++)
        type_given |= template.attributes[i].type == CKA_KEY_TYPE;
    bool data = mechanism->mechanism == CKM_HKDF_DATA;
    CK_RV rv = attributes_set_ulong(&preset, CKA_CLASS, data ? CKO_DATA : CKO_SECRET_KEY);
    if (rv == CKR_OK && !type_given && !data)
        rv = attributes_set_ulong(&preset, CKA_KEY_TYPE, CKK_GENERIC_SECRET);
    if (rv == CKR_OK)
        rv = schema_build(SCHEMA_DERIVE, template.attributes, template.count, &preset,
                          &made->attributes);
    return rv != CKR_OK || data
               ? rv
               : schema_complete_key(&made->attributes, SCHEMA_DERIVE, CK_UNAVAILABLE_INFORMATION,
                                     &base->attributes);
}

static CK_RV take_derived(struct made *made, struct bytes *secret)
{
    CK_RV rv = attributes_set(&made->attributes, CKA_VALUE, bytes_view(secret));
    if (rv != CKR_OK || attributes_ulong(&made->attributes, CKA_CLASS, 0) == CKO_DATA)
        return rv;
    rv = made_take_secret(made);
    return rv == CKR_ATTRIBUTE_VALUE_INVALID ? (CK_RV)CKR_TEMPLATE_INCONSISTENT : rv;
}

CK_RV manage_derive(struct session *session, const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE base,
                    struct manage_template template, CK_OBJECT_HANDLE *ret_handle)
{
    struct made made CLEANUP(made_clear) = {0};
    struct bytes secret CLEANUP(bytes_free) = {0};
    struct bytes salt CLEANUP(bytes_free) = {0};
    struct object *from = NULL;
    struct key *key = NULL;
    size_t size = 0;
    CK_RV rv = find_base(session, mechanism, base, &from);
    if (rv == CKR_OK)
        rv = build_derived(mechanism, template, from, &made);
    if (rv == CKR_OK)
        rv = made_check_place(session, &made.attributes);
    if (rv == CKR_OK)
        rv = made_take_wished_size(&made, &size);
    if (rv == CKR_OK)
        rv = find_salt(session, mechanism, &salt);
    if (rv == CKR_OK)
        rv = token_key(session->token, from, &key);
    if (rv == CKR_OK)
        rv = salt.size ? mechanism_derive_salted(mechanism, key, bytes_view(&salt), size, &secret)
                       : mechanism_derive(mechanism, key, size, &secret);
    if (rv == CKR_OK)
        rv = take_derived(&made, &secret);
    return rv != CKR_OK ? rv : made_place(session, &made, 1, ret_handle);
}
