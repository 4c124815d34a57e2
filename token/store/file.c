#include "token/store/file.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXPANDED_MAX_SIZE 4096

static void close_file(int *file)
{
    if (*file >= 0)
        close(*file);
}

static CK_RV read_all(int file, size_t max, struct bytes *content, const char *path,
                      struct reason *reason)
{
    uint8_t chunk[16384];
    for (;;) {
        ssize_t got = read(file, chunk, sizeof(chunk));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            reason_set(reason, "%s: %s", path, strerror(errno));
            return CKR_FUNCTION_FAILED;
        }
        if (got == 0)
            return CKR_OK;
        CK_RV rv = bytes_append(content, view_of(chunk, (size_t)got), max);
        explicit_bzero(chunk, (size_t)got);
        if (rv == CKR_DATA_LEN_RANGE) {
            reason_set(reason, "%s: is larger than %zu bytes", path, max);
            return CKR_FUNCTION_FAILED;
        }
        if (rv != CKR_OK)
            return rv;
    }
}

/* refused: the bits of a mode that the file may not have. */
static CK_RV read_file(const char *path, size_t max, mode_t refused, struct bytes *ret_content,
                       struct reason *reason)
{
    /* O_NONBLOCK: a FIFO in place of a file must not stop the application. */
    int file CLEANUP(close_file) = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat status;
    if (file < 0 || fstat(file, &status) < 0) {
        reason_set(reason, "%s: %s", path, strerror(errno));
        return CKR_FUNCTION_FAILED;
    }
    if (!S_ISREG(status.st_mode)) {
        reason_set(reason, "%s: is %s, not a file", path,
                   S_ISDIR(status.st_mode) ? "a directory" : "a device or pipe");
        return CKR_FUNCTION_FAILED;
    }
    if (status.st_mode & refused) {
        reason_set(reason, "%s: holds a secret, and everybody may %s it (mode %03o): chmod o= %s",
                   path, status.st_mode & S_IROTH ? "read" : "write", status.st_mode & 0777, path);
        return CKR_FUNCTION_FAILED;
    }
    struct bytes content CLEANUP(bytes_free) = {0};
    CK_RV rv = read_all(file, max, &content, path, reason);
    if (rv != CKR_OK)
        return rv;
    bytes_free(ret_content);
    *ret_content = content;
    content = (struct bytes){0};
    return CKR_OK;
}

CK_RV store_read(const char *path, size_t max, struct bytes *ret_content, struct reason *reason)
{
    return read_file(path, max, 0, ret_content, reason);
}

CK_RV store_read_private(const char *path, size_t max, struct bytes *ret_content,
                         struct reason *reason)
{
    return read_file(path, max, S_IROTH | S_IWOTH, ret_content, reason);
}

bool store_exists(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0;
}

bool store_is_public(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode) && status.st_mode & S_IROTH;
}

/* An array that grows by pieces and says when it is full. */
struct path_builder {
    char text[EXPANDED_MAX_SIZE];
    size_t used;
    bool full;
};

static void add(struct path_builder *path, const char *piece, size_t size)
{
    if (size >= sizeof(path->text) - path->used) {
        path->full = true;
        return;
    }
    memcpy(path->text + path->used, piece, size);
    path->used += size;
}

static bool add_user(struct path_builder *path, bool home)
{
    const char *from_environment = home ? secure_getenv("HOME") : NULL;
    if (from_environment && *from_environment) {
        add(path, from_environment, strlen(from_environment));
        return true;
    }
    char buffer[4096];
    struct passwd entry;
    struct passwd *found = NULL;
    if (getpwuid_r(geteuid(), &entry, buffer, sizeof(buffer), &found) != 0 || !found)
        return false;
    const char *piece = home ? entry.pw_dir : entry.pw_name;
    add(path, piece, strlen(piece));
    return true;
}

static CK_RV expand_percent(struct path_builder *path, char letter, struct reason *reason)
{
    if (letter == '%') {
        add(path, "%", 1);
        return CKR_OK;
    }
    if (letter != 'h' && letter != 'u') {
        reason_set(reason, "'%%%c' is not known in a path: use %%h, %%u or %%%%",
                   letter ? letter : ' ');
        return CKR_FUNCTION_FAILED;
    }
    if (add_user(path, letter == 'h'))
        return CKR_OK;
    reason_set(reason, "'%%%c': this user has no %s", letter, letter == 'h' ? "home" : "name");
    return CKR_FUNCTION_FAILED;
}

CK_RV store_expand(const char *value, const char *directory, char **ret_path, struct reason *reason)
{
    struct path_builder path = {.used = 0};
    bool home = value[0] == '~' && (value[1] == '/' || value[1] == 0);
    if (home) {
        CK_RV rv = expand_percent(&path, 'h', reason);
        if (rv != CKR_OK)
            return rv;
        value++;
    }
    for (const char *c = value; *c; c++) {
        if (*c != '%') {
            add(&path, c, 1);
            continue;
        }
        CK_RV rv = expand_percent(&path, c[1], reason);
        if (rv != CKR_OK)
            return rv;
        c++;
    }
    if (path.full) {
        reason_set(reason, "the path is longer than %d bytes", EXPANDED_MAX_SIZE);
        return CKR_FUNCTION_FAILED;
    }
    path.text[path.used] = 0;
    char *result = NULL;
    if (path.text[0] == '/' || !directory)
        result = strdup(path.text);
    else if (asprintf(&result, "%s/%s", directory, path.text) < 0)
        result = NULL;
    if (!result)
        return CKR_HOST_MEMORY;
    *ret_path = result;
    return CKR_OK;
}

CK_RV store_directory(const char *path, char **ret_directory)
{
    const char *slash = strrchr(path, '/');
    char *directory = !slash          ? strdup(".")
                      : slash == path ? strdup("/")
                                      : strndup(path, (size_t)(slash - path));
    if (!directory)
        return CKR_HOST_MEMORY;
    char *absolute = directory[0] == '/' ? NULL : realpath(directory, NULL);
    if (absolute) {
        free(directory);
        directory = absolute;
    }
    *ret_directory = directory;
    return CKR_OK;
}
