#include "emulator/directory.h"

#include "emulator/descriptor.h"
#include "emulator/disk.h"
#include "emulator/error.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

TSS2_RC directory_failed(const struct directory *directory, const char *name, const char *doing)
{
    bool refused = errno == EROFS || errno == EACCES || errno == EPERM;

    error_set("%s%s%s: %s: %s%s", directory->path, name[0] ? "/" : "", name, doing, strerror(errno),
              refused ? "; a TPM's directory must be writable to who uses it" : "");
    return TSS2_TCTI_RC_IO_ERROR;
}

/* Some file systems have nothing to sync of a directory. */
static int sync_directory(int fd, const char *name)
{
    if (disk_sync(fd, name) != 0 && errno != EINVAL && errno != ENOTSUP)
        return -1;
    return 0;
}

static int sync_parent(char *path)
{
    char *slash = strrchr(path, '/');
    const char *parent = !slash ? "." : slash == path ? "/" : path;
    FD_SCOPE int fd = -1;

    if (slash && slash != path)
        *slash = '\0';
    fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    /* One that may be passed but not read is left to itself. */
    if (fd >= 0 && sync_directory(fd, parent) != 0)
        return -1;
    if (slash && slash != path)
        *slash = '/';
    return 0;
}

/* chmod as well: some programs run with a umask that takes even our own x. */
static int make_directory(char *path)
{
    if (disk_make_directory(path, 0700) != 0)
        return errno == EEXIST ? 0 : -1;
    if (disk_permit(-1, path, 0700, (uid_t)-1, (gid_t)-1) != 0)
        return -1;
    return sync_parent(path);
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

static bool may_trust(uid_t user)
{
    return user == geteuid() || user == 0;
}

static TSS2_RC look_at_owner(struct directory *directory)
{
    struct stat status;

    if (fstat(directory->fd, &status) != 0)
        return directory_failed(directory, "", "cannot look at the state directory");
    directory->user = status.st_uid;
    directory->group = status.st_gid;
    directory->group_shared = (status.st_mode & (S_IWGRP | S_IWOTH)) == S_IWGRP;
    if (may_trust(status.st_uid) || geteuid() == 0 || directory->group_shared)
        return TSS2_RC_SUCCESS;
    error_set("%s: the state directory belongs to user %u, who could use every key in it; name a "
              "directory of your own, or share this one with your group (chmod g+w,o-w)",
              directory->path, (unsigned)status.st_uid);
    return TSS2_TCTI_RC_IO_ERROR;
}

/* linux/magic.h does not have them all. */
#ifndef CIFS_SUPER_MAGIC
#define CIFS_SUPER_MAGIC 0xFF534D42
#endif
#ifndef SMB2_SUPER_MAGIC
#define SMB2_SUPER_MAGIC 0xFE534D42
#endif

/* Between machines neither the locks nor the mapped page hold. */
bool directory_is_remote(unsigned long file_system)
{
    static const unsigned long remote[] = {NFS_SUPER_MAGIC,  SMB_SUPER_MAGIC, SMB2_SUPER_MAGIC,
                                           CIFS_SUPER_MAGIC, AFS_SUPER_MAGIC, CEPH_SUPER_MAGIC};

    for (size_t i = 0; i < sizeof(remote) / sizeof(remote[0]); i++)
        if ((file_system & 0xffffffff) == remote[i])
            return true;
    return false;
}

static TSS2_RC look_at_file_system(const struct directory *directory)
{
    struct statfs status;

    if (fstatfs(directory->fd, &status) != 0 || !directory_is_remote((unsigned long)status.f_type))
        return TSS2_RC_SUCCESS;
    error_set("%s: a TPM cannot be shared over a network file system; name a directory on a local "
              "one (dir=PATH)",
              directory->path);
    return TSS2_TCTI_RC_IO_ERROR;
}

TSS2_RC directory_open(const char *path, struct directory *ret)
{
    struct directory directory = DIRECTORY_CLOSED;
    const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    TSS2_RC rc;

    (void)snprintf(directory.path, sizeof(directory.path), "%s", path);
    directory.fd = open(path, flags);
    if (directory.fd < 0 && errno == ENOENT) {
        if (make_directories(path) != 0)
            return directory_failed(&directory, "", "cannot make the state directory");
        directory.fd = open(path, flags);
    }
    if (directory.fd < 0)
        return directory_failed(&directory, "", "cannot open the state directory");
    rc = look_at_owner(&directory);
    if (rc == TSS2_RC_SUCCESS)
        rc = look_at_file_system(&directory);
    if (rc == TSS2_RC_SUCCESS)
        *ret = directory;
    else
        directory_close(&directory);
    return rc;
}

TSS2_RC directory_reopen(const struct directory *directory, struct directory *ret)
{
    struct directory again = DIRECTORY_CLOSED;

    memcpy(again.path, directory->path, sizeof(again.path));
    again.unsynced = directory->unsynced;
    again.user = directory->user;
    again.group = directory->group;
    again.group_shared = directory->group_shared;
    again.fd = openat(directory->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (again.fd < 0)
        return directory_failed(&again, "", "cannot open the state directory");
    *ret = again;
    return TSS2_RC_SUCCESS;
}

void directory_close(struct directory *directory)
{
    directory_drop_locks(directory);
    if (directory->fd >= 0)
        (void)close(directory->fd);
    directory->fd = -1;
}

/* 0600 whatever the umask; what others share is theirs as well. */
static int adjust_new(const struct directory *directory, int fd, const char *name)
{
    mode_t mode = directory->group_shared ? 0660 : 0600;
    uid_t user = geteuid() == 0 ? directory->user : geteuid();
    bool regroup = directory->group_shared || geteuid() == 0;
    struct stat status;

    if (fstat(fd, &status) != 0)
        return -1;
    regroup = regroup && status.st_gid != directory->group;
    if ((status.st_mode & 0777) == mode && status.st_uid == user && !regroup)
        return 0;
    return disk_permit(fd, name, mode, status.st_uid == user ? (uid_t)-1 : user,
                       regroup ? directory->group : (gid_t)-1);
}

static int create_file(const struct directory *directory, const char *name)
{
    FD_SCOPE int fd = disk_create(directory->fd, name, O_RDWR, 0600);
    int made;

    if (fd < 0)
        return -1;
    if (adjust_new(directory, fd, name) != 0) {
        int reason = errno;

        (void)disk_remove(directory->fd, name);
        errno = reason;
        return -1;
    }
    made = fd;
    fd = -1;
    return made;
}

/* In a directory that others may write to, a file can be anybody's. */
static bool is_fit(const struct directory *directory, const char *name, int fd)
{
    struct stat status;

    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
        (may_trust(status.st_uid) || status.st_uid == directory->user || directory->group_shared))
        return true;
    error_set("%s/%s: not a file, or one that belongs to another user; remove it, or name another "
              "directory",
              directory->path, name);
    return false;
}

int directory_open_file(const struct directory *directory, const char *name)
{
    const int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    FD_SCOPE int fd = -1;
    int opened;

    /* Another process can make it between the two. */
    for (int tries = 0; fd < 0 && tries < 3; tries++) {
        fd = openat(directory->fd, name, flags);
        if (fd < 0 && errno == ENOENT)
            fd = create_file(directory, name);
        if (fd < 0 && errno != EEXIST)
            break;
    }
    if (fd < 0) {
        (void)directory_failed(directory, name, "cannot open or make");
        return -1;
    }
    if (!is_fit(directory, name, fd))
        return -1;
    opened = fd;
    fd = -1;
    return opened;
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

TSS2_RC directory_read(const struct directory *directory, const char *name, size_t maximum,
                       struct blob *ret)
{
    FD_SCOPE int fd = openat(directory->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    BLOB_SCOPE struct blob content = {NULL, 0};
    struct stat status;

    if (fd < 0 && errno == ENOENT) {
        *ret = (struct blob){NULL, 0};
        return TSS2_RC_SUCCESS;
    }
    if (fd < 0 || fstat(fd, &status) != 0)
        return directory_failed(directory, name, "cannot open");
    if (!S_ISREG(status.st_mode) || (uint64_t)status.st_size > maximum) {
        error_set("%s/%s: not a file of at most %zu bytes", directory->path, name, maximum);
        return TSS2_TCTI_RC_BAD_VALUE;
    }
    if (!is_fit(directory, name, fd))
        return TSS2_TCTI_RC_BAD_VALUE;
    if (blob_copy("", 0, &content) != 0)
        return TSS2_TCTI_RC_MEMORY;
    if (status.st_size > 0) {
        BLOB_SCOPE struct blob room = {calloc(1, (size_t)status.st_size), (size_t)status.st_size};

        if (!room.data)
            return TSS2_TCTI_RC_MEMORY;
        if (read_all(fd, room.data, room.size) != 0)
            return directory_failed(directory, name, "cannot read");
        blob_move(&content, &room);
    }
    *ret = content;
    content = (struct blob){NULL, 0};
    return TSS2_RC_SUCCESS;
}

#define FRESH_MAX (NAME_MAX + 8)

static const char *fresh_name(const char *name, char fresh[FRESH_MAX])
{
    (void)snprintf(fresh, FRESH_MAX, "%s.new", name);
    return fresh;
}

/* Of the lock's holders one alone can be at work on it. */
static int create_fresh(const struct directory *directory, const char *fresh)
{
    int fd = create_file(directory, fresh);

    if (fd >= 0 || errno != EEXIST || disk_remove(directory->fd, fresh) != 0)
        return fd;
    return create_file(directory, fresh);
}

TSS2_RC directory_replace(const struct directory *directory, const char *name,
                          const struct blob *content)
{
    char fresh[FRESH_MAX];
    FD_SCOPE int fd = create_fresh(directory, fresh_name(name, fresh));
    TSS2_RC rc = TSS2_RC_SUCCESS;

    if (fd < 0)
        return directory_failed(directory, fresh, "cannot make");
    if (disk_write(fd, fresh, content->data, content->size, 0) != 0 ||
        (!directory->unsynced && disk_sync(fd, fresh) != 0))
        rc = directory_failed(directory, fresh, "cannot write");
    else if (disk_rename(directory->fd, fresh, name) != 0)
        rc = directory_failed(directory, name, "cannot replace");
    if (rc != TSS2_RC_SUCCESS) {
        (void)disk_remove(directory->fd, fresh);
        return rc;
    }
    if (!directory->unsynced && sync_directory(directory->fd, "") != 0)
        return directory_failed(directory, "", "cannot sync");
    return TSS2_RC_SUCCESS;
}

TSS2_RC directory_remove(const struct directory *directory, const char *name)
{
    if (faccessat(directory->fd, name, F_OK, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT)
        return TSS2_RC_SUCCESS;
    if (disk_remove(directory->fd, name) != 0)
        return directory_failed(directory, name, "cannot remove");
    if (!directory->unsynced && sync_directory(directory->fd, "") != 0)
        return directory_failed(directory, "", "cannot sync");
    return TSS2_RC_SUCCESS;
}

void directory_tidy(const struct directory *directory, const char *name)
{
    char fresh[FRESH_MAX];

    if (faccessat(directory->fd, fresh_name(name, fresh), F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        (void)disk_remove(directory->fd, fresh);
}
