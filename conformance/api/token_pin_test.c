/* PKCS#11 2.40 sections 5.5 and 5.6: C_InitPIN and C_SetPIN, who may call them, and
 * what a PIN may consist of. */
#include "conformance/api/children.h"
#include "conformance/api/fresh.h"

/* A PIN of any bytes. */
struct pin {
    CK_UTF8CHAR bytes[256];
    CK_ULONG length;
};

static struct pin pin_of(const void *bytes, CK_ULONG length)
{
    struct pin pin = {.length = length};

    memcpy(pin.bytes, bytes, length);
    return pin;
}

static CK_RV log_in(CK_SESSION_HANDLE session, CK_USER_TYPE user, struct pin pin)
{
    return p11->C_Login(session, user, pin.bytes, pin.length);
}

/* Sets the user's PIN as SO; nobody is logged in before or after. */
static CK_RV set_by_so(CK_SESSION_HANDLE session, struct pin pin)
{
    CK_RV rv;

    assert_ok(login_as(session, CKU_SO, SO_PIN));
    rv = p11->C_InitPIN(session, pin.bytes, pin.length);
    assert_ok(p11->C_Logout(session));
    return rv;
}

static void log_in_and_out(CK_SESSION_HANDLE session, struct pin pin)
{
    assert_ok(log_in(session, CKU_USER, pin));
    assert_ok(p11->C_Logout(session));
}

static void nobody_but_the_so_initialises_the_user_pin(void **state)
{
    CK_SESSION_HANDLE session = open_rw_session(fresh_token(NULL));

    (void)state;
    assert_rv(init_pin(session, "another"), CKR_USER_NOT_LOGGED_IN);
    assert_ok(login_as(session, CKU_USER, USER_PIN));
    assert_rv(init_pin(session, "another"), CKR_USER_NOT_LOGGED_IN);
    assert_ok(p11->C_Logout(session));
    assert_rv(init_pin(0x7EADBEEFUL, "another"), CKR_SESSION_HANDLE_INVALID);
    assert_ok(login_as(session, CKU_USER, USER_PIN));
}

static void a_read_only_session_changes_no_pin(void **state)
{
    CK_SESSION_HANDLE session = open_session(fresh_token(NULL));

    (void)state;
    assert_rv(init_pin(session, "another"), CKR_SESSION_READ_ONLY, CKR_USER_NOT_LOGGED_IN);
    assert_rv(set_pin(session, USER_PIN, "another"), CKR_SESSION_READ_ONLY);
    assert_ok(login_as(session, CKU_USER, USER_PIN));
    assert_rv(set_pin(session, USER_PIN, "another"), CKR_SESSION_READ_ONLY);
}

static void the_so_initialises_the_user_pin_and_again(void **state)
{
    CK_SLOT_ID slot = initialised_token(NULL);
    CK_SESSION_HANDLE session = open_rw_session(slot);

    (void)state;
    assert_ok(login_as(session, CKU_SO, SO_PIN));
    assert_ok(init_pin(session, "first"));
    assert_true(flag_of_token(slot, CKF_USER_PIN_INITIALIZED));
    assert_ok(init_pin(session, "second"));
    assert_int_equal(session_state(session), CKS_RW_SO_FUNCTIONS);
    assert_ok(p11->C_Logout(session));
    assert_rv(login_as(session, CKU_USER, "first"), CKR_PIN_INCORRECT);
    assert_ok(login_as(session, CKU_USER, "second"));
}

static void the_user_changes_the_pin(void **state)
{
    CK_SLOT_ID slot = fresh_token(NULL);
    CK_SESSION_HANDLE session = open_rw_session(slot);

    (void)state;
    assert_ok(login_as(session, CKU_USER, USER_PIN));
    assert_rv(set_pin(session, "wrong", "another"), CKR_PIN_INCORRECT);
    assert_ok(set_pin(session, USER_PIN, "another"));
    assert_int_equal(session_state(session), CKS_RW_USER_FUNCTIONS);
    assert_ok(p11->C_Logout(session));
    assert_rv(login_as(session, CKU_USER, USER_PIN), CKR_PIN_INCORRECT);
    assert_ok(login_as(session, CKU_USER, "another"));
    assert_ok(p11->C_Logout(session));
    assert_ok(login_as(session, CKU_SO, SO_PIN));
}

