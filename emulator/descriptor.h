#ifndef EMULATOR_DESCRIPTOR_H
#define EMULATOR_DESCRIPTOR_H

#include <errno.h>
#include <sys/file.h>
#include <unistd.h>

/* Closes and forgets a file descriptor, if there is one (not -1). errno stays. */
static inline void descriptor_close(int *fd)
{
    int reason = errno;

    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
    errno = reason;
}

#define FD_SCOPE __attribute__((cleanup(descriptor_close)))

/* Waits for the flock of an open file, whatever signals come. 0, or -1 with errno. */
static inline int descriptor_lock(int fd)
{
    int locked;

    do {
        locked = flock(fd, LOCK_EX);
    } while (locked != 0 && errno == EINTR);
    return locked;
}

#endif
