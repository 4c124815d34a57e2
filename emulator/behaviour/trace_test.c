#include "emulator/test_support.h"

#include "emulator/behaviour/trace.h"
#include "emulator/behaviour/watch.h"

#include <fcntl.h>
#include <sys/resource.h>

static char *read_text(const char *path)
{
    FILE *file = fopen(path, "re");
    char *text = calloc(1, 1 << 20);

    assert_non_null(file);
    assert_non_null(text);
    assert_in_range(fread(text, 1, (1 << 20) - 1, file), 0, (1 << 20) - 2);
    (void)fclose(file);
    return text;
}

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;

    while ((text = strstr(text, part)) != NULL) {
        count++;
        text++;
    }
    return count;
}

#define MORE_MAX 512

static const char *trace_to(const char *path, char more[MORE_MAX])
{
    assert_in_range(snprintf(more, MORE_MAX, ",trace=%s", path), 1, MORE_MAX - 1);
    return more;
}

static TSS2_TCTI_CONTEXT *open_traced(const char *directory, char path[PATH_MAX])
{
    char more[MORE_MAX];

    return test_open_with(directory, trace_to(test_path(directory, "trace", path), more));
}

/* The file has the one line `expected`, but for its time, process and duration:
 * '*' stands for digits. */
static void assert_line(const char *line, const char *expected)
{
    const char *start = line;

    for (; *expected != '\0'; expected++) {
        if (*expected == '*')
            line += strspn(line, "0123456789");
        else if (*expected == *line)
            line++;
        else
            fail_msg("expected ...%s in %s", expected, start);
    }
    assert_string_equal(line, "\n");
}

#define LINE_START "*-*-*T*:*:*.*Z pid=* conn=* "

/* --- lines of commands made by hand -------------------------------------- */

static void describe(const struct message *sent, const struct message *answer,
                     char text[TRACE_LINE_MAX])
{
    static struct command_attributes table;
    struct observation seen = {.started = 1770091506123456789u,
                               .duration = 455999,
                               .process = 71,
                               .connection = 2,
                               .sent = sent,
                               .answer = answer};
    size_t length;

    table.attributes[TPM2_CC_Sign - TPM2_CC_FIRST] = 1u << 25;
    table.attributes[TPM2_CC_NV_Increment - TPM2_CC_FIRST] = 2u << 25;
    table.attributes[TPM2_CC_Load - TPM2_CC_FIRST] = 1u << 25 | TPMA_CC_RHANDLE;
    command_parse(sent, &table, &seen.command);
    length = trace_line(&seen, text);
    assert_int_equal(length, strlen(text));
}

#define EPOCH_LINE "2026-02-03T04:05:06.123456Z pid=71 conn=2 "

static void a_line_has_the_fields_of_its_command(void **state)
{
    struct message sent, answer;
    char text[TRACE_LINE_MAX];

    (void)state;
    begin(&sent, TPM2_ST_SESSIONS, TPM2_CC_NV_Increment);
    add_u32(&sent, 0x40000001);
    add_u32(&sent, 0x01800001);
    add_u32(&sent, 24);
    for (int i = 0; i < 2; i++) {
        add_u32(&sent, TPM2_RS_PW);
        add_u16(&sent, 0);
        add_u8(&sent, 1);
        add_2b(&sent, "abc");
    }
    respond_code(TPM2_RC_BAD_AUTH | TPM2_RC_S | TPM2_RC_1, &answer);
    describe(&sent, &answer, text);
    assert_string_equal(text, EPOCH_LINE
                        "NV_Increment handles=40000001,01800001 new=- sessions=2 in=46 out=10 "
                        "us=455 rc=0x9a2 BAD_AUTH session 1\n");

    begin(&sent, TPM2_ST_SESSIONS, TPM2_CC_Load);
    add_u32(&sent, 0x81000001);
    respond_code(TPM2_RC_SUCCESS, &answer);
    add_u32(&answer, 0x80000003);
    describe(&sent, &answer, text);
    assert_string_equal(text, EPOCH_LINE "Load handles=81000001 new=80000003 sessions=0 in=14 "
                                         "out=14 us=455 rc=0x000 SUCCESS\n");

    begin(&sent, TPM2_ST_NO_SESSIONS, TPM2_CC_FlushContext);
    add_u32(&sent, 0x80000003);
    describe(&sent, &answer, text);
    assert_non_null(strstr(text, " FlushContext handles=80000003 new=- "));
}