/* PKCS#11: in a public session C_SetPIN changes the normal user's PIN. */
static void the_user_pin_is_changed_without_login(void **state)
{
    CK_SESSION_HANDLE session = open_rw_session(fresh_token(NULL));

    (void)state;
    assert_rv(set_pin(session, "wrong", "another"), CKR_PIN_INCORRECT);
    assert_rv(set_pin(session, SO_PIN, "another"), CKR_PIN_INCORRECT);
    assert_ok(set_pin(session, USER_PIN, "another"));
    assert_int_equal(session_state(session), CKS_RW_PUBLIC_SESSION);
    assert_rv(login_as(session, CKU_USER, USER_PIN), CKR_PIN_INCORRECT);
    assert_ok(login_as(session, CKU_USER, "another"));
}

static void a_pin_that_is_not_there_cannot_be_changed(void **state)
{
    CK_SESSION_HANDLE session = open_rw_session(initialised_token(NULL));

    (void)state;
    assert_rv(set_pin(session, USER_PIN, "another"), CKR_USER_PIN_NOT_INITIALIZED,
              CKR_PIN_INCORRECT);
    assert_rv(login_as(session, CKU_USER, "another"), CKR_USER_PIN_NOT_INITIALIZED);
}

static void the_so_changes_the_so_pin(void **state)
{
    CK_SLOT_ID slot = fresh_token(NULL);
    CK_SESSION_HANDLE session = open_rw_session(slot);

    (void)state;
    assert_ok(login_as(session, CKU_SO, SO_PIN));
    assert_rv(set_pin(session, USER_PIN, "other so"), CKR_PIN_INCORRECT);
    assert_ok(set_pin(session, SO_PIN, "other so"));
    assert_int_equal(session_state(session), CKS_RW_SO_FUNCTIONS);
    assert_ok(p11->C_Logout(session));
    assert_rv(login_as(session, CKU_SO, SO_PIN), CKR_PIN_INCORRECT);
    assert_ok(login_as(session, CKU_SO, "other so"));
    assert_ok(init_pin(session, "by the other so"));
    assert_ok(p11->C_Logout(session));
    assert_ok(login_as(session, CKU_USER, "by the other so"));
}

static void a_pin_may_be_changed_to_itself_and_back(void **state)
{
    CK_SESSION_HANDLE session = open_rw_session(fresh_token(NULL));

    (void)state;
    assert_ok(set_pin(session, USER_PIN, USER_PIN));
    for (unsigned i = 0; i < 3; i++) {
        assert_ok(set_pin(session, USER_PIN, "another"));
        assert_ok(set_pin(session, "another", USER_PIN));
    }
    assert_ok(login_as(session, CKU_USER, USER_PIN));
}

static void pins_have_the_lengths_that_the_token_tells(void **state)
{
    CK_SLOT_ID slot = initialised_token(NULL);
    CK_SESSION_HANDLE session = open_rw_session(slot);
    CK_TOKEN_INFO info = token_info(slot);
    CK_ULONG lengths[] = {info.ulMinPinLen,     info.ulMinPinLen + 1, 32, 33, 64, 65, 128,
                          info.ulMaxPinLen - 1, info.ulMaxPinLen};
    struct pin pin = {.length = 0};

    (void)state;
    memset(pin.bytes, 'x', sizeof(pin.bytes));
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        pin.length = lengths[i];
        assert_ok(set_by_so(session, pin));
        log_in_and_out(session, pin);
        pin.length++;
        if (pin.length <= info.ulMaxPinLen)
            assert_rv(log_in(session, CKU_USER, pin), CKR_PIN_INCORRECT);
    }
    pin.length = info.ulMaxPinLen + 1;
    assert_rv(set_by_so(session, pin), CKR_PIN_LEN_RANGE);
    if (info.ulMinPinLen > 0) {
        pin.length = info.ulMinPinLen - 1;
        assert_rv(set_by_so(session, pin), CKR_PIN_LEN_RANGE);
    }
    pin.length = info.ulMaxPinLen;
    log_in_and_out(session, pin);
}

static void a_new_pin_that_is_too_long_changes_nothing(void **state)
{
    CK_SESSION_HANDLE session = open_rw_session(fresh_token(NULL));
    struct pin pin = {.length = 256};

    (void)state;
    memset(pin.bytes, 'x', sizeof(pin.bytes));
    assert_rv(p11->C_SetPIN(session, (CK_UTF8CHAR *)USER_PIN, 4, pin.bytes, 256),
              CKR_PIN_LEN_RANGE);
    assert_rv(p11->C_SetPIN(session, pin.bytes, 256, (CK_UTF8CHAR *)"another", 7),
              CKR_PIN_INCORRECT, CKR_PIN_LEN_RANGE);
    assert_ok(login_as(session, CKU_USER, USER_PIN));
}

