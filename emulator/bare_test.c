#include "emulator/test_support.h"

/* rm=off: one set of handles for all, as without a resource manager. */

static TSS2_TCTI_CONTEXT *open_bare(const char *directory)
{
    return test_open_with(directory, ",rm=off");
}

static void objects_outlast_their_connection(void **state)
{
    TSS2_TCTI_CONTEXT *bare = open_bare(*state);
    uint32_t key = 0;

    assert_int_equal(create_key(bare, "pw", 1, KEY_PLAIN, &key), TPM2_RC_SUCCESS);
    assert_int_equal(key, TRANSIENT_FIRST);
    test_close(bare);
    bare = open_bare(*state);
    assert_int_equal(count_handles(bare, TRANSIENT_FIRST, NULL), 1);
    assert_int_equal(sign(bare, key, "pw"), TPM2_RC_SUCCESS);
    assert_int_equal(flush(bare, key), TPM2_RC_SUCCESS);
    assert_int_equal(count_handles(bare, TRANSIENT_FIRST, NULL), 0);
    test_close(bare);
}

static void the_fourth_object_and_session_find_no_room(void **state)
{
    TSS2_TCTI_CONTEXT *bare = open_bare(*state);
    uint32_t handle = 0;

    for (uint8_t i = 0; i < 3; i++) {
        assert_int_equal(create_key(bare, "", i, KEY_PLAIN, &handle), TPM2_RC_SUCCESS);
        assert_int_equal(handle, TRANSIENT_FIRST + i);
        assert_int_equal(start_session(bare, TPM2_SE_POLICY, &handle, NULL), TPM2_RC_SUCCESS);
    }
    assert_int_equal(create_key(bare, "", 3, KEY_PLAIN, &handle), TPM2_RC_OBJECT_MEMORY);
    assert_int_equal(start_session(bare, TPM2_SE_POLICY, &handle, NULL), TPM2_RC_SESSION_MEMORY);
    assert_int_equal(flush(bare, TRANSIENT_FIRST + 1), TPM2_RC_SUCCESS);
    assert_int_equal(create_key(bare, "", 3, KEY_PLAIN, &handle), TPM2_RC_SUCCESS);
    assert_int_equal(handle, TRANSIENT_FIRST + 1);
    test_close(bare);
}

struct step {
    const char *directory;
    uint32_t sequence;
};

static uint32_t update(TSS2_TCTI_CONTEXT *context, uint32_t sequence, const char *data)
{
    struct message m, response;

    begin(&m, TPM2_ST_SESSIONS, TPM2_CC_SequenceUpdate);
    add_u32(&m, sequence);
    add_password(&m, "");
    add_2b(&m, data);
    return run(context, &m, &response);
}

static int update_in_child(void *argument)
{
    const struct step *step = argument;
    TSS2_TCTI_CONTEXT *bare = open_bare(step->directory);

    CHILD_CHECK(update(bare, step->sequence, "b") == TPM2_RC_SUCCESS);
    test_close(bare);
    return 0;
}

static void a_sequence_goes_on_in_another_process(void **state)
{
    static const uint8_t sha256_of_abc[] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea};
    TSS2_TCTI_CONTEXT *bare = open_bare(*state);
    struct step step = {.directory = *state};
    struct message m, response;

    begin(&m, TPM2_ST_NO_SESSIONS, TPM2_CC_HashSequenceStart);
    add_u16(&m, 0);
    add_u16(&m, TPM2_ALG_SHA256);
    assert_int_equal(run(bare, &m, &response), TPM2_RC_SUCCESS);
    step.sequence = get_u32(response.bytes + HEADER_SIZE);
    assert_int_equal(update(bare, step.sequence, "a"), TPM2_RC_SUCCESS);
    assert_int_equal(run_child(update_in_child, &step), 0);
    begin(&m, TPM2_ST_SESSIONS, TPM2_CC_SequenceComplete);
    add_u32(&m, step.sequence);
    add_password(&m, "");
    add_2b(&m, "c");
    add_u32(&m, TPM2_RH_NULL);
    assert_int_equal(run(bare, &m, &response), TPM2_RC_SUCCESS);
    assert_memory_equal(response.bytes + HEADER_SIZE + 6, sha256_of_abc, sizeof(sha256_of_abc));
    assert_int_equal(count_handles(bare, TRANSIENT_FIRST, NULL), 0);
    test_close(bare);
}

