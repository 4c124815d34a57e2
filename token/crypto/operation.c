#include "token/crypto/operation.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/rsa.h>

#include "token/crypto/curve.h"
#include "token/crypto/der.h"

OPENSSL_DROP(OSSL_PARAM, OSSL_PARAM_free)

CK_RV operation_build(const char *type, int selection, OSSL_PARAM_BLD *builder, EVP_PKEY **ret_pkey)
{
    CLEANUP(OSSL_PARAM_drop) OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(builder);
    CLEANUP(EVP_PKEY_CTX_drop)
    EVP_PKEY_CTX *maker = EVP_PKEY_CTX_new_from_name(crypto_context(), type, NULL);
    EVP_PKEY *pkey = NULL;
    if (!parameters || !maker || EVP_PKEY_fromdata_init(maker) != 1)
        return CKR_HOST_MEMORY;
    if (EVP_PKEY_fromdata(maker, &pkey, selection, parameters) != 1)
        return CKR_FUNCTION_FAILED;
    *ret_pkey = pkey;
    return CKR_OK;
}

static CK_RV rsa_key(const struct public_key *key, EVP_PKEY **ret_pkey)
{
    CLEANUP(OSSL_PARAM_BLD_drop) OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    CLEANUP(BIGNUM_drop)
    BIGNUM *modulus = BN_bin2bn(key->modulus.data, (int)key->modulus.size, NULL);
    CLEANUP(BIGNUM_drop)
    BIGNUM *exponent = BN_bin2bn(key->exponent.data, (int)key->exponent.size, NULL);
    if (!builder || !modulus || !exponent ||
        !OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, modulus) ||
        !OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, exponent))
        return CKR_HOST_MEMORY;
    return operation_build("RSA", EVP_PKEY_PUBLIC_KEY, builder, ret_pkey);
}

static CK_RV ec_key(const struct public_key *key, EVP_PKEY **ret_pkey)
{
    const struct curve *curve = curve_by_oid(KEY_ALGORITHM_EC, bytes_view(&key->curve));
    if (!curve)
        return CKR_FUNCTION_FAILED;
    CLEANUP(OSSL_PARAM_BLD_drop) OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    if (!builder ||
        !OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, curve->name, 0) ||
        !OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, key->point.data,
                                          key->point.size))
        return CKR_HOST_MEMORY;
    return operation_build("EC", EVP_PKEY_PUBLIC_KEY, builder, ret_pkey);
}

static CK_RV raw_key(const struct public_key *key, EVP_PKEY **ret_pkey)
{
    const struct curve *curve = curve_by_oid(key->algorithm, bytes_view(&key->curve));
    if (!curve)
        return CKR_FUNCTION_FAILED;
    EVP_PKEY *pkey = EVP_PKEY_new_raw_public_key_ex(crypto_context(), curve->name, NULL,
                                                    key->point.data, key->point.size);
    if (!pkey)
        return CKR_FUNCTION_FAILED;
    *ret_pkey = pkey;
    return CKR_OK;
}

CK_RV operation_key(const struct public_key *key, EVP_PKEY **ret_pkey)
{
    if (!crypto_context())
        return CKR_HOST_MEMORY;
    switch (key->algorithm) {
    case KEY_ALGORITHM_RSA:
        return rsa_key(key, ret_pkey);
    case KEY_ALGORITHM_EC:
        return ec_key(key, ret_pkey);
    case KEY_ALGORITHM_EDWARDS:
    case KEY_ALGORITHM_MONTGOMERY:
        return raw_key(key, ret_pkey);
    default:
        return CKR_KEY_TYPE_INCONSISTENT;
    }
}

CK_RV operation_start(OSSL_LIB_CTX *context, EVP_PKEY *pkey, const char *properties,
                      int (*init)(EVP_PKEY_CTX *), EVP_PKEY_CTX **ret_operation)
{
    CLEANUP(EVP_PKEY_CTX_drop)
    EVP_PKEY_CTX *operation = EVP_PKEY_CTX_new_from_pkey(context, pkey, properties);
    if (!operation)
        return CKR_HOST_MEMORY;
    if (init(operation) != 1)
        return CKR_FUNCTION_FAILED;
    *ret_operation = operation;
    operation = NULL;
    return CKR_OK;
}

