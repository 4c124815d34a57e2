#include "token/base/test_support.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <time.h>

#include "token/pin/pin.h"

/* A pinentry: writes what it hears to "heard", and answers GETPIN by the lines given. */
static const char *const frame = "#!/bin/sh\n"
                                 "n=0\n"
                                 "echo OK pleased to meet you\n"
                                 "while read -r line; do\n"
                                 "    printf '%%s\\n' \"$line\" >>heard\n"
                                 "    case $line in\n"
                                 "    GETPIN) n=$((n + 1)); %s ;;\n"
                                 "    BYE) echo OK; exit 0 ;;\n"
                                 "    *) echo OK ;;\n"
                                 "    esac\n"
                                 "done\n";

static void write_script(const char *path, const char *text)
{
    write_file(path, text);
    assert_int_equal(chmod(path, 0700), 0);
}

static void write_pinentry(const char *answer)
{
    char text[2048];
    snprintf(text, sizeof(text), frame, answer);
    (void)remove("heard");
    write_script("pinentry", text);
}

static const struct pin_question plain = {
    .program = "./pinentry",
    .title = "Signet",
    .description = "The PIN of \"web\"",
    .prompt = "PIN:",
};

static CK_RV ask(struct pin_question question, char *ret_pin, struct reason *reason)
{
    struct secret *pin CLEANUP(secret_cleanup) = NULL;
    CK_RV rv = pin_from_pinentry(&question, &pin, reason);
    struct view view = secret_view(pin);
    if (rv == CKR_OK)
        snprintf(ret_pin, PIN_MAX_SIZE + 1, "%.*s", (int)view.size, (const char *)view.data);
    else
        assert_null(pin);
    return rv;
}

static void assert_answer(const char *answer, const char *pin)
{
    char got[PIN_MAX_SIZE + 1];
    struct reason reason = {0};
    write_pinentry(answer);
    assert_ok(ask(plain, got, &reason));
    assert_string_equal(got, pin);
}

static void assert_failure(const char *answer, CK_RV expected, const char *why)
{
    char got[PIN_MAX_SIZE + 1];
    struct reason reason = {0};
    write_pinentry(answer);
    assert_rv(ask(plain, got, &reason), expected);
    assert_contains(reason.text, why);
}

static void assert_heard(const char *line)
{
    struct bytes heard CLEANUP(bytes_free) = read_file("heard");
    assert_contains((const char *)heard.data, line);
}

static void assert_not_heard(const char *line)
{
    struct bytes heard CLEANUP(bytes_free) = read_file("heard");
    if (strstr((const char *)heard.data, line))
        fail_msg("\"%s\" was said", line);
}

static void what_the_user_types_is_the_pin(void **state)
{
    (void)state;
    assert_answer("echo 'D 1234'; echo OK", "1234");
    assert_answer("echo 'D a%25b%0Ac +d'; echo OK", "a%b\nc +d");
    assert_answer("echo 'D 12'; echo 'S SOMETHING'; echo 'D 34'; echo OK", "1234");
    assert_answer("echo OK", "");
}

static void a_pin_of_255_bytes_is_taken_and_one_more_is_not(void **state)
{
    char script[400] = "echo 'D ";
    char digits[256];
    (void)state;
    memset(digits, '7', 255);
    digits[255] = 0;
    strcat(strcat(script, digits), "'; echo OK");
    assert_answer(script, digits);
    assert_failure("echo 'D 8'; printf 'D %0255d\\nOK\\n' 1", CKR_FUNCTION_FAILED, "longer");
    assert_failure("yes 'D 12345678901234567890' | head -2000; echo OK", CKR_FUNCTION_FAILED,
                   "longer than 255");
}

static void the_question_is_asked_in_the_users_words(void **state)
{
    struct pin_question question = plain;
    char got[PIN_MAX_SIZE + 1];
    struct reason reason = {0};
    (void)state;
    question.description = "100 %\nof \"w\xc3\xa4\"\r\nBYE";
    question.retry = "The PIN was wrong.";
    write_pinentry("echo 'D 1'; echo OK");
    setenv("GPG_TTY", "/dev/pts/77", 1);
    setenv("LC_ALL", "de_DE.UTF-8", 1);
    setenv("DISPLAY", ":7\nBYE", 1);
    setenv("TERM", "vt220", 1);
    assert_ok(ask(question, got, &reason));
    unsetenv("LC_ALL");
    unsetenv("DISPLAY");
    unsetenv("GPG_TTY");
    assert_heard("SETTITLE Signet\n");
    assert_heard("SETDESC 100 %25%0Aof \"w\xc3\xa4\"%0D%0ABYE\n");
    assert_heard("SETPROMPT PIN:\n");
    assert_heard("SETERROR The PIN was wrong.\n");
    assert_heard("OPTION ttyname=/dev/pts/77\n");
    assert_heard("OPTION ttytype=vt220\n");
    assert_heard("OPTION lc-ctype=de_DE.UTF-8\n");
    assert_not_heard("display");
    assert_not_heard("SETREPEAT");
}

