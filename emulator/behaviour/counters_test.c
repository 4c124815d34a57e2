#include "emulator/test_support.h"

#include "emulator/behaviour/counters.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/time.h>

#define MORE_MAX 512

static const char *count_in(const char *path, char more[MORE_MAX])
{
    assert_in_range(snprintf(more, MORE_MAX, ",counters=%s", path), 1, MORE_MAX - 1);
    return more;
}

static TSS2_TCTI_CONTEXT *open_counted(const char *directory, char path[PATH_MAX])
{
    char more[MORE_MAX];

    return test_open_with(directory, count_in(test_path(directory, "counters", path), more));
}

static struct counters *read_counters(const char *path)
{
    struct counters *counters = malloc(sizeof(*counters));

    assert_non_null(counters);
    memset(counters, 0xa5, sizeof(*counters));
    assert_int_equal(counters_read(path, counters), TSS2_RC_SUCCESS);
    return counters;
}

static void commands_are_counted_by_their_code(void **state)
{
    char path[PATH_MAX];
    TSS2_TCTI_CONTEXT *context = open_counted(*state, path);
    struct message m, response;
    struct counters *counters;
    struct counter total;
    struct stat status;

    for (int i = 0; i < 3; i++)
        assert_int_equal(get_random(context, 32, NULL), TPM2_RC_SUCCESS);
    assert_int_not_equal(flush(context, 0x80000000), TPM2_RC_SUCCESS);
    begin(&m, TPM2_ST_NO_SESSIONS, 0x20001234);
    assert_int_equal(run(context, &m, &response), TPM2_RC_COMMAND_CODE);
    counters = read_counters(path);
    test_close(context);

    assert_int_equal(counters_of(counters, TPM2_CC_GetRandom)->commands, 3);
    assert_int_equal(counters_of(counters, TPM2_CC_GetRandom)->failed, 0);
    assert_true(counters_of(counters, TPM2_CC_GetRandom)->nanoseconds > 0);
    assert_int_equal(counters_of(counters, TPM2_CC_FlushContext)->commands, 1);
    assert_int_equal(counters_of(counters, TPM2_CC_FlushContext)->failed, 1);
    assert_int_equal(counters_of(counters, TPM2_CC_Sign)->commands, 0);
    assert_int_equal(counters->other.commands, 1);
    assert_true(counters_of(counters, 0) == &counters->other);
    assert_true(counters_of(counters, 0x11e) == &counters->other);
    assert_true(counters_of(counters, 0x11f) == &counters->of[0]);
    assert_true(counters_of(counters, 0x21e) == &counters->of[255]);
    assert_true(counters_of(counters, 0x21f) == &counters->other);
    total = counters_total(counters);
    assert_int_equal(total.commands, 5);
    assert_int_equal(total.failed, 2);
    assert_int_equal(total.unanswered, 0);
    assert_int_equal(counters->bytes_in, 3 * 12 + 14 + 10);
    assert_int_equal(counters->bytes_out, 3 * 44 + 10 + 10);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    free(counters);
}

static void a_lost_answer_is_counted_as_such(void **state)
{
    struct message sent;
    struct observation seen = {.sent = &sent, .duration = 1500};
    struct counters_file *file = NULL;
    struct counters *counters;
    char path[PATH_MAX];

    begin(&sent, TPM2_ST_NO_SESSIONS, TPM2_CC_GetRandom);
    seen.command.code = TPM2_CC_GetRandom;
    assert_int_equal(counters_open(test_path(*state, "counters", path), &file), TSS2_RC_SUCCESS);
    counters_note(file, &seen);
    counters_close(file);
    counters = read_counters(path);
    assert_int_equal(counters->of[TPM2_CC_GetRandom - 0x11f].unanswered, 1);
    assert_int_equal(counters->of[TPM2_CC_GetRandom - 0x11f].failed, 0);
    assert_int_equal(counters->of[TPM2_CC_GetRandom - 0x11f].nanoseconds, 1500);
    assert_int_equal(counters->bytes_out, 0);
    free(counters);
}

#define CHILDREN 4
#define COMMANDS 300

static int draw_often(void *context)
{
    for (int i = 0; i < COMMANDS; i++)
        CHILD_CHECK(get_random(context, 8, NULL) == TPM2_RC_SUCCESS);
    return 0;
}

static int open_and_draw(void *directory)
{
    char path[PATH_MAX];
    TSS2_TCTI_CONTEXT *context = open_counted(directory, path);

    CHILD_CHECK(draw_often(context) == 0);
    test_close(context);
    return 0;
}

static void no_command_of_any_process_is_missed(void **state)
{
    char path[PATH_MAX];
    TSS2_TCTI_CONTEXT *context = open_counted(*state, path);
    pid_t children[2 * CHILDREN];
    struct counters *counters;

    for (int i = 0; i < CHILDREN; i++) {
        children[i] = start_child(draw_often, context);
        children[CHILDREN + i] = start_child(open_and_draw, *state);
    }
    for (int i = 0; i < 2 * CHILDREN; i++)
        assert_int_equal(wait_child(children[i]), 0);
    test_close(context);
    counters = read_counters(path);
    assert_int_equal(counters_of(counters, TPM2_CC_GetRandom)->commands, 2 * CHILDREN * COMMANDS);
    free(counters);
}

