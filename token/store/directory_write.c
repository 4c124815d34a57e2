#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "token/store/draft.h"
#include "token/store/name.h"

#define UNSURE "is changed, but may not outlast a power failure"

/* The lock for one change, unless the caller holds it. */
struct hold {
    struct directory *directory;
    bool taken;
    int parent;
};

static void hold_end(struct hold *hold)
{
    directory_close(&hold->parent);
    if (hold->taken)
        directory_unlock(hold->directory);
}

static bool is_lock_of(const struct directory *directory, int parent)
{
    struct stat status;
    return fstatat(parent, NAME_LOCK, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
           status.st_dev == directory->lock.device && status.st_ino == directory->lock.inode;
}

static CK_RV hold_begin(struct hold *hold, const char *name, struct reason *reason)
{
    struct directory *directory = hold->directory;
    if (!name_is_entry(name)) {
        reason_set(reason, "%s/%s: is not a name for an entry", directory->path, name);
        return CKR_DEVICE_ERROR;
    }
    if (!directory_is_locked(directory)) {
        CK_RV rv = directory_lock(directory, reason);
        if (rv != CKR_OK)
            return rv;
        hold->taken = true;
    }
    hold->parent = directory_open(directory);
    if (hold->parent < 0)
        return directory_failed(directory, name, "cannot be changed", errno, reason);
    if (!is_lock_of(directory, hold->parent)) {
        reason_set(reason, "%s: was replaced while it was locked", directory->path);
        return CKR_DEVICE_ERROR;
    }
    draft_tidy(directory, hold->parent);
    return CKR_OK;
}

/* Some file systems have nothing to do for a directory. */
static CK_RV sync_names(const struct hold *hold, const char *name, struct reason *reason)
{
    if (hold->directory->disk->sync(hold->parent) == 0 || errno == EINVAL || errno == ENOTSUP)
        return CKR_OK;
    /* The caller takes it for not done: it learns of it as of somebody else's change. */
    hold->directory->listing.changed = true;
    return directory_failed(hold->directory, name, UNSURE, errno, reason);
}

/* The list has the file at once, and knows it when it sees it again. */
static CK_RV list_written(const struct hold *hold, const char *name, const struct draft *draft)
{
    struct listing *listing = &hold->directory->listing;
    struct look look = look_at(hold->parent, name, false);
    bool changed = listing->changed;
    bool same = look.stamp.inode == draft->stamp.inode &&
                look.stamp.modified == draft->stamp.modified &&
                look.stamp.size == draft->stamp.size;
    CK_RV rv = same && draft->dated ? listing_put_own(listing, name, &look)
                                    : listing_put(listing, name, &look, true);
    listing->changed = changed || !same;
    hold->directory->listed = hold->directory->listed && rv == CKR_OK;
    return rv;
}

CK_RV directory_write(struct directory *directory, const char *name, struct view content,
                      struct reason *reason)
{
    struct hold hold CLEANUP(hold_end) = {.directory = directory, .parent = -1};
    if (content.size > DIRECTORY_MAX_FILE_SIZE) {
        reason_set(reason, "%s/%s: would be larger than %d bytes", directory->path, name,
                   DIRECTORY_MAX_FILE_SIZE);
        return CKR_DEVICE_MEMORY;
    }
    CK_RV rv = hold_begin(&hold, name, reason);
    if (rv != CKR_OK)
        return rv;
    struct draft draft CLEANUP(draft_end) = {.directory = directory, .parent = hold.parent};
    if (draft_make(&draft, name, content, true) != 0 || draft_place(&draft, name) != 0)
        return directory_failed(directory, name, "cannot be written", errno, reason);
    rv = list_written(&hold, name, &draft);
    CK_RV synced = sync_names(&hold, name, reason);
    return synced != CKR_OK ? synced : rv;
}

CK_RV directory_remove(struct directory *directory, const char *name, struct reason *reason)
{
    struct hold hold CLEANUP(hold_end) = {.directory = directory, .parent = -1};
    CK_RV rv = hold_begin(&hold, name, reason);
    if (rv != CKR_OK)
        return rv;
    if (directory->disk->remove(hold.parent, name) != 0) {
        if (errno != ENOENT)
            return directory_failed(directory, name, "cannot be removed", errno, reason);
        reason_set(reason, "%s/%s: there is no such file", directory->path, name);
        return CKR_OBJECT_HANDLE_INVALID;
    }
    bool changed = directory->listing.changed;
    listing_drop(&directory->listing, name);
    directory->listing.changed = changed;
    return sync_names(&hold, name, reason);
}
