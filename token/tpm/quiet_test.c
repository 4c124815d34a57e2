#include "token/base/test_support.h"

#include <pthread.h>
#include <stdatomic.h>

#include "token/tpm/tpm.h"

/* Each in a child: the environment is the process's. */

static int asks_for_silence(UNUSED void *nothing)
{
    unsetenv("TSS2_LOG");
    setenv("KEPT", "value", 1);
    tpm_quiet();
    const char *log = getenv("TSS2_LOG"), *kept = getenv("KEPT");
    return log && strcmp(log, "all+none") == 0 && kept && strcmp(kept, "value") == 0 ? 0 : 1;
}

static int leaves_the_users_wish(UNUSED void *nothing)
{
    setenv("TSS2_LOG", "esys+trace", 1);
    char **before = environ;
    tpm_quiet();
    return environ == before && strcmp(getenv("TSS2_LOG"), "esys+trace") == 0 ? 0 : 1;
}

static int is_quiet_twice(UNUSED void *nothing)
{
    unsetenv("TSS2_LOG");
    tpm_quiet();
    char **once = environ;
    tpm_quiet();
    unsigned count = 0;
    for (char **entry = environ; *entry; entry++)
        count += strncmp(*entry, "TSS2_LOG=", 9) == 0;
    return environ == once && count == 1 ? 0 : 1;
}

static int is_quiet_without_environment(UNUSED void *nothing)
{
    clearenv();
    tpm_quiet();
    const char *log = getenv("TSS2_LOG");
    return log && strcmp(log, "all+none") == 0 ? 0 : 1;
}

static int environment_can_still_change(UNUSED void *nothing)
{
    unsetenv("TSS2_LOG");
    tpm_quiet();
    setenv("LATER", "1", 1);
    setenv("TSS2_LOG", "all+error", 1);
    unsetenv("HOME");
    return getenv("LATER") && !getenv("HOME") && strcmp(getenv("TSS2_LOG"), "all+error") == 0 ? 0
                                                                                              : 1;
}

static atomic_bool stop;

/* What every libc call that reads the environment does meanwhile. */
static void *read_environment(UNUSED void *nothing)
{
    uintptr_t found = 0;
    while (!stop)
        found += getenv("KEPT") != NULL;
    return (void *)found;
}

static int does_not_disturb_readers(UNUSED void *nothing)
{
    pthread_t reader;
    setenv("KEPT", "value", 1);
    if (pthread_create(&reader, NULL, read_environment, NULL) != 0)
        return 1;
    for (int i = 0; i < 200; i++) {
        tpm_quiet();
        for (char **entry = environ; *entry; entry++)
            if (strncmp(*entry, "TSS2_LOG=", 9) == 0)
                *entry = *environ; /* gone again, without a call that moves anything */
    }
    stop = true;
    pthread_join(reader, NULL);
    return 0;
}

static void libraries_are_asked_for_silence(UNUSED void **state)
{
    assert_int_equal(in_child(asks_for_silence, NULL), 0);
}

static void a_wish_of_the_user_is_respected(UNUSED void **state)
{
    assert_int_equal(in_child(leaves_the_users_wish, NULL), 0);
}

static void asking_twice_changes_nothing(UNUSED void **state)
{
    assert_int_equal(in_child(is_quiet_twice, NULL), 0);
}

static void an_empty_environment_is_fine(UNUSED void **state)
{
    assert_int_equal(in_child(is_quiet_without_environment, NULL), 0);
}

static void the_application_may_go_on_changing_its_environment(UNUSED void **state)
{
    assert_int_equal(in_child(environment_can_still_change, NULL), 0);
}

static void other_threads_may_read_it_meanwhile(UNUSED void **state)
{
    assert_int_equal(in_child(does_not_disturb_readers, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(libraries_are_asked_for_silence),
        cmocka_unit_test(a_wish_of_the_user_is_respected),
        cmocka_unit_test(asking_twice_changes_nothing),
        cmocka_unit_test(an_empty_environment_is_fine),
        cmocka_unit_test(the_application_may_go_on_changing_its_environment),
        cmocka_unit_test(other_threads_may_read_it_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
