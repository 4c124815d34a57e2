/* Forks: the child calls C_Initialize and goes on, the parent is undisturbed. */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "conformance/api/children.h"
#include "conformance/api/functions.h"
#include "conformance/api/workers.h"

static const char *label;
static struct signer parents;

static int open_in_the_parent(void **state)
{
    (void)state;
    p11->C_Finalize(NULL);
    assert_ok(initialise());
    label = any_label_or_skip();
    assert_ok(signer_open(label, &parents));
    return 0;
}

static void signet_only_fork(void)
{
    signet_only("a forked child says CKR_CRYPTOKI_NOT_INITIALIZED until C_Initialize");
}

/* For tests in which parent and child, or two children, hold the TPM. */
static void shared_tpm_or_skip(void)
{
    signet_only_fork();
    if (setting("PKCS11_EXCLUSIVE"))
        skip_because("the TPM serves one process at a time");
}

static void call_everything(void)
{
    child_rv(functions_not_answering(CKR_CRYPTOKI_NOT_INITIALIZED), 0);
}

static void in_a_child_nothing_is_initialised(void **state)
{
    (void)state;
    signet_only_fork();
    run_child(call_everything);
}

static void *initialise_in_a_thread(void *argument)
{
    CK_RV *rv = argument;

    *rv = p11->C_Initialize(NULL);
    return NULL;
}

static void initialise_in_threads(void)
{
    pthread_t threads[4];
    CK_RV rvs[COUNT_OF(threads)];
    unsigned first = 0;

    for (size_t i = 0; i < COUNT_OF(threads); i++)
        child_true(pthread_create(&threads[i], NULL, initialise_in_a_thread, &rvs[i]) == 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        pthread_join(threads[i], NULL);
        child_rv(rvs[i], CKR_OK, CKR_CRYPTOKI_ALREADY_INITIALIZED);
        first += rvs[i] == CKR_OK;
    }
    child_true(first == 1);
}

static void of_all_threads_of_a_child_one_initialises(void **state)
{
    (void)state;
    signet_only_fork();
    for (int i = 0; i < 25; i++)
        run_child(initialise_in_threads);
}

static void initialise_and_sign(void)
{
    child_rv(initialise(), CKR_OK);
    child_rv(sign_once(label), CKR_OK);
    child_rv(p11->C_Finalize(NULL), CKR_OK);
}

static void a_child_initialises_and_signs(void **state)
{
    (void)state;
    signet_only_fork();
    run_child(initialise_and_sign);
}

static void a_child_signs_where_the_parent_has_signed(void **state)
{
    (void)state;
    shared_tpm_or_skip();
    assert_ok(signer_sign(&parents));
    run_child(initialise_and_sign);
    assert_ok(signer_sign(&parents));
}

static void measure_initialisation(void)
{
    double start = seconds_now(), took;

    child_rv(initialise(), CKR_OK);
    took = seconds_now() - start;
    if (took > 0.25)
        fprintf(stderr, "C_Initialize took %.3f s in a child\n", took);
    child_true(took <= 0.25);
}

static void initialising_a_child_is_cheap(void **state)
{
    (void)state;
    signet_only_fork();
    run_child(measure_initialisation);
}

static void use_the_parents_handles(void)
{
    CK_SESSION_INFO info;

    child_rv(initialise(), CKR_OK);
    child_rv(p11->C_GetSessionInfo(parents.session, &info), CKR_SESSION_HANDLE_INVALID);
    child_rv(p11->C_CloseSession(parents.session), CKR_SESSION_HANDLE_INVALID);
}

static void the_parents_sessions_are_not_the_childs(void **state)
{
    (void)state;
    signet_only_fork();
    run_child(use_the_parents_handles);
    assert_ok(signer_sign(&parents));
}

static void finalise_without_initialising(void)
{
    child_rv(p11->C_Finalize(NULL), CKR_CRYPTOKI_NOT_INITIALIZED);
    child_rv(p11->C_Finalize(NULL), CKR_CRYPTOKI_NOT_INITIALIZED);
    child_rv(initialise(), CKR_OK);
    child_rv(p11->C_Finalize(NULL), CKR_OK);
}

static void a_childs_finalisation_leaves_the_parent_alone(void **state)
{
    (void)state;
    shared_tpm_or_skip();
    assert_ok(signer_sign(&parents));
    run_child(finalise_without_initialising);
    assert_ok(signer_sign(&parents));
    session_state(parents.session);
}

static void do_nothing(void)
{
}

static void a_child_that_ends_at_once_leaves_the_parent_alone(void **state)
{
    (void)state;
    assert_ok(signer_sign(&parents));
    for (unsigned i = 0; i < 20; i++)
        run_child(do_nothing);
    assert_ok(signer_sign(&parents));
}

static void exit_without_finalising(void)
{
    child_rv(initialise(), CKR_OK);
    child_rv(sign_once(label), CKR_OK);
    exit(0);
}

static void a_child_may_exit_without_finalising(void **state)
{
    (void)state;
    shared_tpm_or_skip();
    fflush(stdout);
    run_child(exit_without_finalising);
    assert_ok(signer_sign(&parents));
}

static void fork_again(void)
{
    pid_t grandchild;

    child_rv(initialise(), CKR_OK);
    child_rv(sign_once(label), CKR_OK);
    grandchild = fork();
    child_true(grandchild != -1);
    if (grandchild == 0) {
        child_rv(functions_not_answering(CKR_CRYPTOKI_NOT_INITIALIZED), 0);
        initialise_and_sign();
        _exit(0);
    }
    child_true(child_ended_well(grandchild));
    child_rv(sign_once(label), CKR_OK);
}

