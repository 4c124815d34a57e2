#include "token/crypto/private.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>

#include "token/crypto/curve.h"
#include "token/crypto/key.h"
#include "token/crypto/library.h"
#include "token/crypto/operation.h"
#include "token/crypto/padding.h"
#include "token/crypto/public.h"

#define POINT_MAX_SIZE 256

static CK_RV copy_number(const EVP_PKEY *pkey, const char *name, struct bytes *ret_number)
{
    CLEANUP(BIGNUM_drop) BIGNUM *number = NULL;
    if (EVP_PKEY_get_bn_param(pkey, name, &number) != 1)
        return CKR_KEY_TYPE_INCONSISTENT;
    CK_RV rv = bytes_alloc(ret_number, (size_t)BN_num_bytes(number));
    if (rv == CKR_OK)
        BN_bn2bin(number, ret_number->data);
    return rv;
}

/* A TPM writes the exponent 65537 as 0, and tpm2-openssl hands that on. */
static CK_RV rsa_public(const EVP_PKEY *pkey, bool foreign, struct public_key *key)
{
    static const uint8_t usual[] = {0x01, 0x00, 0x01};
    key->algorithm = KEY_ALGORITHM_RSA;
    CK_RV rv = copy_number(pkey, OSSL_PKEY_PARAM_RSA_N, &key->modulus);
    if (rv == CKR_OK)
        rv = copy_number(pkey, OSSL_PKEY_PARAM_RSA_E, &key->exponent);
    if (rv == CKR_OK && foreign && key->exponent.size == 0)
        rv = bytes_copy(&key->exponent, view_of(usual, sizeof(usual)));
    return rv;
}

static CK_RV ec_public(const EVP_PKEY *pkey, struct public_key *key)
{
    char name[80];
    uint8_t point[POINT_MAX_SIZE];
    size_t size = 0;
    if (EVP_PKEY_get_utf8_string_param(pkey, OSSL_PKEY_PARAM_GROUP_NAME, name, sizeof(name),
                                       NULL) != 1 ||
        EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point),
                                        &size) != 1)
        return CKR_KEY_TYPE_INCONSISTENT;
    const struct curve *curve = curve_by_name(name);
    if (!curve || curve->algorithm != KEY_ALGORITHM_EC)
        return CKR_KEY_TYPE_INCONSISTENT;
    key->algorithm = KEY_ALGORITHM_EC;
    CK_RV rv = bytes_copy(&key->curve, curve_oid(curve));
    if (rv == CKR_OK)
        rv = bytes_copy(&key->point, view_of(point, size));
    return rv;
}

/* Raw bytes, where the kind of key says the curve. */
static CK_RV raw_public(const EVP_PKEY *pkey, const struct curve *curve, struct public_key *key)
{
    uint8_t point[POINT_MAX_SIZE];
    size_t size = sizeof(point);
    if (EVP_PKEY_get_raw_public_key(pkey, point, &size) != 1)
        return CKR_KEY_TYPE_INCONSISTENT;
    key->algorithm = curve->algorithm;
    CK_RV rv = bytes_copy(&key->curve, curve_oid(curve));
    return rv == CKR_OK ? bytes_copy(&key->point, view_of(point, size)) : rv;
}

static const struct curve *raw_curve(const EVP_PKEY *pkey)
{
    const char *name = EVP_PKEY_get0_type_name(pkey);
    const struct curve *curve = name ? curve_by_name(name) : NULL;
    return curve && curve->algorithm != KEY_ALGORITHM_EC ? curve : NULL;
}

static CK_RV read_public(const EVP_PKEY *pkey, bool foreign, struct public_key *key)
{
    CK_RV rv = CKR_KEY_TYPE_INCONSISTENT;
    if (EVP_PKEY_is_a(pkey, "RSA"))
        rv = rsa_public(pkey, foreign, key);
    else if (EVP_PKEY_is_a(pkey, "EC"))
        rv = ec_public(pkey, key);
    else if (raw_curve(pkey))
        rv = raw_public(pkey, raw_curve(pkey), key);
    if (rv == CKR_OK)
        rv = crypto_public_complete(key);
    return rv == CKR_ATTRIBUTE_VALUE_INVALID ? CKR_KEY_TYPE_INCONSISTENT : rv;
}

