/* Between the tests and the system: how often files are looked at, file times of whole
 * seconds, a clock that runs ahead of them, and systems without inotify. Included by *_test.c
 * alone. */
#ifndef SIGNET_STORE_WATCH_SUPPORT_H
#define SIGNET_STORE_WATCH_SUPPORT_H

#include "token/store/test_support.h"

#include <dlfcn.h>
#include <sys/inotify.h>
#include <sys/vfs.h>

static unsigned looks; /* fstatat of a file */
static bool coarse;    /* all changes of a second have the same time */
static int64_t ahead;  /* nanoseconds */
static bool no_inotify;
static bool is_network;
static bool deaf;                /* nothing is told */
static const char *before_watch; /* a command, once */

int fstatat(int directory, const char *restrict name, struct stat *restrict status, int flags);
int fstat(int file, struct stat *status);
int stat(const char *restrict path, struct stat *restrict status);
int inotify_init1(int flags);
int clock_gettime(clockid_t id, struct timespec *time);
int inotify_add_watch(int number, const char *path, uint32_t mask);
int fstatfs(int file, struct statfs *status);

static int coarsened(int result, struct stat *status)
{
    if (result == 0 && coarse)
        status->st_mtim.tv_nsec = status->st_ctim.tv_nsec = 0;
    return result;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int fstatat(int directory, const char *restrict name, struct stat *restrict status, int flags)
{
    looks++;
    return coarsened(NEXT(fstatat)(directory, name, status, flags), status);
}

int fstat(int file, struct stat *status)
{
    return coarsened(NEXT(fstat)(file, status), status);
}

int stat(const char *restrict path, struct stat *restrict status)
{
    return coarsened(NEXT(stat)(path, status), status);
}

int clock_gettime(clockid_t id, struct timespec *time)
{
    int result = NEXT(clock_gettime)(id, time);
    int64_t sum = time->tv_nsec + ahead;
    time->tv_sec += sum / 1000000000;
    time->tv_nsec = sum % 1000000000;
    return result;
}

/* What has changed by now did so long ago. */
static UNUSED void let_settle(void)
{
    ahead += INT64_C(3000000000);
}

int inotify_init1(int flags)
{
    if (no_inotify) {
        errno = EMFILE;
        return -1;
    }
    return NEXT(inotify_init1)(flags);
}

int inotify_add_watch(int number, const char *path, uint32_t mask)
{
    const char *command = before_watch;
    before_watch = NULL;
    if (command)
        run(command);
    return NEXT(inotify_add_watch)(number, deaf ? "/" : path, mask);
}

int fstatfs(int file, struct statfs *status)
{
    int result = NEXT(fstatfs)(file, status);
    if (result == 0 && is_network)
        status->f_type = 0x6969;
    return result;
}

/* --- the three ways ------------------------------------------------------------ */

static bool lazy;

static UNUSED struct directory *open_seen(const char *path)
{
    struct directory *directory = directory_of(path);
    directory->looked = lazy ? 0 : 1000000;
    refresh(directory);
    return directory;
}

static UNUSED int with_inotify(void **state)
{
    no_inotify = is_network = lazy = false;
    return enter_directory(state);
}

static UNUSED int without_inotify(void **state)
{
    int result = with_inotify(state);
    no_inotify = true;
    return result;
}

static UNUSED int on_a_network(void **state)
{
    int result = with_inotify(state);
    is_network = true;
    return result;
}

static UNUSED int at_first(void **state)
{
    int result = with_inotify(state);
    lazy = true;
    return result;
}

static UNUSED void make_files(const char *format, int count)
{
    char path[64];
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof(path), format, i);
        write_file(path, "x");
    }
}

#define TEST(name) cmocka_unit_test_setup(name, empty_directory)

static UNUSED int empty_directory(UNUSED void **state)
{
    coarse = false;
    ahead = 0;
    return system("rm -rf -- ./* ./.[!.]*");
}

#endif
