#include "token/store/look.h"

#include <fcntl.h>
#include <time.h>

/* File times move on with the timer's ticks, of 1 to 10 ms; on some file systems
 * they are whole seconds, or pairs of them. */
#define TICK (50 * INT64_C(1000000))
#define COARSE_TICK (2050 * INT64_C(1000000))

static int64_t nanoseconds(const struct timespec *time)
{
    int64_t value;
    if (__builtin_mul_overflow((int64_t)time->tv_sec, INT64_C(1000000000), &value) ||
        __builtin_add_overflow(value, (int64_t)time->tv_nsec, &value))
        return INT64_MAX;
    return value;
}

struct file_stamp stamp_of(const struct stat *status)
{
    return (struct file_stamp){
        .device = status->st_dev,
        .inode = status->st_ino,
        .size = (uint64_t)status->st_size,
        .modified = nanoseconds(&status->st_mtim),
        .changed = nanoseconds(&status->st_ctim),
    };
}

bool stamp_equal(const struct file_stamp *a, const struct file_stamp *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->modified == b->modified && a->changed == b->changed;
}

int64_t stamp_now(void)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_REALTIME, &now);
    return nanoseconds(&now);
}

static bool is_recent(int64_t time, int64_t now)
{
    int64_t tick = time % 1000000000 ? TICK : COARSE_TICK;
    return time > now - tick && time < now + tick;
}

bool stamp_is_recent(const struct file_stamp *stamp, int64_t now)
{
    return is_recent(stamp->changed, now) || is_recent(stamp->modified, now);
}

static struct look of_status(const struct stat *status, bool elsewhere, int64_t now)
{
    struct look look = {.kind = LOOK_FILE, .elsewhere = elsewhere || status->st_nlink > 1};
    look.stamp = stamp_of(status);
    look.recent = stamp_is_recent(&look.stamp, now);
    return look;
}

struct look look_at(int directory, const char *name, bool link)
{
    const struct look nothing = {.kind = LOOK_NOTHING};
    int64_t now = stamp_now();
    struct stat status;
    if (!link) {
        if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
            return nothing;
        if (S_ISREG(status.st_mode))
            return of_status(&status, false, now);
        if (!S_ISLNK(status.st_mode))
            return nothing;
    }
    if (fstatat(directory, name, &status, 0) == 0 && S_ISREG(status.st_mode))
        return of_status(&status, true, now);
    return (struct look){.kind = LOOK_LOOSE_LINK, .elsewhere = true};
}
