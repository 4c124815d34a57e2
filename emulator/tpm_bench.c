/* The embedded TPM beside bare libtpms and beside swtpm over its two kinds of socket.
 *     tpm_bench commands DIRECTORY UNIX-TCTI TCP-TCTI   time per command
 *     tpm_bench overhead DIRECTORY                      over TPMLIB_Process
 *     tpm_bench start DIRECTORY COUNT                   to the first random number
 * DIRECTORY is the embedded TPM's state; TCTI are configurations of libtss2-tctildr.
 * Commands are raw bytes: no ESYS takes part. */
#include "emulator/bench_libtpms.h"

#include <tss2/tss2_tctildr.h>

#define TIMES_MAX 20000
#define ROW_MICROSECONDS 700e3 /* for all sides together */
#define STEPS_MAX 3

/* --- what is measured ------------------------------------------------------------- */

#define STORAGE "[ 0023 000b 00030472 [ ] 0006 0080 0043 0010 0003 0010 [ ] [ ] ]"
#define P256(attributes) "[ 0023 000b " attributes " [ ] 0010 0010 0003 0010 [ ] [ ] ]"
#define RSA2048 "[ 0001 000b 00040472 [ ] 0010 0010 0800 00000000 [ ] ]"
#define PRIMARY(template) "CreatePrimary 40000001 pw [ [ ] [ ] ] " template " [ ] 00000000"
#define NO_TICKET "8024 40000007 [ ]"
#define START_POLICY "StartAuthSession 40000007 40000007 [ 00*16 ] [ ] 01 0010 000b"

struct step {
    const char *command, *fields;
};

/* A row's keys are $a and $b, its session $s; they are flushed after it. */
static const struct row {
    const char *name;
    struct step prepare[STEPS_MAX];
    struct step steps[STEPS_MAX]; /* what is timed, together */
    double count;                 /* of commands to share the time among; 0: it is told whole */
} rows[] = {
    {"GetRandom", {{0}}, {{"GetRandom 0020", ""}}, 1},
    {"ReadPublic", {{PRIMARY(STORAGE), "h=a"}}, {{"ReadPublic $a", ""}}, 1},
    {"GetCapability", {{0}}, {{"GetCapability 00000006 00000100 00000040", ""}}, 1},
    {"PCR_Read", {{0}}, {{"PCR_Read 00000001 000b 03 ff0000", ""}}, 1},
    {"PCR_Extend", {{0}}, {{"PCR_Extend 00000010 pw 00000001 000b 11*32", ""}}, 1},
    {"NV_Read",
     {{"NV_DefineSpace 40000001 pw [ ] [ 01500001 000b 02020002 [ ] 0020 ]", ""},
      {"NV_Write 40000001 01500001 pw [ 11*32 ] 0000", ""}},
     {{"NV_Read 40000001 01500001 pw 0020 0000", ""}},
     1},
    {"NV_Write",
     {{"NV_DefineSpace 40000001 pw [ ] [ 01500003 000b 02020002 [ ] 0020 ]", ""}},
     {{"NV_Write 40000001 01500003 pw [ 11*32 ] 0000", ""},
      {"NV_Write 40000001 01500003 pw [ 22*32 ] 0000", ""}},
     2},
    {"NV_Increment",
     {{"NV_DefineSpace 40000001 pw [ ] [ 01500002 000b 02020012 [ ] 0008 ]", ""}},
     {{"NV_Increment 40000001 01500002 pw", ""}},
     1},
    {"Load, P-256, and flush",
     {{PRIMARY(STORAGE), "h=a"},
      {"Create $a pw [ [ ] [ ] ] " P256("00040072") " [ ] 00000000", "b=private b=public"}},
     {{"Load $a pw $private $public", "h=b"}, {"FlushContext $b", ""}},
     0},
    {"Create P-256",
     {{PRIMARY(STORAGE), "h=a"}},
     {{"Create $a pw [ [ ] [ ] ] " P256("00040072") " [ ] 00000000", ""}},
     1},
    {"CreatePrimary P-256, flush", {{0}}, {{PRIMARY(STORAGE), "h=b"}, {"FlushContext $b", ""}}, 0},
    {"Sign P-256",
     {{PRIMARY(P256("00040472")), "h=a"}},
     {{"Sign $a pw [ 11*32 ] 0018 000b " NO_TICKET, ""}},
     1},
    {"Sign RSA-2048",
     {{PRIMARY(RSA2048), "h=a"}},
     {{"Sign $a pw [ 11*32 ] 0014 000b " NO_TICKET, ""}},
     1},
    {"ECDH_ZGen P-256",
     {{PRIMARY(P256("00020472")), "h=a"}, {"ECDH_KeyGen $a", "b b=point"}},
     {{"ECDH_ZGen $a pw $point", ""}},
     1},
    {"HMAC",
     {{PRIMARY("[ 0008 000b 00040472 [ ] 0005 000b [ ] ]"), "h=a"}},
     {{"HMAC $a pw [ 11*64 ] 000b", ""}},
     1},
    {"Hash", {{0}}, {{"Hash [ 11*64 ] 000b 40000001", ""}}, 1},
    {"Unseal",
     {{"CreatePrimary 40000001 pw [ [ ] [ 11*32 ] ] [ 0008 000b 00000452 [ ] 0010 [ ] ] [ ] "
       "00000000",
       "h=a"}},
     {{"Unseal $a pw", ""}},
     1},
    {"EncryptDecrypt AES-128",
     {{PRIMARY("[ 0025 000b 00060472 [ ] 0006 0080 0043 [ ] ]"), "h=a"}},
     {{"EncryptDecrypt $a pw 00 0043 [ 00*16 ] [ 11*64 ]", ""}},
     1},
    {"ContextSave, Load, flush",
     {{PRIMARY(STORAGE), "h=a"}},
     {{"ContextSave $a", "c=ctx"}, {"ContextLoad $ctx", "h=b"}, {"FlushContext $b", ""}},
     0},
    {"StartAuthSession, flush", {{0}}, {{START_POLICY, "h=b"}, {"FlushContext $b", ""}}, 0},
    {"PolicyPCR, PolicyRestart",
     {{START_POLICY, "h=s"}},
     {{"PolicyPCR $s [ ] 00000001 000b 03 000001", ""}, {"PolicyRestart $s", ""}},
     2},
    {"PolicySecret",
     {{START_POLICY, "h=s"}},
     {{"PolicySecret 40000001 $s pw [ ] [ ] [ ] 00000000", ""}},
     1},
    {"PolicyGetDigest", {{START_POLICY, "h=s"}}, {{"PolicyGetDigest $s", ""}}, 1},
    {"Quote, P-256",
     {{PRIMARY("[ 0023 000b 00050472 [ ] 0010 0018 000b 0003 0010 [ ] [ ] ]"), "h=a"}},
     {{"Quote $a pw [ 11*16 ] 0010 00000001 000b 03 ff0000", ""}},
     1},
};

