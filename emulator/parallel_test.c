#include "emulator/test_support.h"

#include "emulator/chain.h"
#include "emulator/instance.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>

/* --- without the lock -------------------------------------------------------------- */

/* Holds the lock of the state directory as a process in the midst of a write does. */
static int hold_lock(const char *directory)
{
    char path[PATH_MAX];
    int fd = open(test_path(directory, "signet.lock", path), O_RDWR | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    return fd;
}

static uint32_t quote(TSS2_TCTI_CONTEXT *context, uint32_t key)
{
    struct message m, response;

    begin(&m, TPM2_ST_SESSIONS, TPM2_CC_Quote);
    add_u32(&m, key);
    add_password(&m, "");
    add_u16(&m, 0);
    add_u16(&m, TPM2_ALG_ECDSA);
    add_u16(&m, TPM2_ALG_SHA256);
    add_u32(&m, 0);
    return run(context, &m, &response);
}

struct waiting {
    const char *directory;
    int key;
};

static int work_without_lock(void *argument)
{
    const struct waiting *waiting = argument;
    TSS2_TCTI_CONTEXT *context = test_open(waiting->directory);
    uint8_t pcr[32];
    uint32_t keys[5], count;
    int lock;

    for (count = 0; count < 5; count++)
        CHILD_CHECK(create_key(context, "", (uint8_t)count, KEY_PLAIN, &keys[count]) ==
                    TPM2_RC_SUCCESS);
    lock = hold_lock(waiting->directory);
    (void)alarm(20);
    for (int round = 0; round < 2; round++)
        for (uint32_t i = 0; i < count; i++) {
            CHILD_CHECK(sign(context, keys[i], "") == TPM2_RC_SUCCESS);
            CHILD_CHECK(quote(context, keys[i]) == TPM2_RC_SUCCESS);
            CHILD_CHECK(get_random(context, 16, NULL) == TPM2_RC_SUCCESS);
        }
    read_pcr(context, 0, pcr);
    CHILD_CHECK(create_key(context, "", 9, KEY_PLAIN, &keys[0]) == TPM2_RC_SUCCESS);
    CHILD_CHECK(get_property(context, TPM2_PT_LOCKOUT_COUNTER) == 0);
    (void)close(lock);
    test_close(context);
    return 0;
}

static void who_changes_nothing_waits_for_nobody(void **state)
{
    struct waiting waiting = {.directory = *state};

    assert_int_equal(run_child(work_without_lock, &waiting), 0);
}

static int extend_while_locked(void *argument)
{
    const struct waiting *waiting = argument;
    TSS2_TCTI_CONTEXT *context = test_open(waiting->directory);

    CHILD_CHECK(hold_lock(waiting->directory) >= 0);
    (void)alarm(1);
    (void)extend_pcr(context, 16);
    return 0;
}

/* The other half: shows that the test above would notice a lock. */
static void who_changes_something_waits_for_its_turn(void **state)
{
    struct waiting waiting = {.directory = *state};

    assert_int_equal(run_child(extend_while_locked, &waiting), 1000 + SIGALRM);
}

/* --- what others must see all the same ------------------------------------------------ */

struct pair {
    const char *directory;
    int to[2], from[2];
    pid_t child;
};

/* The other process: on each byte it runs `body` and sends back what that gave. */
static int serve(struct pair *pair, uint32_t (*body)(TSS2_TCTI_CONTEXT *, uint8_t, uint8_t *))
{
    TSS2_TCTI_CONTEXT *context = test_open(pair->directory);
    uint8_t what = 0, answer[68] = {0};

    (void)close(pair->to[1]);
    (void)alarm(60);
    while (read(pair->to[0], &what, 1) == 1) {
        uint32_t rc = body(context, what, answer + 4);

        memcpy(answer, &rc, sizeof(rc));
        CHILD_CHECK(write(pair->from[1], answer, sizeof(answer)) == sizeof(answer));
    }
    test_close(context);
    return 0;
}

static void begin_pair(struct pair *pair, const char *directory,
                       uint32_t (*body)(TSS2_TCTI_CONTEXT *, uint8_t, uint8_t *))
{
    pair->directory = directory;
    assert_int_equal(pipe(pair->to), 0);
    assert_int_equal(pipe(pair->from), 0);
    pair->child = fork();
    assert_true(pair->child >= 0);
    if (pair->child == 0)
        _exit(serve(pair, body));
    (void)close(pair->to[0]);
    (void)close(pair->from[1]);
}

static uint32_t ask(struct pair *pair, uint8_t what, uint8_t *ret)
{
    uint8_t answer[68];
    uint32_t rc;

    assert_int_equal(write(pair->to[1], &what, 1), 1);
    assert_int_equal(read(pair->from[0], answer, sizeof(answer)), sizeof(answer));
    memcpy(&rc, answer, sizeof(rc));
    if (ret)
        memcpy(ret, answer + 4, 64);
    return rc;
}

static void end_pair(struct pair *pair)
{
    (void)close(pair->to[1]);
    assert_int_equal(wait_child(pair->child), 0);
    (void)close(pair->from[0]);
}

static uint32_t audit_parameters(TSS2_TCTI_CONTEXT *context)
{
    struct message m, response;

    begin(&m, TPM2_ST_SESSIONS, TPM2_CC_SetCommandCodeAuditStatus);
    add_u32(&m, TPM2_RH_OWNER);
    add_password(&m, "");
    add_u16(&m, TPM2_ALG_NULL);
    add_u32(&m, 1);
    add_u32(&m, TPM2_CC_ECC_Parameters);
    add_u32(&m, 0);
    return run(context, &m, &response);
}

/* TPMS_COMMAND_AUDIT_INFO ends in the digest; the signature is a null one. */
static uint32_t audit_digest(TSS2_TCTI_CONTEXT *context, uint8_t *ret)
{
    static const uint8_t two_passwords[] = {0x40, 0, 0, 9, 0, 0, 1, 0, 0,
                                            0x40, 0, 0, 9, 0, 0, 1, 0, 0};
    struct message m, response;
    uint32_t rc;
    size_t at;

    begin(&m, TPM2_ST_SESSIONS, TPM2_CC_GetCommandAuditDigest);
    add_u32(&m, TPM2_RH_ENDORSEMENT);
    add_u32(&m, TPM2_RH_NULL);
    add_u32(&m, sizeof(two_passwords));
    add_bytes(&m, two_passwords, sizeof(two_passwords));
    add_u16(&m, 0);
    add_u16(&m, TPM2_ALG_NULL);
    rc = run(context, &m, &response);
    if (rc != TPM2_RC_SUCCESS)
        return rc;
    /* attest: magic 4, type 2, signer 2 + n, data 2 + n, clock 17, firmware 8,
     * counter 8, algorithm 2, audit digest 2 + 32, command digest 2 + n */
    at = HEADER_SIZE + 4 + 2 + 4 + 2;
    at += 2 + (size_t)get_u16(response.bytes + at);
    at += 2 + (size_t)get_u16(response.bytes + at);
    at += 17 + 8 + 8 + 2;
    memset(ret, 0, 64);
    memcpy(ret, response.bytes + at + 2, get_u16(response.bytes + at));
    return rc;
}

static uint32_t audited_or_digest(TSS2_TCTI_CONTEXT *context, uint8_t what, uint8_t *ret)
{
    struct message m, response;

    if (what)
        return audit_digest(context, ret);
    begin(&m, TPM2_ST_NO_SESSIONS, TPM2_CC_ECC_Parameters);
    add_u16(&m, TPM2_ECC_NIST_P256);
    return run(context, &m, &response);
}

/* The same four commands to one TPM from one process, to another from two by turns. */
static void audited_commands_of_all_processes_make_one_digest(void **state)
{
    char first[PATH_MAX], second[PATH_MAX];
    TSS2_TCTI_CONTEXT *context = test_open(test_path(*state, "first", first));
    struct pair pair;
    uint8_t alone[64], together[64];

    assert_int_equal(audit_parameters(context), TPM2_RC_SUCCESS);
    for (int i = 0; i < 4; i++)
        assert_int_equal(audited_or_digest(context, 0, alone), TPM2_RC_SUCCESS);
    assert_int_equal(audit_digest(context, alone), TPM2_RC_SUCCESS);
    test_close(context);

    context = test_open(test_path(*state, "second", second));
    begin_pair(&pair, second, audited_or_digest);
    assert_int_equal(audit_parameters(context), TPM2_RC_SUCCESS);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ask(&pair, 0, NULL), TPM2_RC_SUCCESS);
        assert_int_equal(audited_or_digest(context, 0, together), TPM2_RC_SUCCESS);
    }
    assert_int_equal(ask(&pair, 1, together), TPM2_RC_SUCCESS);
    assert_memory_equal(alone, together, 64);
    end_pair(&pair);
    test_close(context);
}

