/* Many threads, each with connections of its own, at all kinds of commands at once.
 * make tsan runs it under ThreadSanitizer, too. What was done is counted, and must
 * be found in the TPMs and in what watched them. */
#include "emulator/test_support.h"

#include "emulator/behaviour/counters.h"

#include <openssl/sha.h>
#include <pthread.h>

#define TPMS 2
#define ROUNDS 8
#define SESSIONS 5 /* a TPM has room for 3 */
#define SIGNATURES 120
#define PCR 16

/* How a worker connects. */
enum {
    PLAIN = 0,
    WATCHED = 1,
    FAULTY = 2,
    AS_CHIP = 4,
};

static const char schedule[] = "GetRandom every 5 answer RETRY\n"
                               "NV_Increment every 4 disk ENOSPC\n"
                               "Sign every 3 delay 50us\n";

struct worker {
    pthread_t thread;
    pthread_barrier_t *start;
    const char *folder; /* of the TPMs, and of the files that are written */
    unsigned tpm;
    unsigned how;
    void (*work)(struct worker *worker);
    /* What it did. */
    unsigned long commands, increments, extends;
    unsigned long random_tries, increment_tries, retries, refusals; /* where faulty */
    uint32_t first_error;
};

/* --- connections ------------------------------------------------------------------- */

static const char *tpm_path(const char *folder, unsigned tpm, char path[PATH_MAX])
{
    return test_path(folder, tpm ? "second" : "first", path);
}

/* Adds ",KEY=FOLDER/KEY". */
static void add_file(char text[PATH_MAX], const char *key, const char *folder)
{
    size_t length = strlen(text);

    (void)snprintf(text + length, PATH_MAX - length, ",%s=%s/%s", key, folder, key);
}

static TSS2_TCTI_CONTEXT *connect_to(const char *folder, unsigned tpm, unsigned how)
{
    char path[PATH_MAX], more[PATH_MAX] = "";

    if (how & AS_CHIP)
        (void)snprintf(more, sizeof(more), ",profile=slb9670,speed=1000000x,seed=1");
    if (how & WATCHED) {
        add_file(more, "trace", folder);
        add_file(more, "pcap", folder);
        add_file(more, "counters", folder);
    }
    if (how & FAULTY)
        add_file(more, "faults", folder);
    return test_open_with(tpm_path(folder, tpm, path), more);
}

static TSS2_TCTI_CONTEXT *open_own(const struct worker *worker)
{
    return connect_to(worker->folder, worker->tpm, worker->how);
}

/* Counts a command; a failure is told at the end, by the test's own thread. */
static bool done(struct worker *worker, uint32_t rc)
{
    worker->commands++;
    if (rc != TPM2_RC_SUCCESS && worker->first_error == TPM2_RC_SUCCESS)
        worker->first_error = rc;
    return rc == TPM2_RC_SUCCESS;
}

static void draw_one(struct worker *worker, TSS2_TCTI_CONTEXT *context)
{
    uint32_t rc = get_random(context, 16, NULL);

    worker->random_tries++;
    while (worker->how & FAULTY && rc == TPM2_RC_RETRY) {
        worker->commands++;
        worker->retries++;
        worker->random_tries++;
        rc = get_random(context, 16, NULL);
    }
    (void)done(worker, rc);
}

static void count_one(struct worker *worker, TSS2_TCTI_CONTEXT *context)
{
    uint32_t rc = increment(context, COUNTER_INDEX);

    worker->increment_tries++;
    if (worker->how & FAULTY && rc == TPM2_RC_NV_UNAVAILABLE) {
        worker->commands++;
        worker->refusals++;
    } else if (done(worker, rc)) {
        worker->increments++;
    }
}

/* --- the workers' rounds ----------------------------------------------------------- */

static void sign_and_load(struct worker *worker)
{
    TSS2_TCTI_CONTEXT *context = open_own(worker);
    struct message saved;
    uint32_t key = 0;

    if (done(worker, create_key(context, "", (uint8_t)worker->tpm, KEY_PLAIN, &key)) &&
        done(worker, sign(context, key, "")) && done(worker, save_context(context, key, &saved)) &&
        done(worker, flush(context, key)) && done(worker, load_context(context, &saved, &key)) &&
        done(worker, sign(context, key, "")))
        (void)done(worker, flush(context, key));
    test_close(context);
}

