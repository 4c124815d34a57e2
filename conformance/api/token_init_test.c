/* PKCS#11 2.40 section 5.5: C_InitToken, the first time and again. */
#include "conformance/api/children.h"
#include "conformance/api/fresh.h"

static const char OTHER_LABEL[] = "a token with another label      ";

static CK_OBJECT_HANDLE make_data(CK_SESSION_HANDLE session)
{
    CK_OBJECT_HANDLE object = POISON_ULONG;

    assert_ok(p11->C_CreateObject(session,
                                  LIST(NUMBER(CKA_CLASS, CKO_DATA), FLAG(CKA_TOKEN, true),
                                       FLAG(CKA_PRIVATE, false), TEXT(CKA_LABEL, "old")),
                                  &object));
    return object;
}

static CK_ULONG objects_of(CK_SLOT_ID slot)
{
    CK_OBJECT_HANDLE found[MAX_FOUND];
    CK_SESSION_HANDLE session = open_session(slot);
    CK_ULONG count = find_all(session, LIST(TEXT(CKA_LABEL, "old")), found);

    assert_ok(p11->C_CloseSession(session));
    return count;
}

static void an_uninitialised_token_says_so(void **state)
{
    CK_SLOT_ID slot = uninitialised_token(NULL);
    CK_TOKEN_INFO info = token_info(slot);
    CK_SLOT_INFO slot_info;

    (void)state;
    assert_ok(p11->C_GetSlotInfo(slot, &slot_info));
    assert_true(slot_info.flags & CKF_TOKEN_PRESENT);
    assert_false(info.flags & (CKF_TOKEN_INITIALIZED | CKF_USER_PIN_INITIALIZED));
    assert_false(info.flags & CKF_WRITE_PROTECTED);
    assert_true(blank_padded(info.label, sizeof(info.label)));
    assert_true(blank_padded(info.manufacturerID, sizeof(info.manufacturerID)));
    assert_true(blank_padded(info.model, sizeof(info.model)));
    assert_true(blank_padded(info.serialNumber, sizeof(info.serialNumber)));
}

/* Some programs open a session on every slot and give up at an error: either is right. */
static void an_uninitialised_token_lets_nobody_in(void **state)
{
    CK_SLOT_ID slot = uninitialised_token(NULL);
    CK_SESSION_HANDLE session = POISON_ULONG;
    CK_OBJECT_HANDLE object = POISON_ULONG, objects[MAX_FOUND];
    CK_RV rv = p11->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session);

    (void)state;
    assert_rv(rv, CKR_OK, CKR_TOKEN_NOT_RECOGNIZED);
    if (rv != CKR_OK)
        return;
    expect_rv(login_as(session, CKU_USER, USER_PIN), CKR_TOKEN_NOT_RECOGNIZED,
              CKR_USER_PIN_NOT_INITIALIZED);
    expect_rv(login_as(session, CKU_SO, SO_PIN), CKR_TOKEN_NOT_RECOGNIZED);
    expect_rv(p11->C_CreateObject(session,
                                  LIST(NUMBER(CKA_CLASS, CKO_DATA), FLAG(CKA_TOKEN, true),
                                       FLAG(CKA_PRIVATE, false)),
                                  &object),
              CKR_TOKEN_NOT_RECOGNIZED, CKR_TOKEN_WRITE_PROTECTED);
    expect_true(find_all(session, LIST(NUMBER(CKA_CLASS, CKO_DATA)), objects) == 0);
    expect_rv(init_token(slot, SO_PIN), CKR_SESSION_EXISTS);
    expectations_met();
}

static void an_uninitialised_token_has_its_mechanisms(void **state)
{
    CK_SLOT_ID slot = uninitialised_token(NULL);
    CK_ULONG count = 0;

    (void)state;
    assert_ok(p11->C_GetMechanismList(slot, NULL, &count));
    assert_true(count > 0);
    assert_true(mechanism_listed(slot, CKM_RSA_PKCS_KEY_PAIR_GEN));
    assert_true(mechanism_listed(slot, CKM_EC_KEY_PAIR_GEN));
}

static void an_initialised_token_waits_for_its_user_pin(void **state)
{
    CK_SLOT_ID slot = initialised_token(NULL);
    CK_FLAGS flags = token_info(slot).flags;

    (void)state;
    assert_true(flags & CKF_TOKEN_INITIALIZED);
    assert_true(flags & CKF_LOGIN_REQUIRED);
    assert_false(flags & CKF_USER_PIN_INITIALIZED);
    assert_false(flags & CKF_WRITE_PROTECTED);
    assert_false(flags & (CKF_SO_PIN_COUNT_LOW | CKF_SO_PIN_FINAL_TRY | CKF_SO_PIN_LOCKED));
    assert_false(flags & (CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY | CKF_USER_PIN_LOCKED));
    assert_rv(login_as(open_rw_session(slot), CKU_USER, USER_PIN), CKR_USER_PIN_NOT_INITIALIZED);
}

