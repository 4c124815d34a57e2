#include "token/mechanism/test_support.h"

#include "token/mechanism/manage.h"

/* Encapsulation by ECDH, and wrapping with authenticated encryption. */

static struct key *p256, *x25519;

static struct key *make_key(enum key_algorithm algorithm, const char *curve_hex)
{
    struct key_spec spec = {.algorithm = algorithm};
    struct key *key = NULL;
    assert_ok(bytes_copy(&spec.curve, from_hex(curve_hex)));
    assert_ok(key_generate_software(&spec, &key));
    key_spec_clear(&spec);
    return key;
}

static int begin_group(UNUSED void **state)
{
    p256 = make_key(KEY_ALGORITHM_EC, "06082a8648ce3d030107");
    x25519 = make_key(KEY_ALGORITHM_MONTGOMERY, "06032b656e");
    return 0;
}

static int end_group(UNUSED void **state)
{
    key_unref(p256);
    key_unref(x25519);
    return 0;
}

static CK_ECDH1_DERIVE_PARAMS plain = {.kdf = CKD_NULL};
static CK_MECHANISM ecdh = {CKM_ECDH1_DERIVE, &plain, sizeof(plain)};

static void the_holder_of_the_key_gets_the_same_secret(UNUSED void **state)
{
    static CK_BYTE shared[] = "shared";
    static const struct {
        CK_MECHANISM_TYPE type;
        struct key **key;
        CK_ULONG kdf, shared;
        size_t size, ciphertext, secret;
    } rows[] = {
        {CKM_ECDH1_DERIVE, &p256, CKD_NULL, 0, 0, 65, 32},
        {CKM_ECDH1_COFACTOR_DERIVE, &p256, CKD_NULL, 0, 16, 65, 16},
        {CKM_ECDH1_DERIVE, &p256, CKD_SHA384_KDF, sizeof(shared), 0, 65, 48},
        {CKM_ECDH1_DERIVE, &x25519, CKD_SHA256_KDF, sizeof(shared), 70, 32, 70},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CK_ECDH1_DERIVE_PARAMS params = {
            .kdf = rows[i].kdf, .ulSharedDataLen = rows[i].shared, .pSharedData = shared};
        const CK_MECHANISM given = {rows[i].type, &params, sizeof(params)};
        struct key *key = *rows[i].key;
        struct bytes ciphertext = {0}, one = {0}, two = {0};
        size_t size = 0;
        assert_ok(mechanism_encapsulated_size(&given, key_public(key), &size));
        assert_ok(mechanism_encapsulate(&given, key_public(key), rows[i].size, &ciphertext, &one));
        assert_ok(mechanism_decapsulate(&given, key, bytes_view(&ciphertext), rows[i].size, &two));
        assert_int_equal(size, rows[i].ciphertext);
        assert_int_equal(ciphertext.size, rows[i].ciphertext);
        assert_int_equal(one.size, rows[i].secret);
        assert_true(view_equal(bytes_view(&one), bytes_view(&two)));
        bytes_free(&ciphertext);
        bytes_free(&one);
        bytes_free(&two);
    }
}

static void the_other_point_is_not_in_the_parameter(UNUSED void **state)
{
    static CK_BYTE point[65] = {4};
    CK_ECDH1_DERIVE_PARAMS rows[] = {
        {.kdf = CKD_NULL, .ulPublicDataLen = sizeof(point), .pPublicData = point},
        {.kdf = CKD_NULL, .pPublicData = point},
        {.kdf = CKD_NULL, .ulPublicDataLen = 1},
        {.kdf = 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const CK_MECHANISM given = {CKM_ECDH1_DERIVE, &rows[i], sizeof(rows[i])};
        struct bytes ciphertext, secret;
        size_t size;
        poison(ciphertext);
        poison(secret);
        poison(size);
        assert_rv(mechanism_encapsulated_size(&given, key_public(p256), &size),
                  CKR_MECHANISM_PARAM_INVALID);
        assert_rv(mechanism_encapsulate(&given, key_public(p256), 0, &ciphertext, &secret),
                  CKR_MECHANISM_PARAM_INVALID);
        assert_rv(mechanism_decapsulate(&given, p256, view_of(point, sizeof(point)), 0, &secret),
                  CKR_MECHANISM_PARAM_INVALID);
        assert_poison(ciphertext);
        assert_poison(secret);
        assert_poison(size);
    }
}

static void bad_points_are_told_apart(UNUSED void **state)
{
    static const uint8_t point[600] = {4};
    static const size_t sizes[] = {0, 1, 64, 65, 66, sizeof(point)};
    struct public_key off_curve = {0};
    struct bytes ciphertext, secret;
    poison(ciphertext);
    poison(secret);
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
        assert_rv(mechanism_decapsulate(&ecdh, p256, view_of(point, sizes[i]), 0, &secret),
                  CKR_WRAPPED_KEY_INVALID);
    /* Of small order: the secret would be zero. */
    assert_rv(mechanism_decapsulate(&ecdh, x25519, view_of(point + 1, 32), 0, &secret),
              CKR_WRAPPED_KEY_INVALID);
    assert_ok(public_key_copy(&off_curve, key_public(p256)));
    off_curve.point.data[64] ^= 1;
    assert_rv(mechanism_encapsulate(&ecdh, &off_curve, 0, &ciphertext, &secret),
              CKR_PUBLIC_KEY_INVALID);
    assert_rv(mechanism_encapsulate(&ecdh, key_public(p256), 33, &ciphertext, &secret),
              CKR_TEMPLATE_INCONSISTENT);
    assert_poison(ciphertext);
    assert_poison(secret);
    public_key_clear(&off_curve);
}

static void other_mechanisms_do_not_encapsulate(UNUSED void **state)
{
    static const CK_MECHANISM_TYPE types[] = {CKM_ECDSA, CKM_RSA_PKCS, CKM_HKDF_DERIVE,
                                              CKM_VENDOR_DEFINED};
    struct bytes out = {0};
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        const CK_MECHANISM given = {types[i], NULL, 0};
        assert_rv(mechanism_encapsulate(&given, key_public(p256), 0, &out, &out),
                  CKR_MECHANISM_INVALID);
        assert_rv(mechanism_decapsulate(&given, p256, view_string("x"), 0, &out),
                  CKR_MECHANISM_INVALID);
    }
}

