#include "token/object/build.h"

#include <string.h>

#include "token/object/material.h"
#include "token/object/schema.h"

/* Collects attributes and remembers the first failure. */
struct builder {
    struct attributes attributes;
    CK_RV rv;
};

static void builder_clear(struct builder *builder)
{
    attributes_clear(&builder->attributes);
}

static void set(struct builder *builder, CK_ATTRIBUTE_TYPE type, struct view value)
{
    if (builder->rv == CKR_OK)
        builder->rv = attributes_set(&builder->attributes, type, value);
}

static void set_bool(struct builder *builder, CK_ATTRIBUTE_TYPE type, bool value)
{
    if (builder->rv == CKR_OK)
        builder->rv = attributes_set_bool(&builder->attributes, type, value);
}

static void set_ulong(struct builder *builder, CK_ATTRIBUTE_TYPE type, CK_ULONG value)
{
    if (builder->rv == CKR_OK)
        builder->rv = attributes_set_ulong(&builder->attributes, type, value);
}

static void set_unique(struct builder *builder, const struct object_names *names, const char *kind)
{
    uint8_t unique[128];
    size_t kind_size = strlen(kind);
    size_t size = names->unique.size;
    if (size + kind_size > sizeof(unique))
        size = sizeof(unique) - kind_size;
    if (size)
        memcpy(unique, names->unique.data, size);
    memcpy(unique + size, kind, kind_size);
    set(builder, CKA_UNIQUE_ID, view_of(unique, size + kind_size));
}

static void set_common(struct builder *builder, const struct object_names *names,
                       CK_OBJECT_CLASS class, const char *kind)
{
    set_ulong(builder, CKA_CLASS, class);
    set_bool(builder, CKA_TOKEN, true);
    set_bool(builder, CKA_MODIFIABLE, names->modifiable);
    set_bool(builder, CKA_DESTROYABLE, names->destroyable);
    set(builder, CKA_LABEL, names->label);
    set_unique(builder, names, kind);
}

/* Goes through the schema, which fills in the rest and would notice an attribute
 * that the class does not have. */
static CK_RV finish(struct builder *builder, struct object **ret_object)
{
    if (builder->rv != CKR_OK)
        return builder->rv;
    struct attributes whole CLEANUP(attributes_clear) = {0};
    CK_RV rv = schema_build(SCHEMA_OWN, NULL, 0, &builder->attributes, &whole);
    return rv != CKR_OK ? rv : object_new(&whole, ret_object);
}

static void set_key(struct builder *builder, const struct object_names *names,
                    const struct public_key *public_key)
{
    set(builder, CKA_ID, names->id);
    set(builder, CKA_SUBJECT, names->subject);
    if (builder->rv == CKR_OK)
        builder->rv = material_set_public(&builder->attributes, public_key);
}

static bool can(const struct key *key, enum key_use use, enum scheme_kind kind)
{
    const struct scheme scheme = {.kind = kind};
    return key_can(key, use, &scheme);
}

static void set_abilities(struct builder *builder, const struct key *key)
{
    bool sign = can(key, KEY_USE_SIGN, SCHEME_RSA_PKCS1) ||
                can(key, KEY_USE_SIGN, SCHEME_RSA_PSS) || can(key, KEY_USE_SIGN, SCHEME_ECDSA) ||
                can(key, KEY_USE_SIGN, SCHEME_EDDSA);
    bool decrypt =
        can(key, KEY_USE_DECRYPT, SCHEME_RSA_PKCS1) || can(key, KEY_USE_DECRYPT, SCHEME_RSA_OAEP);
    bool rsa = key_public(key)->algorithm == KEY_ALGORITHM_RSA;
    set_bool(builder, CKA_SIGN, sign);
    set_bool(builder, CKA_DECRYPT, rsa && decrypt);
    set_bool(builder, CKA_DERIVE, key_can(key, KEY_USE_DERIVE, NULL));
}

CK_RV object_from_private_key(const struct object_names *names, struct key *key,
                              struct object **ret_object)
{
    struct builder builder CLEANUP(builder_clear) = {.rv = CKR_OK};
    set_common(&builder, names, CKO_PRIVATE_KEY, "-private");
    set_bool(&builder, CKA_PRIVATE, names->login);
    set_key(&builder, names, key_public(key));
    set_abilities(&builder, key);
    set_bool(&builder, CKA_SENSITIVE, true);
    set_bool(&builder, CKA_EXTRACTABLE, false);
    set_bool(&builder, CKA_ALWAYS_SENSITIVE, key_in_tpm(key));
    set_bool(&builder, CKA_NEVER_EXTRACTABLE, key_in_tpm(key));
    set_bool(&builder, CKA_LOCAL, key_in_tpm(key));
    struct object *object = NULL;
    CK_RV rv = finish(&builder, &object);
    if (rv != CKR_OK)
        return rv;
    object->key = key_ref(key);
    *ret_object = object;
    return CKR_OK;
}

CK_RV object_from_public_key(const struct object_names *names, const struct public_key *public_key,
                             struct object **ret_object)
{
    struct builder builder CLEANUP(builder_clear) = {.rv = CKR_OK};
    set_common(&builder, names, CKO_PUBLIC_KEY, "-public");
    set_key(&builder, names, public_key);
    set_bool(&builder, CKA_VERIFY, public_key->algorithm != KEY_ALGORITHM_MONTGOMERY);
    set_bool(&builder, CKA_ENCRYPT, public_key->algorithm == KEY_ALGORITHM_RSA);
    return finish(&builder, ret_object);
}

CK_RV object_from_certificate(const struct object_names *names,
                              const struct certificate *certificate, struct object **ret_object)
{
    enum { TOKEN_USER = 1, AUTHORITY = 2 };
    struct builder builder CLEANUP(builder_clear) = {.rv = CKR_OK};
    set_common(&builder, names, CKO_CERTIFICATE, "-certificate");
    set_ulong(&builder, CKA_CERTIFICATE_TYPE, CKC_X_509);
    set_ulong(&builder, CKA_CERTIFICATE_CATEGORY, certificate->authority ? AUTHORITY : TOKEN_USER);
    set(&builder, CKA_ID, names->id);
    if (builder.rv == CKR_OK)
        builder.rv = material_set_certificate(&builder.attributes, certificate);
    return finish(&builder, ret_object);
}

CK_RV object_public_certificates_profile(const struct object_names *names,
                                         struct object **ret_object)
{
    struct builder builder CLEANUP(builder_clear) = {.rv = CKR_OK};
    set_common(&builder, names, CKO_PROFILE, "-profile");
    set_ulong(&builder, CKA_PROFILE_ID, CKP_PUBLIC_CERTIFICATES_TOKEN);
    return finish(&builder, ret_object);
}
