#ifndef EMULATOR_LOAD_H
#define EMULATOR_LOAD_H

/* Many processes with many threads on one state: they sign, draw random numbers
 * and make AES keys, while other processes write NV. */

#include "emulator/bench_support.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

#define LOAD_WRITERS_MAX 4
#define LOAD_THREADS_MAX 8
#define DRAWS_MAX 200000 /* of random numbers and of AES keys */
#define DRAW_SIZE 16
#define SIGNATURES_PER_DRAW 16
#define DRAWS_PER_KEY 8
#define COUNTER "01800001"

struct load {
    const char *directory; /* of the TPM's state */
    unsigned processes, threads, writers;
    double seconds;
};

struct load_result {
    double signatures, writes; /* a second */
    double slowest_writes;     /* of one writer */
    uint32_t first_error;      /* a return code; 0: none */
    unsigned long lost_writes;
    unsigned long draws, equal_draws;
};

/* What the processes share, beside the TPM. */
struct blackboard {
    const struct load *load;
    atomic_uint ready, started, stopped;
    atomic_uint first_error;
    atomic_ulong signatures, draw_count;
    atomic_ulong writes[LOAD_WRITERS_MAX];
    uint8_t draws[DRAWS_MAX][DRAW_SIZE];
};

static inline bool note_error(struct blackboard *board, uint32_t rc)
{
    unsigned none = 0;

    if (rc == TPM2_RC_SUCCESS)
        return false;
    (void)atomic_compare_exchange_strong(&board->first_error, &none, rc);
    atomic_store(&board->stopped, 1);
    return true;
}

static inline void note_draw(struct blackboard *board, struct side *side)
{
    const struct value *draw = value_find(side, "draw", 4);
    unsigned long at = atomic_fetch_add(&board->draw_count, 1);

    if (draw && draw->size == 2 + DRAW_SIZE && at < DRAWS_MAX)
        memcpy(board->draws[at], draw->bytes + 2, DRAW_SIZE);
}

static inline void sleep_for(double seconds)
{
    struct timespec rest = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};

    (void)nanosleep(&rest, NULL);
}

static inline void wait_for_start(struct blackboard *board)
{
    struct timespec pause = {0, 200000};

    atomic_fetch_add(&board->ready, 1);
    while (!atomic_load(&board->started) && !atomic_load(&board->stopped))
        (void)nanosleep(&pause, NULL);
}

static inline struct side *load_side(struct blackboard *board)
{
    struct side *side = calloc(1, sizeof(*side));

    if (!side || test_try_open(board->load->directory, &side->context) != TSS2_RC_SUCCESS) {
        (void)note_error(board, NO_ANSWER);
        free(side);
        return NULL;
    }
    side->name = "the embedded TPM";
    return side;
}

static inline void load_side_close(struct side *side)
{
    test_close(side->context);
    free(side);
}

/* --- those who sign ----------------------------------------------------------- */

/* An AES key tells itself by what it makes of zeroes. */
static inline uint32_t draw_key(struct side *side)
{
    uint32_t rc = ask(side,
                      "Create $root pw [ [ ] [ ] ] [ 0025 000b 00060472 [ ] 0006 0080 0043 [ ] ]"
                      " [ ] 00000000",
                      "b=private b=public");

    if (rc == TPM2_RC_SUCCESS)
        rc = ask(side, "Load $root pw $private $public", "h=aes");
    if (rc == TPM2_RC_SUCCESS)
        rc = ask(side, "EncryptDecrypt $aes pw 00 0043 [ 00*16 ] [ 00*16 ]", "b=draw");
    return rc == TPM2_RC_SUCCESS ? ask(side, "FlushContext $aes", "") : rc;
}

static inline uint32_t make_load_keys(struct side *side)
{
    uint32_t rc = ask(side,
                      "CreatePrimary 40000001 pw [ [ ] [ ] ] [ 0023 000b 00030472 [ ] 0006 0080 "
                      "0043 0010 0003 0010 [ ] [ ] ] [ ] 00000000",
                      "h=root");

    return rc ? rc
              : ask(side,
                    "CreatePrimary 40000001 pw [ [ ] [ ] ] [ 0023 000b 00040472 [ ] 0010 0018 "
                    "000b 0003 0010 [ ] [ ] ] [ ] 00000000",
                    "h=key");
}

