#include <errno.h>
#include <sys/stat.h>

#include "token/store/directory_state.h"
#include "token/store/name.h"

/* The list of a directory that is not there. */
static void forget(struct directory *directory)
{
    watch_close(&directory->watch);
    listing_clear(&directory->listing);
    bytes_free(&directory->index);
    directory->exists = false;
    directory->listed = false;
    directory->index_read = false;
    directory->drafts = 0;
}

struct change {
    struct directory *directory;
    int descriptor; /* of the directory, opened when it is needed */
};

static void change_end(struct change *change)
{
    directory_close(&change->descriptor);
}

static void count_draft(struct directory *directory, const struct watch_event *event)
{
    directory->drafts += event->came;
    if (event->gone && directory->drafts > 0)
        directory->drafts--;
}

static CK_RV take_event(void *data, const struct watch_event *event)
{
    struct change *change = data;
    struct directory *directory = change->directory;
    if (name_is_draft(event->name))
        count_draft(directory, event);
    if (!name_is_entry(event->name))
        return CKR_OK;
    if (change->descriptor < 0)
        change->descriptor = directory_open(directory);
    if (change->descriptor < 0)
        return CKR_DEVICE_ERROR;
    struct look look = look_at(change->descriptor, event->name, false);
    return listing_put(&directory->listing, event->name, &look, event->content);
}

/* Takes over what the watch tells; *ret_list if that is not all there is. */
static CK_RV read_watch(struct directory *directory, const struct file_stamp *stamp, bool *ret_list)
{
    struct change change CLEANUP(change_end) = {directory, -1};
    enum watch_state state = WATCH_LOST;
    CK_RV rv = watch_read(&directory->watch, take_event, &change, &state);
    if (rv == CKR_HOST_MEMORY)
        return rv;
    bool lost = rv != CKR_OK || state == WATCH_LOST;
    if (lost)
        watch_close(&directory->watch);
    /* A file system that changes without telling shows at least new names so. */
    bool untold = state == WATCH_QUIET && !stamp_equal(stamp, &directory->stamp);
    struct stat status;
    if (state == WATCH_TOLD && stat(directory->path, &status) == 0)
        directory->stamp = stamp_of(&status);
    *ret_list = lost || untold;
    return CKR_OK;
}

static CK_RV refresh(struct directory *directory, const struct file_stamp *stamp,
                     struct reason *reason)
{
    bool same = directory->listed && stamp->device == directory->stamp.device &&
                stamp->inode == directory->stamp.inode;
    bool list = true;
    if (!same)
        watch_close(&directory->watch);
    else if (directory->watch.descriptor.open) {
        CK_RV rv = read_watch(directory, stamp, &list);
        if (rv != CKR_OK)
            return rv;
    } else {
        directory->looked += directory->listing.files.count;
        list = directory->unsettled || !stamp_equal(stamp, &directory->stamp) ||
               (directory_wants_watch(directory) && !directory->watch.refused);
    }
    if (!list)
        return directory_sweep(directory, reason);
    directory->listed = false;
    return directory_list(directory, reason);
}

CK_RV directory_refresh(struct directory *directory, bool *ret_changed, struct reason *reason)
{
    struct stat status;
    CK_RV rv = CKR_OK;
    if (stat(directory->path, &status) == 0) {
        struct file_stamp stamp = stamp_of(&status);
        rv = refresh(directory, &stamp, reason);
    } else if (errno == ENOENT)
        forget(directory);
    else
        return directory_unreadable(directory, NULL, errno, reason);
    if (rv != CKR_OK)
        return rv;
    directory_index_load(directory);
    *ret_changed = directory->listing.changed;
    directory->listing.changed = false;
    return CKR_OK;
}

CK_RV directory_glance(struct directory *directory, const char *const names[], size_t count,
                       struct reason *reason)
{
    int descriptor CLEANUP(directory_close) = directory_open(directory);
    if (descriptor < 0 && errno == ENOENT) {
        forget(directory);
        return CKR_OK;
    }
    if (descriptor < 0)
        return directory_unreadable(directory, NULL, errno, reason);
    directory->exists = true;
    CK_RV rv = CKR_OK;
    for (size_t i = 0; i < count && rv == CKR_OK; i++) {
        const struct record *known = listing_find(&directory->listing, names[i]);
        struct look look = look_at(descriptor, names[i], known && known->elsewhere);
        if (known || look.kind != LOOK_NOTHING)
            rv = listing_put(&directory->listing, names[i], &look, true);
    }
    return rv;
}
