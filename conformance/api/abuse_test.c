/* Wrong calls of every function: NULL pointers, sizes that are 0 or beyond
 * reason, handles of nothing, calls out of order. Each row allows the codes
 * that make sense; never CKR_OK where nothing can have been done. */
#include "conformance/api/objects.h"

#define HUGE_SIZE (~0UL)
#define NO_SESSION 0x7EADBEEFUL

static struct token *token;
static CK_SESSION_HANDLE s; /* a good session */
static CK_BYTE bytes[4096];
static CK_ULONG length;
static CK_OBJECT_HANDLE object;
static CK_MECHANISM sha256 = {CKM_SHA256, NULL, 0};
static CK_MECHANISM *sign_mechanism;
static CK_MECHANISM raw_rsa = {CKM_RSA_PKCS, NULL, 0}, raw_ecdsa = {CKM_ECDSA, NULL, 0};
static CK_ATTRIBUTE label = {CKA_LABEL, bytes, 4};

#define BAD_ARGUMENTS CKR_ARGUMENTS_BAD
#define NO_SUCH_SESSION CKR_SESSION_HANDLE_INVALID
#define NOT_BEGUN CKR_OPERATION_NOT_INITIALIZED
#define NOT_DONE_HERE CKR_FUNCTION_NOT_SUPPORTED

static int open_a_token(void **state)
{
    struct token *tokens[2];

    (void)state;
    key_tokens(tokens);
    token = tokens[0];
    s = token->session;
    sign_mechanism = token->key_type == CKK_RSA ? &raw_rsa : &raw_ecdsa;
    length = sizeof(bytes);
    return 0;
}

static void slot_functions_refuse_null_pointers(void **state)
{
    CK_SLOT_ID slot = token->slot;

    (void)state;
    expect_rv(p11->C_GetInfo(NULL), BAD_ARGUMENTS);
    expect_rv(p11->C_GetFunctionList(NULL), BAD_ARGUMENTS);
    expect_rv(p11->C_GetSlotList(CK_TRUE, NULL, NULL), BAD_ARGUMENTS);
    expect_rv(p11->C_GetSlotInfo(slot, NULL), BAD_ARGUMENTS);
    expect_rv(p11->C_GetTokenInfo(slot, NULL), BAD_ARGUMENTS);
    expect_rv(p11->C_GetMechanismList(slot, NULL, NULL), BAD_ARGUMENTS);
    expect_rv(p11->C_GetMechanismInfo(slot, CKM_SHA256, NULL), BAD_ARGUMENTS);
    expect_rv(p11->C_WaitForSlotEvent(CKF_DONT_BLOCK, NULL, NULL), BAD_ARGUMENTS, CKR_NO_EVENT,
              NOT_DONE_HERE);
    expect_rv(p11->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, NULL), BAD_ARGUMENTS);
    expectations_met();
}

static void pins_that_are_null_or_huge_are_refused(void **state)
{
    (void)state;
    if (!write_protected(token->slot))
        skip_because("a writable token might take them");
    expect_rv(p11->C_InitToken(token->slot, NULL, 8, bytes), BAD_ARGUMENTS,
              CKR_TOKEN_WRITE_PROTECTED, NOT_DONE_HERE, CKR_SESSION_EXISTS);
    expect_rv(p11->C_InitToken(token->slot, bytes, HUGE_SIZE, NULL), BAD_ARGUMENTS,
              CKR_TOKEN_WRITE_PROTECTED, NOT_DONE_HERE, CKR_SESSION_EXISTS);
    expect_rv(p11->C_InitPIN(s, NULL, 8), BAD_ARGUMENTS, CKR_USER_NOT_LOGGED_IN,
              CKR_SESSION_READ_ONLY, CKR_TOKEN_WRITE_PROTECTED, NOT_DONE_HERE);
    expect_rv(p11->C_SetPIN(s, NULL, 8, bytes, HUGE_SIZE), BAD_ARGUMENTS, CKR_SESSION_READ_ONLY,
              CKR_TOKEN_WRITE_PROTECTED, NOT_DONE_HERE);
    expect_rv(p11->C_Login(s, CKU_USER, NULL, HUGE_SIZE), BAD_ARGUMENTS, CKR_USER_ALREADY_LOGGED_IN,
              CKR_USER_PIN_NOT_INITIALIZED);
    expect_rv(p11->C_Login(s, 77, bytes, 4), CKR_USER_TYPE_INVALID);
    expectations_met();
}

