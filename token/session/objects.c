#include "token/session/objects.h"

#include <string.h>

#include "token/mechanism/software.h"
#include "token/object/material.h"
#include "token/object/schema.h"
#include "token/session/made.h"
#include "token/session/stored.h"
#include "token/session/writable.h"

static CK_OBJECT_CLASS class_of(const struct attributes *attributes)
{
    return attributes_ulong(attributes, CKA_CLASS, CK_UNAVAILABLE_INFORMATION);
}

CK_RV made_take_secret(struct made *made)
{
    struct attributes *attributes = &made->attributes;
    CK_RV rv = CKR_OK;
    if (attributes_has(attributes, CKA_VALUE))
        rv = bytes_copy(&made->value, attributes_value(attributes, CKA_VALUE));
    attributes_remove(attributes, CKA_VALUE);
    if (rv != CKR_OK)
        return rv;
    rv = material_check_secret(attributes, made->value.size);
    return rv != CKR_OK ? rv : attributes_set_ulong(attributes, CKA_VALUE_LEN, made->value.size);
}

static CK_RV complete_public(struct attributes *attributes)
{
    struct public_key public_key = {0};
    CK_RV rv = material_public(attributes, &public_key);
    if (rv == CKR_OK)
        rv = mechanism_complete_public_key(&public_key);
    if (rv == CKR_OK)
        rv = material_set_public(attributes, &public_key);
    public_key_clear(&public_key);
    return rv;
}

/* A certificate's names follow from itself, where the template left them out. What is
 * no X.509 is refused: nothing could read it back. */
static CK_RV complete_certificate(struct attributes *attributes)
{
    struct key_contents contents CLEANUP(key_contents_clear) = {0};
    struct bytes pem CLEANUP(bytes_free) = {0};
    CK_RV rv = key_write_certificate(attributes_value(attributes, CKA_VALUE), &pem);
    if (rv == CKR_OK)
        rv = key_inspect(bytes_view(&pem), &contents, NULL);
    if (rv == CKR_HOST_MEMORY)
        return rv;
    if (rv != CKR_OK || contents.certificate_count != 1)
        return CKR_ATTRIBUTE_VALUE_INVALID;
    return material_set_certificate(attributes, &contents.certificates[0]);
}

static CK_RV complete(struct made *made)
{
    switch (class_of(&made->attributes)) {
    case CKO_DATA:
        return CKR_OK;
    case CKO_CERTIFICATE:
        return complete_certificate(&made->attributes);
    case CKO_PUBLIC_KEY:
        return complete_public(&made->attributes);
    case CKO_SECRET_KEY:
        return made_take_secret(made);
    case CKO_PRIVATE_KEY:
        return material_take_private(&made->attributes, &made->parts);
    default:
        return CKR_TEMPLATE_INCONSISTENT;
    }
}

CK_RV objects_create(struct session *session, const CK_ATTRIBUTE *template, CK_ULONG count,
                     CK_OBJECT_HANDLE *ret_handle)
{
    struct made made CLEANUP(made_clear) = {0};
    CK_RV rv =
        schema_build(made_origin(session, SCHEMA_CREATE), template, count, NULL, &made.attributes);
    if (rv == CKR_OK)
        rv = made_check_place(session, &made.attributes);
    if (rv == CKR_OK)
        rv = complete(&made);
    if (rv == CKR_OK)
        rv = schema_complete_key(&made.attributes, SCHEMA_CREATE, CK_UNAVAILABLE_INFORMATION, NULL);
    return rv != CKR_OK ? rv : made_place(session, &made, 1, ret_handle);
}

/* The key behind what is copied: the same one, wherever it is. */
static CK_RV copy_key(struct session *session, struct object *from, struct made *made)
{
    CK_OBJECT_CLASS class = object_class(from);
    struct key *key = NULL;
    if (class != CKO_PRIVATE_KEY && class != CKO_SECRET_KEY)
        return CKR_OK;
    CK_RV rv = token_key(session->token, from, &key);
    if (rv != CKR_OK)
        return rv;
    made->key = key_ref(key);
    stored_remove_secrets(&made->attributes);
    if (class == CKO_SECRET_KEY && !key_keeps_value(key))
        rv = key_secret_value(key, &made->value);
    return rv != CKR_OK ? rv : bytes_copy(&made->key_id, bytes_view(&from->key_id));
}

