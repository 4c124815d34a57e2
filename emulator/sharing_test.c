#include "emulator/test_support.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <time.h>

/* --- one TPM for all processes ------------------------------------------- */

#define WRITERS 4
#define INCREMENTS 60

static int increment_often(void *directory)
{
    TSS2_TCTI_CONTEXT *context = NULL;

    CHILD_CHECK(test_try_open(directory, &context) == TSS2_RC_SUCCESS);
    for (int i = 0; i < INCREMENTS; i++)
        CHILD_CHECK(increment(context, COUNTER_INDEX) == TPM2_RC_SUCCESS);
    test_close(context);
    return 0;
}

static void increments_of_many_processes_add_up(void **state)
{
    TSS2_TCTI_CONTEXT *context = test_open(*state);
    pid_t children[WRITERS];
    uint64_t start;

    assert_int_equal(define_counter(context, COUNTER_INDEX), TPM2_RC_SUCCESS);
    assert_int_equal(increment(context, COUNTER_INDEX), TPM2_RC_SUCCESS);
    start = read_counter(context, COUNTER_INDEX);
    for (int i = 0; i < WRITERS; i++)
        children[i] = start_child(increment_often, *state);
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(wait_child(children[i]), 0);
    assert_int_equal(read_counter(context, COUNTER_INDEX) - start, WRITERS * INCREMENTS);
    test_close(context);
}

static int increment_until_killed(void *argument)
{
    struct {
        const char *directory;
        volatile uint64_t *acknowledged;
    } *job = argument;
    TSS2_TCTI_CONTEXT *context = NULL;

    CHILD_CHECK(test_try_open(job->directory, &context) == TSS2_RC_SUCCESS);
    for (;;) {
        CHILD_CHECK(increment(context, COUNTER_INDEX) == TPM2_RC_SUCCESS);
        ++*job->acknowledged;
    }
}

static void a_killed_writer_loses_nothing_that_it_was_told_is_done(void **state)
{
    struct {
        const char *directory;
        volatile uint64_t *acknowledged;
    } job = {*state, NULL};
    TSS2_TCTI_CONTEXT *context = test_open(*state);
    uint64_t before, after;

    job.acknowledged = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(job.acknowledged != MAP_FAILED);
    assert_int_equal(define_counter(context, COUNTER_INDEX), TPM2_RC_SUCCESS);
    assert_int_equal(increment(context, COUNTER_INDEX), TPM2_RC_SUCCESS);
    srandom(2);
    for (int round = 0; round < 60; round++) {
        struct timespec pause = {0, 4000000 + random() % 6000000};
        pid_t child;

        /* Half of the rounds are watched by one who runs, half by one who comes. */
        if (round & 1) {
            test_close(context);
            context = test_open(*state);
        }
        before = read_counter(context, COUNTER_INDEX);
        *job.acknowledged = 0;
        child = start_child(increment_until_killed, &job);
        (void)nanosleep(&pause, NULL);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(wait_child(child), 1000 + SIGKILL);
        if (round & 2) {
            test_close(context);
            context = test_open(*state);
        }
        after = read_counter(context, COUNTER_INDEX);
        assert_in_range(after - before, *job.acknowledged, *job.acknowledged + 1);
    }
    (void)munmap((void *)(uintptr_t)job.acknowledged, 4096);
    test_close(context);
}

static int extend_one(void *directory)
{
    TSS2_TCTI_CONTEXT *context = NULL;

    CHILD_CHECK(test_try_open(directory, &context) == TSS2_RC_SUCCESS);
    CHILD_CHECK(extend_pcr(context, 16) == TPM2_RC_SUCCESS);
    test_close(context);
    return 0;
}

static void what_one_process_extends_another_reads(void **state)
{
    TSS2_TCTI_CONTEXT *context = test_open(*state);
    uint32_t key = 0;
    uint8_t before[32], after[32], again[32];

    assert_int_equal(create_key(context, "", 1, KEY_PLAIN, &key), TPM2_RC_SUCCESS);
    read_pcr(context, 16, before);
    assert_int_equal(run_child(extend_one, *state), 0);
    read_pcr(context, 16, after);
    assert_memory_not_equal(before, after, sizeof(after));
    assert_int_equal(sign(context, key, ""), TPM2_RC_SUCCESS);
    test_close(context);
    context = test_open(*state);
    read_pcr(context, 16, again);
    assert_memory_equal(after, again, sizeof(after));
    test_close(context);
}

/* --- random numbers -------------------------------------------------------- */

struct draws {
    const char *directory;
    uint8_t *next;
};

