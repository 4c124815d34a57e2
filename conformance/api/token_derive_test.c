/* C_DeriveKey: ECDH with its key derivation functions, and HKDF; OpenSSL has the answers. */
#include <openssl/core_names.h>
#include <openssl/kdf.h>

#include "conformance/api/making.h"

struct peer {
    EVP_PKEY *key;
    unsigned char point[256];
    size_t length;
};

static struct peer new_peer(const char *curve)
{
    struct peer peer = {.key = new_ec(curve)};

    assert_int_equal(EVP_PKEY_get_octet_string_param(peer.key, OSSL_PKEY_PARAM_PUB_KEY, peer.point,
                                                     sizeof(peer.point), &peer.length),
                     1);
    return peer;
}

/* What the peer computes from the token's public key. */
static size_t openssl_secret(const struct peer *peer, EVP_PKEY *other,
                             unsigned char ret_secret[128])
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(peer->key, NULL);
    size_t length = 128;

    assert_true(EVP_PKEY_derive_init(context) > 0);
    assert_true(EVP_PKEY_derive_set_peer(context, other) > 0);
    assert_true(EVP_PKEY_derive(context, ret_secret, &length) > 0);
    EVP_PKEY_CTX_free(context);
    return length;
}

static CK_RV derive(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key,
                    CK_ULONG length, bool token, CK_OBJECT_HANDLE *ret_key)
{
    return p11->C_DeriveKey(session, mechanism, key,
                            LIST(NUMBER(CKA_CLASS, CKO_SECRET_KEY),
                                 NUMBER(CKA_KEY_TYPE, CKK_GENERIC_SECRET), FLAG(CKA_TOKEN, token),
                                 FLAG(CKA_SENSITIVE, false), FLAG(CKA_EXTRACTABLE, true),
                                 FLAG(CKA_DERIVE, true), NUMBER(CKA_VALUE_LEN, length)),
                            ret_key);
}

static void agree(const char *curve, const char *params, size_t params_length, bool token)
{
    CK_SESSION_HANDLE session = user_session();
    struct pair pair = new_ec_pair(session, params, params_length, token);
    struct peer peer = new_peer(curve);
    EVP_PKEY *own = openssl_public(session, pair.public_key);
    CK_ECDH1_DERIVE_PARAMS ecdh = {CKD_NULL, 0, NULL, peer.length, peer.point};
    CK_MECHANISM mechanism = {CKM_ECDH1_DERIVE, &ecdh, sizeof(ecdh)};
    CK_OBJECT_HANDLE secret = POISON_ULONG;
    unsigned char expected[128], value[MAX_VALUE];
    size_t length = openssl_secret(&peer, own, expected);

    assert_ok(derive(session, &mechanism, pair.private_key, length, token, &secret));
    assert_int_equal(get_bytes(session, secret, CKA_VALUE, value), length);
    assert_memory_equal(value, expected, length);
    assert_true(get_bool(session, secret, CKA_TOKEN) == token);
    assert_false(get_bool(session, secret, CKA_LOCAL));
    EVP_PKEY_free(own);
    EVP_PKEY_free(peer.key);
}

static void p256_agrees_with_openssl(void **state)
{
    (void)state;
    agree("P-256", P256, true);
    agree("P-256", P256, false);
}

static void p384_agrees_with_openssl(void **state)
{
    (void)state;
    agree("P-384", P384, true);
}

static void p521_agrees_with_openssl(void **state)
{
    (void)state;
    agree("P-521", P521, true);
}

static void x963(const char *hash, const unsigned char *secret, size_t length, const char *shared,
                 unsigned char *ret_key, size_t key_length)
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "X963KDF", NULL);
    EVP_KDF_CTX *context = EVP_KDF_CTX_new(kdf);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)(uintptr_t)hash, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)secret, length),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)shared,
                                          strlen(shared)),
        OSSL_PARAM_construct_end()};

    assert_true(EVP_KDF_derive(context, ret_key, key_length, params) > 0);
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
}

