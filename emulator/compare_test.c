#include "emulator/compare_answer.h"

#include "emulator/conf.h"
#include "emulator/connection.h"
#include "emulator/libtpms.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <time.h>
#include <tss2/tss2_tcti_swtpm.h>
#include <tss2/tss2_tctildr.h>

/* The same commands go to a bare embedded TPM and to a swtpm that begin with the
 * same permanent state; the answers must be equal in all that a TPM does not draw
 * at random or take from its clock. The commands are in compare_rows/. */

#define ROWS_MAX 400

struct row {
    unsigned line;
    char text[1024];
    uint32_t rc;
    bool alone; /* the answer is as swtpm's if one process alone uses the TPM */
    const char *name, *command, *fields; /* within the text */
};

struct pair {
    struct side embedded, swtpm;
    /* The embedded TPM once more, from another copy of the library: for all that is
     * shared that is another process. NULL, or each second command's. */
    TSS2_TCTI_CONTEXT *other;
    struct row rows[ROWS_MAX];
    size_t row_count;
    size_t rows_run;
    struct conf conf; /* of the embedded TPM */
    pid_t child;      /* swtpm */
    unsigned wrong;
    const char *script;
    bool newer; /* libtpms is 0.10 or newer */
};

/* --- the two TPMs ------------------------------------------------------------ */

/* From 0.8 on swtpm sends a TPM2_Shutdown before it takes the power away. */
static bool swtpm_shuts_down(void)
{
    return system("swtpm socket --tpm2 --print-capabilities 2>&1 | "
                  "grep -q flags-opt-disable-auto-shutdown") == 0;
}

