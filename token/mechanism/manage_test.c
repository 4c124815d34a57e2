#include "token/mechanism/test_support.h"

#include "token/key/material.h"
#include "token/mechanism/manage.h"
#include "token/mechanism/software.h"

/* Wrapping and derivation, with known vectors and there and back. */

static struct key_material rsa, ec, other, x25519;

static int open_key(const char *path, struct key_material *material)
{
    struct bytes content = read_file(path);
    struct reason reason = {0};
    const struct key_description description = {
        .private_key = {.path = path, .content = bytes_view(&content)}};
    CK_RV rv = key_material_open(&description, material, &reason);
    bytes_free(&content);
    return rv == CKR_OK ? 0 : -1;
}

static int begin_group(void **state)
{
    if (enter_directory(state) != 0)
        return -1;
    run("set -e\n"
        "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.key\n"
        "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ec.key\n"
        "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out other.key\n"
        "openssl genpkey -algorithm X25519 -out x25519.key\n");
    return open_key("rsa.key", &rsa) | open_key("ec.key", &ec) | open_key("other.key", &other) |
           open_key("x25519.key", &x25519);
}

static int end_group(void **state)
{
    key_material_clear(&rsa);
    key_material_clear(&ec);
    key_material_clear(&other);
    key_material_clear(&x25519);
    return leave_directory(state);
}

#define KEK_128 "000102030405060708090a0b0c0d0e0f"
#define KEK_192 "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8"
#define IV "000102030405060708090a0b0c0d0e0f"

/* RFC 3394, 4.1; RFC 5649, 6 (20 and 7 bytes). */
static const struct {
    CK_MECHANISM_TYPE type;
    const char *key, *plain, *wrapped;
} known[] = {
    {CKM_AES_KEY_WRAP, KEK_128, "00112233445566778899aabbccddeeff",
     "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5"},
    {CKM_AES_KEY_WRAP_KWP, KEK_192, "c37b7e6492584340bed12207808941155068f738",
     "138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a"},
    {CKM_AES_KEY_WRAP_PAD, KEK_192, "466f7250617369", "afbeb0f07dfbf5419200f2ccb50bb24f"},
};

static void the_known_wrapped_keys_come_out(UNUSED void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        const CK_MECHANISM given = with_parameter(known[i].type, NULL, 0);
        struct key *key = secret_key(known[i].key);
        struct bytes wrapped = {0}, plain = {0};
        size_t size = 0;
        struct view input = from_hex(known[i].plain);
        assert_ok(mechanism_wrapped_size(&given, NULL, input.size, &size));
        assert_ok(mechanism_wrap(&given, NULL, key, input, &wrapped));
        assert_hex(bytes_view(&wrapped), known[i].wrapped);
        assert_int_equal(wrapped.size, size);
        assert_ok(mechanism_unwrap(&given, key, bytes_view(&wrapped), &plain));
        assert_hex(bytes_view(&plain), known[i].plain);
        bytes_free(&plain);
        wrapped.data[3] ^= 1;
        assert_rv(mechanism_unwrap(&given, key, bytes_view(&wrapped), &plain),
                  CKR_WRAPPED_KEY_INVALID);
        assert_rv(mechanism_unwrap(&given, key, view_of(wrapped.data, 15), &plain),
                  CKR_WRAPPED_KEY_LEN_RANGE);
        assert_null(plain.data);
        bytes_free(&wrapped);
        key_unref(key);
    }
}

static void the_standards_initial_value_may_be_given(UNUSED void **state)
{
    static const uint8_t plain_value[8] = {0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6},
                         padded_value[4] = {0xa6, 0x59, 0x59, 0xa6};
    const struct {
        CK_MECHANISM_TYPE type;
        const void *value;
        CK_ULONG size;
        CK_RV rv;
    } rows[] = {
        {CKM_AES_KEY_WRAP, plain_value, 8, CKR_OK},
        {CKM_AES_KEY_WRAP_KWP, padded_value, 4, CKR_OK},
        {CKM_AES_KEY_WRAP, padded_value, 4, CKR_MECHANISM_PARAM_INVALID},
        {CKM_AES_KEY_WRAP_KWP, plain_value, 4, CKR_MECHANISM_PARAM_INVALID},
        {CKM_AES_KEY_WRAP, NULL, 8, CKR_MECHANISM_PARAM_INVALID},
        {CKM_AES_CBC_PAD, plain_value, 8, CKR_MECHANISM_PARAM_INVALID},
    };
    struct key *key = secret_key(KEK_128);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const CK_MECHANISM given = with_parameter(rows[i].type, rows[i].value, rows[i].size);
        struct bytes wrapped = {0};
        assert_rv(mechanism_wrap(&given, NULL, key, from_hex(KEK_128), &wrapped), rows[i].rv);
        bytes_free(&wrapped);
    }
    key_unref(key);
}

