/* A token directory: its files, noticed when they change, and written whole or not
 * at all. Names are those of the directory itself; those that begin with a dot are
 * this room's own and never seen outside. */
#ifndef SIGNET_STORE_DIRECTORY_H
#define SIGNET_STORE_DIRECTORY_H

#include "token/base/bytes.h"
#include "token/base/reason.h"

#define DIRECTORY_MAX_FILE_SIZE (4 * 1024 * 1024)
#define DIRECTORY_MAX_FILES 200000

struct directory;

/* Tells one version of a file from any other. */
struct file_stamp {
    uint64_t device;
    uint64_t inode;
    uint64_t size;
    int64_t modified; /* both in nanoseconds */
    int64_t changed;
};

/* One regular file, or a link to one. `cached` is what the index keeps for this very
 * version (borrowed until directory_index_save or until the file changes; aligned to 8
 * bytes), empty if nothing. `version` is another one, and higher, whenever another content
 * was seen or may be there, for the caller's comparison. */
struct directory_file {
    const char *name;
    struct file_stamp stamp;
    struct view cached;
    uint64_t version;
};

/* Touches nothing yet. Freed with directory_free, NULL is fine. */
CHECKED CK_RV directory_new(const char *path, struct directory **ret_directory);
void directory_free(struct directory *directory);
const char *directory_path(const struct directory *directory);

/* Brings the list up to date with what is there now: files added, changed or removed,
 * by anybody, in any way. Cheap when nothing changed; *ret_changed tells, but not of own
 * changes. A directory that does not exist is an empty one. CKR_DEVICE_ERROR with the
 * reason; the list stays. Left out are what editors leave (x~, #x#, x.bak, x.swp, x.tmp) and
 * names that are not UTF-8. */
CHECKED CK_RV directory_refresh(struct directory *directory, bool *ret_changed,
                                struct reason *reason);
/* Looks at these files alone, however many others there are: directory_find then tells
 * of them. Whatever else is known of the directory stays as it was. */
CHECKED CK_RV directory_glance(struct directory *directory, const char *const names[], size_t count,
                               struct reason *reason);
bool directory_exists(const struct directory *directory);
/* False where files cannot be made: a read-only file system or directory. */
bool directory_writable(const struct directory *directory);

/* True, as of the last refresh, where everybody may put files into it; the log says so. */
bool directory_is_public(const struct directory *directory);

/* The files as of the last refresh or own change, in the order of their names. */
size_t directory_count(const struct directory *directory);
const struct directory_file *directory_at(const struct directory *directory, size_t index);
const struct directory_file *directory_find(const struct directory *directory, const char *name);

/* Reads one file whole; the stamp is that of what was read. CKR_OBJECT_HANDLE_INVALID
 * if there is none (any more), CKR_DEVICE_ERROR, CKR_HOST_MEMORY. */
CHECKED CK_RV directory_read(struct directory *directory, const char *name,
                             struct bytes *ret_content, struct file_stamp *ret_stamp,
                             struct reason *reason);

/* Makes the directory (0700) and its parents. */
CHECKED CK_RV directory_make(struct directory *directory, struct reason *reason);

/* One writer at a time, over all processes and struct directory's; waits. Whoever
 * changes a file holds it and reads what it changes after taking it; for a single write
 * or removal it is taken if it is not held. Not needed to read. Locking twice is an error.
 * Writing fails with CKR_TOKEN_WRITE_PROTECTED, CKR_DEVICE_MEMORY (full disk, quota) or
 * CKR_DEVICE_ERROR, with the reason, and leaves the old content; only when the last
 * step fails, which makes the change outlast a power failure, it is done and listed. */
CHECKED CK_RV directory_lock(struct directory *directory, struct reason *reason);
void directory_unlock(struct directory *directory);

/* Replaces or makes the file, 0600: beside, fsync, rename, fsync of the directory.
 * Killed at any point there is the old content or the new one. A link is replaced
 * by a file, never written through. */
CHECKED CK_RV directory_write(struct directory *directory, const char *name, struct view content,
                              struct reason *reason);
CHECKED CK_RV directory_remove(struct directory *directory, const char *name,
                               struct reason *reason);

/* The index: a file that spares reading all others; it is rebuilt whenever it is
 * missing, damaged or of another version, and each part of it counts only while its
 * file's stamp is the same. `set` keeps a copy for what was read or written as `stamp`,
 * unless it is so new that one more change could leave the same stamp; `save` writes
 * it if enough is new and the directory allows, never fails, and ends all `cached`. */
CHECKED CK_RV directory_index_set(struct directory *directory, const char *name,
                                  const struct file_stamp *stamp, struct view content);
void directory_index_save(struct directory *directory);

#endif