static void an_unknown_command_is_shown_by_its_code(void **state)
{
    struct message sent, answer;
    char text[TRACE_LINE_MAX];

    (void)state;
    begin(&sent, TPM2_ST_NO_SESSIONS, 0x20001234);
    respond_code(0x5a5, &answer);
    describe(&sent, &answer, text);
    assert_string_equal(text, EPOCH_LINE "0x20001234 handles=- new=- sessions=0 in=10 out=10 "
                                         "us=455 rc=0x5a5 BINDING handle 5\n");
}

static void a_command_that_is_none_has_a_line(void **state)
{
    struct message sent = {.size = 3, .bytes = {0x80, 1, 0}}, answer;
    char text[TRACE_LINE_MAX];

    (void)state;
    respond_code(TPM2_RC_INSUFFICIENT, &answer);
    describe(&sent, &answer, text);
    assert_non_null(strstr(text, " 0x0 handles=- new=- sessions=0 in=3 out=10 "));
}

static void a_missing_and_a_cut_answer_are_told_apart(void **state)
{
    struct message sent, answer = {.size = 5};
    char text[TRACE_LINE_MAX];

    (void)state;
    begin(&sent, TPM2_ST_NO_SESSIONS, TPM2_CC_GetRandom);
    describe(&sent, NULL, text);
    assert_string_equal(text, EPOCH_LINE "GetRandom handles=- new=- sessions=0 in=10 out=0 us=455 "
                                         "no answer\n");
    describe(&sent, &answer, text);
    assert_string_equal(text, EPOCH_LINE "GetRandom handles=- new=- sessions=0 in=10 out=5 us=455 "
                                         "no code\n");
}

static void dates_are_those_of_the_calendar(void **state)
{
    static const struct {
        uint64_t seconds;
        const char *date;
    } days[] = {
        {0, "1970-01-01T00:00:00"},          {951782399, "2000-02-28T23:59:59"},
        {951782400, "2000-02-29T00:00:00"},  {1709164800, "2024-02-29T00:00:00"},
        {1735689599, "2024-12-31T23:59:59"}, {1735689600, "2025-01-01T00:00:00"},
        {4107542400, "2100-03-01T00:00:00"},
    };
    struct message sent = {.size = 1};
    char text[TRACE_LINE_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(days) / sizeof(days[0]); i++) {
        struct observation seen = {.started = days[i].seconds * 1000000000u, .sent = &sent};

        (void)trace_line(&seen, text);
        text[19] = '\0';
        assert_string_equal(text, days[i].date);
    }
}

/* --- the stage ------------------------------------------------------------ */

static void lose_answer(struct stage *stage, struct exchange *exchange)
{
    (void)stage;
    memset(exchange->command->bytes, 0xff, exchange->command->size);
    exchange->lost = TSS2_TCTI_RC_TRY_AGAIN;
}

