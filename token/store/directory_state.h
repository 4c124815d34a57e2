/* A token directory's insides, for the files of this room that do its work. */
#ifndef SIGNET_STORE_DIRECTORY_STATE_H
#define SIGNET_STORE_DIRECTORY_STATE_H

#include "token/store/descriptor.h"
#include "token/store/disk.h"
#include "token/store/listing.h"
#include "token/store/watch.h"

/* listed: the list is that of the directory `stamp`, as far as the watch or the stamps
 * tell. unsettled: without a watch, names may have changed under the same stamp.
 * drafts: unfinished files seen in it, of running or dead writers. looked: how many files
 * were looked at without a watch, after the first time. */
struct directory {
    char *path;
    const struct disk *disk;
    bool exists;
    bool listed;
    bool unsettled;
    bool told_full;
    bool public;
    struct file_stamp stamp;
    struct listing listing;
    struct watch watch;
    size_t looked;
    struct descriptor lock;
    unsigned drafts;
    int64_t swept;
    struct bytes index;
    bool index_read;
    int64_t index_saved;
};

/* Closed when it goes out of scope. */
void directory_close(int *descriptor);

/* The directory itself, for a moment; -1 with errno. */
int directory_open(const struct directory *directory);

/* Reads a file from its start to the end, or till the room is full; -1 with errno. */
ssize_t directory_read_some(int file, uint8_t *data, size_t room);

/* The reason "PATH/NAME: doing: why" of an errno, and its CK_RV. name may be NULL. */
CHECKED CK_RV directory_failed(const struct directory *directory, const char *name,
                               const char *doing, int error, struct reason *reason);

/* So for reading: what is not permitted is an error as any other. */
CHECKED CK_RV directory_unreadable(const struct directory *directory, const char *name, int error,
                                   struct reason *reason);

/* Lists what is there anew, with a new watch if need be. */
CHECKED CK_RV directory_list(struct directory *directory, struct reason *reason);

/* Would a watch pay by now? */
bool directory_wants_watch(const struct directory *directory);

/* Looks at files of which the directory does not tell when they change: with a watch
 * at those that can change elsewhere, without one at all. */
CHECKED CK_RV directory_sweep(struct directory *directory, struct reason *reason);

/* Seconds since some point, in nanoseconds. */
int64_t directory_clock(void);

/* Reads the index into the list, once; its `cached` are valid until forgotten. */
void directory_index_load(struct directory *directory);

/* True if the lock was free, or is held already (then *ret_taken is false). */
bool directory_lock_try(struct directory *directory, bool *ret_taken);
bool directory_is_locked(const struct directory *directory);

#endif
