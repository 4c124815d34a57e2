#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "token/base/log.h"
#include "token/store/directory_state.h"
#include "token/store/name.h"

#define OPEN_TRIES 3
#define SWEEP_ALWAYS 512 /* files; of more than these once in SWEEP_PAUSE */
#define SWEEP_PAUSE INT64_C(1000000000)

/* Looking at so many files takes as long as it takes to close a watch: most processes
 * end before. */
#define WATCH_AFTER 16384

static void close_stream(DIR **stream)
{
    if (*stream)
        closedir(*stream);
}

bool directory_wants_watch(const struct directory *directory)
{
    return directory->looked > WATCH_AFTER && !watch_holds(&directory->watch);
}

/* Opens the directory and, if it pays, a watch on it; again, if it was replaced in
 * between. */
static int open_watched(struct directory *directory, struct file_stamp *ret_stamp)
{
    struct watch *watch = &directory->watch;
    for (int i = 0; i < OPEN_TRIES; i++) {
        struct stat before, after;
        int descriptor = directory_open(directory);
        if (descriptor < 0 || fstat(descriptor, &before) != 0)
            return descriptor;
        *ret_stamp = stamp_of(&before);
        if (!directory_wants_watch(directory) || !watch_open(watch, directory->path, descriptor))
            return descriptor;
        if (stat(directory->path, &after) == 0 && after.st_dev == before.st_dev &&
            after.st_ino == before.st_ino)
            return descriptor;
        watch_close(watch);
        close(descriptor);
    }
    errno = EBUSY;
    return -1;
}

static CK_RV put_entry(struct directory *directory, int descriptor, const struct dirent *entry)
{
    struct listing *listing = &directory->listing;
    bool may_be_file =
        entry->d_type == DT_REG || entry->d_type == DT_LNK || entry->d_type == DT_UNKNOWN;
    directory->drafts += name_is_draft(entry->d_name);
    if (!may_be_file || !name_is_entry(entry->d_name))
        return CKR_OK;
    struct look look = look_at(descriptor, entry->d_name, entry->d_type == DT_LNK);
    return look.kind == LOOK_NOTHING ? CKR_OK : listing_put(listing, entry->d_name, &look, true);
}

static CK_RV put_entries(struct directory *directory, DIR *stream, struct reason *reason)
{
    directory->drafts = 0;
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(stream);
        if (!entry && errno != 0)
            return directory_unreadable(directory, NULL, errno, reason);
        CK_RV rv = entry ? put_entry(directory, dirfd(stream), entry) : CKR_OK;
        if (!entry || rv != CKR_OK)
            return rv;
    }
}

static void tell_when_full(struct directory *directory)
{
    bool full = directory->listing.full;
    if (full && !directory->told_full)
        log_line(LOG_LEVEL_WARNING, "store",
                 "%s: there are more than %d files; the others are "
                 "left out",
                 directory->path, DIRECTORY_MAX_FILES);
    directory->told_full = full;
}

/* Who puts files here decides what the token is. */
static void tell_when_public(struct directory *directory, int descriptor)
{
    struct stat status;
    bool before = directory->public;
    directory->public = fstat(descriptor, &status) == 0 && status.st_mode & S_IWOTH;
    if (directory->public && !before)
        log_line(LOG_LEVEL_WARNING, "store",
                 "%s: everybody may write here, and put another token or other "
                 "keys in place of yours: chmod o-w %s",
                 directory->path, directory->path);
}

static CK_RV scan(struct directory *directory, DIR *stream, struct reason *reason)
{
    struct listing *listing = &directory->listing;
    listing_begin(listing);
    CK_RV rv = put_entries(directory, stream, reason);
    if (rv == CKR_OK)
        rv = listing_end(listing);
    if (rv != CKR_OK)
        listing_abandon(listing);
    return rv;
}

CK_RV directory_list(struct directory *directory, struct reason *reason)
{
    struct file_stamp stamp;
    int descriptor CLEANUP(directory_close) = open_watched(directory, &stamp);
    int64_t now = stamp_now();
    DIR *stream CLEANUP(close_stream) = descriptor < 0 ? NULL : fdopendir(descriptor);
    if (!stream)
        return directory_unreadable(directory, NULL, errno, reason);
    descriptor = -1;
    CK_RV rv = scan(directory, stream, reason);
    if (rv != CKR_OK)
        return rv;
    directory->stamp = stamp;
    directory->unsettled = stamp_is_recent(&stamp, now);
    directory->swept = directory_clock();
    directory->exists = true;
    directory->listed = true;
    tell_when_full(directory);
    tell_when_public(directory, dirfd(stream));
    return CKR_OK;
}

static CK_RV sweep_table(struct directory *directory, const struct record_table *table,
                         int descriptor)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct record *record = table->at[i];
        struct look look = look_at(descriptor, record->name, record->elsewhere);
        size_t count = table->count;
        CK_RV rv = listing_put(&directory->listing, record->name, &look, true);
        if (rv != CKR_OK)
            return rv;
        i -= table->count < count;
    }
    return CKR_OK;
}

/* Without a watch: all, but if there will be none not all the time. */
static bool sweep_is_due(struct directory *directory)
{
    const struct listing *listing = &directory->listing;
    int64_t now = directory_clock();
    if (directory->watch.refused && listing->files.count + listing->loose.count > SWEEP_ALWAYS &&
        now - directory->swept < SWEEP_PAUSE)
        return false;
    directory->swept = now;
    return true;
}

CK_RV directory_sweep(struct directory *directory, struct reason *reason)
{
    struct listing *listing = &directory->listing;
    const struct record_table *elsewhere = NULL;
    bool watched = watch_holds(&directory->watch);
    CK_RV rv = listing_elsewhere(listing, &elsewhere);
    if (rv != CKR_OK || (watched ? elsewhere->count == 0 : !sweep_is_due(directory)))
        return rv;
    int descriptor CLEANUP(directory_close) = directory_open(directory);
    if (descriptor < 0)
        return directory_unreadable(directory, NULL, errno, reason);
    if (watched)
        return sweep_table(directory, elsewhere, descriptor);
    rv = sweep_table(directory, &listing->files, descriptor);
    return rv != CKR_OK ? rv : sweep_table(directory, &listing->loose, descriptor);
}
