#include "conformance/api/making.h"

#include <openssl/core_names.h>
#include <openssl/param_build.h>

#include "conformance/api/schemes.h"

CK_RV generate_pair(CK_SESSION_HANDLE session, CK_MECHANISM_TYPE type, CK_ATTRIBUTE *public_list,
                    CK_ULONG public_count, CK_ATTRIBUTE *private_list, CK_ULONG private_count,
                    struct pair *ret_pair)
{
    CK_MECHANISM mechanism = {type, NULL, 0};

    *ret_pair = (struct pair){POISON_ULONG, POISON_ULONG};
    return p11->C_GenerateKeyPair(session, &mechanism, public_list, public_count, private_list,
                                  private_count, &ret_pair->public_key, &ret_pair->private_key);
}

static CK_SLOT_ID slot_of_session(CK_SESSION_HANDLE session)
{
    CK_SESSION_INFO info;

    assert_ok(p11->C_GetSessionInfo(session, &info));
    return info.slotID;
}

struct pair new_rsa_pair(CK_SESSION_HANDLE session, CK_ULONG bits, bool token)
{
    struct pair pair;

    mechanism_or_skip(slot_of_session(session), CKM_RSA_PKCS_KEY_PAIR_GEN);
    assert_ok(generate_pair(
        session, CKM_RSA_PKCS_KEY_PAIR_GEN,
        LIST(NUMBER(CKA_MODULUS_BITS, bits), BYTES(CKA_PUBLIC_EXPONENT, "\1\0\1", 3),
             FLAG(CKA_TOKEN, token), FLAG(CKA_PRIVATE, false), FLAG(CKA_VERIFY, true),
             FLAG(CKA_ENCRYPT, true), FLAG(CKA_WRAP, true), FLAG(CKA_VERIFY_RECOVER, true)),
        LIST(FLAG(CKA_TOKEN, token), FLAG(CKA_PRIVATE, true), FLAG(CKA_SENSITIVE, true),
             FLAG(CKA_SIGN, true), FLAG(CKA_DECRYPT, true), FLAG(CKA_UNWRAP, true),
             FLAG(CKA_SIGN_RECOVER, true)),
        &pair));
    return pair;
}

struct pair new_ec_pair(CK_SESSION_HANDLE session, const char *params, size_t length, bool token)
{
    struct pair pair;

    mechanism_or_skip(slot_of_session(session), CKM_EC_KEY_PAIR_GEN);
    assert_ok(
        generate_pair(session, CKM_EC_KEY_PAIR_GEN,
                      LIST(BYTES(CKA_EC_PARAMS, params, length), FLAG(CKA_TOKEN, token),
                           FLAG(CKA_PRIVATE, false), FLAG(CKA_VERIFY, true)),
                      LIST(FLAG(CKA_TOKEN, token), FLAG(CKA_PRIVATE, true),
                           FLAG(CKA_SENSITIVE, true), FLAG(CKA_SIGN, true), FLAG(CKA_DERIVE, true)),
                      &pair));
    return pair;
}

CK_RV generate_secret(CK_SESSION_HANDLE session, CK_MECHANISM_TYPE type, CK_ULONG bytes,
                      CK_ATTRIBUTE *more, CK_ULONG count, CK_OBJECT_HANDLE *ret_key)
{
    CK_MECHANISM mechanism = {type, NULL, 0};
    CK_ATTRIBUTE list[MAX_ATTRIBUTES] = {NUMBER(CKA_VALUE_LEN, bytes)};

    assert_true(count < MAX_ATTRIBUTES);
    memcpy(list + 1, more, count * sizeof(*more));
    return p11->C_GenerateKey(session, &mechanism, list, count + 1, ret_key);
}

CK_OBJECT_HANDLE new_aes_key(CK_SESSION_HANDLE session, CK_ULONG bytes, bool token)
{
    CK_OBJECT_HANDLE key = POISON_ULONG;

    mechanism_or_skip(slot_of_session(session), CKM_AES_KEY_GEN);
    assert_ok(generate_secret(
        session, CKM_AES_KEY_GEN, bytes,
        LIST(FLAG(CKA_TOKEN, token), FLAG(CKA_PRIVATE, true), FLAG(CKA_SENSITIVE, true),
             FLAG(CKA_ENCRYPT, true), FLAG(CKA_DECRYPT, true), FLAG(CKA_WRAP, true),
             FLAG(CKA_UNWRAP, true), FLAG(CKA_SIGN, true), FLAG(CKA_VERIFY, true)),
        &key));
    return key;
}