static void a_pin_may_be_empty_or_of_one_byte(void **state)
{
    CK_SLOT_ID slot = initialised_token(NULL);
    CK_SESSION_HANDLE session = open_rw_session(slot);

    (void)state;
    if (token_info(slot).ulMinPinLen > 0)
        skip_because("PINs of this token have at least %lu bytes", token_info(slot).ulMinPinLen);
    assert_ok(set_by_so(session, pin_of("", 0)));
    assert_true(flag_of_token(slot, CKF_LOGIN_REQUIRED));
    assert_true(flag_of_token(slot, CKF_USER_PIN_INITIALIZED));
    assert_rv(login_as(session, CKU_USER, "0"), CKR_PIN_INCORRECT);
    log_in_and_out(session, pin_of("", 0));
    assert_ok(set_by_so(session, pin_of("0", 1)));
    assert_rv(log_in(session, CKU_USER, pin_of("", 0)), CKR_PIN_INCORRECT);
    assert_rv(log_in(session, CKU_USER, pin_of("\0", 1)), CKR_PIN_INCORRECT);
    log_in_and_out(session, pin_of("0", 1));
}

static void a_pin_may_have_any_bytes(void **state)
{
    CK_SESSION_HANDLE session = open_rw_session(initialised_token(NULL));
    struct pin pin = {.length = 255};

    (void)state;
    for (unsigned i = 0; i < 255; i++)
        pin.bytes[i] = (CK_UTF8CHAR)(255 - i);
    assert_ok(set_by_so(session, pin));
    log_in_and_out(session, pin);
    for (unsigned i = 0; i < 255; i++)
        pin.bytes[i] = (CK_UTF8CHAR)i;
    assert_rv(log_in(session, CKU_USER, pin), CKR_PIN_INCORRECT);
    assert_ok(set_by_so(session, pin));
    log_in_and_out(session, pin);
}

static void a_nul_is_a_byte_like_any_other(void **state)
{
    CK_SESSION_HANDLE session = open_rw_session(initialised_token(NULL));

    (void)state;
    assert_ok(set_by_so(session, pin_of("ab\0cd", 5)));
    assert_rv(log_in(session, CKU_USER, pin_of("ab\0ce", 5)), CKR_PIN_INCORRECT);
    assert_rv(log_in(session, CKU_USER, pin_of("ab\0cd\0", 6)), CKR_PIN_INCORRECT);
    assert_rv(log_in(session, CKU_USER, pin_of("ab\0c", 4)), CKR_PIN_INCORRECT);
    log_in_and_out(session, pin_of("ab\0cd", 5));
    assert_ok(set_by_so(session, pin_of("abcd\0\0", 6)));
    assert_rv(log_in(session, CKU_USER, pin_of("abcd", 4)), CKR_PIN_INCORRECT);
    assert_rv(log_in(session, CKU_USER, pin_of("abcd\0", 5)), CKR_PIN_INCORRECT);
    log_in_and_out(session, pin_of("abcd\0\0", 6));
}

static void pins_that_are_not_there_are_bad_arguments(void **state)
{
    CK_SESSION_HANDLE session = open_rw_session(fresh_token(NULL));

    (void)state;
    expect_rv(p11->C_SetPIN(session, NULL, 4, (CK_UTF8CHAR *)"another", 7), CKR_ARGUMENTS_BAD);
    expect_rv(p11->C_SetPIN(session, (CK_UTF8CHAR *)USER_PIN, 4, NULL, 7), CKR_ARGUMENTS_BAD);
    expect_rv(login_as(session, CKU_SO, SO_PIN), CKR_OK);
    expect_rv(p11->C_InitPIN(session, NULL, 7), CKR_ARGUMENTS_BAD);
    expect_rv(p11->C_Logout(session), CKR_OK);
    expect_rv(login_as(session, CKU_USER, USER_PIN), CKR_OK);
    expectations_met();
}

static void changing_in_another_process(void)
{
    CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
    CK_SLOT_ID slot = 0;

    child_rv(initialise(), CKR_OK);
    child_rv(find_label(FRESH_LABEL, &slot), CKR_OK);
    child_rv(p11->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session),
             CKR_OK);
    child_rv(set_pin(session, USER_PIN, "by another process"), CKR_OK);
    child_rv(p11->C_Finalize(NULL), CKR_OK);
}