CK_RV crypto_key_take(OSSL_LIB_CTX *context, EVP_PKEY *pkey, bool foreign,
                      struct crypto_key **ret_key)
{
    CLEANUP(crypto_key_cleanup) struct crypto_key *key = calloc(1, sizeof(*key));
    if (!key)
        return CKR_HOST_MEMORY;
    CK_RV rv = read_public(pkey, foreign, &key->public);
    if (rv != CKR_OK)
        return rv;
    key->context = context;
    key->foreign = foreign;
    key->pkey = pkey;
    *ret_key = key;
    key = NULL;
    return CKR_OK;
}

CK_RV crypto_key_public(const struct crypto_key *key, struct public_key *ret_public)
{
    struct public_key copy = {0};
    CK_RV rv = public_key_copy(&copy, &key->public);
    if (rv == CKR_OK)
        *ret_public = copy;
    return rv;
}

/* Other implementations than OpenSSL's, such as a TPM's, can only sign digests
 * whose hash they are told; they make the DigestInfo themselves. */
static CK_RV set_hash(EVP_PKEY_CTX *operation, const struct scheme *scheme, struct view *input)
{
    enum hash hash = scheme->hash;
    if (scheme->kind == SCHEME_ECDSA && hash == HASH_NONE)
        hash = hash_of_size(input->size);
    else if (scheme->kind == SCHEME_RSA_PKCS1 && !crypto_digest_info_parse(*input, &hash, input))
        hash = HASH_NONE;
    else if (scheme->kind == SCHEME_RSA_PSS || scheme->kind == SCHEME_RSA_RAW)
        hash = HASH_NONE;
    if (hash == HASH_NONE)
        return CKR_OK;
    return EVP_PKEY_CTX_set_signature_md(operation, crypto_md(hash)) > 0 ? CKR_OK
                                                                         : CKR_FUNCTION_FAILED;
}

static CK_RV start_sign(struct crypto_key *key, const struct scheme *scheme, struct view *input,
                        EVP_PKEY_CTX **ret_operation)
{
    CLEANUP(EVP_PKEY_CTX_drop) EVP_PKEY_CTX *operation = NULL;
    CK_RV rv =
        operation_start(key->context, key->pkey, key->properties, EVP_PKEY_sign_init, &operation);
    if (rv == CKR_OK)
        rv = operation_set_scheme(operation, scheme);
    if (rv == CKR_OK && key->foreign)
        rv = set_hash(operation, scheme, input);
    if (rv != CKR_OK)
        return rv;
    *ret_operation = operation;
    operation = NULL;
    return CKR_OK;
}

static CK_RV sign_rsa(struct crypto_key *key, const struct scheme *scheme, struct view input,
                      struct bytes *ret_signature)
{
    static const uint8_t nothing[1];
    CLEANUP(EVP_PKEY_CTX_drop) EVP_PKEY_CTX *operation = NULL;
    CLEANUP(bytes_free) struct bytes padded = {0};
    CLEANUP(bytes_free) struct bytes signature = {0};
    CK_RV rv = bytes_alloc(&signature, key->public.modulus.size);
    if (rv == CKR_OK && scheme->kind == SCHEME_RSA_RAW) {
        rv = crypto_pad_raw(input, key->public.modulus.size, &padded);
        input = bytes_view(&padded);
    }
    if (rv == CKR_OK)
        rv = start_sign(key, scheme, &input, &operation);
    if (rv != CKR_OK)
        return rv;
    size_t size = signature.size;
    if (EVP_PKEY_sign(operation, signature.data, &size, input.size ? input.data : nothing,
                      input.size) != 1 ||
        size != signature.size)
        return CKR_FUNCTION_FAILED;
    *ret_signature = signature;
    signature = (struct bytes){0};
    return CKR_OK;
}

