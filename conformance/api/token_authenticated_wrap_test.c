/* PKCS#11 3.2 sections 5.18.6, 5.18.7 and 6.13.3: C_WrapKeyAuthenticated and
 * C_UnwrapKeyAuthenticated with AES-GCM, which OpenSSL can open too. */
#include "conformance/api/making.h"

#define VALUE "0123456789abcdef0123456789abcdef"
#define VALUE_SIZE 32
#define AAD ((CK_BYTE *)"associated"), 10UL

static CK_BYTE iv[12], tag[16], wrapped[4096];
static CK_ULONG length;
static CK_GCM_MESSAGE_PARAMS gcm;
static CK_MECHANISM mechanism = {CKM_AES_GCM, &gcm, sizeof(gcm)};

static CK_SESSION_HANDLE session_or_skip(void)
{
    CK_SESSION_HANDLE session = user_session();

    version_3_2_or_skip();
    signet_only("AES-GCM wraps with authentication");
    mechanism_or_skip(common_slot(), CKM_AES_GCM);
    memset(iv, 0, sizeof(iv));
    memset(tag, 0, sizeof(tag));
    length = sizeof(wrapped);
    gcm = (CK_GCM_MESSAGE_PARAMS){iv, sizeof(iv), 0, CKG_GENERATE, tag, 8 * sizeof(tag)};
    return session;
}

static CK_RV wrap(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE by, CK_OBJECT_HANDLE key)
{
    return p11_v32->C_WrapKeyAuthenticated(session, &mechanism, by, key, AAD, wrapped, &length);
}

static CK_RV unwrap_with(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE by, const char *associated,
                         CK_OBJECT_HANDLE *ret_key)
{
    return p11_v32->C_UnwrapKeyAuthenticated(
        session, &mechanism, by, wrapped, length,
        LIST(NUMBER(CKA_CLASS, CKO_SECRET_KEY), NUMBER(CKA_KEY_TYPE, CKK_GENERIC_SECRET),
             FLAG(CKA_SENSITIVE, false), FLAG(CKA_EXTRACTABLE, true)),
        (CK_BYTE *)(uintptr_t)associated, strlen(associated), ret_key);
}

static CK_RV unwrap(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE by, CK_OBJECT_HANDLE *ret_key)
{
    return unwrap_with(session, by, "associated", ret_key);
}

static CK_OBJECT_HANDLE secret(CK_SESSION_HANDLE session)
{
    return known_secret(session, CKK_GENERIC_SECRET, VALUE, VALUE_SIZE);
}

static void a_secret_key_goes_out_and_in(void **state)
{
    CK_SESSION_HANDLE session = session_or_skip();
    unsigned char value[MAX_VALUE];

    (void)state;
    for (unsigned token = 0; token < 2; token++) {
        CK_OBJECT_HANDLE by = new_aes_key(session, 32, token), back = POISON_ULONG;

        length = sizeof(wrapped);
        assert_ok(wrap(session, by, secret(session)));
        assert_int_equal(length, VALUE_SIZE);
        assert_memory_not_equal(wrapped, VALUE, VALUE_SIZE);
        gcm.ivGenerator = CKG_NO_GENERATE;
        assert_ok(unwrap(session, by, &back));
        gcm.ivGenerator = CKG_GENERATE;
        assert_int_equal(get_bytes(session, back, CKA_VALUE, value), VALUE_SIZE);
        assert_memory_equal(value, VALUE, VALUE_SIZE);
        assert_false(get_bool(session, back, CKA_LOCAL));
    }
}

static void openssl_opens_what_was_wrapped(void **state)
{
    CK_SESSION_HANDLE session = session_or_skip();
    CK_OBJECT_HANDLE by = known_secret(session, CKK_AES, "fedcba9876543210", 16);
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    unsigned char out[64];
    int size = 0, last = 0;

    (void)state;
    assert_ok(wrap(session, by, secret(session)));
    assert_true(EVP_DecryptInit_ex(context, EVP_aes_128_gcm(), NULL,
                                   (const unsigned char *)"fedcba9876543210", iv) > 0);
    assert_true(EVP_DecryptUpdate(context, NULL, &size, AAD) > 0);
    assert_true(EVP_DecryptUpdate(context, out, &size, wrapped, (int)length) > 0);
    assert_true(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, sizeof(tag), tag) > 0);
    assert_true(EVP_DecryptFinal_ex(context, out + size, &last) > 0);
    assert_int_equal(size, VALUE_SIZE);
    assert_memory_equal(out, VALUE, VALUE_SIZE);
    EVP_CIPHER_CTX_free(context);
}

