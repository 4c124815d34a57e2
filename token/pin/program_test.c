#include "token/pin/test_support.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>

/* A pinentry as a guest in the application's process: its signals, children, files and
 * memory. */

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
