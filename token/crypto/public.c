#include "token/crypto/public.h"

#include "token/crypto/operation.h"
#include "token/crypto/padding.h"

/* signature ^ e mod n: encryption without padding is the same as recovering. */
static CK_RV rsa_raw(const struct public_key *key, struct view in, struct bytes *ret_block)
{
    static const struct scheme raw = {.kind = SCHEME_RSA_RAW};
    CLEANUP(EVP_PKEY_drop) EVP_PKEY *pkey = NULL;
    CLEANUP(EVP_PKEY_CTX_drop) EVP_PKEY_CTX *operation = NULL;
    CLEANUP(bytes_free) struct bytes block = {0};

    CK_RV rv = operation_key(key, &pkey);
    if (rv == CKR_OK)
        rv = operation_start(crypto_context(), pkey, NULL, EVP_PKEY_encrypt_init, &operation);
    if (rv == CKR_OK)
        rv = operation_set_scheme(operation, &raw);
    if (rv == CKR_OK)
        rv = bytes_alloc(&block, key->modulus.size);
    if (rv != CKR_OK)
        return rv;
    size_t size = block.size;
    if (EVP_PKEY_encrypt(operation, block.data, &size, in.data, in.size) != 1 || size != block.size)
        return CKR_FUNCTION_FAILED;
    *ret_block = block;
    block = (struct bytes){0};
    return CKR_OK;
}

/* Compares whole encoded blocks, so that nothing of the padding is parsed. */
static CK_RV verify_block(const struct public_key *key, const struct scheme *scheme,
                          struct view input, struct view signature)
{
    CLEANUP(bytes_free) struct bytes expected = {0};
    CLEANUP(bytes_free) struct bytes recovered = {0};
    size_t size = key->modulus.size;
    CK_RV rv = scheme->kind == SCHEME_RSA_PKCS1 ? crypto_pad_pkcs1(input, size, &expected)
                                                : crypto_pad_raw(input, size, &expected);
    if (rv != CKR_OK)
        return rv;
    if (!operation_below_modulus(key, signature))
        return CKR_SIGNATURE_INVALID;
    rv = rsa_raw(key, signature, &recovered);
    if (rv != CKR_OK)
        return rv;
    return CRYPTO_memcmp(expected.data, recovered.data, size) == 0 ? CKR_OK : CKR_SIGNATURE_INVALID;
}

static CK_RV verify_pss(const struct public_key *key, const struct scheme *scheme,
                        struct view input, struct view signature)
{
    CLEANUP(EVP_PKEY_drop) EVP_PKEY *pkey = NULL;
    CLEANUP(EVP_PKEY_CTX_drop) EVP_PKEY_CTX *operation = NULL;
    CK_RV rv = operation_key(key, &pkey);
    if (rv == CKR_OK)
        rv = operation_start(crypto_context(), pkey, NULL, EVP_PKEY_verify_init, &operation);
    if (rv == CKR_OK)
        rv = operation_set_scheme(operation, scheme);
    if (rv != CKR_OK)
        return rv;
    return EVP_PKEY_verify(operation, signature.data, signature.size, input.data, input.size) == 1
               ? CKR_OK
               : CKR_SIGNATURE_INVALID;
}

static CK_RV verify_ecdsa(const struct public_key *key, struct view input, struct view signature)
{
    CLEANUP(EVP_PKEY_drop) EVP_PKEY *pkey = NULL;
    CLEANUP(EVP_PKEY_CTX_drop) EVP_PKEY_CTX *operation = NULL;
    uint8_t der[ECDSA_MAX_DER_SIZE];
    size_t size = 0;
    CK_RV rv = operation_ecdsa_to_der(signature, der, &size);
    if (rv == CKR_OK)
        rv = operation_key(key, &pkey);
    if (rv == CKR_OK)
        rv = operation_start(crypto_context(), pkey, NULL, EVP_PKEY_verify_init, &operation);
    if (rv != CKR_OK)
        return rv;
    return EVP_PKEY_verify(operation, der, size, input.data, input.size) == 1
               ? CKR_OK
               : CKR_SIGNATURE_INVALID;
}