static void every_wrapping_has_its_own_iv(void **state)
{
    CK_SESSION_HANDLE session = session_or_skip();
    CK_OBJECT_HANDLE by = new_aes_key(session, 16, false), key = secret(session);
    CK_BYTE before[sizeof(iv)];

    (void)state;
    assert_ok(wrap(session, by, key));
    memcpy(before, iv, sizeof(iv));
    assert_ok(wrap(session, by, key));
    assert_memory_not_equal(before, iv, sizeof(iv));
    /* A counter would be at zero each time. */
    gcm.ivGenerator = CKG_GENERATE_COUNTER;
    assert_rv(wrap(session, by, key), CKR_MECHANISM_PARAM_INVALID);
    gcm.ivGenerator = CKG_GENERATE_COUNTER_XOR;
    assert_rv(wrap(session, by, key), CKR_MECHANISM_PARAM_INVALID);
}

static void a_given_iv_is_used(void **state)
{
    CK_SESSION_HANDLE session = session_or_skip();
    CK_OBJECT_HANDLE by = new_aes_key(session, 16, false), back = POISON_ULONG;
    const CK_BYTE given[sizeof(iv)] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

    (void)state;
    memcpy(iv, given, sizeof(iv));
    gcm.ivGenerator = CKG_NO_GENERATE;
    assert_ok(wrap(session, by, secret(session)));
    assert_memory_equal(iv, given, sizeof(iv));
    assert_ok(unwrap(session, by, &back));
}

static void anything_changed_is_invalid(void **state)
{
    CK_SESSION_HANDLE session = session_or_skip();
    CK_OBJECT_HANDLE by = new_aes_key(session, 32, false), other = new_aes_key(session, 32, false);
    CK_OBJECT_HANDLE back = POISON_ULONG;
    CK_BYTE *const places[] = {iv, tag, wrapped};

    (void)state;
    assert_ok(wrap(session, by, secret(session)));
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        places[i][0] ^= 1;
        expect_rv(unwrap(session, by, &back), CKR_WRAPPED_KEY_INVALID);
        places[i][0] ^= 1;
    }
    expect_rv(unwrap(session, other, &back), CKR_WRAPPED_KEY_INVALID);
    expect_rv(unwrap_with(session, by, "associate", &back), CKR_WRAPPED_KEY_INVALID);
    expect_rv(unwrap_with(session, by, "", &back), CKR_WRAPPED_KEY_INVALID);
    length--;
    expect_rv(unwrap(session, by, &back), CKR_WRAPPED_KEY_INVALID);
    length++;
    expect_true(back == POISON_ULONG);
    expectations_met();
    assert_ok(unwrap(session, by, &back));
}

static void asking_for_the_length_makes_no_iv(void **state)
{
    CK_SESSION_HANDLE session = session_or_skip();
    CK_OBJECT_HANDLE by = new_aes_key(session, 16, false), key = secret(session);

    (void)state;
    memset(iv, POISON_BYTE, sizeof(iv));
    memset(wrapped, POISON_BYTE, sizeof(wrapped));
    assert_ok(p11_v32->C_WrapKeyAuthenticated(session, &mechanism, by, key, AAD, NULL, &length));
    assert_int_equal(length, VALUE_SIZE);
    length--;
    assert_rv(wrap(session, by, key), CKR_BUFFER_TOO_SMALL);
    assert_int_equal(length, VALUE_SIZE);
    assert_true(untouched(iv, sizeof(iv)) && untouched(wrapped, sizeof(wrapped)));
    assert_ok(wrap(session, by, key));
}

static void keys_wrap_and_leave_only_when_they_may(void **state)
{
    CK_SESSION_HANDLE session = session_or_skip();
    CK_OBJECT_HANDLE by = new_aes_key(session, 16, false), kept = POISON_ULONG, idle = POISON_ULONG,
                     back = POISON_ULONG;

    (void)state;
    assert_ok(
        generate_secret(session, CKM_AES_KEY_GEN, 16, LIST(FLAG(CKA_EXTRACTABLE, false)), &kept));
    assert_ok(generate_secret(session, CKM_AES_KEY_GEN, 16,
                              LIST(FLAG(CKA_ENCRYPT, true), FLAG(CKA_DECRYPT, true),
                                   FLAG(CKA_WRAP, false), FLAG(CKA_UNWRAP, false)),
                              &idle));
    expect_rv(wrap(session, by, kept), CKR_KEY_UNEXTRACTABLE);
    expect_rv(wrap(session, idle, secret(session)), CKR_KEY_FUNCTION_NOT_PERMITTED);
    expect_rv(unwrap(session, idle, &back), CKR_KEY_FUNCTION_NOT_PERMITTED);
    expect_rv(wrap(session, 0x7EADBEEFUL, secret(session)), CKR_WRAPPING_KEY_HANDLE_INVALID);
    expect_rv(wrap(session, secret(session), by), CKR_WRAPPING_KEY_TYPE_INCONSISTENT);
    expect_rv(wrap(session, by, 0x7EADBEEFUL), CKR_KEY_HANDLE_INVALID);
    expect_rv(unwrap(session, 0x7EADBEEFUL, &back), CKR_UNWRAPPING_KEY_HANDLE_INVALID);
    expect_true(back == POISON_ULONG);
    expectations_met();
}

