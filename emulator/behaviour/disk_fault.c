#include "emulator/behaviour/disk_fault.h"

#include "emulator/disk.h"

#include <errno.h>
#include <unistd.h>

#define THREADS_MAX 64

/* Without a lock, which a fork could catch; and by the kernel's thread id, which
 * makes what a fork copies of other threads nobody's. */
static struct {
    _Atomic pid_t thread; /* 0: free. The rest is the thread's own */
    struct disk_fault fault;
    unsigned operations;
} threads[THREADS_MAX];

/* The place of a thread, THREADS_MAX if it has none. */
static unsigned place_of(pid_t thread)
{
    unsigned place = 0;

    while (place < THREADS_MAX && atomic_load(&threads[place].thread) != thread)
        place++;
    return place;
}

/* A full disk takes no more, but lets go; a broken one fails late; a disk that is
 * read-only changes nothing. */
static bool hits(int error, enum disk_kind kind)
{
    switch (error) {
    case EIO:
        return kind == DISK_WRITE || kind == DISK_SYNC;
    case EROFS:
        return kind != DISK_STORE;
    default:
        return kind == DISK_WRITE || kind == DISK_CREATE;
    }
}

static struct disk_fate watch(void *data, const struct disk_operation *operation)
{
    unsigned place = place_of(gettid());
    size_t half = operation->size / 2;

    (void)data;
    if (place == THREADS_MAX)
        return (struct disk_fate){DISK_GOES_ON, 0, 0};
    threads[place].operations++;
    if (threads[place].fault.error != 0)
        return hits(threads[place].fault.error, operation->kind)
                   ? (struct disk_fate){DISK_FAILS, threads[place].fault.error, half}
                   : (struct disk_fate){DISK_GOES_ON, 0, 0};
    if (threads[place].operations == threads[place].fault.at)
        return (struct disk_fate){DISK_DIES_DURING, 0, half};
    return (struct disk_fate){DISK_GOES_ON, 0, 0};
}

void disk_fault_prepare(void)
{
    static atomic_flag prepared = ATOMIC_FLAG_INIT;

    if (!atomic_flag_test_and_set(&prepared))
        disk_watch(watch, NULL);
}

bool disk_fault_begin(const struct disk_fault *fault)
{
    pid_t thread = gettid();

    for (unsigned place = 0; place < THREADS_MAX; place++) {
        pid_t nobody = 0;

        if (!atomic_compare_exchange_strong(&threads[place].thread, &nobody, thread))
            continue;
        threads[place].fault = *fault;
        threads[place].operations = 0;
        return true;
    }
    return false;
}

void disk_fault_end(void)
{
    unsigned place = place_of(gettid());

    if (place < THREADS_MAX)
        atomic_store(&threads[place].thread, 0);
}
