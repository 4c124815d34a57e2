#include <string.h>

#include <openssl/ec.h>

#include "token/crypto/curve.h"
#include "token/crypto/der.h"
#include "token/crypto/openssl.h"
#include "token/crypto/public.h"

#define RSA_MIN_BITS 512
#define RSA_MAX_BITS 16384
#define POINT_MAX_SIZE (1 + 2 * 66)
#define SPKI_MAX_SIZE 8192

OPENSSL_DROP(EC_GROUP, EC_GROUP_free)
OPENSSL_DROP(EC_POINT, EC_POINT_free)

static const uint8_t rsa_algorithm[] = {0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                        0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00};
static const uint8_t rsa_oid[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01};
static const uint8_t ec_oid[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01};

/* EC_POINT_oct2point refuses points that are not on the curve. */
static CK_RV point_decode(const struct curve *curve, struct view point, struct bytes *ret_point)
{
    KEEP_ERROR_QUEUE;
    OSSL_LIB_CTX *context = crypto_context();
    if (!context)
        return CKR_HOST_MEMORY;
    CLEANUP(EC_GROUP_drop)
    EC_GROUP *group = EC_GROUP_new_by_curve_name_ex(context, NULL, curve->nid);
    if (!group)
        return CKR_MECHANISM_PARAM_INVALID;
    CLEANUP(EC_POINT_drop) EC_POINT *decoded = EC_POINT_new(group);
    if (!decoded)
        return CKR_HOST_MEMORY;
    if (EC_POINT_oct2point(group, decoded, point.data, point.size, NULL) != 1)
        return CKR_MECHANISM_PARAM_INVALID;
    uint8_t plain[POINT_MAX_SIZE];
    size_t size = EC_POINT_point2oct(group, decoded, POINT_CONVERSION_UNCOMPRESSED, plain,
                                     sizeof(plain), NULL);
    if (size != curve_point_size(curve))
        return CKR_MECHANISM_PARAM_INVALID;
    struct bytes result = {0};
    CK_RV rv = bytes_copy(&result, view_of(plain, size));
    if (rv == CKR_OK)
        *ret_point = result;
    return rv;
}

static bool point_is_plain(const struct curve *curve, struct view point)
{
    return point.size == curve_point_size(curve) && point.data[0] == 0x04;
}

static bool point_is_compressed(const struct curve *curve, struct view point)
{
    return point.size == 1 + curve_coordinate_size(curve) &&
           (point.data[0] == 0x02 || point.data[0] == 0x03);
}

static bool is_raw(const struct public_key *key)
{
    return key->algorithm == KEY_ALGORITHM_EDWARDS || key->algorithm == KEY_ALGORITHM_MONTGOMERY;
}

/* Any bytes of the right number are a key (RFC 7748; RFC 8032 checks at use). */
static CK_RV raw_point_decode(const struct curve *curve, struct view point, struct bytes *ret_point)
{
    if (point.size != curve_point_size(curve) && !der_only(point, DER_OCTET_STRING, &point))
        return CKR_MECHANISM_PARAM_INVALID;
    if (point.size != curve_point_size(curve))
        return CKR_MECHANISM_PARAM_INVALID;
    struct bytes result = {0};
    CK_RV rv = bytes_copy(&result, point);
    if (rv == CKR_OK)
        *ret_point = result;
    return rv;
}

/* The sizes tell 04 || x || y from an OCTET STRING, whose tag is 04 as well. */
CK_RV crypto_point_decode(const struct public_key *key, struct view point, struct bytes *ret_point)
{
    const struct curve *curve = curve_by_parameters(key->algorithm, bytes_view(&key->curve));
    if (!curve)
        return CKR_MECHANISM_PARAM_INVALID;
    if (is_raw(key))
        return raw_point_decode(curve, point, ret_point);
    if (!point_is_plain(curve, point) && !point_is_compressed(curve, point) &&
        !der_only(point, DER_OCTET_STRING, &point))
        return CKR_MECHANISM_PARAM_INVALID;
    if (!point_is_plain(curve, point) && !point_is_compressed(curve, point))
        return CKR_MECHANISM_PARAM_INVALID;
    return point_decode(curve, point, ret_point);
}

