#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "token/base/log.h"
#include "token/store/draft.h"
#include "token/store/index.h"
#include "token/store/name.h"

#define PARTS_MIN 16 /* new ones that are worth a new index, or an eighth of all */
#define PAUSE INT64_C(1000000000)

static CK_RV read_index(const struct directory *directory, struct bytes *ret_index)
{
    struct stat status;
    int parent CLEANUP(directory_close) = directory_open(directory);
    int file CLEANUP(directory_close) =
        parent < 0 ? -1
                   : openat(parent, NAME_INDEX, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (file < 0 || fstat(file, &status) != 0 || !S_ISREG(status.st_mode) ||
        status.st_size > INDEX_MAX_SIZE)
        return CKR_DEVICE_ERROR;
    CK_RV rv = bytes_alloc(ret_index, (size_t)status.st_size);
    if (rv != CKR_OK)
        return rv;
    return directory_read_some(file, ret_index->data, ret_index->size) == status.st_size
               ? CKR_OK
               : CKR_DEVICE_ERROR;
}

static int compare(const char *name, struct view other)
{
    size_t size = strlen(name);
    int order = memcmp(name, other.data, size < other.size ? size : other.size);
    return order ? order : size < other.size ? -1 : size > other.size;
}

/* Both are in the order of the names; a part out of order finds no file. */
static void attach(const struct record_table *files, struct index_reader *reader)
{
    struct index_part part;
    size_t at = 0;
    while (at < files->count && index_next(reader, &part)) {
        int order = -1;
        while (at < files->count && (order = compare(files->at[at]->name, part.name)) < 0)
            at++;
        struct record *record = order == 0 ? files->at[at] : NULL;
        if (record && !record->index_part.data && part.content.size &&
            stamp_equal(&record->file.stamp, &part.stamp))
            record->file.cached = part.content;
    }
}

/* Replaces the index in memory by that on the disk. */
static void load(struct directory *directory)
{
    struct index_reader reader;
    bytes_free(&directory->index);
    if (read_index(directory, &directory->index) == CKR_OK &&
        index_open(bytes_view(&directory->index), &reader))
        attach(&directory->listing.files, &reader);
    else
        bytes_free(&directory->index);
}

void directory_index_load(struct directory *directory)
{
    if (directory->index_read || directory->listing.files.count == 0)
        return;
    directory->index_read = true;
    load(directory);
}

/* Of what was read so soon after a change that one more could not be told from it,
 * nothing is kept. */
CK_RV directory_index_set(struct directory *directory, const char *name,
                          const struct file_stamp *stamp, struct view content)
{
    struct listing *listing = &directory->listing;
    struct record *record = listing_find(listing, name);
    if (!record || record->loose || !content.size || !stamp_equal(&record->file.stamp, stamp) ||
        !(record->own || record->settled))
        return CKR_OK;
    bool first = !record->index_part.data;
    CK_RV rv = bytes_copy(&record->index_part, content);
    if (rv != CKR_OK)
        return rv;
    listing->index_parts += first;
    record->file.cached = bytes_view(&record->index_part);
    return CKR_OK;
}

static struct index_part part_of(const struct record *record)
{
    return (struct index_part){
        .name = view_string(record->name),
        .stamp = record->file.stamp,
        .content = record->file.cached,
    };
}

static CK_RV compose(const struct record_table *files, struct bytes *ret_index)
{
    size_t size = INDEX_HEADER_SIZE;
    for (size_t i = 0; i < files->count; i++) {
        struct index_part part = part_of(files->at[i]);
        size += part.content.size ? index_part_size(&part) : 0;
    }
    if (size > INDEX_MAX_SIZE)
        return CKR_DATA_LEN_RANGE;
    CK_RV rv = bytes_alloc(ret_index, size);
    if (rv != CKR_OK)
        return rv;
    uint8_t *at = ret_index->data + INDEX_HEADER_SIZE;
    for (size_t i = 0; i < files->count; i++) {
        struct index_part part = part_of(files->at[i]);
        at += part.content.size ? index_put(at, &part) : 0;
    }
    index_finish(ret_index);
    return CKR_OK;
}

static bool write_index(struct directory *directory, struct view content)
{
    int parent CLEANUP(directory_close) = directory_open(directory);
    struct draft draft CLEANUP(draft_end) = {.directory = directory, .parent = parent};
    return parent >= 0 && draft_make(&draft, "index", content, false) == 0 &&
           draft_place(&draft, NAME_INDEX) == 0;
}

/* With what others have added to it meanwhile. */
static bool merge(struct directory *directory)
{
    struct bytes index CLEANUP(bytes_free) = {0};
    load(directory);
    return compose(&directory->listing.files, &index) == CKR_OK &&
           write_index(directory, bytes_view(&index));
}

static bool is_due(const struct directory *directory)
{
    size_t parts = directory->listing.index_parts, count = directory->listing.files.count;
    if (parts == 0)
        return false;
    return 8 * parts >= count ||
           (parts >= PARTS_MIN &&
            (directory->index_saved == 0 || directory_clock() - directory->index_saved >= PAUSE));
}

/* What is in the file now, or again on the next occasion, is not kept in memory. */
static void release(struct directory *directory, bool saved)
{
    struct listing *listing = &directory->listing;
    for (size_t i = 0; i < listing->files.count; i++) {
        struct record *record = listing->files.at[i];
        if (saved)
            bytes_free(&record->index_part);
        record->file.cached = bytes_view(&record->index_part);
    }
    if (saved)
        listing->index_parts = 0;
    bytes_free(&directory->index);
}

void directory_index_save(struct directory *directory)
{
    bool taken = false, saved = false;
    if (directory->listed && is_due(directory) && directory_writable(directory) &&
        directory_lock_try(directory, &taken)) {
        directory->index_saved = directory_clock();
        saved = merge(directory);
        if (taken)
            directory_unlock(directory);
    }
    if (saved || directory->index.data)
        release(directory, saved);
}
