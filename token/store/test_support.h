/* What the tests of this room share. */
#ifndef SIGNET_STORE_TEST_SUPPORT_H
#define SIGNET_STORE_TEST_SUPPORT_H

#include "token/base/test_support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <time.h>

#include "token/store/directory_state.h"

static UNUSED struct directory *directory_of(const char *path)
{
    struct directory *directory = NULL;
    assert_ok(directory_new(path, &directory));
    assert_string_equal(directory_path(directory), path);
    return directory;
}

/* Whether something changed. */
static UNUSED bool refresh(struct directory *directory)
{
    struct reason reason = {0};
    bool changed;
    poison(changed);
    CK_RV rv = directory_refresh(directory, &changed, &reason);
    if (rv != CKR_OK)
        fail_msg("refresh: 0x%lx: %s", rv, reason.text);
    return changed;
}

static UNUSED struct directory *open_directory(const char *path)
{
    struct directory *directory = directory_of(path);
    refresh(directory);
    return directory;
}

static UNUSED void assert_files(const struct directory *directory, const char *expected)
{
    char names[4096] = "";
    for (size_t i = 0; i < directory_count(directory); i++) {
        const struct directory_file *file = directory_at(directory, i);
        assert_ptr_equal(directory_find(directory, file->name), file);
        snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s", i ? " " : "",
                 file->name);
    }
    assert_string_equal(names, expected);
    assert_null(directory_at(directory, directory_count(directory)));
}

static UNUSED uint64_t version_of(const struct directory *directory, const char *name)
{
    const struct directory_file *file = directory_find(directory, name);
    if (!file)
        fail_msg("%s is not listed", name);
    return file->version;
}

static UNUSED void write_text(struct directory *directory, const char *name, const char *text)
{
    struct reason reason = {0};
    CK_RV rv = directory_write(directory, name, view_string(text), &reason);
    if (rv != CKR_OK)
        fail_msg("write: 0x%lx: %s", rv, reason.text);
}

static UNUSED void assert_holds(struct directory *directory, const char *name, const char *text)
{
    struct bytes content = {0};
    struct file_stamp stamp;
    struct reason reason = {0};
    CK_RV rv = directory_read(directory, name, &content, &stamp, &reason);
    if (rv != CKR_OK)
        fail_msg("read: 0x%lx: %s", rv, reason.text);
    assert_view(bytes_view(&content), text);
    bytes_free(&content);
}

static UNUSED void make_directory(const char *path)
{
    assert_int_equal(mkdir(path, 0700), 0);
}

/* How many names in it begin so. */
static UNUSED unsigned count_names(const char *path, const char *start)
{
    unsigned count = 0;
    const struct dirent *entry;
    DIR *stream = opendir(path);
    assert_non_null(stream);
    while ((entry = readdir(stream)))
        count += strncmp(entry->d_name, start, strlen(start)) == 0;
    closedir(stream);
    return count;
}

#endif
