#include "emulator/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static _Atomic(disk_watcher) watching;
static void *watching_data;

void disk_watch(disk_watcher watcher, void *data)
{
    atomic_store_explicit(&watching, NULL, memory_order_release);
    watching_data = data;
    atomic_store_explicit(&watching, watcher, memory_order_release);
}

const char *disk_kind_name(enum disk_kind kind)
{
    static const char *const names[] = {
        [DISK_MAKE_DIRECTORY] = "mkdir", [DISK_CREATE] = "create", [DISK_PERMIT] = "permit",
        [DISK_WRITE] = "write",          [DISK_SYNC] = "sync",     [DISK_RENAME] = "rename",
        [DISK_REMOVE] = "remove",        [DISK_STORE] = "store",
    };

    return names[kind];
}

static struct disk_fate fate_of(const struct disk_operation *operation)
{
    disk_watcher watcher = atomic_load_explicit(&watching, memory_order_acquire);

    if (!watcher)
        return (struct disk_fate){DISK_GOES_ON, 0, 0};
    return watcher(watching_data, operation);
}

static void die(void)
{
    (void)kill(getpid(), SIGKILL);
    for (;;)
        (void)pause();
}

static int write_all(int fd, const uint8_t *from, size_t size, off_t offset)
{
    while (size > 0) {
        ssize_t done = pwrite(fd, from, size, offset);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return -1;
        from += done;
        offset += done;
        size -= (size_t)done;
    }
    return 0;
}

/* May the operation be done? Else errno says why not. */
static bool begin(const struct disk_operation *operation, struct disk_fate *ret_fate)
{
    struct disk_fate fate = fate_of(operation);
    bool partial = fate.outcome == DISK_FAILS || fate.outcome == DISK_DIES_DURING;

    if (fate.outcome == DISK_DIES_BEFORE)
        die();
    if (partial && operation->kind == DISK_WRITE)
        (void)write_all(operation->fd, operation->data,
                        fate.part < operation->size ? fate.part : operation->size,
                        operation->offset);
    if (fate.outcome == DISK_DIES_DURING)
        die();
    *ret_fate = fate;
    errno = fate.error;
    return fate.outcome != DISK_FAILS;
}

static int end(const struct disk_fate *fate, int result)
{
    if (fate->outcome == DISK_DIES_AFTER)
        die();
    return result;
}

int disk_make_directory(const char *path, mode_t mode)
{
    const struct disk_operation operation = {.kind = DISK_MAKE_DIRECTORY, .name = path, .fd = -1};
    struct disk_fate fate;

    return begin(&operation, &fate) ? end(&fate, mkdir(path, mode)) : -1;
}

int disk_create(int directory, const char *name, int flags, mode_t mode)
{
    const struct disk_operation operation = {.kind = DISK_CREATE, .name = name, .fd = directory};
    struct disk_fate fate;

    if (!begin(&operation, &fate))
        return -1;
    return end(&fate,
               openat(directory, name, flags | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
}

int disk_permit(int fd, const char *name, mode_t mode, uid_t owner, gid_t group)
{
    const struct disk_operation operation = {.kind = DISK_PERMIT, .name = name, .fd = fd};
    struct disk_fate fate;

    if (!begin(&operation, &fate))
        return -1;
    if ((owner != (uid_t)-1 || group != (gid_t)-1) && fchown(fd, owner, group) != 0) {
        if (errno != EPERM)
            return end(&fate, -1);
        mode &= ~(mode_t)S_IRWXG;
    }
    return end(&fate, fd >= 0 ? fchmod(fd, mode) : chmod(name, mode));
}

int disk_write(int fd, const char *name, const void *data, size_t size, off_t offset)
{
    const struct disk_operation operation = {
        .kind = DISK_WRITE, .name = name, .fd = fd, .data = data, .size = size, .offset = offset};
    struct disk_fate fate;

    return begin(&operation, &fate) ? end(&fate, write_all(fd, data, size, offset)) : -1;
}

int disk_sync(int fd, const char *name)
{
    const struct disk_operation operation = {.kind = DISK_SYNC, .name = name, .fd = fd};
    struct disk_fate fate;

    return begin(&operation, &fate) ? end(&fate, fsync(fd)) : -1;
}

int disk_rename(int directory, const char *from, const char *to)
{
    const struct disk_operation operation = {
        .kind = DISK_RENAME, .name = from, .to = to, .fd = directory};
    struct disk_fate fate;

    return begin(&operation, &fate) ? end(&fate, renameat(directory, from, directory, to)) : -1;
}

int disk_remove(int directory, const char *name)
{
    const struct disk_operation operation = {.kind = DISK_REMOVE, .name = name, .fd = directory};
    struct disk_fate fate;

    return begin(&operation, &fate) ? end(&fate, unlinkat(directory, name, 0)) : -1;
}

void disk_store(const char *name, _Atomic uint64_t *word, uint64_t value, off_t offset)
{
    const struct disk_operation operation = {.kind = DISK_STORE,
                                             .name = name,
                                             .fd = -1,
                                             .data = &value,
                                             .size = sizeof(value),
                                             .offset = offset};
    struct disk_fate fate;

    (void)begin(&operation, &fate);
    atomic_store_explicit(word, value, memory_order_release);
    (void)end(&fate, 0);
}
