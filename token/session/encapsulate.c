#include "token/mechanism/manage.h"
#include "token/object/schema.h"
#include "token/session/key_use.h"
#include "token/session/made.h"
#include "token/session/manage.h"
#include "token/session/mechanisms.h"
#include "token/session/output.h"

static CK_RV find(struct session *session, const CK_MECHANISM *mechanism, CK_FLAGS flag,
                  CK_OBJECT_HANDLE handle, struct object **ret_object)
{
    const struct mechanism *row = mechanism_find(mechanism->mechanism);
    bool encapsulates = flag == CKF_ENCAPSULATE;
    if (!(token_mechanism_flags(session->token, row) & flag))
        return CKR_MECHANISM_INVALID;
    if (mechanism->ulParameterLen && !mechanism->pParameter)
        return CKR_MECHANISM_PARAM_INVALID;
    return key_use_find(session->token, row, handle,
                        encapsulates ? KEY_HALF_PUBLIC : KEY_HALF_PRIVATE,
                        encapsulates ? CKA_ENCAPSULATE : CKA_DECAPSULATE, ret_object);
}

/* The new key is one that came from outside, like an unwrapped one (PKCS#11 3.2, 5.18.8).
 * A generic secret, where the template does not say. */
static CK_RV build(const struct session *session, struct manage_template template,
                   struct made *made, size_t *ret_size)
{
    struct attributes preset CLEANUP(attributes_clear) = {0};
    bool type_given = false;
    for (CK_ULONG i = 0; i < template.count; i++)
        type_given |= template.attributes[i].type == CKA_KEY_TYPE;
    CK_RV rv = attributes_set_ulong(&preset, CKA_CLASS, CKO_SECRET_KEY);
    if (rv == CKR_OK && !type_given)
        rv = attributes_set_ulong(&preset, CKA_KEY_TYPE, CKK_GENERIC_SECRET);
    if (rv == CKR_OK)
        rv = schema_build(SCHEMA_UNWRAP, template.attributes, template.count, &preset,
                          &made->attributes);
    if (rv == CKR_OK)
        rv =
            schema_complete_key(&made->attributes, SCHEMA_UNWRAP, CK_UNAVAILABLE_INFORMATION, NULL);
    if (rv == CKR_OK)
        rv = made_check_place(session, &made->attributes);
    return rv != CKR_OK ? rv : made_take_wished_size(made, ret_size);
}

static CK_RV place(struct session *session, struct made *made, const struct bytes *secret,
                   CK_OBJECT_HANDLE *ret_handle)
{
    CK_RV rv = attributes_set(&made->attributes, CKA_VALUE, bytes_view(secret));
    if (rv == CKR_OK)
        rv = made_take_secret(made);
    if (rv == CKR_ATTRIBUTE_VALUE_INVALID)
        return CKR_TEMPLATE_INCONSISTENT;
    return rv != CKR_OK ? rv : made_place(session, made, 1, ret_handle);
}

CK_RV manage_encapsulate(struct session *session, const CK_MECHANISM *mechanism,
                         CK_OBJECT_HANDLE handle, struct manage_template template, CK_BYTE *out,
                         CK_ULONG *out_size, CK_OBJECT_HANDLE *ret_handle)
{
    struct made made CLEANUP(made_clear) = {0};
    struct public_key public_key CLEANUP(public_key_clear) = {0};
    struct bytes secret CLEANUP(bytes_free) = {0};
    struct bytes ciphertext CLEANUP(bytes_free) = {0};
    struct object *object = NULL;
    size_t size = 0, ciphertext_size = 0;
    CK_RV rv = find(session, mechanism, CKF_ENCAPSULATE, handle, &object);
    if (rv == CKR_OK)
        rv = key_use_public(object, &public_key);
    if (rv == CKR_OK)
        rv = build(session, template, &made, &size);
    if (rv == CKR_OK)
        rv = mechanism_encapsulated_size(mechanism, &public_key, &ciphertext_size);
    if (rv != CKR_OK || output_tells(ciphertext_size, true, out, out_size, &rv))
        return rv;
    rv = mechanism_encapsulate(mechanism, &public_key, size, &ciphertext, &secret);
    if (rv == CKR_OK)
        rv = place(session, &made, &secret, ret_handle);
    return rv != CKR_OK ? rv : output_give(bytes_view(&ciphertext), out, out_size);
}

CK_RV manage_decapsulate(struct session *session, const CK_MECHANISM *mechanism,
                         CK_OBJECT_HANDLE handle, struct manage_template template,
                         struct view ciphertext, CK_OBJECT_HANDLE *ret_handle)
{
    struct made made CLEANUP(made_clear) = {0};
    struct bytes secret CLEANUP(bytes_free) = {0};
    struct object *object = NULL;
    struct key *key = NULL;
    size_t size = 0;
    CK_RV rv = find(session, mechanism, CKF_DECAPSULATE, handle, &object);
    if (rv == CKR_OK)
        rv = build(session, template, &made, &size);
    if (rv == CKR_OK)
        rv = key_use_key(session->token, object, &key);
    if (rv == CKR_OK)
        rv = mechanism_decapsulate(mechanism, key, ciphertext, size, &secret);
    key_unref(key);
    return rv != CKR_OK ? rv : place(session, &made, &secret, ret_handle);
}
