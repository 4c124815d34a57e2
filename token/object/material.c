#include "token/object/material.h"

#include "token/base/secret.h"
#include "token/object/curves.h"
#include "token/object/parts.h"

#define MAX_RSA_BITS 16384
#define MAX_EXPONENT_SIZE 8

static size_t default_secret_size(CK_KEY_TYPE type)
{
    static const struct {
        CK_KEY_TYPE type;
        size_t size;
    } digests[] = {
        {CKK_SHA_1_HMAC, 20},    {CKK_SHA224_HMAC, 28},   {CKK_SHA256_HMAC, 32},
        {CKK_SHA384_HMAC, 48},   {CKK_SHA512_HMAC, 64},   {CKK_SHA3_224_HMAC, 28},
        {CKK_SHA3_256_HMAC, 32}, {CKK_SHA3_384_HMAC, 48}, {CKK_SHA3_512_HMAC, 64},
    };
    for (size_t i = 0; i < ARRAY_SIZE(digests); i++)
        if (digests[i].type == type)
            return digests[i].size;
    return 0;
}

static CK_RV spec_of_secret(const struct attributes *attributes, struct key_spec *spec)
{
    CK_ULONG size =
        attributes_ulong(attributes, CKA_VALUE_LEN, default_secret_size(part_key_type(attributes)));
    if (!size && !attributes_has(attributes, CKA_VALUE_LEN))
        return CKR_TEMPLATE_INCOMPLETE;
    CK_RV rv = material_check_secret(attributes, size);
    if (rv == CKR_OK)
        spec->bits = (unsigned)size * 8;
    return rv;
}

static CK_RV spec_of_rsa(const struct attributes *attributes, struct key_spec *spec)
{
    CK_ULONG bits = attributes_ulong(attributes, CKA_MODULUS_BITS, 0);
    struct view exponent = part_number_of(attributes, CKA_PUBLIC_EXPONENT);
    if (!attributes_has(attributes, CKA_MODULUS_BITS))
        return CKR_TEMPLATE_INCOMPLETE;
    bool one = exponent.size == 1 && exponent.data[0] == 1;
    bool odd = exponent.size && exponent.data[exponent.size - 1] & 1;
    bool usable = odd && !one && exponent.size <= MAX_EXPONENT_SIZE;
    if (!bits || bits > MAX_RSA_BITS ||
        (attributes_has(attributes, CKA_PUBLIC_EXPONENT) && !usable))
        return CKR_ATTRIBUTE_VALUE_INVALID;
    spec->bits = (unsigned)bits;
    return bytes_copy(&spec->exponent, exponent);
}

CK_RV material_spec(const struct attributes *attributes, struct key_spec *ret_spec)
{
    struct key_spec spec = {.algorithm = part_algorithm(part_key_type(attributes))};
    CK_RV rv = CKR_OK;
    if (spec.algorithm == KEY_ALGORITHM_NONE)
        rv = attributes_has(attributes, CKA_KEY_TYPE) ? CKR_ATTRIBUTE_VALUE_INVALID
                                                      : CKR_TEMPLATE_INCOMPLETE;
    else if (spec.algorithm == KEY_ALGORITHM_RSA)
        rv = spec_of_rsa(attributes, &spec);
    else if (part_has_curve(spec.algorithm))
        rv = part_copy_curve(attributes, &spec.curve);
    else
        rv = spec_of_secret(attributes, &spec);
    if (rv != CKR_OK) {
        key_spec_clear(&spec);
        return rv;
    }
    key_spec_clear(ret_spec);
    *ret_spec = spec;
    return CKR_OK;
}

/* The numbers of an RSA key; the first two are public. */
enum { RSA_PUBLIC = 2, RSA_NUMBERS = 8 };

static const CK_ATTRIBUTE_TYPE rsa_types[RSA_NUMBERS] = {
    CKA_MODULUS, CKA_PUBLIC_EXPONENT, CKA_PRIVATE_EXPONENT, CKA_PRIME_1,
    CKA_PRIME_2, CKA_EXPONENT_1,      CKA_EXPONENT_2,       CKA_COEFFICIENT,
};

static void rsa_numbers(struct private_parts *parts, struct bytes *ret_numbers[RSA_NUMBERS])
{
    struct bytes *const numbers[RSA_NUMBERS] = {
        &parts->modulus, &parts->public_exponent, &parts->private_exponent, &parts->prime_1,
        &parts->prime_2, &parts->exponent_1,      &parts->exponent_2,       &parts->coefficient,
    };
    for (size_t i = 0; i < RSA_NUMBERS; i++)
        ret_numbers[i] = numbers[i];
}

static CK_RV copy_rsa(const struct attributes *attributes, struct private_parts *parts)
{
    struct bytes *numbers[RSA_NUMBERS];
    rsa_numbers(parts, numbers);
    for (size_t i = 0; i < RSA_NUMBERS; i++) {
        CK_RV rv = part_copy_number(attributes, rsa_types[i], numbers[i]);
        if (rv != CKR_OK)
            return rv;
    }
    bool whole = parts->modulus.size && parts->public_exponent.size &&
                 (parts->private_exponent.size || (parts->prime_1.size && parts->prime_2.size));
    return whole ? CKR_OK : CKR_TEMPLATE_INCOMPLETE;
}

