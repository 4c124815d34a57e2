/* PKCS#11 2.40 section 5.6 and the user guide's session states: who is logged in, in
 * which kind of session, and what that shows. */
#include "conformance/api/children.h"
#include "conformance/api/fresh.h"

static CK_OBJECT_HANDLE create(CK_SESSION_HANDLE session, bool token, bool private)
{
    CK_OBJECT_HANDLE object = POISON_ULONG;

    assert_ok(p11->C_CreateObject(session,
                                  LIST(NUMBER(CKA_CLASS, CKO_DATA), FLAG(CKA_TOKEN, token),
                                       FLAG(CKA_PRIVATE, private), TEXT(CKA_VALUE, "a value")),
                                  &object));
    return object;
}

static CK_ULONG found_in(CK_SESSION_HANDLE session)
{
    CK_OBJECT_HANDLE objects[MAX_FOUND];

    return find_class(session, CKO_DATA, objects);
}

static void every_session_has_the_state_of_its_kind(void **state)
{
    CK_SLOT_ID slot = common_token(NULL);
    CK_SESSION_HANDLE reading = open_session(slot), writing = open_rw_session(slot);

    (void)state;
    assert_int_equal(session_state(reading), CKS_RO_PUBLIC_SESSION);
    assert_int_equal(session_state(writing), CKS_RW_PUBLIC_SESSION);
    assert_ok(login_as(reading, CKU_USER, USER_PIN));
    assert_int_equal(session_state(reading), CKS_RO_USER_FUNCTIONS);
    assert_int_equal(session_state(writing), CKS_RW_USER_FUNCTIONS);
    assert_int_equal(session_state(open_session(slot)), CKS_RO_USER_FUNCTIONS);
    assert_int_equal(session_state(open_rw_session(slot)), CKS_RW_USER_FUNCTIONS);
    assert_ok(p11->C_Logout(writing));
    assert_int_equal(session_state(reading), CKS_RO_PUBLIC_SESSION);
    assert_int_equal(session_state(writing), CKS_RW_PUBLIC_SESSION);
}

static void every_session_has_the_state_of_the_so(void **state)
{
    CK_SLOT_ID slot = common_token(NULL);
    CK_SESSION_HANDLE one = open_rw_session(slot), other = open_rw_session(slot);

    (void)state;
    assert_ok(login_as(one, CKU_SO, SO_PIN));
    assert_int_equal(session_state(one), CKS_RW_SO_FUNCTIONS);
    assert_int_equal(session_state(other), CKS_RW_SO_FUNCTIONS);
    assert_int_equal(session_state(open_rw_session(slot)), CKS_RW_SO_FUNCTIONS);
    assert_ok(p11->C_Logout(other));
    assert_int_equal(session_state(one), CKS_RW_PUBLIC_SESSION);
}

static void a_read_only_session_keeps_the_so_out(void **state)
{
    CK_SLOT_ID slot = common_token(NULL);
    CK_SESSION_HANDLE writing = open_rw_session(slot), reading = open_session(slot);

    (void)state;
    assert_rv(login_as(writing, CKU_SO, SO_PIN), CKR_SESSION_READ_ONLY_EXISTS);
    assert_rv(login_as(reading, CKU_SO, SO_PIN), CKR_SESSION_READ_ONLY_EXISTS,
              CKR_SESSION_READ_ONLY);
    assert_int_equal(session_state(writing), CKS_RW_PUBLIC_SESSION);
    assert_ok(p11->C_CloseSession(reading));
    assert_ok(login_as(writing, CKU_SO, SO_PIN));
}

static void the_so_keeps_read_only_sessions_out(void **state)
{
    CK_SLOT_ID slot = common_token(NULL);
    CK_SESSION_HANDLE session = POISON_ULONG, writing = open_rw_session(slot);

    (void)state;
    assert_ok(login_as(writing, CKU_SO, SO_PIN));
    assert_rv(p11->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &session),
              CKR_SESSION_READ_WRITE_SO_EXISTS);
    assert_ok(p11->C_Logout(writing));
    assert_ok(p11->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &session));
}

static void only_one_of_the_users_is_logged_in(void **state)
{
    CK_SLOT_ID slot = common_token(NULL);
    CK_SESSION_HANDLE one = open_rw_session(slot), other = open_rw_session(slot);

    (void)state;
    assert_ok(login_as(one, CKU_USER, USER_PIN));
    assert_rv(login_as(one, CKU_SO, SO_PIN), CKR_USER_ANOTHER_ALREADY_LOGGED_IN);
    assert_rv(login_as(other, CKU_SO, SO_PIN), CKR_USER_ANOTHER_ALREADY_LOGGED_IN);
    assert_rv(login_as(other, CKU_USER, USER_PIN), CKR_USER_ALREADY_LOGGED_IN);
    assert_int_equal(session_state(other), CKS_RW_USER_FUNCTIONS);
    assert_ok(p11->C_Logout(one));
    assert_ok(login_as(one, CKU_SO, SO_PIN));
    assert_rv(login_as(one, CKU_USER, USER_PIN), CKR_USER_ANOTHER_ALREADY_LOGGED_IN);
    assert_rv(login_as(other, CKU_SO, SO_PIN), CKR_USER_ALREADY_LOGGED_IN);
    assert_int_equal(session_state(other), CKS_RW_SO_FUNCTIONS);
}

