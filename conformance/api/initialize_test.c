/* PKCS#11 2.40 section 5.4: C_Initialize and C_Finalize. */
#include <dirent.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conformance/api/client.h"

struct counters {
    unsigned created, destroyed, locked, unlocked;
};

static struct counters counters;

static CK_RV create_mutex(void **mutex)
{
    pthread_mutex_t *new = malloc(sizeof(*new));

    if (!new)
        return CKR_HOST_MEMORY;
    pthread_mutex_init(new, NULL);
    __atomic_add_fetch(&counters.created, 1, __ATOMIC_SEQ_CST);
    *mutex = new;
    return CKR_OK;
}

static CK_RV destroy_mutex(void *mutex)
{
    pthread_mutex_destroy(mutex);
    free(mutex);
    __atomic_add_fetch(&counters.destroyed, 1, __ATOMIC_SEQ_CST);
    return CKR_OK;
}

static CK_RV lock_mutex(void *mutex)
{
    __atomic_add_fetch(&counters.locked, 1, __ATOMIC_SEQ_CST);
    return pthread_mutex_lock(mutex) == 0 ? CKR_OK : CKR_MUTEX_BAD;
}

static CK_RV unlock_mutex(void *mutex)
{
    __atomic_add_fetch(&counters.unlocked, 1, __ATOMIC_SEQ_CST);
    return pthread_mutex_unlock(mutex) == 0 ? CKR_OK : CKR_MUTEX_NOT_LOCKED;
}

static const CK_C_INITIALIZE_ARGS with_mutexes = {
    .CreateMutex = create_mutex,
    .DestroyMutex = destroy_mutex,
    .LockMutex = lock_mutex,
    .UnlockMutex = unlock_mutex,
};

/* Ends an initialisation that a failed test left behind. */
static int finalise_if_needed(void **state)
{
    (void)state;
    p11->C_Finalize(NULL);
    return 0;
}

static void null_arguments_are_enough(void **state)
{
    CK_INFO info;

    (void)state;
    assert_ok(p11->C_Initialize(NULL));
    assert_ok(p11->C_GetInfo(&info));
    assert_ok(p11->C_Finalize(NULL));
}

static void a_second_initialisation_says_that_it_is_one(void **state)
{
    (void)state;
    assert_ok(initialise());
    assert_rv(initialise(), CKR_CRYPTOKI_ALREADY_INITIALIZED);
    assert_rv(p11->C_Initialize(NULL), CKR_CRYPTOKI_ALREADY_INITIALIZED);
    assert_ok(p11->C_Finalize(NULL));
}

static void a_second_finalisation_says_that_it_is_one(void **state)
{
    (void)state;
    assert_ok(initialise());
    assert_ok(p11->C_Finalize(NULL));
    assert_rv(p11->C_Finalize(NULL), CKR_CRYPTOKI_NOT_INITIALIZED);
    assert_rv(p11->C_Finalize(NULL), CKR_CRYPTOKI_NOT_INITIALIZED);
}

static void finalisation_takes_no_argument(void **state)
{
    CK_INFO info;

    (void)state;
    assert_ok(initialise());
    assert_rv(p11->C_Finalize(&info), CKR_ARGUMENTS_BAD);
    assert_ok(p11->C_GetInfo(&info));
    assert_ok(p11->C_Finalize(NULL));
}

/* What a module that the module itself uses may do: come back to it. */
static bool come_back;
static CK_RV came_back;

static CK_RV lock_and_come_back(void *mutex)
{
    CK_RV rv = lock_mutex(mutex);
    CK_INFO info;

    if (come_back) {
        come_back = false;
        came_back = p11->C_GetInfo(&info);
    }
    return rv;
}

