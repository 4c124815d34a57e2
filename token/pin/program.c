#include "token/pin/program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "token/base/compiler.h"

#define END_PATIENCE_MS 2000
#define KILL_PATIENCE_MS 500
#define PAUSE_MS 2

static void close_file(int *file)
{
    if (*file >= 0)
        close(*file);
    *file = -1;
}

/* stderr is not the application's: toolkits write their warnings there. */
static int set_files(posix_spawn_file_actions_t *actions, int socket)
{
    int error = posix_spawn_file_actions_adddup2(actions, socket, STDIN_FILENO);
    if (!error)
        error = posix_spawn_file_actions_adddup2(actions, socket, STDOUT_FILENO);
    if (!error)
        error = posix_spawn_file_actions_addopen(actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 34)
    if (!error)
        error = posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
#endif
    return error;
}

static int set_signals(posix_spawnattr_t *attributes)
{
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    int error = posix_spawnattr_setsigmask(attributes, &none);
    if (!error)
        error = posix_spawnattr_setsigdefault(attributes, &all);
    return error ? error
                 : posix_spawnattr_setflags(attributes,
                                            POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

/* Answers an errno. */
static int spawn(const char *name, const posix_spawn_file_actions_t *actions,
                 const posix_spawnattr_t *attributes, pid_t *ret_pid)
{
    char copy[4096];
    size_t size = strlen(name) + 1;
    if (size > sizeof(copy))
        return ENAMETOOLONG;
    memcpy(copy, name, size);
    char *arguments[] = {copy, NULL};
    return posix_spawnp(ret_pid, copy, actions, attributes, arguments, environ);
}

static int spawn_first(const char *const *names, size_t count, int socket, size_t *ret_which,
                       pid_t *ret_pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int error = posix_spawn_file_actions_init(&actions);
    if (error)
        return error;
    error = posix_spawnattr_init(&attributes);
    if (error) {
        posix_spawn_file_actions_destroy(&actions);
        return error;
    }
    error = set_files(&actions, socket);
    if (!error)
        error = set_signals(&attributes);
    bool ready = !error;
    for (size_t i = 0; ready && i < count; i++) {
        *ret_which = i;
        error = spawn(names[i], &actions, &attributes, ret_pid);
        if (error != ENOENT)
            break;
    }
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

CK_RV program_start(const char *const *names, size_t count, struct program *ret_program,
                    struct reason *reason)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        reason_set(reason, "no program can be started: %s", strerror(errno));
        return CKR_FUNCTION_FAILED;
    }
    int own CLEANUP(close_file) = ends[0];
    int theirs CLEANUP(close_file) = ends[1];
    size_t which = 0;
    pid_t pid = 0;
    int error = spawn_first(names, count, theirs, &which, &pid);
    if (error) {
        reason_set(reason, "%s cannot be started: %s", names[which], strerror(error));
        return error == ENOMEM ? CKR_HOST_MEMORY : CKR_FUNCTION_FAILED;
    }
    *ret_program = (struct program){.pid = pid, .file = own};
    own = -1;
    return CKR_OK;
}

int program_take_file(struct program *program)
{
    int file = program->file;
    program->file = -1;
    return file;
}

/* True once it is gone, whoever took its status. */
static bool has_ended(pid_t pid, int patience)
{
    const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
    for (int waited = 0;; waited += PAUSE_MS) {
        pid_t got = waitpid(pid, NULL, WNOHANG);
        if (got == pid || (got < 0 && errno != EINTR))
            return true;
        if (waited >= patience)
            return false;
        nanosleep(&pause, NULL);
    }
}

void program_end(struct program *program)
{
    if (program->pid <= 0)
        return;
    close_file(&program->file);
    if (!has_ended(program->pid, END_PATIENCE_MS)) {
        (void)kill(program->pid, SIGTERM);
        if (!has_ended(program->pid, KILL_PATIENCE_MS)) {
            (void)kill(program->pid, SIGKILL);
            while (waitpid(program->pid, NULL, 0) < 0 && errno == EINTR)
                continue;
        }
    }
    program->pid = 0;
}