static inline uint32_t draw(struct side *side, unsigned number)
{
    return number % DRAWS_PER_KEY ? ask(side, "GetRandom 0010", "b=draw") : draw_key(side);
}

static inline void *sign_on(void *argument)
{
    struct blackboard *board = argument;
    struct side *side = load_side(board);
    struct message command, answer;
    unsigned long signatures = 0;

    if (!side)
        return NULL;
    if (!note_error(board, make_load_keys(side)))
        assemble_command(side, "Sign $key pw [ 11*32 ] 0010 8024 40000007 [ ]", &command);
    wait_for_start(board);
    for (; !atomic_load(&board->stopped); signatures++) {
        if (signatures % SIGNATURES_PER_DRAW == 0) {
            if (note_error(board, draw(side, (unsigned)(signatures / SIGNATURES_PER_DRAW))))
                break;
            note_draw(board, side);
        }
        if (note_error(board, send_message(side->context, &command, &answer)))
            break;
    }
    atomic_fetch_add(&board->signatures, signatures);
    load_side_close(side);
    return NULL;
}

/* A process that dies without a word has left no signatures: it is an error. */
static inline int sign_process(struct blackboard *board)
{
    pthread_t threads[LOAD_THREADS_MAX];
    unsigned started = 0;

    while (started < board->load->threads &&
           pthread_create(&threads[started], NULL, sign_on, board) == 0)
        started++;
    for (unsigned i = 0; i < started; i++)
        (void)pthread_join(threads[i], NULL);
    return started == board->load->threads ? 0 : 1;
}

/* --- those who write ------------------------------------------------------------ */

static inline void name_number(struct side *side, const char *name, unsigned long number)
{
    uint8_t bytes[8] = {0};

    put_u32(bytes + 4, (uint32_t)number);
    value_save(side, name, bytes, sizeof(bytes));
}

static inline void name_index(struct side *side, unsigned writer)
{
    uint8_t bytes[4];

    put_u32(bytes, 0x01500100u + writer);
    value_save(side, "index", bytes, sizeof(bytes));
}

static inline int write_process(struct blackboard *board, unsigned writer)
{
    struct side *side = load_side(board);

    if (!side)
        return 1;
    name_index(side, writer);
    wait_for_start(board);
    for (unsigned long number = 1; !atomic_load(&board->stopped); number++) {
        name_number(side, "number", number);
        if (note_error(board, ask(side, "NV_Write 40000001 $index pw [ $number ] 0000", "")) ||
            note_error(board, ask(side, "NV_Increment 40000001 " COUNTER " pw", "")))
            break;
        atomic_store(&board->writes[writer], number);
        /* Else the lock would seldom go to another, and what one forgets to publish
         * now it would publish with the next. */
        sleep_for(0.0002);
    }
    load_side_close(side);
    return 0;
}

/* --- the whole ------------------------------------------------------------------- */

static inline uint64_t load_read(struct side *side, const char *command)
{
    const struct value *value;

    if (ask(side, command, "b=read") != TPM2_RC_SUCCESS)
        return 0;
    value = value_find(side, "read", 4);
    return (uint64_t)get_u32(value->bytes + 2) << 32 | get_u32(value->bytes + 6);
}

#define READ_COUNTER "NV_Read 40000001 " COUNTER " pw 0008 0000"

/* Defines what is written; the counter's value at first. */
static inline uint64_t prepare_writes(struct blackboard *board, struct side *side)
{
    uint32_t rc;

    for (unsigned i = 0; i < board->load->writers; i++) {
        name_index(side, i);
        rc = ask(side, "NV_DefineSpace 40000001 pw [ ] [ $index 000b 02020002 [ ] 0008 ]", "");
        if (rc != TPM2_RC_NV_DEFINED)
            (void)note_error(board, rc);
    }
    if (!board->load->writers)
        return 0;
    rc = ask(side, "NV_DefineSpace 40000001 pw [ ] [ " COUNTER " 000b 02020012 [ ] 0008 ]", "");
    if (rc != TPM2_RC_NV_DEFINED)
        (void)note_error(board, rc);
    (void)note_error(board, ask(side, "NV_Increment 40000001 " COUNTER " pw", ""));
    return load_read(side, READ_COUNTER);
}

