#include "token/object/curves.h"

#include <string.h>

enum { TAG_NULL = 0x05, TAG_OID = 0x06, TAG_OCTETS = 0x04, TAG_PRINTABLE = 0x13, TAG_LIST = 0x30 };

#define OID(...)                                                                                   \
    {                                                                                              \
        (const uint8_t[]){TAG_OID, sizeof((const uint8_t[]){__VA_ARGS__}), __VA_ARGS__},           \
            sizeof((const uint8_t[]){__VA_ARGS__}) + 2                                             \
    }

/* A name or an OID, and the OID that stands for it in this module. The older ones of
 * the Edwards and Montgomery curves are still written by GnuPG, OpenSC and NSS. */
static const struct alias {
    CK_KEY_TYPE type;
    const char *name;
    struct view other;
    struct view oid;
    size_t raw_size;
} aliases[] = {
    {CKK_EC_EDWARDS, "edwards25519", OID(0x2b, 6, 1, 4, 1, 0xda, 0x47, 15, 1), OID(0x2b, 101, 112),
     32},
    {CKK_EC_EDWARDS, "Ed25519", {0}, OID(0x2b, 101, 112), 32},
    {CKK_EC_EDWARDS, "edwards448", {0}, OID(0x2b, 101, 113), 57},
    {CKK_EC_EDWARDS, "Ed448", {0}, OID(0x2b, 101, 113), 57},
    {CKK_EC_MONTGOMERY, "curve25519", OID(0x2b, 6, 1, 4, 1, 0x97, 0x55, 1, 5, 1),
     OID(0x2b, 101, 110), 32},
    {CKK_EC_MONTGOMERY, "X25519", OID(0x2b, 6, 1, 4, 1, 0xda, 0x47, 15, 1), OID(0x2b, 101, 110),
     32},
    {CKK_EC_MONTGOMERY, "curve448", {0}, OID(0x2b, 101, 111), 56},
    {CKK_EC_MONTGOMERY, "X448", {0}, OID(0x2b, 101, 111), 56},
    {CKK_EC, "secp256r1", {0}, OID(0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7), 0},
    {CKK_EC, "prime256v1", {0}, OID(0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7), 0},
    {CKK_EC, "secp384r1", {0}, OID(0x2b, 0x81, 4, 0, 34), 0},
    {CKK_EC, "secp521r1", {0}, OID(0x2b, 0x81, 4, 0, 35), 0},
    {CKK_EC, "secp224r1", {0}, OID(0x2b, 0x81, 4, 0, 33), 0},
    {CKK_EC, "secp256k1", {0}, OID(0x2b, 0x81, 4, 0, 10), 0},
};

/* The content, if the bytes are one DER value of definite length and nothing else. */
static bool open_der(struct view der, struct view *ret_content)
{
    size_t head = 2, size = der.size > 1 ? der.data[1] : 0;
    if (der.size < 2)
        return false;
    if (size > 0x80) {
        size_t bytes = size - 0x80;
        if (bytes > 3 || der.size < 2 + bytes)
            return false;
        size = 0;
        for (size_t i = 0; i < bytes; i++)
            size = size << 8 | der.data[2 + i];
        head += bytes;
    }
    if (size == 0x80 && head == 2)
        return false;
    *ret_content = view_of(der.data + head, der.size - head);
    return der.size - head == size;
}

static const struct alias *by_name(CK_KEY_TYPE type, struct view name)
{
    for (size_t i = 0; i < ARRAY_SIZE(aliases); i++)
        if (aliases[i].type == type && view_equal(view_string(aliases[i].name), name))
            return &aliases[i];
    return NULL;
}

static const struct alias *by_oid(CK_KEY_TYPE type, struct view oid)
{
    for (size_t i = 0; i < ARRAY_SIZE(aliases); i++)
        if (aliases[i].type == type &&
            (view_equal(aliases[i].oid, oid) || view_equal(aliases[i].other, oid)))
            return &aliases[i];
    return NULL;
}

/* Is it the OID of a curve of another key type? */
static bool is_elsewhere(CK_KEY_TYPE type, struct view oid)
{
    for (size_t i = 0; i < ARRAY_SIZE(aliases); i++)
        if (aliases[i].type != type && view_equal(aliases[i].oid, oid))
            return true;
    return false;
}

/* What is not in the list above may still be known to who makes or uses the key. */
static CK_RV normalise_oid(CK_KEY_TYPE type, struct view oid, struct view *ret_oid)
{
    const struct alias *alias = by_oid(type, oid);
    if (!alias && (type != CKK_EC || is_elsewhere(type, oid)))
        return CKR_CURVE_NOT_SUPPORTED;
    *ret_oid = alias ? alias->oid : oid;
    return CKR_OK;
}

CK_RV curve_normalise(CK_KEY_TYPE type, struct view given, struct view *ret_oid)
{
    struct view content;
    if (!open_der(given, &content))
        return CKR_DOMAIN_PARAMS_INVALID;
    const struct alias *alias = NULL;
    switch (given.data[0]) {
    case TAG_OID:
        return content.size ? normalise_oid(type, given, ret_oid) : CKR_DOMAIN_PARAMS_INVALID;
    case TAG_PRINTABLE:
        alias = by_name(type, content);
        if (!alias)
            return CKR_CURVE_NOT_SUPPORTED;
        *ret_oid = alias->oid;
        return CKR_OK;
    case TAG_LIST: /* explicit */
    case TAG_NULL: /* implicit: the CA's */
        return CKR_CURVE_NOT_SUPPORTED;
    default:
        return CKR_DOMAIN_PARAMS_INVALID;
    }
}

size_t curve_raw_size(struct view oid)
{
    for (size_t i = 0; i < ARRAY_SIZE(aliases); i++)
        if (aliases[i].raw_size && view_equal(aliases[i].oid, oid))
            return aliases[i].raw_size;
    return 0;
}

/* 04 || x || y on P-192 … P-521. An OCTET STRING around a point, compressed or not,
 * has none of these sizes; without this, x may pass for its length. */
static bool is_plain_point(struct view point)
{
    static const size_t coordinates[] = {24, 28, 32, 48, 64, 66};
    for (size_t i = 0; i < ARRAY_SIZE(coordinates); i++)
        if (point.size == 1 + 2 * coordinates[i])
            return point.data[0] == 0x04;
    return false;
}

struct view curve_unwrap_point(CK_KEY_TYPE type, struct view oid, struct view point)
{
    struct view content;
    if (type == CKK_EC ? is_plain_point(point) : point.size == curve_raw_size(oid))
        return point;
    return point.size && point.data[0] == TAG_OCTETS && open_der(point, &content) ? content : point;
}

CK_RV curve_wrap_point(struct view point, struct bytes *ret_der)
{
    if (point.size > 255)
        return CKR_ATTRIBUTE_VALUE_INVALID;
    size_t head = point.size < 128 ? 2 : 3;
    struct bytes der = {0};
    CK_RV rv = bytes_alloc(&der, head + point.size);
    if (rv != CKR_OK)
        return rv;
    der.data[0] = TAG_OCTETS;
    der.data[1] = 0x81;
    der.data[head - 1] = (uint8_t)point.size;
    if (point.size)
        memcpy(der.data + head, point.data, point.size);
    bytes_free(ret_der);
    *ret_der = der;
    return CKR_OK;
}