static uint32_t sequence_of_saved(TSS2_TCTI_CONTEXT *context, uint8_t what, uint8_t *ret)
{
    struct message saved;
    uint32_t key = 0, rc = create_key(context, "", what, KEY_PLAIN, &key);

    if (rc == TPM2_RC_SUCCESS)
        rc = save_context(context, key, &saved);
    if (rc == TPM2_RC_SUCCESS)
        memcpy(ret, saved.bytes, 8);
    (void)flush(context, key);
    return rc;
}

/* The sequence is what a context's key is derived from. */
static void no_two_saved_contexts_have_the_same_sequence(void **state)
{
    TSS2_TCTI_CONTEXT *context = test_open(*state);
    uint8_t sequences[12][64];
    struct pair pair;

    begin_pair(&pair, *state, sequence_of_saved);
    for (uint8_t i = 0; i < 12; i++) {
        if (i & 1)
            assert_int_equal(ask(&pair, i, sequences[i]), TPM2_RC_SUCCESS);
        else
            assert_int_equal(sequence_of_saved(context, i, sequences[i]), TPM2_RC_SUCCESS);
        for (uint8_t j = 0; j < i; j++)
            assert_memory_not_equal(sequences[i], sequences[j], 8);
    }
    end_pair(&pair);
    test_close(context);
}

