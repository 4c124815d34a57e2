#include "emulator/directory.h"

#include "emulator/error.h"
#include "emulator/swtpm_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_FILE "signet.lock"

static TSS2_RC failed(const struct directory *directory, const char *name, const char *doing)
{
    error_set("%s%s%s: %s: %s", directory->path, name[0] ? "/" : "", name, doing, strerror(errno));
    return TSS2_TCTI_RC_IO_ERROR;
}

/* chmod as well: some programs run with a umask that takes even our own x. */
static int make_directory(const char *path)
{
    if (mkdir(path, 0700) == 0)
        return chmod(path, 0700);
    return errno == EEXIST ? 0 : -1;
}

static int make_directories(const char *path)
{
    char part[PATH_MAX];

    (void)snprintf(part, sizeof(part), "%s", path);
    for (char *at = part + 1; *at != '\0'; at++) {
        if (*at != '/')
            continue;
        *at = '\0';
        if (make_directory(part) != 0)
            return -1;
        *at = '/';
    }
    return make_directory(part);
}

TSS2_RC directory_open(const char *path, struct directory *ret)
{
    struct directory directory = DIRECTORY_CLOSED;
    const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

    (void)snprintf(directory.path, sizeof(directory.path), "%s", path);
    directory.fd = open(path, flags);
    if (directory.fd < 0 && errno == ENOENT) {
        if (make_directories(path) != 0)
            return failed(&directory, "", "cannot make the state directory");
        directory.fd = open(path, flags);
    }
    if (directory.fd < 0)
        return failed(&directory, "", "cannot open the state directory");
    *ret = directory;
    return TSS2_RC_SUCCESS;
}

TSS2_RC directory_reopen(const struct directory *directory, struct directory *ret)
{
    struct directory again = DIRECTORY_CLOSED;

    memcpy(again.path, directory->path, sizeof(again.path));
    again.fd = openat(directory->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (again.fd < 0)
        return failed(&again, "", "cannot open the state directory");
    *ret = again;
    return TSS2_RC_SUCCESS;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

void directory_drop_locks(struct directory *directory)
{
    close_fd(&directory->lock_fd);
    close_fd(&directory->swtpm_lock_fd);
}

void directory_close(struct directory *directory)
{
    directory_drop_locks(directory);
    close_fd(&directory->fd);
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
    int fd =
        openat(directory->fd, SWTPM_LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return failed(directory, SWTPM_LOCK_FILE, "cannot open the lock file");
    if (lock_range(fd, F_OFD_SETLK, F_RDLCK, 0, 0, NULL) != 0) {
        int reason = errno;

        (void)close(fd);
        errno = reason;
        if (reason != EAGAIN && reason != EACCES)
            return failed(directory, SWTPM_LOCK_FILE, "cannot lock");
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
    directory->lock_fd =
        openat(directory->fd, LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (directory->lock_fd < 0)
        return failed(directory, LOCK_FILE, "cannot open the lock file");
    if (getrandom(&owner, sizeof(owner), 0) != (ssize_t)sizeof(owner))
        return failed(directory, "", "no random number");
    directory->owner = (owner >> 2) | 1;
    if (lock_range(directory->lock_fd, F_OFD_SETLK, F_WRLCK, directory->owner, 1, NULL) != 0)
        return failed(directory, LOCK_FILE, "cannot lock");
    return keep_swtpm_out(directory);
}

TSS2_RC directory_lock(struct directory *directory)
{
    while (flock(directory->lock_fd, LOCK_EX) != 0)
        if (errno != EINTR)
            return failed(directory, LOCK_FILE, "cannot lock");
    return TSS2_RC_SUCCESS;
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

static int read_all(int fd, uint8_t *to, size_t size)
{
    while (size > 0) {
        ssize_t got = read(fd, to, size);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return -1;
        to += got;
        size -= (size_t)got;
    }
    return 0;
}

static int write_all(int fd, const uint8_t *from, size_t size)
{
    while (size > 0) {
        ssize_t done = write(fd, from, size);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return -1;
        from += done;
        size -= (size_t)done;
    }
    return 0;
}

static void close_scope(int *fd)
{
    close_fd(fd);
}

TSS2_RC directory_read(const struct directory *directory, const char *name, size_t maximum,
                       struct blob *ret)
{
    __attribute__((cleanup(close_scope))) int fd =
        openat(directory->fd, name, O_RDONLY | O_CLOEXEC);
    BLOB_SCOPE struct blob content = {NULL, 0};
    struct stat status;

    if (fd < 0 && errno == ENOENT) {
        *ret = (struct blob){NULL, 0};
        return TSS2_RC_SUCCESS;
    }
    if (fd < 0 || fstat(fd, &status) != 0)
        return failed(directory, name, "cannot open");
    if (!S_ISREG(status.st_mode) || (uint64_t)status.st_size > maximum) {
        error_set("%s/%s: not a file of at most %zu bytes", directory->path, name, maximum);
        return TSS2_TCTI_RC_BAD_VALUE;
    }
    if (blob_copy("", 0, &content) != 0)
        return TSS2_TCTI_RC_MEMORY;
    if (status.st_size > 0) {
        BLOB_SCOPE struct blob room = {calloc(1, (size_t)status.st_size), (size_t)status.st_size};

        if (!room.data)
            return TSS2_TCTI_RC_MEMORY;
        if (read_all(fd, room.data, room.size) != 0)
            return failed(directory, name, "cannot read");
        blob_move(&content, &room);
    }
    *ret = content;
    content = (struct blob){NULL, 0};
    return TSS2_RC_SUCCESS;
}

TSS2_RC directory_replace(const struct directory *directory, const char *name,
                          const struct blob *content)
{
    __attribute__((cleanup(close_scope))) int fd = -1;
    char fresh[64];

    (void)snprintf(fresh, sizeof(fresh), "%s.new", name);
    (void)unlinkat(directory->fd, fresh, 0);
    fd = openat(directory->fd, fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return failed(directory, fresh, "cannot make");
    if (write_all(fd, content->data, content->size) != 0 || fsync(fd) != 0) {
        int reason = errno;

        (void)unlinkat(directory->fd, fresh, 0);
        errno = reason;
        return failed(directory, fresh, "cannot write");
    }
    if (renameat(directory->fd, fresh, directory->fd, name) != 0)
        return failed(directory, name, "cannot replace");
    if (fsync(directory->fd) != 0)
        return failed(directory, "", "cannot sync");
    return TSS2_RC_SUCCESS;
}
