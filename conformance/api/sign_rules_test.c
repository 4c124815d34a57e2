/* PKCS#11 2.40 sections 5.2 and 5.11: when a signing operation begins, goes
 * on and ends, and which keys, data and mechanisms it refuses. */
#include "conformance/api/schemes.h"

static CK_MECHANISM raw_ecdsa = {CKM_ECDSA, NULL, 0}, raw_rsa = {CKM_RSA_PKCS, NULL, 0};
static unsigned char data[32] = "thirty-two bytes to be signed...";
static unsigned char signature[1024];
static CK_ULONG length;

static struct token *any_token_or_skip(void)
{
    struct token *tokens[2];

    key_tokens(tokens);
    return tokens[0];
}

static CK_MECHANISM *raw_mechanism(const struct token *token)
{
    return token->key_type == CKK_RSA ? &raw_rsa : &raw_ecdsa;
}

static CK_RV begin(struct token *token, CK_MECHANISM *mechanism)
{
    length = sizeof(signature);
    return p11->C_SignInit(token->session, mechanism, token->private_key);
}

static CK_RV sign(struct token *token)
{
    length = sizeof(signature);
    return p11->C_Sign(token->session, data, sizeof(data), signature, &length);
}

static void nothing_is_signed_without_beginning(void **state)
{
    struct token *token = any_token_or_skip();

    (void)state;
    memset(signature, POISON_BYTE, sizeof(signature));
    expect_rv(sign(token), CKR_OPERATION_NOT_INITIALIZED);
    expect_rv(p11->C_SignUpdate(token->session, data, 4), CKR_OPERATION_NOT_INITIALIZED);
    expect_rv(p11->C_SignFinal(token->session, signature, &length), CKR_OPERATION_NOT_INITIALIZED);
    expect_rv(p11->C_Verify(token->session, data, 4, signature, 64), CKR_OPERATION_NOT_INITIALIZED);
    expect_rv(p11->C_VerifyUpdate(token->session, data, 4), CKR_OPERATION_NOT_INITIALIZED);
    expect_rv(p11->C_VerifyFinal(token->session, signature, 64), CKR_OPERATION_NOT_INITIALIZED);
    expect_true(untouched(signature, sizeof(signature)));
    expectations_met();
}

static void an_operation_is_begun_once(void **state)
{
    struct token *token = any_token_or_skip();

    (void)state;
    assert_ok(begin(token, raw_mechanism(token)));
    assert_rv(begin(token, raw_mechanism(token)), CKR_OPERATION_ACTIVE);
    assert_ok(sign(token));
    assert_rv(sign(token), CKR_OPERATION_NOT_INITIALIZED);
}

/* 3.0 section 5.13.1: a NULL mechanism ends the operation. */
static void a_null_mechanism_cancels_the_operation(void **state)
{
    struct token *token = any_token_or_skip();

    (void)state;
    if (!p11_v3)
        skip_because("a rule of 3.0");
    assert_ok(begin(token, raw_mechanism(token)));
    assert_ok(begin(token, NULL));
    assert_rv(sign(token), CKR_OPERATION_NOT_INITIALIZED);
    assert_ok(begin(token, raw_mechanism(token)));
    assert_ok(sign(token));
}

static void an_operation_can_be_cancelled_by_its_flag(void **state)
{
    struct token *token = any_token_or_skip();

    (void)state;
    if (!p11_v3)
        skip_because("a rule of 3.0");
    assert_ok(begin(token, raw_mechanism(token)));
    assert_ok(p11->C_FindObjectsInit(token->session, NULL, 0));
    assert_ok(p11_v3->C_SessionCancel(token->session, CKF_SIGN));
    assert_rv(sign(token), CKR_OPERATION_NOT_INITIALIZED);
    assert_ok(p11->C_FindObjectsFinal(token->session));
    assert_rv(p11_v3->C_SessionCancel(0, CKF_SIGN), CKR_SESSION_HANDLE_INVALID);
}

static void one_part_cannot_end_what_many_parts_began(void **state)
{
    struct token *token = token_or_skip("PKCS11_TOKEN_RSA");
    CK_MECHANISM mechanism = {CKM_SHA256_RSA_PKCS, NULL, 0};

    (void)state;
    mechanism_or_skip(token->slot, mechanism.mechanism);
    assert_ok(begin(token, &mechanism));
    assert_ok(p11->C_SignUpdate(token->session, data, 4));
    assert_rv(sign(token), CKR_OPERATION_ACTIVE, CKR_OPERATION_NOT_INITIALIZED,
              CKR_FUNCTION_FAILED);
}

