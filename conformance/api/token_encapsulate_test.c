/* PKCS#11 3.2 sections 5.18.8 and 6.3.19: C_EncapsulateKey and C_DecapsulateKey by ECDH;
 * OpenSSL is the other side. */
#include <openssl/core_names.h>

#include "conformance/api/making.h"

static CK_ECDH1_DERIVE_PARAMS plain = {.kdf = CKD_NULL};
static CK_MECHANISM ecdh = {CKM_ECDH1_DERIVE, &plain, sizeof(plain)};

static CK_SESSION_HANDLE session_or_skip(void)
{
    CK_SESSION_HANDLE session = user_session();
    CK_MECHANISM_INFO info;

    version_3_2_or_skip();
    mechanism_or_skip(common_slot(), CKM_ECDH1_DERIVE);
    assert_ok(p11->C_GetMechanismInfo(common_slot(), CKM_ECDH1_DERIVE, &info));
    if (!(info.flags & CKF_ENCAPSULATE) || !(info.flags & CKF_DECAPSULATE))
        skip_because("CKM_ECDH1_DERIVE does not encapsulate");
    return session;
}

/* With the use of encapsulation, and nothing else. */
static struct pair new_pair(CK_SESSION_HANDLE session, CK_MECHANISM_TYPE type, const char *params,
                            size_t length, bool token)
{
    struct pair pair;

    mechanism_or_skip(common_slot(), type);
    assert_ok(generate_pair(session, type,
                            LIST(BYTES(CKA_EC_PARAMS, params, length), FLAG(CKA_TOKEN, token),
                                 FLAG(CKA_ENCAPSULATE, true)),
                            LIST(FLAG(CKA_TOKEN, token), FLAG(CKA_DECAPSULATE, true)), &pair));
    return pair;
}

/* A readable generic secret. */
static CK_RV encapsulate(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key,
                         CK_BYTE *out, CK_ULONG *out_length, CK_OBJECT_HANDLE *ret_key)
{
    return p11_v32->C_EncapsulateKey(session, mechanism, key,
                                     LIST(NUMBER(CKA_CLASS, CKO_SECRET_KEY),
                                          NUMBER(CKA_KEY_TYPE, CKK_GENERIC_SECRET),
                                          FLAG(CKA_SENSITIVE, false), FLAG(CKA_EXTRACTABLE, true)),
                                     out, out_length, ret_key);
}

static CK_RV decapsulate(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key,
                         CK_BYTE *ciphertext, CK_ULONG length, CK_OBJECT_HANDLE *ret_key)
{
    return p11_v32->C_DecapsulateKey(session, mechanism, key,
                                     LIST(NUMBER(CKA_CLASS, CKO_SECRET_KEY),
                                          NUMBER(CKA_KEY_TYPE, CKK_GENERIC_SECRET),
                                          FLAG(CKA_SENSITIVE, false), FLAG(CKA_EXTRACTABLE, true)),
                                     ciphertext, length, ret_key);
}

static void there_and_back(CK_MECHANISM *mechanism, CK_MECHANISM_TYPE generation,
                           const char *params, size_t params_length, size_t expected)
{
    CK_SESSION_HANDLE session = session_or_skip();

    for (unsigned token = 0; token < 2; token++) {
        struct pair pair = new_pair(session, generation, params, params_length, token);
        CK_OBJECT_HANDLE one = POISON_ULONG, two = POISON_ULONG;
        unsigned char first[MAX_VALUE], second[MAX_VALUE];
        CK_BYTE ciphertext[256];
        CK_ULONG length = sizeof(ciphertext);

        assert_ok(encapsulate(session, mechanism, pair.public_key, ciphertext, &length, &one));
        assert_ok(decapsulate(session, mechanism, pair.private_key, ciphertext, length, &two));
        assert_int_equal(get_bytes(session, one, CKA_VALUE, first), expected);
        assert_int_equal(get_bytes(session, two, CKA_VALUE, second), expected);
        assert_memory_equal(first, second, expected);
        assert_false(get_bool(session, one, CKA_LOCAL));
        assert_false(get_bool(session, one, CKA_ALWAYS_SENSITIVE));
        assert_false(get_bool(session, two, CKA_NEVER_EXTRACTABLE));
    }
}