static void a_key_that_does_not_fit_is_not_wrapped(UNUSED void **state)
{
    static const uint8_t plain[300];
    const CK_MECHANISM wrap = with_parameter(CKM_AES_KEY_WRAP, NULL, 0),
                       pkcs = with_parameter(CKM_RSA_PKCS, NULL, 0),
                       sign = with_parameter(CKM_SHA256_RSA_PKCS, NULL, 0);
    struct key *key = secret_key(KEK_128);
    struct bytes wrapped = {0};
    size_t size = 0;
    assert_rv(mechanism_wrap(&wrap, NULL, key, view_of(plain, 17), &wrapped), CKR_KEY_SIZE_RANGE);
    assert_rv(mechanism_wrapped_size(&wrap, NULL, 17, &size), CKR_KEY_SIZE_RANGE);
    assert_rv(mechanism_wrapped_size(&wrap, NULL, 8, &size), CKR_KEY_SIZE_RANGE);
    assert_rv(mechanism_wrap(&pkcs, &rsa.public_key, NULL, view_of(plain, 246), &wrapped),
              CKR_KEY_SIZE_RANGE);
    assert_rv(mechanism_wrap(&pkcs, NULL, key, view_of(plain, 16), &wrapped),
              CKR_WRAPPING_KEY_TYPE_INCONSISTENT);
    assert_rv(mechanism_wrap(&wrap, &rsa.public_key, NULL, view_of(plain, 16), &wrapped),
              CKR_WRAPPING_KEY_TYPE_INCONSISTENT);
    assert_rv(mechanism_unwrap(&pkcs, ec.key, view_of(plain, 16), &wrapped),
              CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT);
    /* The family could, but not this mechanism. */
    assert_rv(mechanism_wrap(&sign, &rsa.public_key, NULL, view_of(plain, 16), &wrapped),
              CKR_MECHANISM_INVALID);
    assert_null(wrapped.data);
    key_unref(key);
}

struct rsa_aes {
    CK_ULONG bits;
    CK_RSA_PKCS_OAEP_PARAMS *oaep;
};

static CK_RSA_PKCS_OAEP_PARAMS oaep = {CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, NULL, 0};
static struct rsa_aes rsa_aes = {256, &oaep};