/* It would tell whether a guess is right without any count. */
static void a_second_login_tells_nothing_of_its_pin(void **state)
{
    CK_SESSION_HANDLE session = open_rw_session(common_token(NULL));

    (void)state;
    assert_ok(login_as(session, CKU_USER, USER_PIN));
    assert_rv(login_as(session, CKU_USER, "wrong"), CKR_USER_ALREADY_LOGGED_IN);
    assert_rv(login_as(session, CKU_SO, "wrong"), CKR_USER_ANOTHER_ALREADY_LOGGED_IN);
}

static void other_kinds_of_user_are_refused(void **state)
{
    CK_SESSION_HANDLE session = open_rw_session(common_token(NULL));

    (void)state;
    expect_rv(login_as(session, 3, USER_PIN), CKR_USER_TYPE_INVALID);
    expect_rv(login_as(session, CK_UNAVAILABLE_INFORMATION, USER_PIN), CKR_USER_TYPE_INVALID);
    expect_rv(login_as(session, CKU_CONTEXT_SPECIFIC, USER_PIN), CKR_OPERATION_NOT_INITIALIZED);
    expect_rv(login_as(0x7EADBEEFUL, CKU_USER, USER_PIN), CKR_SESSION_HANDLE_INVALID);
    expect_rv(p11->C_Login(session, CKU_USER, NULL, 4), CKR_ARGUMENTS_BAD);
    expectations_met();
}

static void a_wrong_pin_logs_nobody_in(void **state)
{
    CK_SESSION_HANDLE session = open_rw_session(fresh_token(NULL));

    (void)state;
    assert_rv(login_as(session, CKU_USER, "12345"), CKR_PIN_INCORRECT);
    assert_rv(login_as(session, CKU_USER, "123"), CKR_PIN_INCORRECT, CKR_PIN_LEN_RANGE);
    assert_rv(login_as(session, CKU_USER, SO_PIN), CKR_PIN_INCORRECT);
    assert_rv(login_as(session, CKU_SO, USER_PIN), CKR_PIN_INCORRECT);
    assert_int_equal(session_state(session), CKS_RW_PUBLIC_SESSION);
    assert_ok(login_as(session, CKU_USER, USER_PIN));
}

static void closing_the_last_session_logs_out(void **state)
{
    CK_SLOT_ID slot = common_token(NULL);
    CK_SESSION_HANDLE session = open_rw_session(slot);

    (void)state;
    assert_ok(login_as(session, CKU_USER, USER_PIN));
    assert_ok(p11->C_CloseSession(session));
    assert_int_equal(session_state(open_session(slot)), CKS_RO_PUBLIC_SESSION);
    assert_ok(p11->C_CloseAllSessions(slot));
    session = open_rw_session(slot);
    assert_ok(login_as(session, CKU_SO, SO_PIN));
    assert_ok(p11->C_CloseAllSessions(slot));
    assert_int_equal(session_state(open_session(slot)), CKS_RO_PUBLIC_SESSION);
}

static void private_objects_are_the_users_alone(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    CK_OBJECT_HANDLE secret = create(session, true, true);

    (void)state;
    create(session, true, false);
    assert_int_equal(found_in(session), 2);
    assert_ok(p11->C_Logout(session));
    assert_int_equal(found_in(session), 1);
    assert_rv(attribute_rv(session, secret, CKA_VALUE), CKR_OBJECT_HANDLE_INVALID);
    assert_rv(p11->C_DestroyObject(session, secret), CKR_OBJECT_HANDLE_INVALID);
    assert_ok(login_as(session, CKU_SO, SO_PIN));
    assert_int_equal(found_in(session), 1);
    assert_rv(attribute_rv(session, secret, CKA_VALUE), CKR_OBJECT_HANDLE_INVALID);
    assert_ok(p11->C_Logout(session));
    assert_ok(login_as(session, CKU_USER, USER_PIN));
    assert_int_equal(found_in(session), 2);
}

static void a_logout_destroys_private_session_objects(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    CK_OBJECT_HANDLE public_one = create(session, false, false);

    (void)state;
    create(session, false, true);
    assert_int_equal(found_in(session), 2);
    assert_ok(p11->C_Logout(session));
    assert_int_equal(found_in(session), 1);
    assert_ok(login_as(session, CKU_USER, USER_PIN));
    assert_int_equal(found_in(session), 1);
    assert_ok(attribute_rv(session, public_one, CKA_VALUE));
}

