#include "token/object/build.h"

#include <string.h>

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

static void set_bytes(struct builder *builder, CK_ATTRIBUTE_TYPE type, const struct bytes *value)
{
    set(builder, type, bytes_view(value));
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
    set_bool(builder, CKA_MODIFIABLE, false);
    set_bool(builder, CKA_DESTROYABLE, false);
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

static void set_date(struct builder *builder, CK_ATTRIBUTE_TYPE type, const char *date)
{
    set(builder, type, view_string(date));
}

CK_RV object_wrap_point(struct view point, struct bytes *ret_der)
{
    if (point.size > 255)
        return CKR_ATTRIBUTE_VALUE_INVALID;
    const uint8_t head[] = {0x04, 0x81, (uint8_t)point.size};
    bool is_short = point.size < 128;
    const uint8_t short_head[] = {0x04, (uint8_t)point.size};
    struct bytes der = {0};
    CK_RV rv = bytes_append(
        &der, is_short ? view_of(short_head, sizeof(short_head)) : view_of(head, sizeof(head)),
        sizeof(head));
    if (rv == CKR_OK)
        rv = bytes_append(&der, point, 260);
    if (rv != CKR_OK) {
        bytes_free(&der);
        return rv;
    }
    bytes_free(ret_der);
    *ret_der = der;
    return CKR_OK;
}

static void set_ec(struct builder *builder, const struct public_key *public_key)
{
    struct bytes point = {0};
    set_ulong(builder, CKA_KEY_TYPE, CKK_EC);
    set_bytes(builder, CKA_EC_PARAMS, &public_key->curve);
    if (builder->rv == CKR_OK)
        builder->rv = object_wrap_point(bytes_view(&public_key->point), &point);
    set_bytes(builder, CKA_EC_POINT, &point);
    bytes_free(&point);
}

static void set_key(struct builder *builder, const struct object_names *names,
                    const struct public_key *public_key)
{
    set(builder, CKA_ID, names->id);
    set(builder, CKA_SUBJECT, names->subject);
    set_bytes(builder, CKA_PUBLIC_KEY_INFO, &public_key->spki);
    if (public_key->algorithm == KEY_ALGORITHM_EC) {
        set_ec(builder, public_key);
    } else {
        set_ulong(builder, CKA_KEY_TYPE, CKK_RSA);
        set_bytes(builder, CKA_MODULUS, &public_key->modulus);
        set_bytes(builder, CKA_PUBLIC_EXPONENT, &public_key->exponent);
    }
}

static bool can(const struct key *key, enum key_use use, enum scheme_kind kind)
{
    const struct scheme scheme = {.kind = kind};
    return key_can(key, use, &scheme);
}

static void set_abilities(struct builder *builder, const struct key *key)
{
    bool sign = can(key, KEY_USE_SIGN, SCHEME_RSA_PKCS1) ||
                can(key, KEY_USE_SIGN, SCHEME_RSA_PSS) || can(key, KEY_USE_SIGN, SCHEME_ECDSA);
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
    if (rv == CKR_OK)
        rv = public_key_copy(&object->public_key, key_public(key));
    if (rv != CKR_OK) {
        object_free(object);
        return rv;
    }
    object->key = key_ref(key);
    *ret_object = object;
    return CKR_OK;
}

CK_RV object_from_public_key(const struct object_names *names, const struct public_key *public_key,
                             struct object **ret_object)
{
    struct builder builder CLEANUP(builder_clear) = {.rv = CKR_OK};
    bool rsa = public_key->algorithm == KEY_ALGORITHM_RSA;
    set_common(&builder, names, CKO_PUBLIC_KEY, "-public");
    set_key(&builder, names, public_key);
    set_bool(&builder, CKA_VERIFY, true);
    set_bool(&builder, CKA_ENCRYPT, rsa);
    if (rsa)
        set_ulong(&builder, CKA_MODULUS_BITS, public_key->bits);
    struct object *object = NULL;
    CK_RV rv = finish(&builder, &object);
    if (rv == CKR_OK)
        rv = public_key_copy(&object->public_key, public_key);
    if (rv != CKR_OK) {
        object_free(object);
        return rv;
    }
    *ret_object = object;
    return CKR_OK;
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
    set_bytes(&builder, CKA_VALUE, &certificate->der);
    set_bytes(&builder, CKA_SUBJECT, &certificate->subject);
    set_bytes(&builder, CKA_ISSUER, &certificate->issuer);
    set_bytes(&builder, CKA_SERIAL_NUMBER, &certificate->serial);
    set_bytes(&builder, CKA_PUBLIC_KEY_INFO, &certificate->public_key.spki);
    set_date(&builder, CKA_START_DATE, certificate->start_date);
    set_date(&builder, CKA_END_DATE, certificate->end_date);
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

/* 04 || x || y on P-192 … P-521. An OCTET STRING around a point, compressed or not,
 * has none of these sizes; without this, x may pass for its length. */
static bool is_plain_point(struct view point)
{
    static const size_t coordinates[] = {24, 28, 32, 48, 66};
    for (size_t i = 0; i < ARRAY_SIZE(coordinates); i++)
        if (point.size == 1 + 2 * coordinates[i])
            return point.data[0] == 0x04;
    return false;
}

/* Takes the OCTET STRING off, if there is one of exactly that length. */
static struct view unwrap_point(struct view der)
{
    if (is_plain_point(der))
        return der;
    size_t head = der.size > 2 && der.data[1] == 0x81 ? 3 : 2;
    if (der.size > head && der.data[0] == 0x04 && der.data[head - 1] == der.size - head)
        return view_of(der.data + head, der.size - head);
    return der;
}

static struct view without_zeros(struct view number)
{
    while (number.size && number.data[0] == 0)
        number = view_of(number.data + 1, number.size - 1);
    return number;
}

CK_RV object_describe_public_key(const struct attributes *attributes, struct public_key *ret_key)
{
    struct public_key key = {0};
    CK_KEY_TYPE type = attributes_ulong(attributes, CKA_KEY_TYPE, CK_UNAVAILABLE_INFORMATION);
    CK_RV rv = CKR_TEMPLATE_INCOMPLETE;
    if (type == CKK_EC) {
        key.algorithm = KEY_ALGORITHM_EC;
        rv = bytes_copy(&key.curve, attributes_value(attributes, CKA_EC_PARAMS));
        if (rv == CKR_OK)
            rv = bytes_copy(&key.point, unwrap_point(attributes_value(attributes, CKA_EC_POINT)));
    } else if (type == CKK_RSA) {
        key.algorithm = KEY_ALGORITHM_RSA;
        rv = bytes_copy(&key.modulus, without_zeros(attributes_value(attributes, CKA_MODULUS)));
        if (rv == CKR_OK)
            rv = bytes_copy(&key.exponent,
                            without_zeros(attributes_value(attributes, CKA_PUBLIC_EXPONENT)));
    }
    bool whole =
        type == CKK_EC ? key.curve.size && key.point.size : key.modulus.size && key.exponent.size;
    if (rv == CKR_OK && !whole)
        rv = CKR_TEMPLATE_INCOMPLETE;
    if (rv != CKR_OK) {
        public_key_clear(&key);
        return rv;
    }
    public_key_clear(ret_key);
    *ret_key = key;
    return CKR_OK;
}
