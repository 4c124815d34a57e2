/* A crowd on one token: processes of several threads that create, change, search, read,
 * sign with and destroy its objects. What each has done is written down in memory that
 * they share, and in the end the token holds exactly that. */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conformance/api/children.h"
#include "conformance/api/making.h"
#include "conformance/api/workers.h"

#define PROCESSES 2
#define THREADS 8
#define PLACES 40 /* for an object each; every fourth is for a key pair */
#define SECONDS 3 /* or CROWD_SECONDS */

/* An object's version, 0 where it is absent; BUSY while somebody changes it. */
#define BUSY UINT32_MAX

struct crowd {
    _Atomic uint32_t places[PLACES];
    _Atomic uint32_t next_version;
    _Atomic unsigned long done[6];
    _Atomic unsigned failures;
    char first_failure[512];
    double until;
};

enum { CREATED, CHANGED, DESTROYED, SEARCHED, SIGNED, READ };

static struct crowd *crowd;

struct worker {
    CK_SESSION_HANDLE session;
    uint32_t random;
};

static uint32_t draw(struct worker *worker, uint32_t below)
{
    worker->random = worker->random * 1664525 + 1013904223;
    return (worker->random >> 8) % below;
}

/* False, and the first one is kept, if it is none of the two codes. */
static bool good(const char *what, uint32_t place, CK_RV rv, CK_RV other)
{
    if (rv == CKR_OK || rv == other)
        return true;
    if (atomic_fetch_add(&crowd->failures, 1) == 0)
        snprintf(crowd->first_failure, sizeof(crowd->first_failure), "%s of place %u: %s", what,
                 place, rv_name(rv));
    return false;
}

static bool is_pair(uint32_t place)
{
    return place % 4 == 0;
}

static void label_of(uint32_t place, uint32_t version, char ret_label[32])
{
    snprintf(ret_label, 32, "place %u version %u", place, version);
}

static CK_RV create(struct worker *worker, uint32_t place, const char *label)
{
    CK_MECHANISM mechanism = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
    CK_OBJECT_HANDLE object, other;

    if (is_pair(place))
        return p11->C_GenerateKeyPair(worker->session, &mechanism,
                                      LIST(BYTES(CKA_EC_PARAMS, P256), FLAG(CKA_TOKEN, true),
                                           TEXT(CKA_LABEL, "public half"), TEXT(CKA_ID, label)),
                                      LIST(FLAG(CKA_TOKEN, true), FLAG(CKA_SIGN, true),
                                           TEXT(CKA_LABEL, label), TEXT(CKA_ID, label)),
                                      &other, &object);
    return p11->C_CreateObject(worker->session,
                               LIST(NUMBER(CKA_CLASS, CKO_DATA), FLAG(CKA_TOKEN, true),
                                    FLAG(CKA_PRIVATE, place & 1), TEXT(CKA_LABEL, label),
                                    TEXT(CKA_VALUE, label)),
                               &object);
}

static CK_RV find(struct worker *worker, CK_ATTRIBUTE_TYPE type, const char *text,
                  CK_OBJECT_HANDLE objects[2], CK_ULONG *ret_count)
{
    CK_RV rv = p11->C_FindObjectsInit(worker->session, LIST(TEXT(type, text)));

    if (rv == CKR_OK)
        rv = p11->C_FindObjects(worker->session, objects, 2, ret_count);
    if (rv == CKR_OK)
        rv = p11->C_FindObjectsFinal(worker->session);
    return rv;
}

/* What this thread has claimed must be there: it was told so by who made it. */
static CK_OBJECT_HANDLE find_mine(struct worker *worker, uint32_t place, const char *label)
{
    CK_OBJECT_HANDLE objects[2];
    CK_ULONG count = 0;

    if (!good("C_FindObjects", place, find(worker, CKA_LABEL, label, objects, &count), CKR_OK))
        return CK_INVALID_HANDLE;
    if (count == 1)
        return objects[0];
    good(count ? "too many found: search" : "not found: search", place, CKR_GENERAL_ERROR, CKR_OK);
    return CK_INVALID_HANDLE;
}

