/* Connections that move between the copies of a TPM that a process has. */
#include "emulator/test_support.h"

#include "emulator/chain.h"
#include "emulator/instance.h"

#include <pthread.h>
#include <time.h>

#define OTHERS 6

static struct instance *instance_of(TSS2_TCTI_CONTEXT *context)
{
    const struct chain *chain =
        (const void *)((char *)context + sizeof(TSS2_TCTI_CONTEXT_COMMON_V2));

    return chain->connection->instance;
}

static void *draw_one(void *context)
{
    assert_int_equal(get_random(context, 8, NULL), TPM2_RC_SUCCESS);
    return NULL;
}

/* Its commands find another thread inside, until it goes elsewhere. */
static void drive_away(TSS2_TCTI_CONTEXT *context)
{
    const struct timespec pause = {0, 5000000};
    struct instance *instance = instance_of(context);

    for (int i = 0; i < 400 && instance_of(context) == instance; i++) {
        pthread_t thread;

        assert_int_equal(instance_enter(instance), TSS2_RC_SUCCESS);
        assert_int_equal(pthread_create(&thread, NULL, draw_one, context), 0);
        (void)nanosleep(&pause, NULL);
        instance_leave(instance);
        assert_int_equal(pthread_join(thread, NULL), 0);
    }
    assert_ptr_not_equal(instance_of(context), instance);
}

static void need_two_processors(void)
{
    if (sysconf(_SC_NPROCESSORS_ONLN) >= 2)
        return;
    print_message("one processor: there is never another copy\n");
    skip();
}

/* Gives the instance more users than any other copy has: who waits there, leaves. */
static void crowd_around(const char *directory, struct instance *instance,
                         TSS2_TCTI_CONTEXT *others[OTHERS])
{
    for (int i = 0; i < OTHERS; i++)
        others[i] = test_open_with(directory, ",sync=off");
    for (int i = 0; i < OTHERS; i++)
        if (instance_of(others[i]) != instance) {
            test_close(others[i]);
            others[i] = NULL;
        }
}

static void who_wants_writes_to_last_takes_that_along(void **state)
{
    TSS2_TCTI_CONTEXT *first, *second, *lasting, *others[OTHERS];

    need_two_processors();
    first = test_open_with(*state, ",sync=off");
    second = test_open_with(*state, ",sync=off");
    drive_away(second);
    assert_true(instance_of(first)->directory.unsynced);
    assert_true(instance_of(second)->directory.unsynced);
    lasting = test_open_with(*state, ",sync=on");
    assert_false(instance_of(lasting)->directory.unsynced);
    crowd_around(*state, instance_of(lasting), others);
    drive_away(lasting);
    assert_false(instance_of(lasting)->directory.unsynced);
    for (int i = 0; i < OTHERS; i++)
        if (others[i])
            test_close(others[i]);
    test_close(first);
    test_close(second);
    test_close(lasting);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_wants_writes_to_last_takes_that_along),
    };

    return cmocka_run_group_tests_name("emulator: copies", tests, NULL, NULL);
}
