/* How many wrong PINs a token takes, and what its flags tell of that at every step. */
#include "conformance/api/children.h"
#include "conformance/api/fresh.h"

#define THREE_TRIES "user tries = 3\nso tries = 3"
#define WRONG "no such pin"

/* The three flags of one user: how low the count is. */
enum count { NONE_WRONG, SOME_WRONG, LAST_TRY, LOCKED };

struct flags {
    CK_FLAGS low, last, locked;
};

static const struct flags user_flags = {CKF_USER_PIN_COUNT_LOW, CKF_USER_PIN_FINAL_TRY,
                                        CKF_USER_PIN_LOCKED};
static const struct flags so_flags = {CKF_SO_PIN_COUNT_LOW, CKF_SO_PIN_FINAL_TRY,
                                      CKF_SO_PIN_LOCKED};

static void check_count(const char *file, int line, CK_SLOT_ID slot, const struct flags *names,
                        enum count expected)
{
    CK_FLAGS flags = token_info(slot).flags;
    bool low = flags & names->low, last = flags & names->last, locked = flags & names->locked;
    bool good = expected == LOCKED
                    ? locked && !last
                    : !locked && low == (expected != NONE_WRONG) && last == (expected == LAST_TRY);

    if (good)
        return;
    print_error("%s:%d: flags 0x%lx where %d was expected\n", file, line, flags, (int)expected);
    _fail(file, line);
}

#define user_is(expected) check_count(__FILE__, __LINE__, slot, &user_flags, expected)
#define so_is(expected) check_count(__FILE__, __LINE__, slot, &so_flags, expected)

static CK_SLOT_ID locking_token(void)
{
    return fresh_token(THREE_TRIES);
}

static void lock_user(CK_SLOT_ID slot)
{
    CK_SESSION_HANDLE session = open_rw_session(slot);

    for (unsigned i = 0; i < 2; i++)
        assert_rv(login_as(session, CKU_USER, WRONG), CKR_PIN_INCORRECT);
    assert_rv(login_as(session, CKU_USER, WRONG), CKR_PIN_INCORRECT, CKR_PIN_LOCKED);
    assert_rv(login_as(session, CKU_USER, WRONG), CKR_PIN_LOCKED);
    assert_ok(p11->C_CloseSession(session));
}

static void each_wrong_pin_of_the_user_is_shown(void **state)
{
    CK_SLOT_ID slot = locking_token();
    CK_SESSION_HANDLE session = open_rw_session(slot);

    (void)state;
    user_is(NONE_WRONG);
    assert_rv(login_as(session, CKU_USER, WRONG), CKR_PIN_INCORRECT);
    user_is(SOME_WRONG);
    assert_rv(login_as(session, CKU_USER, WRONG), CKR_PIN_INCORRECT);
    user_is(LAST_TRY);
    assert_rv(login_as(session, CKU_USER, WRONG), CKR_PIN_INCORRECT, CKR_PIN_LOCKED);
    user_is(LOCKED);
    assert_rv(login_as(session, CKU_USER, USER_PIN), CKR_PIN_LOCKED);
    user_is(LOCKED);
    so_is(NONE_WRONG);
}

static void each_wrong_pin_of_the_so_is_shown(void **state)
{
    CK_SLOT_ID slot = locking_token();
    CK_SESSION_HANDLE session = open_rw_session(slot);

    (void)state;
    so_is(NONE_WRONG);
    assert_rv(login_as(session, CKU_SO, WRONG), CKR_PIN_INCORRECT);
    so_is(SOME_WRONG);
    assert_rv(login_as(session, CKU_SO, WRONG), CKR_PIN_INCORRECT);
    so_is(LAST_TRY);
    assert_rv(login_as(session, CKU_SO, WRONG), CKR_PIN_INCORRECT, CKR_PIN_LOCKED);
    so_is(LOCKED);
    assert_rv(login_as(session, CKU_SO, SO_PIN), CKR_PIN_LOCKED);
    so_is(LOCKED);
    user_is(NONE_WRONG);
    assert_ok(login_as(session, CKU_USER, USER_PIN));
}

static void a_right_pin_clears_the_count(void **state)
{
    CK_SLOT_ID slot = locking_token();
    CK_SESSION_HANDLE session = open_rw_session(slot);

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        assert_rv(login_as(session, CKU_USER, WRONG), CKR_PIN_INCORRECT);
        assert_rv(login_as(session, CKU_USER, WRONG), CKR_PIN_INCORRECT);
        user_is(LAST_TRY);
        assert_ok(login_as(session, CKU_USER, USER_PIN));
        user_is(NONE_WRONG);
        assert_ok(p11->C_Logout(session));
        assert_rv(login_as(session, CKU_SO, WRONG), CKR_PIN_INCORRECT);
        assert_rv(login_as(session, CKU_SO, WRONG), CKR_PIN_INCORRECT);
        so_is(LAST_TRY);
        assert_ok(login_as(session, CKU_SO, SO_PIN));
        so_is(NONE_WRONG);
        assert_ok(p11->C_Logout(session));
    }
}