static void key_derivation_functions_are_openssls(void **state)
{
    static const struct {
        CK_ULONG kdf;
        const char *hash;
    } rows[] = {{CKD_SHA1_KDF, "SHA1"},        {CKD_SHA224_KDF, "SHA224"},
                {CKD_SHA256_KDF, "SHA256"},    {CKD_SHA384_KDF, "SHA384"},
                {CKD_SHA512_KDF, "SHA512"},    {CKD_SHA3_256_KDF, "SHA3-256"},
                {CKD_SHA3_512_KDF, "SHA3-512"}};
    CK_SESSION_HANDLE session = user_session();
    struct pair pair = new_ec_pair(session, P256, true);
    struct peer peer = new_peer("P-256");
    EVP_PKEY *own = openssl_public(session, pair.public_key);
    unsigned char secret[128], expected[100], value[MAX_VALUE];
    size_t length = openssl_secret(&peer, own, secret);

    (void)state;
    for (size_t i = 0; i < 2 * COUNT_OF(rows); i++) {
        const char *shared = i & 1 ? "known to both" : "";
        CK_ECDH1_DERIVE_PARAMS ecdh = {rows[i / 2].kdf, strlen(shared),
                                       i & 1 ? (CK_BYTE *)(uintptr_t)shared : NULL, peer.length,
                                       peer.point};
        CK_MECHANISM mechanism = {CKM_ECDH1_DERIVE, &ecdh, sizeof(ecdh)};
        CK_OBJECT_HANDLE key = POISON_ULONG;

        x963(rows[i / 2].hash, secret, length, shared, expected, sizeof(expected));
        if (expect_rv(derive(session, &mechanism, pair.private_key, sizeof(expected), false, &key),
                      CKR_OK) != CKR_OK)
            continue;
        expect_true(get_bytes(session, key, CKA_VALUE, value) == sizeof(expected));
        expect_true(memcmp(value, expected, sizeof(expected)) == 0);
    }
    EVP_PKEY_free(own);
    EVP_PKEY_free(peer.key);
    expectations_met();
}

static void points_may_be_given_raw_or_in_der(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    struct pair pair = new_ec_pair(session, P256, true);
    struct peer peer = new_peer("P-256");
    unsigned char der[300] = {0x04, (unsigned char)peer.length}, one[MAX_VALUE], other[MAX_VALUE];
    CK_ECDH1_DERIVE_PARAMS raw = {CKD_NULL, 0, NULL, peer.length, peer.point};
    CK_ECDH1_DERIVE_PARAMS wrapped = {CKD_NULL, 0, NULL, peer.length + 2, der};
    CK_MECHANISM mechanism = {CKM_ECDH1_DERIVE, &raw, sizeof(raw)};
    CK_OBJECT_HANDLE key = POISON_ULONG;

    (void)state;
    memcpy(der + 2, peer.point, peer.length);
    assert_ok(derive(session, &mechanism, pair.private_key, 32, false, &key));
    get_bytes(session, key, CKA_VALUE, one);
    mechanism.pParameter = &wrapped;
    assert_ok(derive(session, &mechanism, pair.private_key, 32, false, &key));
    get_bytes(session, key, CKA_VALUE, other);
    assert_memory_equal(one, other, 32);
    EVP_PKEY_free(peer.key);
}

static void the_cofactor_changes_nothing_on_these_curves(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    struct pair pair = new_ec_pair(session, P256, true);
    struct peer peer = new_peer("P-256");
    CK_ECDH1_DERIVE_PARAMS ecdh = {CKD_NULL, 0, NULL, peer.length, peer.point};
    CK_MECHANISM plain = {CKM_ECDH1_DERIVE, &ecdh, sizeof(ecdh)};
    CK_MECHANISM cofactor = {CKM_ECDH1_COFACTOR_DERIVE, &ecdh, sizeof(ecdh)};
    unsigned char one[MAX_VALUE], other[MAX_VALUE];
    CK_OBJECT_HANDLE key = POISON_ULONG;

    (void)state;
    mechanism_or_skip(common_slot(), CKM_ECDH1_COFACTOR_DERIVE);
    assert_ok(derive(session, &plain, pair.private_key, 32, false, &key));
    get_bytes(session, key, CKA_VALUE, one);
    assert_ok(derive(session, &cofactor, pair.private_key, 32, false, &key));
    get_bytes(session, key, CKA_VALUE, other);
    assert_memory_equal(one, other, 32);
    EVP_PKEY_free(peer.key);
}