CK_OBJECT_HANDLE known_secret(CK_SESSION_HANDLE session, CK_KEY_TYPE type, const void *value,
                              size_t length)
{
    CK_OBJECT_HANDLE key = POISON_ULONG;
    bool in_tpm = secrets_in_tpm(), aes = type == CKK_AES;

    assert_ok(p11->C_CreateObject(
        session,
        LIST(NUMBER(CKA_CLASS, CKO_SECRET_KEY), NUMBER(CKA_KEY_TYPE, type),
             BYTES(CKA_VALUE, value, length), FLAG(CKA_TOKEN, in_tpm), FLAG(CKA_SENSITIVE, in_tpm),
             FLAG(CKA_EXTRACTABLE, !in_tpm), FLAG(CKA_ENCRYPT, aes || !in_tpm),
             FLAG(CKA_DECRYPT, aes || !in_tpm), FLAG(CKA_WRAP, !in_tpm), FLAG(CKA_UNWRAP, !in_tpm),
             FLAG(CKA_SIGN, true), FLAG(CKA_VERIFY, true), FLAG(CKA_DERIVE, !in_tpm)),
        &key));
    return key;
}

static EVP_PKEY *key_from(OSSL_PARAM_BLD *builder, const char *type)
{
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *key = NULL;

    assert_true(EVP_PKEY_fromdata_init(context) > 0);
    assert_true(EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params) > 0);
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(builder);
    return key;
}

static EVP_PKEY *rsa_public(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE public_key)
{
    unsigned char modulus[MAX_VALUE], exponent[MAX_VALUE];
    size_t modulus_length = get_bytes(session, public_key, CKA_MODULUS, modulus);
    size_t exponent_length = get_bytes(session, public_key, CKA_PUBLIC_EXPONENT, exponent);
    BIGNUM *n = BN_bin2bn(modulus, (int)modulus_length, NULL);
    BIGNUM *e = BN_bin2bn(exponent, (int)exponent_length, NULL);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    EVP_PKEY *key;

    OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n);
    OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e);
    key = key_from(builder, "RSA");
    BN_free(n);
    BN_free(e);
    return key;
}

static EVP_PKEY *ec_public(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE public_key)
{
    unsigned char params[MAX_VALUE], value[MAX_VALUE];
    const unsigned char *position = params, *point = value;
    long params_length = (long)get_bytes(session, public_key, CKA_EC_PARAMS, params);
    long point_length = (long)get_bytes(session, public_key, CKA_EC_POINT, value);
    ASN1_OBJECT *curve = d2i_ASN1_OBJECT(NULL, &position, params_length);
    ASN1_OCTET_STRING *string = d2i_ASN1_OCTET_STRING(NULL, &point, point_length);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    EVP_PKEY *key;

    assert_non_null(curve);
    assert_non_null(string);
    OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME,
                                    OBJ_nid2sn(OBJ_obj2nid(curve)), 0);
    OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY,
                                     ASN1_STRING_get0_data(string),
                                     (size_t)ASN1_STRING_length(string));
    key = key_from(builder, "EC");
    ASN1_OBJECT_free(curve);
    ASN1_OCTET_STRING_free(string);
    return key;
}

EVP_PKEY *openssl_public(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE public_key)
{
    if (get_ulong(session, public_key, CKA_KEY_TYPE) == CKK_RSA)
        return rsa_public(session, public_key);
    return ec_public(session, public_key);
}

struct token token_of_pair(CK_SESSION_HANDLE session, struct pair pair)
{
    struct token token = {.slot = slot_of_session(session),
                          .session = session,
                          .private_key = pair.private_key,
                          .public_key = pair.public_key};

    token.key_type = get_ulong(session, pair.public_key, CKA_KEY_TYPE);
    token.key = openssl_public(session, pair.public_key);
    if (token.key_type == CKK_RSA)
        token.signature_size = (size_t)EVP_PKEY_get_size(token.key);
    else
        token.signature_size = 2 * ((size_t)(EVP_PKEY_get_bits(token.key) + 7) / 8);
    return token;
}

CK_RV sign_and_verify(struct token *token, CK_MECHANISM_TYPE type)
{
    const struct scheme *scheme = scheme_of(type);
    CK_RSA_PKCS_PSS_PARAMS params;
    CK_MECHANISM mechanism = scheme_mechanism(scheme, &params);
    unsigned char data[MAX_VALUE], signature[1024];
    size_t length = scheme_data(scheme, token, data);
    CK_ULONG size = sizeof(signature);
    CK_RV rv = p11->C_SignInit(token->session, &mechanism, token->private_key);

    if (rv == CKR_OK)
        rv = p11->C_Sign(token->session, data, length, signature, &size);
    if (rv != CKR_OK)
        return rv;
    assert_int_equal(size, token->signature_size);
    assert_true(openssl_verifies(token, &mechanism, data, length, signature, size));
    rv = p11->C_VerifyInit(token->session, &mechanism, token->public_key);
    if (rv == CKR_OK)
        rv = p11->C_Verify(token->session, data, length, signature, size);
    return rv;
}

CK_RV sign_simply(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key)
{
    bool rsa = get_ulong(session, key, CKA_KEY_TYPE) == CKK_RSA;
    CK_MECHANISM mechanism = {rsa ? CKM_SHA256_RSA_PKCS : CKM_ECDSA, NULL, 0};
    CK_BYTE data[32] = {1}, signature[1024];
    CK_ULONG length = sizeof(signature);
    CK_RV rv = p11->C_SignInit(session, &mechanism, key);

    return rv == CKR_OK ? p11->C_Sign(session, data, sizeof(data), signature, &length) : rv;
}