/* The session is looked at first: no other argument may matter. */
static void session_functions_refuse_a_session_that_is_not_there(void **state)
{
    CK_SESSION_INFO info;

    (void)state;
    expect_rv(p11->C_CloseSession(NO_SESSION), NO_SUCH_SESSION);
    expect_rv(p11->C_GetSessionInfo(NO_SESSION, &info), NO_SUCH_SESSION);
    expect_rv(p11->C_GetOperationState(NO_SESSION, bytes, &length), NO_SUCH_SESSION, NOT_DONE_HERE);
    expect_rv(p11->C_SetOperationState(NO_SESSION, bytes, 4, 0, 0), NO_SUCH_SESSION, NOT_DONE_HERE);
    expect_rv(p11->C_Login(NO_SESSION, CKU_USER, bytes, 4), NO_SUCH_SESSION);
    expect_rv(p11->C_Logout(NO_SESSION), NO_SUCH_SESSION);
    expect_rv(p11->C_InitPIN(NO_SESSION, bytes, 4), NO_SUCH_SESSION, NOT_DONE_HERE);
    expect_rv(p11->C_SetPIN(NO_SESSION, bytes, 4, bytes, 4), NO_SUCH_SESSION, NOT_DONE_HERE);
    expect_rv(p11->C_GetFunctionStatus(NO_SESSION), CKR_FUNCTION_NOT_PARALLEL, NO_SUCH_SESSION);
    expect_rv(p11->C_CancelFunction(NO_SESSION), CKR_FUNCTION_NOT_PARALLEL, NO_SUCH_SESSION);
    expectations_met();
}

static void object_functions_refuse_a_session_that_is_not_there(void **state)
{
    (void)state;
    expect_rv(p11->C_CreateObject(NO_SESSION, &label, 1, &object), NO_SUCH_SESSION);
    expect_rv(p11->C_CopyObject(NO_SESSION, 1, NULL, 0, &object), NO_SUCH_SESSION);
    expect_rv(p11->C_DestroyObject(NO_SESSION, 1), NO_SUCH_SESSION);
    expect_rv(p11->C_GetObjectSize(NO_SESSION, 1, &length), NO_SUCH_SESSION, NOT_DONE_HERE);
    expect_rv(p11->C_GetAttributeValue(NO_SESSION, 1, &label, 1), NO_SUCH_SESSION);
    expect_rv(p11->C_SetAttributeValue(NO_SESSION, 1, &label, 1), NO_SUCH_SESSION);
    expect_rv(p11->C_FindObjectsInit(NO_SESSION, NULL, 0), NO_SUCH_SESSION);
    expect_rv(p11->C_FindObjects(NO_SESSION, &object, 1, &length), NO_SUCH_SESSION);
    expect_rv(p11->C_FindObjectsFinal(NO_SESSION), NO_SUCH_SESSION);
    expectations_met();
}

static void cipher_functions_refuse_a_session_that_is_not_there(void **state)
{
    (void)state;
    expect_rv(p11->C_EncryptInit(NO_SESSION, &raw_rsa, 1), NO_SUCH_SESSION);
    expect_rv(p11->C_Encrypt(NO_SESSION, bytes, 4, bytes, &length), NO_SUCH_SESSION);
    expect_rv(p11->C_EncryptUpdate(NO_SESSION, bytes, 4, bytes, &length), NO_SUCH_SESSION);
    expect_rv(p11->C_EncryptFinal(NO_SESSION, bytes, &length), NO_SUCH_SESSION);
    expect_rv(p11->C_DecryptInit(NO_SESSION, &raw_rsa, 1), NO_SUCH_SESSION);
    expect_rv(p11->C_Decrypt(NO_SESSION, bytes, 4, bytes, &length), NO_SUCH_SESSION);
    expect_rv(p11->C_DecryptUpdate(NO_SESSION, bytes, 4, bytes, &length), NO_SUCH_SESSION);
    expect_rv(p11->C_DecryptFinal(NO_SESSION, bytes, &length), NO_SUCH_SESSION);
    expect_rv(p11->C_DigestInit(NO_SESSION, &sha256), NO_SUCH_SESSION);
    expect_rv(p11->C_Digest(NO_SESSION, bytes, 4, bytes, &length), NO_SUCH_SESSION);
    expect_rv(p11->C_DigestUpdate(NO_SESSION, bytes, 4), NO_SUCH_SESSION);
    expect_rv(p11->C_DigestKey(NO_SESSION, 1), NO_SUCH_SESSION, NOT_DONE_HERE);
    expect_rv(p11->C_DigestFinal(NO_SESSION, bytes, &length), NO_SUCH_SESSION);
    expectations_met();
}

