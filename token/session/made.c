#include "token/session/made.h"

#include <string.h>

#include "token/base/log.h"
#include "token/mechanism/software.h"
#include "token/object/material.h"
#include "token/object/schema.h"
#include "token/session/binding.h"
#include "token/session/secret_place.h"
#include "token/session/stored.h"
#include "token/session/writable.h"

#define MOST 2

void made_clear(struct made *made)
{
    attributes_clear(&made->attributes);
    key_unref(made->key);
    made->key = NULL;
    bytes_free(&made->key_id);
    private_parts_clear(&made->parts);
    bytes_free(&made->value);
    key_spec_clear(&made->generate);
}

CK_RV made_take_wished_size(struct made *made, size_t *ret_size)
{
    CK_ULONG size = attributes_ulong(&made->attributes, CKA_VALUE_LEN, 0);
    if (attributes_has(&made->attributes, CKA_VALUE_LEN) && (!size || size > MADE_MAX_SECRET))
        return CKR_ATTRIBUTE_VALUE_INVALID;
    attributes_remove(&made->attributes, CKA_VALUE_LEN);
    *ret_size = size;
    return CKR_OK;
}

enum schema_origin made_origin(const struct session *session, enum schema_origin origin)
{
    return session->token->login == TOKEN_SO ? origin | SCHEMA_BY_SO : origin;
}

CK_RV made_check_place(const struct session *session, const struct attributes *attributes)
{
    const struct token *token = session->token;
    bool private = attributes_bool(attributes, CKA_PRIVATE, false);
    if (private && !token_is_open(token))
        return CKR_USER_NOT_LOGGED_IN;
    if (!attributes_bool(attributes, CKA_TOKEN, false))
        return CKR_OK;
    if (token_is_read_only(token))
        return CKR_TOKEN_WRITE_PROTECTED;
    return session->rw ? CKR_OK : CKR_SESSION_READ_ONLY;
}

static CK_OBJECT_CLASS class_of(const struct made *made)
{
    return attributes_ulong(&made->attributes, CKA_CLASS, CK_UNAVAILABLE_INFORMATION);
}

static bool is_readable(const struct attributes *attributes)
{
    return !attributes_bool(attributes, CKA_SENSITIVE, false) &&
           attributes_bool(attributes, CKA_EXTRACTABLE, true);
}

/* A TPM never gives a private key away. Who wants to read it back gets one that is
 * encrypted under the TPM's seal, where that is allowed. */
static CK_RV choose_sealing(const struct token *token, const struct made *made,
                            enum key_sealing *ret_sealing)
{
    *ret_sealing = token->writable->sealing;
    bool extractable = attributes_bool(&made->attributes, CKA_EXTRACTABLE, false) ||
                       !attributes_bool(&made->attributes, CKA_SENSITIVE, true);
    if (!extractable)
        return CKR_OK;
    if (*ret_sealing == KEY_SEALING_REFUSED) {
        log_line(LOG_LEVEL_ERROR, "session",
                 "a private key in the TPM is sensitive and cannot be extracted; for one that "
                 "can, say 'sealed keys = yes' in the section: it is kept encrypted under a key "
                 "sealed by the TPM");
        return CKR_TEMPLATE_INCONSISTENT;
    }
    *ret_sealing = KEY_SEALING_ONLY;
    return CKR_OK;
}

/* A new key has the object's name. */
static CK_RV bind_new(struct made *made, struct bytes *ret_unique)
{
    CK_RV rv = bytes_copy(&made->key_id, attributes_value(&made->attributes, CKA_UNIQUE_ID));
    return rv != CKR_OK ? rv : binding_of(&made->attributes, bytes_view(&made->key_id), ret_unique);
}

static CK_RV make_token_private(struct token *token, struct made *made)
{
    struct vault *vault = token->writable->vault;
    struct bytes unique CLEANUP(bytes_free) = {0};
    enum key_sealing sealing;
    if (made->key && made->key_id.size)
        return binding_renew(vault, &made->attributes, bytes_view(&made->key_id), &made->key);
    CK_RV rv = choose_sealing(token, made, &sealing);
    if (rv == CKR_OK && made->key)
        rv = key_export_parts(made->key, &made->parts);
    if (rv == CKR_OK)
        rv = bind_new(made, &unique);
    if (rv != CKR_OK)
        return rv;
    key_unref(made->key);
    made->key = NULL;
    return made->generate.algorithm != KEY_ALGORITHM_NONE
               ? key_generate(vault, &made->generate, bytes_view(&unique), sealing, &made->key)
               : key_import(vault, &made->parts, bytes_view(&unique), sealing, &made->key);
}