static void null_pointers_are_refused(void **state)
{
    struct token *token = any_token_or_skip();

    (void)state;
    assert_ok(begin(token, raw_mechanism(token)));
    assert_rv(p11->C_Sign(token->session, NULL, 32, signature, &length), CKR_ARGUMENTS_BAD);
    assert_rv(begin(token, raw_mechanism(token)), CKR_OK, CKR_OPERATION_ACTIVE);
    assert_rv(p11->C_Sign(token->session, data, 32, signature, NULL), CKR_ARGUMENTS_BAD);
    assert_rv(begin(token, raw_mechanism(token)), CKR_OK, CKR_OPERATION_ACTIVE);
    assert_ok(sign(token));
}

static void handles_that_are_no_key_are_invalid(void **state)
{
    struct token *token = any_token_or_skip();
    CK_OBJECT_HANDLE handles[] = {0, ~0UL, token->private_key ^ (1UL << 30)};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(handles); i++) {
        expect_rv(p11->C_SignInit(token->session, raw_mechanism(token), handles[i]),
                  CKR_KEY_HANDLE_INVALID);
        expect_rv(p11->C_VerifyInit(token->session, raw_mechanism(token), handles[i]),
                  CKR_KEY_HANDLE_INVALID);
    }
    expect_rv(p11->C_SignInit(token->session, raw_mechanism(token), token->certificate),
              CKR_KEY_HANDLE_INVALID, CKR_KEY_TYPE_INCONSISTENT, CKR_KEY_FUNCTION_NOT_PERMITTED);
    expectations_met();
}

static void each_half_of_the_pair_does_its_own_work_only(void **state)
{
    struct token *token = any_token_or_skip();

    (void)state;
    assert_rv(p11->C_SignInit(token->session, raw_mechanism(token), token->public_key),
              CKR_KEY_TYPE_INCONSISTENT, CKR_KEY_FUNCTION_NOT_PERMITTED, CKR_KEY_HANDLE_INVALID);
    assert_rv(p11->C_VerifyInit(token->session, raw_mechanism(token), token->private_key),
              CKR_KEY_TYPE_INCONSISTENT, CKR_KEY_FUNCTION_NOT_PERMITTED, CKR_KEY_HANDLE_INVALID);
}

static void a_key_of_the_wrong_type_is_refused(void **state)
{
    struct token *token = any_token_or_skip();
    CK_MECHANISM *wrong = token->key_type == CKK_RSA ? &raw_ecdsa : &raw_rsa;

    (void)state;
    assert_rv(begin(token, wrong), CKR_KEY_TYPE_INCONSISTENT, CKR_MECHANISM_INVALID);
}

static void mechanisms_that_do_not_sign_are_invalid(void **state)
{
    struct token *token = any_token_or_skip();
    CK_MECHANISM_TYPE types[] = {CKM_SHA256, CKM_VENDOR_DEFINED | 0x5157UL, ~0UL, CKM_RSA_PKCS_OAEP,
                                 CKM_ECDH1_DERIVE};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        CK_MECHANISM mechanism = {types[i], NULL, 0};

        expect_rv(begin(token, &mechanism), CKR_MECHANISM_INVALID);
    }
    expectations_met();
}

static void a_parameter_that_is_not_wanted_is_invalid(void **state)
{
    struct token *token = any_token_or_skip();
    CK_MECHANISM mechanism = *raw_mechanism(token);

    (void)state;
    signet_only("mechanisms without parameters take none");
    mechanism.pParameter = data;
    mechanism.ulParameterLen = 4;
    assert_rv(begin(token, &mechanism), CKR_MECHANISM_PARAM_INVALID);
    mechanism.pParameter = NULL;
    assert_rv(begin(token, &mechanism), CKR_MECHANISM_PARAM_INVALID, CKR_ARGUMENTS_BAD);
}

static void without_login_nothing_is_signed(void **state)
{
    struct token *token = token_without_login("PKCS11_TOKEN_PIN");
    CK_RV rv = begin(token, raw_mechanism(token));

    (void)state;
    assert_rv(rv, CKR_USER_NOT_LOGGED_IN, CKR_KEY_HANDLE_INVALID, CKR_OK);
    if (rv == CKR_OK)
        assert_rv(sign(token), CKR_USER_NOT_LOGGED_IN);
}

