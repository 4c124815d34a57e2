/* PKCS#11 3.2 section 5.15.7 and on: verification of a signature that is given at the
 * beginning; and what else 3.2 asks of a session. */
#include "conformance/api/schemes.h"

#define NO_SESSION 0x7EADBEEFUL

static struct token *token;
static CK_MECHANISM mechanism;
static unsigned char text[300], signature[1024];
static CK_ULONG length;

/* A signature of the text by the token's key. */
static void sign_text_or_skip(void)
{
    struct token *tokens[2];

    version_3_2_or_skip();
    key_tokens(tokens);
    token = tokens[0];
    mechanism = (CK_MECHANISM){token->key_type == CKK_RSA ? CKM_SHA256_RSA_PKCS : CKM_ECDSA_SHA256,
                               NULL, 0};
    mechanism_or_skip(token->slot, mechanism.mechanism);
    memset(text, 'x', sizeof(text));
    length = sizeof(signature);
    assert_ok(p11->C_SignInit(token->session, &mechanism, token->private_key));
    assert_ok(p11->C_Sign(token->session, text, sizeof(text), signature, &length));
}

static CK_RV begin_with(CK_ULONG signature_length)
{
    return p11_v32->C_VerifySignatureInit(token->session, &mechanism, token->public_key, signature,
                                          signature_length);
}

static CK_RV verify(void)
{
    return p11_v32->C_VerifySignature(token->session, text, sizeof(text));
}

static void a_signature_given_first_is_verified(void **state)
{
    (void)state;
    sign_text_or_skip();
    assert_ok(begin_with(length));
    assert_ok(verify());
    assert_rv(verify(), CKR_OPERATION_NOT_INITIALIZED);
}

static void it_is_verified_in_parts(void **state)
{
    (void)state;
    sign_text_or_skip();
    assert_ok(begin_with(length));
    for (size_t at = 0; at < sizeof(text); at += 100)
        assert_ok(p11_v32->C_VerifySignatureUpdate(token->session, text + at, 100));
    assert_ok(p11_v32->C_VerifySignatureFinal(token->session));
    assert_rv(p11_v32->C_VerifySignatureFinal(token->session), CKR_OPERATION_NOT_INITIALIZED);
}

/* The caller's memory is his own again. */
static void the_signature_is_kept_from_the_beginning(void **state)
{
    (void)state;
    sign_text_or_skip();
    assert_ok(begin_with(length));
    memset(signature, 0, sizeof(signature));
    assert_ok(verify());
}

static void a_wrong_signature_or_text_is_invalid(void **state)
{
    (void)state;
    sign_text_or_skip();
    signature[length - 1] ^= 1;
    assert_ok(begin_with(length));
    assert_rv(verify(), CKR_SIGNATURE_INVALID);
    assert_rv(verify(), CKR_OPERATION_NOT_INITIALIZED);
    signature[length - 1] ^= 1;
    text[0] ^= 1;
    assert_ok(begin_with(length));
    assert_ok(p11_v32->C_VerifySignatureUpdate(token->session, text, sizeof(text)));
    assert_rv(p11_v32->C_VerifySignatureFinal(token->session), CKR_SIGNATURE_INVALID);
    assert_rv(p11_v32->C_VerifySignatureFinal(token->session), CKR_OPERATION_NOT_INITIALIZED);
}

static void a_signature_of_another_length_is_out_of_range(void **state)
{
    const CK_ULONG wrong[] = {0, 1};

    (void)state;
    sign_text_or_skip();
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        CK_RV rv = begin_with(wrong[i] ? length - wrong[i] : 0);

        expect_rv(rv, CKR_OK, CKR_SIGNATURE_LEN_RANGE);
        if (rv == CKR_OK)
            expect_rv(verify(), CKR_SIGNATURE_LEN_RANGE, CKR_SIGNATURE_INVALID);
    }
    expectations_met();
}

static void it_is_begun_once_and_ended_by_a_null_mechanism(void **state)
{
    (void)state;
    sign_text_or_skip();
    assert_ok(begin_with(length));
    assert_rv(begin_with(length), CKR_OPERATION_ACTIVE);
    assert_ok(p11_v32->C_VerifySignatureInit(token->session, NULL, 0, NULL, 0));
    assert_rv(verify(), CKR_OPERATION_NOT_INITIALIZED);
    assert_ok(begin_with(length));
    assert_ok(p11_v32->C_SessionCancel(token->session, CKF_VERIFY));
    assert_rv(verify(), CKR_OPERATION_NOT_INITIALIZED);
}

static void one_part_does_not_end_many(void **state)
{
    (void)state;
    sign_text_or_skip();
    assert_ok(begin_with(length));
    assert_ok(p11_v32->C_VerifySignatureUpdate(token->session, text, 4));
    assert_rv(verify(), CKR_OPERATION_ACTIVE, CKR_OPERATION_NOT_INITIALIZED);
}

/* Neither ends nor feeds the other. */
static void it_is_apart_from_c_verify(void **state)
{
    (void)state;
    sign_text_or_skip();
    assert_ok(begin_with(length));
    assert_rv(p11->C_Verify(token->session, text, sizeof(text), signature, length),
              CKR_OPERATION_NOT_INITIALIZED);
    assert_rv(p11->C_VerifyUpdate(token->session, text, 4), CKR_OPERATION_NOT_INITIALIZED);
    assert_ok(verify());
    assert_ok(p11->C_VerifyInit(token->session, &mechanism, token->public_key));
    assert_rv(verify(), CKR_OPERATION_NOT_INITIALIZED);
    assert_ok(p11->C_Verify(token->session, text, sizeof(text), signature, length));
}

