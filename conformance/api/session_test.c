/* PKCS#11 2.40 section 5.6: sessions and their states, without a PIN. */
#include "conformance/api/client.h"

#define MANY_SESSIONS 100

static CK_SLOT_ID any_slot_or_skip(void)
{
    CK_SLOT_ID slots[MAX_SLOTS];

    if (all_slots(slots) == 0)
        skip_because("there is no token");
    return slots[0];
}

static void a_session_that_is_not_serial_is_refused(void **state)
{
    CK_SLOT_ID slot = any_slot_or_skip();
    CK_SESSION_HANDLE session = POISON_ULONG;

    (void)state;
    assert_rv(p11->C_OpenSession(slot, 0, NULL, NULL, &session),
              CKR_SESSION_PARALLEL_NOT_SUPPORTED);
    assert_rv(p11->C_OpenSession(slot, CKF_RW_SESSION, NULL, NULL, &session),
              CKR_SESSION_PARALLEL_NOT_SUPPORTED);
    assert_true(session == POISON_ULONG || session == CK_INVALID_HANDLE);
}

static void a_session_needs_somewhere_to_put_its_handle(void **state)
{
    (void)state;
    assert_rv(p11->C_OpenSession(any_slot_or_skip(), CKF_SERIAL_SESSION, NULL, NULL, NULL),
              CKR_ARGUMENTS_BAD);
}

/* OpenSSH opens every session for reading and writing. */
static void a_write_protected_token_opens_a_read_write_session(void **state)
{
    CK_SLOT_ID slot = slot_or_skip("PKCS11_TOKEN_EC");
    CK_SESSION_HANDLE session = open_rw_session(slot);

    (void)state;
    if (!write_protected(slot))
        skip_because("the token is not write-protected");
    assert_int_equal(session_state(session), CKS_RW_PUBLIC_SESSION);
}

static CK_RV notify(CK_SESSION_HANDLE session, CK_NOTIFICATION event, void *application)
{
    (void)session;
    (void)event;
    (void)application;
    return CKR_OK;
}

/* Firefox gives both. */
static void a_callback_and_its_argument_are_accepted(void **state)
{
    CK_SESSION_HANDLE session = CK_INVALID_HANDLE;

    (void)state;
    assert_ok(
        p11->C_OpenSession(any_slot_or_skip(), CKF_SERIAL_SESSION, &session, notify, &session));
    assert_ok(p11->C_CloseSession(session));
}

static void session_information_names_slot_flags_and_state(void **state)
{
    CK_SLOT_ID slot = any_slot_or_skip();
    CK_SESSION_HANDLE read_only = open_session(slot), read_write = open_rw_session(slot);
    CK_SESSION_INFO info;

    (void)state;
    memset(&info, POISON_BYTE, sizeof(info));
    assert_ok(p11->C_GetSessionInfo(read_only, &info));
    assert_int_equal(info.slotID, slot);
    assert_int_equal(info.flags, CKF_SERIAL_SESSION);
    assert_int_equal(info.state, CKS_RO_PUBLIC_SESSION);
    assert_int_equal(info.ulDeviceError, 0);
    assert_ok(p11->C_GetSessionInfo(read_write, &info));
    assert_int_equal(info.flags, CKF_SERIAL_SESSION | CKF_RW_SESSION);
    assert_int_equal(info.state, CKS_RW_PUBLIC_SESSION);
    assert_rv(p11->C_GetSessionInfo(read_only, NULL), CKR_ARGUMENTS_BAD);
}

static void a_hundred_sessions_have_a_hundred_handles(void **state)
{
    CK_SLOT_ID slot = any_slot_or_skip();
    CK_SESSION_HANDLE sessions[MANY_SESSIONS];

    (void)state;
    for (size_t i = 0; i < MANY_SESSIONS; i++) {
        sessions[i] = i % 2 ? open_session(slot) : open_rw_session(slot);
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(sessions[j], sessions[i]);
    }
    for (size_t i = 0; i < MANY_SESSIONS; i++)
        assert_ok(p11->C_CloseSession(sessions[i]));
}

static void closing_one_session_keeps_the_others(void **state)
{
    CK_SLOT_ID slot = any_slot_or_skip();
    CK_SESSION_HANDLE first = open_session(slot), second = open_session(slot);
    CK_SESSION_HANDLE third = open_session(slot);

    (void)state;
    assert_ok(p11->C_CloseSession(second));
    session_state(first);
    session_state(third);
}

