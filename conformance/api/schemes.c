#include "conformance/api/schemes.h"

#include <openssl/ecdsa.h>
#include <openssl/rsa.h>

const struct scheme schemes[] = {
    {CKM_RSA_PKCS, PADDING_PKCS1, NULL},
    {CKM_SHA1_RSA_PKCS, PADDING_PKCS1, "SHA1"},
    {CKM_SHA224_RSA_PKCS, PADDING_PKCS1, "SHA224"},
    {CKM_SHA256_RSA_PKCS, PADDING_PKCS1, "SHA256"},
    {CKM_SHA384_RSA_PKCS, PADDING_PKCS1, "SHA384"},
    {CKM_SHA512_RSA_PKCS, PADDING_PKCS1, "SHA512"},
    {CKM_SHA3_224_RSA_PKCS, PADDING_PKCS1, "SHA3-224"},
    {CKM_SHA3_256_RSA_PKCS, PADDING_PKCS1, "SHA3-256"},
    {CKM_SHA3_384_RSA_PKCS, PADDING_PKCS1, "SHA3-384"},
    {CKM_SHA3_512_RSA_PKCS, PADDING_PKCS1, "SHA3-512"},
    {CKM_RSA_PKCS_PSS, PADDING_PSS, NULL},
    {CKM_SHA1_RSA_PKCS_PSS, PADDING_PSS, "SHA1"},
    {CKM_SHA224_RSA_PKCS_PSS, PADDING_PSS, "SHA224"},
    {CKM_SHA256_RSA_PKCS_PSS, PADDING_PSS, "SHA256"},
    {CKM_SHA384_RSA_PKCS_PSS, PADDING_PSS, "SHA384"},
    {CKM_SHA512_RSA_PKCS_PSS, PADDING_PSS, "SHA512"},
    {CKM_SHA3_224_RSA_PKCS_PSS, PADDING_PSS, "SHA3-224"},
    {CKM_SHA3_256_RSA_PKCS_PSS, PADDING_PSS, "SHA3-256"},
    {CKM_SHA3_384_RSA_PKCS_PSS, PADDING_PSS, "SHA3-384"},
    {CKM_SHA3_512_RSA_PKCS_PSS, PADDING_PSS, "SHA3-512"},
    {CKM_RSA_X_509, PADDING_NONE, NULL},
    {CKM_ECDSA, PADDING_ECDSA, NULL},
    {CKM_ECDSA_SHA1, PADDING_ECDSA, "SHA1"},
    {CKM_ECDSA_SHA224, PADDING_ECDSA, "SHA224"},
    {CKM_ECDSA_SHA256, PADDING_ECDSA, "SHA256"},
    {CKM_ECDSA_SHA384, PADDING_ECDSA, "SHA384"},
    {CKM_ECDSA_SHA512, PADDING_ECDSA, "SHA512"},
    {CKM_ECDSA_SHA3_224, PADDING_ECDSA, "SHA3-224"},
    {CKM_ECDSA_SHA3_256, PADDING_ECDSA, "SHA3-256"},
    {CKM_ECDSA_SHA3_384, PADDING_ECDSA, "SHA3-384"},
    {CKM_ECDSA_SHA3_512, PADDING_ECDSA, "SHA3-512"},
};

const size_t scheme_count = COUNT_OF(schemes);

struct hash {
    const char *name;
    CK_MECHANISM_TYPE mechanism;
    CK_RSA_PKCS_MGF_TYPE mgf;
};

static const struct hash hashes[] = {
    {"SHA256", CKM_SHA256, CKG_MGF1_SHA256},       {"SHA1", CKM_SHA_1, CKG_MGF1_SHA1},
    {"SHA224", CKM_SHA224, CKG_MGF1_SHA224},       {"SHA384", CKM_SHA384, CKG_MGF1_SHA384},
    {"SHA512", CKM_SHA512, CKG_MGF1_SHA512},       {"SHA3-224", CKM_SHA3_224, CKG_MGF1_SHA3_224},
    {"SHA3-256", CKM_SHA3_256, CKG_MGF1_SHA3_256}, {"SHA3-384", CKM_SHA3_384, CKG_MGF1_SHA3_384},
    {"SHA3-512", CKM_SHA3_512, CKG_MGF1_SHA3_512},
};