static void the_so_unlocks_the_user(void **state)
{
    CK_SLOT_ID slot = locking_token();
    CK_SESSION_HANDLE session;

    (void)state;
    lock_user(slot);
    user_is(LOCKED);
    assert_ok(init_pin_as_so(slot, SO_PIN, "a new pin"));
    user_is(NONE_WRONG);
    session = open_rw_session(slot);
    assert_rv(login_as(session, CKU_USER, USER_PIN), CKR_PIN_INCORRECT);
    user_is(SOME_WRONG);
    assert_ok(login_as(session, CKU_USER, "a new pin"));
    user_is(NONE_WRONG);
}

static void the_so_unlocks_with_the_same_pin(void **state)
{
    CK_SLOT_ID slot = locking_token();

    (void)state;
    lock_user(slot);
    assert_ok(init_pin_as_so(slot, SO_PIN, USER_PIN));
    user_is(NONE_WRONG);
    assert_ok(login_as(open_rw_session(slot), CKU_USER, USER_PIN));
}

static void private_objects_survive_the_lock(void **state)
{
    CK_SLOT_ID slot = locking_token();
    CK_SESSION_HANDLE session = open_rw_session(slot);
    CK_OBJECT_HANDLE object = POISON_ULONG, objects[MAX_FOUND];
    unsigned char value[MAX_VALUE];

    (void)state;
    assert_ok(login_as(session, CKU_USER, USER_PIN));
    assert_ok(p11->C_CreateObject(session,
                                  LIST(NUMBER(CKA_CLASS, CKO_DATA), FLAG(CKA_TOKEN, true),
                                       FLAG(CKA_PRIVATE, true), TEXT(CKA_VALUE, "secret")),
                                  &object));
    assert_ok(p11->C_CloseAllSessions(slot));
    lock_user(slot);
    assert_ok(init_pin_as_so(slot, SO_PIN, "a new pin"));
    session = open_rw_session(slot);
    assert_ok(login_as(session, CKU_USER, "a new pin"));
    assert_int_equal(find_class(session, CKO_DATA, objects), 1);
    assert_int_equal(get_bytes(session, objects[0], CKA_VALUE, value), 6);
    assert_memory_equal(value, "secret", 6);
}

static void wrong_old_pins_count_when_a_pin_is_changed(void **state)
{
    CK_SLOT_ID slot = locking_token();
    CK_SESSION_HANDLE session = open_rw_session(slot);

    (void)state;
    assert_rv(set_pin(session, WRONG, "another"), CKR_PIN_INCORRECT);
    user_is(SOME_WRONG);
    assert_rv(set_pin(session, WRONG, "another"), CKR_PIN_INCORRECT);
    user_is(LAST_TRY);
    assert_ok(set_pin(session, USER_PIN, "another"));
    user_is(NONE_WRONG);
    for (unsigned i = 0; i < 3; i++)
        assert_rv(set_pin(session, WRONG, "another"), CKR_PIN_INCORRECT, CKR_PIN_LOCKED);
    user_is(LOCKED);
    assert_rv(set_pin(session, "another", "third"), CKR_PIN_LOCKED);
}

static void wrong_pins_count_when_a_token_is_initialised_again(void **state)
{
    CK_SLOT_ID slot = locking_token();

    (void)state;
    assert_rv(init_token(slot, WRONG), CKR_PIN_INCORRECT);
    so_is(SOME_WRONG);
    assert_rv(init_token(slot, WRONG), CKR_PIN_INCORRECT);
    so_is(LAST_TRY);
    assert_rv(init_token(slot, WRONG), CKR_PIN_INCORRECT, CKR_PIN_LOCKED);
    so_is(LOCKED);
    assert_rv(init_token(slot, SO_PIN), CKR_PIN_LOCKED);
    assert_ok(login_as(open_rw_session(slot), CKU_USER, USER_PIN));
}

static void initialising_again_begins_with_no_wrong_pin(void **state)
{
    CK_SLOT_ID slot = locking_token();

    (void)state;
    lock_user(slot);
    assert_rv(init_token(slot, WRONG), CKR_PIN_INCORRECT);
    assert_ok(init_token(slot, SO_PIN));
    so_is(NONE_WRONG);
    user_is(NONE_WRONG);
    assert_ok(init_pin_as_so(slot, SO_PIN, USER_PIN));
    assert_ok(login_as(open_rw_session(slot), CKU_USER, USER_PIN));
}