static void a_wrapped_key_comes_back(UNUSED void **state)
{
    const struct {
        CK_MECHANISM given;
        bool rsa;
        size_t size, wrapped;
    } rows[] = {
        {with_parameter(CKM_RSA_PKCS, NULL, 0), true, 32, 256},
        {with_parameter(CKM_RSA_PKCS_OAEP, &oaep, sizeof(oaep)), true, 32, 256},
        {with_parameter(CKM_RSA_AES_KEY_WRAP, &rsa_aes, sizeof(rsa_aes)), true, 1217, 256 + 1232},
        {with_parameter(CKM_AES_CBC_PAD, from_hex(IV).data, 16), false, 1217, 1232},
        {with_parameter(CKM_AES_CBC_PAD, from_hex(IV).data, 16), false, 16, 32},
        {with_parameter(CKM_AES_KEY_WRAP_PAD, NULL, 0), false, 1217, 1232},
    };
    static uint8_t plain[2000];
    assert_ok(mechanism_random(plain, sizeof(plain)));
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct key *kek = secret_key(KEK_128);
        const struct public_key *public_key = rows[i].rsa ? &rsa.public_key : NULL;
        struct bytes wrapped = {0}, back = {0};
        size_t size = 0;
        struct view input = view_of(plain, rows[i].size);
        assert_ok(mechanism_wrapped_size(&rows[i].given, public_key, input.size, &size));
        assert_int_equal(size, rows[i].wrapped);
        assert_ok(
            mechanism_wrap(&rows[i].given, public_key, rows[i].rsa ? NULL : kek, input, &wrapped));
        assert_int_equal(wrapped.size, size);
        struct key *opener = rows[i].rsa ? rsa.key : kek;
        assert_ok(mechanism_unwrap(&rows[i].given, opener, bytes_view(&wrapped), &back));
        assert_true(view_equal(bytes_view(&back), input));
        bytes_free(&back);
        assert_rv(mechanism_unwrap(&rows[i].given, opener, view_of(wrapped.data, 9), &back),
                  CKR_WRAPPED_KEY_LEN_RANGE);
        wrapped.data[wrapped.size - 1] ^= 1;
        CK_RV rv = mechanism_unwrap(&rows[i].given, opener, bytes_view(&wrapped), &back);
        if (rv != CKR_OK)
            assert_rv(rv, CKR_WRAPPED_KEY_INVALID);
        else
            assert_false(view_equal(bytes_view(&back), input));
        bytes_free(&back);
        bytes_free(&wrapped);
        key_unref(kek);
    }
}

/* The fresh key has to be as long as the parameter says. */
static void parameters_of_rsa_aes_are_checked(UNUSED void **state)
{
    CK_RSA_PKCS_OAEP_PARAMS bad = oaep;
    struct rsa_aes rows[] = {{256, NULL}, {255, &oaep}, {0, &oaep}, {512, &oaep}, {256, &bad}};
    const CK_MECHANISM right = with_parameter(CKM_RSA_AES_KEY_WRAP, &rsa_aes, sizeof(rsa_aes));
    struct bytes wrapped = {0}, back = {0};
    bad.hashAlg = CKM_RSA_PKCS;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const CK_MECHANISM given = with_parameter(CKM_RSA_AES_KEY_WRAP, &rows[i], sizeof(rows[i]));
        assert_rv(mechanism_wrap(&given, &rsa.public_key, NULL, view_string("key"), &wrapped),
                  CKR_MECHANISM_PARAM_INVALID);
    }
    rows[0] = (struct rsa_aes){128, &oaep};
    const CK_MECHANISM shorter = with_parameter(CKM_RSA_AES_KEY_WRAP, &rows[0], sizeof(rows[0]));
    assert_ok(mechanism_wrap(&right, &rsa.public_key, NULL, view_string("key"), &wrapped));
    assert_rv(mechanism_unwrap(&shorter, rsa.key, bytes_view(&wrapped), &back),
              CKR_WRAPPED_KEY_INVALID);
    bytes_free(&wrapped);
}

static CK_RV derive_ecdh(CK_MECHANISM_TYPE type, CK_ECDH1_DERIVE_PARAMS params, struct key *key,
                         const struct public_key *peer, size_t size, struct bytes *ret_secret)
{
    const CK_MECHANISM given = with_parameter(type, &params, sizeof(params));
    params.pPublicData = peer->point.data;
    params.ulPublicDataLen = peer->point.size;
    return mechanism_derive(&given, key, size, ret_secret);
}

static void both_sides_derive_the_same_secret(UNUSED void **state)
{
    static CK_BYTE shared[] = "shared data";
    static const struct {
        CK_MECHANISM_TYPE type;
        CK_ULONG kdf, shared;
        size_t size, expected;
    } rows[] = {
        {CKM_ECDH1_DERIVE, CKD_NULL, 0, 0, 32},
        {CKM_ECDH1_COFACTOR_DERIVE, CKD_NULL, 0, 16, 16},
        {CKM_ECDH1_DERIVE, CKD_SHA1_KDF, 0, 0, 20},
        {CKM_ECDH1_DERIVE, CKD_SHA256_KDF, sizeof(shared), 77, 77},
        {CKM_ECDH1_DERIVE, CKD_SHA3_512_KDF, sizeof(shared), 0, 64},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const CK_ECDH1_DERIVE_PARAMS params = {
            .kdf = rows[i].kdf, .ulSharedDataLen = rows[i].shared, .pSharedData = shared};
        struct bytes one = {0}, two = {0};
        assert_ok(derive_ecdh(rows[i].type, params, ec.key, &other.public_key, rows[i].size, &one));
        assert_ok(derive_ecdh(rows[i].type, params, other.key, &ec.public_key, rows[i].size, &two));
        assert_int_equal(one.size, rows[i].expected);
        assert_true(view_equal(bytes_view(&one), bytes_view(&two)));
        bytes_free(&one);
        bytes_free(&two);
    }
}