static void a_closed_session_is_gone(void **state)
{
    CK_SESSION_HANDLE session = open_session(any_slot_or_skip());
    CK_SESSION_INFO info;

    (void)state;
    memset(&info, POISON_BYTE, sizeof(info));
    assert_ok(p11->C_CloseSession(session));
    assert_rv(p11->C_CloseSession(session), CKR_SESSION_HANDLE_INVALID, CKR_SESSION_CLOSED);
    assert_rv(p11->C_GetSessionInfo(session, &info), CKR_SESSION_HANDLE_INVALID,
              CKR_SESSION_CLOSED);
    assert_true(untouched(&info, sizeof(info)));
}

static void a_closed_handle_is_not_given_out_again_at_once(void **state)
{
    CK_SLOT_ID slot = any_slot_or_skip();
    CK_SESSION_HANDLE old = open_session(slot);

    (void)state;
    signet_only("a stale handle does not hit a newer session");
    assert_ok(p11->C_CloseSession(old));
    for (size_t i = 0; i < MANY_SESSIONS; i++)
        assert_int_not_equal(open_session(slot), old);
}

static void handles_that_never_were_are_invalid(void **state)
{
    CK_SESSION_HANDLE live = open_session(any_slot_or_skip());
    CK_SESSION_HANDLE handles[] = {0, ~0UL, live + 1, live ^ (1UL << 31), live | (1UL << 40)};
    CK_SESSION_INFO info;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(handles); i++) {
        expect_rv(p11->C_GetSessionInfo(handles[i], &info), CKR_SESSION_HANDLE_INVALID);
        expect_rv(p11->C_CloseSession(handles[i]), CKR_SESSION_HANDLE_INVALID);
    }
    session_state(live);
    expectations_met();
}

static void closing_all_sessions_is_for_one_token(void **state)
{
    CK_SLOT_ID slots[MAX_SLOTS];
    CK_SESSION_HANDLE first, second, other;
    CK_SESSION_INFO info;

    (void)state;
    if (all_slots(slots) < 2)
        skip_because("there are not two tokens");
    first = open_session(slots[0]);
    second = open_rw_session(slots[0]);
    other = open_session(slots[1]);
    assert_ok(p11->C_CloseAllSessions(slots[0]));
    assert_rv(p11->C_GetSessionInfo(first, &info), CKR_SESSION_HANDLE_INVALID, CKR_SESSION_CLOSED);
    assert_rv(p11->C_GetSessionInfo(second, &info), CKR_SESSION_HANDLE_INVALID, CKR_SESSION_CLOSED);
    session_state(other);
    assert_ok(p11->C_CloseAllSessions(slots[0]));
}

/* A session ends with its operations: the next one starts with none. */
static void a_new_session_has_no_operation(void **state)
{
    CK_SLOT_ID slot = any_slot_or_skip();
    CK_SESSION_HANDLE session = open_session(slot);
    CK_OBJECT_HANDLE object = POISON_ULONG;
    CK_ULONG count = POISON_ULONG;

    (void)state;
    assert_ok(p11->C_FindObjectsInit(session, NULL, 0));
    assert_ok(p11->C_CloseSession(session));
    session = open_session(slot);
    assert_rv(p11->C_FindObjects(session, &object, 1, &count), CKR_OPERATION_NOT_INITIALIZED);
    assert_int_equal(object, POISON_ULONG);
}

static void operations_of_two_sessions_do_not_meet(void **state)
{
    CK_SLOT_ID slot = any_slot_or_skip();
    CK_SESSION_HANDLE first = open_session(slot), second = open_session(slot);
    CK_OBJECT_HANDLE object;
    CK_ULONG count;

    (void)state;
    assert_ok(p11->C_FindObjectsInit(first, NULL, 0));
    assert_rv(p11->C_FindObjects(second, &object, 1, &count), CKR_OPERATION_NOT_INITIALIZED);
    assert_ok(p11->C_FindObjectsInit(second, NULL, 0));
    assert_ok(p11->C_FindObjectsFinal(first));
    assert_ok(p11->C_FindObjects(second, &object, 1, &count));
    assert_ok(p11->C_FindObjectsFinal(second));
}

#define test(function) cmocka_unit_test_teardown(function, close_everything)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_session_that_is_not_serial_is_refused),
        test(a_session_needs_somewhere_to_put_its_handle),
        test(a_write_protected_token_opens_a_read_write_session),
        test(a_callback_and_its_argument_are_accepted),
        test(session_information_names_slot_flags_and_state),
        test(a_hundred_sessions_have_a_hundred_handles),
        test(closing_one_session_keeps_the_others),
        test(a_closed_session_is_gone),
        test(a_closed_handle_is_not_given_out_again_at_once),
        test(handles_that_never_were_are_invalid),
        test(closing_all_sessions_is_for_one_token),
        test(a_new_session_has_no_operation),
        test(operations_of_two_sessions_do_not_meet),
    };

    return cmocka_run_group_tests(tests, initialised_setup, initialised_teardown);
}