static void bad_points_and_parameters_are_refused(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    struct pair pair = new_ec_pair(session, P256, true);
    struct peer peer = new_peer("P-256"), elsewhere = new_peer("P-384");
    CK_ECDH1_DERIVE_PARAMS rows[] = {{CKD_NULL, 0, NULL, 0, NULL},
                                     {CKD_NULL, 0, NULL, 64, peer.point},
                                     {CKD_NULL, 0, NULL, elsewhere.length, elsewhere.point},
                                     {CKD_NULL, 3, (CK_BYTE *)"abc", peer.length, peer.point},
                                     {0x7FFF, 0, NULL, peer.length, peer.point}};
    CK_OBJECT_HANDLE key = POISON_ULONG;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CK_MECHANISM mechanism = {CKM_ECDH1_DERIVE, &rows[i], sizeof(rows[i])};

        expect_rv(derive(session, &mechanism, pair.private_key, 32, false, &key),
                  CKR_MECHANISM_PARAM_INVALID);
    }
    peer.point[20] ^= 1; /* not on the curve any more */
    {
        CK_ECDH1_DERIVE_PARAMS off = {CKD_NULL, 0, NULL, peer.length, peer.point};
        CK_MECHANISM mechanism = {CKM_ECDH1_DERIVE, &off, sizeof(off)};

        expect_rv(derive(session, &mechanism, pair.private_key, 32, false, &key),
                  CKR_MECHANISM_PARAM_INVALID);
    }
    EVP_PKEY_free(peer.key);
    EVP_PKEY_free(elsewhere.key);
    expectations_met();
}

static void a_derived_key_is_as_secret_as_its_template(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    struct pair pair = new_ec_pair(session, P256, true);
    struct peer peer = new_peer("P-256");
    CK_ECDH1_DERIVE_PARAMS ecdh = {CKD_NULL, 0, NULL, peer.length, peer.point};
    CK_MECHANISM mechanism = {CKM_ECDH1_DERIVE, &ecdh, sizeof(ecdh)};
    CK_OBJECT_HANDLE key = POISON_ULONG;

    (void)state;
    assert_ok(p11->C_DeriveKey(session, &mechanism, pair.private_key,
                               LIST(NUMBER(CKA_CLASS, CKO_SECRET_KEY),
                                    NUMBER(CKA_KEY_TYPE, CKK_AES), FLAG(CKA_TOKEN, true),
                                    FLAG(CKA_SENSITIVE, true), FLAG(CKA_EXTRACTABLE, false),
                                    NUMBER(CKA_VALUE_LEN, 32), FLAG(CKA_ENCRYPT, true)),
                               &key));
    assert_rv(attribute_rv(session, key, CKA_VALUE), CKR_ATTRIBUTE_SENSITIVE);
    assert_false(get_bool(session, key, CKA_LOCAL));
    assert_int_equal(get_ulong(session, key, CKA_VALUE_LEN), 32);
    EVP_PKEY_free(peer.key);
}