#define COMMIT 0xff

/* TPM2_Commit gives the counter last. Else an ECDAA signature that spends the
 * value `what` of the counter. */
static uint32_t commit_or_sign(TSS2_TCTI_CONTEXT *context, uint8_t what, uint8_t *ret)
{
    struct message m, response;
    uint32_t key = 0, rc = create_key(context, "", 1, KEY_ECDAA, &key);

    if (rc != TPM2_RC_SUCCESS)
        return rc;
    begin(&m, TPM2_ST_SESSIONS, what == COMMIT ? TPM2_CC_Commit : TPM2_CC_Sign);
    add_u32(&m, key);
    add_password(&m, "");
    if (what != COMMIT) {
        uint8_t digest[32] = {1};

        add_u16(&m, sizeof(digest));
        add_bytes(&m, digest, sizeof(digest));
        add_u16(&m, TPM2_ALG_ECDAA);
        add_u16(&m, TPM2_ALG_SHA256);
        add_u16(&m, what);
        add_u16(&m, TPM2_ST_HASHCHECK);
        add_u32(&m, TPM2_RH_NULL);
        add_u16(&m, 0);
    } else {
        /* No points: only the counter is of interest. */
        add_u16(&m, 4);
        add_u16(&m, 0);
        add_u16(&m, 0);
        add_u16(&m, 0);
        add_u16(&m, 0);
    }
    rc = run(context, &m, &response);
    (void)flush(context, key);
    if (rc == TPM2_RC_SUCCESS && what == COMMIT)
        memcpy(ret, response.bytes + response.size - 5 - 2, 2);
    return rc;
}

