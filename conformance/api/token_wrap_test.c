/* PKCS#11 2.40 section 5.13: C_WrapKey and C_UnwrapKey, and who may leave by them. */
#include <openssl/rsa.h>

#include "conformance/api/making.h"

#define KWP CKM_AES_KEY_WRAP_KWP

/* Of PKCS#11 2.40's CKM_RSA_AES_KEY_WRAP; older headers lack it. */
struct rsa_aes_params {
    CK_ULONG aes_bits;
    CK_RSA_PKCS_OAEP_PARAMS *oaep;
};

static CK_RSA_PKCS_OAEP_PARAMS sha1 = {CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, NULL, 0};
static CK_RSA_PKCS_OAEP_PARAMS sha256 = {CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, NULL, 0};
static struct rsa_aes_params combined = {256, &sha256};

static CK_MECHANISM pkcs1 = {CKM_RSA_PKCS, NULL, 0};
static CK_MECHANISM oaep_sha1 = {CKM_RSA_PKCS_OAEP, &sha1, sizeof(sha1)};
static CK_MECHANISM oaep_sha256 = {CKM_RSA_PKCS_OAEP, &sha256, sizeof(sha256)};
static CK_MECHANISM rsa_aes = {CKM_RSA_AES_KEY_WRAP, &combined, sizeof(combined)};
static CK_MECHANISM aes_kw = {CKM_AES_KEY_WRAP, NULL, 0};
static CK_MECHANISM aes_kwp = {KWP, NULL, 0};

struct wrapped {
    CK_BYTE bytes[4096];
    CK_ULONG length;
};

static CK_RV wrap(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE by,
                  CK_OBJECT_HANDLE key, struct wrapped *ret_wrapped)
{
    ret_wrapped->length = sizeof(ret_wrapped->bytes);
    return p11->C_WrapKey(session, mechanism, by, key, ret_wrapped->bytes, &ret_wrapped->length);
}

static CK_RV unwrap_secret(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE by,
                           struct wrapped *wrapped, CK_KEY_TYPE type, bool token,
                           CK_OBJECT_HANDLE *ret_key)
{
    return p11->C_UnwrapKey(session, mechanism, by, wrapped->bytes, wrapped->length,
                            LIST(NUMBER(CKA_CLASS, CKO_SECRET_KEY), NUMBER(CKA_KEY_TYPE, type),
                                 FLAG(CKA_TOKEN, token), FLAG(CKA_SENSITIVE, false),
                                 FLAG(CKA_EXTRACTABLE, true)),
                            ret_key);
}

/* The wrapping of some mechanisms is not listed apart: asking is the test. */
static void available_or_skip(CK_MECHANISM *mechanism)
{
    CK_MECHANISM_INFO info;

    mechanism_or_skip(common_slot(), mechanism->mechanism);
    assert_ok(p11->C_GetMechanismInfo(common_slot(), mechanism->mechanism, &info));
    if (!(info.flags & CKF_WRAP) || !(info.flags & CKF_UNWRAP))
        skip_because("%s does not wrap and unwrap", mechanism_name(mechanism->mechanism));
}

/* Out and in again: the same value. */
static void there_and_back(CK_MECHANISM *mechanism, CK_OBJECT_HANDLE wrapping,
                           CK_OBJECT_HANDLE unwrapping, const char *value, size_t length)
{
    CK_SESSION_HANDLE session = user_session();
    CK_OBJECT_HANDLE key = known_secret(session, CKK_GENERIC_SECRET, value, length), back;
    unsigned char read[MAX_VALUE];
    struct wrapped wrapped;

    for (unsigned i = 0; i < 2; i++) {
        assert_ok(wrap(session, mechanism, wrapping, key, &wrapped));
        assert_ok(
            unwrap_secret(session, mechanism, unwrapping, &wrapped, CKK_GENERIC_SECRET, i, &back));
        assert_int_equal(get_bytes(session, back, CKA_VALUE, read), length);
        assert_memory_equal(read, value, length);
        assert_true(get_bool(session, back, CKA_TOKEN) == (i == 1));
    }
}