/* What is left open is flushed with the connection. */
static void use_sessions(struct worker *worker)
{
    TSS2_TCTI_CONTEXT *context = open_own(worker);
    uint32_t key = 0, sessions[SESSIONS] = {0};

    (void)done(worker, create_key(context, "", 1, KEY_PLAIN, &key));
    for (int i = 0; i < SESSIONS; i++)
        (void)done(worker, start_session(context, i % 2 ? TPM2_SE_POLICY : TPM2_SE_HMAC,
                                         &sessions[i], NULL));
    /* Without salt, bind and authorisation value the HMAC may be empty. */
    for (int i = 0; i < SESSIONS; i += 2)
        (void)done(worker,
                   sign_in_session(context, key, sessions[i], TPMA_SESSION_CONTINUESESSION, ""));
    (void)done(worker, flush(context, sessions[0]));
    test_close(context);
}

static void move_a_session(struct worker *worker)
{
    TSS2_TCTI_CONTEXT *from = open_own(worker), *to = open_own(worker);
    struct message saved;
    uint32_t session = 0;

    if (done(worker, start_session(from, TPM2_SE_POLICY, &session, NULL)) &&
        done(worker, save_context(from, session, &saved)) &&
        done(worker, load_context(to, &saved, &session)))
        (void)done(worker, flush(to, session));
    test_close(from);
    test_close(to);
}

static void write_shared(struct worker *worker)
{
    TSS2_TCTI_CONTEXT *context = open_own(worker);
    uint8_t pcr[32];

    count_one(worker, context);
    if (done(worker, extend_pcr(context, PCR)))
        worker->extends++;
    count_one(worker, context);
    read_pcr(context, PCR, pcr);
    (void)read_counter(context, COUNTER_INDEX);
    worker->commands += 2;
    test_close(context);
}

static void inquire(struct worker *worker)
{
    TSS2_TCTI_CONTEXT *context = open_own(worker);

    draw_one(worker, context);
    (void)get_property(context, TPM2_PT_TOTAL_COMMANDS);
    (void)count_handles(context, TRANSIENT_FIRST, NULL);
    (void)count_handles(context, LOADED_SESSION_FIRST, NULL);
    worker->commands += 3;
    draw_one(worker, context);
    test_close(context);
}

/* Two that do only this get in each other's way, and move apart. */
static void keep_signing(struct worker *worker)
{
    TSS2_TCTI_CONTEXT *context = open_own(worker);
    uint32_t key = 0;

    (void)done(worker, create_key(context, "", 2, KEY_PLAIN, &key));
    for (int i = 0; i < SIGNATURES / ROUNDS; i++)
        (void)done(worker, sign(context, key, ""));
    test_close(context);
}

struct inherited {
    TSS2_TCTI_CONTEXT *context;
    uint32_t key;
};

static int use_and_finalize(void *argument)
{
    struct inherited *inherited = argument;
    uint32_t rc;

    (void)alarm(60);
    CHILD_CHECK(increment(inherited->context, COUNTER_INDEX) == TPM2_RC_SUCCESS);
    /* The key is lost if the copy was at work and had it loaded. */
    rc = sign(inherited->context, inherited->key, "");
    CHILD_CHECK(rc == TPM2_RC_SUCCESS || rc == TPM2_RC_REFERENCE_H0);
    test_close(inherited->context);
    return 0;
}

static void fork_a_child(struct worker *worker)
{
    struct inherited inherited = {.context = open_own(worker)};

    (void)done(worker, create_key(inherited.context, "", 3, KEY_PLAIN, &inherited.key));
    if (!SANITIZER_HANGS_AFTER_FORK) {
        if (run_child(use_and_finalize, &inherited) == 0)
            worker->increments++;
        else
            (void)done(worker, TPM2_RC_FAILURE);
        worker->commands += 2;
    }
    (void)done(worker, sign(inherited.context, inherited.key, ""));
    test_close(inherited.context);
}

static void *work(void *argument)
{
    struct worker *worker = argument;

    (void)pthread_barrier_wait(worker->start);
    for (int i = 0; i < ROUNDS && worker->first_error == TPM2_RC_SUCCESS; i++)
        worker->work(worker);
    return NULL;
}

/* --- what must be there at the end --------------------------------------------------- */

static void check_pcr(TSS2_TCTI_CONTEXT *context, unsigned long extends)
{
    uint8_t expected[64] = {0}, found[32];

    memset(expected + 32, 0x22, 32); /* what extend_pcr extends by */
    for (unsigned long i = 0; i < extends; i++) {
        uint8_t next[32];

        (void)SHA256(expected, sizeof(expected), next);
        memcpy(expected, next, sizeof(next));
    }
    read_pcr(context, PCR, found);
    assert_memory_equal(found, expected, 32);
}