static void a_long_text_is_cut_between_two_characters(void **state)
{
    struct pin_question question = plain;
    char got[PIN_MAX_SIZE + 1];
    char text[2001];
    struct reason reason = {0};
    (void)state;
    for (size_t i = 0; i < 2000; i += 2)
        memcpy(text + i, "\xc3\xa4", 2);
    text[2000] = 0;
    for (int i = 0; i < 2; i++) {
        question.description = text + 2 * i;
        text[i] = 'a'; /* moves the cut by one byte */
        write_pinentry("echo 'D 1'; echo OK");
        question.description = i ? "b" : text;
        question.title = i ? text : "t";
        assert_ok(ask(question, got, &reason));
        struct bytes heard CLEANUP(bytes_free) = read_file("heard");
        char *line = strstr((char *)heard.data, i ? "SETTITLE" : "SETDESC");
        assert_non_null(line);
        size_t size = strcspn(line, "\n");
        assert_true(size > 900 && size < 1000);
        assert_int_equal((unsigned char)line[size - 1], 0xa4);
    }
}

static void the_user_may_say_no(void **state)
{
    (void)state;
    assert_failure("echo 'ERR 83886179 Operation cancelled <Pinentry>'", CKR_FUNCTION_CANCELED,
                   "cancelled");
    assert_failure("echo 'ERR 83886278 fully cancelled <Pinentry>'", CKR_FUNCTION_CANCELED,
                   "cancelled");
}

static void what_a_program_answers_instead_is_told(void **state)
{
    (void)state;
    assert_failure("echo 'ERR 83886142 Timeout <Pinentry>'", CKR_FUNCTION_FAILED, "answers: ");
    assert_failure("echo rubbish; echo OK", CKR_FUNCTION_FAILED, "answers: ");
}

static void a_program_that_dies_is_noticed(void **state)
{
    (void)state;
    assert_failure("exit 1", CKR_FUNCTION_FAILED, "ended without an answer");
    assert_failure("echo 'D 12'; kill -9 $$", CKR_FUNCTION_FAILED, "ended without an answer");
    char got[PIN_MAX_SIZE + 1];
    struct reason reason = {0};
    write_script("pinentry", "#!/bin/sh\nexit 0\n");
    assert_rv(ask(plain, got, &reason), CKR_FUNCTION_FAILED);
    assert_contains(reason.text, "ended without an answer");
    write_script("pinentry", "#!/bin/sh\necho ERR 1 no terminal\n");
    assert_rv(ask(plain, got, &reason), CKR_FUNCTION_FAILED);
}

static void a_program_that_is_not_there_is_told_by_its_name(void **state)
{
    struct pin_question question = plain;
    char got[PIN_MAX_SIZE + 1];
    struct reason reason = {0};
    (void)state;
    question.program = "/nowhere/pinentry";
    assert_rv(ask(question, got, &reason), CKR_FUNCTION_FAILED);
    assert_contains(reason.text, "/nowhere/pinentry cannot be started: No such file");
    write_file("no-program", "");
    question.program = "./no-program";
    assert_rv(ask(question, got, &reason), CKR_FUNCTION_FAILED);
    assert_contains(reason.text, "./no-program cannot be started: Permission denied");
}

static void without_a_name_the_usual_ones_are_looked_for_in_the_path(void **state)
{
    struct pin_question question = plain;
    char got[PIN_MAX_SIZE + 1];
    char path[256];
    char *old = strdup(getenv("PATH"));
    struct reason reason = {0};
    (void)state;
    write_pinentry("echo 'D from-the-path'; echo OK");
    assert_int_equal(mkdir("bin", 0700), 0);
    assert_int_equal(rename("pinentry", "bin/pinentry-qt"), 0);
    question.program = NULL;
    snprintf(path, sizeof(path), "%s/bin", test_directory);
    setenv("PATH", path, 1);
    CK_RV rv = ask(question, got, &reason);
    snprintf(path, sizeof(path), "%s/empty", test_directory);
    setenv("PATH", path, 1);
    CK_RV none = ask(question, path, &reason);
    setenv("PATH", old, 1);
    free(old);
    assert_ok(rv);
    assert_string_equal(got, "from-the-path");
    assert_rv(none, CKR_FUNCTION_FAILED);
}