/* ANSI X9.63, 5.6.3: Hash(Z || 00000001 || shared) first. */
static void the_kdf_is_that_of_x963(UNUSED void **state)
{
    static CK_BYTE shared[] = {'i', 'n', 'f', 'o'};
    const CK_ECDH1_DERIVE_PARAMS plain = {.kdf = CKD_NULL},
                                 kdf = {.kdf = CKD_SHA256_KDF,
                                        .ulSharedDataLen = sizeof(shared),
                                        .pSharedData = shared};
    struct bytes secret = {0}, derived = {0};
    uint8_t expected[HASH_MAX_SIZE];
    assert_ok(derive_ecdh(CKM_ECDH1_DERIVE, plain, ec.key, &other.public_key, 0, &secret));
    assert_ok(derive_ecdh(CKM_ECDH1_DERIVE, kdf, ec.key, &other.public_key, 40, &derived));
    assert_ok(bytes_append(&secret, view_of("\0\0\0\1info", 8), 100));
    assert_ok(mechanism_digest(HASH_SHA256, bytes_view(&secret), expected));
    assert_memory_equal(derived.data, expected, 32);
    secret.data[35] = 2;
    assert_ok(mechanism_digest(HASH_SHA256, bytes_view(&secret), expected));
    assert_memory_equal(derived.data + 32, expected, 8);
    bytes_free(&secret);
    bytes_free(&derived);
}

static void a_secret_is_not_longer_than_the_curve(UNUSED void **state)
{
    const CK_ECDH1_DERIVE_PARAMS plain = {.kdf = CKD_NULL};
    struct bytes secret = {0};
    assert_rv(derive_ecdh(CKM_ECDH1_DERIVE, plain, ec.key, &other.public_key, 33, &secret),
              CKR_TEMPLATE_INCONSISTENT);
    assert_ok(derive_ecdh(CKM_ECDH1_DERIVE, plain, x25519.key, &x25519.public_key, 0, &secret));
    assert_int_equal(secret.size, 32);
    bytes_free(&secret);
}

/* PKCS#11 6.3.19. */
static void a_shorter_secret_lacks_the_leading_bytes(UNUSED void **state)
{
    const CK_ECDH1_DERIVE_PARAMS plain = {.kdf = CKD_NULL};
    struct bytes whole = {0}, cut = {0};
    assert_ok(derive_ecdh(CKM_ECDH1_DERIVE, plain, ec.key, &other.public_key, 0, &whole));
    for (size_t size = 1; size <= 32; size += 31) {
        assert_ok(derive_ecdh(CKM_ECDH1_DERIVE, plain, ec.key, &other.public_key, size, &cut));
        assert_true(view_equal(bytes_view(&cut), view_of(whole.data + 32 - size, size)));
        bytes_free(&cut);
    }
    bytes_free(&whole);
}

static void points_of_ecdh_are_checked(UNUSED void **state)
{
    static CK_BYTE point[600] = {4};
    for (int i = 0; i < 4; i++) {
        CK_ECDH1_DERIVE_PARAMS params = {
            .kdf = CKD_NULL, .ulPublicDataLen = 65, .pPublicData = i == 1 ? NULL : point};
        CK_MECHANISM given = with_parameter(CKM_ECDH1_DERIVE, &params, sizeof(params));
        struct bytes secret;
        params.ulPublicDataLen = i == 2 ? 513 : 65;
        given.ulParameterLen -= i == 3;
        poison(secret);
        assert_rv(mechanism_derive(&given, ec.key, 16, &secret), CKR_MECHANISM_PARAM_INVALID);
        assert_poison(secret);
    }
}