static void a_pin_changed_by_another_process_is_changed_here(void **state)
{
    CK_SLOT_ID slot = fresh_token(NULL);
    CK_SESSION_HANDLE session;

    (void)state;
    in_another_process(changing_in_another_process);
    assert_ok(find_label(FRESH_LABEL, &slot));
    session = open_rw_session(slot);
    assert_rv(login_as(session, CKU_USER, USER_PIN), CKR_PIN_INCORRECT);
    assert_ok(login_as(session, CKU_USER, "by another process"));
}

/* The other process changes it while this one has the token open. */
static void a_pin_is_changed_under_the_eyes_of_a_session(void **state)
{
    CK_SESSION_HANDLE session = open_rw_session(fresh_token(NULL));

    (void)state;
    if (setting("PKCS11_EXCLUSIVE"))
        skip_because("the TPM serves one process at a time");
    assert_ok(login_as(session, CKU_USER, USER_PIN));
    assert_ok(p11->C_Logout(session));
    run_child(changing_in_another_process);
    assert_rv(login_as(session, CKU_USER, USER_PIN), CKR_PIN_INCORRECT);
    assert_ok(login_as(session, CKU_USER, "by another process"));
}

static CK_RV sign_with_key(CK_SESSION_HANDLE session)
{
    CK_MECHANISM ecdsa = {CKM_ECDSA, NULL, 0};
    CK_OBJECT_HANDLE keys[MAX_FOUND];
    CK_BYTE signature[64], hash[32] = {1};
    CK_ULONG length = sizeof(signature);

    assert_int_equal(find_class(session, CKO_PRIVATE_KEY, keys), 1);
    assert_ok(p11->C_SignInit(session, &ecdsa, keys[0]));
    return p11->C_Sign(session, hash, sizeof(hash), signature, &length);
}

static void keys_survive_a_change_of_the_pin(void **state)
{
    CK_SLOT_ID slot = fresh_token(NULL);
    CK_SESSION_HANDLE session = open_rw_session(slot);
    CK_MECHANISM generate = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
    CK_OBJECT_HANDLE public_key = POISON_ULONG, private_key = POISON_ULONG;

    (void)state;
    assert_ok(login_as(session, CKU_USER, USER_PIN));
    assert_ok(p11->C_GenerateKeyPair(
        session, &generate,
        LIST(BYTES(CKA_EC_PARAMS, "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07", 10),
             FLAG(CKA_TOKEN, true)),
        LIST(FLAG(CKA_TOKEN, true), FLAG(CKA_SIGN, true)), &public_key, &private_key));
    assert_ok(set_pin(session, USER_PIN, "another"));
    assert_ok(sign_with_key(session));
    assert_ok(p11->C_Logout(session));
    assert_ok(login_as(session, CKU_USER, "another"));
    assert_ok(sign_with_key(session));
    assert_ok(p11->C_CloseAllSessions(slot));
    assert_ok(init_pin_as_so(slot, SO_PIN, "by the so"));
    session = open_rw_session(slot);
    assert_ok(login_as(session, CKU_USER, "by the so"));
    assert_ok(sign_with_key(session));
}

#define test(function) cmocka_unit_test_teardown(function, close_everything)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(nobody_but_the_so_initialises_the_user_pin),
        test(a_read_only_session_changes_no_pin),
        test(the_so_initialises_the_user_pin_and_again),
        test(the_user_changes_the_pin),
        test(the_user_pin_is_changed_without_login),
        test(a_pin_that_is_not_there_cannot_be_changed),
        test(the_so_changes_the_so_pin),
        test(a_pin_may_be_changed_to_itself_and_back),
        test(pins_have_the_lengths_that_the_token_tells),
        test(a_new_pin_that_is_too_long_changes_nothing),
        test(a_pin_may_be_empty_or_of_one_byte),
        test(a_pin_may_have_any_bytes),
        test(a_nul_is_a_byte_like_any_other),
        test(pins_that_are_not_there_are_bad_arguments),
        test(a_pin_changed_by_another_process_is_changed_here),
        test(a_pin_is_changed_under_the_eyes_of_a_session),
        test(keys_survive_a_change_of_the_pin),
    };

    return cmocka_run_group_tests(tests, initialised_setup, initialised_teardown);
}
