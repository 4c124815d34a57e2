#include "emulator/behaviour/output.h"

#include "emulator/error.h"

#include <errno.h>
#include <fcntl.h>
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

/* O_NONBLOCK: a pipe without a reader is refused, not waited for. */
TSS2_RC output_open(const char *what, const char *path, int flags, int *ret_fd)
{
    OUTPUT_SCOPE int fd =
        open(path, flags | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, S_IRUSR | S_IWUSR);
    struct stat status;

    if (fd < 0)
        return output_failed(what, path, "cannot be opened");
    if (fstat(fd, &status) != 0)
        return output_failed(what, path, "cannot be read");
    if (!S_ISREG(status.st_mode) && !S_ISCHR(status.st_mode))
        return output_refused(what, path, "is not a file; name another path");
    *ret_fd = fd;
    fd = -1;
    return TSS2_RC_SUCCESS;
}

/* Takes a torn record back, unless somebody else has appended since. */
static void take_back(int fd, off_t size)
{
    off_t end = lseek(fd, 0, SEEK_CUR);
    struct stat status;

    if (end >= size && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
        status.st_size == end && ftruncate(fd, end - size) != 0)
        errno = 0; /* the torn record stays */
}

bool output_append(int fd, const void *record, size_t size)
{
    ssize_t written;

    do
        written = write(fd, record, size);
    while (written < 0 && errno == EINTR);
    if (written > 0 && (size_t)written < size)
        take_back(fd, written);
    return written >= 0 && (size_t)written == size;
}

void output_close(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}
