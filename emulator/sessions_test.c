#include "emulator/test_support.h"

#include "emulator/chain.h"
#include "emulator/instance.h"

#define MANY 10

static uint32_t policy_code(TSS2_TCTI_CONTEXT *context, uint32_t session, uint32_t code)
{
    struct message m, response;

    begin(&m, TPM2_ST_NO_SESSIONS, TPM2_CC_PolicyCommandCode);
    add_u32(&m, session);
    add_u32(&m, code);
    return run(context, &m, &response);
}

static uint32_t policy_digest(TSS2_TCTI_CONTEXT *context, uint32_t session, uint8_t ret[32])
{
    struct message m, response;
    uint32_t rc;

    begin(&m, TPM2_ST_NO_SESSIONS, TPM2_CC_PolicyGetDigest);
    add_u32(&m, session);
    rc = run(context, &m, &response);
    if (rc == TPM2_RC_SUCCESS)
        memcpy(ret, response.bytes + HEADER_SIZE + 2, 32);
    return rc;
}

/* A TCTI context has its chain after the public part: tcti.c. */
static struct instance *instance_of(TSS2_TCTI_CONTEXT *context)
{
    const struct chain *chain =
        (const void *)((char *)context + sizeof(TSS2_TCTI_CONTEXT_COMMON_V2));

    return chain->connection->instance;
}

static const uint32_t codes[MANY] = {
    TPM2_CC_Sign, TPM2_CC_Unseal,    TPM2_CC_Create, TPM2_CC_Load, TPM2_CC_Quote,
    TPM2_CC_HMAC, TPM2_CC_GetRandom, TPM2_CC_Import, TPM2_CC_Hash, TPM2_CC_Rewrap};

static void start_policies(TSS2_TCTI_CONTEXT *context, uint32_t *sessions, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(start_session(context, TPM2_SE_POLICY, &sessions[i], NULL),
                         TPM2_RC_SUCCESS);
        assert_int_equal(policy_code(context, sessions[i], codes[i]), TPM2_RC_SUCCESS);
    }
}

static void check_policies(TSS2_TCTI_CONTEXT *context, const uint32_t *sessions, size_t count)
{
    uint8_t digests[MANY][32];

    for (size_t i = 0; i < count; i++) {
        assert_int_equal(policy_digest(context, sessions[i], digests[i]), TPM2_RC_SUCCESS);
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(digests[i], digests[j], 32);
    }
}

static void a_connection_has_more_sessions_than_the_tpm_has_room_for(void **state)
{
    TSS2_TCTI_CONTEXT *context = test_open(*state);
    uint32_t sessions[MANY];

    start_policies(context, sessions, MANY);
    check_policies(context, sessions, MANY);
    check_policies(context, sessions, MANY);
    test_close(context);
}

/* In the capabilities, sessions that are saved to make room count as loaded. */
static void sessions_that_made_room_are_shown_as_loaded(void **state)
{
    TSS2_TCTI_CONTEXT *context = test_open(*state);
    uint32_t sessions[MANY], first = 0;

    start_policies(context, sessions, MANY);
    assert_int_equal(count_handles(context, LOADED_SESSION_FIRST, &first), MANY);
    assert_int_equal(first, sessions[0]);
    assert_int_equal(count_handles(context, 0x03000000, NULL), 0);
    assert_int_equal(count_handles(context, LOADED_SESSION_FIRST + 4, &first), MANY - 4);
    assert_int_equal(first, sessions[4]);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(flush(context, sessions[i]), TPM2_RC_SUCCESS);
    assert_int_equal(count_handles(context, LOADED_SESSION_FIRST, NULL), 0);
    test_close(context);
}

static void an_hmac_session_that_made_room_goes_on_where_it_was(void **state)
{
    TSS2_TCTI_CONTEXT *context = test_open(*state);
    uint32_t key = 0, hmac = 0, sessions[4];

    assert_int_equal(create_key(context, "", 1, KEY_PLAIN, &key), TPM2_RC_SUCCESS);
    assert_int_equal(start_session(context, TPM2_SE_HMAC, &hmac, NULL), TPM2_RC_SUCCESS);
    start_policies(context, sessions, 4);
    /* Without salt, bind and authorisation value the HMAC may be empty. */
    assert_int_equal(sign_in_session(context, key, hmac, 1, ""), TPM2_RC_SUCCESS);
    check_policies(context, sessions, 4);
    test_close(context);
}

