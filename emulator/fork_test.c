#include "emulator/test_support.h"

#include "emulator/chain.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <time.h>

struct inherited {
    atomic_bool inside;
    TSS2_TCTI_CONTEXT *context;
    uint32_t key;
    uint8_t *random;
};

static int draw(void *argument)
{
    struct inherited *inherited = argument;

    CHILD_CHECK(get_random(inherited->context, 32, inherited->random) == TPM2_RC_SUCCESS);
    return 0;
}

static void forked_children_draw_different_numbers(void **state)
{
    uint8_t *all = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct inherited inherited = {.context = test_open(*state), .random = all};

    assert_true(all != MAP_FAILED);
    for (int i = 0; i < 5; i++, inherited.random += 32)
        assert_int_equal(run_child(draw, &inherited), 0);
    assert_int_equal(get_random(inherited.context, 32, inherited.random), TPM2_RC_SUCCESS);
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < i; j++)
            assert_memory_not_equal(all + (size_t)32 * (size_t)i, all + (size_t)32 * (size_t)j, 32);
    (void)munmap(all, 4096);
    test_close(inherited.context);
}

static int sign_and_finalize(void *argument)
{
    struct inherited *inherited = argument;

    CHILD_CHECK(sign(inherited->context, inherited->key, "") == TPM2_RC_SUCCESS);
    test_close(inherited->context);
    return 0;
}

static void a_child_has_its_own_copy_of_the_objects(void **state)
{
    struct inherited inherited = {.context = test_open(*state)};

    assert_int_equal(create_key(inherited.context, "", 1, KEY_PLAIN, &inherited.key),
                     TPM2_RC_SUCCESS);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(run_child(sign_and_finalize, &inherited), 0);
        assert_int_equal(sign(inherited.context, inherited.key, ""), TPM2_RC_SUCCESS);
    }
    test_close(inherited.context);
}

static int just_finalize(void *context)
{
    test_close(context);
    return 0;
}

static void finalize_in_a_child_leaves_the_parents_sessions(void **state)
{
    TSS2_TCTI_CONTEXT *context = test_open(*state);
    uint32_t session = 0;

    assert_int_equal(start_session(context, TPM2_SE_POLICY, &session, NULL), TPM2_RC_SUCCESS);
    assert_int_equal(run_child(just_finalize, context), 0);
    assert_int_equal(flush(context, session), TPM2_RC_SUCCESS);
    test_close(context);
}

#define CHILDREN 4
#define INCREMENTS 50

static int increment_inherited(void *context)
{
    for (int i = 0; i < INCREMENTS; i++)
        CHILD_CHECK(increment(context, COUNTER_INDEX) == TPM2_RC_SUCCESS);
    return 0;
}

/* An flock goes to the child with its descriptor. */
static void parent_and_children_take_turns(void **state)
{
    TSS2_TCTI_CONTEXT *context = test_open(*state);
    pid_t children[CHILDREN];
    uint64_t start;

    assert_int_equal(define_counter(context, COUNTER_INDEX), TPM2_RC_SUCCESS);
    assert_int_equal(increment(context, COUNTER_INDEX), TPM2_RC_SUCCESS);
    start = read_counter(context, COUNTER_INDEX);
    for (int i = 0; i < CHILDREN; i++)
        children[i] = start_child(increment_inherited, context);
    assert_int_equal(increment_inherited(context), 0);
    for (int i = 0; i < CHILDREN; i++)
        assert_int_equal(wait_child(children[i]), 0);
    assert_int_equal(read_counter(context, COUNTER_INDEX) - start, (CHILDREN + 1) * INCREMENTS);
    test_close(context);
}

struct busy_thread {
    const char *directory;
    atomic_bool stop;
    atomic_int failures;
};

static void *keep_busy(void *argument)
{
    struct busy_thread *busy = argument;
    TSS2_TCTI_CONTEXT *context = test_open(busy->directory);
    uint32_t key = 0;

    while (!busy->stop) {
        if (create_key(context, "", 7, KEY_PLAIN, &key) != TPM2_RC_SUCCESS ||
            sign(context, key, "") != TPM2_RC_SUCCESS ||
            extend_pcr(context, 16) != TPM2_RC_SUCCESS || flush(context, key) != TPM2_RC_SUCCESS)
            busy->failures++;
    }
    test_close(context);
    return NULL;
}

