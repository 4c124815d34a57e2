#include "token/session/operation_test_support.h"
#include "token/session/state.h"

/* Digests that are saved, and taken up again in this session or another. */

static uint8_t expected[32];

static int begin_group(void **state)
{
    CK_ULONG size = 32;
    if (open_work(state) != 0)
        return -1;
    assert_ok(begin_plain(OPERATION_DIGEST, CKM_SHA256, 0));
    assert_ok(
        operation_once(work.session, OPERATION_DIGEST, view_string("abcdef"), expected, &size));
    return 0;
}

static void save(struct session *session, uint8_t state[64], CK_ULONG *ret_size)
{
    CK_ULONG size = 0;
    assert_ok(state_save(session, NULL, &size));
    assert_true(size > 0 && size <= 64);
    *ret_size = size--;
    assert_rv(state_save(session, state, &size), CKR_BUFFER_TOO_SMALL);
    assert_int_equal(size, *ret_size);
    assert_ok(state_save(session, state, &size));
    assert_int_equal(size, *ret_size);
}

static void assert_finishes(struct session *session, const char *rest)
{
    uint8_t out[32];
    CK_ULONG size = sizeof(out);
    assert_ok(operation_update(session, OPERATION_DIGEST, view_string(rest)));
    assert_ok(operation_finish(session, OPERATION_DIGEST, out, &size));
    assert_memory_equal(out, expected, 32);
}

static void a_digest_goes_on_where_it_was_saved(UNUSED void **unused)
{
    uint8_t state[64];
    CK_ULONG size = 0;
    CK_SESSION_HANDLE handle = 0;
    assert_ok(module_open_session(work.module, work.token, false, &handle));
    struct session *other = module_session(work.module, handle);
    assert_ok(begin_plain(OPERATION_DIGEST, CKM_SHA256, 0));
    assert_ok(operation_update(work.session, OPERATION_DIGEST, view_string("abc")));
    save(work.session, state, &size);
    assert_finishes(work.session, "def");
    /* As often as wanted, also in place of what runs. */
    for (int i = 0; i < 2; i++) {
        assert_ok(state_restore(other, view_of(state, size)));
        assert_ok(operation_update(other, OPERATION_DIGEST, view_string("something")));
        assert_ok(state_restore(other, view_of(state, size)));
        assert_finishes(other, "def");
    }
    module_remove_session(work.module, other);
    session_free(other);
    /* It is the session's whole state. */
    assert_ok(begin_with_iv(OPERATION_ENCRYPT, CKM_AES_CBC, make_secret(CKK_AES)));
    assert_ok(state_restore(work.session, view_of(state, size)));
    assert_false(operation_is_active(work.session, OPERATION_ENCRYPT));
    assert_finishes(work.session, "def");
}

/* What was fed in pieces stays so. */
static void a_state_knows_whether_it_was_fed(UNUSED void **unused)
{
    uint8_t state[64], out[32];
    CK_ULONG size = 0, room = sizeof(out);
    assert_ok(begin_plain(OPERATION_DIGEST, CKM_SHA256, 0));
    save(work.session, state, &size);
    assert_ok(operation_update(work.session, OPERATION_DIGEST, view_string("x")));
    assert_ok(state_restore(work.session, view_of(state, size)));
    assert_ok(operation_once(work.session, OPERATION_DIGEST, view_string("abcdef"), out, &room));
    assert_memory_equal(out, expected, 32);
    assert_ok(begin_plain(OPERATION_DIGEST, CKM_SHA256, 0));
    assert_ok(operation_update(work.session, OPERATION_DIGEST, view_string("x")));
    save(work.session, state, &size);
    assert_ok(state_restore(work.session, view_of(state, size)));
    assert_rv(operation_once(work.session, OPERATION_DIGEST, view_string("x"), out, &room),
              CKR_OPERATION_ACTIVE);
    operation_cancel(work.session, OPERATION_DIGEST);
}

static void only_digests_can_be_saved(UNUSED void **unused)
{
    uint8_t state[64];
    CK_ULONG size = sizeof(state);
    CK_OBJECT_HANDLE aes = make_secret(CKK_AES);
    assert_rv(state_save(work.session, state, &size), CKR_OPERATION_NOT_INITIALIZED);
    assert_rv(state_save(work.session, state, NULL), CKR_ARGUMENTS_BAD);
    assert_ok(begin_with_iv(OPERATION_ENCRYPT, CKM_AES_CBC, aes));
    assert_rv(state_save(work.session, state, &size), CKR_STATE_UNSAVEABLE);
    assert_ok(begin_plain(OPERATION_DIGEST, CKM_SHA256, 0));
    assert_rv(state_save(work.session, NULL, &size), CKR_STATE_UNSAVEABLE);
    operation_cancel(work.session, OPERATION_ENCRYPT);
    assert_ok(state_save(work.session, NULL, &size));
    operation_cancel(work.session, OPERATION_DIGEST);
}

static void the_oldest_state_makes_way(UNUSED void **unused)
{
    uint8_t states[SAVED_STATES_MAX + 1][64];
    CK_ULONG size = 0;
    assert_ok(begin_plain(OPERATION_DIGEST, CKM_SHA256, 0));
    for (int i = 0; i <= SAVED_STATES_MAX; i++)
        save(work.session, states[i], &size);
    operation_cancel(work.session, OPERATION_DIGEST);
    assert_rv(state_restore(work.session, view_of(states[0], size)), CKR_SAVED_STATE_INVALID);
    assert_false(operation_is_active(work.session, OPERATION_DIGEST));
    assert_ok(state_restore(work.session, view_of(states[1], size)));
    assert_ok(state_restore(work.session, view_of(states[SAVED_STATES_MAX], size)));
    assert_rv(state_restore(work.session, view_of(states[1], size - 1)), CKR_SAVED_STATE_INVALID);
    states[1][size - 1] ^= 1;
    assert_rv(state_restore(work.session, view_of(states[1], size)), CKR_SAVED_STATE_INVALID);
    /* What is wrong changes nothing. */
    assert_true(operation_is_active(work.session, OPERATION_DIGEST));
    operation_cancel(work.session, OPERATION_DIGEST);
    saved_states_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_digest_goes_on_where_it_was_saved),
        cmocka_unit_test(a_state_knows_whether_it_was_fed),
        cmocka_unit_test(only_digests_can_be_saved),
        cmocka_unit_test(the_oldest_state_makes_way),
    };
    return cmocka_run_group_tests(tests, begin_group, close_work);
}