static void the_label_has_all_its_32_bytes(void **state)
{
    static const CK_UTF8CHAR label[] =
        "0123456789 \xC3\xA4\xC3\xB6\xC3\xBC & \xE2\x82\xAC abcdefgh";
    CK_SLOT_ID slot = uninitialised_token(NULL);
    CK_UTF8CHAR exact[32];

    (void)state;
    memcpy(exact, label, sizeof(exact)); /* no NUL follows */
    assert_ok(p11->C_InitToken(slot, (CK_UTF8CHAR *)SO_PIN, strlen(SO_PIN), exact));
    assert_memory_equal(token_info(slot).label, label, 32);
}

static void the_numbers_of_the_token_are_true(void **state)
{
    CK_SLOT_ID slot = fresh_token(NULL);
    CK_TOKEN_INFO info = token_info(slot);

    (void)state;
    assert_true(info.ulMinPinLen <= strlen(USER_PIN));
    assert_int_equal(info.ulMaxPinLen, 255);
    assert_true(info.ulSessionCount == 0 || info.ulSessionCount == UNAVAILABLE);
    open_rw_session(slot);
    open_session(slot);
    info = token_info(slot);
    assert_true(info.ulSessionCount == 2 || info.ulSessionCount == UNAVAILABLE);
    assert_true(info.ulRwSessionCount == 1 || info.ulRwSessionCount == UNAVAILABLE);
}

static void bad_arguments_are_refused(void **state)
{
    CK_SLOT_ID slot = uninitialised_token(NULL);
    CK_UTF8CHAR *pin = (CK_UTF8CHAR *)SO_PIN, *label = (CK_UTF8CHAR *)(uintptr_t)OTHER_LABEL;

    (void)state;
    expect_rv(p11->C_InitToken(0x7EADBEEFUL, pin, 8, label), CKR_SLOT_ID_INVALID);
    expect_rv(p11->C_InitToken(slot, pin, 8, NULL), CKR_ARGUMENTS_BAD);
    expect_rv(p11->C_InitToken(slot, NULL, 8, label), CKR_ARGUMENTS_BAD);
    expect_true(!(token_info(slot).flags & CKF_TOKEN_INITIALIZED));
    expectations_met();
}

static void an_so_pin_of_256_bytes_is_too_long(void **state)
{
    CK_SLOT_ID slot = uninitialised_token(NULL);
    CK_UTF8CHAR pin[256];

    (void)state;
    memset(pin, 'p', sizeof(pin));
    assert_rv(p11->C_InitToken(slot, pin, sizeof(pin), (CK_UTF8CHAR *)(uintptr_t)OTHER_LABEL),
              CKR_PIN_LEN_RANGE);
    assert_false(flag_of_token(slot, CKF_TOKEN_INITIALIZED));
}

static void initialising_again_empties_the_token(void **state)
{
    CK_SLOT_ID slot = fresh_token(NULL);
    CK_TOKEN_INFO before = token_info(slot), after;
    CK_SESSION_HANDLE session = open_rw_session(slot);

    (void)state;
    assert_ok(login_as(session, CKU_USER, USER_PIN));
    make_data(session);
    assert_ok(p11->C_CloseAllSessions(slot));
    assert_int_equal(objects_of(slot), 1);
    assert_ok(init_token_labelled(slot, SO_PIN, OTHER_LABEL));
    after = token_info(slot);
    assert_memory_equal(after.label, OTHER_LABEL, sizeof(after.label));
    assert_true(before.flags & CKF_USER_PIN_INITIALIZED);
    assert_true(after.flags & CKF_TOKEN_INITIALIZED);
    assert_false(after.flags & CKF_USER_PIN_INITIALIZED);
    assert_int_equal(objects_of(slot), 0);
    assert_rv(login_as(open_rw_session(slot), CKU_USER, USER_PIN), CKR_USER_PIN_NOT_INITIALIZED);
}

static void a_token_can_be_used_after_initialising_again(void **state)
{
    CK_SLOT_ID slot = fresh_token(NULL);
    CK_SESSION_HANDLE session;

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        assert_ok(init_token(slot, SO_PIN));
        assert_ok(init_pin_as_so(slot, SO_PIN, "another pin"));
        session = open_rw_session(slot);
        assert_rv(login_as(session, CKU_USER, USER_PIN), CKR_PIN_INCORRECT);
        assert_ok(login_as(session, CKU_USER, "another pin"));
        make_data(session);
        assert_ok(p11->C_CloseAllSessions(slot));
        assert_int_equal(objects_of(slot), 1);
    }
}

