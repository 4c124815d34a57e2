#include "emulator/identity/public_key.h"

#include "emulator/error.h"
#include "emulator/identity/certificate.h"
#include "emulator/openssl_scope.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <string.h>
#include <tss2/tss2_tpm2_types.h>

#define COORDINATE_SIZE 32
#define RSA_MODULUS_MAX 512
#define RSA_DEFAULT_EXPONENT 65537

static EVP_PKEY *key_from(const char *type, OSSL_PARAM_BLD *parts)
{
    OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(parts);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(openssl_private(), type, NULL);
    EVP_PKEY *key = NULL;

    if (parameters && context && EVP_PKEY_fromdata_init(context) == 1 &&
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(parameters);
    return key;
}

static EVP_PKEY *rsa_key(struct answer *area)
{
    OSSL_PARAM_BLD *parts = OSSL_PARAM_BLD_new();
    uint32_t exponent;
    struct answer modulus;
    EVP_PKEY *key = NULL;
    BIGNUM *n = NULL;

    (void)answer_u16(area); /* keyBits */
    exponent = answer_u32(area);
    modulus = answer_2b(area);
    if (!area->cut && modulus.left > 0 && modulus.left <= RSA_MODULUS_MAX)
        n = BN_bin2bn(modulus.at, (int)modulus.left, NULL);
    if (parts && n && OSSL_PARAM_BLD_push_BN(parts, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_uint32(parts, OSSL_PKEY_PARAM_RSA_E,
                                   exponent ? exponent : RSA_DEFAULT_EXPONENT) == 1)
        key = key_from("RSA", parts);
    BN_free(n);
    OSSL_PARAM_BLD_free(parts);
    return key;
}

/* Right-aligned; false if it is too long. */
static bool copy_coordinate(struct answer coordinate, uint8_t to[COORDINATE_SIZE])
{
    if (coordinate.cut || coordinate.left > COORDINATE_SIZE)
        return false;
    memset(to, 0, COORDINATE_SIZE);
    memcpy(to + COORDINATE_SIZE - coordinate.left, coordinate.at, coordinate.left);
    return true;
}

static EVP_PKEY *ecc_key(struct answer *area)
{
    OSSL_PARAM_BLD *parts = OSSL_PARAM_BLD_new();
    uint8_t point[1 + 2 * COORDINATE_SIZE] = {0x04};
    bool whole = answer_u16(area) == TPM2_ECC_NIST_P256 && answer_u16(area) == TPM2_ALG_NULL &&
                 copy_coordinate(answer_2b(area), point + 1) &&
                 copy_coordinate(answer_2b(area), point + 1 + COORDINATE_SIZE);
    EVP_PKEY *key = NULL;

    if (parts && whole &&
        OSSL_PARAM_BLD_push_utf8_string(parts, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(parts, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)) == 1)
        key = key_from("EC", parts);
    OSSL_PARAM_BLD_free(parts);
    return key;
}

TSS2_RC public_key_read(struct answer area, EVP_PKEY **ret)
{
    OPENSSL_SCOPE struct openssl_scope scope = openssl_enter();
    uint16_t type = answer_u16(&area);
    EVP_PKEY *key = NULL;

    (void)answer_u16(&area);                /* nameAlg */
    (void)answer_u32(&area);                /* objectAttributes */
    (void)answer_2b(&area);                 /* authPolicy */
    (void)answer_bytes(&area, 6);           /* a symmetric algorithm, its key size and mode */
    if (answer_u16(&area) == TPM2_ALG_NULL) /* no scheme */
        key = type == TPM2_ALG_RSA ? rsa_key(&area) : type == TPM2_ALG_ECC ? ecc_key(&area) : NULL;
    if (!key)
        return certificate_failed("the TPM's answer holds no endorsement key");
    *ret = key;
    return TSS2_RC_SUCCESS;
}