static void no_two_processes_get_the_same_commit_counter(void **state)
{
    TSS2_TCTI_CONTEXT *context = test_open(*state);
    uint8_t ours[64], theirs[64];
    struct pair pair;

    begin_pair(&pair, *state, commit_or_sign);
    assert_int_equal(commit_or_sign(context, COMMIT, ours), TPM2_RC_SUCCESS);
    assert_int_equal(ask(&pair, COMMIT, theirs), TPM2_RC_SUCCESS);
    assert_int_equal(get_u16(theirs), get_u16(ours) + 1);
    end_pair(&pair);
    test_close(context);
}

/* Two signatures with one commit value give the private key away. */
static void no_two_processes_spend_the_same_commit_value(void **state)
{
    TSS2_TCTI_CONTEXT *context = test_open(*state);
    uint8_t value[64], scratch[64];
    struct pair pair;

    begin_pair(&pair, *state, commit_or_sign);
    for (int i = 0; i < 2; i++) {
        uint32_t first, second;

        assert_int_equal(commit_or_sign(context, COMMIT, value), TPM2_RC_SUCCESS);
        assert_in_range(get_u16(value), 0, COMMIT - 1);
        first = i ? ask(&pair, value[1], NULL) : commit_or_sign(context, value[1], scratch);
        second = i ? commit_or_sign(context, value[1], scratch) : ask(&pair, value[1], NULL);
        assert_int_equal(first, TPM2_RC_SUCCESS);
        assert_int_not_equal(second, TPM2_RC_SUCCESS);
    }
    end_pair(&pair);
    test_close(context);
}

static uint32_t pcr_event(TSS2_TCTI_CONTEXT *context, uint8_t what, uint8_t *ret)
{
    struct message m, response;
    uint32_t sequence = 0, rc;

    memset(ret, 0, 64);
    if (what) {
        read_pcr(context, 16, ret);
        return TPM2_RC_SUCCESS;
    }
    begin(&m, TPM2_ST_NO_SESSIONS, TPM2_CC_HashSequenceStart);
    add_u16(&m, 0);
    add_u16(&m, TPM2_ALG_NULL);
    rc = run(context, &m, &response);
    if (rc != TPM2_RC_SUCCESS)
        return rc;
    sequence = get_u32(response.bytes + HEADER_SIZE);
    begin(&m, TPM2_ST_SESSIONS, TPM2_CC_EventSequenceComplete);
    add_u32(&m, 16);
    add_u32(&m, sequence);
    add_u32(&m, 18);
    for (int i = 0; i < 2; i++) {
        add_u32(&m, TPM2_RS_PW);
        add_u16(&m, 0);
        add_u8(&m, 1);
        add_u16(&m, 0);
    }
    add_2b(&m, "event");
    return run(context, &m, &response);
}

static void an_event_sequence_is_seen_by_others(void **state)
{
    TSS2_TCTI_CONTEXT *context = test_open(*state);
    uint8_t before[64], ours[64], theirs[64];
    struct pair pair;

    begin_pair(&pair, *state, pcr_event);
    assert_int_equal(ask(&pair, 1, before), TPM2_RC_SUCCESS);
    assert_int_equal(pcr_event(context, 0, ours), TPM2_RC_SUCCESS);
    assert_int_equal(pcr_event(context, 1, ours), TPM2_RC_SUCCESS);
    assert_int_equal(ask(&pair, 1, theirs), TPM2_RC_SUCCESS);
    assert_memory_not_equal(before, ours, 32);
    assert_memory_equal(ours, theirs, 32);
    end_pair(&pair);
    test_close(context);
}

/* TPMS_TIME_INFO begins with the time since startup and the clock, milliseconds. */
static uint32_t read_clock(TSS2_TCTI_CONTEXT *context, uint8_t what, uint8_t *ret)
{
    struct message m, response;
    uint32_t rc = what ? extend_pcr(context, 16) : TPM2_RC_SUCCESS;

    if (rc == TPM2_RC_SUCCESS) {
        begin(&m, TPM2_ST_NO_SESSIONS, TPM2_CC_ReadClock);
        rc = run(context, &m, &response);
    }
    if (rc == TPM2_RC_SUCCESS)
        memcpy(ret, response.bytes + HEADER_SIZE, 16);
    return rc;
}