static CK_RV sign_ecdsa(struct crypto_key *key, const struct scheme *scheme, struct view input,
                        struct bytes *ret_signature)
{
    CLEANUP(EVP_PKEY_CTX_drop) EVP_PKEY_CTX *operation = NULL;
    CK_RV rv = start_sign(key, scheme, &input, &operation);
    if (rv != CKR_OK)
        return rv;
    uint8_t der[ECDSA_MAX_DER_SIZE];
    size_t size = sizeof(der);
    if (EVP_PKEY_sign(operation, der, &size, input.data, input.size) != 1)
        return CKR_FUNCTION_FAILED;
    return operation_ecdsa_from_der(view_of(der, size), public_key_coordinate_size(&key->public),
                                    ret_signature);
}

static CK_RV sign_eddsa(struct crypto_key *key, struct view input, struct bytes *ret_signature)
{
    static const uint8_t nothing[1];
    CLEANUP(EVP_MD_CTX_drop) EVP_MD_CTX *operation = EVP_MD_CTX_new();
    CLEANUP(bytes_free) struct bytes signature = {0};
    CK_RV rv = bytes_alloc(&signature, public_key_block_size(&key->public));
    if (rv != CKR_OK)
        return rv;
    if (!operation)
        return CKR_HOST_MEMORY;
    size_t size = signature.size;
    if (EVP_DigestSignInit_ex(operation, NULL, NULL, key->context, key->properties, key->pkey,
                              NULL) != 1 ||
        EVP_DigestSign(operation, signature.data, &size, input.size ? input.data : nothing,
                       input.size) != 1 ||
        size != signature.size)
        return CKR_FUNCTION_FAILED;
    *ret_signature = signature;
    signature = (struct bytes){0};
    return CKR_OK;
}

CK_RV crypto_key_sign(struct crypto_key *key, const struct scheme *scheme, struct view input,
                      struct bytes *ret_signature)
{
    KEEP_ERROR_QUEUE;
    CK_RV rv = operation_check_signed(&key->public, scheme, input);
    if (rv != CKR_OK)
        return rv;
    switch (scheme->kind) {
    case SCHEME_ECDSA:
        return sign_ecdsa(key, scheme, input, ret_signature);
    case SCHEME_EDDSA:
        return sign_eddsa(key, input, ret_signature);
    default:
        return sign_rsa(key, scheme, input, ret_signature);
    }
}

/* Raw blocks may come without their leading zeros, all others may not. */
static CK_RV cipher_block(const struct public_key *key, const struct scheme *scheme,
                          struct view cipher, struct bytes *ret_block)
{
    size_t size = key->modulus.size;
    if (cipher.size > size || (cipher.size < size && scheme->kind != SCHEME_RSA_RAW))
        return CKR_ENCRYPTED_DATA_LEN_RANGE;
    CLEANUP(bytes_free) struct bytes block = {0};
    CK_RV rv = crypto_pad_raw(cipher, size, &block);
    if (rv != CKR_OK)
        return rv;
    if (!operation_below_modulus(key, bytes_view(&block)))
        return CKR_ENCRYPTED_DATA_INVALID;
    *ret_block = block;
    block = (struct bytes){0};
    return CKR_OK;
}

/* OpenSSL 3.2 and later answer bad PKCS #1 padding with random plaintext instead
 * of an error, so that no padding oracle is left. That is kept: CKR_OK then does
 * not mean that the ciphertext was good. */
static CK_RV decrypt_block(struct crypto_key *key, const struct scheme *scheme, struct view block,
                           struct bytes *ret_plain)
{
    CLEANUP(EVP_PKEY_CTX_drop) EVP_PKEY_CTX *operation = NULL;
    CLEANUP(bytes_free) struct bytes plain = {0};
    CK_RV rv = operation_start(key->context, key->pkey, key->properties, EVP_PKEY_decrypt_init,
                               &operation);
    if (rv == CKR_OK)
        rv = operation_set_scheme(operation, scheme);
    if (rv == CKR_OK)
        rv = bytes_alloc(&plain, block.size);
    if (rv != CKR_OK)
        return rv;
    size_t size = plain.size;
    if (EVP_PKEY_decrypt(operation, plain.data, &size, block.data, block.size) != 1)
        return CKR_ENCRYPTED_DATA_INVALID;
    struct bytes result = {0};
    rv = bytes_copy(&result, view_of(plain.data, size));
    if (rv == CKR_OK)
        *ret_plain = result;
    return rv;
}

