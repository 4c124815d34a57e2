/* What no TPM has, kept under its seal: Ed25519, X25519, secp256k1 and RSA-4096; and how
 * they are refused where the token may not. */
#include <openssl/ec.h>

#include "conformance/api/making.h"

#define SEALED "sealed keys = yes"

static const char text[] = "to be signed";

static CK_SLOT_ID slot_with_sealed_keys(void)
{
    user_session_with(SEALED);
    return common_slot();
}

/* The raw public key in CKA_EC_POINT, with or without the octet string around it. */
static EVP_PKEY *raw_public(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE public_key, int type)
{
    unsigned char point[MAX_VALUE];
    size_t length = get_bytes(session, public_key, CKA_EC_POINT, point);
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key(type, NULL, point + length - 32, 32);

    assert_true(length == 32 || (length == 34 && point[0] == 4 && point[1] == 32));
    assert_non_null(key);
    return key;
}

static bool openssl_accepts(EVP_PKEY *key, const EVP_MD *digest, const unsigned char *signature,
                            size_t length)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = EVP_DigestVerifyInit(context, NULL, digest, NULL, key) > 0 &&
                EVP_DigestVerify(context, signature, length, (const unsigned char *)text,
                                 sizeof(text)) == 1;

    EVP_MD_CTX_free(context);
    return good;
}

static struct pair new_edwards_pair(CK_SESSION_HANDLE session, bool token)
{
    struct pair pair;

    assert_ok(generate_pair(
        session, CKM_EC_EDWARDS_KEY_PAIR_GEN,
        LIST(BYTES(CKA_EC_PARAMS, EDWARDS25519), FLAG(CKA_TOKEN, token), FLAG(CKA_PRIVATE, false),
             FLAG(CKA_VERIFY, true)),
        LIST(FLAG(CKA_TOKEN, token), FLAG(CKA_SENSITIVE, true), FLAG(CKA_SIGN, true)), &pair));
    return pair;
}

static void ed25519_signs_and_openssl_verifies(void **state)
{
    CK_SESSION_HANDLE session = user_session_with(SEALED);
    CK_MECHANISM mechanism = {CKM_EDDSA, NULL, 0};

    (void)state;
    mechanism_or_skip(common_slot(), CKM_EC_EDWARDS_KEY_PAIR_GEN);
    for (unsigned i = 0; i < 2; i++) {
        struct pair pair = new_edwards_pair(session, i);
        EVP_PKEY *key = raw_public(session, pair.public_key, EVP_PKEY_ED25519);
        CK_BYTE signature[64];
        CK_ULONG length = sizeof(signature);

        assert_ok(p11->C_SignInit(session, &mechanism, pair.private_key));
        assert_ok(
            p11->C_Sign(session, (CK_BYTE *)(uintptr_t)text, sizeof(text), signature, &length));
        assert_int_equal(length, 64);
        assert_true(openssl_accepts(key, NULL, signature, length));
        assert_ok(p11->C_VerifyInit(session, &mechanism, pair.public_key));
        assert_ok(
            p11->C_Verify(session, (CK_BYTE *)(uintptr_t)text, sizeof(text), signature, length));
        signature[7] ^= 1;
        assert_ok(p11->C_VerifyInit(session, &mechanism, pair.public_key));
        assert_rv(
            p11->C_Verify(session, (CK_BYTE *)(uintptr_t)text, sizeof(text), signature, length),
            CKR_SIGNATURE_INVALID);
        EVP_PKEY_free(key);
    }
}

