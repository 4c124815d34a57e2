#include <stdio.h>

#include "token/object/material.h"
#include "token/object/text.h"
#include "token/session/entry_file.h"
#include "token/store/entry.h"

/* What follows from the PEM, and so is not written as a line as well. */
static bool is_derived(CK_OBJECT_CLASS class, CK_ATTRIBUTE_TYPE type)
{
    static const CK_ATTRIBUTE_TYPE of_keys[] = {
        CKA_KEY_TYPE,   CKA_MODULUS,     CKA_MODULUS_BITS,     CKA_PUBLIC_EXPONENT,
        CKA_EC_PARAMS,  CKA_EC_POINT,    CKA_PUBLIC_KEY_INFO,  CKA_VALUE,
        CKA_PRIME_1,    CKA_PRIME_2,     CKA_PRIVATE_EXPONENT, CKA_EXPONENT_1,
        CKA_EXPONENT_2, CKA_COEFFICIENT,
    };
    if (type == CKA_CLASS || type == CKA_TOKEN)
        return true;
    if (class == CKO_CERTIFICATE || class == CKO_SECRET_KEY)
        return type == CKA_VALUE;
    for (size_t i = 0; i < ARRAY_SIZE(of_keys); i++)
        if ((class == CKO_PUBLIC_KEY || class == CKO_PRIVATE_KEY) && type == of_keys[i])
            return true;
    return false;
}

static CK_RV write_line(struct bytes *text, const char *name, CK_ATTRIBUTE_TYPE type,
                        struct view value)
{
    struct bytes line CLEANUP(bytes_free) = {0};
    CK_RV rv = attribute_to_text(type, value, &line);
    return rv != CKR_OK ? rv : entry_write_line(text, name, bytes_view(&line));
}

static bool says_nothing(struct view value)
{
    static const CK_ULONG unavailable = CK_UNAVAILABLE_INFORMATION;
    return !value.size || view_equal(value, view_of(&unavailable, sizeof(unavailable)));
}

/* What a certificate itself says need not be written beside it. */
static CK_RV certificate_says(const struct entry_object *object, struct attributes *ret_said)
{
    struct key_contents contents CLEANUP(key_contents_clear) = {0};
    if (entry_object_class(object) != CKO_CERTIFICATE)
        return CKR_OK;
    CK_RV rv = key_inspect(bytes_view(&object->pem), &contents, NULL);
    if (rv == CKR_OK && contents.certificate_count)
        rv = material_set_certificate(ret_said, &contents.certificates[0]);
    return rv;
}

static CK_RV write_attributes(struct bytes *text, const struct entry_object *object)
{
    struct attributes said CLEANUP(attributes_clear) = {0};
    CK_RV rv = certificate_says(object, &said);
    for (size_t i = 0; i < object->attributes.count && rv == CKR_OK; i++) {
        CK_ATTRIBUTE_TYPE type;
        struct view value = attributes_at(&object->attributes, i, &type);
        bool hidden = object->encrypted_value.size && type == CKA_VALUE;
        if (is_derived(entry_object_class(object), type) || says_nothing(value) || hidden ||
            (attributes_has(&said, type) && view_equal(attributes_value(&said, type), value)))
            continue;
        const char *name = attribute_name(type);
        rv = name ? write_line(text, name, type, value) : (CK_RV)CKR_DATA_INVALID;
    }
    return rv;
}

static CK_RV write_object(struct bytes *text, const struct entry_object *object, struct view pem)
{
    const char *kind = class_name(entry_object_class(object));
    CK_RV rv = kind ? entry_write_group(text, kind) : (CK_RV)CKR_DATA_INVALID;
    if (rv == CKR_OK)
        rv = write_attributes(text, object);
    if (rv == CKR_OK && object->key_id.size)
        rv = write_line(text, KEY_ID_LINE, CKA_ID, bytes_view(&object->key_id));
    if (rv == CKR_OK && object->encrypted_value.size)
        rv = write_line(text, ENCRYPTED_LINE, CKA_VALUE, bytes_view(&object->encrypted_value));
    return rv == CKR_OK && pem.size ? entry_write_pem(text, pem) : rv;
}

/* Without PEM where the file's last private key says the same: that is how it is read. */
static CK_RV write_public(struct bytes *text, const struct entry_object *object,
                          const struct entry_object *beside)
{
    struct public_key own CLEANUP(public_key_clear) = {0};
    struct public_key other CLEANUP(public_key_clear) = {0};
    struct bytes pem CLEANUP(bytes_free) = {0};
    CK_RV rv = material_public(&object->attributes, &own);
    if (rv == CKR_OK && beside)
        rv = material_public(&beside->attributes, &other);
    if (rv == CKR_OK && beside && public_key_equal(&own, &other))
        return write_object(text, object, (struct view){0});
    if (rv == CKR_OK)
        rv = object->pem.size ? bytes_copy(&pem, bytes_view(&object->pem))
                              : key_write_public(&own, &pem);
    return rv != CKR_OK ? rv : write_object(text, object, bytes_view(&pem));
}

/* The private keys go first. */
static CK_RV write_objects(struct bytes *text, const struct entry_objects *objects)
{
    const struct entry_object *beside = NULL;
    CK_RV rv = CKR_OK;
    for (size_t i = 0; i < objects->count && rv == CKR_OK; i++) {
        const struct entry_object *object = &objects->objects[i];
        if (entry_object_class(object) != CKO_PRIVATE_KEY)
            continue;
        beside = object;
        rv = write_object(text, object, bytes_view(&object->pem));
    }
    for (size_t i = 0; i < objects->count && rv == CKR_OK; i++) {
        const struct entry_object *object = &objects->objects[i];
        if (entry_object_class(object) == CKO_PUBLIC_KEY)
            rv = write_public(text, object, beside);
        else if (entry_object_class(object) != CKO_PRIVATE_KEY)
            rv = write_object(text, object, bytes_view(&object->pem));
    }
    return rv;
}

CK_RV entry_file_write(const struct entry_objects *objects, struct bytes *ret_text)
{
    char token[2 * VAULT_TOKEN_SIZE + 1];
    struct bytes text = {0};
    for (size_t i = 0; i < VAULT_TOKEN_SIZE; i++)
        snprintf(token + 2 * i, 3, "%02x", objects->token[i]);
    CK_RV rv = entry_write_header(&text);
    if (rv == CKR_OK)
        rv = entry_write_line(&text, "token", view_string(token));
    if (rv == CKR_OK)
        rv = write_objects(&text, objects);
    if (rv == CKR_OK && text.size > ENTRY_FILE_MAX_SIZE)
        rv = CKR_DEVICE_MEMORY;
    if (rv != CKR_OK) {
        bytes_free(&text);
        return rv;
    }
    bytes_free(ret_text);
    *ret_text = text;
    return CKR_OK;
}
