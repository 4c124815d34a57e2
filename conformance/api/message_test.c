/* PKCS#11 3.0: the functions that version 3.0 adds, right and wrong. */
#include "conformance/api/objects.h"

#define NO_SESSION 0x7EADBEEFUL
#define NOT_BEGUN CKR_OPERATION_NOT_INITIALIZED
#define NOT_DONE_HERE CKR_FUNCTION_NOT_SUPPORTED
#define NO_SUCH_SESSION CKR_SESSION_HANDLE_INVALID

static struct token *token;
static CK_SESSION_HANDLE s;
static CK_BYTE bytes[1024];
static CK_ULONG length;
static CK_MECHANISM mechanism;

static int open_a_token(void **state)
{
    struct token *tokens[2];

    (void)state;
    if (!p11_v3)
        return 0;
    key_tokens(tokens);
    token = tokens[0];
    s = token->session;
    mechanism.mechanism = token->key_type == CKK_RSA ? CKM_SHA256_RSA_PKCS : CKM_ECDSA_SHA256;
    length = sizeof(bytes);
    return 0;
}

static void version_3_or_skip(void)
{
    if (!p11_v3)
        skip_because("the module has no 3.0 interface");
}

/* Both lists must lead to the same functions, or a client could mix them. */
static void both_lists_serve_the_same_sessions(void **state)
{
    CK_SESSION_INFO info;

    (void)state;
    version_3_or_skip();
    assert_ok(p11_v3->C_GetSessionInfo(s, &info));
    assert_int_equal(info.slotID, token->slot);
    assert_rv(p11_v3->C_Initialize(NULL), CKR_CRYPTOKI_ALREADY_INITIALIZED);
}

static void message_encryption_is_answered(void **state)
{
    (void)state;
    version_3_or_skip();
    expect_rv(p11_v3->C_MessageEncryptInit(s, &mechanism, token->public_key), NOT_DONE_HERE,
              CKR_MECHANISM_INVALID);
    expect_rv(p11_v3->C_EncryptMessage(s, NULL, 0, NULL, 0, bytes, 4, bytes, &length), NOT_BEGUN,
              NOT_DONE_HERE);
    expect_rv(p11_v3->C_EncryptMessageBegin(s, NULL, 0, NULL, 0), NOT_BEGUN, NOT_DONE_HERE);
    expect_rv(p11_v3->C_EncryptMessageNext(s, NULL, 0, bytes, 4, bytes, &length, 0), NOT_BEGUN,
              NOT_DONE_HERE);
    expect_rv(p11_v3->C_MessageEncryptFinal(s), NOT_BEGUN, NOT_DONE_HERE);
    expectations_met();
}

static void message_decryption_is_answered(void **state)
{
    (void)state;
    version_3_or_skip();
    expect_rv(p11_v3->C_MessageDecryptInit(s, &mechanism, token->private_key), NOT_DONE_HERE,
              CKR_MECHANISM_INVALID);
    expect_rv(p11_v3->C_DecryptMessage(s, NULL, 0, NULL, 0, bytes, 4, bytes, &length), NOT_BEGUN,
              NOT_DONE_HERE);
    expect_rv(p11_v3->C_DecryptMessageBegin(s, NULL, 0, NULL, 0), NOT_BEGUN, NOT_DONE_HERE);
    expect_rv(p11_v3->C_DecryptMessageNext(s, NULL, 0, bytes, 4, bytes, &length, 0), NOT_BEGUN,
              NOT_DONE_HERE);
    expect_rv(p11_v3->C_MessageDecryptFinal(s), NOT_BEGUN, NOT_DONE_HERE);
    expectations_met();
}

static void message_signing_is_answered(void **state)
{
    (void)state;
    version_3_or_skip();
    expect_rv(p11_v3->C_SignMessage(s, NULL, 0, bytes, 4, bytes, &length), NOT_BEGUN,
              NOT_DONE_HERE);
    expect_rv(p11_v3->C_SignMessageBegin(s, NULL, 0), NOT_BEGUN, NOT_DONE_HERE);
    expect_rv(p11_v3->C_SignMessageNext(s, NULL, 0, bytes, 4, bytes, &length), NOT_BEGUN,
              NOT_DONE_HERE);
    expect_rv(p11_v3->C_MessageSignFinal(s), NOT_BEGUN, NOT_DONE_HERE);
    expect_rv(p11_v3->C_VerifyMessage(s, NULL, 0, bytes, 4, bytes, 4), NOT_BEGUN, NOT_DONE_HERE);
    expect_rv(p11_v3->C_VerifyMessageBegin(s, NULL, 0), NOT_BEGUN, NOT_DONE_HERE);
    expect_rv(p11_v3->C_VerifyMessageNext(s, NULL, 0, bytes, 4, bytes, 4), NOT_BEGUN,
              NOT_DONE_HERE);
    expect_rv(p11_v3->C_MessageVerifyFinal(s), NOT_BEGUN, NOT_DONE_HERE);
    expectations_met();
}

