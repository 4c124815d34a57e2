#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "token/store/directory_state.h"

/* The name of a new directory is kept by its parent. */
static int sync_parent(const struct disk *disk, const char *path)
{
    char parent[PATH_MAX + 4];
    snprintf(parent, sizeof(parent), "%s/..", path);
    int file CLEANUP(directory_close) = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    /* One that may be entered but not read: the directory is there all the same. */
    if (file < 0)
        return 0;
    return disk->sync(file) == 0 || errno == EINVAL || errno == ENOTSUP ? 0 : -1;
}

/* 0700, whatever the umask. */
static int make_one(const struct disk *disk, const char *path)
{
    if (disk->make_directory(path, 0700) != 0)
        return errno == EEXIST ? 0 : -1;
    if (disk->permit_path(path, 0700) != 0)
        return -1;
    return sync_parent(disk, path);
}

static int make_all(const struct disk *disk, const char *path)
{
    char part[PATH_MAX];
    struct stat status;
    if (snprintf(part, sizeof(part), "%s", path) >= (int)sizeof(part)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        if (stat(part, &status) != 0 && make_one(disk, part) != 0)
            return -1;
        *slash = '/';
    }
    return make_one(disk, part);
}

CK_RV directory_make(struct directory *directory, struct reason *reason)
{
    struct stat status;
    if (make_all(directory->disk, directory->path) != 0)
        return directory_failed(directory, NULL, "cannot be made", errno, reason);
    if (stat(directory->path, &status) == 0 && S_ISDIR(status.st_mode))
        return CKR_OK;
    reason_set(reason, "%s: cannot be made: something else stands there", directory->path);
    return CKR_DEVICE_ERROR;
}