/* Nothing of this is published: the next process starts where this one did. */
static int draw_random(void *argument)
{
    struct draws *draws = argument;
    TSS2_TCTI_CONTEXT *context = NULL;

    CHILD_CHECK(test_try_open(draws->directory, &context) == TSS2_RC_SUCCESS);
    CHILD_CHECK(get_random(context, 32, draws->next) == TPM2_RC_SUCCESS);
    test_close(context);
    return 0;
}

static int draw_nonce(void *argument)
{
    struct draws *draws = argument;
    TSS2_TCTI_CONTEXT *context = NULL;
    uint32_t session;

    CHILD_CHECK(test_try_open(draws->directory, &context) == TSS2_RC_SUCCESS);
    CHILD_CHECK(start_session(context, TPM2_SE_POLICY, &session, draws->next) == TPM2_RC_SUCCESS);
    test_close(context);
    return 0;
}

static void processes_on_one_state_draw_different_numbers(void **state)
{
    const int count = 12;
    uint8_t *all = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct draws draws = {*state, all};
    uint8_t nothing[32] = {0};

    assert_true(all != MAP_FAILED);
    test_close(test_open(*state));
    for (int i = 0; i < count; i++, draws.next += 32)
        assert_int_equal(run_child(i < count / 2 ? draw_random : draw_nonce, &draws), 0);
    for (int i = 0; i < count; i++) {
        assert_memory_not_equal(all + i * 32, nothing, 32);
        for (int j = 0; j < i; j++)
            assert_memory_not_equal(all + i * 32, all + j * 32, 32);
    }
    (void)munmap(all, 4096);
}

/* --- dictionary attack ------------------------------------------------------ */

static int use_protected_key_and_die(void *directory)
{
    TSS2_TCTI_CONTEXT *context = NULL;
    uint32_t key = 0;

    CHILD_CHECK(test_try_open(directory, &context) == TSS2_RC_SUCCESS);
    CHILD_CHECK(create_key(context, "right", 1, KEY_DA, &key) == TPM2_RC_SUCCESS);
    CHILD_CHECK(sign(context, key, "right") == TPM2_RC_SUCCESS);
    (void)kill(getpid(), SIGKILL);
    return 1;
}

static void unclean_exits_are_no_failed_tries(void **state)
{
    TSS2_TCTI_CONTEXT *context;

    for (int i = 0; i < 5; i++)
        assert_int_equal(run_child(use_protected_key_and_die, *state), 1000 + SIGKILL);
    context = test_open(*state);
    assert_int_equal(get_property(context, TPM2_PT_LOCKOUT_COUNTER), 0);
    test_close(context);
}

static int try_wrong_password(void *directory)
{
    TSS2_TCTI_CONTEXT *context = NULL;
    uint32_t key = 0;

    CHILD_CHECK(test_try_open(directory, &context) == TSS2_RC_SUCCESS);
    CHILD_CHECK(create_key(context, "right", 1, KEY_DA, &key) == TPM2_RC_SUCCESS);
    CHILD_CHECK(sign(context, key, "wrong") == (TPM2_RC_AUTH_FAIL | TPM2_RC_S | TPM2_RC_1));
    (void)kill(getpid(), SIGKILL);
    return 1;
}

static void failed_tries_of_all_processes_are_counted(void **state)
{
    TSS2_TCTI_CONTEXT *context = test_open(*state);

    for (int i = 0; i < 3; i++)
        assert_int_equal(run_child(try_wrong_password, *state), 1000 + SIGKILL);
    assert_int_equal(get_property(context, TPM2_PT_LOCKOUT_COUNTER), 3);
    test_close(context);
}

/* A command on own objects finds out afterwards that it changed shared state,
 * which has moved on meanwhile: it must neither lose the other's change nor its
 * own. */
static void a_failed_try_on_an_older_state_keeps_what_came_between(void **state)
{
    TSS2_TCTI_CONTEXT *context = test_open(*state);
    uint64_t before;
    uint32_t key = 0;

    assert_int_equal(create_key(context, "right", 1, KEY_DA, &key), TPM2_RC_SUCCESS);
    assert_int_equal(define_counter(context, COUNTER_INDEX), TPM2_RC_SUCCESS);
    assert_int_equal(increment(context, COUNTER_INDEX), TPM2_RC_SUCCESS);
    before = read_counter(context, COUNTER_INDEX);
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(run_child(increment_often, *state), 0);
        assert_int_equal(sign(context, key, "wrong"), TPM2_RC_AUTH_FAIL | TPM2_RC_S | TPM2_RC_1);
        assert_int_equal(get_property(context, TPM2_PT_LOCKOUT_COUNTER), i);
    }
    assert_int_equal(read_counter(context, COUNTER_INDEX) - before, 3 * INCREMENTS);
    test_close(context);
}