/* How many acknowledged writes are not to be found. */
static inline unsigned long count_lost(struct blackboard *board, struct side *side, uint64_t before)
{
    unsigned long written = 0, lost = 0;

    if (!board->load->writers)
        return 0;
    for (unsigned i = 0; i < board->load->writers; i++) {
        unsigned long number = atomic_load(&board->writes[i]);

        written += number;
        name_index(side, i);
        lost += load_read(side, "NV_Read 40000001 $index pw 0008 0000") != number;
    }
    return lost + (load_read(side, READ_COUNTER) != before + written);
}

static inline int compare_draws(const void *a, const void *b)
{
    return memcmp(a, b, DRAW_SIZE);
}

static inline void count_draws(struct blackboard *board, struct load_result *ret)
{
    unsigned long count = atomic_load(&board->draw_count);

    ret->draws = count < DRAWS_MAX ? count : DRAWS_MAX;
    qsort(board->draws, ret->draws, DRAW_SIZE, compare_draws);
    ret->equal_draws = 0;
    for (unsigned long i = 1; i < ret->draws; i++)
        ret->equal_draws += memcmp(board->draws[i - 1], board->draws[i], DRAW_SIZE) == 0;
}

static inline pid_t start_worker(struct blackboard *board, unsigned number)
{
    pid_t child = fork();

    if (child == 0)
        _exit(number < board->load->processes
                  ? sign_process(board)
                  : write_process(board, number - board->load->processes));
    return child;
}

/* Starts all at the same moment; how long they ran, in seconds. */
static inline double run_workers(struct blackboard *board)
{
    const struct load *load = board->load;
    unsigned count = load->processes + load->writers;
    unsigned wanted = load->processes * load->threads + load->writers;
    pid_t children[64];
    double begin, end;
    int status;

    assert_in_range(count, 1, 64);
    for (unsigned i = 0; i < count; i++)
        children[i] = start_worker(board, i);
    for (int i = 0; i < 60000 && atomic_load(&board->ready) < wanted; i++)
        sleep_for(0.001);
    if (atomic_load(&board->ready) < wanted)
        (void)note_error(board, NO_ANSWER);
    begin = microseconds();
    atomic_store(&board->started, 1);
    for (double left = load->seconds; left > 0 && !atomic_load(&board->stopped); left -= 0.1)
        sleep_for(left < 0.1 ? left : 0.1);
    atomic_store(&board->stopped, 1);
    end = microseconds();
    for (unsigned i = 0; i < count; i++)
        if (waitpid(children[i], &status, 0) != children[i] || status != 0)
            (void)note_error(board, NO_ANSWER);
    return (end - begin) / 1e6;
}

/* The directory's TPM is not opened in this process before: it forks. */
static inline void load_run(const struct load *load, struct load_result *ret)
{
    struct blackboard *board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE,
                                    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    struct side *side;
    uint64_t before;
    double seconds;

    assert_true(board != MAP_FAILED);
    assert_in_range(load->writers, 0, LOAD_WRITERS_MAX);
    assert_in_range(load->threads, 1, LOAD_THREADS_MAX);
    board->load = load;
    memset(ret, 0, sizeof(*ret));
    side = load_side(board);
    assert_non_null(side);
    before = prepare_writes(board, side);
    seconds = run_workers(board);
    ret->lost_writes = count_lost(board, side, before);
    load_side_close(side);
    ret->signatures = (double)atomic_load(&board->signatures) / seconds;
    for (unsigned i = 0; i < load->writers; i++) {
        double writes = (double)atomic_load(&board->writes[i]) / seconds;

        ret->writes += writes;
        if (i == 0 || writes < ret->slowest_writes)
            ret->slowest_writes = writes;
    }
    ret->first_error = atomic_load(&board->first_error);
    count_draws(board, ret);
    (void)munmap(board, sizeof(*board));
}

#endif