/* A generated key's value, where no TPM makes it. */
static CK_RV ensure_value(struct made *made)
{
    if (made->generate.algorithm == KEY_ALGORITHM_NONE || made->value.size)
        return CKR_OK;
    CK_RV rv = bytes_alloc(&made->value, made->generate.bits / 8);
    return rv != CKR_OK ? rv : mechanism_random(made->value.data, made->value.size);
}

static CK_RV make_token_secret(struct token *token, struct made *made)
{
    struct vault *vault = token->writable->vault;
    struct bytes unique CLEANUP(bytes_free) = {0};
    CK_RV rv = CKR_OK;
    if (made->key && made->key_id.size)
        return binding_renew(vault, &made->attributes, bytes_view(&made->key_id), &made->key);
    if (made->key && !made->value.size) /* a copy's value is there already */
        rv = key_secret_value(made->key, &made->value);
    if (rv == CKR_OK)
        rv = writable_unlock(token);
    if (rv == CKR_OK)
        rv = bind_new(made, &unique);
    if (rv != CKR_OK)
        return rv;
    key_unref(made->key);
    made->key = NULL;
    if (secret_place_is_tpm(token, &made->attributes)) {
        rv = secret_place_in_tpm(vault, made, bytes_view(&unique));
        if (rv != CKR_FUNCTION_NOT_SUPPORTED)
            return rv;
    }
    rv = ensure_value(made);
    return rv != CKR_OK ? rv
                        : key_secret_in_vault(vault, bytes_view(&made->value), bytes_view(&unique),
                                              &made->key);
}

static CK_RV make_session_key(struct made *made)
{
    if (made->key)
        return CKR_OK;
    if (class_of(made) == CKO_SECRET_KEY) {
        CK_RV rv = ensure_value(made);
        return rv != CKR_OK ? rv : key_secret_new(bytes_view(&made->value), &made->key);
    }
    return made->generate.algorithm != KEY_ALGORITHM_NONE
               ? key_generate_software(&made->generate, &made->key)
               : key_import_software(&made->parts, &made->key);
}

/* The key behind the object, where it will be used. */
static CK_RV make_key(struct token *token, struct made *made)
{
    CK_OBJECT_CLASS class = class_of(made);
    bool on_token = attributes_bool(&made->attributes, CKA_TOKEN, false);
    if (class != CKO_PRIVATE_KEY && class != CKO_SECRET_KEY)
        return CKR_OK;
    if (on_token && !token_is_open(token))
        return CKR_USER_NOT_LOGGED_IN;
    if (on_token)
        return class == CKO_PRIVATE_KEY ? make_token_private(token, made)
                                        : make_token_secret(token, made);
    return make_session_key(made);
}

/* What may be read of a session key stays among its attributes. */
static CK_RV keep_readable(struct made *made)
{
    struct private_parts parts = {0};
    if (!is_readable(&made->attributes))
        return CKR_OK;
    if (class_of(made) == CKO_SECRET_KEY)
        return made->value.size
                   ? attributes_set(&made->attributes, CKA_VALUE, bytes_view(&made->value))
                   : CKR_OK;
    CK_RV rv = key_export_parts(made->key, &parts);
    if (rv == CKR_OK)
        rv = material_put_private(&made->attributes, &parts);
    private_parts_clear(&parts);
    return rv == CKR_KEY_UNEXTRACTABLE ? CKR_OK : rv;
}

static CK_RV finish(struct token *token, struct made *made)
{
    uint8_t unique[STORED_UNIQUE_SIZE];
    CK_RV rv = stored_new_unique(unique);
    if (rv == CKR_OK)
        rv = attributes_set(&made->attributes, CKA_UNIQUE_ID, view_of(unique, sizeof(unique)));
    if (rv == CKR_OK)
        rv = make_key(token, made);
    if (rv != CKR_OK || !made->key)
        return rv;
    if (class_of(made) == CKO_PRIVATE_KEY)
        rv = material_set_public(&made->attributes, key_public(made->key));
    if (rv == CKR_OK && !attributes_bool(&made->attributes, CKA_TOKEN, false))
        rv = keep_readable(made);
    return rv;
}

/* Of a pair that is generated, the public half follows from the private one. */
static CK_RV finish_all(struct token *token, struct made *made, size_t count)
{
    CK_RV rv = CKR_OK;
    for (size_t i = 0; i < count && rv == CKR_OK; i++)
        rv = finish(token, &made[i]);
    if (rv == CKR_OK && count == MOST)
        rv = material_set_public(&made[1].attributes, key_public(made[0].key));
    return rv;
}