static void p256_encapsulates_there_and_back(void **state)
{
    (void)state;
    there_and_back(&ecdh, CKM_EC_KEY_PAIR_GEN, P256, 32);
}

static void p384_encapsulates_there_and_back(void **state)
{
    (void)state;
    there_and_back(&ecdh, CKM_EC_KEY_PAIR_GEN, P384, 48);
}

static void a_key_derivation_function_is_applied(void **state)
{
    CK_ECDH1_DERIVE_PARAMS params = {
        .kdf = CKD_SHA512_KDF, .ulSharedDataLen = 4, .pSharedData = (CK_BYTE *)"info"};
    CK_MECHANISM mechanism = {CKM_ECDH1_DERIVE, &params, sizeof(params)};

    (void)state;
    there_and_back(&mechanism, CKM_EC_KEY_PAIR_GEN, P256, 64);
}

/* A ciphertext is the public key of any key pair of the curve. */
static void openssl_has_the_same_secret(void **state)
{
    CK_SESSION_HANDLE session = session_or_skip();
    EVP_PKEY *peer = new_ec("P-256");
    struct pair pair = new_pair(session, CKM_EC_KEY_PAIR_GEN, P256, true);
    EVP_PKEY *recipient = openssl_public(session, pair.public_key);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(peer, NULL);
    CK_OBJECT_HANDLE key = POISON_ULONG;
    unsigned char point[128], secret[64], value[MAX_VALUE];
    size_t point_length = 0, secret_length = sizeof(secret);

    (void)state;
    assert_int_equal(EVP_PKEY_get_octet_string_param(peer, OSSL_PKEY_PARAM_PUB_KEY, point,
                                                     sizeof(point), &point_length),
                     1);
    assert_true(EVP_PKEY_derive_init(context) > 0);
    assert_true(EVP_PKEY_derive_set_peer(context, recipient) > 0);
    assert_true(EVP_PKEY_derive(context, secret, &secret_length) > 0);
    assert_ok(decapsulate(session, &ecdh, pair.private_key, point, point_length, &key));
    assert_int_equal(get_bytes(session, key, CKA_VALUE, value), secret_length);
    assert_memory_equal(value, secret, secret_length);
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(recipient);
    EVP_PKEY_free(peer);
}

static void every_encapsulation_is_another(void **state)
{
    CK_SESSION_HANDLE session = session_or_skip();
    struct pair pair = new_pair(session, CKM_EC_KEY_PAIR_GEN, P256, false);
    CK_BYTE one[256], two[256];
    CK_ULONG length = sizeof(one);
    CK_OBJECT_HANDLE key = POISON_ULONG;

    (void)state;
    assert_ok(encapsulate(session, &ecdh, pair.public_key, one, &length, &key));
    assert_ok(encapsulate(session, &ecdh, pair.public_key, two, &length, &key));
    assert_int_equal(length, 65);
    assert_memory_not_equal(one, two, length);
}

static void small_buffers_are_told_the_length_and_make_no_key(void **state)
{
    CK_SESSION_HANDLE session = session_or_skip();
    struct pair pair = new_pair(session, CKM_EC_KEY_PAIR_GEN, P256, false);
    CK_OBJECT_HANDLE key = POISON_ULONG, found[MAX_FOUND];
    CK_BYTE ciphertext[65];
    CK_ULONG length = POISON_ULONG;

    (void)state;
    assert_ok(encapsulate(session, &ecdh, pair.public_key, NULL, &length, &key));
    assert_int_equal(length, 65);
    length = 64;
    memset(ciphertext, POISON_BYTE, sizeof(ciphertext));
    assert_rv(encapsulate(session, &ecdh, pair.public_key, ciphertext, &length, &key),
              CKR_BUFFER_TOO_SMALL);
    assert_int_equal(length, 65);
    assert_true(untouched(ciphertext, sizeof(ciphertext)));
    assert_true(key == POISON_ULONG);
    assert_int_equal(find_class(session, CKO_SECRET_KEY, found), 0);
    assert_ok(encapsulate(session, &ecdh, pair.public_key, ciphertext, &length, &key));
    assert_int_equal(find_class(session, CKO_SECRET_KEY, found), 1);
}