static const unsigned char sha256_digest_info[] = {0x30, 0x31, 0x30, 0x0D, 0x06, 0x09, 0x60,
                                                   0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02,
                                                   0x01, 0x05, 0x00, 0x04, 0x20};

const struct scheme *scheme_of(CK_MECHANISM_TYPE type)
{
    for (size_t i = 0; i < scheme_count; i++)
        if (schemes[i].type == type)
            return &schemes[i];
    fail_msg("%s is not among the schemes", mechanism_name(type));
    return NULL;
}

CK_KEY_TYPE scheme_key_type(const struct scheme *scheme)
{
    return scheme->padding == PADDING_ECDSA ? CKK_EC : CKK_RSA;
}

static const struct hash *hash_named(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(hashes); i++)
        if (strcmp(hashes[i].name, name) == 0)
            return &hashes[i];
    return &hashes[0];
}

static const char *hash_of_mechanism(CK_MECHANISM_TYPE type)
{
    for (size_t i = 0; i < COUNT_OF(hashes); i++)
        if (hashes[i].mechanism == type)
            return hashes[i].name;
    return hashes[0].name;
}

CK_RSA_PKCS_PSS_PARAMS pss_params(const char *hash, CK_ULONG salt_length)
{
    const struct hash *row = hash_named(hash);
    CK_RSA_PKCS_PSS_PARAMS params = {row->mechanism, row->mgf, salt_length};

    return params;
}

CK_MECHANISM scheme_mechanism(const struct scheme *scheme, CK_RSA_PKCS_PSS_PARAMS *ret_params)
{
    const char *hash = scheme->hash ? scheme->hash : "SHA256";
    CK_MECHANISM mechanism = {scheme->type, NULL, 0};

    if (scheme->padding != PADDING_PSS)
        return mechanism;
    *ret_params = pss_params(hash, (CK_ULONG)EVP_MD_get_size(EVP_get_digestbyname(hash)));
    mechanism.pParameter = ret_params;
    mechanism.ulParameterLen = sizeof(*ret_params);
    return mechanism;
}

size_t hash_bytes(const char *hash, const void *data, size_t length,
                  unsigned char ret_hash[EVP_MAX_MD_SIZE])
{
    unsigned hash_length = 0;

    assert_int_equal(
        EVP_Digest(data, length, ret_hash, &hash_length, EVP_get_digestbyname(hash), NULL), 1);
    return hash_length;
}

static size_t digest_info(unsigned char *ret_data, const unsigned char hash[32])
{
    memcpy(ret_data, sha256_digest_info, sizeof(sha256_digest_info));
    memcpy(ret_data + sizeof(sha256_digest_info), hash, 32);
    return sizeof(sha256_digest_info) + 32;
}

size_t scheme_data(const struct scheme *scheme, const struct token *token,
                   unsigned char ret_data[MAX_VALUE])
{
    static const char message[] = "the quick brown fox jumps over the lazy dog, many times";
    unsigned char hash[EVP_MAX_MD_SIZE];

    if (scheme->hash) {
        memcpy(ret_data, message, sizeof(message));
        return sizeof(message);
    }
    hash_bytes("SHA256", message, sizeof(message), hash);
    if (scheme->padding == PADDING_PKCS1)
        return digest_info(ret_data, hash);
    if (scheme->padding == PADDING_NONE) {
        memset(ret_data, 0x5A, token->signature_size);
        ret_data[0] = 0;
        return token->signature_size;
    }
    memcpy(ret_data, hash, 32);
    return 32;
}

static size_t ecdsa_der(const unsigned char *signature, size_t length, unsigned char **ret_der)
{
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(signature, (int)(length / 2), NULL);
    BIGNUM *s = BN_bin2bn(signature + length / 2, (int)(length / 2), NULL);
    int der_length;

    ECDSA_SIG_set0(pair, r, s);
    *ret_der = NULL;
    der_length = i2d_ECDSA_SIG(pair, ret_der);
    ECDSA_SIG_free(pair);
    return der_length > 0 ? (size_t)der_length : 0;
}

