/* Many threads in one module. TEST_SECONDS is how long each test runs. */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "conformance/api/children.h"
#include "conformance/api/workers.h"

#define THREADS 8

struct worker {
    pthread_t thread;
    const char *label;
    CK_RV (*work)(struct worker *worker);
    struct signer signer;
    unsigned number;
    atomic_uint done;
    CK_RV rv; /* the first that was not CKR_OK */
};

static atomic_bool stop;

static double duration(void)
{
    const char *value = getenv("TEST_SECONDS");

    return value ? atof(value) : 1.5;
}

static void *run(void *argument)
{
    struct worker *worker = argument;

    while (!atomic_load(&stop) && worker->rv == CKR_OK) {
        worker->rv = worker->work(worker);
        worker->done += worker->rv == CKR_OK;
    }
    return NULL;
}

static void start(struct worker *workers, size_t count)
{
    let_signals_kill();
    atomic_store(&stop, false);
    for (size_t i = 0; i < count; i++) {
        workers[i].number = (unsigned)i;
        assert_int_equal(pthread_create(&workers[i].thread, NULL, run, &workers[i]), 0);
    }
}

static void wait_a_while(void)
{
    double end = seconds_now() + duration();

    while (seconds_now() < end)
        nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
}

static void join(struct worker *workers, size_t count)
{
    atomic_store(&stop, true);
    for (size_t i = 0; i < count; i++)
        pthread_join(workers[i].thread, NULL);
}

static void all_is_well(const struct worker *workers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        expect_rv(workers[i].rv, CKR_OK);
        expect_true(workers[i].done > 0);
    }
    expectations_met();
}

static void run_for_a_while(struct worker *workers, size_t count)
{
    start(workers, count);
    wait_a_while();
    join(workers, count);
    all_is_well(workers, count);
}

static CK_RV sign_in_own_session(struct worker *worker)
{
    return signer_sign(&worker->signer);
}

static CK_RV sign_in_new_session(struct worker *worker)
{
    return sign_once(worker->label);
}

static CK_RV find_in_own_session(struct worker *worker)
{
    return signer_find(&worker->signer);
}

static CK_RV open_and_close(struct worker *worker)
{
    CK_SESSION_HANDLE session;
    CK_RV rv = p11->C_OpenSession(worker->signer.slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL,
                                  NULL, &session);

    return rv == CKR_OK ? p11->C_CloseSession(session) : rv;
}

static CK_RV read_information(struct worker *worker)
{
    CK_SLOT_ID slots[MAX_SLOTS];
    CK_ULONG count = MAX_SLOTS;
    CK_TOKEN_INFO info;
    unsigned char random[32];
    CK_RV rv = p11->C_GetSlotList(CK_TRUE, slots, &count);

    if (rv == CKR_OK)
        rv = p11->C_GetTokenInfo(worker->signer.slot, &info);
    return rv == CKR_OK ? p11->C_GenerateRandom(worker->signer.session, random, sizeof(random))
                        : rv;
}

static CK_RV (*const kinds_of_work[])(struct worker *) = {
    sign_in_own_session, sign_in_new_session, find_in_own_session, open_and_close, read_information,
};

/* The tokens' labels in turn for each worker, each with a session. */
static void prepare(struct worker *workers, size_t count)
{
    const char *labels[] = {any_label_or_skip(), getenv("PKCS11_TOKEN_RSA")};

    memset(workers, 0, count * sizeof(*workers));
    for (size_t i = 0; i < count; i++) {
        workers[i].label = labels[i % 2] ? labels[i % 2] : labels[0];
        assert_ok(signer_open(workers[i].label, &workers[i].signer));
        workers[i].work = kinds_of_work[i % COUNT_OF(kinds_of_work)];
    }
}

static void eight_threads_sign_with_one_key(void **state)
{
    struct worker workers[THREADS];

    (void)state;
    prepare(workers, THREADS);
    for (size_t i = 0; i < THREADS; i++) {
        workers[i].work = sign_in_own_session;
        assert_ok(signer_close(&workers[i].signer));
        assert_ok(signer_open(any_label_or_skip(), &workers[i].signer));
    }
    run_for_a_while(workers, THREADS);
}

