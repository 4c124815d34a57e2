#include "token/crypto/encrypted.h"

#include <limits.h>

#include <openssl/pkcs12.h>

#include "token/crypto/openssl.h"

/* What OpenSSL allows itself is 32 MiB; this bounds the time as well. */
#define SCRYPT_MAX_WORK (1 << 24)
#define PEM_SALT_SIZE 8

OPENSSL_DROP(PBE2PARAM, PBE2PARAM_free)
OPENSSL_DROP(PBEPARAM, PBEPARAM_free)
OPENSSL_DROP(PBKDF2PARAM, PBKDF2PARAM_free)
OPENSSL_DROP(SCRYPT_PARAMS, SCRYPT_PARAMS_free)
OPENSSL_DROP(X509_SIG, X509_SIG_free)

static CK_RV lacking(struct reason *reason, const char *name)
{
    reason_set(reason,
               "it is encrypted with %s, which OpenSSL's default provider does not have; convert "
               "it with an `openssl pkcs12 -legacy` or `openssl pkcs8 -provider legacy -provider "
               "default` command to AES",
               name ? name : "an unknown algorithm");
    return CKR_DATA_INVALID;
}

static CK_RV malformed(struct reason *reason)
{
    reason_set(reason, "the parameters of its encryption are malformed");
    return CKR_DATA_INVALID;
}

static CK_RV check_cipher(int nid, struct reason *reason)
{
    const char *name = nid == NID_undef ? NULL : OBJ_nid2sn(nid);
    CLEANUP(EVP_CIPHER_drop)
    EVP_CIPHER *cipher = name ? EVP_CIPHER_fetch(crypto_context(), name, NULL) : NULL;
    return cipher ? CKR_OK : lacking(reason, name);
}

static CK_RV check_hash(int nid, struct reason *reason)
{
    const char *name = nid == NID_undef ? NULL : OBJ_nid2sn(nid);
    CLEANUP(EVP_MD_drop) EVP_MD *md = name ? EVP_MD_fetch(crypto_context(), name, NULL) : NULL;
    return md ? CKR_OK : lacking(reason, name);
}

static CK_RV check_rounds(const ASN1_INTEGER *number, struct reason *reason)
{
    int64_t rounds = 1;
    if (number && (ASN1_INTEGER_get_int64(&rounds, number) != 1 || rounds < 1 ||
                   rounds > ENCRYPTED_MAX_ROUNDS)) {
        reason_set(reason, "its encryption asks for more than %d rounds of hashing, or none",
                   ENCRYPTED_MAX_ROUNDS);
        return CKR_DATA_INVALID;
    }
    return CKR_OK;
}

static void *unpack(const X509_ALGOR *algorithm, const ASN1_ITEM *item)
{
    const void *parameter = NULL;
    const ASN1_OBJECT *object = NULL;
    int type = V_ASN1_UNDEF;
    X509_ALGOR_get0(&object, &type, &parameter, algorithm);
    return type == V_ASN1_SEQUENCE ? ASN1_item_unpack(parameter, item) : NULL;
}

static int algorithm_nid(const X509_ALGOR *algorithm)
{
    const ASN1_OBJECT *object = NULL;
    X509_ALGOR_get0(&object, NULL, NULL, algorithm);
    return object ? OBJ_obj2nid(object) : NID_undef;
}

static CK_RV check_pbkdf2(const X509_ALGOR *function, struct reason *reason)
{
    CLEANUP(PBKDF2PARAM_drop)
    PBKDF2PARAM *parameters = unpack(function, ASN1_ITEM_rptr(PBKDF2PARAM));
    if (!parameters)
        return malformed(reason);
    CK_RV rv = check_rounds(parameters->iter, reason);
    if (rv != CKR_OK || !parameters->prf)
        return rv;
    int hash = NID_undef, prf = algorithm_nid(parameters->prf);
    if (!EVP_PBE_find(EVP_PBE_TYPE_PRF, prf, NULL, &hash, NULL))
        return lacking(reason, prf == NID_undef ? NULL : OBJ_nid2sn(prf));
    return check_hash(hash, reason);
}

