#include "token/store/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "token/store/directory_state.h"

CK_RV directory_new(const char *path, struct directory **ret_directory)
{
    struct directory *directory = calloc(1, sizeof(*directory));
    if (!directory)
        return CKR_HOST_MEMORY;
    directory->path = strdup(path);
    if (!directory->path) {
        free(directory);
        return CKR_HOST_MEMORY;
    }
    directory->disk = &disk_system;
    *ret_directory = directory;
    return CKR_OK;
}

void directory_free(struct directory *directory)
{
    if (!directory)
        return;
    directory_unlock(directory);
    watch_close(&directory->watch);
    listing_clear(&directory->listing);
    bytes_free(&directory->index);
    free(directory->path);
    free(directory);
}

const char *directory_path(const struct directory *directory)
{
    return directory->path;
}

void directory_close(int *descriptor)
{
    if (*descriptor >= 0)
        close(*descriptor);
}

int directory_open(const struct directory *directory)
{
    return open(directory->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int64_t directory_clock(void)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static const struct failure {
    int error;
    CK_RV rv;
    const char *text;
} failures[] = {
    {ENOSPC, CKR_DEVICE_MEMORY, "the disk is full"},
    {EDQUOT, CKR_DEVICE_MEMORY, "this user's disk quota is used up"},
    {EROFS, CKR_TOKEN_WRITE_PROTECTED, "the file system is read-only"},
    {EACCES, CKR_TOKEN_WRITE_PROTECTED, "this user has no permission"},
    {EPERM, CKR_TOKEN_WRITE_PROTECTED, "this user has no permission"},
    {EIO, CKR_DEVICE_ERROR, "the disk failed (input/output error)"},
    {ENOMEM, CKR_HOST_MEMORY, "no memory"},
};

CK_RV directory_failed(const struct directory *directory, const char *name, const char *doing,
                       int error, struct reason *reason)
{
    struct failure failure = {error, CKR_DEVICE_ERROR, NULL};
    for (size_t i = 0; i < ARRAY_SIZE(failures); i++)
        if (failures[i].error == error)
            failure = failures[i];
    reason_set(reason, "%s%s%s: %s: %s", directory->path, name ? "/" : "", name ? name : "", doing,
               failure.text ? failure.text : strerror(error));
    return failure.rv;
}

CK_RV directory_unreadable(const struct directory *directory, const char *name, int error,
                           struct reason *reason)
{
    CK_RV rv = directory_failed(directory, name, "cannot be read", error, reason);
    return rv == CKR_HOST_MEMORY ? rv : CKR_DEVICE_ERROR;
}

bool directory_is_public(const struct directory *directory)
{
    return directory->public;
}

bool directory_exists(const struct directory *directory)
{
    return directory->exists;
}

/* Of a path that is not there: can it be made? */
static bool can_be_made(const char *path)
{
    char parent[PATH_MAX];
    if (snprintf(parent, sizeof(parent), "%s", path) >= (int)sizeof(parent))
        return false;
    while (faccessat(AT_FDCWD, parent, F_OK, AT_EACCESS) != 0) {
        char *slash = strrchr(parent, '/');
        if (errno != ENOENT || !slash)
            return errno == ENOENT && faccessat(AT_FDCWD, ".", W_OK | X_OK, AT_EACCESS) == 0;
        slash[slash == parent] = 0;
    }
    return faccessat(AT_FDCWD, parent, W_OK | X_OK, AT_EACCESS) == 0;
}

bool directory_writable(const struct directory *directory)
{
    if (faccessat(AT_FDCWD, directory->path, W_OK | X_OK, AT_EACCESS) == 0)
        return true;
    return errno == ENOENT && can_be_made(directory->path);
}

size_t directory_count(const struct directory *directory)
{
    return directory->listing.files.count;
}

const struct directory_file *directory_at(const struct directory *directory, size_t index)
{
    const struct record_table *files = &directory->listing.files;
    return index < files->count ? &files->at[index]->file : NULL;
}

const struct directory_file *directory_find(const struct directory *directory, const char *name)
{
    const struct record *record = listing_find(&directory->listing, name);
    return record && !record->loose ? &record->file : NULL;
}