static void a_sealed_key_works_after_a_new_start(void **state)
{
    CK_MECHANISM mechanism = {CKM_EDDSA, NULL, 0};
    CK_OBJECT_HANDLE keys[MAX_FOUND];
    CK_SESSION_HANDLE session = user_session_with(SEALED);
    CK_BYTE signature[64];
    CK_ULONG length = sizeof(signature);

    (void)state;
    mechanism_or_skip(common_slot(), CKM_EC_EDWARDS_KEY_PAIR_GEN);
    new_edwards_pair(session, true);
    new_start();
    session = open_session(common_slot());
    assert_int_equal(find_class(session, CKO_PRIVATE_KEY, keys), 0);
    assert_ok(login_as(session, CKU_USER, USER_PIN));
    assert_int_equal(find_class(session, CKO_PRIVATE_KEY, keys), 1);
    assert_rv(attribute_rv(session, keys[0], CKA_VALUE), CKR_ATTRIBUTE_SENSITIVE);
    assert_ok(p11->C_SignInit(session, &mechanism, keys[0]));
    assert_ok(p11->C_Sign(session, (CK_BYTE *)(uintptr_t)text, sizeof(text), signature, &length));
    assert_int_equal(length, 64);
}

static void x25519_agrees_with_openssl(void **state)
{
    CK_SESSION_HANDLE session = user_session_with(SEALED);
    EVP_PKEY *peer = new_edwards(EVP_PKEY_X25519), *own;
    unsigned char point[32], expected[32], value[MAX_VALUE];
    size_t length = sizeof(point);
    CK_ECDH1_DERIVE_PARAMS ecdh = {CKD_NULL, 0, NULL, 32, point};
    CK_MECHANISM mechanism = {CKM_ECDH1_DERIVE, &ecdh, sizeof(ecdh)};
    CK_OBJECT_HANDLE secret = POISON_ULONG;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(peer, NULL);
    struct pair pair;

    (void)state;
    mechanism_or_skip(common_slot(), CKM_EC_MONTGOMERY_KEY_PAIR_GEN);
    EVP_PKEY_get_raw_public_key(peer, point, &length);
    assert_ok(generate_pair(session, CKM_EC_MONTGOMERY_KEY_PAIR_GEN,
                            LIST(BYTES(CKA_EC_PARAMS, CURVE25519), FLAG(CKA_TOKEN, true)),
                            LIST(FLAG(CKA_TOKEN, true), FLAG(CKA_DERIVE, true)), &pair));
    own = raw_public(session, pair.public_key, EVP_PKEY_X25519);
    length = sizeof(expected);
    assert_true(EVP_PKEY_derive_init(context) > 0 && EVP_PKEY_derive_set_peer(context, own) > 0 &&
                EVP_PKEY_derive(context, expected, &length) > 0);
    assert_ok(p11->C_DeriveKey(
        session, &mechanism, pair.private_key,
        LIST(NUMBER(CKA_CLASS, CKO_SECRET_KEY), NUMBER(CKA_KEY_TYPE, CKK_GENERIC_SECRET),
             FLAG(CKA_SENSITIVE, false), FLAG(CKA_EXTRACTABLE, true), NUMBER(CKA_VALUE_LEN, 32)),
        &secret));
    assert_int_equal(get_bytes(session, secret, CKA_VALUE, value), 32);
    assert_memory_equal(value, expected, 32);
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(peer);
    EVP_PKEY_free(own);
}

static CK_RV sign_with_imported(CK_SESSION_HANDLE session, EVP_PKEY *key, CK_MECHANISM_TYPE type,
                                CK_BYTE *signature, CK_ULONG *length)
{
    struct template template = private_template(key);
    CK_MECHANISM mechanism = {type, NULL, 0};
    CK_OBJECT_HANDLE object = POISON_ULONG;
    CK_RV rv;

    template_set(&template, (CK_ATTRIBUTE)FLAG(CKA_TOKEN, true));
    template_set(&template, (CK_ATTRIBUTE)FLAG(CKA_SENSITIVE, true));
    rv = create_from(session, &template, &object);
    if (rv == CKR_OK)
        rv = p11->C_SignInit(session, &mechanism, object);
    return rv == CKR_OK
               ? p11->C_Sign(session, (CK_BYTE *)(uintptr_t)text, sizeof(text), signature, length)
               : rv;
}