static void rsa_wraps_and_the_token_unwraps(CK_MECHANISM *mechanism)
{
    CK_SESSION_HANDLE session = user_session();
    struct pair pair;

    available_or_skip(mechanism);
    pair = new_rsa_pair(session, 2048, true);
    there_and_back(mechanism, pair.public_key, pair.private_key, "0123456789abcdef01", 18);
}

static void pkcs1_wraps_and_unwraps(void **state)
{
    (void)state;
    user_session();
    rsa_wraps_and_the_token_unwraps(&pkcs1);
}

static void oaep_wraps_and_unwraps(void **state)
{
    (void)state;
    user_session();
    rsa_wraps_and_the_token_unwraps(&oaep_sha1);
}

static void oaep_with_sha256_wraps_and_unwraps(void **state)
{
    (void)state;
    user_session();
    rsa_wraps_and_the_token_unwraps(&oaep_sha256);
}

static void rsa_aes_wraps_and_unwraps(void **state)
{
    (void)state;
    user_session();
    rsa_wraps_and_the_token_unwraps(&rsa_aes);
}

static void aes_wraps_and_unwraps(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    CK_OBJECT_HANDLE key = new_aes_key(session, 32, true);

    (void)state;
    available_or_skip(&aes_kw);
    there_and_back(&aes_kw, key, key, "0123456789abcdef", 16);
    there_and_back(&aes_kw, key, key, "0123456789abcdef01234567", 24);
}

static void aes_wraps_any_length_with_padding(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    CK_OBJECT_HANDLE key = new_aes_key(session, 32, true);

    (void)state;
    available_or_skip(&aes_kwp);
    for (size_t length = 1; length < 26; length += 3)
        there_and_back(&aes_kwp, key, key, "0123456789abcdef0123456789", length);
}

/* RFC 3394, 4.3: 128 bits of data with a 256-bit key. */
static void the_published_wrapping_comes_out(void **state)
{
    static const unsigned char expected[] = {0x64, 0xe8, 0xc3, 0xf9, 0xce, 0x0f, 0x5b, 0xa2,
                                             0x63, 0xe9, 0x77, 0x79, 0x05, 0x81, 0x8a, 0x2a,
                                             0x93, 0xc8, 0x19, 0x1e, 0x7d, 0x6e, 0x8a, 0xe7};
    CK_SESSION_HANDLE session = user_session();
    unsigned char key_bytes[32], value[16];
    CK_OBJECT_HANDLE by, key;
    struct wrapped wrapped;

    (void)state;
    available_or_skip(&aes_kw);
    for (unsigned char i = 0; i < 32; i++)
        key_bytes[i] = i;
    for (unsigned char i = 0; i < 16; i++)
        value[i] = (unsigned char)(i * 0x11);
    by = known_secret(session, CKK_AES, key_bytes, 32);
    key = known_secret(session, CKK_AES, value, 16);
    assert_ok(wrap(session, &aes_kw, by, key, &wrapped));
    assert_int_equal(wrapped.length, sizeof(expected));
    assert_memory_equal(wrapped.bytes, expected, sizeof(expected));
}