static void signature_functions_refuse_a_session_that_is_not_there(void **state)
{
    (void)state;
    expect_rv(p11->C_SignInit(NO_SESSION, sign_mechanism, 1), NO_SUCH_SESSION);
    expect_rv(p11->C_Sign(NO_SESSION, bytes, 4, bytes, &length), NO_SUCH_SESSION);
    expect_rv(p11->C_SignUpdate(NO_SESSION, bytes, 4), NO_SUCH_SESSION);
    expect_rv(p11->C_SignFinal(NO_SESSION, bytes, &length), NO_SUCH_SESSION);
    expect_rv(p11->C_SignRecoverInit(NO_SESSION, &raw_rsa, 1), NO_SUCH_SESSION, NOT_DONE_HERE);
    expect_rv(p11->C_SignRecover(NO_SESSION, bytes, 4, bytes, &length), NO_SUCH_SESSION,
              NOT_DONE_HERE);
    expect_rv(p11->C_VerifyInit(NO_SESSION, sign_mechanism, 1), NO_SUCH_SESSION);
    expect_rv(p11->C_Verify(NO_SESSION, bytes, 4, bytes, 4), NO_SUCH_SESSION);
    expect_rv(p11->C_VerifyUpdate(NO_SESSION, bytes, 4), NO_SUCH_SESSION);
    expect_rv(p11->C_VerifyFinal(NO_SESSION, bytes, 4), NO_SUCH_SESSION);
    expect_rv(p11->C_VerifyRecoverInit(NO_SESSION, &raw_rsa, 1), NO_SUCH_SESSION, NOT_DONE_HERE);
    expect_rv(p11->C_VerifyRecover(NO_SESSION, bytes, 4, bytes, &length), NO_SUCH_SESSION,
              NOT_DONE_HERE);
    expectations_met();
}

static void key_functions_refuse_a_session_that_is_not_there(void **state)
{
    (void)state;
    expect_rv(p11->C_GenerateKey(NO_SESSION, &sha256, NULL, 0, &object), NO_SUCH_SESSION,
              NOT_DONE_HERE);
    expect_rv(p11->C_GenerateKeyPair(NO_SESSION, &sha256, NULL, 0, NULL, 0, &object, &object),
              NO_SUCH_SESSION, NOT_DONE_HERE);
    expect_rv(p11->C_WrapKey(NO_SESSION, &sha256, 1, 1, bytes, &length), NO_SUCH_SESSION,
              NOT_DONE_HERE);
    expect_rv(p11->C_UnwrapKey(NO_SESSION, &sha256, 1, bytes, 4, &label, 1, &object),
              NO_SUCH_SESSION, NOT_DONE_HERE);
    expect_rv(p11->C_DeriveKey(NO_SESSION, &sha256, 1, &label, 1, &object), NO_SUCH_SESSION);
    expect_rv(p11->C_SeedRandom(NO_SESSION, bytes, 4), NO_SUCH_SESSION,
              CKR_RANDOM_SEED_NOT_SUPPORTED);
    expect_rv(p11->C_GenerateRandom(NO_SESSION, bytes, 4), NO_SUCH_SESSION);
    expectations_met();
}