static void the_new_key_is_what_the_template_says(void **state)
{
    CK_SESSION_HANDLE session = session_or_skip();
    struct pair pair = new_pair(session, CKM_EC_KEY_PAIR_GEN, P256, true);
    CK_OBJECT_HANDLE key = POISON_ULONG;
    CK_BYTE ciphertext[65];
    CK_ULONG length = sizeof(ciphertext);

    (void)state;
    assert_ok(p11_v32->C_EncapsulateKey(session, &ecdh, pair.public_key,
                                        LIST(NUMBER(CKA_KEY_TYPE, CKK_AES), FLAG(CKA_TOKEN, true),
                                             NUMBER(CKA_VALUE_LEN, 16), FLAG(CKA_SENSITIVE, true),
                                             TEXT(CKA_LABEL, "shared")),
                                        ciphertext, &length, &key));
    assert_true(get_bool(session, key, CKA_TOKEN));
    assert_true(get_bool(session, key, CKA_SENSITIVE));
    assert_int_equal(get_ulong(session, key, CKA_VALUE_LEN), 16);
    assert_int_equal(get_ulong(session, key, CKA_KEY_TYPE), CKK_AES);
    assert_rv(p11_v32->C_EncapsulateKey(session, &ecdh, pair.public_key,
                                        LIST(NUMBER(CKA_CLASS, CKO_PRIVATE_KEY)), ciphertext,
                                        &length, &key),
              CKR_TEMPLATE_INCONSISTENT);
    assert_rv(p11_v32->C_EncapsulateKey(session, &ecdh, pair.public_key,
                                        LIST(NUMBER(CKA_VALUE_LEN, 33)), ciphertext, &length, &key),
              CKR_TEMPLATE_INCONSISTENT);
}

static void keys_encapsulate_only_when_they_may(void **state)
{
    CK_SESSION_HANDLE session = session_or_skip();
    struct pair other = new_ec_pair(session, P256, false);
    struct pair pair = new_pair(session, CKM_EC_KEY_PAIR_GEN, P256, false);
    CK_OBJECT_HANDLE key = POISON_ULONG;
    CK_BYTE ciphertext[65];
    CK_ULONG length = sizeof(ciphertext);

    (void)state;
    assert_ok(encapsulate(session, &ecdh, pair.public_key, ciphertext, &length, &key));
    key = POISON_ULONG;
    expect_rv(encapsulate(session, &ecdh, other.public_key, ciphertext, &length, &key),
              CKR_KEY_FUNCTION_NOT_PERMITTED);
    expect_rv(decapsulate(session, &ecdh, other.private_key, ciphertext, length, &key),
              CKR_KEY_FUNCTION_NOT_PERMITTED);
    expect_rv(encapsulate(session, &ecdh, pair.private_key, ciphertext, &length, &key),
              CKR_KEY_TYPE_INCONSISTENT);
    expect_rv(encapsulate(session, &ecdh, 0x7EADBEEFUL, ciphertext, &length, &key),
              CKR_KEY_HANDLE_INVALID);
    expect_true(key == POISON_ULONG);
    expectations_met();
    assert_ok(
        p11->C_SetAttributeValue(session, other.public_key, LIST(FLAG(CKA_ENCAPSULATE, true))));
    assert_ok(encapsulate(session, &ecdh, other.public_key, ciphertext, &length, &key));
}