static void the_clock_never_steps_back_between_processes(void **state)
{
    TSS2_TCTI_CONTEXT *context = test_open(*state);
    uint8_t last[64] = {0}, now[64];
    struct pair pair;

    begin_pair(&pair, *state, read_clock);
    for (int i = 0; i < 1500; i++) {
        if (i & 1)
            assert_int_equal(ask(&pair, i % 3 == 0, now), TPM2_RC_SUCCESS);
        else
            assert_int_equal(read_clock(context, i % 5 == 0, now), TPM2_RC_SUCCESS);
        assert_true(memcmp(now, last, 8) >= 0);
        assert_true(memcmp(now + 8, last + 8, 8) >= 0);
        memcpy(last, now, sizeof(last));
    }
    end_pair(&pair);
    test_close(context);
}

/* --- PIN indexes ------------------------------------------------------------------------- */

#define PIN_INDEX 0x01800010u
#define PIN_LIMIT 25
#define PIN_TRIES 40 /* of each process */

struct pin {
    const char *directory;
    uint32_t attributes; /* beside those that all have */
    const char *given;
    uint32_t answer; /* to a try that counts */
};

static uint32_t define_pin(TSS2_TCTI_CONTEXT *context, uint32_t attributes)
{
    return define_nv(context, PIN_INDEX, attributes | TPMA_NV_AUTHREAD, "right");
}

/* TPMS_NV_PIN_COUNTER_PARAMETERS: pinCount, pinLimit. */
static uint32_t write_pin(TSS2_TCTI_CONTEXT *context, uint32_t limit)
{
    struct message m, response;

    begin(&m, TPM2_ST_SESSIONS, TPM2_CC_NV_Write);
    add_u32(&m, TPM2_RH_OWNER);
    add_u32(&m, PIN_INDEX);
    add_password(&m, "");
    add_u16(&m, 8);
    add_u32(&m, 0);
    add_u32(&m, limit);
    add_u16(&m, 0);
    return run(context, &m, &response);
}

static uint32_t read_pin(TSS2_TCTI_CONTEXT *context, uint32_t by, const char *password,
                         uint32_t *ret_count)
{
    struct message m, response;
    uint32_t rc;

    begin(&m, TPM2_ST_SESSIONS, TPM2_CC_NV_Read);
    add_u32(&m, by);
    add_u32(&m, PIN_INDEX);
    add_password(&m, password);
    add_u16(&m, 8);
    add_u16(&m, 0);
    rc = run(context, &m, &response);
    if (rc == TPM2_RC_SUCCESS && ret_count)
        *ret_count = get_u32(response.bytes + HEADER_SIZE + 6);
    return rc;
}

/* Returns how many tries counted. */
static int try_pins(void *argument)
{
    const struct pin *pin = argument;
    TSS2_TCTI_CONTEXT *context = test_open(pin->directory);
    int counted = 0;

    (void)alarm(60);
    for (int i = 0; i < PIN_TRIES; i++) {
        uint32_t rc = read_pin(context, PIN_INDEX, pin->given, NULL);

        CHILD_CHECK(rc == pin->answer || rc == TPM2_RC_AUTH_UNAVAILABLE);
        counted += rc == pin->answer;
    }
    test_close(context);
    return counted;
}

static void expect_exact_count(const struct pin *pin)
{
    TSS2_TCTI_CONTEXT *context = test_open(pin->directory);
    uint32_t count = 0;
    pid_t children[2];

    assert_int_equal(define_pin(context, pin->attributes), TPM2_RC_SUCCESS);
    assert_int_equal(write_pin(context, PIN_LIMIT), TPM2_RC_SUCCESS);
    for (int i = 0; i < 2; i++)
        children[i] = start_child(try_pins, (void *)(uintptr_t)pin);
    assert_int_equal(wait_child(children[0]) + wait_child(children[1]), PIN_LIMIT);
    assert_int_equal(read_pin(context, TPM2_RH_OWNER, "", &count), TPM2_RC_SUCCESS);
    assert_int_equal(count, PIN_LIMIT);
    test_close(context);
}