/* n counts the questions of one run; REPEATED: the program asks twice itself. */
static void a_new_pin_is_typed_twice(void **state)
{
    struct pin_question question = plain;
    char got[PIN_MAX_SIZE + 1];
    struct reason reason = {0};
    (void)state;
    question.repeat = "Again:";
    write_pinentry("echo 'S PIN_REPEATED'; echo \"D new$n\"; echo OK");
    assert_ok(ask(question, got, &reason));
    assert_string_equal(got, "new1");
    assert_heard("SETREPEAT Again:\n");
    write_pinentry("echo 'D same'; echo OK");
    assert_ok(ask(question, got, &reason));
    assert_string_equal(got, "same");
    assert_heard("SETPROMPT Again:\n");
    write_pinentry("echo \"D pin$((n > 2 ? 3 : n))\"; echo OK");
    assert_ok(ask(question, got, &reason));
    assert_string_equal(got, "pin3");
    assert_heard("SETERROR The two were not the same");
    write_pinentry("echo \"D pin$n\"; echo OK");
    assert_rv(ask(question, got, &reason), CKR_FUNCTION_FAILED);
    assert_contains(reason.text, "differently");
}

static volatile sig_atomic_t pipes;
static volatile sig_atomic_t alarms;

static void count_pipe(int signal)
{
    (void)signal;
    pipes++;
}

static void count_alarm(int signal)
{
    (void)signal;
    alarms++;
}

static void a_dead_program_raises_no_signal_in_the_application(void **state)
{
    struct sigaction action = {.sa_handler = count_pipe};
    struct sigaction old;
    struct sigaction now;
    sigset_t before;
    sigset_t after;
    char got[PIN_MAX_SIZE + 1];
    struct reason reason = {0};
    (void)state;
    assert_int_equal(sigaction(SIGPIPE, &action, &old), 0);
    pthread_sigmask(SIG_BLOCK, NULL, &before);
    /* It has closed the socket long before the next command is written. */
    write_script("pinentry", "#!/bin/sh\necho OK\nexit 0\n");
    for (int i = 0; i < 20; i++)
        assert_rv(ask(plain, got, &reason), CKR_FUNCTION_FAILED);
    pthread_sigmask(SIG_BLOCK, NULL, &after);
    assert_int_equal(sigaction(SIGPIPE, &old, &now), 0);
    assert_int_equal(pipes, 0);
    assert_true(now.sa_handler == count_pipe);
    for (int i = 1; i < 32; i++)
        assert_int_equal(sigismember(&before, i), sigismember(&after, i));
}

static void the_way_of_a_signal_is_not_changed(void **state)
{
    struct sigaction now;
    (void)state;
    assert_answer("echo 'D 1'; echo OK", "1");
    assert_int_equal(sigaction(SIGPIPE, NULL, &now), 0);
    assert_true(now.sa_handler == SIG_DFL);
    assert_int_equal(sigaction(SIGCHLD, NULL, &now), 0);
    assert_true(now.sa_handler == SIG_DFL);
}

static void the_program_has_signals_and_files_of_its_own(void **state)
{
    sigset_t blocked;
    sigset_t old;
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct sigaction was;
    (void)state;
    int file = dup2(STDOUT_FILENO, 77);
    assert_int_equal(file, 77);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &blocked, &old);
    sigaction(SIGINT, &ignore, &was);
    assert_answer("while read -r key value; do case $key in SigBlk:|SigIgn:) "
                  "echo $key ${value#?????????} >>heard ;; esac; done </proc/self/status; "
                  "ls /proc/$$/fd >>heard; readlink /proc/$$/fd/2 >>heard; echo 'D 1'; echo OK",
                  "1");
    sigaction(SIGINT, &was, NULL);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    close(file);
    /* Those of POSIX: the C library has some of its own behind them. */
    assert_heard("SigBlk: 0000000\n");
    assert_heard("SigIgn: 0000000\n");
    assert_heard("/dev/null");
    assert_not_heard("\n77\n");
}

