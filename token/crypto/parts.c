#include <string.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>

#include "token/crypto/curve.h"
#include "token/crypto/der.h"
#include "token/crypto/key.h"
#include "token/crypto/operation.h"
#include "token/crypto/public.h"
#include "token/crypto/rsa_parts.h"

OPENSSL_DROP(EC_GROUP, EC_GROUP_free)
OPENSSL_DROP(EC_POINT, EC_POINT_free)

#define POINT_MAX_SIZE 256

static bool push_rsa(OSSL_PARAM_BLD *builder, const struct rsa_numbers *numbers)
{
    const struct {
        const char *name;
        const BIGNUM *number;
    } all[] = {
        {OSSL_PKEY_PARAM_RSA_N, numbers->modulus},
        {OSSL_PKEY_PARAM_RSA_E, numbers->public_exponent},
        {OSSL_PKEY_PARAM_RSA_D, numbers->private_exponent},
        {OSSL_PKEY_PARAM_RSA_FACTOR1, numbers->prime_1},
        {OSSL_PKEY_PARAM_RSA_FACTOR2, numbers->prime_2},
        {OSSL_PKEY_PARAM_RSA_EXPONENT1, numbers->exponent_1},
        {OSSL_PKEY_PARAM_RSA_EXPONENT2, numbers->exponent_2},
        {OSSL_PKEY_PARAM_RSA_COEFFICIENT1, numbers->coefficient},
    };
    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        if (!OSSL_PARAM_BLD_push_BN(builder, all[i].name, all[i].number))
            return false;
    return true;
}

static CK_RV rsa_from_parts(const struct private_parts *parts, EVP_PKEY **ret_pkey)
{
    CLEANUP(rsa_numbers_clear) struct rsa_numbers numbers = {0};
    CLEANUP(OSSL_PARAM_BLD_drop) OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    CK_RV rv = rsa_numbers_make(parts, &numbers);
    if (rv != CKR_OK)
        return rv;
    if (!builder || !push_rsa(builder, &numbers))
        return CKR_HOST_MEMORY;
    return operation_build("RSA", EVP_PKEY_KEYPAIR, builder, ret_pkey);
}

static CK_RV compute_point(const EC_GROUP *group, const BIGNUM *number, uint8_t *out,
                           size_t *ret_size)
{
    CLEANUP(EC_POINT_drop) EC_POINT *point = EC_POINT_new(group);
    if (!point || EC_POINT_mul(group, point, number, NULL, NULL, NULL) != 1)
        return CKR_HOST_MEMORY;
    *ret_size =
        EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, out, POINT_MAX_SIZE, NULL);
    return *ret_size ? CKR_OK : CKR_FUNCTION_FAILED;
}

static CK_RV read_ec_number(const struct curve *curve, const EC_GROUP *group, struct view value,
                            BIGNUM **ret_number)
{
    value = der_strip_zeros(value);
    if (value.size == 0 || value.size > curve_private_size(curve))
        return CKR_ATTRIBUTE_VALUE_INVALID;
    CLEANUP(BIGNUM_drop) BIGNUM *number = BN_secure_new();
    if (!number || !BN_bin2bn(value.data, (int)value.size, number))
        return CKR_HOST_MEMORY;
    if (BN_cmp(number, EC_GROUP_get0_order(group)) >= 0)
        return CKR_ATTRIBUTE_VALUE_INVALID;
    BN_set_flags(number, BN_FLG_CONSTTIME);
    *ret_number = number;
    number = NULL;
    return CKR_OK;
}

static CK_RV ec_from_parts(const struct curve *curve, const struct private_parts *parts,
                           EVP_PKEY **ret_pkey)
{
    uint8_t point[POINT_MAX_SIZE];
    size_t size = 0;
    CLEANUP(BIGNUM_drop) BIGNUM *number = NULL;
    CLEANUP(EC_GROUP_drop)
    EC_GROUP *group = EC_GROUP_new_by_curve_name_ex(crypto_context(), NULL, curve->nid);
    CLEANUP(OSSL_PARAM_BLD_drop) OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    if (!group)
        return CKR_CURVE_NOT_SUPPORTED;
    CK_RV rv = read_ec_number(curve, group, bytes_view(&parts->value), &number);
    if (rv == CKR_OK)
        rv = compute_point(group, number, point, &size);
    if (rv != CKR_OK)
        return rv;
    if (!builder ||
        !OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, curve->name, 0) ||
        !OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, size) ||
        !OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_PRIV_KEY, number))
        return CKR_HOST_MEMORY;
    return operation_build("EC", EVP_PKEY_KEYPAIR, builder, ret_pkey);
}

