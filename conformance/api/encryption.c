#include "conformance/api/encryption.h"

#include <openssl/rsa.h>

unsigned char plain[15] = "a short secret";
unsigned char oaep_label[4] = "name";

#define OAEP(hash, mgf, label, label_length)                                                       \
    {                                                                                              \
        hash, mgf, CKZ_DATA_SPECIFIED, label, label_length                                         \
    }

static CK_RSA_PKCS_OAEP_PARAMS sha1 = OAEP(CKM_SHA_1, CKG_MGF1_SHA1, NULL, 0);
static CK_RSA_PKCS_OAEP_PARAMS sha256 = OAEP(CKM_SHA256, CKG_MGF1_SHA256, NULL, 0);
static CK_RSA_PKCS_OAEP_PARAMS sha256_label =
    OAEP(CKM_SHA256, CKG_MGF1_SHA256, oaep_label, sizeof(oaep_label));
static CK_RSA_PKCS_OAEP_PARAMS sha1_label =
    OAEP(CKM_SHA_1, CKG_MGF1_SHA1, oaep_label, sizeof(oaep_label));

CK_MECHANISM mechanisms[MECHANISMS] = {
    [PKCS1] = {CKM_RSA_PKCS, NULL, 0},
    [OAEP_SHA1] = {CKM_RSA_PKCS_OAEP, &sha1, sizeof(sha1)},
    [OAEP_SHA256] = {CKM_RSA_PKCS_OAEP, &sha256, sizeof(sha256)},
    [OAEP_SHA256_LABEL] = {CKM_RSA_PKCS_OAEP, &sha256_label, sizeof(sha256_label)},
    [OAEP_SHA1_LABEL] = {CKM_RSA_PKCS_OAEP, &sha1_label, sizeof(sha1_label)},
};

struct token *rsa_token_or_skip(void)
{
    struct token *token = token_or_skip("PKCS11_TOKEN_RSA");

    mechanism_or_skip(token->slot, CKM_RSA_PKCS_OAEP);
    return token;
}

bool supported(struct token *token, CK_MECHANISM *mechanism)
{
    CK_RV rv;

    if (module_is_signet())
        return true;
    rv = p11->C_EncryptInit(token->session, mechanism, token->public_key);
    if (rv == CKR_OK) {
        struct block block = {.length = MAX_BLOCK};

        rv = p11->C_Encrypt(token->session, plain, sizeof(plain), block.bytes, &block.length);
    }
    return rv == CKR_OK;
}

static const EVP_MD *hash_of(const CK_RSA_PKCS_OAEP_PARAMS *params)
{
    return params->hashAlg == CKM_SHA_1 ? EVP_sha1() : EVP_sha256();
}

static bool set_padding(EVP_PKEY_CTX *context, const CK_MECHANISM *mechanism)
{
    const CK_RSA_PKCS_OAEP_PARAMS *params = mechanism->pParameter;
    unsigned char *copy;

    if (!params)
        return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) > 0;
    if (EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) <= 0 ||
        EVP_PKEY_CTX_set_rsa_oaep_md(context, hash_of(params)) <= 0 ||
        EVP_PKEY_CTX_set_rsa_mgf1_md(context, hash_of(params)) <= 0)
        return false;
    if (params->ulSourceDataLen == 0)
        return true;
    copy = OPENSSL_memdup(params->pSourceData, params->ulSourceDataLen);
    return EVP_PKEY_CTX_set0_rsa_oaep_label(context, copy, (int)params->ulSourceDataLen) > 0;
}

struct block openssl_encrypt(const struct token *token, const CK_MECHANISM *mechanism,
                             const void *data, size_t length)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(token->key, NULL);
    struct block block = {.length = MAX_BLOCK};
    bool good = EVP_PKEY_encrypt_init(context) > 0 && set_padding(context, mechanism) &&
                EVP_PKEY_encrypt(context, block.bytes, &block.length, data, length) > 0;

    EVP_PKEY_CTX_free(context);
    assert_true(good);
    return block;
}

CK_RV decrypt(struct token *token, CK_MECHANISM *mechanism, struct block *in, struct block *out)
{
    assert_ok(p11->C_DecryptInit(token->session, mechanism, token->private_key));
    memset(out->bytes, POISON_BYTE, sizeof(out->bytes));
    out->length = MAX_BLOCK;
    return p11->C_Decrypt(token->session, in->bytes, in->length, out->bytes, &out->length);
}