static void write_file(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void what_is_not_ours_is_refused_and_stays(void **state)
{
    static const size_t sizes[] = {1, 100, 16 + sizeof(struct counters)};
    struct counters *found = malloc(sizeof(*found)), *untouched = malloc(sizeof(*found));
    char *bytes = calloc(1, 16 + sizeof(struct counters));
    TSS2_TCTI_CONTEXT *context = NULL;
    char path[PATH_MAX], more[MORE_MAX];
    struct stat status;

    assert_true(found && untouched && bytes);
    memset(found, 0xa5, sizeof(*found));
    memcpy(untouched, found, sizeof(*found));
    (void)count_in(test_path(*state, "notes", path), more);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        write_file(path, bytes, sizes[i]);
        assert_int_equal(test_try_open_with(*state, more, &context), TSS2_TCTI_RC_BAD_VALUE);
        assert_non_null(strstr(signet_tcti_last_error(), "/notes: is not a file of counters"));
        assert_int_equal(counters_read(path, found), TSS2_TCTI_RC_BAD_VALUE);
        assert_int_equal(stat(path, &status), 0);
        assert_int_equal(status.st_size, sizes[i]);
    }
    assert_int_equal(counters_read("/nowhere/at/all", found), TSS2_TCTI_RC_IO_ERROR);
    assert_int_equal(counters_read("/dev/zero", found), TSS2_TCTI_RC_BAD_VALUE);
    assert_memory_equal(found, untouched, sizeof(*found));
    assert_int_equal(test_try_open_with(*state, ",counters=/nowhere/at/all", &context),
                     TSS2_TCTI_RC_IO_ERROR);
    assert_int_equal(test_try_open_with(*state, ",counters=/dev/full", &context),
                     TSS2_TCTI_RC_BAD_VALUE);
    free(bytes);
    free(found);
    free(untouched);
}

static void a_file_that_is_emptied_while_in_use_harms_nobody(void **state)
{
    char path[PATH_MAX];
    TSS2_TCTI_CONTEXT *context = open_counted(*state, path);

    assert_int_equal(get_random(context, 8, NULL), TPM2_RC_SUCCESS);
    assert_int_equal(truncate(path, 0), 0);
    assert_int_equal(get_random(context, 8, NULL), TPM2_RC_SUCCESS);
    test_close(context);
}

static void the_table_has_a_line_for_each_command_used(void **state)
{
    struct counters *counters = calloc(1, sizeof(*counters));
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);

    (void)state;
    assert_true(counters && to);
    counters->of[TPM2_CC_Sign - 0x11f] = (struct counter){4, 1, 1, 5000000};
    counters->of[255] = (struct counter){1, 1, 0, 2000};
    counters->other = (struct counter){2, 2, 0, 1000};
    counters->bytes_in = 77;
    counters->bytes_out = 88;
    counters_print(to, counters);
    assert_int_equal(fclose(to), 0);
    assert_string_equal(
        text,
        "command                           count     failed  no answer microseconds       mean\n"
        "Sign                                  4          1          1         5000     1250.0\n"
        "0x21e                                 1          1          0            2        2.0\n"
        "other codes                           2          2          0            1        0.5\n"
        "all                                   7          4          1         5003      714.7\n"
        "77 bytes of commands, 88 bytes of answers\n");
    free(text);
    free(counters);
}

static void an_unchanged_program_is_counted_by_its_environment(void **state)
{
    char path[PATH_MAX];
    struct counters *counters;

    need_tpm2_tools();
    assert_int_equal(run_script(*state, "export SIGNET_TPM_COUNTERS=$PWD/counters\n"
                                        "for i in 1 2 3; do tpm2_getrandom --hex 8 >out; done\n"),
                     0);
    counters = read_counters(test_path(*state, "counters", path));
    assert_int_equal(counters_of(counters, TPM2_CC_GetRandom)->commands, 3);
    free(counters);
}

static volatile sig_atomic_t signals;

static void take_note(int number)
{
    (void)number;
    signals++;
}

static int hold_for_some_signals(void *argument)
{
    const int *ends = argument;

    CHILD_CHECK(flock(ends[0], LOCK_EX) == 0);
    CHILD_CHECK(write(ends[1], "", 1) == 1);
    (void)usleep(200000);
    return 0;
}

static void a_signal_does_not_end_the_wait_for_the_file(void **state)
{
    const struct itimerval often = {{0, 10000}, {0, 10000}}, never = {{0, 0}, {0, 0}};
    struct sigaction action = {.sa_handler = take_note}, before;
    char path[PATH_MAX];
    uint8_t ready;
    int pipes[2], ends[2];
    pid_t child;

    test_close(open_counted(*state, path));
    assert_int_equal(pipe(pipes), 0);
    ends[0] = open(path, O_RDWR | O_CLOEXEC);
    ends[1] = pipes[1];
    child = start_child(hold_for_some_signals, ends);
    /* The lock is of the open file, and this one the child's. */
    (void)close(ends[0]);
    assert_int_equal(read(pipes[0], &ready, 1), 1);
    assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
    test_close(open_counted(*state, path));
    assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
    assert_int_equal(sigaction(SIGALRM, &before, NULL), 0);
    assert_true(signals > 0);
    assert_int_equal(wait_child(child), 0);
    (void)close(pipes[0]);
    (void)close(pipes[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(commands_are_counted_by_their_code),
        TEST(a_lost_answer_is_counted_as_such),
        TEST(no_command_of_any_process_is_missed),
        TEST(what_is_not_ours_is_refused_and_stays),
        TEST(a_signal_does_not_end_the_wait_for_the_file),
        TEST(a_file_that_is_emptied_while_in_use_harms_nobody),
        cmocka_unit_test(the_table_has_a_line_for_each_command_used),
        TEST(an_unchanged_program_is_counted_by_its_environment),
    };

    return cmocka_run_group_tests_name("emulator: counters", tests, NULL, NULL);
}