static CK_RV add_to_session(struct session *session, struct made *made,
                            CK_OBJECT_HANDLE *ret_handle)
{
    struct object *object = NULL;
    CK_RV rv = object_new(&made->attributes, &object);
    if (rv != CKR_OK)
        return rv;
    object->key = made->key;
    made->key = NULL;
    object->key_id = made->key_id;
    made->key_id = (struct bytes){0};
    rv = token_add_object(session->token, session->handle, object);
    if (rv != CKR_OK) {
        object_free(object);
        return rv;
    }
    *ret_handle = object->handle;
    return CKR_OK;
}

/* The PEM of what the entry file keeps of it. */
static CK_RV write_pem(const struct made *made, struct entry_object *entry)
{
    struct public_key public_key = {0};
    CK_RV rv = CKR_OK;
    switch (class_of(made)) {
    case CKO_PRIVATE_KEY:
    case CKO_SECRET_KEY:
        rv = bytes_copy(&entry->key_id, bytes_view(&made->key_id));
        return rv != CKR_OK ? rv : key_write(made->key, &entry->pem);
    case CKO_CERTIFICATE:
        return key_write_certificate(attributes_value(&made->attributes, CKA_VALUE), &entry->pem);
    case CKO_PUBLIC_KEY:
        rv = material_public(&made->attributes, &public_key);
        if (rv == CKR_OK)
            rv = key_write_public(&public_key, &entry->pem);
        public_key_clear(&public_key);
        return rv;
    default:
        return CKR_OK;
    }
}

static CK_RV add_to_token(struct session *session, struct made *const *made, size_t count,
                          CK_OBJECT_HANDLE *ret_handles)
{
    struct entry_objects objects CLEANUP(entry_objects_clear) = {.count = 0};
    CK_RV rv = CKR_OK;
    for (size_t i = 0; i < count && rv == CKR_OK; i++) {
        struct entry_object *entry = &objects.objects[objects.count++];
        rv = write_pem(made[i], entry);
        /* Only in the file, and encrypted there. */
        if (class_of(made[i]) == CKO_SECRET_KEY)
            attributes_remove(&made[i]->attributes, CKA_VALUE);
        entry->attributes = made[i]->attributes;
        made[i]->attributes = (struct attributes){0};
    }
    return rv != CKR_OK ? rv : stored_add(session->token, &objects, ret_handles);
}

/* Token objects first: they may fail, session objects hardly. */
static CK_RV place_all(struct session *session, struct made *made, size_t count,
                       const bool *on_token, CK_OBJECT_HANDLE *handles)
{
    struct made *stored[MOST];
    CK_OBJECT_HANDLE stored_handles[MOST] = {0};
    size_t stored_count = 0;
    for (size_t i = 0; i < count; i++)
        if (on_token[i])
            stored[stored_count++] = &made[i];
    CK_RV rv = stored_count ? add_to_token(session, stored, stored_count, stored_handles) : CKR_OK;
    size_t next = 0;
    for (size_t i = 0; i < count && rv == CKR_OK; i++) {
        if (on_token[i])
            handles[i] = stored_handles[next++];
        else
            rv = add_to_session(session, &made[i], &handles[i]);
    }
    for (size_t i = 0; rv != CKR_OK && i < stored_count; i++)
        if (stored_handles[i] && stored_remove(session->token, stored_handles[i]) != CKR_OK)
            log_line(LOG_LEVEL_ERROR, "session", "half of a key pair is left on the token");
    return rv;
}

CK_RV made_place(struct session *session, struct made *made, size_t count,
                 CK_OBJECT_HANDLE *ret_handles)
{
    CK_OBJECT_HANDLE handles[MOST] = {0};
    bool on_token[MOST] = {false};
    if (count > MOST)
        return CKR_FUNCTION_FAILED;
    CK_RV rv = CKR_OK;
    for (size_t i = 0; i < count && rv == CKR_OK; i++) {
        on_token[i] = attributes_bool(&made[i].attributes, CKA_TOKEN, false);
        rv = made_check_place(session, &made[i].attributes);
    }
    if (rv == CKR_OK)
        rv = finish_all(session->token, made, count);
    if (rv == CKR_OK)
        rv = place_all(session, made, count, on_token, handles);
    if (rv == CKR_OK)
        memcpy(ret_handles, handles, count * sizeof(*handles));
    return rv;
}