static int work_in_child(void *argument)
{
    struct inherited *inherited = argument;
    TSS2_TCTI_CONTEXT *context = inherited->context;
    uint32_t key = 0;
    uint32_t rc;

    (void)alarm(30);
    CHILD_CHECK(get_random(context, 32, NULL) == TPM2_RC_SUCCESS);
    /* The object survives, unless the copy was at work and it was loaded there. */
    rc = sign(context, inherited->key, "");
    CHILD_CHECK(rc == TPM2_RC_SUCCESS || rc == TPM2_RC_REFERENCE_H0);
    CHILD_CHECK(create_key(context, "", 9, KEY_PLAIN, &key) == TPM2_RC_SUCCESS);
    CHILD_CHECK(sign(context, key, "") == TPM2_RC_SUCCESS);
    CHILD_CHECK(increment(context, COUNTER_INDEX) == TPM2_RC_SUCCESS);
    test_close(context);
    return 0;
}

static void a_fork_while_a_thread_is_inside_a_command_is_survived(void **state)
{
    struct inherited inherited;
    struct busy_thread busy = {.directory = *state};
    const int forks = 25;
    pthread_t thread;
    uint64_t start;

    if (SANITIZER_HANGS_AFTER_FORK) {
        print_message("the sanitizers of gcc 12 hang after a fork in a threaded process\n");
        skip();
    }
    inherited.context = test_open(*state);
    assert_int_equal(create_key(inherited.context, "", 1, KEY_PLAIN, &inherited.key),
                     TPM2_RC_SUCCESS);
    assert_int_equal(define_counter(inherited.context, COUNTER_INDEX), TPM2_RC_SUCCESS);
    assert_int_equal(increment(inherited.context, COUNTER_INDEX), TPM2_RC_SUCCESS);
    start = read_counter(inherited.context, COUNTER_INDEX);
    assert_int_equal(pthread_create(&thread, NULL, keep_busy, &busy), 0);
    for (int i = 0; i < forks; i++) {
        struct timespec pause = {0, 700000 + i * 111111};

        (void)nanosleep(&pause, NULL);
        assert_int_equal(run_child(work_in_child, &inherited), 0);
    }
    busy.stop = true;
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(busy.failures, 0);
    assert_int_equal(sign(inherited.context, inherited.key, ""), TPM2_RC_SUCCESS);
    assert_int_equal(read_counter(inherited.context, COUNTER_INDEX) - start, forks);
    test_close(inherited.context);
}

static void *make_keys(void *argument)
{
    struct busy_thread *busy = argument;
    TSS2_TCTI_CONTEXT *context = test_open(busy->directory);
    uint32_t key = 0;

    while (!busy->stop)
        if (create_key(context, "", 7, KEY_PLAIN, &key) != TPM2_RC_SUCCESS ||
            flush(context, key) != TPM2_RC_SUCCESS)
            busy->failures++;
    test_close(context);
    return NULL;
}

static int use_key(void *argument)
{
    struct inherited *inherited = argument;

    (void)alarm(30);
    CHILD_CHECK(sign(inherited->context, inherited->key, "") == TPM2_RC_SUCCESS);
    CHILD_CHECK(get_random(inherited->context, 8, NULL) == TPM2_RC_SUCCESS);
    return 0;
}

/* The key is in the TPM's copy alone, nothing here has it saved: it would be lost
 * in a child that has to put a fresh copy in the place of one that was at work. */
static void a_fork_waits_until_nobody_is_inside_a_command(void **state)
{
    struct inherited inherited;
    struct busy_thread busy = {.directory = *state};
    pthread_t thread;

    if (SANITIZER_HANGS_AFTER_FORK)
        skip();
    inherited.context = test_open(*state);
    assert_int_equal(create_key(inherited.context, "", 1, KEY_PLAIN, &inherited.key),
                     TPM2_RC_SUCCESS);
    assert_int_equal(pthread_create(&thread, NULL, make_keys, &busy), 0);
    for (int i = 0; i < 40; i++) {
        struct timespec pause = {0, 300000 + i * 11111};

        (void)nanosleep(&pause, NULL);
        assert_int_equal(run_child(use_key, &inherited), 0);
    }
    busy.stop = true;
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(busy.failures, 0);
    assert_int_equal(sign(inherited.context, inherited.key, ""), TPM2_RC_SUCCESS);
    test_close(inherited.context);
}

