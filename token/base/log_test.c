#include "token/base/test_support.h"

#include <fcntl.h>

#include "token/base/log.h"

#define LOG_FILE "signet.log"

static int begin(UNUSED void **state)
{
    unlink(LOG_FILE);
    return 0;
}

static int end(UNUSED void **state)
{
    log_close();
    return 0;
}

static unsigned count_lines(const struct bytes *text)
{
    unsigned lines = 0;
    for (size_t i = 0; i < text->size; i++)
        lines += text->data[i] == '\n';
    return lines;
}

static void levels_are_words(UNUSED void **state)
{
    static const struct {
        const char *word;
        enum log_level level;
    } rows[] = {{"off", LOG_OFF},
                {"error", LOG_LEVEL_ERROR},
                {"warning", LOG_LEVEL_WARNING},
                {"info", LOG_LEVEL_INFO},
                {"debug", LOG_LEVEL_DEBUG}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        enum log_level level;
        poison(level);
        assert_true(log_level_parse(rows[i].word, &level));
        assert_int_equal(level, rows[i].level);
    }
    static const char *const wrong[] = {"", "Error", "warn", "debug ", "5"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        enum log_level level;
        poison(level);
        assert_false(log_level_parse(wrong[i], &level));
        assert_poison(level);
    }
}

static void lines_above_the_level_are_left_out(UNUSED void **state)
{
    assert_true(log_open(LOG_FILE, LOG_LEVEL_WARNING));
    assert_true(log_enabled(LOG_LEVEL_ERROR));
    assert_true(log_enabled(LOG_LEVEL_WARNING));
    assert_false(log_enabled(LOG_LEVEL_INFO));
    assert_false(log_enabled(LOG_OFF));
    log_line(LOG_LEVEL_ERROR, "base", "an error");
    log_line(LOG_LEVEL_WARNING, "base", "a warning");
    log_line(LOG_LEVEL_INFO, "base", "some news");
    log_line(LOG_LEVEL_DEBUG, "base", "a detail");
    struct bytes text = read_file(LOG_FILE);
    assert_int_equal(count_lines(&text), 2);
    assert_contains((const char *)text.data, "an error");
    assert_contains((const char *)text.data, "a warning");
    bytes_free(&text);
}

static void a_line_has_time_process_room_level_and_sentence(UNUSED void **state)
{
    int year, month, day, hour, minute, second, millisecond, used = 0;
    long process;
    assert_true(log_open(LOG_FILE, LOG_LEVEL_DEBUG));
    log_line(LOG_LEVEL_INFO, "tpm", "connected to '%s'", "x");
    struct bytes text = read_file(LOG_FILE);
    assert_int_equal(sscanf((const char *)text.data, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ signet[%ld] %n",
                            &year, &month, &day, &hour, &minute, &second, &millisecond, &process,
                            &used),
                     8);
    assert_int_equal(process, getpid());
    assert_string_equal((const char *)text.data + used, "tpm info: connected to 'x'\n");
    bytes_free(&text);
}

static void one_event_is_one_line_whatever_it_holds(UNUSED void **state)
{
    assert_true(log_open(LOG_FILE, LOG_LEVEL_ERROR));
    log_line(LOG_LEVEL_ERROR, "base", "%s", "two\nlines\r\x1b[31m\x7f");
    struct bytes text = read_file(LOG_FILE);
    assert_int_equal(count_lines(&text), 1);
    assert_contains((const char *)text.data, "two?lines??[31m?\n");
    bytes_free(&text);
}

