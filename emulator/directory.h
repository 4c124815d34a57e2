#ifndef EMULATOR_DIRECTORY_H
#define EMULATOR_DIRECTORY_H

#include "emulator/bytes.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>
#include <tss2/tss2_common.h>

/* A state directory, held open, and its locks:
 *   signet.lock  flock: whoever runs a command that needs the shared state.
 *                A byte of it, at the offset `owner`, stays locked while the
 *                process lives: what dead processes left is told apart by it.
 *   .lock        read-locked by all of us, write-locked by a running swtpm. */
struct directory {
    char path[PATH_MAX];
    int fd;
    uid_t user; /* whose the directory is */
    gid_t group;
    bool group_shared; /* the group may write, too, and no others */
    int lock_fd;
    int swtpm_lock_fd;
    uint64_t owner;
    atomic_bool unsynced; /* nothing is made sure to outlast a power loss */
};

#define DIRECTORY_CLOSED                                                                           \
    {                                                                                              \
        .fd = -1, .lock_fd = -1, .swtpm_lock_fd = -1                                               \
    }

/* Opens the directory, made with its parents (mode 0700) if it is missing.
 * Failures have an error text that names the path.
 *
 * Who may write to the directory may use the TPM, and who owns it has the keys:
 * it must be ours, root's, or shared by its group (mode g+w, o-w), and then the
 * files in it are the group's, too. Root leaves files that are the directory's owner's. */
TSS2_RC directory_open(const char *path, struct directory *ret);

/* Opens it once more, with locks of its own to take. */
TSS2_RC directory_reopen(const struct directory *directory, struct directory *ret);
void directory_close(struct directory *directory);

/* Is that the type of a network file system (statfs)? Those are refused. */
bool directory_is_remote(unsigned long file_system);

/* Opens the lock files, with a new owner. An error if a swtpm runs on the
 * directory. Closes what was open before: after a fork those belong to the parent. */
TSS2_RC directory_open_locks(struct directory *directory);

/* Closes the lock files without unlocking. Async-signal-safe. */
void directory_drop_locks(struct directory *directory);

/* Waits for the turn of this process. */
TSS2_RC directory_lock(struct directory *directory);
void directory_unlock(struct directory *directory);

/* Takes the turn if nobody has it. */
bool directory_try_lock(struct directory *directory);

/* Does the process that had this owner live? */
bool directory_owner_lives(const struct directory *directory, uint64_t owner);

/* Does any other process use the directory? */
bool directory_is_shared(const struct directory *directory);

/* How many owners there are besides this one: one for each process, and more for
 * one whose threads are at work at once. */
unsigned directory_count_others(const struct directory *directory);

/* Sets the error text "PATH/NAME: doing: why", by errno; the name can be "".
 * Returns TSS2_TCTI_RC_IO_ERROR. */
TSS2_RC directory_failed(const struct directory *directory, const char *name, const char *doing);

/* Opens a file for reading and writing, made empty if it is missing. -1 with an
 * error text on failure. */
int directory_open_file(const struct directory *directory, const char *name);

/* Reads a whole file. A missing one is success with an empty *ret. */
TSS2_RC directory_read(const struct directory *directory, const char *name, size_t maximum,
                       struct blob *ret);

/* Replaces a file durably and at once: new file, fsync, rename, fsync. If it is
 * the last of these that fails, the new file is there all the same. */
TSS2_RC directory_replace(const struct directory *directory, const char *name,
                          const struct blob *content);

/* Removes a file durably. A missing one is success. */
TSS2_RC directory_remove(const struct directory *directory, const char *name);

/* Removes what a killed directory_replace of the file left. */
void directory_tidy(const struct directory *directory, const char *name);

#endif