#define PIN_FAIL (TPM2_NT_PIN_FAIL << TPMA_NV_TPM2_NT_SHIFT | TPMA_NV_NO_DA)
#define PIN_PASS (TPM2_NT_PIN_PASS << TPMA_NV_TPM2_NT_SHIFT | TPMA_NV_NO_DA)
#define BAD_PIN (TPM2_RC_BAD_AUTH | TPM2_RC_S | TPM2_RC_1)

static void wrong_pins_of_all_processes_are_counted(void **state)
{
    expect_exact_count(&(struct pin){*state, PIN_FAIL, "wrong", BAD_PIN});
}

static void uses_of_a_pin_in_all_processes_are_counted(void **state)
{
    expect_exact_count(&(struct pin){*state, PIN_PASS, "right", TPM2_RC_SUCCESS});
}

/* The count of an orderly index is stored by nothing but a shutdown. */
static void wrong_pins_at_an_orderly_index_are_counted(void **state)
{
    expect_exact_count(&(struct pin){*state, PIN_FAIL | TPMA_NV_ORDERLY, "wrong", BAD_PIN});
}

static void uses_of_an_orderly_pin_are_counted(void **state)
{
    expect_exact_count(&(struct pin){*state, PIN_PASS | TPMA_NV_ORDERLY, "right", TPM2_RC_SUCCESS});
}

/* --- tries ------------------------------------------------------------------------------- */

static uint32_t allow_tries(TSS2_TCTI_CONTEXT *context, uint32_t tries)
{
    struct message m, response;

    begin(&m, TPM2_ST_SESSIONS, TPM2_CC_DictionaryAttackParameters);
    add_u32(&m, TPM2_RH_LOCKOUT);
    add_password(&m, "");
    add_u32(&m, tries);
    add_u32(&m, 100000);
    add_u32(&m, 100000);
    return run(context, &m, &response);
}

/* Returns how many tries were answered. */
static int try_key(void *directory)
{
    TSS2_TCTI_CONTEXT *context = test_open(directory);
    uint32_t key = 0;
    int answered = 0;

    (void)alarm(60);
    CHILD_CHECK(create_key(context, "right", 1, KEY_DA, &key) == TPM2_RC_SUCCESS);
    for (int i = 0; i < PIN_TRIES; i++) {
        uint32_t rc = sign(context, key, "wrong");

        CHILD_CHECK(rc == (TPM2_RC_AUTH_FAIL | TPM2_RC_S | TPM2_RC_1) || rc == TPM2_RC_LOCKOUT);
        answered += rc != TPM2_RC_LOCKOUT;
    }
    CHILD_CHECK(sign(context, key, "right") == TPM2_RC_LOCKOUT);
    test_close(context);
    return answered;
}

/* They sign without the lock. */
static void processes_together_have_as_many_tries_as_one(void **state)
{
    TSS2_TCTI_CONTEXT *context = test_open(*state);
    pid_t children[2];

    assert_int_equal(allow_tries(context, PIN_LIMIT), TPM2_RC_SUCCESS);
    for (int i = 0; i < 2; i++)
        children[i] = start_child(try_key, *state);
    assert_int_equal(wait_child(children[0]) + wait_child(children[1]), PIN_LIMIT);
    assert_int_equal(get_property(context, TPM2_PT_LOCKOUT_COUNTER), PIN_LIMIT);
    test_close(context);
}

/* --- threads ---------------------------------------------------------------------------- */

static struct connection *connection_of(TSS2_TCTI_CONTEXT *context)
{
    const struct chain *chain =
        (const void *)((char *)context + sizeof(TSS2_TCTI_CONTEXT_COMMON_V2));