static void templates_without_sense_are_refused(void **state)
{
    CK_ATTRIBUTE null_value = {CKA_LABEL, NULL, 4};

    (void)state;
    expect_rv(p11->C_CreateObject(s, NULL, 1, &object), BAD_ARGUMENTS);
    expect_rv(p11->C_CreateObject(s, &label, 1, NULL), BAD_ARGUMENTS);
    expect_rv(p11->C_CopyObject(s, token->certificate, NULL, 3, &object), BAD_ARGUMENTS);
    expect_rv(p11->C_CopyObject(s, token->certificate, NULL, 0, NULL), BAD_ARGUMENTS);
    expect_rv(p11->C_GetAttributeValue(s, token->certificate, NULL, 2), BAD_ARGUMENTS);
    expect_rv(p11->C_SetAttributeValue(s, token->certificate, NULL, 2), BAD_ARGUMENTS);
    expect_rv(p11->C_FindObjectsInit(s, NULL, 2), BAD_ARGUMENTS);
    expect_rv(p11->C_FindObjectsInit(s, NULL, HUGE_SIZE), BAD_ARGUMENTS);
    expect_rv(p11->C_GetObjectSize(s, token->certificate, NULL), BAD_ARGUMENTS, NOT_DONE_HERE);
    expect_rv(p11->C_FindObjectsInit(s, &null_value, 1), BAD_ARGUMENTS, CKR_ATTRIBUTE_VALUE_INVALID,
              CKR_OK);
    expectations_met();
}

/* A length that the caller's buffer does not have: read by nobody. */
static void a_huge_length_of_an_attribute_is_harmless_where_nothing_is_read(void **state)
{
    CK_ATTRIBUTE huge = {CKA_LABEL, bytes, HUGE_SIZE};
    CK_ATTRIBUTE half = {CKA_LABEL, bytes, HUGE_SIZE / 2};

    (void)state;
    expect_rv(p11->C_GetAttributeValue(s, token->certificate, &half, 1), CKR_OK);
    signet_only("values beyond any size are refused unread");
    expect_rv(p11->C_FindObjectsInit(s, &huge, 1), CKR_OK, CKR_ATTRIBUTE_VALUE_INVALID,
              BAD_ARGUMENTS, CKR_HOST_MEMORY);
    p11->C_FindObjectsFinal(s);
    expect_rv(p11->C_SetAttributeValue(s, token->certificate, &huge, 1),
              CKR_ATTRIBUTE_VALUE_INVALID, BAD_ARGUMENTS, CKR_HOST_MEMORY,
              CKR_TOKEN_WRITE_PROTECTED, CKR_SESSION_READ_ONLY, CKR_ACTION_PROHIBITED,
              CKR_ATTRIBUTE_READ_ONLY);
    expectations_met();
}

static void operations_begun_with_null_pointers_or_no_key_are_refused(void **state)
{
    (void)state;
    expect_rv(p11->C_DigestInit(s, NULL), BAD_ARGUMENTS, NOT_BEGUN, CKR_OK);
    expect_rv(p11->C_SignInit(s, NULL, token->private_key), BAD_ARGUMENTS, NOT_BEGUN, CKR_OK);
    expect_rv(p11->C_VerifyInit(s, NULL, token->public_key), BAD_ARGUMENTS, NOT_BEGUN, CKR_OK);
    expect_rv(p11->C_EncryptInit(s, NULL, token->public_key), BAD_ARGUMENTS, NOT_BEGUN, CKR_OK);
    expect_rv(p11->C_DecryptInit(s, NULL, token->private_key), BAD_ARGUMENTS, NOT_BEGUN, CKR_OK);
    expect_rv(p11->C_Sign(s, bytes, 4, bytes, &length), NOT_BEGUN);
    expect_rv(p11->C_Verify(s, bytes, 4, bytes, 4), NOT_BEGUN);
    expect_rv(p11->C_Encrypt(s, bytes, 4, bytes, &length), NOT_BEGUN);
    expect_rv(p11->C_Decrypt(s, bytes, 4, bytes, &length), NOT_BEGUN);
    expect_rv(p11->C_Digest(s, bytes, 4, bytes, &length), NOT_BEGUN);
    expectations_met();
}

