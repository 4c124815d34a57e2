#include "emulator/behaviour/output.h"

#include "emulator/error.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TSS2_RC output_failed(const char *what, const char *path, const char *doing)
{
    error_set("%s %.300s: %s: %s", what, path, doing, strerror(errno));
    return TSS2_TCTI_RC_IO_ERROR;
}

TSS2_RC output_refused(const char *what, const char *path, const char *why)
{
    error_set("%s %.300s: %s", what, path, why);
    return TSS2_TCTI_RC_BAD_VALUE;
}

static TSS2_RC identify(const char *what, const char *path, struct output *output)
{
    struct stat status;

    if (fstat(output->fd, &status) != 0)
        return output_failed(what, path, "cannot be read");
    output->device = status.st_dev;
    output->inode = status.st_ino;
    output->breaks = S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode);
    if (output->breaks || S_ISREG(status.st_mode) || S_ISCHR(status.st_mode))
        return TSS2_RC_SUCCESS;
    return output_refused(what, path, "is not a file; name another path");
}

static void move(struct output *from, struct output *to)
{
    *to = *from;
    from->fd = -1;
}

/* O_NONBLOCK: a pipe without a reader is not waited for. */
TSS2_RC output_open(const char *what, const char *path, int flags, struct output *ret)
{
    OUTPUT_SCOPE struct output output = OUTPUT_CLOSED;
    TSS2_RC rc;

    output.fd = open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, S_IRUSR | S_IWUSR);
    if (output.fd < 0)
        return output_failed(what, path, "cannot be opened");
    rc = identify(what, path, &output);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    if (output.breaks)
        return output_refused(what, path, "is a pipe; name another path");
    move(&output, ret);
    return TSS2_RC_SUCCESS;
}

TSS2_RC output_open_stderr(const char *what, struct output *ret)
{
    OUTPUT_SCOPE struct output output = OUTPUT_CLOSED;
    TSS2_RC rc;

    output.fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (output.fd < 0)
        return output_failed(what, "-", "stderr cannot be used");
    rc = identify(what, "-", &output);
    if (rc == TSS2_RC_SUCCESS)
        move(&output, ret);
    return rc;
}

bool output_is_there(const struct output *output, size_t size)
{
    struct stat status;

    return fstat(output->fd, &status) == 0 && status.st_dev == output->device &&
           status.st_ino == output->inode && status.st_size >= (off_t)size;
}

/* Takes a torn record back, unless somebody else has appended since. */
static void take_back(int fd, off_t size)
{
    off_t end = lseek(fd, 0, SEEK_CUR);
    struct stat status;
    bool ours = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size == end;

    if (ours && end >= size && ftruncate(fd, end - size) != 0)
        return; /* and the torn record stays */
    errno = ENOSPC;
}

static bool append(int fd, const void *record, size_t size)
{
    ssize_t written;

    do
        written = write(fd, record, size);
    while (written < 0 && errno == EINTR);
    if (written > 0 && (size_t)written < size)
        take_back(fd, written);
    return written >= 0 && (size_t)written == size;
}

/* SIGPIPE, that the program would die of, is kept from it and taken away. */
static bool append_unbroken(int fd, const void *record, size_t size)
{
    const struct timespec at_once = {0};
    sigset_t broken, before, pending;
    bool appended;

    (void)sigemptyset(&broken);
    (void)sigaddset(&broken, SIGPIPE);
    (void)sigemptyset(&pending);
    (void)pthread_sigmask(SIG_BLOCK, &broken, &before);
    (void)sigpending(&pending);
    appended = append(fd, record, size);
    if (!appended && errno == EPIPE && !sigismember(&pending, SIGPIPE))
        (void)sigtimedwait(&broken, NULL, &at_once);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return appended;
}

bool output_append(const struct output *output, const void *record, size_t size)
{
    if (!output_is_there(output, 0))
        return false;
    return output->breaks ? append_unbroken(output->fd, record, size)
                          : append(output->fd, record, size);
}

/* Not a descriptor that somebody else has under the same number by now. */
void output_close(struct output *output)
{
    if (output->fd >= 0 && output_is_there(output, 0))
        (void)close(output->fd);
    output->fd = -1;
}
