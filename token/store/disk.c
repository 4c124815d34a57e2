#include "token/store/disk.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int create(int directory, const char *name, mode_t mode)
{
    const int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    return openat(directory, name, flags, mode);
}

static int rename_within(int directory, const char *from, const char *to)
{
    return renameat(directory, from, directory, to);
}

static int remove_from(int directory, const char *name)
{
    return unlinkat(directory, name, 0);
}

const struct disk disk_system = {
    .make_directory = mkdir,
    .create = create,
    .permit = fchmod,
    .permit_path = chmod,
    .give = fchown,
    .write = write,
    .date = futimens,
    .sync = fsync,
    .rename = rename_within,
    .remove = remove_from,
};