static void a_signal_in_between_does_not_end_the_question(void **state)
{
    struct sigaction action = {.sa_handler = count_alarm};
    struct sigaction old;
    (void)state;
    alarms = 0;
    assert_int_equal(sigaction(SIGUSR1, &action, &old), 0);
    assert_answer("kill -USR1 $PPID; sleep 0.05; kill -USR1 $PPID; echo 'D 1'; echo OK", "1");
    assert_int_equal(sigaction(SIGUSR1, &old, NULL), 0);
    assert_true(alarms > 0);
}

static int has_no_child(void)
{
    return waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD;
}

static void no_child_is_left_whatever_it_does(void **state)
{
    (void)state;
    assert_answer("echo 'D 1'; echo OK", "1");
    assert_true(has_no_child());
    assert_failure("kill -9 $$", CKR_FUNCTION_FAILED, "");
    assert_true(has_no_child());
    /* One that stays is ended: by TERM, or if it does not hear that, by KILL. */
    assert_answer("echo 'D 2'; echo OK; trap '' TERM; while :; do sleep 0.1; done", "2");
    assert_true(has_no_child());
}

static void other_children_are_not_waited_for(void **state)
{
    int status = 0;
    (void)state;
    pid_t child = fork();
    if (child == 0)
        _exit(42);
    assert_answer("echo 'D 1'; echo OK", "1");
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), 42);
}

static void an_application_that_ignores_its_children_gets_its_pin(void **state)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct sigaction old;
    (void)state;
    assert_int_equal(sigaction(SIGCHLD, &ignore, &old), 0);
    write_pinentry("echo 'D 1'; echo OK");
    char got[PIN_MAX_SIZE + 1];
    struct reason reason = {0};
    CK_RV rv = ask(plain, got, &reason);
    assert_int_equal(sigaction(SIGCHLD, &old, NULL), 0);
    assert_ok(rv);
}

static int open_files(void)
{
    int count = 0;
    for (int file = 0; file < 256; file++)
        count += fcntl(file, F_GETFD) >= 0;
    return count;
}

static void no_file_is_left_open(void **state)
{
    (void)state;
    assert_answer("echo 'D 1'; echo OK", "1");
    int before = open_files();
    assert_answer("echo 'D 1'; echo OK", "1");
    assert_failure("exit 1", CKR_FUNCTION_FAILED, "");
    assert_failure("echo 'ERR 83886179 Operation cancelled'", CKR_FUNCTION_CANCELED, "");
    char got[PIN_MAX_SIZE + 1];
    struct reason reason = {0};
    write_script("pinentry", "#!/bin/sh\nexit 0\n");
    assert_rv(ask(plain, got, &reason), CKR_FUNCTION_FAILED);
    assert_int_equal(open_files(), before);
}

/* stdin, stdout and stderr closed: the socket's numbers are theirs. */
static int ask_without_files(void *argument)
{
    char got[PIN_MAX_SIZE + 1];
    struct reason reason = {0};
    (void)argument;
    for (int file = 0; file < 3; file++)
        close(file);
    return ask(plain, got, &reason) == CKR_OK && strcmp(got, "1") == 0 ? 0 : 1;
}

static void an_application_without_open_files_gets_its_pin(void **state)
{
    (void)state;
    write_pinentry("echo 'D 1'; echo OK");
    assert_int_equal(in_child(ask_without_files, NULL), 0);
}