static void eight_threads_sign_with_two_tokens(void **state)
{
    struct worker workers[THREADS];

    (void)state;
    prepare(workers, THREADS);
    for (size_t i = 0; i < THREADS; i++)
        workers[i].work = sign_in_own_session;
    run_for_a_while(workers, THREADS);
}

static void eight_threads_do_different_things(void **state)
{
    struct worker workers[THREADS];

    (void)state;
    prepare(workers, THREADS);
    run_for_a_while(workers, THREADS);
}

static void eight_threads_open_sign_and_close(void **state)
{
    struct worker workers[THREADS];

    (void)state;
    prepare(workers, THREADS);
    for (size_t i = 0; i < THREADS; i++)
        workers[i].work = sign_in_new_session;
    run_for_a_while(workers, THREADS);
}

/* One session in two threads is a mistake of the application, not a reason to
 * crash or to answer with a wrong signature. */
static CK_RV share_a_session(struct worker *worker)
{
    CK_RV rv = worker->number % 2 ? signer_find(&worker->signer) : signer_sign(&worker->signer);

    switch (rv) {
    case CKR_OK:
    case CKR_OPERATION_ACTIVE:
    case CKR_OPERATION_NOT_INITIALIZED:
    case CKR_GENERAL_ERROR: /* signer_find: another thread took the results */
        return CKR_OK;
    default:
        return rv;
    }
}

static void threads_that_share_a_session_do_no_harm(void **state)
{
    struct worker workers[THREADS];

    (void)state;
    signet_only("a session shared by threads");
    prepare(workers, THREADS);
    for (size_t i = 0; i < THREADS; i++) {
        workers[i].signer = workers[0].signer;
        workers[i].work = share_a_session;
    }
    run_for_a_while(workers, THREADS);
}

static CK_RV close_all_now_and_then(struct worker *worker)
{
    nanosleep(&(struct timespec){.tv_nsec = 2 * 1000 * 1000}, NULL);
    return p11->C_CloseAllSessions(worker->signer.slot);
}

static CK_RV allow_lost_sessions(CK_RV rv)
{
    switch (rv) {
    case CKR_SESSION_HANDLE_INVALID:
    case CKR_SESSION_CLOSED:
    case CKR_USER_NOT_LOGGED_IN:
    case CKR_OBJECT_HANDLE_INVALID:
    case CKR_KEY_HANDLE_INVALID:
    case CKR_CRYPTOKI_NOT_INITIALIZED:
        return CKR_OK;
    default:
        return rv;
    }
}

static CK_RV sign_if_still_there(struct worker *worker)
{
    return allow_lost_sessions(sign_once(worker->label));
}

static void sessions_closed_under_a_signature_do_no_harm(void **state)
{
    struct worker workers[THREADS];

    (void)state;
    signet_only("C_CloseAllSessions while others sign");
    prepare(workers, THREADS);
    for (size_t i = 0; i < THREADS; i++)
        workers[i].work = i == 0 ? close_all_now_and_then : sign_if_still_there;
    run_for_a_while(workers, THREADS);
}

static CK_RV finalise_now_and_then(struct worker *worker)
{
    CK_RV rv;

    (void)worker;
    nanosleep(&(struct timespec){.tv_nsec = 5 * 1000 * 1000}, NULL);
    rv = p11->C_Finalize(NULL);
    return rv == CKR_OK ? initialise() : rv;
}

/* The standard leaves it undefined; applications do it at their end. */
static void finalising_while_others_call_does_no_harm(void **state)
{
    struct worker workers[THREADS];

    (void)state;
    signet_only("C_Finalize while others call");
    prepare(workers, THREADS);
    for (size_t i = 0; i < THREADS; i++)
        workers[i].work = i == 0 ? finalise_now_and_then : sign_if_still_there;
    run_for_a_while(workers, THREADS);
}

static CK_RV log_in_and_out(struct worker *worker)
{
    CK_RV rv = login(worker->signer.session, getenv("PKCS11_PIN"));

    if (rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN)
        rv = p11->C_Logout(worker->signer.session);
    return rv == CKR_USER_NOT_LOGGED_IN ? CKR_OK : rv;
}

static void threads_log_in_and_out(void **state)
{
    struct worker workers[THREADS];
    CK_SLOT_ID slot = slot_or_skip("PKCS11_TOKEN_PIN");

    (void)state;
    pin_or_skip();
    prepare(workers, THREADS);
    for (size_t i = 0; i < THREADS; i++) {
        workers[i].work = log_in_and_out;
        workers[i].signer.session = open_session(slot);
    }
    run_for_a_while(workers, THREADS);
}