static CK_RV destroy(struct worker *worker, uint32_t place, const char *label,
                     CK_OBJECT_HANDLE object)
{
    CK_OBJECT_HANDLE halves[2];
    CK_ULONG count = 0;
    CK_RV rv;

    if (!is_pair(place))
        return p11->C_DestroyObject(worker->session, object);
    rv = find(worker, CKA_ID, label, halves, &count);
    for (CK_ULONG i = 0; rv == CKR_OK && i < count; i++)
        rv = p11->C_DestroyObject(worker->session, halves[i]);
    return rv == CKR_OK && count != 2 ? CKR_GENERAL_ERROR : rv;
}

/* The id of a pair's halves is that of its making, so changes are of data only. */
static uint32_t work_on_mine(struct worker *worker, uint32_t place, uint32_t version)
{
    uint32_t next = atomic_fetch_add(&crowd->next_version, 1);
    char old[32], new[32];
    CK_OBJECT_HANDLE object;

    label_of(place, version, old);
    label_of(place, next, new);
    if (version == 0) {
        if (!good("creation", place, create(worker, place, new), CKR_OK))
            return 0;
        atomic_fetch_add(&crowd->done[CREATED], 1);
        return next;
    }
    object = find_mine(worker, place, old);
    if (object == CK_INVALID_HANDLE)
        return version;
    if (is_pair(place) || draw(worker, 3) == 0) {
        good("destruction", place, destroy(worker, place, old, object), CKR_OK);
        atomic_fetch_add(&crowd->done[DESTROYED], 1);
        return 0;
    }
    if (!good("change", place,
              p11->C_SetAttributeValue(worker->session, object, LIST(TEXT(CKA_LABEL, new))),
              CKR_OK))
        return version;
    atomic_fetch_add(&crowd->done[CHANGED], 1);
    return next;
}

static void change_something(struct worker *worker)
{
    uint32_t place = draw(worker, PLACES), version = atomic_load(&crowd->places[place]);

    if (version == BUSY || !atomic_compare_exchange_strong(&crowd->places[place], &version, BUSY))
        return;
    atomic_store(&crowd->places[place], work_on_mine(worker, place, version));
}

/* Somebody may destroy it between the calls. */
static void use_something(struct worker *worker)
{
    uint32_t place = draw(worker, PLACES), version = atomic_load(&crowd->places[place]);
    CK_MECHANISM mechanism = {CKM_ECDSA, NULL, 0};
    CK_BYTE value[64], hash[32] = {1};
    CK_ATTRIBUTE attribute = {CKA_LABEL, value, sizeof(value)};
    CK_ULONG count = 0, length = sizeof(value);
    CK_OBJECT_HANDLE objects[2];
    char label[32];
    CK_RV rv;

    if (version == BUSY || version == 0)
        return;
    label_of(place, version, label);
    if (!good("a stranger's search", place, find(worker, CKA_LABEL, label, objects, &count),
              CKR_OK))
        return;
    atomic_fetch_add(&crowd->done[SEARCHED], 1);
    if (count == 0)
        return;
    if (good("C_GetAttributeValue", place,
             p11->C_GetAttributeValue(worker->session, objects[0], &attribute, 1),
             CKR_OBJECT_HANDLE_INVALID))
        atomic_fetch_add(&crowd->done[READ], 1);
    if (!is_pair(place))
        return;
    rv = p11->C_SignInit(worker->session, &mechanism, objects[0]);
    if (!good("C_SignInit", place, rv, CKR_KEY_HANDLE_INVALID) || rv != CKR_OK)
        return;
    if (good("C_Sign", place, p11->C_Sign(worker->session, hash, sizeof(hash), value, &length),
             CKR_KEY_HANDLE_INVALID))
        atomic_fetch_add(&crowd->done[SIGNED], 1);
}