CK_RV crypto_key_decrypt(struct crypto_key *key, const struct scheme *scheme, struct view cipher,
                         struct bytes *ret_plain)
{
    KEEP_ERROR_QUEUE;
    size_t max = 0;
    CLEANUP(bytes_free) struct bytes block = {0};
    CK_RV rv = operation_check_cipher(&key->public, scheme, &max);
    if (rv == CKR_OK)
        rv = cipher_block(&key->public, scheme, cipher, &block);
    if (rv == CKR_OK)
        rv = decrypt_block(key, scheme, bytes_view(&block), ret_plain);
    return rv;
}

static CK_RV peer_key(const struct public_key *key, struct view point, EVP_PKEY **ret_peer)
{
    CLEANUP(public_key_clear)
    struct public_key peer = {.algorithm = key->algorithm, .bits = key->bits};
    CK_RV rv = bytes_copy(&peer.curve, bytes_view(&key->curve));
    if (rv == CKR_OK)
        rv = bytes_copy(&peer.point, point);
    if (rv == CKR_OK)
        rv = operation_key(&peer, ret_peer);
    return rv == CKR_FUNCTION_FAILED ? CKR_MECHANISM_PARAM_INVALID : rv;
}

/* A Montgomery point of small order gives nothing but zeros, which OpenSSL refuses
 * (RFC 7748, 6.1). */
CK_RV crypto_key_derive(struct crypto_key *key, struct view point, struct bytes *ret_secret)
{
    KEEP_ERROR_QUEUE;
    const bool montgomery = key->public.algorithm == KEY_ALGORITHM_MONTGOMERY;
    if (key->public.algorithm != KEY_ALGORITHM_EC && !montgomery)
        return CKR_KEY_TYPE_INCONSISTENT;
    CLEANUP(EVP_PKEY_drop) EVP_PKEY *peer = NULL;
    CLEANUP(EVP_PKEY_CTX_drop) EVP_PKEY_CTX *operation = NULL;
    CLEANUP(bytes_free) struct bytes secret = {0};
    CK_RV rv = peer_key(&key->public, point, &peer);
    if (rv == CKR_OK)
        rv = operation_start(key->context, key->pkey, key->properties, EVP_PKEY_derive_init,
                             &operation);
    if (rv == CKR_OK)
        rv = bytes_alloc(&secret, montgomery ? key->public.point.size
                                             : public_key_coordinate_size(&key->public));
    if (rv != CKR_OK)
        return rv;
    size_t size = secret.size;
    if (EVP_PKEY_derive_set_peer_ex(operation, peer, 0) != 1)
        return CKR_FUNCTION_FAILED;
    if (EVP_PKEY_derive(operation, secret.data, &size) != 1 || size != secret.size)
        return montgomery ? CKR_MECHANISM_PARAM_INVALID : CKR_FUNCTION_FAILED;
    *ret_secret = secret;
    secret = (struct bytes){0};
    return CKR_OK;
}

int crypto_key_pin(char *buffer, int size, UNUSED int writing, void *key_pin)
{
    struct key_pin *source = key_pin;
    source->asked = true;
    if (!source->pin.data || size < 0 || source->pin.size > (size_t)size)
        return -1;
    memcpy(buffer, source->pin.data, source->pin.size);
    return (int)source->pin.size;
}

void crypto_key_free(struct crypto_key *key)
{
    if (!key || !crypto_alive())
        return;
    EVP_PKEY_free(key->pkey);
    public_key_clear(&key->public);
    if (key->home)
        key->home->free(key->home);
    free(key);
}

void crypto_key_cleanup(struct crypto_key **key)
{
    crypto_key_free(*key);
    *key = NULL;
}