static void check_tpm(const char *folder, unsigned tpm, uint64_t counter, unsigned long extends)
{
    TSS2_TCTI_CONTEXT *context = connect_to(folder, tpm, PLAIN);

    assert_int_equal(read_counter(context, COUNTER_INDEX), counter);
    check_pcr(context, extends);
    assert_int_equal(count_handles(context, LOADED_SESSION_FIRST, NULL), 0);
    assert_int_equal(count_handles(context, 0x03000000, NULL), 0); /* saved ones */
    assert_int_equal(count_handles(context, TRANSIENT_FIRST, NULL), 0);
    test_close(context);
}

static void check_trace(const char *folder, unsigned long commands)
{
    char path[PATH_MAX], line[1024];
    FILE *trace = fopen(test_path(folder, "trace", path), "re");
    unsigned long lines = 0;

    assert_non_null(trace);
    for (; fgets(line, sizeof(line), trace); lines++) {
        const char *process = strstr(line, " pid=");

        assert_non_null(process);
        assert_null(strstr(process + 1, " pid="));
        assert_non_null(strstr(line, " rc=0x"));
    }
    (void)fclose(trace);
    assert_int_equal(lines, commands);
}

static uint32_t get_le32(const uint8_t *at)
{
    return (uint32_t)at[3] << 24 | (uint32_t)at[2] << 16 | (uint32_t)at[1] << 8 | at[0];
}

/* A command and its answer are a block each, of type 6. */
static void check_pcap(const char *folder, unsigned long commands)
{
    char path[PATH_MAX];
    FILE *pcap = fopen(test_path(folder, "pcap", path), "re");
    unsigned long packets = 0;
    uint8_t head[8];

    assert_non_null(pcap);
    while (fread(head, sizeof(head), 1, pcap) == 1) {
        uint32_t size = get_le32(head + 4);

        packets += get_le32(head) == 6;
        assert_in_range(size, 12, 2 * MESSAGE_MAX);
        assert_int_equal(fseek(pcap, (long)size - 8, SEEK_CUR), 0);
    }
    (void)fclose(pcap);
    assert_int_equal(packets, 2 * commands);
}

static void check_counters(const char *folder, unsigned long commands)
{
    struct counters counters;
    char path[PATH_MAX];

    assert_int_equal(counters_read(test_path(folder, "counters", path), &counters),
                     TSS2_RC_SUCCESS);
    assert_int_equal(counters_total(&counters).commands, commands);
}

/* What a schedule does is counted over all connections of a TPM that have it. */
static void check_faults(const struct worker *workers, size_t count, unsigned tpm)
{
    struct worker sum = {.commands = 0};

    for (size_t i = 0; i < count; i++) {
        if (workers[i].tpm != tpm || !(workers[i].how & FAULTY))
            continue;
        sum.random_tries += workers[i].random_tries;
        sum.increment_tries += workers[i].increment_tries;
        sum.retries += workers[i].retries;
        sum.refusals += workers[i].refusals;
    }
    assert_int_equal(sum.retries, sum.random_tries / 5);
    assert_int_equal(sum.refusals, sum.increment_tries / 4);
}

/* --- all together --------------------------------------------------------------------- */

static const struct {
    void (*work)(struct worker *worker);
    unsigned tpm, how;
} cast[] = {
    {sign_and_load, 0, WATCHED},         {sign_and_load, 1, FAULTY | AS_CHIP},
    {use_sessions, 0, WATCHED},          {use_sessions, 0, PLAIN},
    {use_sessions, 1, AS_CHIP},          {move_a_session, 0, PLAIN},
    {write_shared, 0, WATCHED | FAULTY}, {write_shared, 0, PLAIN},
    {write_shared, 0, FAULTY},           {write_shared, 1, WATCHED | AS_CHIP},
    {inquire, 0, WATCHED | FAULTY},      {inquire, 0, FAULTY},
    {inquire, 1, WATCHED | AS_CHIP},     {keep_signing, 0, WATCHED},
    {keep_signing, 0, FAULTY},           {keep_signing, 1, PLAIN},
    {fork_a_child, 0, WATCHED},          {fork_a_child, 1, PLAIN},
};
#define WORKERS (sizeof(cast) / sizeof(cast[0]))

