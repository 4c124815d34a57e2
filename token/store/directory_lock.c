#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "token/store/directory_state.h"
#include "token/store/draft.h"
#include "token/store/name.h"

#define LOCK_TRIES 1000 /* against one that removes the lock file again and again */

static int create_lock(const struct directory *directory, int parent)
{
    int file = directory->disk->create(parent, NAME_LOCK, 0600);
    if (file < 0 || draft_permit(directory, parent, file) == 0)
        return file;
    int error = errno;
    close(file);
    errno = error;
    return -1;
}

static int open_lock(const struct directory *directory, int parent)
{
    const int flags = O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
    for (int i = 0; i < LOCK_TRIES; i++) {
        int file = openat(parent, NAME_LOCK, flags);
        if (file >= 0 || errno != ENOENT)
            return file;
        file = create_lock(directory, parent);
        if (file >= 0 || errno != EEXIST)
            return file;
    }
    errno = EBUSY;
    return -1;
}

/* A lock file that was removed while we waited locks out nobody. */
static bool is_in_place(int parent, int file)
{
    struct stat ours, there;
    return fstat(file, &ours) == 0 &&
           fstatat(parent, NAME_LOCK, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
           ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

static int take_lock(int file, int operation)
{
    int result;
    do {
        result = flock(file, operation);
    } while (result != 0 && errno == EINTR);
    return result;
}

/* The locked file, or -1 with errno. */
static int open_locked(const struct directory *directory, int operation)
{
    int parent CLEANUP(directory_close) = directory_open(directory);
    if (parent < 0)
        return -1;
    for (int i = 0; i < LOCK_TRIES; i++) {
        int file = open_lock(directory, parent);
        if (file < 0)
            return -1;
        if (take_lock(file, operation) != 0) {
            int error = errno;
            close(file);
            errno = error;
            return -1;
        }
        if (is_in_place(parent, file))
            return file;
        close(file);
    }
    errno = EBUSY;
    return -1;
}

bool directory_is_locked(const struct directory *directory)
{
    return descriptor_holds(&directory->lock);
}

CK_RV directory_lock(struct directory *directory, struct reason *reason)
{
    if (directory_is_locked(directory)) {
        reason_set(reason, "%s: is locked already", directory->path);
        return CKR_DEVICE_ERROR;
    }
    descriptor_close(&directory->lock);
    int file = open_locked(directory, LOCK_EX);
    if (file < 0)
        return directory_failed(directory, NULL, "cannot be locked", errno, reason);
    if (descriptor_take(file, &directory->lock))
        return CKR_OK;
    return directory_failed(directory, NULL, "cannot be locked", errno, reason);
}

bool directory_lock_try(struct directory *directory, bool *ret_taken)
{
    *ret_taken = false;
    if (directory_is_locked(directory))
        return true;
    descriptor_close(&directory->lock);
    *ret_taken = descriptor_take(open_locked(directory, LOCK_EX | LOCK_NB), &directory->lock);
    return *ret_taken;
}

/* A forked child has only a copy of the descriptor: unlocking would unlock the parent. */
void directory_unlock(struct directory *directory)
{
    if (directory_is_locked(directory))
        (void)flock(directory->lock.number, LOCK_UN);
    descriptor_close(&directory->lock);
}