/* It ends with this process at the latest. */
static pid_t start_swtpm(const char *directory)
{
    const char *flags = swtpm_shuts_down() ? "not-need-init,startup-clear,disable-auto-shutdown"
                                           : "not-need-init,startup-clear";
    pid_t child = fork();
    int log;

    assert_true(child >= 0);
    if (child > 0)
        return child;
    if (chdir(directory) != 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
        _exit(126);
    log = open("log", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    (void)dup2(log, STDOUT_FILENO);
    (void)dup2(log, STDERR_FILENO);
    (void)execlp("swtpm", "swtpm", "socket", "--tpm2", "--tpmstate", "dir=swtpm", "--server",
                 "type=unixio,path=socket", "--ctrl", "type=unixio,path=socket.ctrl", "--flags",
                 flags, (char *)NULL);
    _exit(127);
}

static void wait_a_moment(void)
{
    struct timespec pause = {0, 10000000};

    (void)nanosleep(&pause, NULL);
}

static void wait_for(const char *path)
{
    for (int i = 0; i < 1000 && access(path, F_OK) != 0; i++)
        wait_a_moment();
}

/* Nothing that is built is linked to this library. */
static void *swtpm_function(const char *name)
{
    void *library = dlopen("libtss2-tcti-swtpm.so.0", RTLD_NOW | RTLD_LOCAL);
    void *function = library ? dlsym(library, name) : NULL;

    if (!function)
        fail_msg("%s", dlerror());
    return function;
}

static TSS2_TCTI_CONTEXT *connect_swtpm(const char *directory)
{
    __typeof__(&Tss2_Tcti_Swtpm_Init) init;
    char configuration[PATH_MAX + 16], path[PATH_MAX];
    TSS2_TCTI_CONTEXT *context;
    size_t size = 0;

    *(void **)&init = swtpm_function("Tss2_Tcti_Swtpm_Init");
    /* The TCTI complains of what it will find a moment later. */
    wait_for(test_path(directory, "socket.ctrl", path));
    (void)snprintf(configuration, sizeof(configuration), "path=%s/socket", directory);
    assert_int_equal(init(NULL, &size, configuration), TSS2_RC_SUCCESS);
    context = calloc(1, size);
    assert_non_null(context);
    for (int i = 0; i < 1000; i++) {
        if (init(context, &size, configuration) == TSS2_RC_SUCCESS)
            return context;
        wait_a_moment();
    }
    fail_msg("swtpm does not answer on %s", configuration);
    return NULL;
}

static TSS2_TCTI_CONTEXT *connect_again(const char *state)
{
    char library[PATH_MAX], configuration[3 * PATH_MAX];
    TSS2_TCTI_CONTEXT *context = NULL;

    assert_non_null(library_directory(library));
    (void)snprintf(configuration, sizeof(configuration),
                   "%s/libtss2-tcti-signet.so.0:dir=%s,rm=off", library, state);
    assert_int_equal(Tss2_TctiLdr_Initialize(configuration, &context), TSS2_RC_SUCCESS);
    return context;
}

static bool libtpms_is_newer(void)
{
    struct tpm_backend *tpm = NULL;
    bool newer;

    assert_int_equal(libtpms_open(&tpm), TSS2_RC_SUCCESS);
    newer = libtpms_version(tpm) >> 8 >= 0x000a;
    tpm->operations->close(tpm);
    return newer;
}

/* One permanent state for both, so that seeds and all that comes of them are alike. */
static struct pair *pair_open(const char *directory, bool by_turns)
{
    struct pair *pair = calloc(1, sizeof(*pair));
    char path[PATH_MAX], script[4 * PATH_MAX];

    need_program("swtpm", "swtpm");
    assert_non_null(pair);
    pair->newer = libtpms_is_newer();
    test_close(test_open(test_path(directory, "first", path)));
    (void)snprintf(script, sizeof(script),
                   "cd '%s' && mkdir -m 700 embedded swtpm && cp first/tpm2-00.permall embedded && "
                   "cp first/tpm2-00.permall swtpm",
                   directory);
    assert_int_equal(system(script), 0);
    pair->embedded.name = "the embedded TPM";
    pair->embedded.context = test_open_with(test_path(directory, "embedded", path), ",rm=off");
    (void)snprintf(script, sizeof(script), "dir=%s,rm=off", path);
    assert_int_equal(conf_read(script, &pair->conf), TSS2_RC_SUCCESS);
    if (by_turns)
        pair->other = connect_again(path);
    pair->swtpm.name = "swtpm";
    pair->child = start_swtpm(directory);
    pair->swtpm.context = connect_swtpm(directory);
    return pair;
}

static void take_turns(struct pair *pair)
{
    TSS2_TCTI_CONTEXT *context = pair->embedded.context;

    if (!pair->other)
        return;
    pair->embedded.context = pair->other;
    pair->other = context;
}

static void pair_close(struct pair *pair)
{
    if (pair->rows_run % 2)
        take_turns(pair);
    test_close(pair->embedded.context);
    if (pair->other)
        Tss2_TctiLdr_Finalize(&pair->other);
    test_close(pair->swtpm.context);
    /* Some swtpm forget a SIGTERM that comes just before they wait. */
    (void)kill(pair->child, SIGKILL);
    (void)waitpid(pair->child, NULL, 0);
    free(pair);
}

/* --- scripts ------------------------------------------------------------------ */

static void define(struct side *side, const char *text)
{
    struct message bytes = {0};
    struct assembly a = {.side = side, .out = &bytes};
    char words[1024], *rest = words, *name;

    (void)snprintf(words, sizeof(words), "%s", text);
    name = strsep(&rest, " ");
    assert_non_null(rest);
    assemble_words(&a, rest);
    value_save(side, name, bytes.bytes, bytes.size);
}

/* [alone] RC[/RC]  name : command : fields; the second RC is that of libtpms 0.10 */
static void parse_row(const char *line, unsigned number, bool newer, struct row *ret)
{
    char *rest;

    ret->line = number;
    (void)snprintf(ret->text, sizeof(ret->text), "%s", line);
    ret->alone = strncmp(line, "alone ", 6) == 0;
    ret->rc = (uint32_t)strtoul(ret->text + (ret->alone ? 6 : 0), &rest, 16);
    if (*rest == '/') {
        uint32_t other = (uint32_t)strtoul(rest + 1, &rest, 16);

        ret->rc = newer ? other : ret->rc;
    }
    ret->name = rest + strspn(rest, " ");
    rest = strstr(rest, " : ");
    if (!rest)
        fail_msg("not a row: %s", line);
    *rest = '\0';
    ret->command = rest + 3;
    rest = strstr(rest + 3, " : ");
    ret->fields = rest ? rest + 3 : "";
    if (rest)
        *rest = '\0';
}

static void show(const char *who, const struct message *message)
{
    print_error("    %s:", who);
    for (size_t i = 0; i < message->size; i++)
        print_error("%s%02x", i % 4 == 2 ? " " : "", message->bytes[i]);
    print_error("\n");
}

static void ask(struct side *side, const struct row *row, struct message *command,
                struct message *answer)
{
    side->row = row->name;
    assemble_command(side, row->command, command);
    if (test_send(side->context, command->bytes, command->size, answer) == TPM2_RC_SUCCESS)
        answer_read(side, row->fields, answer);
}

/* What a TPM shows of itself: PCRs, handles, properties that vary. */
static const char *const views[] = {
    "PCR_Read 00000001 0004 03 0100c1",         "PCR_Read 00000001 000b 03 0100c1",
    "GetCapability 00000001 01000000 000000fe", "GetCapability 00000001 02000000 000000fe",
    "GetCapability 00000001 03000000 000000fe", "GetCapability 00000001 80000000 000000fe",
    "GetCapability 00000001 81000000 000000fe", "GetCapability 00000004 00000000 000000fe",
    "GetCapability 00000006 00000200 0000007f",
};

/* Had the command been taken for one that changes nothing, the process that ran it
 * would see what the other does not. */
static void compare_views(struct pair *pair, const struct row *row)
{
    static struct message command, ours, others;

    for (size_t i = 0; pair->other && i < sizeof(views) / sizeof(views[0]); i++) {
        assemble_command(&pair->embedded, views[i], &command);
        (void)test_send(pair->embedded.context, command.bytes, command.size, &ours);
        (void)test_send(pair->other, command.bytes, command.size, &others);
        if (ours.size == others.size && memcmp(ours.bytes, others.bytes, ours.size) == 0)
            continue;
        pair->wrong++;
        print_error("%s:%u: %s: after it two processes see different TPMs\n", pair->script,
                    row->line, row->name);
        show("the question", &command);
        show("the one", &ours);
        show("the other", &others);
    }
}

static void run_row(struct pair *pair, const struct row *row)
{
    static struct message command, ours, theirs;
    uint32_t rc;

    ask(&pair->swtpm, row, &command, &theirs);
    ask(&pair->embedded, row, &command, &ours);
    rc = response_code(&theirs);
    pair->rows_run++;
    compare_views(pair, row);
    take_turns(pair);
    if (rc == row->rc && ours.size == theirs.size &&
        ((pair->other && row->alone) || memcmp(ours.bytes, theirs.bytes, ours.size) == 0))
        return;
    pair->wrong++;
    print_error("%s:%u: %s: %s\n", pair->script, row->line, row->name,
                rc == row->rc ? "the answers differ" : "another return code was expected");
    show("the command", &command);
    show("the embedded TPM", &ours);
    show("swtpm", &theirs);
}

static void run_rows(struct pair *pair, size_t first, size_t end, unsigned long times)
{
    while (times--)
        for (size_t i = first; i < end; i++)
            run_row(pair, &pair->rows[i]);
}

/* What happens to the power of both, by its name. */
static const struct power {
    const char *name;
    enum tpm_reset how;
    const char *shutdown, *startup; /* of the TPM that does nothing by itself */
} powers[] = {
    {"reset", TPM_RESET, "Shutdown 0000", "Startup 0000"},
    {"restart", TPM_RESTART, "Shutdown 0001", "Startup 0000"},
    {"resume", TPM_RESUME, "Shutdown 0001", "Startup 0001"},
    {"loss", TPM_POWER_LOSS, NULL, "Startup 0000"},
};

static void tell_swtpm(struct pair *pair, const char *command)
{
    struct message message, answer;

    assemble_command(&pair->swtpm, command, &message);
    assert_int_equal(test_send(pair->swtpm.context, message.bytes, message.size, &answer),
                     TPM2_RC_SUCCESS);
}

static void cycle_swtpm(struct pair *pair, const struct power *power)
{
    __typeof__(&Tss2_Tcti_Swtpm_Reset) reset;

    *(void **)&reset = swtpm_function("Tss2_Tcti_Swtpm_Reset");
    if (power->shutdown)
        tell_swtpm(pair, power->shutdown);
    assert_int_equal(reset(pair->swtpm.context), TSS2_RC_SUCCESS);
    tell_swtpm(pair, power->startup);
}

static void cycle_power(struct pair *pair, const char *name)
{
    struct connection *connection = NULL;
    size_t i = 0;

    while (i < sizeof(powers) / sizeof(powers[0]) && strcmp(powers[i].name, name) != 0)
        i++;
    assert_in_range(i, 0, sizeof(powers) / sizeof(powers[0]) - 1);
    assert_int_equal(connection_open(&pair->conf, NULL, &connection), TSS2_RC_SUCCESS);
    assert_int_equal(connection_reset(connection, powers[i].how), TSS2_RC_SUCCESS);
    connection_close(connection);
    cycle_swtpm(pair, &powers[i]);
}

static void run_script_file(struct pair *pair, FILE *file)
{
    char line[1024];
    unsigned long times = 0;
    unsigned number = 0;

    while (fgets(line, sizeof(line), file)) {
        line[strcspn(line, "\n")] = '\0';
        number++;
        if (line[0] == '\0' || line[0] == '#')
            continue;
        if (line[0] == '=') {
            define(&pair->embedded, line + 2);
            define(&pair->swtpm, line + 2);
        } else if (strncmp(line, "repeat ", 7) == 0) {
            times = strtoul(line + 7, NULL, 10);
            pair->row_count = 0;
        } else if (strncmp(line, "power ", 6) == 0) {
            cycle_power(pair, line + 6);
        } else if (strcmp(line, "end") == 0) {
            run_rows(pair, 0, pair->row_count, times);
            times = 0;
        } else {
            assert_in_range(pair->row_count, 0, ROWS_MAX - 1);
            parse_row(line, number, pair->newer, &pair->rows[times ? pair->row_count++ : 0]);
            if (!times)
                run_row(pair, &pair->rows[0]);
        }
    }
}

/* The scripts are beside this source; tests run in the folder of the whole. */
static void compare(const char *directory, const char *name, bool by_turns)
{
    struct pair *pair = pair_open(directory, by_turns);
    char path[PATH_MAX];
    size_t rows_run;
    unsigned wrong;
    FILE *file;

    (void)snprintf(path, sizeof(path), "%.*scompare_rows/%s",
                   (int)(strrchr(__FILE__, '/') + 1 - __FILE__), __FILE__, name);
    file = fopen(path, "re");
    if (!file)
        fail_msg("%s cannot be read: run the test in the folder of the Makefile", path);
    pair->script = name;
    run_script_file(pair, file);
    (void)fclose(file);
    print_message("%s: %zu commands\n", name, pair->rows_run);
    rows_run = pair->rows_run;
    wrong = pair->wrong;
    pair_close(pair);
    assert_true(rows_run > 20);
    assert_int_equal(wrong, 0);
}

#define SCRIPT(function, file, by_turns)                                                           \
    static void function(void **state)                                                             \
    {                                                                                              \
        compare(*state, file, by_turns);                                                           \
    }

SCRIPT(keys_answer_as_those_of_swtpm, "keys", false)
SCRIPT(cryptography_answers_as_that_of_swtpm, "crypto", false)
SCRIPT(sessions_and_policies_answer_as_those_of_swtpm, "sessions", false)
SCRIPT(nv_answers_as_that_of_swtpm, "nv", false)
SCRIPT(attestation_answers_as_that_of_swtpm, "attestation", false)
SCRIPT(hierarchies_and_lockout_answer_as_those_of_swtpm, "hierarchies", false)
SCRIPT(the_machine_answers_as_swtpm, "machine", false)
SCRIPT(power_cycles_leave_what_they_leave_of_swtpm, "power", false)

/* Whatever one process changes the other must have: a command that the table of
 * kinds.c takes for less than it is would be noticed here. */
SCRIPT(keys_answer_as_those_of_swtpm_by_turns, "keys", true)
SCRIPT(cryptography_answers_as_that_of_swtpm_by_turns, "crypto", true)
SCRIPT(sessions_and_policies_answer_as_those_of_swtpm_by_turns, "sessions", true)
SCRIPT(nv_answers_as_that_of_swtpm_by_turns, "nv", true)
SCRIPT(attestation_answers_as_that_of_swtpm_by_turns, "attestation", true)
SCRIPT(hierarchies_and_lockout_answer_as_those_of_swtpm_by_turns, "hierarchies", true)
SCRIPT(the_machine_answers_as_swtpm_by_turns, "machine", true)
SCRIPT(power_cycles_leave_what_they_leave_of_swtpm_by_turns, "power", true)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(keys_answer_as_those_of_swtpm),
        TEST(cryptography_answers_as_that_of_swtpm),
        TEST(sessions_and_policies_answer_as_those_of_swtpm),
        TEST(nv_answers_as_that_of_swtpm),
        TEST(attestation_answers_as_that_of_swtpm),
        TEST(hierarchies_and_lockout_answer_as_those_of_swtpm),
        TEST(the_machine_answers_as_swtpm),
        TEST(power_cycles_leave_what_they_leave_of_swtpm),
        TEST(keys_answer_as_those_of_swtpm_by_turns),
        TEST(cryptography_answers_as_that_of_swtpm_by_turns),
        TEST(sessions_and_policies_answer_as_those_of_swtpm_by_turns),
        TEST(nv_answers_as_that_of_swtpm_by_turns),
        TEST(attestation_answers_as_that_of_swtpm_by_turns),
        TEST(hierarchies_and_lockout_answer_as_those_of_swtpm_by_turns),
        TEST(the_machine_answers_as_swtpm_by_turns),
        TEST(power_cycles_leave_what_they_leave_of_swtpm_by_turns),
    };

    return cmocka_run_group_tests_name("emulator: beside swtpm", tests, NULL, NULL);
}