/* Debugging of libassuan and gpg-error would show the PIN. */
static int ask_with_debugging(void *argument)
{
    char got[PIN_MAX_SIZE + 1];
    struct reason reason = {0};
    (void)argument;
    setenv("ASSUAN_DEBUG", "255", 1);
    int file = open("said", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(file, STDOUT_FILENO);
    dup2(file, STDERR_FILENO);
    CK_RV rv = ask(plain, got, &reason);
    struct stat status;
    return rv == CKR_OK && fstat(file, &status) == 0 && status.st_size == 0 ? 0 : 1;
}

static void nothing_is_written_to_stderr(void **state)
{
    (void)state;
    write_pinentry("echo noise >&2; echo 'D 1'; echo OK");
    assert_int_equal(in_child(ask_with_debugging, NULL), 0);
}

/* The PIN, each character one lower: itself it must be nowhere. */
static const char lowered[] = "Wxyyw,`mc,Oktfg";

static bool holds_pin(const uint8_t *memory, size_t size)
{
    size_t length = strlen(lowered);
    for (size_t at = 0; at + length <= size; at++) {
        size_t same = 0;
        while (same < length && memory[at + same] == (uint8_t)(lowered[same] + 1))
            same++;
        if (same == length)
            return true;
    }
    return false;
}

/* Everything that this process can write to. */
static bool memory_holds_pin(void)
{
    static uint8_t copy[1 << 20];
    char line[512];
    bool found = false;
    FILE *maps = fopen("/proc/self/maps", "r");
    int memory = open("/proc/self/mem", O_RDONLY);
    while (maps && memory >= 0 && fgets(line, sizeof(line), maps)) {
        unsigned long start;
        unsigned long end;
        if (sscanf(line, "%lx-%lx rw", &start, &end) != 2 || !strstr(line, " rw"))
            continue;
        for (unsigned long at = start; at < end; at += sizeof(copy) / 2) {
            ssize_t got = pread(memory, copy, sizeof(copy), (off_t)at);
            found |= got > 0 && holds_pin(copy, (size_t)got);
            explicit_bzero(copy, sizeof(copy));
        }
    }
    if (maps)
        fclose(maps);
    close(memory);
    return found;
}

static int look_for_pin(void *held)
{
    struct secret *pin = NULL;
    struct reason reason = {0};
    CK_RV rv = pin_from_pinentry(&plain, &pin, &reason);
    if (rv != CKR_OK || !holds_pin(secret_view(pin).data, secret_view(pin).size))
        return 2;
    if (!held)
        secret_free(pin);
    return memory_holds_pin();
}

static void no_trace_of_the_pin_stays_in_memory(void **state)
{
    (void)state;
#if defined(__SANITIZE_ADDRESS__)
    skip(); /* its shadow is too large to be read */
#endif
    write_pinentry("echo D $(echo 'Wxyyw,`mc,Oktfg' | tr '+-y' ',-z'); echo OK");
    assert_int_equal(in_child(look_for_pin, &(int){0}), 1);
    assert_int_equal(in_child(look_for_pin, NULL), 0);
}

/* The program is this one, run again with more rights than its user. */
static int run_as_more(void *argument)
{
    (void)argument;
    execl("./more-rights", "more-rights", "ask", (char *)NULL);
    return 125;
}

#define NOT_SECURE 77

static int ask_with_more_rights(void)
{
    char got[PIN_MAX_SIZE + 1];
    struct reason reason = {0};
    if (getuid() == geteuid())
        return NOT_SECURE;
    if (ask(plain, got, &reason) != CKR_FUNCTION_FAILED)
        return 1;
    return strstr(reason.text, "more rights") ? 0 : 2;
}

static void a_set_uid_program_starts_no_pinentry(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    write_pinentry("echo 'D 1'; echo OK");
    run("cp /proc/$PPID/exe more-rights && chown nobody more-rights && chmod 4755 more-rights "
        "&& chmod 755 . pinentry");
    int status = in_child(run_as_more, NULL);
    if (status == NOT_SECURE)
        skip();
    assert_int_equal(status, 0);
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_user_types_is_the_pin),
        cmocka_unit_test(a_pin_of_255_bytes_is_taken_and_one_more_is_not),
        cmocka_unit_test(the_question_is_asked_in_the_users_words),
        cmocka_unit_test(a_long_text_is_cut_between_two_characters),
        cmocka_unit_test(the_user_may_say_no),
        cmocka_unit_test(what_a_program_answers_instead_is_told),
        cmocka_unit_test(a_program_that_dies_is_noticed),
        cmocka_unit_test(a_program_that_is_not_there_is_told_by_its_name),
        cmocka_unit_test(without_a_name_the_usual_ones_are_looked_for_in_the_path),
        cmocka_unit_test(a_new_pin_is_typed_twice),
        cmocka_unit_test(a_dead_program_raises_no_signal_in_the_application),
        cmocka_unit_test(the_way_of_a_signal_is_not_changed),
        cmocka_unit_test(the_program_has_signals_and_files_of_its_own),
        cmocka_unit_test(a_signal_in_between_does_not_end_the_question),
        cmocka_unit_test(no_child_is_left_whatever_it_does),
        cmocka_unit_test(other_children_are_not_waited_for),
        cmocka_unit_test(an_application_that_ignores_its_children_gets_its_pin),
        cmocka_unit_test(no_file_is_left_open),
        cmocka_unit_test(an_application_without_open_files_gets_its_pin),
        cmocka_unit_test(nothing_is_written_to_stderr),
        cmocka_unit_test(no_trace_of_the_pin_stays_in_memory),
        cmocka_unit_test(a_set_uid_program_starts_no_pinentry),
    };
    if (count == 2 && strcmp(arguments[1], "ask") == 0)
        _exit(ask_with_more_rights());
    return in_directory(tests);
}
