/* What a token directory costs, by the number of its files.
 *     directory_bench DIRECTORY
 * DIRECTORY is empty, or made. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "token/store/directory.h"

#define FILE_SIZE 1500
#define PART_SIZE 600
#define ROUNDS 5
#define CALLS 2000

static void give_up(const char *what)
{
    fprintf(stderr, "directory_bench: %s\n", what);
    exit(1);
}

static double microseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static struct directory *open_directory(const char *path)
{
    struct directory *directory = NULL;
    struct reason reason = {0};
    bool changed;
    if (directory_new(path, &directory) != CKR_OK ||
        directory_refresh(directory, &changed, &reason) != CKR_OK)
        give_up(reason.text);
    return directory;
}

/* From nothing to the list, the quickest of some. */
static double time_start(const char *path)
{
    double best = 1e12;
    for (int i = 0; i < ROUNDS; i++) {
        double begin = microseconds();
        struct directory *directory = open_directory(path);
        double time = microseconds() - begin;
        directory_free(directory);
        if (time < best)
            best = time;
    }
    return best;
}

static double time_idle(struct directory *directory, int calls)
{
    bool changed;
    double begin = microseconds();
    for (int i = 0; i < calls; i++)
        if (directory_refresh(directory, &changed, NULL) != CKR_OK)
            give_up("refresh");
    return (microseconds() - begin) / calls;
}

static double time_find(struct directory *directory)
{
    size_t count = directory_count(directory);
    double begin = microseconds();
    for (size_t i = 0; i < CALLS; i++)
        if (!directory_find(directory, directory_at(directory, i * 7919 % count)->name))
            give_up("find");
    return (microseconds() - begin) / CALLS;
}

static double time_reading(struct directory *directory)
{
    static const uint8_t part[PART_SIZE] = {1};
    double begin = microseconds();
    for (size_t i = 0; i < directory_count(directory); i++) {
        const struct directory_file *file = directory_at(directory, i);
        struct bytes content = {0};
        struct file_stamp stamp;
        if (directory_read(directory, file->name, &content, &stamp, NULL) != CKR_OK ||
            directory_index_set(directory, file->name, &stamp, view_of(part, sizeof(part))) !=
                CKR_OK)
            give_up("read");
        bytes_free(&content);
    }
    return microseconds() - begin;
}

static double time_saving(struct directory *directory)
{
    double begin = microseconds();
    directory_index_save(directory);
    return microseconds() - begin;
}

static double time_writing(struct directory *directory)
{
    char content[FILE_SIZE];
    struct reason reason = {0};
    bool changed;
    memset(content, 'x', sizeof(content));
    double begin = microseconds();
    for (int i = 0; i < 20; i++)
        if (directory_write(directory, "one", view_of(content, sizeof(content)), &reason) !=
                CKR_OK ||
            directory_refresh(directory, &changed, &reason) != CKR_OK)
            give_up(reason.text);
    return (microseconds() - begin) / 20;
}

static void make_files(const char *path, int count)
{
    char name[512], content[FILE_SIZE];
    memset(content, 'x', sizeof(content));
    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "%s/%08x-entry", path, (unsigned)i * 2654435761U);
        FILE *file = fopen(name, "wb");
        if (!file || fwrite(content, sizeof(content), 1, file) != 1 || fclose(file) != 0)
            give_up(name);
    }
}

static void measure(const char *parent, int count)
{
    char path[400];
    snprintf(path, sizeof(path), "%s/%d", parent, count);
    (void)mkdir(parent, 0700);
    if (mkdir(path, 0700) != 0)
        give_up(path);
    make_files(path, count);
    nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    double bare = time_start(path);
    struct directory *directory = open_directory(path);
    double reading = time_reading(directory), saving = time_saving(directory);
    double indexed = time_start(path);
    double first = time_idle(directory, 1);
    (void)time_idle(directory, 20000 / count + 1);
    double idle = time_idle(directory, CALLS), find = time_find(directory);
    double writing = time_writing(directory);
    printf("%6d %10.2f %10.2f %10.2f %10.2f %10.2f %10.2f %10.3f %10.0f\n", count, bare / 1e3,
           reading / 1e3, saving / 1e3, indexed / 1e3, first, idle, find, writing);
    directory_free(directory);
}

int main(int argc, char **argv)
{
    static const int counts[] = {10, 1000, 10000};
    if (argc != 2)
        give_up("usage: directory_bench DIRECTORY");
    printf("%6s %10s %10s %10s %10s %10s %10s %10s %10s\n", "files", "list ms", "read ms",
           "save ms", "start ms", "first us", "idle us", "find us", "write us");
    for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
        measure(argv[1], counts[i]);
    return 0;
}