struct peer {
    const char *directory;
    int ready[2], go[2];
};

static void open_pipes(struct peer *peer)
{
    assert_int_equal(pipe(peer->ready), 0);
    assert_int_equal(pipe(peer->go), 0);
}

static int keep_three_sessions(void *argument)
{
    struct peer *peer = argument;
    TSS2_TCTI_CONTEXT *context = test_open(peer->directory);
    uint32_t sessions[3];
    uint8_t before[3][32], after[32];
    char byte = 0;

    (void)alarm(30);
    for (int i = 0; i < 3; i++) {
        CHILD_CHECK(start_session(context, TPM2_SE_POLICY, &sessions[i], NULL) == TPM2_RC_SUCCESS);
        CHILD_CHECK(policy_code(context, sessions[i], codes[i]) == TPM2_RC_SUCCESS);
        CHILD_CHECK(policy_digest(context, sessions[i], before[i]) == TPM2_RC_SUCCESS);
    }
    CHILD_CHECK(write(peer->ready[1], sessions, sizeof(sessions)) == sizeof(sessions));
    CHILD_CHECK(read(peer->go[0], &byte, 1) == 1);
    for (int i = 0; i < 3; i++) {
        CHILD_CHECK(policy_digest(context, sessions[i], after) == TPM2_RC_SUCCESS);
        CHILD_CHECK(memcmp(before[i], after, 32) == 0);
    }
    test_close(context);
    return 0;
}

static void sessions_of_other_processes_make_room_and_come_back(void **state)
{
    struct peer peer = {.directory = *state};
    TSS2_TCTI_CONTEXT *context;
    uint32_t theirs[3], ours[MANY];
    pid_t child;

    open_pipes(&peer);
    child = start_child(keep_three_sessions, &peer);
    (void)close(peer.ready[1]);
    assert_int_equal(read(peer.ready[0], theirs, sizeof(theirs)), sizeof(theirs));
    context = test_open(*state);
    start_policies(context, ours, MANY);
    assert_int_equal(write(peer.go[1], "", 1), 1);
    assert_int_equal(wait_child(child), 0);
    check_policies(context, ours, MANY);
    assert_int_equal(count_handles(context, LOADED_SESSION_FIRST, NULL), MANY);
    test_close(context);
}

static void anothers_session_is_not_there(void **state)
{
    TSS2_TCTI_CONTEXT *left = test_open(*state), *right = test_open(*state);
    struct message saved;
    uint32_t session = 0, key = 0;
    uint8_t digest[32];

    assert_int_equal(create_key(right, "", 1, KEY_PLAIN, &key), TPM2_RC_SUCCESS);
    assert_int_equal(start_session(left, TPM2_SE_POLICY, &session, NULL), TPM2_RC_SUCCESS);
    assert_int_equal(policy_digest(right, session, digest), TPM2_RC_REFERENCE_H0);
    assert_int_equal(sign_in_session(right, key, session, 1, ""), TPM2_RC_REFERENCE_S0);
    assert_int_equal(flush(right, session), TPM2_RC_HANDLE | TPM2_RC_P | TPM2_RC_1);
    assert_int_equal(save_context(right, session, &saved), TPM2_RC_REFERENCE_H0);
    assert_int_equal(policy_digest(left, session, digest), TPM2_RC_SUCCESS);
    /* Saved, it belongs to whoever loads it. */
    assert_int_equal(save_context(left, session, &saved), TPM2_RC_SUCCESS);
    assert_int_equal(load_context(right, &saved, &session), TPM2_RC_SUCCESS);
    assert_int_equal(policy_digest(right, session, digest), TPM2_RC_SUCCESS);
    assert_int_equal(policy_digest(left, session, digest), TPM2_RC_REFERENCE_H0);
    test_close(right);
    test_close(left);
}

