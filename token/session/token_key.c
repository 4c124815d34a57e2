#include "token/base/log.h"
#include "token/object/material.h"
#include "token/session/binding.h"
#include "token/session/stored.h"
#include "token/session/token.h"
#include "token/session/writable.h"

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