static void parts_and_ends_without_a_beginning_are_refused(void **state)
{
    (void)state;
    expect_rv(p11->C_EncryptUpdate(s, bytes, 4, bytes, &length), NOT_BEGUN, NOT_DONE_HERE);
    expect_rv(p11->C_EncryptFinal(s, bytes, &length), NOT_BEGUN, NOT_DONE_HERE);
    expect_rv(p11->C_DecryptUpdate(s, bytes, 4, bytes, &length), NOT_BEGUN, NOT_DONE_HERE);
    expect_rv(p11->C_DecryptFinal(s, bytes, &length), NOT_BEGUN, NOT_DONE_HERE);
    expect_rv(p11->C_DigestKey(s, token->private_key), NOT_BEGUN, NOT_DONE_HERE,
              CKR_KEY_INDIGESTIBLE);
    expect_rv(p11->C_SignRecover(s, bytes, 4, bytes, &length), NOT_BEGUN, NOT_DONE_HERE);
    expect_rv(p11->C_VerifyRecover(s, bytes, 4, bytes, &length), NOT_BEGUN, NOT_DONE_HERE);
    expect_rv(p11->C_FindObjects(s, &object, 1, &length), NOT_BEGUN);
    expect_rv(p11->C_FindObjectsFinal(s), NOT_BEGUN);
    expectations_met();
}

/* After each call a new operation begins, whether or not the old one lives. */
static void begin_signing(void)
{
    expect_rv(p11->C_SignInit(s, sign_mechanism, token->private_key), CKR_OK, CKR_OPERATION_ACTIVE);
}

static void data_without_sense_is_refused(void **state)
{
    (void)state;
    begin_signing();
    expect_rv(p11->C_Sign(s, NULL, 4, bytes, &length), BAD_ARGUMENTS);
    begin_signing();
    expect_rv(p11->C_Sign(s, bytes, 4, bytes, NULL), BAD_ARGUMENTS);
    begin_signing();
    expect_rv(p11->C_SignFinal(s, bytes, NULL), BAD_ARGUMENTS, NOT_BEGUN, NOT_DONE_HERE);
    begin_signing();
    expect_rv(p11->C_SignUpdate(s, NULL, 4), BAD_ARGUMENTS, NOT_BEGUN, NOT_DONE_HERE);
    begin_signing();
    length = 0;
    signet_only("sizes beyond any mechanism's data are refused unread");
    expect_rv(p11->C_Sign(s, bytes, HUGE_SIZE, bytes, &length), BAD_ARGUMENTS, CKR_DATA_LEN_RANGE,
              CKR_BUFFER_TOO_SMALL);
    begin_signing();
    length = HUGE_SIZE;
    expect_rv(p11->C_Sign(s, bytes, HUGE_SIZE, bytes, &length), BAD_ARGUMENTS, CKR_DATA_LEN_RANGE);
    expectations_met();
}

static void a_huge_room_for_a_signature_is_harmless(void **state)
{
    (void)state;
    begin_signing();
    length = HUGE_SIZE;
    assert_ok(p11->C_Sign(s, bytes, 32, bytes + 64, &length));
    assert_int_equal(length, token->signature_size);
}

static void verification_refuses_nonsense(void **state)
{
    CK_ULONG sizes[] = {0, 1, 4095, HUGE_SIZE};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        expect_rv(p11->C_VerifyInit(s, sign_mechanism, token->public_key), CKR_OK);
        expect_rv(p11->C_Verify(s, bytes, 32, bytes, sizes[i]), CKR_SIGNATURE_LEN_RANGE,
                  BAD_ARGUMENTS);
    }
    expect_rv(p11->C_VerifyInit(s, sign_mechanism, token->public_key), CKR_OK);
    expect_rv(p11->C_Verify(s, bytes, 32, NULL, token->signature_size), BAD_ARGUMENTS);
    expect_rv(p11->C_VerifyInit(s, sign_mechanism, token->public_key), CKR_OK,
              CKR_OPERATION_ACTIVE);
    expect_rv(p11->C_Verify(s, NULL, 32, bytes, token->signature_size), BAD_ARGUMENTS);
    expectations_met();
}

