/* PKCS#11 2.40 section 5.6: C_Login and C_Logout. Two wrong PINs reach the
 * token in one run of this program: a TPM may lock itself after three. */
#include "conformance/api/client.h"

static CK_SLOT_ID pin_slot_or_skip(void)
{
    CK_SLOT_ID slot = slot_or_skip("PKCS11_TOKEN_PIN");

    pin_or_skip();
    return slot;
}

static void the_right_pin_logs_in(void **state)
{
    CK_SESSION_HANDLE session = open_session(pin_slot_or_skip());

    (void)state;
    assert_int_equal(session_state(session), CKS_RO_PUBLIC_SESSION);
    assert_ok(login(session, pin_or_skip()));
    assert_int_equal(session_state(session), CKS_RO_USER_FUNCTIONS);
    assert_ok(p11->C_Logout(session));
    assert_int_equal(session_state(session), CKS_RO_PUBLIC_SESSION);
}

static void all_sessions_of_a_token_log_in_and_out_together(void **state)
{
    CK_SLOT_ID slot = pin_slot_or_skip();
    CK_SESSION_HANDLE one = open_session(slot), two = open_rw_session(slot);
    CK_SESSION_HANDLE later;

    (void)state;
    assert_ok(login(one, pin_or_skip()));
    later = open_session(slot);
    assert_int_equal(session_state(one), CKS_RO_USER_FUNCTIONS);
    assert_int_equal(session_state(two), CKS_RW_USER_FUNCTIONS);
    assert_int_equal(session_state(later), CKS_RO_USER_FUNCTIONS);
    assert_ok(p11->C_Logout(two));
    assert_int_equal(session_state(one), CKS_RO_PUBLIC_SESSION);
    assert_int_equal(session_state(two), CKS_RW_PUBLIC_SESSION);
    assert_int_equal(session_state(later), CKS_RO_PUBLIC_SESSION);
}

static void a_login_is_for_one_token(void **state)
{
    CK_SLOT_ID slot = pin_slot_or_skip(), other = slot_or_skip("PKCS11_TOKEN_EC");
    CK_SESSION_HANDLE session = open_session(slot), elsewhere = open_session(other);

    (void)state;
    assert_int_not_equal(slot, other);
    assert_ok(login(session, pin_or_skip()));
    assert_int_equal(session_state(elsewhere), CKS_RO_PUBLIC_SESSION);
}

static void a_second_login_says_that_it_is_one(void **state)
{
    CK_SLOT_ID slot = pin_slot_or_skip();
    CK_SESSION_HANDLE one = open_session(slot), two = open_session(slot);

    (void)state;
    assert_ok(login(one, pin_or_skip()));
    assert_rv(login(one, pin_or_skip()), CKR_USER_ALREADY_LOGGED_IN);
    assert_rv(login(two, pin_or_skip()), CKR_USER_ALREADY_LOGGED_IN);
}

static void a_logout_without_login_says_so(void **state)
{
    CK_SESSION_HANDLE session = open_session(pin_slot_or_skip());

    (void)state;
    assert_rv(p11->C_Logout(session), CKR_USER_NOT_LOGGED_IN);
    assert_ok(login(session, pin_or_skip()));
    assert_ok(p11->C_Logout(session));
    assert_rv(p11->C_Logout(session), CKR_USER_NOT_LOGGED_IN);
}

/* One wrong PIN: the right one and one byte more. */
static void a_wrong_pin_is_incorrect_and_the_right_one_still_works(void **state)
{
    CK_SESSION_HANDLE session = open_session(pin_slot_or_skip());
    char longer[256];

    (void)state;
    snprintf(longer, sizeof(longer), "%sx", pin_or_skip());
    assert_rv(login(session, longer), CKR_PIN_INCORRECT);
    assert_int_equal(session_state(session), CKS_RO_PUBLIC_SESSION);
    assert_ok(login(session, pin_or_skip()));
    assert_int_equal(session_state(session), CKS_RO_USER_FUNCTIONS);
}

/* At most one wrong PIN: the empty one. */
static void an_empty_pin_is_not_the_pin(void **state)
{
    CK_SESSION_HANDLE session = open_session(pin_slot_or_skip());

    (void)state;
    assert_rv(login(session, ""), CKR_PIN_INCORRECT, CKR_PIN_LEN_RANGE);
    assert_int_equal(session_state(session), CKS_RO_PUBLIC_SESSION);
}

static void a_null_pin_with_a_length_is_refused(void **state)
{
    CK_SESSION_HANDLE session = open_session(pin_slot_or_skip());

    (void)state;
    assert_rv(p11->C_Login(session, CKU_USER, NULL, 4), CKR_ARGUMENTS_BAD);
    assert_rv(p11->C_Login(session, CKU_USER, NULL, ~0UL), CKR_ARGUMENTS_BAD);
}

/* NULL is for tokens with a PIN pad of their own. */
static void a_null_pin_is_refused_without_an_authentication_path(void **state)
{
    CK_SESSION_HANDLE session = open_session(pin_slot_or_skip());

    (void)state;
    signet_only("no try is spent on a PIN that was not given");
    assert_rv(p11->C_Login(session, CKU_USER, NULL, 0), CKR_ARGUMENTS_BAD, CKR_PIN_INCORRECT,
              CKR_PIN_LEN_RANGE);
}