static CK_RV verify_eddsa(const struct public_key *key, struct view input, struct view signature)
{
    static const uint8_t nothing[1];
    CLEANUP(EVP_PKEY_drop) EVP_PKEY *pkey = NULL;
    CLEANUP(EVP_MD_CTX_drop) EVP_MD_CTX *operation = EVP_MD_CTX_new();
    CK_RV rv = operation_key(key, &pkey);
    if (rv != CKR_OK)
        return rv;
    if (!operation ||
        EVP_DigestVerifyInit_ex(operation, NULL, NULL, crypto_context(), NULL, pkey, NULL) != 1)
        return CKR_HOST_MEMORY;
    return EVP_DigestVerify(operation, signature.data, signature.size,
                            input.size ? input.data : nothing, input.size) == 1
               ? CKR_OK
               : CKR_SIGNATURE_INVALID;
}

CK_RV crypto_verify(const struct public_key *key, const struct scheme *scheme, struct view input,
                    struct view signature)
{
    KEEP_ERROR_QUEUE;
    CK_RV rv = operation_check_signed(key, scheme, input);
    if (rv != CKR_OK)
        return rv;
    if (signature.size != public_key_block_size(key))
        return CKR_SIGNATURE_LEN_RANGE;
    switch (scheme->kind) {
    case SCHEME_RSA_PSS:
        return verify_pss(key, scheme, input, signature);
    case SCHEME_ECDSA:
        return verify_ecdsa(key, input, signature);
    case SCHEME_EDDSA:
        return verify_eddsa(key, input, signature);
    default:
        return verify_block(key, scheme, input, signature);
    }
}

static CK_RV encrypt_raw(const struct public_key *key, struct view plain, struct bytes *ret_cipher)
{
    CLEANUP(bytes_free) struct bytes block = {0};
    CK_RV rv = crypto_pad_raw(plain, key->modulus.size, &block);
    if (rv != CKR_OK)
        return rv;
    if (!operation_below_modulus(key, bytes_view(&block)))
        return CKR_DATA_INVALID;
    return rsa_raw(key, bytes_view(&block), ret_cipher);
}

static CK_RV encrypt_padded(const struct public_key *key, const struct scheme *scheme,
                            struct view plain, struct bytes *ret_cipher)
{
    static const uint8_t nothing[1];
    CLEANUP(EVP_PKEY_drop) EVP_PKEY *pkey = NULL;
    CLEANUP(EVP_PKEY_CTX_drop) EVP_PKEY_CTX *operation = NULL;
    CLEANUP(bytes_free) struct bytes cipher = {0};
    CK_RV rv = operation_key(key, &pkey);
    if (rv == CKR_OK)
        rv = operation_start(crypto_context(), pkey, NULL, EVP_PKEY_encrypt_init, &operation);
    if (rv == CKR_OK)
        rv = operation_set_scheme(operation, scheme);
    if (rv == CKR_OK)
        rv = bytes_alloc(&cipher, key->modulus.size);
    if (rv != CKR_OK)
        return rv;
    size_t size = cipher.size;
    if (EVP_PKEY_encrypt(operation, cipher.data, &size, plain.size ? plain.data : nothing,
                         plain.size) != 1 ||
        size != cipher.size)
        return CKR_FUNCTION_FAILED;
    *ret_cipher = cipher;
    cipher = (struct bytes){0};
    return CKR_OK;
}

CK_RV crypto_encrypt(const struct public_key *key, const struct scheme *scheme, struct view plain,
                     struct bytes *ret_cipher)
{
    KEEP_ERROR_QUEUE;
    size_t max = 0;
    CK_RV rv = operation_check_cipher(key, scheme, &max);
    if (rv != CKR_OK)
        return rv;
    if (plain.size > max)
        return CKR_DATA_LEN_RANGE;
    return scheme->kind == SCHEME_RSA_RAW ? encrypt_raw(key, plain, ret_cipher)
                                          : encrypt_padded(key, scheme, plain, ret_cipher);
}