/* RFC 5649, section 6: 20 bytes with a 192-bit key. */
static void the_published_padded_wrapping_comes_out(void **state)
{
    static const unsigned char key_bytes[] = {0x58, 0x40, 0xdf, 0x6e, 0x29, 0xb0, 0x2a, 0xf1,
                                              0xab, 0x49, 0x3b, 0x70, 0x5b, 0xf1, 0x6e, 0xa1,
                                              0xae, 0x83, 0x38, 0xf4, 0xdc, 0xc1, 0x76, 0xa8};
    static const unsigned char value[] = {0xc3, 0x7b, 0x7e, 0x64, 0x92, 0x58, 0x43,
                                          0x40, 0xbe, 0xd1, 0x22, 0x07, 0x80, 0x89,
                                          0x41, 0x15, 0x50, 0x68, 0xf7, 0x38};
    static const unsigned char expected[] = {0x13, 0x8b, 0xde, 0xaa, 0x9b, 0x8f, 0xa7, 0xfc,
                                             0x61, 0xf9, 0x77, 0x42, 0xe7, 0x22, 0x48, 0xee,
                                             0x5a, 0xe6, 0xae, 0x53, 0x60, 0xd1, 0xae, 0x6a,
                                             0x5f, 0x54, 0xf3, 0x73, 0xfa, 0x54, 0x3b, 0x6a};
    CK_SESSION_HANDLE session = user_session();
    CK_OBJECT_HANDLE by, key;
    struct wrapped wrapped;

    (void)state;
    available_or_skip(&aes_kwp);
    by = known_secret(session, CKK_AES, key_bytes, sizeof(key_bytes));
    key = known_secret(session, CKK_GENERIC_SECRET, value, sizeof(value));
    assert_ok(wrap(session, &aes_kwp, by, key, &wrapped));
    assert_int_equal(wrapped.length, sizeof(expected));
    assert_memory_equal(wrapped.bytes, expected, sizeof(expected));
}

static void openssl_wraps_for_a_key_of_the_token(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    struct pair pair = new_rsa_pair(session, 2048, true);
    EVP_PKEY *key = openssl_public(session, pair.public_key);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
    struct wrapped wrapped;
    size_t length = sizeof(wrapped.bytes);
    CK_OBJECT_HANDLE back = POISON_ULONG;
    unsigned char read[MAX_VALUE];

    (void)state;
    assert_true(EVP_PKEY_encrypt_init(context) > 0);
    EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING);
    assert_true(EVP_PKEY_encrypt(context, wrapped.bytes, &length,
                                 (const unsigned char *)"0123456789abcdef", 16) > 0);
    wrapped.length = length;
    assert_ok(unwrap_secret(session, &oaep_sha1, pair.private_key, &wrapped, CKK_AES, true, &back));
    assert_int_equal(get_bytes(session, back, CKA_VALUE, read), 16);
    assert_memory_equal(read, "0123456789abcdef", 16);
    assert_false(get_bool(session, back, CKA_LOCAL));
    assert_false(get_bool(session, back, CKA_ALWAYS_SENSITIVE));
    assert_false(get_bool(session, back, CKA_NEVER_EXTRACTABLE));
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(key);
}

/* A private key, made extractable in the session, goes out and comes in to the token. */
static void a_private_key_goes_from_session_to_token(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    CK_OBJECT_HANDLE by = new_aes_key(session, 32, true), back = POISON_ULONG;
    static const enum kind kinds[] = {RSA_PRIVATE, EC_PRIVATE};
    struct wrapped wrapped;

    (void)state;
    available_or_skip(&aes_kwp);
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        struct template template = sample(kinds[i]);
        CK_OBJECT_HANDLE key = POISON_ULONG;

        template_set(&template, (CK_ATTRIBUTE)FLAG(CKA_TOKEN, false));
        template_set(&template, (CK_ATTRIBUTE)FLAG(CKA_EXTRACTABLE, true));
        assert_ok(create_from(session, &template, &key));
        assert_ok(wrap(session, &aes_kwp, by, key, &wrapped));
        assert_ok(p11->C_UnwrapKey(
            session, &aes_kwp, by, wrapped.bytes, wrapped.length,
            LIST(NUMBER(CKA_CLASS, CKO_PRIVATE_KEY),
                 NUMBER(CKA_KEY_TYPE, kinds[i] == RSA_PRIVATE ? CKK_RSA : CKK_EC),
                 FLAG(CKA_TOKEN, true), FLAG(CKA_PRIVATE, true), FLAG(CKA_SENSITIVE, true),
                 FLAG(CKA_EXTRACTABLE, false), FLAG(CKA_SIGN, true)),
            &back));
        assert_ok(sign_simply(session, back));
        assert_false(get_bool(session, back, CKA_LOCAL));
        assert_true(get_bool(session, back, CKA_TOKEN));
        assert_rv(wrap(session, &aes_kwp, by, back, &wrapped), CKR_KEY_UNEXTRACTABLE,
                  CKR_KEY_NOT_WRAPPABLE);
    }
}