static void must(struct side *side, const struct step *step)
{
    uint32_t rc = ask(side, step->command, step->fields);
    char text[128];

    if (rc == TPM2_RC_SUCCESS || rc == TPM2_RC_NV_DEFINED)
        return;
    (void)snprintf(text, sizeof(text), "%s answers 0x%x", side->name, rc);
    give_up(step->command, text);
}

static void prepare(struct side *side, const struct row *row)
{
    for (size_t i = 0; i < STEPS_MAX && row->prepare[i].command; i++)
        must(side, &row->prepare[i]);
}

static void clean_up(struct side *side, const struct row *row)
{
    static const struct {
        const char *field;
        struct step flush;
    } made[] = {{"h=a", {"FlushContext $a", ""}}, {"h=s", {"FlushContext $s", ""}}};

    for (size_t i = 0; i < COUNT_OF(made); i++)
        if (row->prepare[0].fields && strcmp(row->prepare[0].fields, made[i].field) == 0)
            must(side, &made[i].flush);
}

/* A single command is put together before; the words of several cost each side the
 * same, some 1 µs each. */
static double time_steps(struct side *side, const struct row *row, const struct message *single)
{
    static struct message answer;
    double begin = microseconds();

    if (!row->steps[1].command) {
        if (send_message(side->context, single, &answer) != TPM2_RC_SUCCESS)
            give_up(row->name, side->name);
        return microseconds() - begin;
    }
    for (size_t i = 0; i < STEPS_MAX && row->steps[i].command; i++)
        must(side, &row->steps[i]);
    return (microseconds() - begin) / (row->count > 0 ? row->count : 1);
}

#define SIDES_MAX 5
#define WARM_UP 3