static void the_stage_shows_what_the_client_sent_and_lost(void **state)
{
    static const struct stage_operations operations = {lose_answer, NULL};
    static const struct command_attributes table;
    struct stage losing = {.operations = &operations}, *watch = NULL;
    struct message sent, answer = {.size = 0};
    struct exchange exchange = {.command = &sent, .response = &answer};
    struct conf conf = {.speed = 1};
    char *text;

    assert_int_equal(watch_new(&conf, &table, &watch), TSS2_RC_SUCCESS);
    assert_null(watch);
    (void)test_path(*state, "trace", conf.trace);
    assert_int_equal(watch_new(&conf, &table, &watch), TSS2_RC_SUCCESS);
    watch->next = &losing;
    begin(&sent, TPM2_ST_NO_SESSIONS, TPM2_CC_GetRandom);
    stage_run(watch, &exchange);
    watch->operations->close(watch);
    text = read_text(conf.trace);
    assert_line(text, LINE_START "GetRandom handles=- new=- sessions=0 in=10 out=0 us=* no answer");
    free(text);
}

/* --- traces of a TPM ------------------------------------------------------ */

static void every_command_of_a_client_has_a_line(void **state)
{
    char path[PATH_MAX], *text, *second;
    TSS2_TCTI_CONTEXT *context = open_traced(*state, path);
    struct message response;
    struct stat status;

    assert_int_equal(get_random(context, 32, NULL), TPM2_RC_SUCCESS);
    assert_int_equal(test_send(context, "\x80\x01\x00", 3, &response), TPM2_RC_INSUFFICIENT);
    test_close(context);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    text = read_text(path);
    second = strchr(text, '\n') + 1;
    assert_line(second, LINE_START "0x0 handles=- new=- sessions=0 in=3 out=10 us=* "
                                   "rc=0x09a INSUFFICIENT");
    *second = '\0';
    assert_line(text, LINE_START "GetRandom handles=- new=- sessions=0 in=12 out=44 us=* "
                                 "rc=0x000 SUCCESS");
    free(text);
}

static void nothing_of_an_authorization_is_in_the_trace(void **state)
{
    char path[PATH_MAX], *text;
    TSS2_TCTI_CONTEXT *context = open_traced(*state, path);
    uint32_t key = 0;

    assert_int_equal(create_key(context, "sesame", 1, KEY_PLAIN, &key), TPM2_RC_SUCCESS);
    assert_int_equal(sign(context, key, "sesame"), TPM2_RC_SUCCESS);
    assert_int_equal(sign(context, key, "open"), TPM2_RC_BAD_AUTH | TPM2_RC_S | TPM2_RC_1);
    test_close(context);
    text = read_text(path);
    assert_int_equal(count_of(text, "\n"), 3);
    assert_int_equal(count_of(text, "Sign handles=80"), 2);
    assert_int_equal(count_of(text, "rc=0x9a2 BAD_AUTH session 1\n"), 1);
    assert_int_equal(count_of(text, "sesame"), 0);
    assert_int_equal(count_of(text, "736573616d65"), 0);
    assert_int_equal(count_of(text, "open"), 0);
    assert_int_equal(count_of(text, "11111111"), 0);
    free(text);
}

/* That many lines, each a whole one. */
static void assert_lines(char *text, size_t expected)
{
    char *rest = NULL, with_end[TRACE_LINE_MAX];
    size_t lines = 0;

    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        (void)snprintf(with_end, sizeof(with_end), "%s\n", line);
        assert_line(with_end, strstr(line, "lost") ? LINE_START "* lines lost"
                                                   : LINE_START
                                  "GetRandom handles=- new=- sessions=0 in=12 out=20 "
                                  "us=* rc=0x000 SUCCESS");
        lines++;
    }
    assert_int_equal(lines, expected);
}

#define CHILDREN 3
#define COMMANDS 200

static int draw_often(void *context)
{
    for (int i = 0; i < COMMANDS; i++)
        CHILD_CHECK(get_random(context, 8, NULL) == TPM2_RC_SUCCESS);
    return 0;
}