/* What one exported key can do does not include it. */
static void exported_keys_do_not_encapsulate(UNUSED void **state)
{
    CK_FLAGS flags = mechanism_flags(mechanism_find(CKM_ECDH1_DERIVE), p256, key_public(p256));
    assert_true(flags & CKF_DERIVE);
    assert_int_equal(flags & (CKF_ENCAPSULATE | CKF_DECAPSULATE), 0);
}

#define TEXT                                                                                       \
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"                             \
    "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
#define WRAPPED                                                                                    \
    "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"                             \
    "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091"

/* The GCM proposal, test case 4. */
static void the_known_authenticated_wrapping_comes_out(UNUSED void **state)
{
    const struct view associated = from_hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
    CK_BYTE iv[12], tag[16];
    CK_GCM_MESSAGE_PARAMS gcm = {iv, sizeof(iv), 0, CKG_NO_GENERATE, tag, 128};
    const CK_MECHANISM given = {CKM_AES_GCM, &gcm, sizeof(gcm)};
    struct bytes wrapped = {0}, back = {0};
    struct key *key = secret_key("feffe9928665731c6d6a8f9467308308");
    memcpy(iv, from_hex("cafebabefacedbaddecaf888").data, sizeof(iv));
    assert_ok(mechanism_wrap_authenticated(&given, key, associated, from_hex(TEXT), &wrapped));
    assert_hex(bytes_view(&wrapped), WRAPPED);
    assert_hex(view_of(tag, sizeof(tag)), "5bc94fbc3221a5db94fae95ae7121a47");
    gcm.ivGenerator = CKG_GENERATE_COUNTER; /* ignored */
    assert_ok(mechanism_unwrap_authenticated(&given, key, associated, bytes_view(&wrapped), &back));
    assert_hex(bytes_view(&back), TEXT);
    bytes_free(&wrapped);
    poison(wrapped);
    assert_rv(mechanism_wrap_authenticated(&given, key, associated, from_hex(TEXT), &wrapped),
              CKR_MECHANISM_PARAM_INVALID);
    assert_poison(wrapped);
    bytes_free(&back);
    key_unref(key);
}

static void nothing_comes_out_of_a_changed_wrapping(UNUSED void **state)
{
    CK_BYTE iv[12], tag[16];
    CK_GCM_MESSAGE_PARAMS gcm = {iv, sizeof(iv), 0, CKG_GENERATE, tag, 128};
    CK_MECHANISM given = {CKM_AES_GCM, &gcm, sizeof(gcm)}, other = {CKM_AES_CBC, iv, 16};
    struct bytes wrapped = {0}, back;
    struct key *key = secret_key("feffe9928665731c6d6a8f9467308308");
    poison(back);
    assert_ok(
        mechanism_wrap_authenticated(&given, key, view_string("a"), view_string("key"), &wrapped));
    assert_rv(
        mechanism_unwrap_authenticated(&given, key, view_string("b"), bytes_view(&wrapped), &back),
        CKR_WRAPPED_KEY_INVALID);
    tag[15] ^= 1;
    assert_rv(
        mechanism_unwrap_authenticated(&given, key, view_string("a"), bytes_view(&wrapped), &back),
        CKR_WRAPPED_KEY_INVALID);
    assert_rv(
        mechanism_unwrap_authenticated(&other, key, view_string("a"), bytes_view(&wrapped), &back),
        CKR_MECHANISM_INVALID);
    assert_poison(back);
    bytes_free(&wrapped);
    key_unref(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_holder_of_the_key_gets_the_same_secret),
        cmocka_unit_test(the_other_point_is_not_in_the_parameter),
        cmocka_unit_test(bad_points_are_told_apart),
        cmocka_unit_test(other_mechanisms_do_not_encapsulate),
        cmocka_unit_test(exported_keys_do_not_encapsulate),
        cmocka_unit_test(the_known_authenticated_wrapping_comes_out),
        cmocka_unit_test(nothing_comes_out_of_a_changed_wrapping),
    };
    return cmocka_run_group_tests(tests, begin_group, end_group);
}