static void keys_are_not_made_or_wrapped_out_of_nothing(void **state)
{
    CK_MECHANISM unknown = {CKM_VENDOR_DEFINED | 0x5157UL, NULL, 0};
    CK_OBJECT_HANDLE other;

    (void)state;
    expect_rv(p11->C_GenerateKey(s, NULL, NULL, 0, &object), BAD_ARGUMENTS, NOT_DONE_HERE);
    expect_rv(p11->C_GenerateKey(s, &unknown, NULL, 0, &object), CKR_MECHANISM_INVALID,
              NOT_DONE_HERE);
    expect_rv(p11->C_GenerateKeyPair(s, NULL, NULL, 0, NULL, 0, &object, &other), BAD_ARGUMENTS,
              NOT_DONE_HERE);
    expect_rv(p11->C_GenerateKeyPair(s, &unknown, NULL, 0, NULL, 0, &object, &other),
              CKR_MECHANISM_INVALID, NOT_DONE_HERE, CKR_SESSION_READ_ONLY);
    expect_rv(p11->C_WrapKey(s, NULL, 0, 0, NULL, NULL), BAD_ARGUMENTS, NOT_DONE_HERE);
    expect_rv(p11->C_WrapKey(s, &unknown, token->public_key, token->private_key, bytes, &length),
              CKR_MECHANISM_INVALID, CKR_KEY_UNEXTRACTABLE, CKR_KEY_NOT_WRAPPABLE, NOT_DONE_HERE,
              CKR_KEY_FUNCTION_NOT_PERMITTED);
    expect_rv(p11->C_UnwrapKey(s, NULL, 0, NULL, 0, NULL, 0, NULL), BAD_ARGUMENTS, NOT_DONE_HERE);
    expect_rv(p11->C_DeriveKey(s, NULL, token->private_key, NULL, 0, &object), BAD_ARGUMENTS);
    expect_rv(p11->C_DeriveKey(s, &unknown, token->private_key, NULL, 0, &object),
              CKR_MECHANISM_INVALID);
    expectations_met();
}

/* The private key is in the token for good. */
static void the_private_key_cannot_be_wrapped(void **state)
{
    CK_MECHANISM_TYPE types[] = {CKM_RSA_PKCS, CKM_RSA_PKCS_OAEP, CKM_AES_CBC_PAD,
                                 CKM_AES_KEY_WRAP_PAD};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        CK_MECHANISM mechanism = {types[i], NULL, 0};

        length = sizeof(bytes);
        expect_rv(
            p11->C_WrapKey(s, &mechanism, token->public_key, token->private_key, bytes, &length),
            CKR_KEY_UNEXTRACTABLE, CKR_KEY_NOT_WRAPPABLE, CKR_MECHANISM_INVALID,
            CKR_MECHANISM_PARAM_INVALID, CKR_ARGUMENTS_BAD, NOT_DONE_HERE,
            CKR_WRAPPING_KEY_TYPE_INCONSISTENT, CKR_KEY_FUNCTION_NOT_PERMITTED);
    }
    expectations_met();
}

static void random_numbers_need_somewhere_to_go(void **state)
{
    (void)state;
    expect_rv(p11->C_GenerateRandom(s, NULL, 1), BAD_ARGUMENTS);
    expect_rv(p11->C_GenerateRandom(s, NULL, 0), CKR_OK, BAD_ARGUMENTS);
    expect_rv(p11->C_SeedRandom(s, NULL, 1), BAD_ARGUMENTS, CKR_RANDOM_SEED_NOT_SUPPORTED);
    expectations_met();
}

#define test(function) cmocka_unit_test_setup_teardown(function, open_a_token, close_everything)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(slot_functions_refuse_null_pointers),
        test(pins_that_are_null_or_huge_are_refused),
        test(session_functions_refuse_a_session_that_is_not_there),
        test(object_functions_refuse_a_session_that_is_not_there),
        test(cipher_functions_refuse_a_session_that_is_not_there),
        test(signature_functions_refuse_a_session_that_is_not_there),
        test(key_functions_refuse_a_session_that_is_not_there),
        test(templates_without_sense_are_refused),
        test(a_huge_length_of_an_attribute_is_harmless_where_nothing_is_read),
        test(operations_begun_with_null_pointers_or_no_key_are_refused),
        test(parts_and_ends_without_a_beginning_are_refused),
        test(data_without_sense_is_refused),
        test(a_huge_room_for_a_signature_is_harmless),
        test(verification_refuses_nonsense),
        test(keys_are_not_made_or_wrapped_out_of_nothing),
        test(the_private_key_cannot_be_wrapped),
        test(random_numbers_need_somewhere_to_go),
    };

    return cmocka_run_group_tests(tests, initialised_setup, initialised_teardown);
}