static int fail_in_session_until_lockout(void *directory)
{
    TSS2_TCTI_CONTEXT *context = NULL;
    uint32_t key = 0, session = 0;

    CHILD_CHECK(test_try_open(directory, &context) == TSS2_RC_SUCCESS);
    CHILD_CHECK(create_key(context, "right", 1, KEY_DA, &key) == TPM2_RC_SUCCESS);
    CHILD_CHECK(start_session(context, TPM2_SE_HMAC, &session, NULL) == TPM2_RC_SUCCESS);
    for (int i = 0; i < 34; i++)
        CHILD_CHECK(sign_in_session(context, key, session, TPMA_SESSION_CONTINUESESSION,
                                    "not the hmac of the command here") != TPM2_RC_SUCCESS);
    test_close(context);
    return 0;
}

/* Which costs them no look at the shared state in general. */
static void a_lockout_reaches_those_that_only_use_their_own_keys(void **state)
{
    TSS2_TCTI_CONTEXT *context = test_open(*state);
    uint32_t key = 0;

    assert_int_equal(create_key(context, "right", 2, KEY_DA, &key), TPM2_RC_SUCCESS);
    assert_int_equal(sign(context, key, "right"), TPM2_RC_SUCCESS);
    assert_int_equal(run_child(fail_in_session_until_lockout, *state), 0);
    assert_int_equal(sign(context, key, "right"), TPM2_RC_LOCKOUT);
    test_close(context);
}

/* --- sessions and contexts ---------------------------------------------------- */

struct passed {
    const char *directory;
    struct message *key;
    struct message *session;
};

static int save_both(void *argument)
{
    struct passed *passed = argument;
    TSS2_TCTI_CONTEXT *context = NULL;
    uint32_t key = 0, session = 0;

    CHILD_CHECK(test_try_open(passed->directory, &context) == TSS2_RC_SUCCESS);
    CHILD_CHECK(create_key(context, "", 1, KEY_PLAIN, &key) == TPM2_RC_SUCCESS);
    CHILD_CHECK(start_session(context, TPM2_SE_HMAC, &session, NULL) == TPM2_RC_SUCCESS);
    CHILD_CHECK(save_context(context, key, passed->key) == TPM2_RC_SUCCESS);
    CHILD_CHECK(save_context(context, session, passed->session) == TPM2_RC_SUCCESS);
    test_close(context);
    return 0;
}

