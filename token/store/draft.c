#include "token/store/draft.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "token/base/log.h"
#include "token/store/name.h"

int draft_permit(const struct directory *directory, int parent, int file)
{
    struct stat status;
    if (directory->disk->permit(file, 0600) != 0)
        return -1;
    if (geteuid() != 0 || fstat(parent, &status) != 0 || status.st_uid == 0)
        return 0;
    return directory->disk->give(file, status.st_uid, status.st_gid);
}

static int write_all(const struct disk *disk, int file, struct view content)
{
    while (content.size) {
        ssize_t done = disk->write(file, content.data, content.size);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return -1;
        content = view_of(content.data + done, content.size - (size_t)done);
    }
    return 0;
}

/* Gives it a time to the nanosecond, which tells it from what is written in the same
 * tick. Where that is not possible it is as any other file. */
static int put_date(struct draft *draft)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}};
    struct stat status;
    clock_gettime(CLOCK_REALTIME, &times[1]);
    bool set = draft->directory->disk->date(draft->file, times) == 0;
    if (fstat(draft->file, &status) != 0)
        return -1;
    draft->stamp = stamp_of(&status);
    draft->dated = set && status.st_mtim.tv_sec == times[1].tv_sec &&
                   status.st_mtim.tv_nsec == times[1].tv_nsec;
    return 0;
}

static int fill(struct draft *draft, struct view content, bool durable)
{
    const struct disk *disk = draft->directory->disk;
    if (draft_permit(draft->directory, draft->parent, draft->file) != 0 ||
        write_all(disk, draft->file, content) != 0 || put_date(draft) != 0)
        return -1;
    return durable ? disk->sync(draft->file) : 0;
}

int draft_make(struct draft *draft, const char *name, struct view content, bool durable)
{
    if (name_draft(name, draft->name) != CKR_OK)
        return -1;
    draft->file = draft->directory->disk->create(draft->parent, draft->name, 0600);
    draft->made = draft->file >= 0;
    if (!draft->made)
        return -1;
    int result = fill(draft, content, durable);
    int error = errno;
    if (close(draft->file) != 0 && result == 0)
        return -1;
    errno = error;
    return result;
}

int draft_place(struct draft *draft, const char *name)
{
    if (draft->directory->disk->rename(draft->parent, draft->name, name) != 0)
        return -1;
    draft->made = false;
    return 0;
}

void draft_end(struct draft *draft)
{
    int error = errno;
    if (draft->made && draft->directory->disk->remove(draft->parent, draft->name) != 0)
        draft->directory->drafts++;
    draft->made = false;
    errno = error;
}

static void tidy_stream(const struct directory *directory, DIR *stream)
{
    const struct dirent *entry;
    while ((entry = readdir(stream))) {
        if (!name_is_draft(entry->d_name))
            continue;
        if (directory->disk->remove(dirfd(stream), entry->d_name) == 0)
            log_line(LOG_LEVEL_INFO, "store",
                     "%s/%s: removed, left by a program that ended while "
                     "it wrote",
                     directory->path, entry->d_name);
    }
}

void draft_tidy(struct directory *directory, int parent)
{
    if (directory->listed && directory->drafts == 0)
        return;
    int copy = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = copy < 0 ? NULL : fdopendir(copy);
    if (stream) {
        tidy_stream(directory, stream);
        closedir(stream);
    } else
        directory_close(&copy);
    directory->drafts = 0;
}