static void a_new_start_forgets_no_wrong_pin(void **state)
{
    CK_SLOT_ID slot = locking_token();

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        assert_rv(login_as(open_rw_session(slot), CKU_USER, WRONG), CKR_PIN_INCORRECT,
                  CKR_PIN_LOCKED);
        new_start();
        assert_ok(find_label(FRESH_LABEL, &slot));
    }
    user_is(LOCKED);
    assert_rv(login_as(open_rw_session(slot), CKU_USER, USER_PIN), CKR_PIN_LOCKED);
}

static void guessing_in_another_process(void)
{
    CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
    CK_SLOT_ID slot = 0;

    child_rv(initialise(), CKR_OK);
    child_rv(find_label(FRESH_LABEL, &slot), CKR_OK);
    child_rv(p11->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &session), CKR_OK);
    child_rv(login_as(session, CKU_USER, WRONG), CKR_PIN_INCORRECT);
    child_rv(login_as(session, CKU_USER, WRONG), CKR_PIN_INCORRECT);
    child_rv(p11->C_Finalize(NULL), CKR_OK);
}

static void wrong_pins_of_another_process_are_shown_here(void **state)
{
    CK_SLOT_ID slot = locking_token();

    (void)state;
    in_another_process(guessing_in_another_process);
    assert_ok(find_label(FRESH_LABEL, &slot));
    user_is(LAST_TRY);
    assert_rv(login_as(open_rw_session(slot), CKU_USER, WRONG), CKR_PIN_INCORRECT, CKR_PIN_LOCKED);
    user_is(LOCKED);
}

static void wrong_pins_elsewhere_are_shown_to_an_open_session(void **state)
{
    CK_SLOT_ID slot = locking_token();
    CK_SESSION_HANDLE session = open_rw_session(slot);

    (void)state;
    if (setting("PKCS11_EXCLUSIVE"))
        skip_because("the TPM serves one process at a time");
    run_child(guessing_in_another_process);
    user_is(LAST_TRY);
    assert_ok(login_as(session, CKU_USER, USER_PIN));
    user_is(NONE_WRONG);
}

static void ten_wrong_pins_lock_where_nothing_else_is_said(void **state)
{
    CK_SLOT_ID slot;
    CK_SESSION_HANDLE session;

    (void)state;
    signet_only("ten tries");
    slot = fresh_token(NULL);
    session = open_rw_session(slot);
    for (unsigned i = 0; i < 9; i++)
        assert_rv(login_as(session, CKU_USER, WRONG), CKR_PIN_INCORRECT);
    user_is(LAST_TRY);
    assert_rv(login_as(session, CKU_USER, WRONG), CKR_PIN_INCORRECT, CKR_PIN_LOCKED);
    user_is(LOCKED);
    for (unsigned i = 0; i < 9; i++)
        assert_rv(login_as(session, CKU_SO, WRONG), CKR_PIN_INCORRECT);
    so_is(LAST_TRY);
    assert_ok(login_as(session, CKU_SO, SO_PIN));
    so_is(NONE_WRONG);
}

static void a_token_without_pin_needs_no_login(void **state)
{
    CK_SLOT_ID slot = initialised_token("pin = none");
    CK_SESSION_HANDLE session = open_rw_session(slot);
    CK_OBJECT_HANDLE object = POISON_ULONG;

    (void)state;
    assert_false(flag_of_token(slot, CKF_LOGIN_REQUIRED));
    assert_ok(p11->C_CreateObject(session,
                                  LIST(NUMBER(CKA_CLASS, CKO_DATA), FLAG(CKA_TOKEN, true),
                                       FLAG(CKA_PRIVATE, true), TEXT(CKA_LABEL, "no pin")),
                                  &object));
    new_start();
    assert_ok(find_label(FRESH_LABEL, &slot));
    session = open_session(slot);
    assert_int_equal(find_all(session, LIST(TEXT(CKA_LABEL, "no pin")), &object), 1);
    assert_true(get_bool(session, object, CKA_PRIVATE));
}

#define test(function) cmocka_unit_test_teardown(function, close_everything)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(each_wrong_pin_of_the_user_is_shown),
        test(each_wrong_pin_of_the_so_is_shown),
        test(a_right_pin_clears_the_count),
        test(the_so_unlocks_the_user),
        test(the_so_unlocks_with_the_same_pin),
        test(private_objects_survive_the_lock),
        test(wrong_old_pins_count_when_a_pin_is_changed),
        test(wrong_pins_count_when_a_token_is_initialised_again),
        test(initialising_again_begins_with_no_wrong_pin),
        test(a_new_start_forgets_no_wrong_pin),
        test(wrong_pins_of_another_process_are_shown_here),
        test(wrong_pins_elsewhere_are_shown_to_an_open_session),
        test(ten_wrong_pins_lock_where_nothing_else_is_said),
        test(a_token_without_pin_needs_no_login),
    };

    return cmocka_run_group_tests(tests, initialised_setup, initialised_teardown);
}