static void a_length_beyond_reason_is_out_of_range(void **state)
{
    static CK_UTF8CHAR pin[65536];
    CK_SESSION_HANDLE session = open_session(pin_slot_or_skip());
    CK_ULONG lengths[] = {sizeof(pin), 1UL << 40, ~0UL};

    (void)state;
    memset(pin, 'x', sizeof(pin));
    assert_rv(p11->C_Login(session, CKU_USER, pin, lengths[0]), CKR_PIN_LEN_RANGE,
              CKR_PIN_INCORRECT);
    signet_only("a length of 2^40 is refused before the PIN is read");
    for (size_t i = 1; i < COUNT_OF(lengths); i++)
        assert_rv(p11->C_Login(session, CKU_USER, pin, lengths[i]), CKR_PIN_LEN_RANGE,
                  CKR_PIN_INCORRECT, CKR_ARGUMENTS_BAD);
}

static void the_security_officer_is_refused_in_a_read_only_session(void **state)
{
    CK_SESSION_HANDLE session = open_session(pin_slot_or_skip());

    (void)state;
    assert_rv(p11->C_Login(session, CKU_SO, (CK_UTF8CHAR *)"12345678", 8),
              CKR_SESSION_READ_ONLY_EXISTS, CKR_USER_TYPE_INVALID, CKR_FUNCTION_NOT_SUPPORTED,
              CKR_TOKEN_WRITE_PROTECTED);
}

static void a_write_protected_token_has_no_security_officer(void **state)
{
    CK_SLOT_ID slot = pin_slot_or_skip();

    (void)state;
    if (!write_protected(slot))
        skip_because("the token is not write-protected");
    assert_rv(p11->C_Login(open_rw_session(slot), CKU_SO, (CK_UTF8CHAR *)"12345678", 8),
              CKR_USER_TYPE_INVALID, CKR_FUNCTION_NOT_SUPPORTED, CKR_TOKEN_WRITE_PROTECTED,
              CKR_PIN_INCORRECT, CKR_USER_PIN_NOT_INITIALIZED);
}

static void an_unknown_user_type_is_invalid(void **state)
{
    CK_SESSION_HANDLE session = open_session(pin_slot_or_skip());
    CK_USER_TYPE types[] = {3, 99, ~0UL};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(types); i++)
        assert_rv(p11->C_Login(session, types[i], (CK_UTF8CHAR *)"x", 1), CKR_USER_TYPE_INVALID);
}

static void a_context_login_needs_an_operation(void **state)
{
    CK_SESSION_HANDLE session = open_session(pin_slot_or_skip());
    const char *pin = pin_or_skip();

    (void)state;
    assert_ok(login(session, pin));
    assert_rv(p11->C_Login(session, CKU_CONTEXT_SPECIFIC, (CK_UTF8CHAR *)pin, strlen(pin)),
              CKR_OPERATION_NOT_INITIALIZED);
}

static void the_login_ends_with_the_last_session(void **state)
{
    CK_SLOT_ID slot = pin_slot_or_skip();
    CK_SESSION_HANDLE session = open_session(slot), other = open_session(slot);

    (void)state;
    assert_ok(login(session, pin_or_skip()));
    assert_ok(p11->C_CloseSession(session));
    assert_int_equal(session_state(other), CKS_RO_USER_FUNCTIONS);
    assert_ok(p11->C_CloseSession(other));
    session = open_session(slot);
    assert_int_equal(session_state(session), CKS_RO_PUBLIC_SESSION);
    assert_ok(login(session, pin_or_skip()));
    assert_ok(p11->C_CloseAllSessions(slot));
    session = open_session(slot);
    assert_int_equal(session_state(session), CKS_RO_PUBLIC_SESSION);
}

/* Section 5.6: C_Login of CKU_USER works where no login is asked for. */
static void a_login_that_nobody_asked_for_does_no_harm(void **state)
{
    CK_SLOT_ID slot = slot_or_skip("PKCS11_TOKEN_EC");
    CK_SESSION_HANDLE session = open_session(slot);

    (void)state;
    if (login_required(slot))
        skip_because("the token asks for a login");
    assert_rv(login(session, "1234"), CKR_OK, CKR_USER_PIN_NOT_INITIALIZED, CKR_PIN_INCORRECT,
              CKR_USER_TYPE_INVALID);
    assert_ok(p11->C_CloseSession(session));
}

static void a_named_user_is_answered(void **state)
{
    CK_SESSION_HANDLE session = open_session(pin_slot_or_skip());
    CK_UTF8CHAR name[] = "somebody";

    (void)state;
    if (!p11_v3)
        skip_because("the module has no 3.0 interface");
    assert_rv(p11_v3->C_LoginUser(session, CKU_USER, (CK_UTF8CHAR *)pin_or_skip(),
                                  strlen(pin_or_skip()), name, sizeof(name) - 1),
              CKR_OK, CKR_FUNCTION_NOT_SUPPORTED, CKR_USER_TYPE_INVALID, CKR_ARGUMENTS_BAD);
}

#define test(function) cmocka_unit_test_teardown(function, close_everything)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(the_right_pin_logs_in),
        test(all_sessions_of_a_token_log_in_and_out_together),
        test(a_login_is_for_one_token),
        test(a_second_login_says_that_it_is_one),
        test(a_logout_without_login_says_so),
        test(a_wrong_pin_is_incorrect_and_the_right_one_still_works),
        test(an_empty_pin_is_not_the_pin),
        test(a_null_pin_with_a_length_is_refused),
        test(a_null_pin_is_refused_without_an_authentication_path),
        test(a_length_beyond_reason_is_out_of_range),
        test(the_security_officer_is_refused_in_a_read_only_session),
        test(a_write_protected_token_has_no_security_officer),
        test(an_unknown_user_type_is_invalid),
        test(a_context_login_needs_an_operation),
        test(the_login_ends_with_the_last_session),
        test(a_login_that_nobody_asked_for_does_no_harm),
        test(a_named_user_is_answered),
    };

    return cmocka_run_group_tests(tests, initialised_setup, initialised_teardown);
}