static void message_functions_refuse_a_session_that_is_not_there(void **state)
{
    (void)state;
    version_3_or_skip();
    expect_rv(p11_v3->C_MessageEncryptInit(NO_SESSION, &mechanism, 1), NO_SUCH_SESSION,
              NOT_DONE_HERE);
    expect_rv(p11_v3->C_MessageDecryptInit(NO_SESSION, &mechanism, 1), NO_SUCH_SESSION,
              NOT_DONE_HERE);
    expect_rv(p11_v3->C_MessageSignInit(NO_SESSION, &mechanism, 1), NO_SUCH_SESSION, NOT_DONE_HERE);
    expect_rv(p11_v3->C_MessageVerifyInit(NO_SESSION, &mechanism, 1), NO_SUCH_SESSION,
              NOT_DONE_HERE);
    expect_rv(p11_v3->C_LoginUser(NO_SESSION, CKU_USER, bytes, 4, bytes, 4), NO_SUCH_SESSION,
              NOT_DONE_HERE);
    expect_rv(p11_v3->C_SessionCancel(NO_SESSION, 0), NO_SUCH_SESSION, NOT_DONE_HERE);
    expectations_met();
}

static void signing_as_a_message_is_right_where_it_is_offered(void **state)
{
    CK_RV rv;

    (void)state;
    version_3_or_skip();
    rv = p11_v3->C_MessageSignInit(s, &mechanism, token->private_key);
    assert_rv(rv, CKR_OK, NOT_DONE_HERE, CKR_MECHANISM_INVALID);
    if (rv != CKR_OK)
        return;
    assert_ok(p11_v3->C_SignMessage(s, NULL, 0, bytes, 4, bytes + 64, &length));
    assert_ok(p11_v3->C_MessageSignFinal(s));
    assert_ok(p11->C_VerifyInit(s, &mechanism, token->public_key));
    assert_ok(p11->C_Verify(s, bytes, 4, bytes + 64, length));
}

static void cancelling_nothing_is_no_error(void **state)
{
    (void)state;
    version_3_or_skip();
    assert_ok(p11_v3->C_SessionCancel(s, 0));
    assert_rv(p11_v3->C_SessionCancel(s, ~0UL), CKR_OK, CKR_ARGUMENTS_BAD,
              CKR_OPERATION_CANCEL_FAILED);
}

static void cancelling_ends_exactly_the_named_operations(void **state)
{
    CK_MECHANISM sha256 = {CKM_SHA256, NULL, 0};
    CK_OBJECT_HANDLE object;
    CK_ULONG count;

    (void)state;
    version_3_or_skip();
    assert_ok(p11->C_SignInit(s, &mechanism, token->private_key));
    assert_ok(p11->C_VerifyInit(s, &mechanism, token->public_key));
    assert_ok(p11->C_DigestInit(s, &sha256));
    assert_ok(p11->C_FindObjectsInit(s, NULL, 0));
    assert_ok(p11_v3->C_SessionCancel(s, CKF_VERIFY | CKF_DIGEST));
    assert_rv(p11->C_Verify(s, bytes, 4, bytes, token->signature_size), NOT_BEGUN);
    assert_rv(p11->C_Digest(s, bytes, 4, bytes, &length), NOT_BEGUN);
    assert_ok(p11->C_FindObjects(s, &object, 1, &count));
    length = sizeof(bytes);
    assert_ok(p11->C_Sign(s, bytes, 4, bytes + 64, &length));
    assert_ok(p11->C_FindObjectsFinal(s));
}

static void a_named_login_checks_its_pointers(void **state)
{
    (void)state;
    version_3_or_skip();
    assert_rv(p11_v3->C_LoginUser(s, CKU_USER, bytes, 4, NULL, 4), CKR_ARGUMENTS_BAD, NOT_DONE_HERE,
              CKR_USER_TYPE_INVALID);
    assert_rv(p11_v3->C_LoginUser(s, CKU_USER, NULL, 4, bytes, 4), CKR_ARGUMENTS_BAD, NOT_DONE_HERE,
              CKR_USER_TYPE_INVALID);
}

#define test(function) cmocka_unit_test_setup_teardown(function, open_a_token, close_everything)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(both_lists_serve_the_same_sessions),
        test(message_encryption_is_answered),
        test(message_decryption_is_answered),
        test(message_signing_is_answered),
        test(message_functions_refuse_a_session_that_is_not_there),
        test(signing_as_a_message_is_right_where_it_is_offered),
        test(cancelling_nothing_is_no_error),
        test(cancelling_ends_exactly_the_named_operations),
        test(a_named_login_checks_its_pointers),
    };

    return cmocka_run_group_tests(tests, initialised_setup, initialised_teardown);
}
