#include <openssl/rsa.h>

#include "token/crypto/curve.h"
#include "token/crypto/key.h"
#include "token/crypto/operation.h"

#define RSA_MIN_BITS 512
#define RSA_MAX_BITS 16384
#define EXPONENT_MAX_BITS 256

static CK_RV start(const char *type, EVP_PKEY_CTX **ret_maker)
{
    if (!crypto_context())
        return CKR_HOST_MEMORY;
    CLEANUP(EVP_PKEY_CTX_drop)
    EVP_PKEY_CTX *maker = EVP_PKEY_CTX_new_from_name(crypto_context(), type, NULL);
    if (!maker || EVP_PKEY_keygen_init(maker) != 1)
        return CKR_CURVE_NOT_SUPPORTED;
    *ret_maker = maker;
    maker = NULL;
    return CKR_OK;
}

/* FIPS 186-5, A.1.1 allows no larger ones; OpenSSL takes any odd one above 1. */
static CK_RV set_exponent(EVP_PKEY_CTX *maker, struct view exponent)
{
    if (exponent.size == 0)
        return CKR_OK;
    CLEANUP(BIGNUM_drop) BIGNUM *number = NULL;
    if (exponent.size <= EXPONENT_MAX_BITS / 8)
        number = BN_bin2bn(exponent.data, (int)exponent.size, NULL);
    if (!number || !BN_is_odd(number) || BN_is_one(number) ||
        EVP_PKEY_CTX_set1_rsa_keygen_pubexp(maker, number) != 1)
        return CKR_ATTRIBUTE_VALUE_INVALID;
    return CKR_OK;
}

static CK_RV start_rsa(const struct key_spec *spec, EVP_PKEY_CTX **ret_maker)
{
    CLEANUP(EVP_PKEY_CTX_drop) EVP_PKEY_CTX *maker = NULL;
    if (spec->bits < RSA_MIN_BITS || spec->bits > RSA_MAX_BITS)
        return CKR_KEY_SIZE_RANGE;
    CK_RV rv = start("RSA", &maker);
    if (rv != CKR_OK)
        return rv;
    if (EVP_PKEY_CTX_set_rsa_keygen_bits(maker, (int)spec->bits) != 1)
        return CKR_KEY_SIZE_RANGE;
    rv = set_exponent(maker, bytes_view(&spec->exponent));
    if (rv != CKR_OK)
        return rv;
    *ret_maker = maker;
    maker = NULL;
    return CKR_OK;
}

static CK_RV start_curve(const struct key_spec *spec, EVP_PKEY_CTX **ret_maker)
{
    CLEANUP(EVP_PKEY_CTX_drop) EVP_PKEY_CTX *maker = NULL;
    const struct curve *curve = curve_by_parameters(spec->algorithm, bytes_view(&spec->curve));
    if (!curve)
        return CKR_CURVE_NOT_SUPPORTED;
    const bool group = curve->algorithm == KEY_ALGORITHM_EC;
    CK_RV rv = start(group ? "EC" : curve->name, &maker);
    if (rv != CKR_OK)
        return rv;
    if (group && EVP_PKEY_CTX_set_group_name(maker, curve->name) != 1)
        return CKR_CURVE_NOT_SUPPORTED;
    *ret_maker = maker;
    maker = NULL;
    return CKR_OK;
}

CK_RV crypto_key_generate(const struct key_spec *spec, struct crypto_key **ret_key)
{
    KEEP_ERROR_QUEUE;
    CLEANUP(EVP_PKEY_CTX_drop) EVP_PKEY_CTX *maker = NULL;
    CLEANUP(EVP_PKEY_drop) EVP_PKEY *pkey = NULL;
    CK_RV rv =
        spec->algorithm == KEY_ALGORITHM_RSA ? start_rsa(spec, &maker) : start_curve(spec, &maker);
    if (rv != CKR_OK)
        return rv;
    if (EVP_PKEY_generate(maker, &pkey) != 1)
        return CKR_FUNCTION_FAILED;
    rv = crypto_key_take(crypto_context(), pkey, false, ret_key);
    if (rv == CKR_OK)
        pkey = NULL;
    return rv;
}