/* All sides in turn, round by round. */
static void measure(struct side *sides, size_t count, const struct row *row, double *ret_medians)
{
    static double times[SIDES_MAX][TIMES_MAX];
    static struct message single[SIDES_MAX];
    double begin = 0;
    size_t rounds = 0;

    for (size_t i = 0; i < count; i++) {
        prepare(&sides[i], row);
        assemble_command(&sides[i], row->steps[0].command, &single[i]);
        for (int j = 0; j < WARM_UP; j++)
            (void)time_steps(&sides[i], row, &single[i]);
    }
    begin = microseconds();
    while (rounds < 20 || (rounds < TIMES_MAX && microseconds() - begin < ROW_MICROSECONDS)) {
        for (size_t i = 0; i < count; i++)
            times[i][rounds] = time_steps(&sides[i], row, &single[i]);
        rounds++;
    }
    for (size_t i = 0; i < count; i++) {
        clean_up(&sides[i], row);
        ret_medians[i] = median(times[i], rounds);
    }
}

static const char *judge(double value, double goal)
{
    return value <= goal ? "met" : "NOT MET";
}

static void compare_commands(const char *directory, char **swtpm)
{
    static struct side sides[SIDES_MAX] = {{.name = "libtpms"},
                                           {.name = "embedded"},
                                           {.name = "swtpm unix"},
                                           {.name = "swtpm tcp"},
                                           {.name = "sync=off"}};
    char unsynced[PATH_MAX];

    sides[0].context = direct_open();
    sides[1].context = test_open(directory);
    /* A TPM of its own: one connection that syncs is enough to make all do so. */
    (void)snprintf(unsynced, sizeof(unsynced), "%s.unsynced", directory);
    sides[4].context = test_open_with(unsynced, ",sync=off");
    for (size_t i = 0; i < 2; i++)
        if (Tss2_TctiLdr_Initialize(swtpm[i], &sides[2 + i].context) != TSS2_RC_SUCCESS)
            give_up(swtpm[i], "not reached");
    must(&sides[0], &(struct step){"Startup 0000", ""});
    printf("%-28s %9s %9s %11s %10s %8s     %s\n", "microseconds per command", "libtpms",
           "embedded", "swtpm unix", "swtpm tcp", "ratio", "goal");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        bool writes = strncmp(rows[i].name, "NV_", 3) == 0 && strcmp(rows[i].name, "NV_Read") != 0;
        double m[SIDES_MAX], ratio;

        measure(sides, writes ? SIDES_MAX : SIDES_MAX - 1, &rows[i], m);
        ratio = m[1] / (m[2] < m[3] ? m[2] : m[3]);
        printf("%-28s %9.1f %9.1f %11.1f %10.1f %8.3f     1  %s\n", rows[i].name, m[0], m[1], m[2],
               m[3], ratio, judge(ratio, 1));
        (void)fflush(stdout);
        if (!writes)
            continue;
        /* swtpm syncs nothing. */
        ratio *= m[4] / m[1];
        printf("  without syncs (sync=off)   %9s %9.1f %11s %10s %8.3f     1  %s\n", "", m[4], "",
               "", ratio, judge(ratio, 1));
        (void)fflush(stdout);
    }
    test_close(sides[1].context);
    test_close(sides[4].context);
    Tss2_TctiLdr_Finalize(&sides[2].context);
    Tss2_TctiLdr_Finalize(&sides[3].context);
}

/* --- what the emulator adds --------------------------------------------------------- */

#define KEYS 6

/* ReadPublic of the keys in turn: each of more than three has to be swapped in. */
static double time_keys(struct side *side, const uint32_t *keys, size_t count)
{
    static double times[TIMES_MAX];
    struct message command, answer;
    size_t rounds = TIMES_MAX / 4;

    begin(&command, TPM2_ST_NO_SESSIONS, TPM2_CC_ReadPublic);
    add_u32(&command, 0);
    put_u32(command.bytes + 2, (uint32_t)command.size);
    for (size_t i = 0; i < rounds; i++) {
        double start;

        put_u32(command.bytes + HEADER_SIZE, keys[i % count]);
        start = microseconds();
        if (send_message(side->context, &command, &answer) != TPM2_RC_SUCCESS)
            give_up("ReadPublic", side->name);
        times[i] = microseconds() - start;
    }
    return median(times, rounds);
}

static void make_keys(struct side *side, uint32_t *keys, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        must(side, &(struct step){PRIMARY(STORAGE), "h=a"});
        keys[i] = get_u32(value_find(side, "a", 1)->bytes);
    }
}

