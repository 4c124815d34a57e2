#include "token/session/key_use.h"

#include <string.h>

static bool is_allowed(const struct object *key, CK_MECHANISM_TYPE type)
{
    struct view list = attributes_value(&key->attributes, CKA_ALLOWED_MECHANISMS);
    CK_MECHANISM_TYPE allowed;
    for (size_t at = 0; list.size - at >= sizeof(allowed); at += sizeof(allowed)) {
        memcpy(&allowed, list.data + at, sizeof(allowed));
        if (allowed == type)
            return true;
    }
    return list.size == 0;
}

static CK_OBJECT_CLASS class_for(const struct mechanism *row, enum key_half half)
{
    if (mechanism_is_symmetric(row))
        return CKO_SECRET_KEY;
    return half == KEY_HALF_PRIVATE ? CKO_PRIVATE_KEY : CKO_PUBLIC_KEY;
}

CK_RV key_use_find(struct token *token, const struct mechanism *row, CK_OBJECT_HANDLE handle,
                   enum key_half half, CK_ATTRIBUTE_TYPE permission, struct object **ret_key)
{
    struct object *key = token_object(token, handle);
    if (!key)
        return token_object_is_hidden(token, handle) ? CKR_USER_NOT_LOGGED_IN
                                                     : CKR_KEY_HANDLE_INVALID;
    CK_OBJECT_CLASS class = object_class(key);
    if (class != CKO_PRIVATE_KEY && class != CKO_PUBLIC_KEY && class != CKO_SECRET_KEY)
        return CKR_KEY_HANDLE_INVALID;
    CK_KEY_TYPE type = attributes_ulong(&key->attributes, CKA_KEY_TYPE, CK_UNAVAILABLE_INFORMATION);
    if (class != class_for(row, half) || !mechanism_takes(row, type))
        return CKR_KEY_TYPE_INCONSISTENT;
    if (!object_bool(key, permission))
        return CKR_KEY_FUNCTION_NOT_PERMITTED;
    if (!is_allowed(key, row->type))
        return CKR_MECHANISM_INVALID;
    *ret_key = key;
    return CKR_OK;
}

CK_RV key_use_key(struct token *token, struct object *object, struct key **ret_key)
{
    struct key *key = NULL;
    CK_RV rv = token_key(token, object, &key);
    if (rv == CKR_OK)
        *ret_key = key_ref(key);
    return rv;
}

CK_RV key_use_public(const struct object *object, struct public_key *ret_public)
{
    return object_public_key(object, ret_public);
}