static CK_RV check_scrypt(const X509_ALGOR *function, struct reason *reason)
{
    CLEANUP(SCRYPT_PARAMS_drop)
    SCRYPT_PARAMS *parameters = unpack(function, ASN1_ITEM_rptr(SCRYPT_PARAMS));
    uint64_t cost = 0, block = 0, lanes = 0;
    if (!parameters || ASN1_INTEGER_get_uint64(&cost, parameters->costParameter) != 1 ||
        ASN1_INTEGER_get_uint64(&block, parameters->blockSize) != 1 ||
        ASN1_INTEGER_get_uint64(&lanes, parameters->parallelizationParameter) != 1)
        return malformed(reason);
    if (cost > SCRYPT_MAX_WORK || block > SCRYPT_MAX_WORK || lanes > SCRYPT_MAX_WORK ||
        cost * block > SCRYPT_MAX_WORK || cost * block * lanes > SCRYPT_MAX_WORK) {
        reason_set(reason, "its encryption asks for too much work of scrypt");
        return CKR_DATA_INVALID;
    }
    return CKR_OK;
}

static CK_RV check_pbes2(const X509_ALGOR *algorithm, struct reason *reason)
{
    CLEANUP(PBE2PARAM_drop)
    PBE2PARAM *parameters = unpack(algorithm, ASN1_ITEM_rptr(PBE2PARAM));
    if (!parameters)
        return malformed(reason);
    CK_RV rv = check_cipher(algorithm_nid(parameters->encryption), reason);
    if (rv != CKR_OK)
        return rv;
    int function = algorithm_nid(parameters->keyfunc);
    if (function == NID_id_pbkdf2)
        return check_pbkdf2(parameters->keyfunc, reason);
    if (function == NID_id_scrypt)
        return check_scrypt(parameters->keyfunc, reason);
    return lacking(reason, function == NID_undef ? NULL : OBJ_nid2sn(function));
}

/* PBMAC1's parameters have the shape of PBES2's. */
CK_RV encrypted_check_pbmac1(const X509_ALGOR *algorithm, struct reason *reason)
{
    KEEP_ERROR_QUEUE;
    CLEANUP(PBE2PARAM_drop)
    PBE2PARAM *parameters = unpack(algorithm, ASN1_ITEM_rptr(PBE2PARAM));
    if (!parameters || algorithm_nid(parameters->keyfunc) != NID_id_pbkdf2)
        return malformed(reason);
    return check_pbkdf2(parameters->keyfunc, reason);
}

CK_RV encrypted_check(const X509_ALGOR *algorithm, struct reason *reason)
{
    KEEP_ERROR_QUEUE;
    if (!crypto_context())
        return CKR_HOST_MEMORY;
    int nid = algorithm_nid(algorithm), cipher = NID_undef, hash = NID_undef;
    if (nid == NID_pbes2)
        return check_pbes2(algorithm, reason);
    if (nid == NID_undef || !EVP_PBE_find(EVP_PBE_TYPE_OUTER, nid, &cipher, &hash, NULL))
        return lacking(reason, nid == NID_undef ? NULL : OBJ_nid2sn(nid));
    CLEANUP(PBEPARAM_drop) PBEPARAM *parameters = unpack(algorithm, ASN1_ITEM_rptr(PBEPARAM));
    if (!parameters)
        return malformed(reason);
    CK_RV rv = check_rounds(parameters->iter, reason);
    if (rv == CKR_OK)
        rv = check_cipher(cipher, reason);
    if (rv == CKR_OK)
        rv = check_hash(hash, reason);
    return rv;
}

CK_RV encrypted_open(const X509_ALGOR *algorithm, const ASN1_OCTET_STRING *cipher,
                     struct view password, struct bytes *ret_plain)
{
    KEEP_ERROR_QUEUE;
    unsigned char *plain = NULL;
    int size = 0;
    if (password.size > INT_MAX)
        return CKR_PIN_INCORRECT;
    if (!PKCS12_pbe_crypt_ex(algorithm, (const char *)password.data, (int)password.size,
                             ASN1_STRING_get0_data(cipher), ASN1_STRING_length(cipher), &plain,
                             &size, 0, crypto_context(), NULL))
        return CKR_PIN_INCORRECT;
    struct bytes copy = {0};
    CK_RV rv = bytes_copy(&copy, view_of(plain, (size_t)size));
    OPENSSL_clear_free(plain, (size_t)size);
    if (rv == CKR_OK)
        *ret_plain = copy;
    return rv;
}