static uint32_t random_in_session(TSS2_TCTI_CONTEXT *context, uint32_t session, uint8_t attributes)
{
    struct message m, response;

    begin(&m, TPM2_ST_SESSIONS, TPM2_CC_GetRandom);
    add_auth(&m, session, attributes, "");
    add_u16(&m, 8);
    return run(context, &m, &response);
}

static void a_session_that_was_not_to_continue_leaves_the_table(void **state)
{
    TSS2_TCTI_CONTEXT *left = test_open(*state), *right = test_open(*state);
    uint32_t session = 0, other = 0;
    uint8_t digest[32];

    assert_int_equal(start_session(left, TPM2_SE_HMAC, &session, NULL), TPM2_RC_SUCCESS);
    assert_int_equal(
        random_in_session(left, session, TPMA_SESSION_AUDIT | TPMA_SESSION_CONTINUESESSION),
        TPM2_RC_SUCCESS);
    assert_int_equal(count_handles(left, LOADED_SESSION_FIRST, NULL), 1);
    assert_int_equal(instance_of(left)->sessions[0].handle, session);
    assert_int_equal(random_in_session(left, session, TPMA_SESSION_AUDIT), TPM2_RC_SUCCESS);
    assert_int_equal(instance_of(left)->sessions[0].handle, 0);
    /* Its number is the next one's, which is not taken for the left one's. */
    assert_int_equal(start_session(right, TPM2_SE_POLICY, &other, NULL), TPM2_RC_SUCCESS);
    assert_int_equal(other & 0xffffff, session & 0xffffff);
    assert_int_equal(count_handles(left, LOADED_SESSION_FIRST, NULL), 0);
    test_close(left);
    assert_int_equal(policy_digest(right, other, digest), TPM2_RC_SUCCESS);
    test_close(right);
}

static int use_inherited(void *argument)
{
    TSS2_TCTI_CONTEXT *context = ((void **)argument)[0];
    uint32_t session = *(uint32_t *)((void **)argument)[1];
    uint8_t digest[32];

    CHILD_CHECK(policy_digest(context, session, digest) == TPM2_RC_SUCCESS);
    test_close(context);
    return 0;
}

static void a_forked_child_goes_on_with_its_parents_session(void **state)
{
    TSS2_TCTI_CONTEXT *context = test_open(*state);
    uint32_t session = 0;
    void *inherited[] = {context, &session};
    uint8_t digest[32];

    assert_int_equal(start_session(context, TPM2_SE_POLICY, &session, NULL), TPM2_RC_SUCCESS);
    assert_int_equal(run_child(use_inherited, inherited), 0);
    assert_int_equal(policy_digest(context, session, digest), TPM2_RC_SUCCESS);
    test_close(context);
}

struct daemon {
    const char *directory;
    int go[2], done[2];
};

/* Starts a session, leaves its child behind with it, and ends. */
static int become_daemon(void *argument)
{
    struct daemon *daemon = argument;
    TSS2_TCTI_CONTEXT *context = test_open(daemon->directory);
    uint32_t session = 0, rc;
    uint8_t digest[32], go;

    CHILD_CHECK(start_session(context, TPM2_SE_POLICY, &session, NULL) == TPM2_RC_SUCCESS);
    if (fork() != 0)
        return 0;
    (void)close(daemon->go[1]);
    while (read(daemon->go[0], &go, 1) == 1) {
        rc = policy_digest(context, session, digest);
        CHILD_CHECK(write(daemon->done[1], &rc, sizeof(rc)) == sizeof(rc));
    }
    test_close(context);
    return 0;
}

static uint32_t use_of_daemon(const struct daemon *daemon)
{
    uint32_t rc = 0;

    assert_int_equal(write(daemon->go[1], "", 1), 1);
    assert_int_equal(read(daemon->done[0], &rc, sizeof(rc)), sizeof(rc));
    return rc;
}