/* SEQUENCE { algorithm, BIT STRING { octets } } */
static CK_RV wrap_spki(struct view algorithm, struct view octets, struct bytes *ret_spki)
{
    static const uint8_t no_unused_bits[1];
    CLEANUP(bytes_free) struct bytes bits = {0};
    CLEANUP(bytes_free) struct bytes inner = {0};
    CLEANUP(bytes_free) struct bytes spki = {0};

    CK_RV rv = bytes_append(&bits, view_of(no_unused_bits, 1), SPKI_MAX_SIZE);
    if (rv == CKR_OK)
        rv = bytes_append(&bits, octets, SPKI_MAX_SIZE);
    if (rv == CKR_OK)
        rv = bytes_append(&inner, algorithm, SPKI_MAX_SIZE);
    if (rv == CKR_OK)
        rv = der_append(&inner, DER_BIT_STRING, bytes_view(&bits));
    if (rv == CKR_OK)
        rv = der_append(&spki, DER_SEQUENCE, bytes_view(&inner));
    if (rv != CKR_OK)
        return rv;
    *ret_spki = spki;
    spki = (struct bytes){0};
    return CKR_OK;
}

static CK_RV rsa_spki(const struct public_key *key, struct bytes *ret_spki)
{
    CLEANUP(bytes_free) struct bytes numbers = {0};
    CLEANUP(bytes_free) struct bytes sequence = {0};
    CK_RV rv = der_append_unsigned(&numbers, bytes_view(&key->modulus));
    if (rv == CKR_OK)
        rv = der_append_unsigned(&numbers, bytes_view(&key->exponent));
    if (rv == CKR_OK)
        rv = der_append(&sequence, DER_SEQUENCE, bytes_view(&numbers));
    if (rv == CKR_OK)
        rv = wrap_spki(view_of(rsa_algorithm, sizeof(rsa_algorithm)), bytes_view(&sequence),
                       ret_spki);
    return rv;
}

/* The OID of the curve is that of the algorithm, unless it is an EC key. */
static CK_RV curve_spki(const struct public_key *key, struct bytes *ret_spki)
{
    CLEANUP(bytes_free) struct bytes identifiers = {0};
    CLEANUP(bytes_free) struct bytes algorithm = {0};
    CK_RV rv = CKR_OK;
    if (!is_raw(key))
        rv = der_append(&identifiers, DER_OID, view_of(ec_oid, sizeof(ec_oid)));
    if (rv == CKR_OK)
        rv = bytes_append(&identifiers, bytes_view(&key->curve), SPKI_MAX_SIZE);
    if (rv == CKR_OK)
        rv = der_append(&algorithm, DER_SEQUENCE, bytes_view(&identifiers));
    if (rv == CKR_OK)
        rv = wrap_spki(bytes_view(&algorithm), bytes_view(&key->point), ret_spki);
    return rv;
}

static unsigned bit_length(struct view number)
{
    unsigned bits = (unsigned)number.size * 8;
    for (unsigned top = number.data[0]; !(top & 0x80); top <<= 1)
        bits--;
    return bits;
}

/* Fills in all but spki; CKR_DATA_INVALID if that cannot be an RSA key. */
static CK_RV rsa_fill(struct public_key *key, struct view modulus, struct view exponent)
{
    modulus = der_strip_zeros(modulus);
    exponent = der_strip_zeros(exponent);
    if (modulus.size < RSA_MIN_BITS / 8 || modulus.size > RSA_MAX_BITS / 8)
        return CKR_KEY_SIZE_RANGE;
    if (exponent.size == 0 || exponent.size > modulus.size)
        return CKR_DATA_INVALID;
    if (!(modulus.data[modulus.size - 1] & 1) || !(exponent.data[exponent.size - 1] & 1) ||
        (exponent.size == 1 && exponent.data[0] == 1))
        return CKR_DATA_INVALID;
    key->algorithm = KEY_ALGORITHM_RSA;
    key->bits = bit_length(modulus);
    CK_RV rv = bytes_copy(&key->modulus, modulus);
    if (rv == CKR_OK)
        rv = bytes_copy(&key->exponent, exponent);
    return rv;
}

static CK_RV complete_rsa(struct public_key *key, const struct public_key *from)
{
    CK_RV rv = rsa_fill(key, bytes_view(&from->modulus), bytes_view(&from->exponent));
    return rv == CKR_OK ? rsa_spki(key, &key->spki) : rv;
}

static CK_RV complete_curve(struct public_key *key, const struct public_key *from)
{
    const struct curve *curve = curve_by_parameters(from->algorithm, bytes_view(&from->curve));
    if (!curve)
        return CKR_DATA_INVALID;
    key->algorithm = curve->algorithm;
    key->bits = curve->bits;
    CK_RV rv = bytes_copy(&key->curve, curve_oid(curve));
    if (rv == CKR_OK)
        rv = crypto_point_decode(from, bytes_view(&from->point), &key->point);
    if (rv == CKR_OK)
        rv = curve_spki(key, &key->spki);
    return rv;
}