static void only_extractable_keys_leave(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    CK_OBJECT_HANDLE by = new_aes_key(session, 32, true), key = POISON_ULONG;
    CK_MECHANISM *mechanism = mechanism_listed(common_slot(), KWP) ? &aes_kwp : &aes_kw;
    struct wrapped wrapped;

    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        bool sensitive = i & 1, extractable = i & 2;

        assert_ok(generate_secret(session, CKM_AES_KEY_GEN, 16,
                                  LIST(FLAG(CKA_TOKEN, i & 4), FLAG(CKA_SENSITIVE, sensitive),
                                       FLAG(CKA_EXTRACTABLE, extractable)),
                                  &key));
        expect_rv(wrap(session, mechanism, by, key, &wrapped),
                  extractable ? CKR_OK : CKR_KEY_UNEXTRACTABLE);
    }
    expectations_met();
}

static void a_key_may_insist_on_a_trusted_wrapping_key(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    CK_OBJECT_HANDLE by = new_aes_key(session, 32, true), key = POISON_ULONG;
    struct wrapped wrapped;

    (void)state;
    assert_ok(generate_secret(
        session, CKM_AES_KEY_GEN, 16,
        LIST(FLAG(CKA_TOKEN, true), FLAG(CKA_EXTRACTABLE, true), FLAG(CKA_WRAP_WITH_TRUSTED, true)),
        &key));
    assert_rv(wrap(session, &aes_kw, by, key, &wrapped), CKR_KEY_NOT_WRAPPABLE);
    assert_rv(p11->C_SetAttributeValue(session, key, LIST(FLAG(CKA_WRAP_WITH_TRUSTED, false))),
              CKR_ATTRIBUTE_READ_ONLY);
}

static void keys_wrap_only_when_they_may(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    CK_OBJECT_HANDLE by = POISON_ULONG,
                     key = known_secret(session, CKK_AES, "0123456789abcdef", 16);
    CK_OBJECT_HANDLE back = POISON_ULONG;
    struct wrapped wrapped = {.length = 24};

    (void)state;
    assert_ok(generate_secret(
        session, CKM_AES_KEY_GEN, 16,
        LIST(FLAG(CKA_TOKEN, true), FLAG(CKA_WRAP, false), FLAG(CKA_UNWRAP, false)), &by));
    expect_rv(wrap(session, &aes_kw, by, key, &wrapped), CKR_KEY_FUNCTION_NOT_PERMITTED);
    expect_rv(unwrap_secret(session, &aes_kw, by, &wrapped, CKK_AES, false, &back),
              CKR_KEY_FUNCTION_NOT_PERMITTED);
    expect_rv(wrap(session, &aes_kw, 0x7EADBEEFUL, key, &wrapped), CKR_WRAPPING_KEY_HANDLE_INVALID);
    expect_rv(wrap(session, &aes_kw, key, 0x7EADBEEFUL, &wrapped), CKR_KEY_HANDLE_INVALID);
    expect_rv(unwrap_secret(session, &aes_kw, 0x7EADBEEFUL, &wrapped, CKK_AES, false, &back),
              CKR_UNWRAPPING_KEY_HANDLE_INVALID);
    expectations_met();
}

static void small_buffers_are_told_the_length(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    CK_OBJECT_HANDLE by = new_aes_key(session, 32, true);
    CK_OBJECT_HANDLE key = known_secret(session, CKK_AES, "0123456789abcdef", 16);
    CK_BYTE out[64];
    CK_ULONG length = POISON_ULONG;

    (void)state;
    assert_ok(p11->C_WrapKey(session, &aes_kw, by, key, NULL, &length));
    assert_int_equal(length, 24);
    length = 23;
    assert_rv(p11->C_WrapKey(session, &aes_kw, by, key, out, &length), CKR_BUFFER_TOO_SMALL);
    assert_int_equal(length, 24);
    assert_ok(p11->C_WrapKey(session, &aes_kw, by, key, out, &length));
}