static void *stay_inside(void *argument)
{
    struct inherited *inherited = argument;
    const struct chain *chain =
        (const void *)((char *)inherited->context + sizeof(TSS2_TCTI_CONTEXT_COMMON_V2));
    struct instance *instance = chain->connection->instance;

    if (instance_enter(instance) != TSS2_RC_SUCCESS)
        return NULL;
    inherited->inside = true;
    while (inherited->inside)
        (void)sched_yield();
    instance_leave(instance);
    return NULL;
}

static int find_key_lost(void *argument)
{
    struct inherited *inherited = argument;

    (void)alarm(30);
    CHILD_CHECK(sign(inherited->context, inherited->key, "") == TPM2_RC_REFERENCE_H0);
    CHILD_CHECK(get_random(inherited->context, 8, NULL) == TPM2_RC_SUCCESS);
    return 0;
}

/* A fork does not wait for ever; then the child has a fresh copy. */
static void a_copy_that_was_at_work_is_not_used_in_the_child(void **state)
{
    struct inherited inherited = {.inside = false};
    pthread_t thread;

    if (SANITIZER_HANGS_AFTER_FORK)
        skip();
    inherited.context = test_open(*state);
    assert_int_equal(create_key(inherited.context, "", 1, KEY_PLAIN, &inherited.key),
                     TPM2_RC_SUCCESS);
    assert_int_equal(pthread_create(&thread, NULL, stay_inside, &inherited), 0);
    while (!inherited.inside)
        (void)sched_yield();
    assert_int_equal(run_child(find_key_lost, &inherited), 0);
    inherited.inside = false;
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(sign(inherited.context, inherited.key, ""), TPM2_RC_SUCCESS);
    test_close(inherited.context);
}

static int fork_again(void *argument)
{
    struct inherited *inherited = argument;

    CHILD_CHECK(sign(inherited->context, inherited->key, "") == TPM2_RC_SUCCESS);
    CHILD_CHECK(run_child(sign_and_finalize, inherited) == 0);
    CHILD_CHECK(sign(inherited->context, inherited->key, "") == TPM2_RC_SUCCESS);
    test_close(inherited->context);
    return 0;
}

static void children_of_children_work_too(void **state)
{
    struct inherited inherited = {.context = test_open(*state)};

    assert_int_equal(create_key(inherited.context, "", 1, KEY_PLAIN, &inherited.key),
                     TPM2_RC_SUCCESS);
    assert_int_equal(run_child(fork_again, &inherited), 0);
    test_close(inherited.context);
}

struct leaving {
    TSS2_TCTI_CONTEXT *contexts[5];
};

static int close_most_and_make_a_key(void *argument)
{
    struct leaving *leaving = argument;

    for (int i = 1; i < 5; i++)
        test_close(leaving->contexts[i]);
    CHILD_CHECK(create_key(leaving->contexts[0], "", 9, KEY_PLAIN, NULL) == TPM2_RC_SUCCESS);
    test_close(leaving->contexts[0]);
    return 0;
}

/* They fill the TPM's copy that the child inherits. */
static void what_a_child_closes_unused_leaves_room_for_others(void **state)
{
    struct leaving leaving;
    uint32_t keys[5];

    for (uint8_t i = 0; i < 5; i++)
        leaving.contexts[i] = test_open(*state);
    for (uint8_t i = 1; i < 5; i++)
        assert_int_equal(create_key(leaving.contexts[i], "", i, KEY_PLAIN, &keys[i]),
                         TPM2_RC_SUCCESS);
    assert_int_equal(run_child(close_most_and_make_a_key, &leaving), 0);
    for (int i = 1; i < 5; i++)
        assert_int_equal(sign(leaving.contexts[i], keys[i], ""), TPM2_RC_SUCCESS);
    for (int i = 0; i < 5; i++)
        test_close(leaving.contexts[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(forked_children_draw_different_numbers),
        TEST(a_child_has_its_own_copy_of_the_objects),
        TEST(finalize_in_a_child_leaves_the_parents_sessions),
        TEST(parent_and_children_take_turns),
        TEST(a_fork_while_a_thread_is_inside_a_command_is_survived),
        TEST(a_copy_that_was_at_work_is_not_used_in_the_child),
        TEST(a_fork_waits_until_nobody_is_inside_a_command),
        TEST(children_of_children_work_too),
        TEST(what_a_child_closes_unused_leaves_room_for_others),
    };

    return cmocka_run_group_tests_name("emulator: fork", tests, NULL, NULL);
}