/* EC: a number; the others: bytes, which some wrap in an OCTET STRING (RFC 8410, 7). */
static CK_RV copy_ec(const struct attributes *attributes, struct private_parts *parts)
{
    struct view value = attributes_value(attributes, CKA_VALUE);
    CK_RV rv = part_copy_curve(attributes, &parts->curve);
    if (rv != CKR_OK)
        return rv;
    struct view oid = bytes_view(&parts->curve);
    size_t raw_size = curve_raw_size(oid);
    if (!value.size)
        return CKR_TEMPLATE_INCOMPLETE;
    if (raw_size)
        value = curve_unwrap_point(part_key_type(attributes), oid, value);
    if (raw_size && value.size != raw_size)
        return CKR_ATTRIBUTE_VALUE_INVALID;
    rv = raw_size ? bytes_copy(&parts->value, value)
                  : part_copy_number(attributes, CKA_VALUE, &parts->value);
    return rv != CKR_OK ? rv : part_copy_point(attributes, oid, &parts->point);
}

CK_RV material_take_private(struct attributes *attributes, struct private_parts *ret_parts)
{
    struct private_parts parts = {.algorithm = part_algorithm(part_key_type(attributes))};
    CK_RV rv = CKR_TEMPLATE_INCOMPLETE;
    if (parts.algorithm == KEY_ALGORITHM_RSA)
        rv = copy_rsa(attributes, &parts);
    else if (part_has_curve(parts.algorithm))
        rv = copy_ec(attributes, &parts);
    if (rv != CKR_OK) {
        private_parts_clear(&parts);
        return rv;
    }
    for (size_t i = RSA_PUBLIC; i < RSA_NUMBERS; i++)
        attributes_remove(attributes, rsa_types[i]);
    attributes_remove(attributes, CKA_VALUE);
    private_parts_clear(ret_parts);
    *ret_parts = parts;
    return CKR_OK;
}

CK_RV material_put_private(struct attributes *attributes, const struct private_parts *parts)
{
    struct attributes changed CLEANUP(attributes_clear) = {0};
    struct private_parts borrowed = *parts;
    struct bytes *numbers[RSA_NUMBERS];
    rsa_numbers(&borrowed, numbers);
    CK_RV rv = attributes_copy(&changed, attributes);
    for (size_t i = RSA_PUBLIC; i < RSA_NUMBERS && rv == CKR_OK; i++)
        if (parts->algorithm == KEY_ALGORITHM_RSA && numbers[i]->size)
            rv = attributes_set(&changed, rsa_types[i], bytes_view(numbers[i]));
    if (rv == CKR_OK && part_has_curve(parts->algorithm))
        rv = attributes_set(&changed, CKA_VALUE, bytes_view(&parts->value));
    if (rv == CKR_OK)
        attributes_move(attributes, &changed);
    return rv;
}

CK_RV material_check_secret(const struct attributes *attributes, size_t size)
{
    bool aes = part_algorithm(part_key_type(attributes)) == KEY_ALGORITHM_AES;
    bool fits = aes ? size == 16 || size == 24 || size == 32 : size > 0 && size <= SECRET_MAX_SIZE;
    if (!fits)
        return CKR_ATTRIBUTE_VALUE_INVALID;
    return attributes_ulong(attributes, CKA_VALUE_LEN, size) == size ? CKR_OK
                                                                     : CKR_TEMPLATE_INCONSISTENT;
}

static CK_RV set_missing(struct attributes *attributes, CK_ATTRIBUTE_TYPE type, struct view value)
{
    if (attributes_value(attributes, type).size)
        return CKR_OK;
    return attributes_set(attributes, type, value);
}

CK_RV material_set_certificate(struct attributes *attributes, const struct certificate *certificate)
{
    const struct {
        CK_ATTRIBUTE_TYPE type;
        struct view value;
    } rows[] = {
        {CKA_VALUE, bytes_view(&certificate->der)},
        {CKA_SUBJECT, bytes_view(&certificate->subject)},
        {CKA_ISSUER, bytes_view(&certificate->issuer)},
        {CKA_SERIAL_NUMBER, bytes_view(&certificate->serial)},
        {CKA_PUBLIC_KEY_INFO, bytes_view(&certificate->public_key.spki)},
        {CKA_START_DATE, view_string(certificate->start_date)},
        {CKA_END_DATE, view_string(certificate->end_date)},
    };
    struct attributes changed CLEANUP(attributes_clear) = {0};
    CK_RV rv = attributes_copy(&changed, attributes);
    for (size_t i = 0; i < ARRAY_SIZE(rows) && rv == CKR_OK; i++)
        rv = set_missing(&changed, rows[i].type, rows[i].value);
    if (rv == CKR_OK)
        attributes_move(attributes, &changed);
    return rv;
}