static void write_schedule(const char *folder)
{
    char path[PATH_MAX];
    FILE *file = fopen(test_path(folder, "faults", path), "we");

    assert_non_null(file);
    assert_int_equal(fputs(schedule, file) >= 0, 1);
    assert_int_equal(fclose(file), 0);
}

/* Gives the counter's first value. */
static uint64_t prepare_tpm(const char *folder, unsigned tpm)
{
    TSS2_TCTI_CONTEXT *context = connect_to(folder, tpm, PLAIN);
    uint64_t counter;

    assert_int_equal(define_counter(context, COUNTER_INDEX), TPM2_RC_SUCCESS);
    assert_int_equal(increment(context, COUNTER_INDEX), TPM2_RC_SUCCESS);
    counter = read_counter(context, COUNTER_INDEX);
    test_close(context);
    return counter;
}

static void run_all(struct worker workers[WORKERS], const char *folder)
{
    pthread_barrier_t start;

    assert_int_equal(pthread_barrier_init(&start, NULL, WORKERS), 0);
    for (size_t i = 0; i < WORKERS; i++) {
        workers[i] = (struct worker){.start = &start,
                                     .folder = folder,
                                     .tpm = cast[i].tpm,
                                     .how = cast[i].how,
                                     .work = cast[i].work};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (size_t i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
    (void)pthread_barrier_destroy(&start);
}

static void what_many_threads_do_adds_up(void **state)
{
    struct worker workers[WORKERS];
    uint64_t counters[TPMS];
    unsigned long extends[TPMS] = {0}, watched = 0;

    write_schedule(*state);
    for (unsigned tpm = 0; tpm < TPMS; tpm++)
        counters[tpm] = prepare_tpm(*state, tpm);
    run_all(workers, *state);
    for (size_t i = 0; i < WORKERS; i++) {
        if (workers[i].first_error != TPM2_RC_SUCCESS)
            print_error("worker %zu: 0x%x\n", i, workers[i].first_error);
        assert_int_equal(workers[i].first_error, TPM2_RC_SUCCESS);
        counters[workers[i].tpm] += workers[i].increments;
        extends[workers[i].tpm] += workers[i].extends;
        watched += workers[i].how & WATCHED ? workers[i].commands : 0;
    }
    for (unsigned tpm = 0; tpm < TPMS; tpm++) {
        check_tpm(*state, tpm, counters[tpm], extends[tpm]);
        check_faults(workers, WORKERS, tpm);
    }
    check_trace(*state, watched);
    check_pcap(*state, watched);
    check_counters(*state, watched);
}

/* --- a child with threads ------------------------------------------------------------------ */

#define INHERITED 12

static void *close_all_but_one(void *contexts)
{
    for (int i = 1; i < INHERITED; i++)
        test_close(((TSS2_TCTI_CONTEXT **)contexts)[i]);
    return NULL;
}

static int work_and_close_at_once(void *argument)
{
    TSS2_TCTI_CONTEXT **contexts = argument;
    uint32_t rc = TPM2_RC_SUCCESS;
    pthread_t thread;

    (void)alarm(60);
    CHILD_CHECK(pthread_create(&thread, NULL, close_all_but_one, contexts) == 0);
    /* More than a TPM has room for: the connections' objects are looked through. */
    for (uint8_t i = 0; i < 8 && rc == TPM2_RC_SUCCESS; i++)
        rc = create_key(contexts[0], "", i, KEY_PLAIN, NULL);
    CHILD_CHECK(pthread_join(thread, NULL) == 0);
    CHILD_CHECK(rc == TPM2_RC_SUCCESS);
    test_close(contexts[0]);
    return 0;
}

static void a_thread_of_a_child_closes_what_another_does_not_use(void **state)
{
    TSS2_TCTI_CONTEXT *contexts[INHERITED];

    for (int i = 0; i < INHERITED; i++) {
        contexts[i] = connect_to(*state, 0, PLAIN);
        assert_int_equal(create_key(contexts[i], "", 1, KEY_PLAIN, NULL), TPM2_RC_SUCCESS);
    }
    assert_int_equal(run_child(work_and_close_at_once, contexts), 0);
    for (int i = 0; i < INHERITED; i++)
        test_close(contexts[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_many_threads_do_adds_up),
        TEST(a_thread_of_a_child_closes_what_another_does_not_use),
    };

    return cmocka_run_group_tests_name("emulator: threads", tests, NULL, NULL);
}