static void mechanisms_and_ciphertexts_are_checked(void **state)
{
    CK_SESSION_HANDLE session = session_or_skip();
    struct pair pair = new_pair(session, CKM_EC_KEY_PAIR_GEN, P256, false);
    CK_BYTE ciphertext[65], point[65] = {4};
    CK_ULONG length = sizeof(ciphertext);
    CK_ECDH1_DERIVE_PARAMS with_point = {CKD_NULL, 0, NULL, sizeof(point), point};
    CK_MECHANISM wrong[] = {{CKM_ECDH1_DERIVE, &with_point, sizeof(with_point)},
                            {CKM_ECDH1_DERIVE, NULL, 0},
                            {CKM_ECDSA, NULL, 0},
                            {CKM_RSA_X_509, NULL, 0}};
    CK_OBJECT_HANDLE key = POISON_ULONG;

    (void)state;
    assert_ok(encapsulate(session, &ecdh, pair.public_key, ciphertext, &length, &key));
    key = POISON_ULONG;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        expect_rv(encapsulate(session, &wrong[i], pair.public_key, point, &length, &key),
                  i < 2 ? CKR_MECHANISM_PARAM_INVALID : CKR_MECHANISM_INVALID);
        expect_rv(decapsulate(session, &wrong[i], pair.private_key, ciphertext, length, &key),
                  i < 2 ? CKR_MECHANISM_PARAM_INVALID : CKR_MECHANISM_INVALID);
    }
    ciphertext[64] ^= 1;
    expect_rv(decapsulate(session, &ecdh, pair.private_key, ciphertext, length, &key),
              CKR_WRAPPED_KEY_INVALID);
    expect_rv(decapsulate(session, &ecdh, pair.private_key, ciphertext, 64, &key),
              CKR_WRAPPED_KEY_INVALID, CKR_WRAPPED_KEY_LEN_RANGE);
    expect_rv(decapsulate(session, &ecdh, pair.private_key, ciphertext, 0, &key),
              CKR_WRAPPED_KEY_INVALID, CKR_WRAPPED_KEY_LEN_RANGE);
    expect_true(key == POISON_ULONG);
    expectations_met();
}

static void bad_arguments_are_refused(void **state)
{
    CK_SESSION_HANDLE session = session_or_skip();
    CK_OBJECT_HANDLE key = POISON_ULONG;
    CK_BYTE bytes[65];
    CK_ULONG length = sizeof(bytes);

    (void)state;
    expect_rv(encapsulate(session, NULL, 1, bytes, &length, &key), CKR_ARGUMENTS_BAD);
    expect_rv(encapsulate(session, &ecdh, 1, bytes, NULL, &key), CKR_ARGUMENTS_BAD);
    expect_rv(encapsulate(session, &ecdh, 1, bytes, &length, NULL), CKR_ARGUMENTS_BAD);
    expect_rv(p11_v32->C_EncapsulateKey(session, &ecdh, 1, NULL, 1, bytes, &length, &key),
              CKR_ARGUMENTS_BAD);
    expect_rv(decapsulate(session, NULL, 1, bytes, 65, &key), CKR_ARGUMENTS_BAD);
    expect_rv(decapsulate(session, &ecdh, 1, NULL, 65, &key), CKR_ARGUMENTS_BAD);
    expect_rv(decapsulate(session, &ecdh, 1, bytes, 65, NULL), CKR_ARGUMENTS_BAD);
    expect_rv(encapsulate(0x7EADBEEFUL, &ecdh, 1, bytes, &length, &key),
              CKR_SESSION_HANDLE_INVALID);
    expect_rv(decapsulate(0x7EADBEEFUL, &ecdh, 1, bytes, 65, &key), CKR_SESSION_HANDLE_INVALID);
    expect_true(key == POISON_ULONG);
    expectations_met();
}

#define test(function) cmocka_unit_test_teardown(function, destroy_everything)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(p256_encapsulates_there_and_back),
        test(p384_encapsulates_there_and_back),
        test(a_key_derivation_function_is_applied),
        test(openssl_has_the_same_secret),
        test(every_encapsulation_is_another),
        test(small_buffers_are_told_the_length_and_make_no_key),
        test(the_new_key_is_what_the_template_says),
        test(keys_encapsulate_only_when_they_may),
        test(mechanisms_and_ciphertexts_are_checked),
        test(bad_arguments_are_refused),
    };

    return cmocka_run_group_tests(tests, initialised_setup, initialised_teardown);
}