static CK_RV raw_from_parts(const struct curve *curve, const struct private_parts *parts,
                            EVP_PKEY **ret_pkey)
{
    struct view value = bytes_view(&parts->value);
    if (value.size != curve_private_size(curve) &&
        (!der_only(value, DER_OCTET_STRING, &value) || value.size != curve_private_size(curve)))
        return CKR_ATTRIBUTE_VALUE_INVALID;
    EVP_PKEY *pkey = EVP_PKEY_new_raw_private_key_ex(crypto_context(), curve->name, NULL,
                                                     value.data, value.size);
    if (!pkey)
        return CKR_FUNCTION_FAILED;
    *ret_pkey = pkey;
    return CKR_OK;
}

static CK_RV curve_from_parts(const struct private_parts *parts, EVP_PKEY **ret_pkey)
{
    const struct curve *curve = curve_by_parameters(parts->algorithm, bytes_view(&parts->curve));
    if (!curve)
        return CKR_CURVE_NOT_SUPPORTED;
    return curve->algorithm == KEY_ALGORITHM_EC ? ec_from_parts(curve, parts, ret_pkey)
                                                : raw_from_parts(curve, parts, ret_pkey);
}

static CK_RV check_point(const struct crypto_key *key, struct view point)
{
    CLEANUP(bytes_free) struct bytes plain = {0};
    if (point.size == 0)
        return CKR_OK;
    CK_RV rv = crypto_point_decode(&key->public, point, &plain);
    if (rv == CKR_HOST_MEMORY)
        return rv;
    return rv == CKR_OK && view_equal(bytes_view(&plain), bytes_view(&key->public.point))
               ? CKR_OK
               : CKR_ATTRIBUTE_VALUE_INVALID;
}

CK_RV crypto_key_from_parts(const struct private_parts *parts, struct crypto_key **ret_key)
{
    KEEP_ERROR_QUEUE;
    CLEANUP(EVP_PKEY_drop) EVP_PKEY *pkey = NULL;
    CLEANUP(crypto_key_cleanup) struct crypto_key *key = NULL;
    if (!crypto_context())
        return CKR_HOST_MEMORY;
    CK_RV rv = parts->algorithm == KEY_ALGORITHM_RSA ? rsa_from_parts(parts, &pkey)
                                                     : curve_from_parts(parts, &pkey);
    if (rv == CKR_OK)
        rv = crypto_key_take(crypto_context(), pkey, false, &key);
    if (rv != CKR_OK)
        return rv;
    pkey = NULL;
    if (key->public.algorithm != KEY_ALGORITHM_RSA)
        rv = check_point(key, bytes_view(&parts->point));
    if (rv != CKR_OK)
        return rv;
    *ret_key = key;
    key = NULL;
    return CKR_OK;
}

static CK_RV copy_number(const BIGNUM *number, size_t size, struct bytes *ret_bytes)
{
    CK_RV rv = bytes_alloc(ret_bytes, size);
    if (rv == CKR_OK && BN_bn2binpad(number, ret_bytes->data, (int)size) < 0)
        return CKR_FUNCTION_FAILED;
    return rv;
}

static CK_RV get_number(const EVP_PKEY *pkey, const char *name, struct bytes *ret_bytes)
{
    CLEANUP(BIGNUM_drop) BIGNUM *number = BN_secure_new();
    if (!number)
        return CKR_HOST_MEMORY;
    if (EVP_PKEY_get_bn_param(pkey, name, &number) != 1)
        return CKR_KEY_UNEXTRACTABLE;
    return copy_number(number, (size_t)BN_num_bytes(number), ret_bytes);
}

