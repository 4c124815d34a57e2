#include "token/object/curves.h"
#include "token/object/material.h"
#include "token/object/parts.h"
#include "token/object/schema_table.h"

/* Sets what is missing or empty; what is there has to be the same. */
static CK_RV agree(struct attributes *attributes, CK_ATTRIBUTE_TYPE type, struct view there,
                   struct view value)
{
    if (there.size && !view_equal(there, value))
        return CKR_TEMPLATE_INCONSISTENT;
    return attributes_set(attributes, type, value);
}

static CK_RV agree_number(struct attributes *attributes, CK_ATTRIBUTE_TYPE type,
                          const struct bytes *number)
{
    return agree(attributes, type, part_number_of(attributes, type), bytes_view(number));
}

static CK_RV agree_ulong(struct attributes *attributes, CK_ATTRIBUTE_TYPE type, CK_ULONG value)
{
    return agree(attributes, type, attributes_value(attributes, type),
                 view_of(&value, sizeof(value)));
}

static CK_RV set_rsa(struct attributes *attributes, const struct public_key *key)
{
    CK_RV rv = agree_number(attributes, CKA_MODULUS, &key->modulus);
    if (rv == CKR_OK)
        rv = agree_number(attributes, CKA_PUBLIC_EXPONENT, &key->exponent);
    bool public = schema_bits(attributes) & ON_PUBLIC;
    return rv != CKR_OK || !public ? rv : agree_ulong(attributes, CKA_MODULUS_BITS, key->bits);
}

/* There may be the compressed form of it: 02 or 03, and x. */
static bool is_same_point(struct view there, struct view point)
{
    if (view_equal(there, point))
        return true;
    bool compressed = there.size > 1 && (there.data[0] == 0x02 || there.data[0] == 0x03);
    if (!compressed || point.size != 2 * there.size - 1 || point.data[0] != 0x04)
        return false;
    struct view x = view_of(there.data + 1, there.size - 1);
    return view_equal(x, view_of(point.data + 1, x.size)) &&
           (point.data[point.size - 1] & 1) == (there.data[0] & 1);
}

static CK_RV set_ec(struct attributes *attributes, const struct public_key *key)
{
    struct bytes der CLEANUP(bytes_free) = {0};
    CK_KEY_TYPE type = part_key_type(attributes);
    struct view oid = bytes_view(&key->curve);
    struct view there = attributes_value(attributes, CKA_EC_PARAMS);
    if (there.size && curve_normalise(type, there, &there) != CKR_OK)
        return CKR_TEMPLATE_INCONSISTENT;
    CK_RV rv = agree(attributes, CKA_EC_PARAMS, there, oid);
    if (rv != CKR_OK)
        return rv;
    there = curve_unwrap_point(type, oid, attributes_value(attributes, CKA_EC_POINT));
    if (there.size && !is_same_point(there, bytes_view(&key->point)))
        return CKR_TEMPLATE_INCONSISTENT;
    rv = curve_wrap_point(bytes_view(&key->point), &der);
    return rv != CKR_OK ? rv : attributes_set(attributes, CKA_EC_POINT, bytes_view(&der));
}

static CK_RV set_public(struct attributes *attributes, const struct public_key *key)
{
    CK_RV rv = agree_ulong(attributes, CKA_KEY_TYPE, part_type_of(key->algorithm));
    if (rv == CKR_OK)
        rv = part_has_curve(key->algorithm) ? set_ec(attributes, key) : set_rsa(attributes, key);
    if (rv != CKR_OK || !key->spki.size)
        return rv;
    return agree(attributes, CKA_PUBLIC_KEY_INFO, attributes_value(attributes, CKA_PUBLIC_KEY_INFO),
                 bytes_view(&key->spki));
}

CK_RV material_set_public(struct attributes *attributes, const struct public_key *public_key)
{
    struct attributes changed CLEANUP(attributes_clear) = {0};
    CK_RV rv = attributes_copy(&changed, attributes);
    if (rv == CKR_OK)
        rv = set_public(&changed, public_key);
    if (rv != CKR_OK)
        return rv;
    attributes_move(attributes, &changed);
    return CKR_OK;
}

static unsigned bits_of_number(const struct bytes *number)
{
    unsigned bits = (unsigned)number->size * 8;
    for (unsigned mask = 0x80; number->size && mask && !(number->data[0] & mask); mask >>= 1)
        bits--;
    return bits;
}

/* By the point: 04 || x || y, or one octet and x. */
static unsigned bits_of_curve(const struct public_key *key)
{
    if (key->algorithm != KEY_ALGORITHM_EC)
        return key->point.size == 32 ? 255 : 448;
    size_t size = key->point.size - 1;
    if (key->point.data[0] == 0x04)
        size /= 2;
    return size == 66 ? 521 : (unsigned)size * 8;
}

static CK_RV read_rsa(const struct attributes *attributes, struct public_key *key)
{
    CK_RV rv = part_copy_number(attributes, CKA_MODULUS, &key->modulus);
    if (rv == CKR_OK)
        rv = part_copy_number(attributes, CKA_PUBLIC_EXPONENT, &key->exponent);
    if (rv != CKR_OK)
        return rv;
    key->bits = bits_of_number(&key->modulus);
    return key->modulus.size && key->exponent.size ? CKR_OK : CKR_TEMPLATE_INCOMPLETE;
}

static CK_RV read_ec(const struct attributes *attributes, struct public_key *key)
{
    CK_RV rv = part_copy_curve(attributes, &key->curve);
    if (rv == CKR_OK)
        rv = part_copy_point(attributes, bytes_view(&key->curve), &key->point);
    if (rv != CKR_OK)
        return rv;
    if (key->point.size < 2)
        return CKR_TEMPLATE_INCOMPLETE;
    key->bits = bits_of_curve(key);
    return CKR_OK;
}

CK_RV material_public(const struct attributes *attributes, struct public_key *ret_key)
{
    struct public_key key = {.algorithm = part_algorithm(part_key_type(attributes))};
    CK_RV rv = CKR_TEMPLATE_INCOMPLETE;
    if (key.algorithm == KEY_ALGORITHM_RSA)
        rv = read_rsa(attributes, &key);
    else if (part_has_curve(key.algorithm))
        rv = read_ec(attributes, &key);
    if (rv == CKR_OK)
        rv = bytes_copy(&key.spki, attributes_value(attributes, CKA_PUBLIC_KEY_INFO));
    if (rv != CKR_OK) {
        public_key_clear(&key);
        return rv;
    }
    public_key_clear(ret_key);
    *ret_key = key;
    return CKR_OK;
}