static void a_long_line_is_cut_and_ended(UNUSED void **state)
{
    char long_text[4000];
    memset(long_text, 'x', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = 0;
    assert_true(log_open(LOG_FILE, LOG_LEVEL_ERROR));
    log_line(LOG_LEVEL_ERROR, "base", "%s", long_text);
    log_line(LOG_LEVEL_ERROR, "base", "next");
    struct bytes text = read_file(LOG_FILE);
    assert_int_equal(count_lines(&text), 2);
    assert_in_range(text.size, 1000, 1200);
    assert_contains((const char *)text.data, "x\n");
    bytes_free(&text);
}

static void the_file_is_made_for_its_owner_alone(UNUSED void **state)
{
    struct stat status;
    mode_t mask = umask(0);
    assert_true(log_open(LOG_FILE, LOG_LEVEL_ERROR));
    umask(mask);
    assert_int_equal(stat(LOG_FILE, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
}

static void a_log_is_appended_to(UNUSED void **state)
{
    write_file(LOG_FILE, "before\n");
    assert_true(log_open(LOG_FILE, LOG_LEVEL_ERROR));
    log_line(LOG_LEVEL_ERROR, "base", "after");
    struct bytes text = read_file(LOG_FILE);
    assert_memory_equal(text.data, "before\n", 7);
    assert_int_equal(count_lines(&text), 2);
    bytes_free(&text);
}

static void what_cannot_be_written_turns_the_log_off(UNUSED void **state)
{
    static const char *const targets[] = {"no/such/folder/log", ".", "/proc/version/log"};
    for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
        assert_true(log_open(LOG_FILE, LOG_LEVEL_DEBUG));
        assert_false(log_open(targets[i], LOG_LEVEL_DEBUG));
        assert_false(log_enabled(LOG_LEVEL_ERROR));
        log_line(LOG_LEVEL_ERROR, "base", "nowhere");
    }
    struct bytes text = read_file(LOG_FILE);
    assert_int_equal(text.size, 0);
    bytes_free(&text);
}

/* Nobody reads it: opening it to write would wait for ever. */
static void a_pipe_does_not_stop_the_program(UNUSED void **state)
{
    assert_int_equal(mkfifo(LOG_FILE, 0600), 0);
    alarm(5);
    assert_false(log_open(LOG_FILE, LOG_LEVEL_DEBUG));
    alarm(0);
    assert_false(log_enabled(LOG_LEVEL_ERROR));
}

static void without_a_target_it_is_off(UNUSED void **state)
{
    assert_true(log_open(NULL, LOG_LEVEL_DEBUG));
    assert_false(log_enabled(LOG_LEVEL_ERROR));
    assert_true(log_open("", LOG_LEVEL_DEBUG));
    assert_false(log_enabled(LOG_LEVEL_ERROR));
    assert_true(log_open(LOG_FILE, LOG_OFF));
    assert_false(log_enabled(LOG_LEVEL_ERROR));
    assert_int_equal(access(LOG_FILE, F_OK), -1);
}

static void closing_the_error_streams_log_leaves_the_stream_open(UNUSED void **state)
{
    assert_true(log_open("stderr", LOG_LEVEL_ERROR));
    assert_true(log_enabled(LOG_LEVEL_ERROR));
    log_close();
    assert_true(fcntl(STDERR_FILENO, F_GETFD) >= 0);
    log_close();
    assert_true(log_open("syslog", LOG_LEVEL_ERROR));
    assert_true(log_enabled(LOG_LEVEL_ERROR));
}

#define log_test(function) cmocka_unit_test_setup_teardown(function, begin, end)

static void keep_last(void *context, const char *text)
{
    snprintf(context, 100, "%s", text);
}

static void a_listener_hears_errors_and_warnings_whatever_is_written(UNUSED void **state)
{
    char last[100] = "";
    log_close();
    log_listen(keep_last, last);
    log_line(LOG_LEVEL_WARNING, "test", "number %d\n", 1);
    assert_string_equal(last, "number 1?");
    log_line(LOG_LEVEL_ERROR, "test", "number 2");
    assert_string_equal(last, "number 2");
    log_line(LOG_LEVEL_INFO, "test", "number 3");
    assert_string_equal(last, "number 2");
    log_listen(NULL, NULL);
    log_line(LOG_LEVEL_ERROR, "test", "number 4");
    assert_string_equal(last, "number 2");
    assert_false(log_enabled(LOG_LEVEL_ERROR));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        log_test(levels_are_words),
        log_test(lines_above_the_level_are_left_out),
        log_test(a_line_has_time_process_room_level_and_sentence),
        log_test(one_event_is_one_line_whatever_it_holds),
        log_test(a_long_line_is_cut_and_ended),
        log_test(the_file_is_made_for_its_owner_alone),
        log_test(a_log_is_appended_to),
        log_test(what_cannot_be_written_turns_the_log_off),
        log_test(a_pipe_does_not_stop_the_program),
        log_test(without_a_target_it_is_off),
        log_test(closing_the_error_streams_log_leaves_the_stream_open),
        cmocka_unit_test(a_listener_hears_errors_and_warnings_whatever_is_written),
    };
    return in_directory(tests);
}