static bool set_pss(EVP_PKEY_CTX *operation, const struct scheme *scheme)
{
    return EVP_PKEY_CTX_set_rsa_padding(operation, RSA_PKCS1_PSS_PADDING) > 0 &&
           EVP_PKEY_CTX_set_signature_md(operation, crypto_md(scheme->hash)) > 0 &&
           EVP_PKEY_CTX_set_rsa_mgf1_md(operation, crypto_md(scheme->mgf_hash)) > 0 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(operation, (int)scheme->salt_size) > 0;
}

/* OpenSSL takes the label over, but only when it succeeds. */
static bool set_label(EVP_PKEY_CTX *operation, struct view label)
{
    if (label.size == 0)
        return true;
    void *copy = OPENSSL_memdup(label.data, label.size);
    if (copy && EVP_PKEY_CTX_set0_rsa_oaep_label(operation, copy, (int)label.size) > 0)
        return true;
    OPENSSL_free(copy);
    return false;
}

static bool set_oaep(EVP_PKEY_CTX *operation, const struct scheme *scheme)
{
    return EVP_PKEY_CTX_set_rsa_padding(operation, RSA_PKCS1_OAEP_PADDING) > 0 &&
           EVP_PKEY_CTX_set_rsa_oaep_md(operation, crypto_md(scheme->hash)) > 0 &&
           EVP_PKEY_CTX_set_rsa_mgf1_md(operation, crypto_md(scheme->mgf_hash)) > 0 &&
           set_label(operation, scheme->label);
}

CK_RV operation_set_scheme(EVP_PKEY_CTX *operation, const struct scheme *scheme)
{
    bool done = false;
    switch (scheme->kind) {
    case SCHEME_RSA_PKCS1:
        done = EVP_PKEY_CTX_set_rsa_padding(operation, RSA_PKCS1_PADDING) > 0;
        break;
    case SCHEME_RSA_RAW:
        done = EVP_PKEY_CTX_set_rsa_padding(operation, RSA_NO_PADDING) > 0;
        break;
    case SCHEME_RSA_PSS:
        done = set_pss(operation, scheme);
        break;
    case SCHEME_RSA_OAEP:
        done = set_oaep(operation, scheme);
        break;
    case SCHEME_ECDSA:
    case SCHEME_EDDSA:
        done = true;
        break;
    }
    return done ? CKR_OK : CKR_MECHANISM_PARAM_INVALID;
}

bool operation_below_modulus(const struct public_key *key, struct view block)
{
    return block.size == key->modulus.size && memcmp(block.data, key->modulus.data, block.size) < 0;
}

static CK_RV check_raw(const struct public_key *key, struct view input)
{
    if (input.size > key->modulus.size)
        return CKR_DATA_LEN_RANGE;
    if (input.size == key->modulus.size && !operation_below_modulus(key, input))
        return CKR_DATA_INVALID;
    return CKR_OK;
}

static CK_RV check_pss(const struct public_key *key, const struct scheme *scheme, struct view input)
{
    size_t digest_size = hash_size(scheme->hash), em_size = (key->bits + 6) / 8;
    if (digest_size == 0 || hash_size(scheme->mgf_hash) == 0)
        return CKR_MECHANISM_PARAM_INVALID;
    if (em_size < digest_size + 2 || scheme->salt_size > em_size - digest_size - 2)
        return CKR_MECHANISM_PARAM_INVALID;
    return input.size == digest_size ? CKR_OK : CKR_DATA_LEN_RANGE;
}

static CK_RV check_ecdsa(const struct scheme *scheme, struct view input)
{
    size_t digest_size = hash_size(scheme->hash);
    if (input.size == 0 || (digest_size && input.size != digest_size))
        return CKR_DATA_LEN_RANGE;
    return CKR_OK;
}