static void a_grandchild_does_as_a_child(void **state)
{
    (void)state;
    shared_tpm_or_skip();
    run_child(fork_again);
    assert_ok(signer_sign(&parents));
}

static void fork_and_sign_in_the_grandchild(void)
{
    pid_t grandchild = fork();

    child_true(grandchild != -1);
    if (grandchild == 0) {
        initialise_and_sign();
        _exit(0);
    }
    child_true(child_ended_well(grandchild));
}

static void a_grandchild_of_an_idle_child_signs(void **state)
{
    (void)state;
    signet_only_fork();
    run_child(fork_and_sign_in_the_grandchild);
}

static void several_children_sign_at_once(void **state)
{
    pid_t children[6];
    unsigned well = 0;

    (void)state;
    shared_tpm_or_skip();
    for (size_t i = 0; i < COUNT_OF(children); i++)
        children[i] = start_child(initialise_and_sign);
    assert_ok(signer_sign(&parents));
    for (size_t i = 0; i < COUNT_OF(children); i++)
        well += child_ended_well(children[i]);
    assert_int_equal(well, COUNT_OF(children));
    assert_ok(signer_sign(&parents));
}

static atomic_bool stop;
static atomic_ulong thread_rv;

static void *sign_until_stopped(void *argument)
{
    struct signer signer;
    CK_RV rv = signer_open(argument, &signer);

    while (rv == CKR_OK && !atomic_load(&stop))
        rv = signer_sign(&signer);
    atomic_store(&thread_rv, rv);
    return NULL;
}

/* The locks of a running signature must not be left closed in the child. */
static void a_fork_while_other_threads_sign_does_no_harm(void **state)
{
    pthread_t threads[3];
    unsigned well = 0;
    enum { CHILDREN = 20 };

    (void)state;
#if defined(__SANITIZE_ADDRESS__)
    /* Its malloc takes locks that a thread may hold at the fork, and keeps them. */
    skip_because("libasan may hang in a child that was forked beside threads");
#endif
    shared_tpm_or_skip();
    atomic_store(&stop, false);
    atomic_store(&thread_rv, CKR_OK);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, sign_until_stopped, (void *)label), 0);
    for (unsigned i = 0; i < CHILDREN; i++)
        well += child_ended_well(start_child(initialise_and_sign));
    atomic_store(&stop, true);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(well, CHILDREN);
    assert_int_equal(atomic_load(&thread_rv), CKR_OK);
}

static bool initialise_in_children;
static CK_RV rv_in_child;

static void in_every_child(void)
{
    if (initialise_in_children)
        rv_in_child = p11->C_Initialize(NULL);
}

static void sign_after_the_handler(void)
{
    child_rv(rv_in_child, CKR_OK);
    child_rv(sign_once(label), CKR_OK);
}

/* What pkcs11-helper does: C_Initialize(NULL) inside a pthread_atfork handler. */
static void an_atfork_handler_may_initialise(void **state)
{
    pthread_t thread;
    bool well;

    (void)state;
    shared_tpm_or_skip();
    assert_int_equal(pthread_atfork(NULL, NULL, in_every_child), 0);
    initialise_in_children = true;
    run_child(sign_after_the_handler);
    atomic_store(&stop, false);
    assert_int_equal(pthread_create(&thread, NULL, sign_until_stopped, (void *)label), 0);
    well = child_ended_well(start_child(sign_after_the_handler));
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    initialise_in_children = false;
    assert_true(well);
    assert_ok(signer_sign(&parents));
}

/* Two clones of one random generator must not answer alike. */
static int child_pipe[2];

static void send_random_numbers(void)
{
    CK_SLOT_ID slot = parents.slot;
    CK_SESSION_HANDLE session;
    unsigned char random[32];

    child_rv(initialise(), CKR_OK);
    child_rv(p11->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &session), CKR_OK);
    child_rv(p11->C_GenerateRandom(session, random, sizeof(random)), CKR_OK);
    child_true(write(child_pipe[1], random, sizeof(random)) == sizeof(random));
}

static void two_children_have_different_random_numbers(void **state)
{
    unsigned char random[3][32];

    (void)state;
    signet_only_fork();
    assert_ok(p11->C_GenerateRandom(parents.session, random[2], sizeof(random[2])));
    assert_int_equal(pipe(child_pipe), 0);
    for (size_t i = 0; i < 2; i++) {
        run_child(send_random_numbers);
        assert_int_equal(read(child_pipe[0], random[i], sizeof(random[i])), sizeof(random[i]));
    }
    close(child_pipe[0]);
    close(child_pipe[1]);
    assert_ok(p11->C_GenerateRandom(parents.session, random[2], sizeof(random[2])));
    assert_memory_not_equal(random[0], random[1], sizeof(random[0]));
    assert_memory_not_equal(random[0], random[2], sizeof(random[0]));
}

#define test(function)                                                                             \
    cmocka_unit_test_setup_teardown(function, open_in_the_parent, close_everything)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(in_a_child_nothing_is_initialised),
        test(a_child_initialises_and_signs),
        test(of_all_threads_of_a_child_one_initialises),
        test(a_child_signs_where_the_parent_has_signed),
        test(initialising_a_child_is_cheap),
        test(the_parents_sessions_are_not_the_childs),
        test(a_childs_finalisation_leaves_the_parent_alone),
        test(a_child_that_ends_at_once_leaves_the_parent_alone),
        test(a_child_may_exit_without_finalising),
        test(a_grandchild_does_as_a_child),
        test(a_grandchild_of_an_idle_child_signs),
        test(several_children_sign_at_once),
        test(a_fork_while_other_threads_sign_does_no_harm),
        test(an_atfork_handler_may_initialise),
        test(two_children_have_different_random_numbers),
    };

    return cmocka_run_group_tests(tests, initialised_setup, initialised_teardown);
}