    return chain->connection;
}

struct signer {
    TSS2_TCTI_CONTEXT *context;
    uint32_t key;
    pthread_barrier_t *start;
    int failures;
};

static void *keep_signing(void *argument)
{
    struct signer *signer = argument;

    (void)pthread_barrier_wait(signer->start);
    for (int i = 0; i < 300; i++)
        signer->failures += sign(signer->context, signer->key, "") != TPM2_RC_SUCCESS;
    return NULL;
}

static void threads_that_would_wait_get_a_copy_of_their_own(void **state)
{
    struct signer signers[2];
    pthread_barrier_t start;
    pthread_t threads[2];

    if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
        print_message("one processor: there is nothing to gain\n");
        skip();
    }
    assert_int_equal(pthread_barrier_init(&start, NULL, 2), 0);
    for (int i = 0; i < 2; i++) {
        signers[i] = (struct signer){.context = test_open(*state), .start = &start};
        assert_int_equal(create_key(signers[i].context, "", (uint8_t)i, KEY_PLAIN, &signers[i].key),
                         TPM2_RC_SUCCESS);
    }
    assert_ptr_equal(connection_of(signers[0].context)->instance,
                     connection_of(signers[1].context)->instance);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, keep_signing, &signers[i]), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(signers[i].failures, 0);
    }
    assert_ptr_not_equal(connection_of(signers[0].context)->instance,
                         connection_of(signers[1].context)->instance);
    for (int i = 0; i < 2; i++)
        test_close(signers[i].context);
    (void)pthread_barrier_destroy(&start);
}

/* Makes the connection find that another thread is inside, and so move. */
static void move_away(TSS2_TCTI_CONTEXT *context)
{
    struct instance *instance = connection_of(context)->instance;

    instance->busy = true;
    assert_int_equal(get_random(context, 8, NULL), TPM2_RC_SUCCESS);
    assert_ptr_not_equal(connection_of(context)->instance, instance);
}

/* Both look at the TPM's table of commands. For the address sanitizer: the copy that
 * had it is gone. */
static void what_watches_and_limits_outlives_the_copy_that_it_began_with(void **state)
{
    char path[PATH_MAX], more[PATH_MAX + 64];
    TSS2_TCTI_CONTEXT *staying = test_open(*state), *moving;
    struct message m, response;

    if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
        test_close(staying);
        skip();
    }
    (void)snprintf(more, sizeof(more), ",profile=minimal,trace=%s",
                   test_path(*state, "trace", path));
    moving = test_open_with(*state, more);
    move_away(moving);
    test_close(staying);
    begin(&m, TPM2_ST_NO_SESSIONS, TPM2_CC_ECC_Parameters);
    add_u16(&m, TPM2_ECC_SM2_P256);
    assert_int_equal(run(moving, &m, &response), TPM2_RC_CURVE | TPM2_RC_P | TPM2_RC_1);
    test_close(moving);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_changes_nothing_waits_for_nobody),
        TEST(who_changes_something_waits_for_its_turn),
        TEST(audited_commands_of_all_processes_make_one_digest),
        TEST(no_two_saved_contexts_have_the_same_sequence),
        TEST(no_two_processes_get_the_same_commit_counter),
        TEST(no_two_processes_spend_the_same_commit_value),
        TEST(an_event_sequence_is_seen_by_others),
        TEST(the_clock_never_steps_back_between_processes),
        TEST(wrong_pins_of_all_processes_are_counted),
        TEST(uses_of_a_pin_in_all_processes_are_counted),
        TEST(wrong_pins_at_an_orderly_index_are_counted),
        TEST(uses_of_an_orderly_pin_are_counted),
        TEST(processes_together_have_as_many_tries_as_one),
        TEST(threads_that_would_wait_get_a_copy_of_their_own),
        TEST(what_watches_and_limits_outlives_the_copy_that_it_began_with),
    };

    return cmocka_run_group_tests_name("emulator: side by side", tests, NULL, NULL);
}
