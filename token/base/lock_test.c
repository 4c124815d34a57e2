#include "token/base/test_support.h"

#include <pthread.h>

#include "token/base/lock.h"

/* Mutexes of an application: they count, and know who holds them. */
struct counting {
    unsigned made, freed, taken, released;
    bool held;
    bool fails;
};

static struct counting counts;

static CK_RV create(void **mutex)
{
    if (counts.fails)
        return CKR_HOST_MEMORY;
    counts.made++;
    *mutex = &counts;
    return CKR_OK;
}

static CK_RV destroy(void *mutex)
{
    assert_ptr_equal(mutex, &counts);
    assert_false(counts.held);
    counts.freed++;
    return CKR_OK;
}

static CK_RV take(void *mutex)
{
    assert_ptr_equal(mutex, &counts);
    assert_false(counts.held);
    counts.held = true;
    counts.taken++;
    return CKR_OK;
}

static CK_RV release(void *mutex)
{
    assert_ptr_equal(mutex, &counts);
    assert_true(counts.held);
    counts.held = false;
    counts.released++;
    return CKR_OK;
}

static CK_C_INITIALIZE_ARGS application(void)
{
    return (CK_C_INITIALIZE_ARGS){
        .CreateMutex = create, .DestroyMutex = destroy, .LockMutex = take, .UnlockMutex = release};
}

static int begin(UNUSED void **state)
{
    counts = (struct counting){0};
    return 0;
}

static int end(UNUSED void **state)
{
    lock_configure(NULL);
    return 0;
}

static void the_applications_functions_are_used_in_pairs(UNUSED void **state)
{
    CK_C_INITIALIZE_ARGS functions = application();
    struct lock *lock = NULL;
    lock_configure(&functions);
    memset(&functions, 0, sizeof(functions));
    assert_ok(lock_new(&lock));
    for (int i = 0; i < 3; i++) {
        lock_take(lock);
        lock_release(lock);
    }
    lock_free(lock);
    assert_int_equal(counts.made, 1);
    assert_int_equal(counts.freed, 1);
    assert_int_equal(counts.taken, 3);
    assert_int_equal(counts.released, 3);
}

static void a_mutex_that_cannot_be_made_is_no_lock(UNUSED void **state)
{
    CK_C_INITIALIZE_ARGS functions = application();
    struct lock *lock;
    lock_configure(&functions);
    counts.fails = true;
    poison(lock);
    assert_rv(lock_new(&lock), CKR_HOST_MEMORY);
    assert_poison(lock);
    assert_int_equal(counts.freed, 0);
}

static void a_lock_keeps_the_functions_that_made_it(UNUSED void **state)
{
    CK_C_INITIALIZE_ARGS functions = application();
    struct lock *theirs = NULL, *systems = NULL;
    lock_configure(&functions);
    assert_ok(lock_new(&theirs));
    lock_configure(NULL);
    assert_ok(lock_new(&systems));
    lock_take(theirs);
    lock_take(systems);
    lock_release(systems);
    lock_release(theirs);
    lock_free(systems);
    lock_free(theirs);
    assert_int_equal(counts.made, 1);
    assert_int_equal(counts.taken, 1);
    assert_int_equal(counts.released, 1);
    assert_int_equal(counts.freed, 1);
}

static void no_functions_are_the_systems(UNUSED void **state)
{
    const CK_C_INITIALIZE_ARGS none = {.flags = CKF_OS_LOCKING_OK};
    struct lock *lock = NULL;
    lock_configure(&none);
    assert_ok(lock_new(&lock));
    lock_take(lock);
    lock_release(lock);
    lock_free(lock);
    lock_free(NULL);
    assert_int_equal(counts.made, 0);
}

static void trying_takes_only_a_free_lock_of_the_system(UNUSED void **state)
{
    CK_C_INITIALIZE_ARGS functions = application();
    struct lock *systems = NULL, *theirs = NULL;
    assert_ok(lock_new(&systems));
    assert_true(lock_try(systems));
    assert_false(lock_try(systems));
    lock_release(systems);
    assert_true(lock_try(systems));
    lock_release(systems);
    lock_free(systems);
    lock_configure(&functions);
    assert_ok(lock_new(&theirs));
    assert_false(lock_try(theirs));
    lock_free(theirs);
    assert_int_equal(counts.taken, 0);
}

struct shared {
    struct lock *lock;
    unsigned value;
};

static void *add_many(void *argument)
{
    struct shared *shared = argument;
    for (int i = 0; i < 20000; i++) {
        lock_take(shared->lock);
        shared->value++;
        lock_release(shared->lock);
    }
    return NULL;
}

static void the_systems_lock_keeps_threads_apart(UNUSED void **state)
{
    struct shared shared = {0};
    pthread_t threads[4];
    assert_ok(lock_new(&shared.lock));
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, add_many, &shared), 0);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        pthread_join(threads[i], NULL);
    lock_free(shared.lock);
    assert_int_equal(shared.value, 4 * 20000);
}

#define lock_test(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        lock_test(the_applications_functions_are_used_in_pairs),
        lock_test(a_mutex_that_cannot_be_made_is_no_lock),
        lock_test(a_lock_keeps_the_functions_that_made_it),
        lock_test(no_functions_are_the_systems),
        lock_test(trying_takes_only_a_free_lock_of_the_system),
        lock_test(the_systems_lock_keeps_threads_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
