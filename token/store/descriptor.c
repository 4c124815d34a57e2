#include "token/store/descriptor.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

/* The signal that would tell of input, were it asked for: as a property of the open
 * file it is seldom set, and this one by nobody. */
#define MARK_SIGNAL 43
#define NUMBERS 4096

/* Of each number (but for very high ones), which struct descriptor got it last: two of
 * ours are alike in all else when the application has closed the first. Without locks,
 * for fork. */
static _Atomic uint64_t holders[NUMBERS];
static _Atomic uint64_t last_mark;

static bool is_same_file(const struct descriptor *descriptor)
{
    struct stat status;
    return fstat(descriptor->number, &status) == 0 && status.st_dev == descriptor->device &&
           status.st_ino == descriptor->inode;
}

static bool is_last_holder(const struct descriptor *descriptor)
{
    return descriptor->number >= NUMBERS ||
           atomic_load(&holders[descriptor->number]) == descriptor->mark;
}

static bool is_ours(const struct descriptor *descriptor)
{
    return descriptor->open && is_last_holder(descriptor) &&
           fcntl(descriptor->number, F_GETSIG) == MARK_SIGNAL && is_same_file(descriptor);
}

bool descriptor_take(int number, struct descriptor *ret_descriptor)
{
    struct stat status;
    if (number < 0)
        return false;
    if (fstat(number, &status) != 0 || fcntl(number, F_SETSIG, MARK_SIGNAL) != 0) {
        close(number);
        return false;
    }
    *ret_descriptor = (struct descriptor){
        .open = true,
        .number = number,
        .process = getpid(),
        .device = status.st_dev,
        .inode = status.st_ino,
        .mark = atomic_fetch_add(&last_mark, 1) + 1,
    };
    if (number < NUMBERS)
        atomic_store(&holders[number], ret_descriptor->mark);
    return true;
}

bool descriptor_holds(const struct descriptor *descriptor)
{
    return descriptor->open && descriptor->process == getpid() && is_ours(descriptor);
}

void descriptor_close(struct descriptor *descriptor)
{
    if (is_ours(descriptor))
        close(descriptor->number);
    *descriptor = (struct descriptor){0};
}