static void *work(void *argument)
{
    struct worker *worker = argument;

    while (seconds_now() < crowd->until && atomic_load(&crowd->failures) == 0)
        if (draw(worker, 2) == 0)
            change_something(worker);
        else
            use_something(worker);
    return NULL;
}

static void work_in_threads(void)
{
    static struct worker workers[THREADS];
    pthread_t threads[THREADS];
    CK_SLOT_ID slot = 0;

    alarm(0);
    child_rv(initialise(), CKR_OK);
    child_rv(find_label(FRESH_LABEL, &slot), CKR_OK);
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i].random = (uint32_t)getpid() * 64 + i;
        child_rv(p11->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL,
                                    &workers[i].session),
                 CKR_OK);
    }
    child_rv(login_as(workers[0].session, CKU_USER, USER_PIN), CKR_OK);
    for (unsigned i = 0; i < THREADS; i++)
        child_true(pthread_create(&threads[i], NULL, work, &workers[i]) == 0);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    child_rv(p11->C_Finalize(NULL), CKR_OK);
}

static void the_token_holds_what_was_done(void)
{
    CK_SESSION_HANDLE session = user_session();
    CK_OBJECT_HANDLE objects[MAX_FOUND];
    unsigned pairs = 0, data = 0;

    for (uint32_t place = 0; place < PLACES; place++) {
        uint32_t version = atomic_load(&crowd->places[place]);
        char label[32];

        assert_int_not_equal(version, BUSY);
        if (version == 0)
            continue;
        label_of(place, version, label);
        assert_int_equal(find_all(session, LIST(TEXT(CKA_LABEL, label)), objects), 1);
        if (is_pair(place))
            assert_ok(sign_simply(session, objects[0]));
        pairs += is_pair(place);
        data += !is_pair(place);
    }
    assert_int_equal(find_class(session, CKO_PRIVATE_KEY, objects), pairs);
    assert_int_equal(find_class(session, CKO_PUBLIC_KEY, objects), pairs);
    assert_int_equal(find_class(session, CKO_DATA, objects), data);
}

static void report(double seconds)
{
    print_message("%.0f s: %lu created, %lu changed, %lu destroyed, %lu searched, %lu read, "
                  "%lu signed\n",
                  seconds, crowd->done[CREATED], crowd->done[CHANGED], crowd->done[DESTROYED],
                  crowd->done[SEARCHED], crowd->done[READ], crowd->done[SIGNED]);
}

static void send_in_the_crowd(unsigned processes)
{
    double seconds = getenv("CROWD_SECONDS") ? atof(getenv("CROWD_SECONDS")) : SECONDS;
    pid_t children[PROCESSES];
    bool well = true;

    common_token(NULL);
    crowd = mmap(NULL, sizeof(*crowd), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(crowd, MAP_FAILED);
    crowd->next_version = 1;
    assert_ok(p11->C_Finalize(NULL));
    crowd->until = seconds_now() + seconds;
    for (unsigned i = 0; i < processes; i++)
        children[i] = start_child(work_in_threads);
    for (unsigned i = 0; i < processes; i++)
        well = child_ended_well(children[i]) && well;
    start_again();
    report(seconds);
    if (crowd->failures)
        fail_msg("%u failures, the first: %s", crowd->failures, crowd->first_failure);
    assert_true(well);
    assert_true(crowd->done[CREATED] > 0 && crowd->done[SEARCHED] > 0);
    the_token_holds_what_was_done();
    munmap(crowd, sizeof(*crowd));
}

static void threads_share_a_token(void **state)
{
    (void)state;
    send_in_the_crowd(1);
}

static void processes_share_a_token(void **state)
{
    (void)state;
    if (setting("PKCS11_EXCLUSIVE"))
        skip_because("the TPM serves one process at a time");
    send_in_the_crowd(PROCESSES);
}

#define test(function) cmocka_unit_test_teardown(function, destroy_everything)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(threads_share_a_token),
        test(processes_share_a_token),
    };

    return cmocka_run_group_tests(tests, initialised_setup, initialised_teardown);
}