static void bad_arguments_are_refused(void **state)
{
    CK_MECHANISM digest = {CKM_SHA256, NULL, 0};

    (void)state;
    sign_text_or_skip();
    expect_rv(
        p11_v32->C_VerifySignatureInit(token->session, &mechanism, token->public_key, NULL, length),
        CKR_ARGUMENTS_BAD);
    expect_rv(p11_v32->C_VerifySignatureInit(token->session, &digest, token->public_key, signature,
                                             length),
              CKR_MECHANISM_INVALID);
    expect_rv(
        p11_v32->C_VerifySignatureInit(token->session, &mechanism, 0x7EADBEEFUL, signature, length),
        CKR_KEY_HANDLE_INVALID);
    expect_rv(p11_v32->C_VerifySignatureInit(token->session, &mechanism, token->private_key,
                                             signature, length),
              CKR_KEY_TYPE_INCONSISTENT, CKR_KEY_FUNCTION_NOT_PERMITTED);
    expect_rv(p11_v32->C_VerifySignatureInit(NO_SESSION, &mechanism, token->public_key, signature,
                                             length),
              CKR_SESSION_HANDLE_INVALID);
    expect_rv(p11_v32->C_VerifySignature(NO_SESSION, text, 4), CKR_SESSION_HANDLE_INVALID);
    expect_rv(p11_v32->C_VerifySignatureUpdate(NO_SESSION, text, 4), CKR_SESSION_HANDLE_INVALID);
    expect_rv(p11_v32->C_VerifySignatureFinal(NO_SESSION), CKR_SESSION_HANDLE_INVALID);
    expect_rv(verify(), CKR_OPERATION_NOT_INITIALIZED);
    assert_ok(begin_with(length));
    expect_rv(p11_v32->C_VerifySignature(token->session, NULL, 4), CKR_ARGUMENTS_BAD);
    expect_rv(verify(), CKR_OPERATION_NOT_INITIALIZED);
    expectations_met();
}

static void no_validation_is_claimed(void **state)
{
    CK_FLAGS flags = POISON_ULONG;

    (void)state;
    sign_text_or_skip();
    assert_rv(p11_v32->C_GetSessionValidationFlags(token->session, ~0UL, &flags),
              CKR_ARGUMENTS_BAD);
    assert_rv(p11_v32->C_GetSessionValidationFlags(token->session, CKS_LAST_VALIDATION_OK, NULL),
              CKR_ARGUMENTS_BAD);
    assert_rv(p11_v32->C_GetSessionValidationFlags(NO_SESSION, CKS_LAST_VALIDATION_OK, &flags),
              CKR_SESSION_HANDLE_INVALID);
    assert_true(flags == POISON_ULONG);
    assert_ok(p11_v32->C_GetSessionValidationFlags(token->session, CKS_LAST_VALIDATION_OK, &flags));
    if (module_is_signet())
        assert_int_equal(flags, 0);
}

static void no_session_is_asynchronous(void **state)
{
    CK_SESSION_HANDLE session = POISON_ULONG;
    CK_UTF8CHAR name[] = "C_Sign";
    CK_ASYNC_DATA result = {0};
    CK_ULONG id = POISON_ULONG;

    (void)state;
    sign_text_or_skip();
    signet_only("nothing is asynchronous");
    expect_rv(p11->C_OpenSession(token->slot, CKF_SERIAL_SESSION | CKF_ASYNC_SESSION, NULL, NULL,
                                 &session),
              CKR_SESSION_ASYNC_NOT_SUPPORTED);
    expect_true(session == POISON_ULONG);
    expect_rv(p11_v32->C_AsyncComplete(token->session, name, &result), CKR_FUNCTION_NOT_SUPPORTED);
    expect_rv(p11_v32->C_AsyncComplete(token->session, name, NULL), CKR_FUNCTION_NOT_SUPPORTED);
    expect_rv(p11_v32->C_AsyncComplete(token->session, NULL, &result), CKR_ARGUMENTS_BAD);
    expect_rv(p11_v32->C_AsyncGetID(token->session, name, &id), CKR_FUNCTION_NOT_SUPPORTED);
    expect_rv(p11_v32->C_AsyncGetID(token->session, name, NULL), CKR_ARGUMENTS_BAD);
    expect_rv(p11_v32->C_AsyncJoin(token->session, name, 1, text, 4), CKR_FUNCTION_NOT_SUPPORTED);
    expect_rv(p11_v32->C_AsyncJoin(token->session, name, 1, NULL, 4), CKR_ARGUMENTS_BAD);
    expect_rv(p11_v32->C_AsyncComplete(NO_SESSION, name, &result), CKR_SESSION_HANDLE_INVALID);
    expect_rv(p11_v32->C_AsyncGetID(NO_SESSION, name, &id), CKR_SESSION_HANDLE_INVALID);
    expect_rv(p11_v32->C_AsyncJoin(NO_SESSION, name, 1, text, 4), CKR_SESSION_HANDLE_INVALID);
    expect_true(id == POISON_ULONG);
    expectations_met();
}

#define test(name) cmocka_unit_test_teardown(name, close_everything)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_signature_given_first_is_verified),
        test(it_is_verified_in_parts),
        test(the_signature_is_kept_from_the_beginning),
        test(a_wrong_signature_or_text_is_invalid),
        test(a_signature_of_another_length_is_out_of_range),
        test(it_is_begun_once_and_ended_by_a_null_mechanism),
        test(one_part_does_not_end_many),
        test(it_is_apart_from_c_verify),
        test(bad_arguments_are_refused),
        test(no_validation_is_claimed),
        test(no_session_is_asynchronous),
    };

    return cmocka_run_group_tests(tests, initialised_setup, initialised_teardown);
}