static void imported_keys_that_no_tpm_has_sign(void **state)
{
    CK_SESSION_HANDLE session = user_session_with(SEALED);
    EVP_PKEY *keys[] = {new_rsa(4096), new_edwards(EVP_PKEY_ED25519)};
    static const CK_MECHANISM_TYPE types[] = {CKM_SHA256_RSA_PKCS, CKM_EDDSA};
    CK_BYTE signature[512];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        CK_ULONG length = sizeof(signature);

        assert_ok(sign_with_imported(session, keys[i], types[i], signature, &length));
        assert_true(openssl_accepts(keys[i], i ? NULL : EVP_sha256(), signature, length));
        EVP_PKEY_free(keys[i]);
    }
}

static void secp256k1_signs(void **state)
{
    CK_SESSION_HANDLE session = user_session_with(SEALED);
    struct pair pair;
    struct token token;

    (void)state;
    assert_ok(generate_pair(session, CKM_EC_KEY_PAIR_GEN,
                            LIST(BYTES(CKA_EC_PARAMS, SECP256K1), FLAG(CKA_TOKEN, true)),
                            LIST(FLAG(CKA_TOKEN, true), FLAG(CKA_SIGN, true)), &pair));
    token = token_of_pair(session, pair);
    assert_ok(sign_and_verify(&token, CKM_ECDSA));
    EVP_PKEY_free(token.key);
}

static void rsa_4096_is_generated_and_signs(void **state)
{
    CK_SESSION_HANDLE session = user_session_with(SEALED);
    struct pair pair = new_rsa_pair(session, 4096, true);
    struct token token = token_of_pair(session, pair);

    (void)state;
    assert_ok(sign_and_verify(&token, CKM_SHA256_RSA_PKCS));
    EVP_PKEY_free(token.key);
}

/* A key that the TPM only keeps is not one that the TPM has. */
static void sealed_keys_are_never_called_hardware(void **state)
{
    CK_MECHANISM_INFO info;
    CK_SLOT_ID slot = slot_with_sealed_keys();

    (void)state;
    signet_only("the flag CKF_HW");
    assert_ok(p11->C_GetMechanismInfo(slot, CKM_EDDSA, &info));
    assert_false(info.flags & CKF_HW);
}

static void without_permission_there_are_no_sealed_keys(void **state)
{
    CK_SESSION_HANDLE session;
    EVP_PKEY *key;
    CK_BYTE signature[512];
    CK_ULONG length = sizeof(signature);
    struct pair pair;

    (void)state;
    signet_only("refusing what the TPM lacks");
    session = user_session_with(NULL);
    assert_false(mechanism_listed(common_slot(), CKM_EC_EDWARDS_KEY_PAIR_GEN));
    expect_rv(generate_pair(session, CKM_EC_EDWARDS_KEY_PAIR_GEN,
                            LIST(BYTES(CKA_EC_PARAMS, EDWARDS25519)), LIST(FLAG(CKA_TOKEN, true)),
                            &pair),
              CKR_MECHANISM_INVALID);
    expect_rv(generate_pair(session, CKM_EC_KEY_PAIR_GEN, LIST(BYTES(CKA_EC_PARAMS, SECP256K1)),
                            LIST(FLAG(CKA_TOKEN, true)), &pair),
              CKR_CURVE_NOT_SUPPORTED);
    key = new_rsa(4096);
    expect_rv(sign_with_imported(session, key, CKM_SHA256_RSA_PKCS, signature, &length),
              CKR_KEY_SIZE_RANGE);
    EVP_PKEY_free(key);
    expectations_met();
}

#define test(function) cmocka_unit_test_teardown(function, destroy_everything)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(ed25519_signs_and_openssl_verifies),
        test(a_sealed_key_works_after_a_new_start),
        test(x25519_agrees_with_openssl),
        test(imported_keys_that_no_tpm_has_sign),
        test(secp256k1_signs),
        test(rsa_4096_is_generated_and_signs),
        test(sealed_keys_are_never_called_hardware),
        test(without_permission_there_are_no_sealed_keys),
    };

    return cmocka_run_group_tests(tests, initialised_setup, initialised_teardown);
}
