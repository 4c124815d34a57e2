#include "conformance/api/children.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

void child_check(const char *file, int line, const char *call, CK_RV got, const CK_RV *allowed,
                 size_t allowed_count)
{
    for (size_t i = 0; i < allowed_count; i++)
        if (got == allowed[i])
            return;
    fprintf(stderr, "%s:%d: in a child: %s gave %s, expected %s%s\n", file, line, call,
            rv_name(got), rv_name(allowed[0]), allowed_count > 1 ? " or another" : "");
    _exit(1);
}

static const int signals[] = {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL};
static struct sigaction first_actions[COUNT_OF(signals)];

/* Before the framework has its own: a sanitizer's, or the default. */
static void __attribute__((constructor)) remember_actions(void)
{
    for (size_t i = 0; i < COUNT_OF(signals); i++)
        sigaction(signals[i], NULL, &first_actions[i]);
}

void let_signals_kill(void)
{
    for (size_t i = 0; i < COUNT_OF(signals); i++)
        sigaction(signals[i], &first_actions[i], NULL);
}

pid_t start_child(void (*function)(void))
{
    pid_t child = fork();

    assert_int_not_equal(child, -1);
    if (child == 0) {
        let_signals_kill();
        alarm(CHILD_SECONDS);
        function();
        _exit(0);
    }
    return child;
}

bool child_ended_well(pid_t child)
{
    int status = 0;
    pid_t ended;

    do {
        ended = waitpid(child, &status, 0);
    } while (ended == -1 && errno == EINTR);
    if (ended == child && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    if (WIFSIGNALED(status))
        fprintf(stderr, "a child ended by signal %d\n", WTERMSIG(status));
    else
        fprintf(stderr, "a child ended with status %d\n", WEXITSTATUS(status));
    return false;
}

void run_child(void (*function)(void))
{
    assert_true(child_ended_well(start_child(function)));
}