/* What cannot be changed where it is can be in a copy. */
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
    struct made made CLEANUP(made_clear) = {0};
    struct object *from = token_object(session->token, handle);
    if (!from)
        return CKR_OBJECT_HANDLE_INVALID;
    if (!object_bool(from, CKA_COPYABLE))
        return CKR_ACTION_PROHIBITED;
    CK_RV rv = token_reveal(session->token, from);
    if (rv == CKR_OK)
        rv = attributes_copy(&made.attributes, &from->attributes);
    if (rv == CKR_OK)
        rv = loosen(&made.attributes, from);
    if (rv == CKR_OK)
        rv = schema_change(&made.attributes, template, count, made_origin(session, SCHEMA_COPY));
    if (rv == CKR_OK)
        rv = made_check_place(session, &made.attributes);
    if (rv == CKR_OK)
        rv = copy_key(session, from, &made);
    return rv != CKR_OK ? rv : made_place(session, &made, 1, ret_handle);
}

/* The object, if this session may change it at all (PKCS#11 table 6). */
static CK_RV find_changeable(struct session *session, CK_OBJECT_HANDLE handle,
                             CK_ATTRIBUTE_TYPE permission, struct object **ret_object)
{
    struct object *object = token_object(session->token, handle);
    if (!object)
        return CKR_OBJECT_HANDLE_INVALID;
    bool of_session = object->owner != CK_INVALID_HANDLE;
    if (!of_session && token_is_read_only(session->token))
        return CKR_TOKEN_WRITE_PROTECTED;
    if (!of_session && !session->rw)
        return CKR_SESSION_READ_ONLY;
    if (!object_bool(object, permission))
        return CKR_ACTION_PROHIBITED;
    *ret_object = object;
    return CKR_OK;
}

static CK_RV change_here(struct token *token, struct object *object, const CK_ATTRIBUTE *template,
                         CK_ULONG count)
{
    token_unlist_object(token, object);
    CK_RV rv = schema_change(&object->attributes, template, count,
                             token->login == TOKEN_SO ? SCHEMA_SET | SCHEMA_BY_SO : SCHEMA_SET);
    CK_RV listed = token_list_object(token, object);
    return rv != CKR_OK ? rv : listed;
}

CK_RV objects_change(struct session *session, CK_OBJECT_HANDLE handle, const CK_ATTRIBUTE *template,
                     CK_ULONG count)
{
    struct object *object = NULL;
    CK_RV rv = find_changeable(session, handle, CKA_MODIFIABLE, &object);
    if (rv != CKR_OK)
        return rv;
    return object->owner != CK_INVALID_HANDLE
               ? change_here(session->token, object, template, count)
               : stored_change(session->token, handle, template, count);
}

CK_RV objects_destroy(struct session *session, CK_OBJECT_HANDLE handle)
{
    struct object *object = NULL;
    CK_RV rv = find_changeable(session, handle, CKA_DESTROYABLE, &object);
    if (rv != CKR_OK)
        return rv;
    if (object->owner == CK_INVALID_HANDLE)
        return stored_remove(session->token, handle);
    token_remove_object(session->token, object);
    return CKR_OK;
}

CK_RV objects_read(struct session *session, CK_OBJECT_HANDLE handle, CK_ATTRIBUTE *template,
                   CK_ULONG count)
{
    struct object *object = token_object(session->token, handle);
    if (!object)
        return CKR_OBJECT_HANDLE_INVALID;
    bool secret = false;
    for (CK_ULONG i = 0; i < count; i++)
        secret |= stored_may_be_secret(template[i].type);
    CK_RV rv = secret ? token_reveal(session->token, object) : CKR_OK;
    return rv != CKR_OK ? rv : object_get(object, template, count);
}
