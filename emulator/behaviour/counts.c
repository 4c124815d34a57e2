#include "emulator/behaviour/counts.h"

#include "emulator/descriptor.h"
#include "emulator/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNTS_MAGIC 0x31544e4347495301ull

struct counts_file {
    uint64_t magic;
    uint64_t key;
    struct counts counts;
};

/* FNV-1a */
uint64_t counts_hash(uint64_t start, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    uint64_t hash = start ^ 0xcbf29ce484222325u;

    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3u;
    return hash;
}

struct kept {
    struct kept *next;
    uint64_t key;
    struct counts counts;
};

/* Grows at its head only, and without a lock, which a fork could catch. */
static struct kept *_Atomic all_kept;

static struct kept *find_kept(struct kept *at, uint64_t key)
{
    while (at && at->key != key)
        at = at->next;
    return at;
}

TSS2_RC counts_of_process(uint64_t key, struct counts **ret)
{
    struct kept *head = atomic_load(&all_kept);
    struct kept *kept = find_kept(head, key);
    struct kept *made;

    if (kept) {
        *ret = &kept->counts;
        return TSS2_RC_SUCCESS;
    }
    made = calloc(1, sizeof(*made));
    if (!made) {
        error_set("faults: no memory for the counts");
        return TSS2_TCTI_RC_MEMORY;
    }
    made->key = key;
    do {
        kept = find_kept(head, key);
        made->next = head;
    } while (!kept && !atomic_compare_exchange_weak(&all_kept, &head, made));
    if (kept)
        free(made);
    *ret = kept ? &kept->counts : &made->counts;
    return TSS2_RC_SUCCESS;
}

static TSS2_RC failed(const char *path, const char *why)
{
    error_set("%.300s: cannot count there: %s", path, why);
    return TSS2_TCTI_RC_BAD_VALUE;
}

/* Fills the file, so that no later access can find the disk full. */
static int write_empty(int fd, uint64_t key)
{
    struct counts_file *empty = calloc(1, sizeof(*empty));
    ssize_t written;

    if (!empty)
        return -1;
    empty->magic = COUNTS_MAGIC;
    empty->key = key;
    errno = ENOSPC;
    written = pwrite(fd, empty, sizeof(*empty), 0);
    free(empty);
    return written == (ssize_t)sizeof(*empty) ? 0 : -1;
}

/* Under the file's lock. A process that still counts for the schedule before
 * keeps its mapping: nothing is cut. */
static TSS2_RC prepare(const char *path, int fd, uint64_t key)
{
    struct stat status;
    uint64_t head[2] = {0, 0};

    if (fstat(fd, &status) != 0)
        return failed(path, strerror(errno));
    if (status.st_size > 0) {
        if (!S_ISREG(status.st_mode) || status.st_size != sizeof(struct counts_file) ||
            pread(fd, head, sizeof(head), 0) != (ssize_t)sizeof(head) || head[0] != COUNTS_MAGIC)
            return failed(path, "the file holds something else; name another, or remove it");
        if (head[1] == key)
            return TSS2_RC_SUCCESS;
    }
    return write_empty(fd, key) == 0 ? TSS2_RC_SUCCESS : failed(path, strerror(errno));
}

static TSS2_RC map(const char *path, int fd, struct counts **ret)
{
    void *page = mmap(NULL, sizeof(struct counts_file), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (page == MAP_FAILED)
        return failed(path, strerror(errno));
    *ret = &((struct counts_file *)page)->counts;
    return TSS2_RC_SUCCESS;
}

TSS2_RC counts_in_file(const char *path, uint64_t key, struct counts **ret)
{
    FD_SCOPE int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    TSS2_RC rc;

    if (fd < 0)
        return failed(path, strerror(errno));
    rc = descriptor_lock(fd) == 0 ? prepare(path, fd, key) : failed(path, strerror(errno));
    if (rc == TSS2_RC_SUCCESS)
        rc = map(path, fd, ret);
    return rc;
}

void counts_unmap(struct counts *counts)
{
    (void)munmap((char *)counts - offsetof(struct counts_file, counts), sizeof(struct counts_file));
}