static void print_overhead(const char *name, double direct_time, double time, double goal)
{
    printf("%-28s %9.2f %9.2f %11.2f %22s %.0f  %s\n", name, direct_time, time, time - direct_time,
           "", goal, judge(time - direct_time, goal));
}

static void measure_overhead(const char *directory)
{
    static struct side bare = {.name = "libtpms"}, embedded = {.name = "embedded"};

    static const struct row random = {"GetRandom", {{0}}, {{"GetRandom 0020", ""}}, 1};
    uint32_t key, keys[KEYS];
    double times[2];
    struct side pair[2];

    bare.context = direct_open();
    embedded.context = test_open(directory);
    must(&bare, &(struct step){"Startup 0000", ""});
    printf("%-28s %9s %9s %11s %22s %s\n", "over TPMLIB_Process", "libtpms", "embedded", "more", "",
           "goal, microseconds");
    pair[0] = bare;
    pair[1] = embedded;
    measure(pair, 2, &random, times);
    print_overhead("GetRandom", times[0], times[1], 3);
    make_keys(&bare, &key, 1);
    make_keys(&embedded, keys, KEYS);
    times[0] = time_keys(&bare, &key, 1);
    print_overhead("ReadPublic", times[0], time_keys(&embedded, keys, 1), 3);
    print_overhead("ReadPublic, 6 keys in turn", times[0], time_keys(&embedded, keys, KEYS), 15);
    test_close(embedded.context);
}

/* --- new processes -------------------------------------------------------------------- */

static double time_opening(const char *directory, TSS2_TCTI_CONTEXT **ret)
{
    double begin = microseconds();

    *ret = test_open(directory);
    if (get_random(*ret, 32, NULL) != TPM2_RC_SUCCESS)
        give_up(directory, "no random number");
    return microseconds() - begin;
}

/* A new process: cold, then another TPM, then another connection to the first. */
static void time_openings(const char *directory)
{
    char other[PATH_MAX];
    TSS2_TCTI_CONTEXT *contexts[3];
    double times[3];

    (void)snprintf(other, sizeof(other), "%s.other", directory);
    times[0] = time_opening(directory, &contexts[0]);
    times[1] = time_opening(other, &contexts[1]);
    times[2] = time_opening(directory, &contexts[2]);
    for (size_t i = 0; i < 3; i++)
        test_close(contexts[i]);
    printf("%.1f %.1f %.1f\n", times[0], times[1], times[2]);
}

static void read_times(const char *program, const char *directory, double *times[3], size_t at)
{
    char command[2 * PATH_MAX];
    FILE *answer;

    (void)snprintf(command, sizeof(command), "'%s' open '%s'", program, directory);
    answer = popen(command, "r");
    if (!answer || fscanf(answer, "%lf %lf %lf", &times[0][at], &times[1][at], &times[2][at]) != 3)
        give_up("open", "a process gave no times");
    (void)pclose(answer);
}

static void measure_starts(const char *program, const char *directory, size_t count)
{
    static double cold[TIMES_MAX], other[TIMES_MAX], second[TIMES_MAX];
    static const char *const names[] = {"new process", "second TPM in the process",
                                        "second connection"};
    static const double goals[] = {4, 0.5, 0.5};
    double *times[3] = {cold, other, second};

    if (count < 1 || count > TIMES_MAX)
        give_up("start", "how many processes?");
    for (size_t i = 0; i < count; i++)
        read_times(program, directory, times, i);
    printf("%-28s %12s %38s %s\n", "to the first random number", "milliseconds", "", "goal");
    for (size_t i = 0; i < 3; i++) {
        double time = median(times[i], count) / 1e3;

        printf("%-28s %12.2f %38s %.1f  %s\n", names[i], time, "", goals[i], judge(time, goals[i]));
    }
}

int main(int argc, char **argv)
{
    const char *what = argc > 2 ? argv[1] : "";

    if (argc == 5 && strcmp(what, "commands") == 0)
        compare_commands(argv[2], argv + 3);
    else if (argc == 3 && strcmp(what, "overhead") == 0)
        measure_overhead(argv[2]);
    else if (argc == 4 && strcmp(what, "start") == 0)
        measure_starts(argv[0], argv[2], (size_t)atoi(argv[3]));
    else if (argc == 3 && strcmp(what, "open") == 0)
        time_openings(argv[2]);
    else
        give_up("usage", "commands DIRECTORY UNIX-TCTI TCP-TCTI | overhead DIRECTORY | "
                         "start DIRECTORY COUNT");
    return 0;
}