static void the_so_makes_public_objects_only(void **state)
{
    CK_SESSION_HANDLE session = open_rw_session(common_token(NULL));
    CK_OBJECT_HANDLE object = POISON_ULONG;

    (void)state;
    assert_ok(login_as(session, CKU_SO, SO_PIN));
    create(session, true, false);
    assert_rv(p11->C_CreateObject(
                  session,
                  LIST(NUMBER(CKA_CLASS, CKO_DATA), FLAG(CKA_TOKEN, true), FLAG(CKA_PRIVATE, true)),
                  &object),
              CKR_USER_NOT_LOGGED_IN);
    assert_int_equal(found_in(session), 1);
}

static void a_logout_ends_the_use_of_a_private_key(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    CK_MECHANISM generate = {CKM_AES_KEY_GEN, NULL, 0}, cbc = {CKM_AES_CBC, (CK_BYTE[16]){0}, 16};
    CK_BYTE data[16] = {0};
    CK_ULONG length = sizeof(data);
    CK_OBJECT_HANDLE key = POISON_ULONG;

    (void)state;
    assert_ok(p11->C_GenerateKey(session, &generate,
                                 LIST(NUMBER(CKA_VALUE_LEN, 16), FLAG(CKA_TOKEN, true),
                                      FLAG(CKA_PRIVATE, true), FLAG(CKA_ENCRYPT, true)),
                                 &key));
    assert_ok(p11->C_EncryptInit(session, &cbc, key));
    assert_ok(p11->C_Logout(session));
    assert_rv(p11->C_Encrypt(session, data, sizeof(data), data, &length),
              CKR_OPERATION_NOT_INITIALIZED, CKR_USER_NOT_LOGGED_IN, CKR_KEY_HANDLE_INVALID);
    assert_rv(p11->C_EncryptInit(session, &cbc, key), CKR_KEY_HANDLE_INVALID,
              CKR_OBJECT_HANDLE_INVALID, CKR_USER_NOT_LOGGED_IN);
}

static void login_with_user_name_is_answered(void **state)
{
    CK_SESSION_HANDLE session = open_rw_session(common_token(NULL));
    CK_UTF8CHAR *pin = (CK_UTF8CHAR *)USER_PIN;

    (void)state;
    if (!p11_v3)
        skip_because("the module has no 3.0 interface");
    assert_rv(p11_v3->C_LoginUser(session, CKU_USER, pin, 4, (CK_UTF8CHAR *)"jane", 4),
              CKR_ARGUMENTS_BAD, CKR_FUNCTION_NOT_SUPPORTED, CKR_USER_TYPE_INVALID,
              CKR_OPERATION_NOT_INITIALIZED);
    assert_ok(p11_v3->C_LoginUser(session, CKU_USER, pin, 4, NULL, 0));
    assert_int_equal(session_state(session), CKS_RW_USER_FUNCTIONS);
}

#define test(function) cmocka_unit_test_teardown(function, destroy_everything)

static CK_SLOT_ID slot_to_open;

/* Nothing else was asked before. */
static void work_without_login(void)
{
    CK_SESSION_HANDLE session = POISON_ULONG;
    CK_OBJECT_HANDLE object = POISON_ULONG;
    CK_ULONG count = 0;

    initialise();
    child_rv(p11->C_GetSlotList(CK_TRUE, NULL, &count), CKR_OK);
    child_rv(
        p11->C_OpenSession(slot_to_open, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session),
        CKR_OK);
    child_rv(p11->C_CreateObject(session,
                                 LIST(NUMBER(CKA_CLASS, CKO_DATA), FLAG(CKA_TOKEN, false),
                                      FLAG(CKA_PRIVATE, true), TEXT(CKA_VALUE, "a value")),
                                 &object),
             CKR_USER_NOT_LOGGED_IN);
}

static void the_first_call_of_a_process_meets_the_login(void **state)
{
    (void)state;
    slot_to_open = common_token(NULL);
    in_another_process(work_without_login);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(every_session_has_the_state_of_its_kind),
        test(every_session_has_the_state_of_the_so),
        test(a_read_only_session_keeps_the_so_out),
        test(the_so_keeps_read_only_sessions_out),
        test(only_one_of_the_users_is_logged_in),
        test(a_second_login_tells_nothing_of_its_pin),
        test(other_kinds_of_user_are_refused),
        test(a_wrong_pin_logs_nobody_in),
        test(closing_the_last_session_logs_out),
        test(private_objects_are_the_users_alone),
        test(a_logout_destroys_private_session_objects),
        test(the_so_makes_public_objects_only),
        test(a_logout_ends_the_use_of_a_private_key),
        test(login_with_user_name_is_answered),
        test(the_first_call_of_a_process_meets_the_login),
    };

    return cmocka_run_group_tests(tests, initialised_setup, initialised_teardown);
}