/* RFC 5869, A.1: test case 1. */
static void the_published_hkdf_comes_out(void **state)
{
    static const unsigned char expected[] = {
        0x3c, 0xb2, 0x5f, 0x25, 0xfa, 0xac, 0xd5, 0x7a, 0x90, 0x43, 0x4f, 0x64, 0xd0, 0x36,
        0x2f, 0x2a, 0x2d, 0x2d, 0x0a, 0x90, 0xcf, 0x1a, 0x5a, 0x4c, 0x5d, 0xb0, 0x2d, 0x56,
        0xec, 0xc4, 0xc5, 0xbf, 0x34, 0x00, 0x72, 0x08, 0xd5, 0xb8, 0x87, 0x18, 0x58, 0x65};
    CK_BYTE salt[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    CK_BYTE info[] = {0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9};
    CK_HKDF_PARAMS params = {CK_TRUE,      CK_TRUE, CKM_SHA256, CKF_HKDF_SALT_DATA, salt,
                             sizeof(salt), 0,       info,       sizeof(info)};
    CK_MECHANISM mechanism = {CKM_HKDF_DERIVE, &params, sizeof(params)};
    CK_SESSION_HANDLE session = user_session();
    unsigned char secret[22], value[MAX_VALUE];
    CK_OBJECT_HANDLE key = POISON_ULONG;

    (void)state;
    mechanism_or_skip(common_slot(), CKM_HKDF_DERIVE);
    memset(secret, 0x0b, sizeof(secret));
    for (unsigned i = 0; i < 2; i++) {
        CK_KEY_TYPE type = i ? CKK_HKDF : CKK_GENERIC_SECRET;

        assert_ok(
            derive(session, &mechanism, known_secret(session, type, secret, 22), 42, false, &key));
        assert_int_equal(get_bytes(session, key, CKA_VALUE, value), 42);
        assert_memory_equal(value, expected, 42);
    }
}

static void hkdf_extracts_and_expands_in_two_steps(void **state)
{
    CK_HKDF_PARAMS both = {CK_TRUE, CK_TRUE,           CKM_SHA384, CKF_HKDF_SALT_NULL, NULL, 0,
                           0,       (CK_BYTE *)"info", 4};
    CK_HKDF_PARAMS extract = {CK_TRUE, CK_FALSE, CKM_SHA384, CKF_HKDF_SALT_NULL, NULL, 0,
                              0,       NULL,     0};
    CK_HKDF_PARAMS expand = {CK_FALSE, CK_TRUE, CKM_SHA384, 0, NULL, 0, 0, (CK_BYTE *)"info", 4};
    CK_MECHANISM mechanism = {CKM_HKDF_DERIVE, &both, sizeof(both)};
    CK_SESSION_HANDLE session = user_session();
    CK_OBJECT_HANDLE base, one = POISON_ULONG, half = POISON_ULONG, other = POISON_ULONG;
    unsigned char value[MAX_VALUE], again[MAX_VALUE];

    (void)state;
    mechanism_or_skip(common_slot(), CKM_HKDF_DERIVE);
    base = known_secret(session, CKK_GENERIC_SECRET, "a secret of some length", 23);
    assert_ok(derive(session, &mechanism, base, 60, false, &one));
    mechanism.pParameter = &extract;
    assert_ok(derive(session, &mechanism, base, 48, false, &half));
    mechanism.pParameter = &expand;
    assert_ok(derive(session, &mechanism, half, 60, true, &other));
    assert_int_equal(get_bytes(session, one, CKA_VALUE, value), 60);
    assert_int_equal(get_bytes(session, other, CKA_VALUE, again), 60);
    assert_memory_equal(value, again, 60);
}

static void keys_derive_only_when_they_may(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    struct peer peer = new_peer("P-256");
    CK_ECDH1_DERIVE_PARAMS ecdh = {CKD_NULL, 0, NULL, peer.length, peer.point};
    CK_MECHANISM mechanism = {CKM_ECDH1_DERIVE, &ecdh, sizeof(ecdh)};
    CK_OBJECT_HANDLE key = POISON_ULONG;
    struct pair pair;

    (void)state;
    assert_ok(generate_pair(session, CKM_EC_KEY_PAIR_GEN, LIST(BYTES(CKA_EC_PARAMS, P256)),
                            LIST(FLAG(CKA_TOKEN, true), FLAG(CKA_DERIVE, false)), &pair));
    assert_rv(derive(session, &mechanism, pair.private_key, 32, false, &key),
              CKR_KEY_FUNCTION_NOT_PERMITTED);
    EVP_PKEY_free(peer.key);
}

#define test(function) cmocka_unit_test_teardown(function, destroy_everything)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(p256_agrees_with_openssl),
        test(p384_agrees_with_openssl),
        test(p521_agrees_with_openssl),
        test(key_derivation_functions_are_openssls),
        test(points_may_be_given_raw_or_in_der),
        test(the_cofactor_changes_nothing_on_these_curves),
        test(bad_points_and_parameters_are_refused),
        test(a_derived_key_is_as_secret_as_its_template),
        test(the_published_hkdf_comes_out),
        test(hkdf_extracts_and_expands_in_two_steps),
        test(keys_derive_only_when_they_may),
    };

    return cmocka_run_group_tests(tests, initialised_setup, initialised_teardown);
}
