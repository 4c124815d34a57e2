#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "token/store/directory_state.h"
#include "token/store/name.h"

#define READ_TRIES 5

/* O_NONBLOCK: a pipe in place of a file must not stop the application. */
static int open_file(const struct directory *directory, const char *name)
{
    int parent CLEANUP(directory_close) = directory_open(directory);
    return parent < 0 ? -1 : openat(parent, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

ssize_t directory_read_some(int file, uint8_t *data, size_t room)
{
    size_t used = 0;
    while (used < room) {
        ssize_t got = pread(file, data + used, room - used, (off_t)used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        used += (size_t)got;
    }
    return (ssize_t)used;
}

/* One version of the file, with a byte more of room to see whether it grew;
 * *ret_whole is false if it changed meanwhile. */
static CK_RV read_version(int file, const struct stat *before, struct bytes *content,
                          bool *ret_whole)
{
    struct stat after;
    size_t size = (size_t)before->st_size;
    CK_RV rv = bytes_alloc(content, size + 1);
    if (rv != CKR_OK)
        return rv;
    ssize_t got = directory_read_some(file, content->data, content->size);
    if (got < 0 || fstat(file, &after) != 0)
        return CKR_DEVICE_ERROR;
    struct file_stamp first = stamp_of(before), second = stamp_of(&after);
    *ret_whole = (size_t)got == size && stamp_equal(&first, &second);
    content->size = (size_t)got;
    return CKR_OK;
}

static CK_RV read_file(const struct directory *directory, const char *name, int file,
                       struct bytes *content, struct file_stamp *ret_stamp, struct reason *reason)
{
    bool whole = false;
    for (int i = 0; !whole && i < READ_TRIES; i++) {
        struct stat status;
        if (fstat(file, &status) != 0)
            return directory_unreadable(directory, name, errno, reason);
        if (!S_ISREG(status.st_mode)) {
            reason_set(reason, "%s/%s: is not a file", directory->path, name);
            return CKR_OBJECT_HANDLE_INVALID;
        }
        if (status.st_size > DIRECTORY_MAX_FILE_SIZE) {
            reason_set(reason, "%s/%s: is larger than %d bytes", directory->path, name,
                       DIRECTORY_MAX_FILE_SIZE);
            return CKR_DEVICE_ERROR;
        }
        *ret_stamp = stamp_of(&status);
        CK_RV rv = read_version(file, &status, content, &whole);
        if (rv != CKR_OK)
            return rv == CKR_DEVICE_ERROR ? directory_unreadable(directory, name, errno, reason)
                                          : rv;
    }
    if (whole)
        return CKR_OK;
    reason_set(reason, "%s/%s: keeps changing while it is read", directory->path, name);
    return CKR_DEVICE_ERROR;
}

CK_RV directory_read(struct directory *directory, const char *name, struct bytes *ret_content,
                     struct file_stamp *ret_stamp, struct reason *reason)
{
    int64_t now = stamp_now();
    int file CLEANUP(directory_close) = name_is_entry(name) ? open_file(directory, name) : -1;
    if (file < 0 && (!name_is_entry(name) || errno == ENOENT || errno == ENXIO)) {
        reason_set(reason, "%s/%s: there is no such file", directory->path, name);
        return CKR_OBJECT_HANDLE_INVALID;
    }
    if (file < 0)
        return directory_unreadable(directory, name, errno, reason);
    struct bytes content CLEANUP(bytes_free) = {0};
    struct file_stamp stamp = {0};
    CK_RV rv = read_file(directory, name, file, &content, &stamp, reason);
    if (rv != CKR_OK)
        return rv;
    struct record *record = listing_find(&directory->listing, name);
    if (record && stamp_equal(&record->file.stamp, &stamp))
        record->settled = !stamp_is_recent(&stamp, now);
    bytes_free(ret_content);
    *ret_content = content;
    *ret_stamp = stamp;
    content = (struct bytes){0};
    return CKR_OK;
}
