#include "emulator/directory.h"

#include "emulator/descriptor.h"
#include "emulator/error.h"
#include "emulator/swtpm_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_FILE "signet.lock"

void directory_drop_locks(struct directory *directory)
{
    descriptor_close(&directory->lock_fd);
    descriptor_close(&directory->swtpm_lock_fd);
}

static int lock_range(int fd, int command, short type, uint64_t start, uint64_t length,
                      short *ret_type)
{
    struct flock range = {
        .l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)start, .l_len = (off_t)length};

    if (fcntl(fd, command, &range) != 0)
        return -1;
    if (ret_type)
        *ret_type = range.l_type;
    return 0;
}

static TSS2_RC keep_swtpm_out(struct directory *directory)
{
    int fd = directory_open_file(directory, SWTPM_LOCK_FILE);

    if (fd < 0)
        return TSS2_TCTI_RC_IO_ERROR;
    if (lock_range(fd, F_OFD_SETLK, F_RDLCK, 0, 0, NULL) != 0) {
        int reason = errno;

        (void)close(fd);
        errno = reason;
        if (reason != EAGAIN && reason != EACCES)
            return directory_failed(directory, SWTPM_LOCK_FILE, "cannot lock");
        error_set(
            "%s: a running swtpm holds this state directory; stop it, or name another directory",
            directory->path);
        return TSS2_TCTI_RC_IO_ERROR;
    }
    directory->swtpm_lock_fd = fd;
    return TSS2_RC_SUCCESS;
}

TSS2_RC directory_open_locks(struct directory *directory)
{
    uint64_t owner;

    directory_drop_locks(directory);
    directory->lock_fd = directory_open_file(directory, LOCK_FILE);
    if (directory->lock_fd < 0)
        return TSS2_TCTI_RC_IO_ERROR;
    if (getrandom(&owner, sizeof(owner), 0) != (ssize_t)sizeof(owner))
        return directory_failed(directory, "", "no random number");
    directory->owner = (owner >> 2) | 1;
    if (lock_range(directory->lock_fd, F_OFD_SETLK, F_WRLCK, directory->owner, 1, NULL) != 0)
        return directory_failed(directory, LOCK_FILE, "cannot lock");
    return keep_swtpm_out(directory);
}

static TSS2_RC wait_for(const struct directory *directory, int fd)
{
    if (descriptor_lock(fd) != 0)
        return directory_failed(directory, LOCK_FILE, "cannot lock");
    return TSS2_RC_SUCCESS;
}

static bool is_linked(int fd)
{
    struct stat status;

    return fstat(fd, &status) != 0 || status.st_nlink > 0;
}

/* The old lock is held until the new one is: nobody works under either meanwhile. */
static TSS2_RC move_to_new_lock(struct directory *directory)
{
    FD_SCOPE int fd = directory_open_file(directory, LOCK_FILE);
    int old = directory->lock_fd;
    TSS2_RC rc;

    if (fd < 0)
        return TSS2_TCTI_RC_IO_ERROR;
    if (lock_range(fd, F_OFD_SETLK, F_WRLCK, directory->owner, 1, NULL) != 0)
        return directory_failed(directory, LOCK_FILE, "cannot lock");
    rc = wait_for(directory, fd);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    directory->lock_fd = fd;
    fd = old;
    return TSS2_RC_SUCCESS;
}

/* Those who clean up after others remove lock files that look old, too; two
 * locks would be none. */
TSS2_RC directory_lock(struct directory *directory)
{
    TSS2_RC rc = wait_for(directory, directory->lock_fd);

    while (rc == TSS2_RC_SUCCESS && !is_linked(directory->lock_fd) && is_linked(directory->fd))
        rc = move_to_new_lock(directory);
    return rc;
}

bool directory_try_lock(struct directory *directory)
{
    if (flock(directory->lock_fd, LOCK_EX | LOCK_NB) != 0)
        return false;
    if (is_linked(directory->lock_fd) || !is_linked(directory->fd))
        return true;
    directory_unlock(directory);
    return false;
}

void directory_unlock(struct directory *directory)
{
    if (directory->lock_fd >= 0)
        (void)flock(directory->lock_fd, LOCK_UN);
}

static bool others_hold(const struct directory *directory, uint64_t start, uint64_t length)
{
    short type = F_UNLCK;

    if (lock_range(directory->lock_fd, F_OFD_GETLK, F_WRLCK, start, length, &type) != 0)
        return true;
    return type != F_UNLCK;
}

bool directory_owner_lives(const struct directory *directory, uint64_t owner)
{
    return owner == directory->owner || others_hold(directory, owner, 1);
}

bool directory_is_shared(const struct directory *directory)
{
    return others_hold(directory, 0, 0);
}

#define OWNERS_MAX 4096

/* The kernel names one lock of a range; what lies before it and behind it may
 * have others. */
static unsigned count_locks(const struct directory *directory, uint64_t start, uint64_t end)
{
    unsigned count = 0;

    while (start < end && count < OWNERS_MAX) {
        struct flock range = {.l_type = F_WRLCK,
                              .l_whence = SEEK_SET,
                              .l_start = (off_t)start,
                              .l_len = (off_t)(end - start)};

        if (fcntl(directory->lock_fd, F_OFD_GETLK, &range) != 0 || range.l_type == F_UNLCK)
            break;
        count += 1 + count_locks(directory, start, (uint64_t)range.l_start);
        start = (uint64_t)range.l_start + 1;
    }
    return count;
}

unsigned directory_count_others(const struct directory *directory)
{
    return count_locks(directory, 0, INT64_MAX);
}
