#ifndef EMULATOR_DISK_H
#define EMULATOR_DISK_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The one way to change anything in a state directory, so that tests and the
 * fault schedule can watch each operation and decide its fate. Functions that
 * can fail return 0 (or a file descriptor) or -1 with errno; a name is relative to the
 * directory, "" the directory itself. */

enum disk_kind {
    DISK_MAKE_DIRECTORY, /* mkdir; the name is a whole path */
    DISK_CREATE,         /* open of a new file */
    DISK_PERMIT,         /* chmod and chown of what is new */
    DISK_WRITE,          /* pwrite */
    DISK_SYNC,           /* fsync, of a file or of the directory */
    DISK_RENAME,
    DISK_REMOVE, /* unlink */
    DISK_STORE,  /* a word stored into a mapped file; cannot fail */
};

struct disk_operation {
    enum disk_kind kind;
    const char *name;
    const char *to;   /* DISK_RENAME: the new name; else NULL */
    int fd;           /* of the file that is written or synced; else of the directory, or -1 */
    const void *data; /* DISK_WRITE, DISK_STORE: what is written, size bytes at offset */
    size_t size;
    off_t offset;
};

enum disk_outcome {
    DISK_GOES_ON, /* it is done */
    DISK_FAILS,   /* with `error`, after `part` bytes of a write; DISK_STORE is done all the same */
    DISK_DIES_BEFORE, /* the process ends by SIGKILL, nothing done */
    DISK_DIES_DURING, /* so, after `part` bytes of a write */
    DISK_DIES_AFTER,  /* so, when it is done */
};

struct disk_fate {
    enum disk_outcome outcome;
    int error;
    size_t part;
};

/* Asked before each operation of the process, in the thread that does it and
 * under the state directory's lock, but for the making of directories and lock
 * files. It must not use the state directory itself. */
typedef struct disk_fate (*disk_watcher)(void *data, const struct disk_operation *operation);

/* Sets the process's watcher, NULL for none. Before the threads that it shall
 * see, and not while one of them is at work. */
void disk_watch(disk_watcher watcher, void *data);

/* "write", "rename", ... */
const char *disk_kind_name(enum disk_kind kind);

int disk_make_directory(const char *path, mode_t mode);
int disk_create(int directory, const char *name, int flags, mode_t mode);

/* Sets the mode of the file, or without one (-1) of the path; and, unless they
 * are -1, owner and group of the file. Where that is not permitted the group that
 * the file has gets nothing. */
int disk_permit(int fd, const char *name, mode_t mode, uid_t owner, gid_t group);

/* Writes all of it. */
int disk_write(int fd, const char *name, const void *data, size_t size, off_t offset);
int disk_sync(int fd, const char *name);
int disk_rename(int directory, const char *from, const char *to);
int disk_remove(int directory, const char *name);

/* Stores a word of a mapped file, at that offset, for all who map it at once. */
void disk_store(const char *name, _Atomic uint64_t *word, uint64_t value, off_t offset);

#endif