/* As with the kernel's /dev/tpm0 beside /dev/tpmrm0. */
static void what_is_left_in_the_bare_tpm_takes_room_from_the_managed(void **state)
{
    TSS2_TCTI_CONTEXT *bare = open_bare(*state), *managed = test_open(*state);
    uint32_t ours[5], handle = 0;

    for (uint8_t i = 0; i < 2; i++)
        assert_int_equal(create_key(bare, "", i, KEY_PLAIN, &handle), TPM2_RC_SUCCESS);
    for (uint8_t i = 0; i < 5; i++)
        assert_int_equal(create_key(managed, "", i, KEY_PLAIN, &ours[i]), TPM2_RC_SUCCESS);
    for (uint8_t i = 0; i < 5; i++)
        assert_int_equal(sign(managed, ours[i], ""), TPM2_RC_SUCCESS);
    assert_int_equal(count_handles(managed, TRANSIENT_FIRST, NULL), 5);
    assert_int_equal(count_handles(bare, TRANSIENT_FIRST, NULL), 2);
    assert_int_equal(create_key(bare, "", 2, KEY_PLAIN, &handle), TPM2_RC_SUCCESS);
    assert_int_equal(sign(managed, ours[0], ""), TPM2_RC_OBJECT_MEMORY);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(flush(bare, TRANSIENT_FIRST + i), TPM2_RC_SUCCESS);
    assert_int_equal(sign(managed, ours[0], ""), TPM2_RC_SUCCESS);
    test_close(managed);
    test_close(bare);
}

static int flush_all_in_child(void *argument)
{
    TSS2_TCTI_CONTEXT *bare = open_bare(argument);

    for (uint32_t i = 0; i < 3; i++)
        CHILD_CHECK(flush(bare, TRANSIENT_FIRST + i) == TPM2_RC_SUCCESS);
    test_close(bare);
    return 0;
}

/* Its own copy of the TPM is still full of what another process has flushed. */
static void a_managed_connection_notices_that_there_is_room_again(void **state)
{
    TSS2_TCTI_CONTEXT *bare = open_bare(*state), *managed = test_open(*state);
    uint32_t handle = 0;

    for (uint8_t i = 0; i < 3; i++)
        assert_int_equal(create_key(bare, "", i, KEY_PLAIN, &handle), TPM2_RC_SUCCESS);
    assert_int_equal(create_key(managed, "", 9, KEY_PLAIN, &handle), TPM2_RC_OBJECT_MEMORY);
    assert_int_equal(run_child(flush_all_in_child, *state), 0);
    assert_int_equal(create_key(managed, "", 9, KEY_PLAIN, &handle), TPM2_RC_SUCCESS);
    assert_int_equal(sign(managed, handle, ""), TPM2_RC_SUCCESS);
    test_close(managed);
    test_close(bare);
}

static void sessions_of_the_managed_make_room_for_the_bare(void **state)
{
    TSS2_TCTI_CONTEXT *bare = open_bare(*state), *managed = test_open(*state);
    uint32_t ours[3], theirs[3], key = 0;

    for (int i = 0; i < 3; i++)
        assert_int_equal(start_session(managed, TPM2_SE_HMAC, &ours[i], NULL), TPM2_RC_SUCCESS);
    for (int i = 0; i < 2; i++)
        assert_int_equal(start_session(bare, TPM2_SE_HMAC, &theirs[i], NULL), TPM2_RC_SUCCESS);
    assert_int_equal(create_key(managed, "", 1, KEY_PLAIN, &key), TPM2_RC_SUCCESS);
    for (int i = 0; i < 3; i++)
        assert_int_equal(sign_in_session(managed, key, ours[i], 1, ""), TPM2_RC_SUCCESS);
    assert_int_equal(start_session(bare, TPM2_SE_HMAC, &theirs[2], NULL), TPM2_RC_SUCCESS);
    /* The bare TPM's are in nobody's hand to save. */
    assert_int_equal(sign_in_session(managed, key, ours[0], 1, ""), TPM2_RC_SESSION_MEMORY);
    assert_int_equal(flush(bare, theirs[0]), TPM2_RC_SUCCESS);
    assert_int_equal(sign_in_session(managed, key, ours[0], 1, ""), TPM2_RC_SUCCESS);
    test_close(managed);
    test_close(bare);
}

static void tools_leave_their_objects_in_the_bare_tpm(void **state)
{
    need_tpm2_tools();
    assert_int_equal(run_script(*state,
                                "export TPM2TOOLS_TCTI=$TPM2TOOLS_TCTI,rm=off\n"
                                "for i in 1 2 3; do tpm2_createprimary -Q -c $i.ctx; done\n"
                                "tpm2_getcap handles-transient | grep -c 0x8000000 | grep -qx 3\n"
                                "if tpm2_createprimary -Q -c 4.ctx 2>err; then exit 1; fi\n"
                                "grep -q 0x902 err\n"
                                "tpm2_flushcontext -t\n"
                                "tpm2_createprimary -Q -c 4.ctx\n"),
                     0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(objects_outlast_their_connection),
        TEST(the_fourth_object_and_session_find_no_room),
        TEST(a_sequence_goes_on_in_another_process),
        TEST(what_is_left_in_the_bare_tpm_takes_room_from_the_managed),
        TEST(a_managed_connection_notices_that_there_is_room_again),
        TEST(sessions_of_the_managed_make_room_for_the_bare),
        TEST(tools_leave_their_objects_in_the_bare_tpm),
    };

    return cmocka_run_group_tests_name("emulator: without resource manager", tests, NULL, NULL);
}
