#include "emulator/library_copy.h"

#include "emulator/error.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Kernels with vm.memfd_noexec want to be asked; older ones refuse the flag. */
#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

/* Held while the loader works for us. */
static pthread_mutex_t loading = PTHREAD_MUTEX_INITIALIZER;
static bool held; /* by the thread that forks */

static void loading_end(pthread_mutex_t **lock)
{
    (void)pthread_mutex_unlock(*lock);
}

static pthread_mutex_t *loading_begin(void)
{
    (void)pthread_mutex_lock(&loading);
    return &loading;
}

#define LOADING_SCOPE                                                                              \
    __attribute__((cleanup(loading_end), unused)) pthread_mutex_t *scope = loading_begin()

/* A fork does not wait for ever: it may come from an initialiser of a library, and
 * the loader waits for that one. */
#define FORK_WAITS_SECONDS 1

void library_copy_before_fork(void)
{
    struct timespec until = {0, 0};

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += FORK_WAITS_SECONDS;
    held = pthread_mutex_timedlock(&loading, &until) == 0;
}

void library_copy_after_fork_in_parent(void)
{
    if (held)
        (void)pthread_mutex_unlock(&loading);
}

void library_copy_after_fork_in_child(void)
{
    if (held)
        (void)pthread_mutex_unlock(&loading);
    else
        (void)pthread_mutex_init(&loading, NULL);
}

static void close_scope(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

#define FD_SCOPE __attribute__((cleanup(close_scope)))

/* Looks where the loader looks first, without the cost of loading. */
static int open_in_search_path(const char *name)
{
    void *program = dlopen(NULL, RTLD_LAZY);
    Dl_serinfo size, *path;
    int fd = -1;

    if (!program || dlinfo(program, RTLD_DI_SERINFOSIZE, &size) != 0)
        return -1;
    path = malloc(size.dls_size);
    if (!path)
        return -1;
    path->dls_size = size.dls_size;
    path->dls_cnt = size.dls_cnt;
    if (dlinfo(program, RTLD_DI_SERINFO, path) == 0) {
        for (unsigned i = 0; i < path->dls_cnt && fd < 0; i++) {
            char file[PATH_MAX];

            (void)snprintf(file, sizeof(file), "%s/%s", path->dls_serpath[i].dls_name, name);
            fd = open(file, O_RDONLY | O_CLOEXEC);
        }
    }
    free(path);
    (void)dlclose(program);
    return fd;
}

/* The cache of ldconfig is the loader's own affair: let it search. */
static int open_by_loading(const char *name)
{
    void *library = dlopen(name, RTLD_LAZY | RTLD_LOCAL);
    struct link_map *map;
    int fd = -1;

    if (!library) {
        error_set("%s; install the package that has it (Debian: libtpms0)", dlerror());
        return -1;
    }
    if (dlinfo(library, RTLD_DI_LINKMAP, &map) == 0)
        fd = open(map->l_name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        error_set("cannot read the file of %s: %s", name, strerror(errno));
    (void)dlclose(library);
    return fd;
}

static int copy_to_memory(int file, const char *name)
{
    struct stat status;
    off_t at = 0;
    int copy = memfd_create(name, MFD_CLOEXEC | MFD_EXEC);

    if (copy < 0)
        copy = memfd_create(name, MFD_CLOEXEC);
    if (copy < 0 || fstat(file, &status) != 0) {
        error_set("no memory for a copy of %s: %s", name, strerror(errno));
        close_scope(&copy);
        return -1;
    }
    while (at < status.st_size) {
        ssize_t sent = sendfile(copy, file, &at, (size_t)(status.st_size - at));

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0) {
            error_set("cannot copy %s: %s", name, strerror(errno));
            close_scope(&copy);
            return -1;
        }
    }
    return copy;
}

/* The loader takes a name that it has seen for the library it then was, and
 * descriptor numbers come again. So the name spells a random number, too: in
 * it, "/." is a one and "/" a zero. */
static void unique_name(int fd, char name[128])
{
    uint32_t number = (uint32_t)fd;
    char *at = name + sprintf(name, "/proc/self/fd");

    (void)!getrandom(&number, sizeof(number), 0);

    for (int bit = 0; bit < 32; bit++)
        at += sprintf(at, "%s", number >> bit & 1 ? "/." : "/");
    (void)sprintf(at, "/%d", fd);
}

/* The loader names the file first, which here tells nobody anything. */
static const char *without_path(const char *text)
{
    const char *why = strstr(text, ": ");

    return why ? why + 2 : text;
}

void *library_copy_open(const char *name)
{
    LOADING_SCOPE;
    FD_SCOPE int file = open_in_search_path(name);
    FD_SCOPE int copy = -1;
    char path[128];
    void *library;

    if (file < 0)
        file = open_by_loading(name);
    if (file < 0)
        return NULL;
    copy = copy_to_memory(file, name);
    if (copy < 0)
        return NULL;
    unique_name(copy, path);
    library = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
    if (!library)
        error_set("cannot load a copy of %s: %s", name, without_path(dlerror()));
    return library;
}

void *library_copy_function(void *library, const char *name)
{
    LOADING_SCOPE;

    return dlsym(library, name);
}

void library_copy_close(void *library)
{
    LOADING_SCOPE;

    if (library)
        (void)dlclose(library);
}
