#include "emulator/behaviour/disk_fault.h"

#include "emulator/disk.h"
#include "emulator/test_support.h"

#include <fcntl.h>
#include <pthread.h>

/* Which operations fail, as a letter each: create, write, sync, rename, remove. */
static void try_all(const char *directory, int error, char ret[6])
{
    const struct disk_fault fault = {.error = error};
    int folder = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int file = disk_create(folder, "file", O_RDWR, 0600), other;
    size_t length = 0;

    assert_true(folder >= 0 && file >= 0);
    assert_true(error == 0 || disk_fault_begin(&fault));
    other = disk_create(folder, "other", O_RDWR, 0600);
    if (other < 0 && errno == error)
        ret[length++] = 'c';
    if (disk_write(file, "file", "text", 4, 0) != 0 && errno == error)
        ret[length++] = 'w';
    if (disk_sync(file, "file") != 0 && errno == error)
        ret[length++] = 's';
    if (disk_rename(folder, "file", "name") != 0 && errno == error)
        ret[length++] = 'n';
    if (disk_remove(folder, "name") != 0 && errno == error)
        ret[length++] = 'r';
    ret[length] = '\0';
    if (error != 0)
        disk_fault_end();
    (void)disk_remove(folder, "file");
    (void)disk_remove(folder, "other");
    (void)close(other);
    (void)close(file);
    (void)close(folder);
}

static void each_error_hits_what_a_disk_refuses_with_it(void **state)
{
    char failed[6];

    disk_fault_prepare();
    try_all(*state, 0, failed);
    assert_string_equal(failed, "");
    try_all(*state, ENOSPC, failed);
    assert_string_equal(failed, "cw");
    try_all(*state, EDQUOT, failed);
    assert_string_equal(failed, "cw");
    try_all(*state, EIO, failed);
    assert_string_equal(failed, "ws");
    try_all(*state, EROFS, failed);
    assert_string_equal(failed, "cwsnr");
    try_all(*state, 0, failed);
    assert_string_equal(failed, "");
}

static void *try_in_thread(void *directory)
{
    static char failed[6];

    try_all(directory, 0, failed);
    return failed;
}

static void other_threads_meet_nothing(void **state)
{
    const struct disk_fault fault = {.error = EROFS};
    pthread_t thread;
    void *failed = NULL;

    disk_fault_prepare();
    assert_true(disk_fault_begin(&fault));
    assert_int_equal(pthread_create(&thread, NULL, try_in_thread, *state), 0);
    assert_int_equal(pthread_join(thread, &failed), 0);
    disk_fault_end();
    assert_string_equal(failed, "");
}

static int try_in_child(void *directory)
{
    char failed[6];

    try_all(directory, 0, failed);
    return failed[0] != '\0';
}

static void a_forked_child_meets_nothing(void **state)
{
    const struct disk_fault fault = {.error = EROFS};

    disk_fault_prepare();
    assert_true(disk_fault_begin(&fault));
    assert_int_equal(run_child(try_in_child, *state), 0);
    disk_fault_end();
}

static int write_and_die(void *directory)
{
    const struct disk_fault fault = {.at = 2};
    int folder = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int file;

    CHILD_CHECK(disk_fault_begin(&fault));
    file = disk_create(folder, "file", O_RDWR, 0600);
    CHILD_CHECK(file >= 0);
    (void)disk_write(file, "file", "half of it", 10, 0);
    return 0;
}

static void a_death_leaves_half_a_write(void **state)
{
    char path[PATH_MAX];
    struct stat status;

    disk_fault_prepare();
    assert_int_equal(run_child(write_and_die, *state), 1000 + SIGKILL);
    assert_int_equal(stat(test_path(*state, "file", path), &status), 0);
    assert_int_equal(status.st_size, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_error_hits_what_a_disk_refuses_with_it),
        TEST(other_threads_meet_nothing),
        TEST(a_forked_child_meets_nothing),
        TEST(a_death_leaves_half_a_write),
    };

    return cmocka_run_group_tests_name("emulator: faults of the disk", tests, NULL, NULL);
}