static void lines_of_forked_processes_do_not_mix(void **state)
{
    char path[PATH_MAX], process[32], *text;
    TSS2_TCTI_CONTEXT *context = open_traced(*state, path);
    pid_t children[CHILDREN];

    for (int i = 0; i < CHILDREN; i++)
        children[i] = start_child(draw_often, context);
    assert_int_equal(draw_often(context), 0);
    for (int i = 0; i < CHILDREN; i++)
        assert_int_equal(wait_child(children[i]), 0);
    test_close(context);
    text = read_text(path);
    for (int i = 0; i < CHILDREN; i++) {
        (void)snprintf(process, sizeof(process), " pid=%d ", (int)children[i]);
        assert_int_equal(count_of(text, process), COMMANDS);
    }
    assert_lines(text, (CHILDREN + 1) * COMMANDS);
    free(text);
}

static void connections_of_a_process_have_different_numbers(void **state)
{
    char path[PATH_MAX], other[PATH_MAX], *text;
    TSS2_TCTI_CONTEXT *first = open_traced(*state, path), *second;
    char more[MORE_MAX];

    second = test_open_with(test_path(*state, "other", other), trace_to(path, more));
    assert_int_equal(get_random(first, 8, NULL), TPM2_RC_SUCCESS);
    assert_int_equal(get_random(second, 8, NULL), TPM2_RC_SUCCESS);
    test_close(first);
    test_close(second);
    text = read_text(path);
    assert_int_equal(atoi(strstr(strstr(text, "conn=") + 1, "conn=") + 5),
                     atoi(strstr(text, "conn=") + 5) + 1);
    free(text);
}

/* --- files that cannot be written ------------------------------------------ */

static void a_trace_that_cannot_be_opened_is_an_error_at_init(void **state)
{
    TSS2_TCTI_CONTEXT *context = NULL;
    char path[PATH_MAX], more[MORE_MAX];

    assert_int_equal(test_try_open_with(*state, ",trace=/nowhere/at/all", &context),
                     TSS2_TCTI_RC_IO_ERROR);
    assert_string_equal(signet_tcti_last_error(),
                        "trace /nowhere/at/all: cannot be opened: No such file or directory");
    assert_int_equal(mkfifo(test_path(*state, "pipe", path), 0600), 0);
    assert_int_equal(test_try_open_with(*state, trace_to(path, more), &context),
                     TSS2_TCTI_RC_IO_ERROR);
    assert_int_equal(test_try_open_with(*state, trace_to(*state, more), &context),
                     TSS2_TCTI_RC_IO_ERROR);
}

static void a_full_disk_does_not_disturb_a_command(void **state)
{
    TSS2_TCTI_CONTEXT *context = test_open_with(*state, ",trace=/dev/full");

    for (int i = 0; i < 3; i++)
        assert_int_equal(get_random(context, 8, NULL), TPM2_RC_SUCCESS);
    test_close(context);
}