CK_RV crypto_public_complete(struct public_key *key)
{
    CLEANUP(public_key_clear) struct public_key whole = {0};
    CK_RV rv = key->algorithm == KEY_ALGORITHM_RSA ? complete_rsa(&whole, key)
                                                   : complete_curve(&whole, key);
    if (rv == CKR_HOST_MEMORY)
        return rv;
    if (rv != CKR_OK)
        return CKR_ATTRIBUTE_VALUE_INVALID;
    public_key_clear(key);
    *key = whole;
    whole = (struct public_key){0};
    return CKR_OK;
}

static CK_RV decode_rsa(struct public_key *key, struct view parameters, struct view octets)
{
    struct view none, numbers, modulus, exponent;
    if (parameters.size && !(der_only(parameters, DER_NULL, &none) && none.size == 0))
        return CKR_DATA_INVALID;
    if (!der_only(octets, DER_SEQUENCE, &numbers) || !der_take_unsigned(&numbers, &modulus) ||
        !der_take_unsigned(&numbers, &exponent) || numbers.size)
        return CKR_DATA_INVALID;
    CK_RV rv = rsa_fill(key, modulus, exponent);
    return rv == CKR_KEY_SIZE_RANGE ? CKR_KEY_TYPE_INCONSISTENT : rv;
}

/* A plain point is not checked against the curve: it costs more than all the
 * rest, and OpenSSL does it before the key is used. */
static CK_RV decode_ec(struct public_key *key, struct view parameters, struct view octets)
{
    const struct curve *curve = curve_by_oid(KEY_ALGORITHM_EC, parameters);
    if (!curve)
        return CKR_KEY_TYPE_INCONSISTENT;
    key->algorithm = KEY_ALGORITHM_EC;
    key->bits = curve->bits;
    CK_RV rv = bytes_copy(&key->curve, parameters);
    if (rv != CKR_OK)
        return rv;
    if (point_is_plain(curve, octets))
        return bytes_copy(&key->point, octets);
    if (!point_is_compressed(curve, octets))
        return CKR_DATA_INVALID;
    rv = point_decode(curve, octets, &key->point);
    return rv == CKR_MECHANISM_PARAM_INVALID ? CKR_DATA_INVALID : rv;
}

static CK_RV decode_raw(struct public_key *key, const struct curve *curve, struct view parameters,
                        struct view octets)
{
    if (parameters.size || octets.size != curve_point_size(curve))
        return CKR_DATA_INVALID;
    key->algorithm = curve->algorithm;
    key->bits = curve->bits;
    CK_RV rv = bytes_copy(&key->curve, curve_oid(curve));
    return rv == CKR_OK ? bytes_copy(&key->point, octets) : rv;
}

static CK_RV decode_key(struct public_key *key, struct view oid, struct view parameters,
                        struct view octets)
{
    const struct curve *curve = curve_by_algorithm(oid);
    if (curve)
        return decode_raw(key, curve, parameters, octets);
    return view_equal(oid, view_of(rsa_oid, sizeof(rsa_oid))) ? decode_rsa(key, parameters, octets)
                                                              : decode_ec(key, parameters, octets);
}

CK_RV crypto_public_decode(struct view spki, struct public_key *ret_key)
{
    struct view inner, algorithm, oid, octets;
    if (!der_only(spki, DER_SEQUENCE, &inner) || !der_take(&inner, DER_SEQUENCE, &algorithm) ||
        !der_take(&algorithm, DER_OID, &oid))
        return CKR_DATA_INVALID;
    if (!view_equal(oid, view_of(rsa_oid, sizeof(rsa_oid))) &&
        !view_equal(oid, view_of(ec_oid, sizeof(ec_oid))) && !curve_by_algorithm(oid))
        return CKR_KEY_TYPE_INCONSISTENT;
    if (!der_take_bits(&inner, &octets) || inner.size)
        return CKR_DATA_INVALID;
    CLEANUP(public_key_clear) struct public_key key = {0};
    CK_RV rv = decode_key(&key, oid, algorithm, octets);
    if (rv == CKR_OK)
        rv = bytes_copy(&key.spki, spki);
    if (rv != CKR_OK)
        return rv;
    *ret_key = key;
    key = (struct public_key){0};
    return CKR_OK;
}

CK_RV crypto_public_spki(struct public_key *key)
{
    if (key->algorithm != KEY_ALGORITHM_EC)
        return crypto_public_complete(key);
    const struct curve *curve = curve_by_oid(key->algorithm, bytes_view(&key->curve));
    if (!curve || !point_is_plain(curve, bytes_view(&key->point)))
        return CKR_ATTRIBUTE_VALUE_INVALID;
    struct bytes spki = {0};
    CK_RV rv = curve_spki(key, &spki);
    if (rv != CKR_OK)
        return rv;
    bytes_free(&key->spki);
    key->spki = spki;
    key->bits = curve->bits;
    return CKR_OK;
}