static void parameters_of_ecdh_are_checked(UNUSED void **state)
{
    static CK_BYTE shared[8192];
    const CK_ECDH1_DERIVE_PARAMS rows[] = {
        {.kdf = CKD_NULL, .ulSharedDataLen = 4, .pSharedData = shared},
        {.kdf = CKD_SHA256_KDF, .ulSharedDataLen = 4},
        {.kdf = CKD_SHA256_KDF, .ulSharedDataLen = sizeof(shared), .pSharedData = shared},
        {.kdf = CKD_SHA1_KDF_ASN1},
        {.kdf = 0},
        {.kdf = 14},
    };
    struct bytes secret;
    poison(secret);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        assert_rv(derive_ecdh(CKM_ECDH1_DERIVE, rows[i], ec.key, &other.public_key, 16, &secret),
                  CKR_MECHANISM_PARAM_INVALID);
    assert_poison(secret);
}

/* RFC 5869, appendix A.1 and A.3. */
#define IKM "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b"
#define SALT "000102030405060708090a0b0c"
#define INFO "f0f1f2f3f4f5f6f7f8f9"
#define PRK "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5"
#define OKM "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"

static CK_HKDF_PARAMS hkdf_of(bool extract, bool expand)
{
    struct view salt = from_hex(SALT), info = from_hex(INFO);
    return (CK_HKDF_PARAMS){
        .bExtract = extract,
        .bExpand = expand,
        .prfHashMechanism = CKM_SHA256,
        .ulSaltType = CKF_HKDF_SALT_DATA,
        .pSalt = (CK_BYTE *)(uintptr_t)salt.data,
        .ulSaltLen = salt.size,
        .pInfo = (CK_BYTE *)(uintptr_t)info.data,
        .ulInfoLen = info.size,
    };
}

static CK_RV derive_hkdf(const CK_HKDF_PARAMS *params, const char *key_hex, struct view salt,
                         size_t size, struct bytes *ret_secret)
{
    const CK_MECHANISM given = with_parameter(CKM_HKDF_DERIVE, params, sizeof(*params));
    struct key *key = secret_key(key_hex);
    CK_RV rv = salt.data ? mechanism_derive_salted(&given, key, salt, size, ret_secret)
                         : mechanism_derive(&given, key, size, ret_secret);
    key_unref(key);
    return rv;
}

static void the_known_hkdf_keys_come_out(UNUSED void **state)
{
    const struct {
        bool extract, expand;
        const char *key;
        size_t size;
        const char *expected;
    } rows[] = {
        {true, true, IKM, 42, OKM},
        {true, false, IKM, 0, PRK},
        {true, false, IKM, 32, PRK},
        {false, true, PRK, 42, OKM},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const CK_HKDF_PARAMS params = hkdf_of(rows[i].extract, rows[i].expand);
        struct bytes secret = {0};
        assert_ok(derive_hkdf(&params, rows[i].key, (struct view){0}, rows[i].size, &secret));
        assert_hex(bytes_view(&secret), rows[i].expected);
        bytes_free(&secret);
    }
    CK_HKDF_PARAMS params = hkdf_of(true, true);
    struct bytes secret = {0};
    params.ulSaltType = CKF_HKDF_SALT_NULL;
    params.ulInfoLen = 0;
    assert_ok(derive_hkdf(&params, IKM, (struct view){0}, 42, &secret));
    assert_hex(bytes_view(&secret),
               "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
               "9d201395faa4b61a96c8");
    bytes_free(&secret);
}