static int fill_and_go_on(void *context)
{
    struct rlimit limit;

    CHILD_CHECK(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    CHILD_CHECK(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    limit.rlim_cur = 1000;
    CHILD_CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    for (int i = 0; i < 20; i++)
        CHILD_CHECK(get_random(context, 8, NULL) == TPM2_RC_SUCCESS);
    limit.rlim_cur = limit.rlim_max;
    CHILD_CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    CHILD_CHECK(get_random(context, 8, NULL) == TPM2_RC_SUCCESS);
    return 0;
}

static void lost_lines_are_counted_and_never_torn(void **state)
{
    char path[PATH_MAX], *text, *lost;
    TSS2_TCTI_CONTEXT *context = open_traced(*state, path);
    size_t written;

    assert_int_equal(run_child(fill_and_go_on, context), 0);
    test_close(context);
    text = read_text(path);
    lost = strstr(text, " lines lost\n");
    assert_non_null(lost);
    while (lost[-1] != ' ')
        lost--;
    written = count_of(text, " SUCCESS\n");
    assert_in_range(written, 5, 15);
    assert_int_equal(atoi(lost), 21 - written);
    assert_lines(text, written + 1);
    free(text);
}

/* A program that became a daemon has other files under the same descriptors. */
static void a_file_that_took_the_descriptor_is_left_alone(void **state)
{
    char path[PATH_MAX], other[PATH_MAX];
    struct trace *trace = NULL;
    struct message sent = {.size = 3};
    struct observation seen = {.sent = &sent};
    struct stat status;
    int taken, lowest = dup(STDERR_FILENO);

    assert_int_equal(close(lowest), 0);
    assert_int_equal(trace_open(test_path(*state, "trace", path), &trace), TSS2_RC_SUCCESS);
    assert_int_equal(close(lowest), 0);
    trace_note(trace, &seen);
    taken = open(test_path(*state, "other", other), O_WRONLY | O_CREAT, 0600);
    assert_int_equal(taken, lowest);
    trace_note(trace, &seen);
    trace_close(trace);
    assert_int_equal(fstat(taken, &status), 0);
    assert_int_equal(status.st_size, 0);
    assert_int_equal(close(taken), 0);
}

static int trace_to_a_reader_that_left(void *directory)
{
    int pipe_ends[2];
    TSS2_TCTI_CONTEXT *context;
    sigset_t pending;

    CHILD_CHECK(pipe(pipe_ends) == 0);
    CHILD_CHECK(dup2(pipe_ends[1], STDERR_FILENO) == STDERR_FILENO);
    context = test_open_with(directory, ",trace=-");
    CHILD_CHECK(get_random(context, 8, NULL) == TPM2_RC_SUCCESS);
    CHILD_CHECK(close(pipe_ends[0]) == 0);
    for (int i = 0; i < 3; i++)
        CHILD_CHECK(get_random(context, 8, NULL) == TPM2_RC_SUCCESS);
    CHILD_CHECK(sigpending(&pending) == 0 && !sigismember(&pending, SIGPIPE));
    test_close(context);
    return 0;
}

static void a_reader_of_stderr_that_leaves_kills_nobody(void **state)
{
    assert_int_equal(run_child(trace_to_a_reader_that_left, *state), 0);
}

static void an_unchanged_program_is_traced_by_its_environment(void **state)
{
    need_tpm2_tools();
    assert_int_equal(run_script(*state, "export SIGNET_TPM_TRACE=$PWD/trace\n"
                                        "tpm2_getrandom --hex 8 >out 2>err\n"
                                        "test $(grep -c ' GetRandom .* SUCCESS$' trace) -eq 1\n"
                                        "test ! -s err\n"
                                        "SIGNET_TPM_TRACE=- tpm2_getrandom --hex 8 >out 2>err\n"
                                        "test $(grep -c ' GetRandom .* SUCCESS$' err) -eq 1\n"
                                        "test $(grep -c GetRandom trace) -eq 1\n"),
                     0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_the_fields_of_its_command),
        cmocka_unit_test(an_unknown_command_is_shown_by_its_code),
        cmocka_unit_test(a_command_that_is_none_has_a_line),
        cmocka_unit_test(a_missing_and_a_cut_answer_are_told_apart),
        cmocka_unit_test(dates_are_those_of_the_calendar),
        TEST(the_stage_shows_what_the_client_sent_and_lost),
        TEST(every_command_of_a_client_has_a_line),
        TEST(nothing_of_an_authorization_is_in_the_trace),
        TEST(lines_of_forked_processes_do_not_mix),
        TEST(connections_of_a_process_have_different_numbers),
        TEST(a_trace_that_cannot_be_opened_is_an_error_at_init),
        TEST(a_full_disk_does_not_disturb_a_command),
        TEST(lost_lines_are_counted_and_never_torn),
        TEST(a_file_that_took_the_descriptor_is_left_alone),
        TEST(a_reader_of_stderr_that_leaves_kills_nobody),
        TEST(an_unchanged_program_is_traced_by_its_environment),
    };

    return cmocka_run_group_tests_name("emulator: trace", tests, NULL, NULL);
}