static void contexts_that_one_process_saved_load_in_another(void **state)
{
    struct message *room =
        mmap(NULL, 2 * sizeof(*room), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct passed passed = {*state, room, room + 1};
    TSS2_TCTI_CONTEXT *context;
    uint32_t key = 0, session = 0;

    assert_true(room != MAP_FAILED);
    assert_int_equal(run_child(save_both, &passed), 0);
    context = test_open(*state);
    assert_int_equal(load_context(context, passed.key, &key), TPM2_RC_SUCCESS);
    assert_int_equal(load_context(context, passed.session, &session), TPM2_RC_SUCCESS);
    assert_int_equal(sign_in_session(context, key, session, TPMA_SESSION_CONTINUESESSION, ""),
                     TPM2_RC_SUCCESS);
    test_close(context);
    (void)munmap(room, 2 * sizeof(*room));
}

static int leave_session(void *argument)
{
    struct {
        const char *directory;
        bool clean;
    } *how = argument;
    TSS2_TCTI_CONTEXT *context = NULL;
    uint32_t session = 0;

    CHILD_CHECK(test_try_open(how->directory, &context) == TSS2_RC_SUCCESS);
    CHILD_CHECK(start_session(context, TPM2_SE_POLICY, &session, NULL) == TPM2_RC_SUCCESS);
    if (!how->clean)
        (void)kill(getpid(), SIGKILL);
    test_close(context);
    return 0;
}

static void finalize_flushes_what_the_connection_has_loaded(void **state)
{
    struct {
        const char *directory;
        bool clean;
    } how = {*state, true};
    TSS2_TCTI_CONTEXT *context = test_open(*state);

    for (int i = 0; i < 5; i++)
        assert_int_equal(run_child(leave_session, &how), 0);
    assert_int_equal(count_handles(context, LOADED_SESSION_FIRST, NULL), 0);
    test_close(context);
}

static void sessions_of_killed_processes_make_room(void **state)
{
    struct {
        const char *directory;
        bool clean;
    } how = {*state, false};
    TSS2_TCTI_CONTEXT *context = test_open(*state);
    uint32_t session = 0;

    for (int i = 0; i < 7; i++)
        assert_int_equal(run_child(leave_session, &how), 1000 + SIGKILL);
    assert_int_equal(start_session(context, TPM2_SE_POLICY, &session, NULL), TPM2_RC_SUCCESS);
    test_close(context);
}

static void nobody_is_shown_anothers_sessions(void **state)
{
    TSS2_TCTI_CONTEXT *left = test_open(*state), *right = test_open(*state);
    uint32_t session = 0, first = 0;

    assert_int_equal(start_session(left, TPM2_SE_POLICY, &session, NULL), TPM2_RC_SUCCESS);
    assert_int_equal(count_handles(left, LOADED_SESSION_FIRST, &first), 1);
    assert_int_equal(first, session);
    assert_int_equal(count_handles(right, LOADED_SESSION_FIRST, NULL), 0);
    test_close(right);
    test_close(left);
}

/* --- several TPMs, several threads ---------------------------------------------- */

struct worker {
    const char *directory;
    uint8_t unique;
    int failures;
};

static void *work(void *argument)
{
    struct worker *worker = argument;

    for (int round = 0; round < 3; round++) {
        TSS2_TCTI_CONTEXT *context = NULL;
        uint32_t key = 0;

        if (test_try_open(worker->directory, &context) != TSS2_RC_SUCCESS) {
            worker->failures++;
            continue;
        }
        worker->failures +=
            create_key(context, "", worker->unique, KEY_PLAIN, &key) != TPM2_RC_SUCCESS;
        for (int i = 0; i < 20; i++) {
            worker->failures += sign(context, key, "") != TPM2_RC_SUCCESS;
            worker->failures += extend_pcr(context, 16) != TPM2_RC_SUCCESS;
            worker->failures += get_random(context, 16, NULL) != TPM2_RC_SUCCESS;
        }
        test_close(context);
    }
    return NULL;
}

static void threads_work_side_by_side_on_two_tpms(void **state)
{
    char left[PATH_MAX], right[PATH_MAX];
    struct worker workers[8];
    pthread_t threads[8];

    (void)test_path(*state, "left", left);
    (void)test_path(*state, "right", right);
    for (int i = 0; i < 8; i++) {
        workers[i] = (struct worker){i & 1 ? left : right, (uint8_t)i, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < 8; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(workers[i].failures, 0);
    }
}

static void two_directories_are_two_tpms(void **state)
{
    char left[PATH_MAX], right[PATH_MAX];
    TSS2_TCTI_CONTEXT *one = test_open(test_path(*state, "left", left));
    TSS2_TCTI_CONTEXT *two = test_open(test_path(*state, "right", right));
    uint8_t pcr[32], other[32];
    struct message saved;
    uint32_t key = 0, copy = 0;

    assert_int_equal(extend_pcr(one, 16), TPM2_RC_SUCCESS);
    read_pcr(one, 16, pcr);
    read_pcr(two, 16, other);
    assert_memory_not_equal(pcr, other, sizeof(pcr));
    assert_int_equal(create_key(one, "", 1, KEY_PLAIN, &key), TPM2_RC_SUCCESS);
    assert_int_equal(save_context(one, key, &saved), TPM2_RC_SUCCESS);
    assert_int_equal(load_context(two, &saved, &copy), TPM2_RC_INTEGRITY | TPM2_RC_P | TPM2_RC_1);
    test_close(two);
    assert_int_equal(sign(one, key, ""), TPM2_RC_SUCCESS);
    test_close(one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(increments_of_many_processes_add_up),
        TEST(a_killed_writer_loses_nothing_that_it_was_told_is_done),
        TEST(what_one_process_extends_another_reads),
        TEST(processes_on_one_state_draw_different_numbers),
        TEST(unclean_exits_are_no_failed_tries),
        TEST(failed_tries_of_all_processes_are_counted),
        TEST(a_failed_try_on_an_older_state_keeps_what_came_between),
        TEST(a_lockout_reaches_those_that_only_use_their_own_keys),
        TEST(contexts_that_one_process_saved_load_in_another),
        TEST(finalize_flushes_what_the_connection_has_loaded),
        TEST(sessions_of_killed_processes_make_room),
        TEST(nobody_is_shown_anothers_sessions),
        TEST(threads_work_side_by_side_on_two_tpms),
        TEST(two_directories_are_two_tpms),
    };

    return cmocka_run_group_tests_name("emulator: one TPM for many processes", tests, NULL, NULL);
}