static void a_call_from_within_a_call_does_not_wait_for_itself(void **state)
{
    CK_C_INITIALIZE_ARGS args = with_mutexes;
    CK_SLOT_ID slots[64];
    CK_ULONG count = COUNT_OF(slots);
    CK_SLOT_INFO info;

    (void)state;
    signet_only("other modules may hang");
    args.LockMutex = lock_and_come_back;
    assert_ok(p11->C_Initialize(&args));
    assert_ok(p11->C_GetSlotList(CK_TRUE, slots, &count));
    come_back = true;
    came_back = CKR_OK;
    assert_ok(p11->C_GetSlotInfo(slots[0], &info));
    assert_rv(came_back, CKR_FUNCTION_FAILED);
    assert_ok(p11->C_GetSlotInfo(slots[0], &info));
    assert_ok(p11->C_Finalize(NULL));
}

static void mutex_functions_come_all_together_or_not_at_all(void **state)
{
    (void)state;
    for (unsigned mask = 1; mask < 15; mask++) {
        CK_C_INITIALIZE_ARGS args = {
            .CreateMutex = mask & 1 ? create_mutex : NULL,
            .DestroyMutex = mask & 2 ? destroy_mutex : NULL,
            .LockMutex = mask & 4 ? lock_mutex : NULL,
            .UnlockMutex = mask & 8 ? unlock_mutex : NULL,
        };

        expect_rv(p11->C_Initialize(&args), CKR_ARGUMENTS_BAD);
        args.flags = CKF_OS_LOCKING_OK;
        expect_rv(p11->C_Initialize(&args), CKR_ARGUMENTS_BAD);
    }
    expectations_met();
    assert_rv(p11->C_Finalize(NULL), CKR_CRYPTOKI_NOT_INITIALIZED);
}

static void do_some_work(void)
{
    CK_SLOT_ID slots[MAX_SLOTS];
    CK_ULONG count = all_slots(slots);

    for (CK_ULONG i = 0; i < count; i++) {
        CK_SESSION_HANDLE session = open_session(slots[i]);
        unsigned char random[16];

        assert_rv(p11->C_GenerateRandom(session, random, sizeof(random)), CKR_OK,
                  CKR_RANDOM_NO_RNG);
        assert_ok(p11->C_CloseSession(session));
    }
}

/* Section 3.7: with mutex functions and without CKF_OS_LOCKING_OK the library
 * must use them, or refuse with CKR_CANT_LOCK. */
static void the_applications_mutexes_are_used_and_given_back(void **state)
{
    CK_C_INITIALIZE_ARGS args = with_mutexes;

    (void)state;
    memset(&counters, 0, sizeof(counters));
    if (assert_rv(p11->C_Initialize(&args), CKR_OK, CKR_CANT_LOCK) == CKR_CANT_LOCK)
        return;
    do_some_work();
    assert_true(counters.locked > 0);
    assert_int_equal(counters.locked, counters.unlocked);
    assert_ok(p11->C_Finalize(NULL));
    assert_int_equal(counters.locked, counters.unlocked);
    assert_true(counters.created > 0);
    assert_int_equal(counters.created, counters.destroyed);
}

/* Firefox gives both; the library may choose. */
static void mutexes_together_with_os_locking_are_accepted(void **state)
{
    CK_C_INITIALIZE_ARGS args = with_mutexes;

    (void)state;
    args.flags = CKF_OS_LOCKING_OK;
    memset(&counters, 0, sizeof(counters));
    assert_ok(p11->C_Initialize(&args));
    do_some_work();
    assert_ok(p11->C_Finalize(NULL));
    assert_int_equal(counters.locked, counters.unlocked);
    assert_int_equal(counters.created, counters.destroyed);
}

static CK_RV failing_create_mutex(void **mutex)
{
    (void)mutex;
    return CKR_HOST_MEMORY;
}

static void a_failing_mutex_callback_fails_the_initialisation_cleanly(void **state)
{
    CK_C_INITIALIZE_ARGS args = with_mutexes;

    (void)state;
    args.CreateMutex = failing_create_mutex;
    if (assert_rv(p11->C_Initialize(&args), CKR_HOST_MEMORY, CKR_CANT_LOCK, CKR_GENERAL_ERROR,
                  CKR_OK) == CKR_OK)
        assert_ok(p11->C_Finalize(NULL));
    assert_ok(initialise());
    assert_ok(p11->C_Finalize(NULL));
}