static void the_sessions_of_a_daemon_are_not_those_of_a_dead_process(void **state)
{
    struct daemon daemon = {.directory = *state};
    TSS2_TCTI_CONTEXT *context = test_open(*state);
    uint32_t sessions[MANY];

    assert_int_equal(pipe(daemon.go), 0);
    assert_int_equal(pipe(daemon.done), 0);
    assert_int_equal(run_child(become_daemon, &daemon), 0);
    (void)close(daemon.done[1]);
    assert_int_equal(use_of_daemon(&daemon), TPM2_RC_SUCCESS);
    start_policies(context, sessions, 5);
    assert_int_equal(use_of_daemon(&daemon), TPM2_RC_SUCCESS);
    (void)close(daemon.go[1]);
    (void)close(daemon.go[0]);
    (void)close(daemon.done[0]);
    test_close(context);
}

static void no_connection_takes_more_than_the_tpm_can_number(void **state)
{
    TSS2_TCTI_CONTEXT *context = test_open(*state);
    uint32_t session = 0;

    for (int i = 0; i < SESSIONS_MAX; i++)
        assert_int_equal(start_session(context, TPM2_SE_POLICY, &session, NULL), TPM2_RC_SUCCESS);
    assert_int_equal(start_session(context, TPM2_SE_POLICY, &session, NULL),
                     TPM2_RC_SESSION_HANDLES);
    assert_int_equal(count_handles(context, LOADED_SESSION_FIRST, NULL), SESSIONS_MAX);
    test_close(context);
    context = test_open(*state);
    assert_int_equal(start_session(context, TPM2_SE_POLICY, &session, NULL), TPM2_RC_SUCCESS);
    test_close(context);
}

/* A TPM saves no session any more when the oldest saved one is too many saves
 * behind. Here as if it could count to 20 only. */
static void a_session_that_made_room_long_ago_is_not_left_behind(void **state)
{
    TSS2_TCTI_CONTEXT *context = test_open(*state);
    const struct chain *chain =
        (const void *)((char *)context + sizeof(TSS2_TCTI_CONTEXT_COMMON_V2));
    struct instance *instance = chain->connection->instance;
    uint32_t first, last;
    uint32_t sessions[4];
    uint8_t digest[32];

    start_policies(context, sessions, 4);
    instance->context_gap = 20;
    assert_int_equal(instance->sessions[0].handle, sessions[0]);
    assert_non_null(instance->sessions[0].context.data);
    first = get_u32(instance->sessions[0].context.data + 4);
    for (int i = 0; i < 60; i++)
        assert_int_equal(policy_digest(context, sessions[1 + i % 3], digest), TPM2_RC_SUCCESS);
    /* Three are in use, so nothing was saved, and nothing had to be renewed. */
    assert_int_equal(get_u32(instance->sessions[0].context.data + 4), first);
    for (int i = 0; i < 60; i++) {
        struct message saved;

        assert_int_equal(save_context(context, sessions[3], &saved), TPM2_RC_SUCCESS);
        assert_int_equal(load_context(context, &saved, &sessions[3]), TPM2_RC_SUCCESS);
        last = get_u32(saved.bytes + 4);
        assert_in_range(get_u32(instance->sessions[0].context.data + 4) + 20, last, last + 60);
    }
    assert_true(get_u32(instance->sessions[0].context.data + 4) >= first + 40);
    assert_int_equal(policy_digest(context, sessions[0], digest), TPM2_RC_SUCCESS);
    test_close(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_connection_has_more_sessions_than_the_tpm_has_room_for),
        TEST(sessions_that_made_room_are_shown_as_loaded),
        TEST(an_hmac_session_that_made_room_goes_on_where_it_was),
        TEST(sessions_of_other_processes_make_room_and_come_back),
        TEST(anothers_session_is_not_there),
        TEST(a_session_that_was_not_to_continue_leaves_the_table),
        TEST(a_forked_child_goes_on_with_its_parents_session),
        TEST(the_sessions_of_a_daemon_are_not_those_of_a_dead_process),
        TEST(no_connection_takes_more_than_the_tpm_can_number),
        TEST(a_session_that_made_room_long_ago_is_not_left_behind),
    };

    return cmocka_run_group_tests_name("emulator: sessions", tests, NULL, NULL);
}