CK_RV operation_check_signed(const struct public_key *key, const struct scheme *scheme,
                             struct view input)
{
    if (scheme->kind == SCHEME_ECDSA)
        return key->algorithm == KEY_ALGORITHM_EC ? check_ecdsa(scheme, input)
                                                  : CKR_KEY_TYPE_INCONSISTENT;
    if (scheme->kind == SCHEME_EDDSA)
        return key->algorithm == KEY_ALGORITHM_EDWARDS ? CKR_OK : CKR_KEY_TYPE_INCONSISTENT;
    if (key->algorithm != KEY_ALGORITHM_RSA)
        return CKR_KEY_TYPE_INCONSISTENT;
    switch (scheme->kind) {
    case SCHEME_RSA_PKCS1:
        return input.size + 11 > key->modulus.size ? CKR_DATA_LEN_RANGE : CKR_OK;
    case SCHEME_RSA_PSS:
        return check_pss(key, scheme, input);
    case SCHEME_RSA_RAW:
        return check_raw(key, input);
    default:
        return CKR_MECHANISM_INVALID;
    }
}

CK_RV operation_check_cipher(const struct public_key *key, const struct scheme *scheme,
                             size_t *ret_max_plain)
{
    size_t size = key->modulus.size, overhead = 0;
    if (key->algorithm != KEY_ALGORITHM_RSA)
        return CKR_KEY_TYPE_INCONSISTENT;
    switch (scheme->kind) {
    case SCHEME_RSA_RAW:
        break;
    case SCHEME_RSA_PKCS1:
        overhead = 11;
        break;
    case SCHEME_RSA_OAEP:
        overhead = 2 * hash_size(scheme->hash) + 2;
        if (overhead == 2 || overhead > size || hash_size(scheme->mgf_hash) == 0 ||
            scheme->label.size > INT32_MAX)
            return CKR_MECHANISM_PARAM_INVALID;
        break;
    default:
        return CKR_MECHANISM_INVALID;
    }
    *ret_max_plain = size - overhead;
    return CKR_OK;
}

CK_RV operation_ecdsa_to_der(struct view plain, uint8_t der[ECDSA_MAX_DER_SIZE], size_t *ret_size)
{
    size_t half = plain.size / 2;
    CLEANUP(bytes_free) struct bytes numbers = {0};
    CLEANUP(bytes_free) struct bytes sequence = {0};
    CK_RV rv = der_append_unsigned(&numbers, view_of(plain.data, half));
    if (rv == CKR_OK)
        rv = der_append_unsigned(&numbers, view_of(plain.data + half, plain.size - half));
    if (rv == CKR_OK)
        rv = der_append(&sequence, DER_SEQUENCE, bytes_view(&numbers));
    if (rv != CKR_OK)
        return rv;
    if (sequence.size > ECDSA_MAX_DER_SIZE)
        return CKR_SIGNATURE_LEN_RANGE;
    memcpy(der, sequence.data, sequence.size);
    *ret_size = sequence.size;
    return CKR_OK;
}

CK_RV operation_ecdsa_from_der(struct view der, size_t coordinate_size, struct bytes *ret_plain)
{
    struct view numbers, r, s;
    if (!der_only(der, DER_SEQUENCE, &numbers) || !der_take_unsigned(&numbers, &r) ||
        !der_take_unsigned(&numbers, &s) || numbers.size || r.size > coordinate_size ||
        s.size > coordinate_size)
        return CKR_FUNCTION_FAILED;
    struct bytes plain = {0};
    CK_RV rv = bytes_alloc(&plain, 2 * coordinate_size);
    if (rv != CKR_OK)
        return rv;
    memcpy(plain.data + coordinate_size - r.size, r.data, r.size);
    memcpy(plain.data + 2 * coordinate_size - s.size, s.data, s.size);
    *ret_plain = plain;
    return CKR_OK;
}