static void a_damaged_wrapping_is_invalid(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    CK_OBJECT_HANDLE by = new_aes_key(session, 32, true), back = POISON_ULONG;
    CK_OBJECT_HANDLE key = known_secret(session, CKK_AES, "0123456789abcdef", 16);
    struct wrapped wrapped;

    (void)state;
    assert_ok(wrap(session, &aes_kw, by, key, &wrapped));
    wrapped.bytes[5] ^= 1;
    expect_rv(unwrap_secret(session, &aes_kw, by, &wrapped, CKK_AES, true, &back),
              CKR_WRAPPED_KEY_INVALID);
    wrapped.bytes[5] ^= 1;
    wrapped.length = 23;
    expect_rv(unwrap_secret(session, &aes_kw, by, &wrapped, CKK_AES, true, &back),
              CKR_WRAPPED_KEY_LEN_RANGE);
    wrapped.length = 0;
    expect_rv(unwrap_secret(session, &aes_kw, by, &wrapped, CKK_AES, true, &back),
              CKR_WRAPPED_KEY_LEN_RANGE, CKR_ARGUMENTS_BAD);
    expectations_met();
}

static void unwrapping_checks_its_template(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    CK_OBJECT_HANDLE by = new_aes_key(session, 32, true), back = POISON_ULONG;
    CK_OBJECT_HANDLE key =
        known_secret(session, CKK_GENERIC_SECRET, "0123456789abcdef01234567", 24);
    struct wrapped wrapped;

    (void)state;
    assert_ok(wrap(session, &aes_kw, by, key, &wrapped));
    expect_rv(p11->C_UnwrapKey(session, &aes_kw, by, wrapped.bytes, wrapped.length,
                               LIST(NUMBER(CKA_KEY_TYPE, CKK_AES)), &back),
              CKR_TEMPLATE_INCOMPLETE);
    expect_rv(p11->C_UnwrapKey(session, &aes_kw, by, wrapped.bytes, wrapped.length,
                               LIST(NUMBER(CKA_CLASS, CKO_SECRET_KEY)), &back),
              CKR_TEMPLATE_INCOMPLETE);
    expect_rv(
        p11->C_UnwrapKey(session, &aes_kw, by, wrapped.bytes, wrapped.length,
                         LIST(NUMBER(CKA_CLASS, CKO_SECRET_KEY),
                              NUMBER(CKA_KEY_TYPE, CKK_GENERIC_SECRET), TEXT(CKA_VALUE, "mine")),
                         &back),
        CKR_ATTRIBUTE_READ_ONLY, CKR_TEMPLATE_INCONSISTENT);
    expectations_met();
}

#define test(function) cmocka_unit_test_teardown(function, destroy_everything)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(pkcs1_wraps_and_unwraps),
        test(oaep_wraps_and_unwraps),
        test(oaep_with_sha256_wraps_and_unwraps),
        test(rsa_aes_wraps_and_unwraps),
        test(aes_wraps_and_unwraps),
        test(aes_wraps_any_length_with_padding),
        test(the_published_wrapping_comes_out),
        test(the_published_padded_wrapping_comes_out),
        test(openssl_wraps_for_a_key_of_the_token),
        test(a_private_key_goes_from_session_to_token),
        test(only_extractable_keys_leave),
        test(a_key_may_insist_on_a_trusted_wrapping_key),
        test(keys_wrap_only_when_they_may),
        test(small_buffers_are_told_the_length),
        test(a_damaged_wrapping_is_invalid),
        test(unwrapping_checks_its_template),
    };

    return cmocka_run_group_tests(tests, initialised_setup, initialised_teardown);
}