static void a_wrong_so_pin_leaves_the_token_as_it_was(void **state)
{
    CK_SLOT_ID slot = fresh_token(NULL);
    CK_SESSION_HANDLE session = open_rw_session(slot);

    (void)state;
    assert_ok(login_as(session, CKU_USER, USER_PIN));
    make_data(session);
    assert_ok(p11->C_CloseAllSessions(slot));
    assert_rv(init_token_labelled(slot, "00000000", OTHER_LABEL), CKR_PIN_INCORRECT);
    assert_memory_equal(token_info(slot).label, FRESH_LABEL, strlen(FRESH_LABEL));
    assert_int_equal(objects_of(slot), 1);
    assert_ok(login_as(open_rw_session(slot), CKU_USER, USER_PIN));
}

static void the_user_pin_does_not_initialise(void **state)
{
    CK_SLOT_ID slot = fresh_token(NULL);

    (void)state;
    assert_rv(init_token_labelled(slot, USER_PIN, OTHER_LABEL), CKR_PIN_INCORRECT);
    assert_true(flag_of_token(slot, CKF_USER_PIN_INITIALIZED));
}

static void a_changed_so_pin_initialises(void **state)
{
    CK_SLOT_ID slot = fresh_token(NULL);
    CK_SESSION_HANDLE session = open_rw_session(slot);

    (void)state;
    assert_ok(login_as(session, CKU_SO, SO_PIN));
    assert_ok(set_pin(session, SO_PIN, "a longer so pin"));
    assert_ok(p11->C_CloseAllSessions(slot));
    assert_rv(init_token(slot, SO_PIN), CKR_PIN_INCORRECT);
    assert_ok(init_token(slot, "a longer so pin"));
}

static void open_sessions_prevent_it(void **state)
{
    CK_SLOT_ID slot = fresh_token(NULL);
    CK_SESSION_HANDLE session = open_session(slot);

    (void)state;
    assert_rv(init_token_labelled(slot, SO_PIN, OTHER_LABEL), CKR_SESSION_EXISTS);
    assert_rv(init_token_labelled(slot, "wrong pin", OTHER_LABEL), CKR_SESSION_EXISTS);
    assert_ok(p11->C_CloseSession(session));
    assert_false(flag_of_token(slot, CKF_SO_PIN_COUNT_LOW));
    assert_ok(init_token_labelled(slot, SO_PIN, OTHER_LABEL));
}

static void opening_in_another_process(void)
{
    CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
    CK_SLOT_ID slot = 0;

    child_rv(initialise(), CKR_OK);
    child_rv(find_label(FRESH_LABEL, &slot), CKR_OK);
    child_rv(p11->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session),
             CKR_OK);
    child_rv(login_as(session, CKU_USER, USER_PIN), CKR_OK);
    child_rv(p11->C_Logout(session), CKR_OK);
    child_rv(login_as(session, CKU_SO, SO_PIN), CKR_OK);
    child_rv(p11->C_Finalize(NULL), CKR_OK);
}

static void another_process_finds_the_token(void **state)
{
    (void)state;
    fresh_token(NULL);
    in_another_process(opening_in_another_process);
}

static void initialising_again_in_another_process(void)
{
    CK_SLOT_ID slot = 0;

    child_rv(initialise(), CKR_OK);
    child_rv(find_label(FRESH_LABEL, &slot), CKR_OK);
    child_rv(init_token_labelled(slot, SO_PIN, OTHER_LABEL), CKR_OK);
    child_rv(p11->C_Finalize(NULL), CKR_OK);
}

static void another_process_initialises_again(void **state)
{
    CK_SLOT_ID slot = fresh_token(NULL);

    (void)state;
    assert_ok(login_as(open_rw_session(slot), CKU_USER, USER_PIN));
    in_another_process(initialising_again_in_another_process);
    assert_rv(find_label(FRESH_LABEL, &slot), CKR_TOKEN_NOT_PRESENT);
    assert_ok(find_label("a token with another label", &slot));
    assert_false(flag_of_token(slot, CKF_USER_PIN_INITIALIZED));
}

#define test(function) cmocka_unit_test_teardown(function, close_everything)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(an_uninitialised_token_says_so),
        test(an_uninitialised_token_lets_nobody_in),
        test(an_uninitialised_token_has_its_mechanisms),
        test(an_initialised_token_waits_for_its_user_pin),
        test(the_label_has_all_its_32_bytes),
        test(the_numbers_of_the_token_are_true),
        test(bad_arguments_are_refused),
        test(an_so_pin_of_256_bytes_is_too_long),
        test(initialising_again_empties_the_token),
        test(a_token_can_be_used_after_initialising_again),
        test(a_wrong_so_pin_leaves_the_token_as_it_was),
        test(the_user_pin_does_not_initialise),
        test(a_changed_so_pin_initialises),
        test(open_sessions_prevent_it),
        test(another_process_finds_the_token),
        test(another_process_initialises_again),
    };

    return cmocka_run_group_tests(tests, initialised_setup, initialised_teardown);
}