static unsigned count_threads(void)
{
    DIR *tasks = opendir("/proc/self/task");
    unsigned count = 0;

    if (!tasks)
        return 0;
    for (struct dirent *entry = readdir(tasks); entry; entry = readdir(tasks))
        count += entry->d_name[0] != '.';
    closedir(tasks);
    return count;
}

static void no_thread_is_made_when_the_application_forbids_it(void **state)
{
    CK_C_INITIALIZE_ARGS args = {
        .flags = CKF_LIBRARY_CANT_CREATE_OS_THREADS | CKF_OS_LOCKING_OK,
    };
    unsigned before = count_threads();

    (void)state;
    if (assert_rv(p11->C_Initialize(&args), CKR_OK, CKR_NEED_TO_CREATE_THREADS) != CKR_OK)
        return;
    do_some_work();
    assert_int_equal(count_threads(), before);
    assert_ok(p11->C_Finalize(NULL));
}

static CK_RV initialise_with_string(const char *text)
{
    CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK, .pReserved = (void *)text};

    return p11->C_Initialize(&args);
}

/* The field is NSS's LibraryParameters, and p11-kit's x-init-reserved. */
static void a_string_may_name_the_configuration(void **state)
{
    const char *path = getenv("SIGNET_CONF");
    CK_SLOT_ID slots[MAX_SLOTS];
    char text[4096];
    CK_ULONG count;

    (void)state;
    signet_only("a configuration in the C_Initialize string");
    if (!path)
        skip_because("SIGNET_CONF is not set");
    snprintf(text, sizeof(text), "conf=%s", path);
    assert_ok(initialise());
    count = all_slots(slots);
    assert_ok(p11->C_Finalize(NULL));
    assert_ok(initialise_with_string(text));
    assert_int_equal(all_slots(slots), count);
    assert_ok(p11->C_Finalize(NULL));
}

static void odd_strings_do_no_harm(void **state)
{
    static const char *const texts[] = {"",
                                        " ",
                                        "=",
                                        "nonsense",
                                        "p11-kit:",
                                        "a=b=c",
                                        "configdir='/nonexistent' flags=readOnly",
                                        "conf=/nonexistent/signet.conf",
                                        "conf="};

    (void)state;
    signet_only("strings for C_Initialize");
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        CK_RV rv = expect_rv(initialise_with_string(texts[i]), CKR_OK, CKR_ARGUMENTS_BAD);

        if (rv == CKR_OK)
            expect_rv(p11->C_Finalize(NULL), CKR_OK);
    }
    expectations_met();
}

/* NSS's structure is longer than the standard's: a library that reads the
 * field after the standard's last reads past a standard caller's structure. */
static void nothing_is_read_beyond_the_standard_structure(void **state)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *memory = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CK_C_INITIALIZE_ARGS *args;

    (void)state;
    assert_ptr_not_equal(memory, MAP_FAILED);
    assert_int_equal(mprotect(memory + page, page, PROT_NONE), 0);
    args = (CK_C_INITIALIZE_ARGS *)(void *)(memory + page - sizeof(*args));
    *args = (CK_C_INITIALIZE_ARGS){.flags = CKF_OS_LOCKING_OK};
    assert_ok(p11->C_Initialize(args));
    assert_ok(p11->C_Finalize(NULL));
    munmap(memory, 2 * page);
}

/* What NSS passes: its own mutexes, both flags, parameters, one more field. */
static void the_larger_structure_of_nss_is_accepted(void **state)
{
    struct {
        CK_C_INITIALIZE_ARGS standard;
        void *reserved;
    } args = {.standard = with_mutexes, .reserved = (void *)POISON_ULONG};

    (void)state;
    args.standard.flags = CKF_LIBRARY_CANT_CREATE_OS_THREADS | CKF_OS_LOCKING_OK;
    assert_ok(p11->C_Initialize(&args));
    assert_ok(p11->C_Finalize(NULL));
}