/* Some files lack the CRT numbers: they are computed again. */
static CK_RV write_rsa(const struct rsa_numbers *numbers, struct private_parts *parts)
{
    const struct {
        const BIGNUM *number;
        struct bytes *to;
    } all[] = {
        {numbers->modulus, &parts->modulus},
        {numbers->public_exponent, &parts->public_exponent},
        {numbers->private_exponent, &parts->private_exponent},
        {numbers->prime_1, &parts->prime_1},
        {numbers->prime_2, &parts->prime_2},
        {numbers->exponent_1, &parts->exponent_1},
        {numbers->exponent_2, &parts->exponent_2},
        {numbers->coefficient, &parts->coefficient},
    };
    CK_RV rv = CKR_OK;
    for (size_t i = 0; rv == CKR_OK && i < ARRAY_SIZE(all); i++)
        rv = copy_number(all[i].number, (size_t)BN_num_bytes(all[i].number), all[i].to);
    return rv;
}

static CK_RV rsa_to_parts(const struct crypto_key *key, struct private_parts *parts)
{
    CLEANUP(rsa_numbers_clear) struct rsa_numbers numbers = {0};
    CLEANUP(private_parts_clear) struct private_parts known = {.algorithm = KEY_ALGORITHM_RSA};
    CK_RV rv = get_number(key->pkey, OSSL_PKEY_PARAM_RSA_N, &known.modulus);
    if (rv == CKR_OK)
        rv = get_number(key->pkey, OSSL_PKEY_PARAM_RSA_E, &known.public_exponent);
    if (rv == CKR_OK)
        rv = get_number(key->pkey, OSSL_PKEY_PARAM_RSA_D, &known.private_exponent);
    if (rv == CKR_OK &&
        (get_number(key->pkey, OSSL_PKEY_PARAM_RSA_FACTOR1, &known.prime_1) != CKR_OK ||
         get_number(key->pkey, OSSL_PKEY_PARAM_RSA_FACTOR2, &known.prime_2) != CKR_OK)) {
        bytes_free(&known.prime_1);
        bytes_free(&known.prime_2);
    }
    if (rv == CKR_OK)
        rv = rsa_numbers_make(&known, &numbers);
    if (rv == CKR_ATTRIBUTE_VALUE_INVALID)
        rv = CKR_KEY_UNEXTRACTABLE;
    return rv == CKR_OK ? write_rsa(&numbers, parts) : rv;
}

static CK_RV ec_value(const EVP_PKEY *pkey, const struct curve *curve, struct bytes *ret_value)
{
    CLEANUP(BIGNUM_drop) BIGNUM *number = BN_secure_new();
    if (!number)
        return CKR_HOST_MEMORY;
    if (EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_PRIV_KEY, &number) != 1)
        return CKR_KEY_UNEXTRACTABLE;
    return copy_number(number, curve_private_size(curve), ret_value);
}

static CK_RV raw_value(const EVP_PKEY *pkey, const struct curve *curve, struct bytes *ret_value)
{
    size_t size = curve_private_size(curve);
    CK_RV rv = bytes_alloc(ret_value, size);
    if (rv != CKR_OK)
        return rv;
    return EVP_PKEY_get_raw_private_key(pkey, ret_value->data, &size) == 1 &&
                   size == ret_value->size
               ? CKR_OK
               : CKR_KEY_UNEXTRACTABLE;
}

static CK_RV curve_to_parts(const struct crypto_key *key, struct private_parts *parts)
{
    const struct public_key *public = &key->public;
    const struct curve *curve = curve_by_oid(public->algorithm, bytes_view(&public->curve));
    if (!curve)
        return CKR_KEY_UNEXTRACTABLE;
    CK_RV rv = bytes_copy(&parts->curve, bytes_view(&public->curve));
    if (rv == CKR_OK)
        rv = bytes_copy(&parts->point, bytes_view(&public->point));
    if (rv != CKR_OK)
        return rv;
    return curve->algorithm == KEY_ALGORITHM_EC ? ec_value(key->pkey, curve, &parts->value)
                                                : raw_value(key->pkey, curve, &parts->value);
}

CK_RV crypto_key_to_parts(const struct crypto_key *key, struct private_parts *ret_parts)
{
    KEEP_ERROR_QUEUE;
    CLEANUP(private_parts_clear)
    struct private_parts parts = {.algorithm = key->public.algorithm};
    if (key->foreign)
        return CKR_KEY_UNEXTRACTABLE;
    CK_RV rv = parts.algorithm == KEY_ALGORITHM_RSA ? rsa_to_parts(key, &parts)
                                                    : curve_to_parts(key, &parts);
    if (rv != CKR_OK)
        return rv;
    *ret_parts = parts;
    parts = (struct private_parts){0};
    return CKR_OK;
}