static void after_login_the_key_with_a_pin_signs(void **state)
{
    struct token *token = token_or_skip("PKCS11_TOKEN_PIN");

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        assert_ok(begin(token, raw_mechanism(token)));
        assert_ok(sign(token));
        assert_true(
            openssl_verifies(token, raw_mechanism(token), data, sizeof(data), signature, length));
    }
}

static void a_logout_ends_the_signature_under_way(void **state)
{
    struct token *token = token_or_skip("PKCS11_TOKEN_PIN");

    (void)state;
    signet_only("nothing is signed after C_Logout");
    assert_ok(begin(token, raw_mechanism(token)));
    assert_ok(p11->C_Logout(token->session));
    assert_rv(sign(token), CKR_OPERATION_NOT_INITIALIZED, CKR_USER_NOT_LOGGED_IN);
}

static void two_sessions_sign_side_by_side(void **state)
{
    struct token *token = any_token_or_skip();
    CK_SESSION_HANDLE other = open_session(token->slot);

    (void)state;
    assert_ok(begin(token, raw_mechanism(token)));
    assert_ok(p11->C_SignInit(other, raw_mechanism(token), token->private_key));
    assert_ok(sign(token));
    length = sizeof(signature);
    assert_ok(p11->C_Sign(other, data, sizeof(data), signature, &length));
    assert_true(
        openssl_verifies(token, raw_mechanism(token), data, sizeof(data), signature, length));
}

/* Section 5.2: signing, digesting and searching go on at the same time. */
static void operations_of_different_kinds_do_not_meet(void **state)
{
    struct token *token = any_token_or_skip();
    CK_MECHANISM sha256 = {CKM_SHA256, NULL, 0};
    CK_BYTE digest[64];
    CK_ULONG digest_length = sizeof(digest);

    (void)state;
    assert_ok(begin(token, raw_mechanism(token)));
    assert_rv(p11->C_DigestInit(token->session, &sha256), CKR_OK, CKR_OPERATION_ACTIVE);
    signet_only("several kinds of operation in one session");
    assert_ok(p11->C_FindObjectsInit(token->session, NULL, 0));
    assert_ok(p11->C_Digest(token->session, data, sizeof(data), digest, &digest_length));
    assert_ok(sign(token));
    assert_ok(p11->C_FindObjectsFinal(token->session));
}

/* What OpenSSL's engine, NSS and others ask of a recovering module. */
static void signatures_with_recovery_are_answered(void **state)
{
    struct token *token = any_token_or_skip();

    (void)state;
    assert_rv(p11->C_SignRecoverInit(token->session, raw_mechanism(token), token->private_key),
              CKR_FUNCTION_NOT_SUPPORTED, CKR_MECHANISM_INVALID, CKR_KEY_FUNCTION_NOT_PERMITTED,
              CKR_OK);
    assert_rv(p11->C_VerifyRecoverInit(token->session, raw_mechanism(token), token->public_key),
              CKR_FUNCTION_NOT_SUPPORTED, CKR_MECHANISM_INVALID, CKR_KEY_FUNCTION_NOT_PERMITTED,
              CKR_OK);
}

#define test(function) cmocka_unit_test_teardown(function, close_everything)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(nothing_is_signed_without_beginning),
        test(an_operation_is_begun_once),
        test(a_null_mechanism_cancels_the_operation),
        test(an_operation_can_be_cancelled_by_its_flag),
        test(one_part_cannot_end_what_many_parts_began),
        test(null_pointers_are_refused),
        test(handles_that_are_no_key_are_invalid),
        test(each_half_of_the_pair_does_its_own_work_only),
        test(a_key_of_the_wrong_type_is_refused),
        test(mechanisms_that_do_not_sign_are_invalid),
        test(a_parameter_that_is_not_wanted_is_invalid),
        test(without_login_nothing_is_signed),
        test(after_login_the_key_with_a_pin_signs),
        test(a_logout_ends_the_signature_under_way),
        test(two_sessions_sign_side_by_side),
        test(operations_of_different_kinds_do_not_meet),
        test(signatures_with_recovery_are_answered),
    };

    return cmocka_run_group_tests(tests, initialised_setup, initialised_teardown);
}
