#include "emulator/behaviour/counters.h"

#include "emulator/behaviour/output.h"
#include "emulator/descriptor.h"
#include "emulator/error.h"
#include "emulator/names.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define VERSION 1u

/* The file, in the host's byte order: another host's has another version. */
struct image {
    char magic[8];
    uint32_t version;
    uint32_t size;
    struct counters counters;
};

static const struct image empty = {
    .magic = {'S', 'i', 'g', 'n', 'e', 't', 'C', 'C'},
    .version = VERSION,
    .size = sizeof(struct image),
};
#define HEAD_SIZE offsetof(struct image, counters)

struct counters_file {
    struct output output;
    struct image *image;
};

/* --- counting -------------------------------------------------------------- */

static size_t counter_offset(uint32_t code)
{
    if (code < COUNTERS_FIRST || code - COUNTERS_FIRST >= COUNTERS_CODES)
        return offsetof(struct counters, other);
    return offsetof(struct counters, of) + (code - COUNTERS_FIRST) * sizeof(struct counter);
}

static void add(uint64_t *counter, uint64_t value)
{
    if (value)
        (void)__atomic_fetch_add(counter, value, __ATOMIC_RELAXED);
}

/* A file that was cut short since must not be touched: SIGBUS. */
void counters_note(struct counters_file *file, const struct observation *seen)
{
    struct counters *counters = &file->image->counters;
    struct counter *counter;

    if (!output_is_there(&file->output, sizeof(struct image)))
        return;
    counter = (struct counter *)(void *)((char *)counters + counter_offset(seen->command.code));
    add(&counter->commands, 1);
    add(&counter->failed, seen->answer && !observation_is_success(seen));
    add(&counter->unanswered, !seen->answer);
    add(&counter->nanoseconds, seen->duration);
    add(&counters->bytes_in, seen->sent->size);
    add(&counters->bytes_out, seen->answer ? seen->answer->size : 0);
}

/* --- the file -------------------------------------------------------------- */

static TSS2_RC check_head(const char *path, int fd)
{
    struct image found;
    struct stat status;

    if (fstat(fd, &status) != 0)
        return output_failed("counters", path, "cannot be read");
    if (!S_ISREG(status.st_mode) || status.st_size != sizeof(found) ||
        pread(fd, &found, HEAD_SIZE, 0) != (ssize_t)HEAD_SIZE ||
        memcmp(&found, &empty, HEAD_SIZE) != 0)
        return output_refused("counters", path,
                              "is not a file of counters of this version; remove it or name "
                              "another");
    return TSS2_RC_SUCCESS;
}

/* Under the file's lock. The zeros are written, for a hole might find the disk
 * full when it is first counted in. */
static TSS2_RC begin_or_check(const char *path, const struct output *output)
{
    struct stat status;

    if (fstat(output->fd, &status) != 0 || status.st_size != 0 || !S_ISREG(status.st_mode))
        return check_head(path, output->fd);
    if (output_append(output, &empty, sizeof(empty)))
        return TSS2_RC_SUCCESS;
    return output_failed("counters", path, "cannot be written");
}

static TSS2_RC map(const char *path, int fd, struct image **ret)
{
    void *at = mmap(NULL, sizeof(struct image), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (at == MAP_FAILED)
        return output_failed("counters", path, "cannot be mapped");
    *ret = at;
    return TSS2_RC_SUCCESS;
}

static TSS2_RC open_file(const char *path, struct counters_file *file)
{
    TSS2_RC rc = output_open("counters", path, O_RDWR | O_CREAT, &file->output);

    if (rc != TSS2_RC_SUCCESS)
        return rc;
    if (descriptor_lock(file->output.fd) != 0)
        return output_failed("counters", path, "cannot be locked");
    rc = begin_or_check(path, &file->output);
    (void)flock(file->output.fd, LOCK_UN);
    if (rc == TSS2_RC_SUCCESS)
        rc = map(path, file->output.fd, &file->image);
    return rc;
}

TSS2_RC counters_open(const char *path, struct counters_file **ret)
{
    struct counters_file *file = calloc(1, sizeof(*file));
    TSS2_RC rc;

    if (!file) {
        error_set("no memory for the counters");
        return TSS2_TCTI_RC_MEMORY;
    }
    file->output.fd = -1;
    rc = open_file(path, file);
    if (rc == TSS2_RC_SUCCESS)
        *ret = file;
    else
        counters_close(file);
    return rc;
}

void counters_close(struct counters_file *file)
{
    if (!file)
        return;
    if (file->image)
        (void)munmap(file->image, sizeof(*file->image));
    output_close(&file->output);
    free(file);
}

/* --- reading --------------------------------------------------------------- */

TSS2_RC counters_read(const char *path, struct counters *ret)
{
    OUTPUT_SCOPE struct output output = OUTPUT_CLOSED;
    struct counters found;
    TSS2_RC rc = output_open("counters", path, O_RDONLY, &output);

    if (rc == TSS2_RC_SUCCESS)
        rc = check_head(path, output.fd);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    if (pread(output.fd, &found, sizeof(found), (off_t)HEAD_SIZE) != (ssize_t)sizeof(found))
        return output_failed("counters", path, "cannot be read");
    *ret = found;
    return TSS2_RC_SUCCESS;
}

const struct counter *counters_of(const struct counters *counters, uint32_t code)
{
    return (const struct counter *)(const void *)((const char *)counters + counter_offset(code));
}

static void sum_up(struct counter *sum, const struct counter *more)
{
    sum->commands += more->commands;
    sum->failed += more->failed;
    sum->unanswered += more->unanswered;
    sum->nanoseconds += more->nanoseconds;
}

struct counter counters_total(const struct counters *counters)
{
    struct counter total = counters->other;

    for (size_t i = 0; i < COUNTERS_CODES; i++)
        sum_up(&total, &counters->of[i]);
    return total;
}

static void print_counter(FILE *to, const char *name, const struct counter *counter)
{
    double mean =
        counter->commands ? (double)counter->nanoseconds / 1000.0 / (double)counter->commands : 0;

    (void)fprintf(to, "%-28s %10" PRIu64 " %10" PRIu64 " %10" PRIu64 " %12" PRIu64 " %10.1f\n",
                  name, counter->commands, counter->failed, counter->unanswered,
                  counter->nanoseconds / 1000, mean);
}

void counters_print(FILE *to, const struct counters *counters)
{
    struct counter total = counters_total(counters);

    (void)fprintf(to, "%-28s %10s %10s %10s %12s %10s\n", "command", "count", "failed", "no answer",
                  "microseconds", "mean");
    for (uint32_t i = 0; i < COUNTERS_CODES; i++) {
        const char *name = command_name(COUNTERS_FIRST + i);
        char code[16];

        if (counters->of[i].commands == 0)
            continue;
        (void)snprintf(code, sizeof(code), "0x%" PRIx32, COUNTERS_FIRST + i);
        print_counter(to, name ? name : code, &counters->of[i]);
    }
    if (counters->other.commands)
        print_counter(to, "other codes", &counters->other);
    print_counter(to, "all", &total);
    (void)fprintf(to, "%" PRIu64 " bytes of commands, %" PRIu64 " bytes of answers\n",
                  counters->bytes_in, counters->bytes_out);
}