static unsigned count_files(void)
{
    unsigned count = 0;

    for (int file = 0; file < 1024; file++)
        count += dup2(file, file) == file;
    return count;
}

static void a_session_of_an_earlier_initialisation_is_not_met_again(void **state)
{
    CK_SLOT_ID slots[64];
    CK_ULONG count = COUNT_OF(slots);
    CK_SESSION_HANDLE before, after;
    CK_SESSION_INFO info;

    (void)state;
    signet_only("session handles that are never used twice");
    assert_ok(p11->C_Initialize(NULL));
    assert_ok(p11->C_GetSlotList(CK_TRUE, slots, &count));
    assert_ok(p11->C_OpenSession(slots[0], CKF_SERIAL_SESSION, NULL, NULL, &before));
    assert_ok(p11->C_Finalize(NULL));
    assert_ok(p11->C_Initialize(NULL));
    assert_ok(p11->C_OpenSession(slots[0], CKF_SERIAL_SESSION, NULL, NULL, &after));
    assert_rv(p11->C_GetSessionInfo(before, &info), CKR_SESSION_HANDLE_INVALID);
    assert_ok(p11->C_GetSessionInfo(after, &info));
    assert_ok(p11->C_Finalize(NULL));
}

static void it_can_be_initialised_and_finalised_fifty_times(void **state)
{
    unsigned files = 0;

    (void)state;
    for (unsigned i = 0; i < 50; i++) {
        assert_ok(initialise());
        do_some_work();
        assert_ok(p11->C_Finalize(NULL));
        if (i == 0)
            files = count_files();
    }
    assert_int_equal(count_files(), files);
}

static void handles_of_an_earlier_life_are_invalid(void **state)
{
    CK_SLOT_ID slots[MAX_SLOTS];
    CK_SESSION_HANDLE old;
    CK_SESSION_INFO info;

    (void)state;
    assert_ok(initialise());
    if (all_slots(slots) == 0)
        skip_because("there is no token");
    old = open_session(slots[0]);
    assert_ok(p11->C_Finalize(NULL));
    assert_ok(initialise());
    assert_rv(p11->C_GetSessionInfo(old, &info), CKR_SESSION_HANDLE_INVALID);
    assert_ok(p11->C_Finalize(NULL));
}

static void the_parallel_functions_of_old_are_still_answered(void **state)
{
    CK_SLOT_ID slots[MAX_SLOTS];
    CK_SESSION_HANDLE session;

    (void)state;
    assert_ok(initialise());
    if (all_slots(slots) == 0)
        skip_because("there is no token");
    session = open_session(slots[0]);
    assert_rv(p11->C_GetFunctionStatus(session), CKR_FUNCTION_NOT_PARALLEL);
    assert_rv(p11->C_CancelFunction(session), CKR_FUNCTION_NOT_PARALLEL);
    assert_ok(p11->C_Finalize(NULL));
}

#define test(function) cmocka_unit_test_teardown(function, finalise_if_needed)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(null_arguments_are_enough),
        test(a_second_initialisation_says_that_it_is_one),
        test(a_second_finalisation_says_that_it_is_one),
        test(finalisation_takes_no_argument),
        test(a_call_from_within_a_call_does_not_wait_for_itself),
        test(mutex_functions_come_all_together_or_not_at_all),
        test(the_applications_mutexes_are_used_and_given_back),
        test(mutexes_together_with_os_locking_are_accepted),
        test(a_failing_mutex_callback_fails_the_initialisation_cleanly),
        test(no_thread_is_made_when_the_application_forbids_it),
        test(a_string_may_name_the_configuration),
        test(odd_strings_do_no_harm),
        test(nothing_is_read_beyond_the_standard_structure),
        test(the_larger_structure_of_nss_is_accepted),
        test(a_session_of_an_earlier_initialisation_is_not_met_again),
        test(it_can_be_initialised_and_finalised_fifty_times),
        test(handles_of_an_earlier_life_are_invalid),
        test(the_parallel_functions_of_old_are_still_answered),
    };

    return cmocka_run_group_tests(tests, loaded_setup, NULL);
}