static bool set_padding(EVP_PKEY_CTX *context, const struct scheme *scheme,
                        const CK_MECHANISM *mechanism)
{
    const CK_RSA_PKCS_PSS_PARAMS *params = mechanism->pParameter;

    if (scheme->padding == PADDING_PKCS1)
        return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) > 0;
    if (scheme->padding != PADDING_PSS)
        return true;
    return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) > 0 &&
           (scheme->hash ||
            EVP_PKEY_CTX_set_signature_md(
                context, EVP_get_digestbyname(hash_of_mechanism(params->hashAlg))) > 0) &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(context, (int)params->sLen) > 0;
}

static bool verify_message(const struct token *token, const struct scheme *scheme,
                           const CK_MECHANISM *mechanism, const unsigned char *data, size_t length,
                           const unsigned char *signature, size_t signature_length)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *key_context = NULL;
    bool good = EVP_DigestVerifyInit(context, &key_context, EVP_get_digestbyname(scheme->hash),
                                     NULL, token->key) > 0 &&
                set_padding(key_context, scheme, mechanism) &&
                EVP_DigestVerify(context, signature, signature_length, data, length) == 1;

    EVP_MD_CTX_free(context);
    return good;
}

static bool verify_data(const struct token *token, const struct scheme *scheme,
                        const CK_MECHANISM *mechanism, const unsigned char *data, size_t length,
                        const unsigned char *signature, size_t signature_length)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(token->key, NULL);
    bool good = EVP_PKEY_verify_init(context) > 0 && set_padding(context, scheme, mechanism) &&
                EVP_PKEY_verify(context, signature, signature_length, data, length) == 1;

    EVP_PKEY_CTX_free(context);
    return good;
}

/* Whole blocks are compared: newer OpenSSL takes none apart that holds no data. */
static bool verify_recovered(const struct token *token, enum padding padding,
                             const unsigned char *data, size_t length,
                             const unsigned char *signature, size_t signature_length)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(token->key, NULL);
    unsigned char block[MAX_VALUE], expected[MAX_VALUE] = {0};
    size_t block_length = sizeof(block), size = token->signature_size;
    size_t overhead = padding == PADDING_PKCS1 ? 11 : 0;
    bool good =
        EVP_PKEY_verify_recover_init(context) > 0 &&
        EVP_PKEY_CTX_set_rsa_padding(context, RSA_NO_PADDING) > 0 &&
        EVP_PKEY_verify_recover(context, block, &block_length, signature, signature_length) > 0;

    EVP_PKEY_CTX_free(context);
    if (!good || block_length != size || length + overhead > size)
        return false;
    if (padding == PADDING_PKCS1) {
        expected[1] = 1;
        memset(expected + 2, 0xff, size - length - 3);
    }
    memcpy(expected + size - length, data, length);
    return memcmp(block, expected, size) == 0;
}

bool openssl_verifies(const struct token *token, const CK_MECHANISM *mechanism,
                      const unsigned char *data, size_t data_length, const unsigned char *signature,
                      size_t signature_length)
{
    const struct scheme *scheme = scheme_of(mechanism->mechanism);
    unsigned char *der = NULL;
    bool good;

    if (scheme->padding == PADDING_NONE || (scheme->padding == PADDING_PKCS1 && !scheme->hash))
        return verify_recovered(token, scheme->padding, data, data_length, signature,
                                signature_length);
    if (scheme->padding == PADDING_ECDSA) {
        signature_length = ecdsa_der(signature, signature_length, &der);
        signature = der;
    }
    good = scheme->hash ? verify_message(token, scheme, mechanism, data, data_length, signature,
                                         signature_length)
                        : verify_data(token, scheme, mechanism, data, data_length, signature,
                                      signature_length);
    OPENSSL_free(der);
    return good;
}