static CK_RV initialise_at_once(struct worker *worker)
{
    CK_RV rv = initialise();

    (void)worker;
    return rv == CKR_CRYPTOKI_ALREADY_INITIALIZED ? CKR_OK : rv;
}

/* On a busy machine some begin late. */
static void wait_for_each(struct worker *workers, size_t count)
{
    double end = seconds_now() + 20;

    for (size_t i = 0; i < count; i++)
        while (atomic_load(&workers[i].done) == 0 && seconds_now() < end)
            nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
}

static void of_all_threads_one_initialises(void **state)
{
    struct worker workers[THREADS] = {0};

    (void)state;
    signet_only("C_Initialize by several threads at once");
    assert_ok(p11->C_Finalize(NULL));
    for (size_t i = 0; i < THREADS; i++)
        workers[i].work = initialise_at_once;
    start(workers, THREADS);
    nanosleep(&(struct timespec){.tv_nsec = 50 * 1000 * 1000}, NULL);
    wait_for_each(workers, THREADS);
    join(workers, THREADS);
    all_is_well(workers, THREADS);
    assert_rv(initialise(), CKR_CRYPTOKI_ALREADY_INITIALIZED);
}

static pthread_barrier_t barrier;

static void *sign_and_outlive(void *argument)
{
    struct worker *worker = argument;

    worker->rv = sign_once(worker->label);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    return NULL;
}

/* What a library keeps for each thread must not need what C_Finalize freed. */
static void threads_may_end_after_finalisation(void **state)
{
    struct worker workers[THREADS] = {0};

    (void)state;
    let_signals_kill();
    pthread_barrier_init(&barrier, NULL, THREADS + 1);
    for (size_t i = 0; i < THREADS; i++) {
        workers[i].label = any_label_or_skip();
        assert_int_equal(pthread_create(&workers[i].thread, NULL, sign_and_outlive, &workers[i]),
                         0);
    }
    pthread_barrier_wait(&barrier);
    assert_ok(p11->C_Finalize(NULL));
    pthread_barrier_wait(&barrier);
    join(workers, THREADS);
    pthread_barrier_destroy(&barrier);
    for (size_t i = 0; i < THREADS; i++)
        assert_ok(workers[i].rv);
    assert_ok(initialise());
}

static atomic_ulong wait_rv;

static void *wait_for_an_event(void *argument)
{
    CK_SLOT_ID slot;

    (void)argument;
    atomic_store(&wait_rv, p11->C_WaitForSlotEvent(0, &slot, NULL));
    return NULL;
}

/* A wait that blocks ends with C_Finalize; one that is not offered, at once. */
static void a_wait_for_a_slot_event_ends_with_finalisation(void **state)
{
    pthread_t thread;

    (void)state;
    signet_only("C_Finalize while another thread waits");
    atomic_store(&wait_rv, POISON_ULONG);
    assert_int_equal(pthread_create(&thread, NULL, wait_for_an_event, NULL), 0);
    nanosleep(&(struct timespec){.tv_nsec = 50 * 1000 * 1000}, NULL);
    assert_ok(p11->C_Finalize(NULL));
    alarm(20);
    pthread_join(thread, NULL);
    alarm(0);
    assert_rv(atomic_load(&wait_rv), CKR_CRYPTOKI_NOT_INITIALIZED, CKR_FUNCTION_NOT_SUPPORTED);
    assert_ok(initialise());
}

#define test(function) cmocka_unit_test_teardown(function, close_everything)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(eight_threads_sign_with_one_key),
        test(eight_threads_sign_with_two_tokens),
        test(eight_threads_do_different_things),
        test(eight_threads_open_sign_and_close),
        test(threads_that_share_a_session_do_no_harm),
        test(sessions_closed_under_a_signature_do_no_harm),
        test(threads_log_in_and_out),
        test(a_wait_for_a_slot_event_ends_with_finalisation),
        test(of_all_threads_one_initialises),
        test(threads_may_end_after_finalisation),
        test(finalising_while_others_call_does_no_harm),
    };

    return cmocka_run_group_tests(tests, initialised_setup, initialised_teardown);
}