CK_RV encrypted_pkcs8_open(struct view der, struct view password, struct bytes *ret_plain,
                           struct reason *reason)
{
    KEEP_ERROR_QUEUE;
    const unsigned char *in = der.data;
    const X509_ALGOR *algorithm = NULL;
    const ASN1_OCTET_STRING *cipher = NULL;
    CLEANUP(X509_SIG_drop) X509_SIG *sealed = d2i_X509_SIG(NULL, &in, (long)der.size);
    if (!sealed || in != der.data + der.size) {
        reason_set(reason, "its DER is malformed");
        return CKR_DATA_INVALID;
    }
    X509_SIG_get0(sealed, &algorithm, &cipher);
    CK_RV rv = encrypted_check(algorithm, reason);
    if (rv != CKR_OK)
        return rv;
    if (password.data)
        return encrypted_open(algorithm, cipher, password, ret_plain);
    *ret_plain = (struct bytes){0};
    return CKR_OK;
}

/* The key comes from one round of MD5 over password and salt, as ever. */
static CK_RV decrypt_pem(const EVP_CIPHER *cipher, const struct pem_encryption *encryption,
                         struct view in, struct view password, struct bytes *ret_plain)
{
    uint8_t key[EVP_MAX_KEY_LENGTH];
    CLEANUP(EVP_MD_drop) EVP_MD *md5 = EVP_MD_fetch(crypto_context(), "MD5", NULL);
    CLEANUP(EVP_CIPHER_CTX_drop) EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    CLEANUP(bytes_free) struct bytes out = {0};
    if (!md5 || !context)
        return CKR_HOST_MEMORY;
    CK_RV rv = bytes_alloc(&out, in.size + EVP_MAX_BLOCK_LENGTH);
    if (rv != CKR_OK)
        return rv;
    int size = 0, last = 0;
    bool good = EVP_BytesToKey(cipher, md5, encryption->iv, password.data, (int)password.size, 1,
                               key, NULL) > 0 &&
                EVP_DecryptInit_ex2(context, cipher, key, encryption->iv, NULL) == 1 &&
                EVP_DecryptUpdate(context, out.data, &size, in.data, (int)in.size) == 1 &&
                EVP_DecryptFinal_ex(context, out.data + size, &last) == 1;
    OPENSSL_cleanse(key, sizeof(key));
    if (!good)
        return CKR_PIN_INCORRECT;
    struct bytes plain = {0};
    rv = bytes_copy(&plain, view_of(out.data, (size_t)(size + last)));
    if (rv == CKR_OK)
        *ret_plain = plain;
    return rv;
}

CK_RV encrypted_pem_open(const struct pem_encryption *encryption, struct view cipher,
                         struct view password, struct bytes *ret_plain, struct reason *reason)
{
    KEEP_ERROR_QUEUE;
    if (!crypto_context())
        return CKR_HOST_MEMORY;
    CLEANUP(EVP_CIPHER_drop)
    EVP_CIPHER *fetched = EVP_CIPHER_fetch(crypto_context(), encryption->cipher, NULL);
    if (!fetched)
        return lacking(reason, encryption->cipher);
    if (EVP_CIPHER_get_mode(fetched) != EVP_CIPH_CBC_MODE ||
        (size_t)EVP_CIPHER_get_iv_length(fetched) != encryption->iv_size ||
        encryption->iv_size < PEM_SALT_SIZE || cipher.size > INT_MAX / 2 || password.size > INT_MAX)
        return malformed(reason);
    if (password.data)
        return decrypt_pem(fetched, encryption, cipher, password, ret_plain);
    *ret_plain = (struct bytes){0};
    return CKR_OK;
}