static void mechanisms_and_arguments_are_checked(void **state)
{
    CK_SESSION_HANDLE session = session_or_skip();
    CK_OBJECT_HANDLE by = new_aes_key(session, 16, false), key = secret(session),
                     back = POISON_ULONG;
    CK_MECHANISM wrong[] = {{CKM_AES_KEY_WRAP, NULL, 0},
                            {CKM_AES_CBC_PAD, iv, sizeof(iv)},
                            {CKM_AES_GCM, NULL, 0},
                            {CKM_AES_GCM, NULL, sizeof(gcm)},
                            {CKM_AES_GCM, &gcm, sizeof(gcm) - 1}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        CK_RV rv = i < 2 ? CKR_MECHANISM_INVALID : CKR_MECHANISM_PARAM_INVALID;

        expect_rv(
            p11_v32->C_WrapKeyAuthenticated(session, &wrong[i], by, key, AAD, wrapped, &length),
            rv);
        expect_rv(p11_v32->C_UnwrapKeyAuthenticated(
                      session, &wrong[i], by, wrapped, 16,
                      LIST(NUMBER(CKA_CLASS, CKO_SECRET_KEY), NUMBER(CKA_KEY_TYPE, CKK_AES)), AAD,
                      &back),
                  rv);
    }
    expect_rv(p11->C_WrapKey(session, &mechanism, by, key, wrapped, &length),
              CKR_MECHANISM_INVALID);
    expect_rv(p11_v32->C_WrapKeyAuthenticated(session, NULL, by, key, AAD, wrapped, &length),
              CKR_ARGUMENTS_BAD);
    expect_rv(
        p11_v32->C_WrapKeyAuthenticated(session, &mechanism, by, key, NULL, 4, wrapped, &length),
        CKR_ARGUMENTS_BAD);
    expect_rv(p11_v32->C_WrapKeyAuthenticated(session, &mechanism, by, key, AAD, wrapped, NULL),
              CKR_ARGUMENTS_BAD);
    expect_rv(p11_v32->C_UnwrapKeyAuthenticated(session, &mechanism, by, wrapped, 16, NULL, 1, AAD,
                                                &back),
              CKR_ARGUMENTS_BAD);
    expect_rv(p11_v32->C_UnwrapKeyAuthenticated(session, &mechanism, by, wrapped, 16, NULL, 0, NULL,
                                                4, &back),
              CKR_ARGUMENTS_BAD);
    expect_rv(
        p11_v32->C_UnwrapKeyAuthenticated(session, &mechanism, by, NULL, 16, NULL, 0, AAD, &back),
        CKR_ARGUMENTS_BAD);
    expect_rv(
        p11_v32->C_UnwrapKeyAuthenticated(session, &mechanism, by, wrapped, 16, NULL, 0, AAD, NULL),
        CKR_ARGUMENTS_BAD);
    expect_rv(wrap(0x7EADBEEFUL, by, key), CKR_SESSION_HANDLE_INVALID);
    expect_rv(unwrap(0x7EADBEEFUL, by, &back), CKR_SESSION_HANDLE_INVALID);
    expect_true(back == POISON_ULONG);
    expectations_met();
}

#define test(function) cmocka_unit_test_teardown(function, destroy_everything)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_secret_key_goes_out_and_in),
        test(openssl_opens_what_was_wrapped),
        test(every_wrapping_has_its_own_iv),
        test(a_given_iv_is_used),
        test(anything_changed_is_invalid),
        test(asking_for_the_length_makes_no_iv),
        test(keys_wrap_and_leave_only_when_they_may),
        test(mechanisms_and_arguments_are_checked),
    };

    return cmocka_run_group_tests(tests, initialised_setup, initialised_teardown);
}