static void a_key_can_be_the_salt(UNUSED void **state)
{
    CK_HKDF_PARAMS params = hkdf_of(true, true);
    const CK_MECHANISM given = with_parameter(CKM_HKDF_DERIVE, &params, sizeof(params)),
                       odd = with_parameter(CKM_HKDF_DERIVE, &params, 3),
                       ecdh = with_parameter(CKM_ECDH1_DERIVE, &params, sizeof(params));
    struct bytes secret = {0};
    params.hSaltKey = 77;
    assert_int_equal(mechanism_salt_key(&given), CK_INVALID_HANDLE);
    params.ulSaltType = CKF_HKDF_SALT_KEY;
    assert_int_equal(mechanism_salt_key(&given), 77);
    assert_int_equal(mechanism_salt_key(&odd), CK_INVALID_HANDLE);
    assert_int_equal(mechanism_salt_key(&ecdh), CK_INVALID_HANDLE);
    assert_rv(derive_hkdf(&params, IKM, (struct view){0}, 42, &secret),
              CKR_MECHANISM_PARAM_INVALID);
    assert_ok(derive_hkdf(&params, IKM, from_hex(SALT), 42, &secret));
    assert_hex(bytes_view(&secret), OKM);
    bytes_free(&secret);
    params.bExtract = CK_FALSE;
    assert_int_equal(mechanism_salt_key(&given), CK_INVALID_HANDLE);
}

static void parameters_of_hkdf_are_checked(UNUSED void **state)
{
    struct bytes secret;
    poison(secret);
    for (int i = 0; i < 8; i++) {
        CK_HKDF_PARAMS params = hkdf_of(i != 0, i != 0 && i != 7);
        params.prfHashMechanism = i == 1 ? CKM_SHA256_HMAC : CKM_SHA256;
        params.ulSaltType = i == 2 ? 3 : CKF_HKDF_SALT_DATA;
        params.pSalt = i == 3 ? NULL : params.pSalt;
        params.pInfo = i == 4 ? NULL : params.pInfo;
        params.ulInfoLen = i == 5 ? ~0UL : params.ulInfoLen;
        /* Too long to expand to, or not the size of what is extracted. */
        size_t size = i == 6 ? 255 * 32 + 1 : i == 7 ? 31 : 16;
        assert_rv(derive_hkdf(&params, IKM, (struct view){0}, size, &secret),
                  CKR_MECHANISM_PARAM_INVALID);
    }
    assert_poison(secret);
}

static void only_what_a_row_has_is_carried_out(UNUSED void **state)
{
    const CK_MECHANISM digest = with_parameter(CKM_SHA256, NULL, 0),
                       unknown = with_parameter(CKM_VENDOR_DEFINED, NULL, 0),
                       nowhere = with_parameter(CKM_HKDF_DERIVE, NULL, sizeof(CK_HKDF_PARAMS));
    struct bytes out = {0};
    size_t size = 0;
    const CK_MECHANISM *const rows[] = {&digest, &unknown};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_rv(mechanism_wrap(rows[i], NULL, rsa.key, view_string("x"), &out),
                  CKR_MECHANISM_INVALID);
        assert_rv(mechanism_wrapped_size(rows[i], NULL, 1, &size), CKR_MECHANISM_INVALID);
        assert_rv(mechanism_unwrap(rows[i], rsa.key, view_string("x"), &out),
                  CKR_MECHANISM_INVALID);
        assert_rv(mechanism_derive(rows[i], rsa.key, 0, &out), CKR_MECHANISM_INVALID);
    }
    assert_rv(mechanism_derive(&nowhere, rsa.key, 0, &out), CKR_MECHANISM_PARAM_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_known_wrapped_keys_come_out),
        cmocka_unit_test(the_standards_initial_value_may_be_given),
        cmocka_unit_test(a_key_that_does_not_fit_is_not_wrapped),
        cmocka_unit_test(a_wrapped_key_comes_back),
        cmocka_unit_test(parameters_of_rsa_aes_are_checked),
        cmocka_unit_test(both_sides_derive_the_same_secret),
        cmocka_unit_test(the_kdf_is_that_of_x963),
        cmocka_unit_test(a_secret_is_not_longer_than_the_curve),
        cmocka_unit_test(a_shorter_secret_lacks_the_leading_bytes),
        cmocka_unit_test(points_of_ecdh_are_checked),
        cmocka_unit_test(parameters_of_ecdh_are_checked),
        cmocka_unit_test(the_known_hkdf_keys_come_out),
        cmocka_unit_test(a_key_can_be_the_salt),
        cmocka_unit_test(parameters_of_hkdf_are_checked),
        cmocka_unit_test(only_what_a_row_has_is_carried_out),
    };
    return cmocka_run_group_tests(tests, begin_group, end_group);
}
