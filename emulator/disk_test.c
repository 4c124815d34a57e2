/* Operations on the disk that fail: a return code, the old state, no failure mode. */

#include "emulator/crash_support.h"

#include <sched.h>
#include <sys/mount.h>

/* Fails the operation of this number, counted from 0; and, if asked to, all
 * that come after. */
struct failer {
    unsigned at;
    bool goes_on;
    int error;
    unsigned seen;
    bool hurts; /* has failed more than what cannot fail in truth */
};

static struct disk_fate fail_at(void *data, const struct disk_operation *operation)
{
    struct failer *failer = data;
    unsigned number = failer->seen++;

    if (number < failer->at || (number > failer->at && !failer->goes_on))
        return (struct disk_fate){DISK_GOES_ON, 0, 0};
    failer->hurts = failer->hurts || operation->kind != DISK_STORE;
    return (struct disk_fate){DISK_FAILS, failer->error, operation->size / 2};
}

static const int errors[] = {ENOSPC, EIO, EROFS, EDQUOT};

#define ERRORS (sizeof(errors) / sizeof(errors[0]))

/* What a process sees that has nothing but the files. */
static struct look look_at_copy(const char *directory)
{
    char copy[PATH_MAX];
    struct look look;

    (void)snprintf(copy, sizeof(copy), "%s.copy", directory);
    copy_directory(directory, copy);
    look = look_into(copy, false);
    expect_tidy(copy);
    test_remove(copy);
    return look;
}

static void expect_look(const struct look *found, const struct look *expected, const char *when,
                        const struct deed *deed, const struct failer *failer)
{
    if (!looks_equal(found, expected))
        print_error("%s, operation %u fails with %s%s: %s it is another state\n", deed->name,
                    failer->at, strerror(failer->error), failer->goes_on ? " for good" : "", when);
    assert_true(looks_equal(found, expected));
}

static void expect_failed(TSS2_TCTI_CONTEXT *context, const char *directory,
                          const struct deed *deed, const struct failer *failer,
                          const struct look *old)
{
    struct look found;

    assert_non_null(strstr(signet_tcti_last_error(), strerror(failer->error)));
    found = look_at(context, false);
    expect_look(&found, old, "meanwhile", deed, failer);
    assert_int_equal(get_random(context, 8, NULL), TPM2_RC_SUCCESS);
    disk_watch(NULL, NULL);
    found = look_at_copy(directory);
    expect_look(&found, old, "on the disk", deed, failer);
    assert_int_equal(deed->run(context), deed->rc);
}

static void fail_once(const char *template, const char *directory, const struct deed *deed,
                      struct failer failer, const struct look *old, const struct look *new)
{
    TSS2_TCTI_CONTEXT *context;
    struct look found;
    uint32_t rc;

    copy_directory(template, directory);
    context = test_open(directory);
    disk_watch(fail_at, &failer);
    rc = deed->run(context);
    assert_int_equal(rc, failer.hurts ? TPM2_RC_NV_UNAVAILABLE : deed->rc);
    if (rc != deed->rc)
        expect_failed(context, directory, deed, &failer, old);
    disk_watch(NULL, NULL);
    found = look_at(context, false);
    expect_look(&found, new, "afterwards", deed, &failer);
    found = look_at_copy(directory);
    expect_look(&found, new, "on the disk afterwards", deed, &failer);
    test_close(context);
    expect_tidy(directory);
    test_remove(directory);
}

/* The looks before and after the deed; returns how many operations it took. */
static unsigned do_in_peace(const char *template, const char *directory, const struct deed *deed,
                            struct look *ret_old, struct look *ret_new)
{
    struct failer nothing = {UINT32_MAX, false, 0, 0, false};
    TSS2_TCTI_CONTEXT *context;

    copy_directory(template, directory);
    context = test_open(directory);
    *ret_old = look_at(context, false);
    disk_watch(fail_at, &nothing);
    assert_int_equal(deed->run(context), deed->rc);
    disk_watch(NULL, NULL);
    *ret_new = look_at(context, false);
    test_close(context);
    test_remove(directory);
    return nothing.seen;
}

static void a_failing_disk_is_a_return_code_and_the_old_state(void **state)
{
    char template[PATH_MAX], path[PATH_MAX];

    prepare_deeds(test_path(*state, "template", template));
    (void)test_path(*state, "tpm", path);
    for (size_t i = 0; i < DEEDS; i++) {
        struct look old, new;
        unsigned operations = do_in_peace(template, path, &deeds[i], &old, &new);

        assert_in_range(operations, deeds[i].lost_in_reset ? 2 : 8, 20);
        for (unsigned at = 0; at < operations; at++)
            for (size_t error = i ? at % ERRORS : 0; error < (i ? at % ERRORS + 1 : ERRORS);
                 error++)
                for (int goes_on = 0; goes_on < 2; goes_on++)
                    fail_once(template, path, &deeds[i],
                              (struct failer){at, goes_on, errors[error], 0, false}, &old, &new);
    }
}

static void a_manufacture_that_fails_says_why_and_can_be_repeated(void **state)
{
    char path[PATH_MAX], parent[PATH_MAX];
    struct failer failer = {UINT32_MAX, false, 0, 0, false};
    unsigned operations;

    (void)test_path(*state, "new/tpm", path);
    (void)test_path(*state, "new", parent);
    disk_watch(fail_at, &failer);
    test_close(test_open(path));
    operations = failer.seen;
    for (unsigned at = 0; at < 2 * operations; at++) {
        TSS2_TCTI_CONTEXT *context = NULL;
        TSS2_RC rc;

        test_remove(parent);
        failer = (struct failer){at / 2, at & 1, errors[at / 2 % ERRORS], 0, false};
        disk_watch(fail_at, &failer);
        rc = test_try_open(path, &context);
        disk_watch(NULL, NULL);
        if (rc == TSS2_RC_SUCCESS) {
            assert_false(failer.hurts);
            test_close(context);
        } else {
            assert_non_null(strstr(signet_tcti_last_error(), strerror(failer.error)));
            assert_non_null(strstr(signet_tcti_last_error(), path));
        }
        context = test_open(path);
        assert_int_equal(define_counter(context, COUNTER_INDEX), TPM2_RC_SUCCESS);
        test_close(context);
        expect_tidy(path);
    }
}

static void the_watcher_is_told_what_is_done(void **state)
{
    char path[PATH_MAX];
    struct failer failer = {0, true, ENOSPC, 0, false};
    int directory, fd;

    directory = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(directory >= 0);
    fd = disk_create(directory, "file", O_RDWR, 0600);
    assert_true(fd >= 0);
    disk_watch(fail_at, &failer);
    assert_int_equal(disk_write(fd, "file", "12345678", 8, 0), -1);
    assert_int_equal(errno, ENOSPC);
    assert_int_equal(lseek(fd, 0, SEEK_END), 4);
    assert_int_equal(disk_rename(directory, "file", "other"), -1);
    assert_int_equal(disk_remove(directory, "file"), -1);
    assert_int_equal(disk_create(directory, "more", O_RDWR, 0600), -1);
    assert_int_equal(disk_sync(fd, "file"), -1);
    assert_int_equal(disk_permit(fd, "file", 0, (uid_t)-1, (gid_t)-1), -1);
    assert_int_equal(disk_make_directory(test_path(*state, "sub", path), 0700), -1);
    disk_watch(NULL, NULL);
    assert_int_equal(failer.seen, 7);
    assert_int_equal(access(test_path(*state, "file", path), R_OK), 0);
    assert_int_not_equal(access(test_path(*state, "sub", path), R_OK), 0);
    assert_int_equal(disk_remove(directory, "file"), 0);
    (void)close(fd);
    (void)close(directory);
}

/* --- file systems that refuse in earnest -------------------------------------- */

/* Status 77 of a child: not permitted here. */
static void expect_child(int (*body)(void *), void *argument, const char *lacking)
{
    int status = run_child(body, argument);

    if (status == 77) {
        print_message("%s; run as root\n", lacking);
        skip();
    }
    assert_int_equal(status, 0);
}

static bool own_mounts(void)
{
    return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static int work_on_read_only(void *directory)
{
    TSS2_TCTI_CONTEXT *context = NULL;
    char path[PATH_MAX];
    uint64_t counter;

    if (!own_mounts() || mount("tmpfs", directory, "tmpfs", 0, "size=8m") != 0)
        return 77;
    CHILD_CHECK(test_try_open(test_path(directory, "tpm", path), &context) == TSS2_RC_SUCCESS);
    CHILD_CHECK(define_counter(context, COUNTER_INDEX) == TPM2_RC_SUCCESS);
    CHILD_CHECK(increment(context, COUNTER_INDEX) == TPM2_RC_SUCCESS);
    counter = read_counter(context, COUNTER_INDEX);
    test_close(context);
    CHILD_CHECK(mount(NULL, directory, NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0);
    CHILD_CHECK(test_try_open(path, &context) != TSS2_RC_SUCCESS);
    CHILD_CHECK(strstr(signet_tcti_last_error(), path));
    CHILD_CHECK(strstr(signet_tcti_last_error(), "Read-only file system"));
    CHILD_CHECK(strstr(signet_tcti_last_error(), "must be writable"));
    CHILD_CHECK(test_try_open(test_path(directory, "new", path), &context) != TSS2_RC_SUCCESS);
    CHILD_CHECK(strstr(signet_tcti_last_error(), "Read-only file system"));
    CHILD_CHECK(mount(NULL, directory, NULL, MS_REMOUNT, NULL) == 0);
    CHILD_CHECK(test_try_open(test_path(directory, "tpm", path), &context) == TSS2_RC_SUCCESS);
    CHILD_CHECK(read_counter(context, COUNTER_INDEX) == counter);
    test_close(context);
    return 0;
}

static void a_read_only_file_system_is_a_clear_error(void **state)
{
    expect_child(work_on_read_only, *state, "mounting a file system is not permitted here");
}

static bool become_nobody(void)
{
    return setgid(65534) == 0 && setuid(65534) == 0;
}

static int work_on_read_only_directory(void *directory)
{
    TSS2_TCTI_CONTEXT *context = NULL;

    if (geteuid() == 0 && (chown(directory, 65534, 65534) != 0 || !become_nobody()))
        return 77;
    CHILD_CHECK(chmod(directory, 0500) == 0);
    CHILD_CHECK(test_try_open(directory, &context) != TSS2_RC_SUCCESS);
    CHILD_CHECK(strstr(signet_tcti_last_error(), "Permission denied"));
    CHILD_CHECK(strstr(signet_tcti_last_error(), directory));
    CHILD_CHECK(chmod(directory, 0700) == 0);
    CHILD_CHECK(test_try_open(directory, &context) == TSS2_RC_SUCCESS);
    CHILD_CHECK(get_random(context, 8, NULL) == TPM2_RC_SUCCESS);
    test_close(context);
    return 0;
}

static void a_read_only_directory_is_a_clear_error(void **state)
{
    expect_child(work_on_read_only_directory, *state, "becoming another user is not permitted");
}

static int fill(const char *path)
{
    char block[4096] = {0};
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0)
        return -1;
    while (write(fd, block, sizeof(block)) > 0)
        continue;
    return close(fd);
}

/* tmpfs has quotas since Linux 6.6, if it was built so; root is above them. */
static int work_beyond_quota(void *directory)
{
    TSS2_TCTI_CONTEXT *context = NULL;
    char filler[PATH_MAX], path[PATH_MAX];
    uint64_t counter;

    if (geteuid() != 0 || !own_mounts() ||
        mount("tmpfs", directory, "tmpfs", 0,
              "size=64m,mode=1777,usrquota,usrquota_block_hardlimit=4m") != 0 ||
        !become_nobody())
        return 77;
    (void)test_path(directory, "filler", filler);
    CHILD_CHECK(test_try_open(test_path(directory, "tpm", path), &context) == TSS2_RC_SUCCESS);
    CHILD_CHECK(define_counter(context, COUNTER_INDEX) == TPM2_RC_SUCCESS);
    CHILD_CHECK(increment(context, COUNTER_INDEX) == TPM2_RC_SUCCESS);
    counter = read_counter(context, COUNTER_INDEX);
    CHILD_CHECK(fill(filler) == 0);
    CHILD_CHECK(increment(context, COUNTER_INDEX) == TPM2_RC_NV_UNAVAILABLE);
    CHILD_CHECK(strstr(signet_tcti_last_error(), strerror(EDQUOT)));
    CHILD_CHECK(read_counter(context, COUNTER_INDEX) == counter);
    CHILD_CHECK(get_random(context, 8, NULL) == TPM2_RC_SUCCESS);
    CHILD_CHECK(unlink(filler) == 0);
    CHILD_CHECK(increment(context, COUNTER_INDEX) == TPM2_RC_SUCCESS);
    CHILD_CHECK(read_counter(context, COUNTER_INDEX) == counter + 1);
    test_close(context);
    return 0;
}

static void a_quota_is_survived(void **state)
{
    expect_child(work_beyond_quota, *state,
                 "a tmpfs with quotas (Linux 6.6) is not "
                 "to be had here");
}

static void a_directory_made_anew_while_in_use_is_another_tpm(void **state)
{
    char path[PATH_MAX];
    TSS2_TCTI_CONTEXT *old = test_open(test_path(*state, "tpm", path)), *new;
    uint64_t counter;
    uint32_t first = 0;

    assert_int_equal(define_counter(old, COUNTER_INDEX), TPM2_RC_SUCCESS);
    assert_int_equal(increment(old, COUNTER_INDEX), TPM2_RC_SUCCESS);
    counter = read_counter(old, COUNTER_INDEX);
    test_remove(path);
    new = test_open(path);
    (void)count_handles(new, TPM2_NV_INDEX_FIRST, &first);
    assert_int_not_equal(first, COUNTER_INDEX);
    assert_int_equal(define_counter(new, COUNTER_INDEX), TPM2_RC_SUCCESS);
    assert_int_equal(increment(old, COUNTER_INDEX), TPM2_RC_NV_UNAVAILABLE);
    assert_non_null(strstr(signet_tcti_last_error(), "removed while in use"));
    assert_int_equal(read_counter(old, COUNTER_INDEX), counter);
    assert_int_equal(increment(new, COUNTER_INDEX), TPM2_RC_SUCCESS);
    test_close(old);
    assert_int_equal(increment(new, COUNTER_INDEX), TPM2_RC_SUCCESS);
    test_close(new);
}

#define INCREMENTS 200

struct incrementer {
    const char *directory;
    int pipe; /* told when it is at work */
};

static int increment_often(void *argument)
{
    const struct incrementer *job = argument;
    TSS2_TCTI_CONTEXT *context = NULL;

    CHILD_CHECK(test_try_open(job->directory, &context) == TSS2_RC_SUCCESS);
    CHILD_CHECK(get_random(context, 8, NULL) == TPM2_RC_SUCCESS);
    CHILD_CHECK(write(job->pipe, "", 1) == 1);
    for (int i = 0; i < INCREMENTS; i++)
        CHILD_CHECK(increment(context, COUNTER_INDEX) == TPM2_RC_SUCCESS);
    test_close(context);
    return 0;
}

static void a_lock_file_that_is_removed_while_in_use_is_made_anew(void **state)
{
    TSS2_TCTI_CONTEXT *context = test_open(*state);
    struct incrementer job = {*state, -1};
    char path[PATH_MAX], byte;
    pid_t children[3];
    uint64_t before;
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    job.pipe = ends[1];
    assert_int_equal(define_counter(context, COUNTER_INDEX), TPM2_RC_SUCCESS);
    assert_int_equal(increment(context, COUNTER_INDEX), TPM2_RC_SUCCESS);
    before = read_counter(context, COUNTER_INDEX);
    for (int i = 0; i < 3; i++)
        children[i] = start_child(increment_often, &job);
    for (int i = 0; i < 3; i++)
        assert_int_equal(read(ends[0], &byte, 1), 1);
    for (int i = 0; i < INCREMENTS; i++) {
        if (i == 20 || i == 100)
            assert_int_equal(unlink(test_path(*state, "signet.lock", path)), 0);
        assert_int_equal(increment(context, COUNTER_INDEX), TPM2_RC_SUCCESS);
    }
    for (int i = 0; i < 3; i++)
        assert_int_equal(wait_child(children[i]), 0);
    assert_int_equal(read_counter(context, COUNTER_INDEX), before + 4 * INCREMENTS);
    assert_int_equal(access(test_path(*state, "signet.lock", path), F_OK), 0);
    (void)close(ends[0]);
    (void)close(ends[1]);
    test_close(context);
}

/* --- owners and modes ---------------------------------------------------------- */

static mode_t mode_of(const char *directory, const char *name)
{
    char path[PATH_MAX];
    struct stat status;

    return stat(test_path(directory, name, path), &status) == 0 ? status.st_mode & 07777 : 0;
}

static int open_with_strange_umask(void *directory)
{
    TSS2_TCTI_CONTEXT *context = NULL;
    char parent[PATH_MAX], path[PATH_MAX];
    static const char *const files[] = {SWTPM_PERMANENT_FILE, "signet.state", "signet.lock",
                                        SWTPM_LOCK_FILE};

    if (geteuid() == 0 && (chown(directory, 65534, 65534) != 0 || !become_nobody()))
        return 77;
    (void)umask(0777);
    (void)test_path(directory, "new", parent);
    CHILD_CHECK(test_try_open(test_path(parent, "tpm", path), &context) == TSS2_RC_SUCCESS);
    test_close(context);
    CHILD_CHECK(test_try_open(path, &context) == TSS2_RC_SUCCESS);
    CHILD_CHECK(define_counter(context, COUNTER_INDEX) == TPM2_RC_SUCCESS);
    test_close(context);
    CHILD_CHECK(mode_of(parent, "tpm") == 0700);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        CHILD_CHECK(mode_of(path, files[i]) == 0600);
    return 0;
}

static void files_are_their_owners_alone_whatever_the_umask(void **state)
{
    expect_child(open_with_strange_umask, *state, "becoming another user is not permitted");
}

static int open_as_nobody(void *directory)
{
    TSS2_TCTI_CONTEXT *context = NULL;

    if (!become_nobody())
        return 77;
    if (test_try_open(directory, &context) != TSS2_RC_SUCCESS)
        return strstr(signet_tcti_last_error(), "belongs to user 12345") ? 2 : 1;
    CHILD_CHECK(define_counter(context, COUNTER_INDEX) == TPM2_RC_SUCCESS);
    test_close(context);
    return 0;
}

static const char *directory_of(const char *base, const char *name, uid_t user, mode_t mode,
                                char path[PATH_MAX])
{
    assert_int_equal(mkdir(test_path(base, name, path), 0700), 0);
    assert_int_equal(chown(path, user, 65534), 0);
    assert_int_equal(chmod(path, mode), 0);
    return path;
}

static void need_root(void)
{
    if (geteuid() == 0)
        return;
    print_message("files of other users need root\n");
    skip();
}

static void anothers_directory_is_refused_unless_its_group_shares_it(void **state)
{
    char path[PATH_MAX];

    need_root();
    assert_int_equal(chmod(*state, 0755), 0);
    assert_int_equal(run_child(open_as_nobody,
                               (void *)(uintptr_t)directory_of(*state, "own", 12345, 0757, path)),
                     2);
    assert_int_equal(run_child(open_as_nobody, (void *)(uintptr_t)directory_of(*state, "shared",
                                                                               12345, 0770, path)),
                     0);
    assert_int_equal(mode_of(path, SWTPM_PERMANENT_FILE), 0660);
    assert_int_equal(mode_of(path, "signet.state"), 0660);
    /* Root's for all, as some containers have it. */
    assert_int_equal(
        run_child(open_as_nobody, (void *)(uintptr_t)directory_of(*state, "root", 0, 0777, path)),
        0);
    assert_int_equal(mode_of(path, SWTPM_PERMANENT_FILE), 0600);
}

/* Threads that work at once open it more than once. */
static void a_directory_that_is_opened_again_is_shared_as_before(void **state)
{
    __attribute__((cleanup(directory_close))) struct directory first = DIRECTORY_CLOSED;
    __attribute__((cleanup(directory_close))) struct directory second = DIRECTORY_CLOSED;
    int fd;

    assert_int_equal(chmod(*state, 0770), 0);
    assert_int_equal(directory_open(*state, &first), TSS2_RC_SUCCESS);
    assert_int_equal(directory_reopen(&first, &second), TSS2_RC_SUCCESS);
    fd = directory_open_file(&second, "file");
    assert_true(fd >= 0);
    (void)close(fd);
    assert_int_equal(mode_of(*state, "file"), 0660);
}

static void root_leaves_a_user_what_the_user_can_use(void **state)
{
    static const char *const files[] = {SWTPM_PERMANENT_FILE, "signet.state", "signet.lock",
                                        SWTPM_LOCK_FILE};
    char path[PATH_MAX], file[PATH_MAX];
    TSS2_TCTI_CONTEXT *context;

    need_root();
    context = test_open(directory_of(*state, "tpm", 12345, 0700, path));
    assert_int_equal(define_counter(context, COUNTER_INDEX), TPM2_RC_SUCCESS);
    test_close(context);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        struct stat status;

        assert_int_equal(stat(test_path(path, files[i], file), &status), 0);
        assert_int_equal(status.st_uid, 12345);
        assert_int_equal(status.st_mode & 07777, 0600);
    }
}

static void a_link_in_the_place_of_a_file_is_not_followed(void **state)
{
    static const char *const files[] = {SWTPM_PERMANENT_FILE, "signet.state", "signet.lock"};
    char target[PATH_MAX], path[PATH_MAX], file[PATH_MAX];

    (void)test_path(*state, "target", target);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        TSS2_TCTI_CONTEXT *context = NULL;

        assert_int_equal(mkdir(test_path(*state, "tpm", path), 0700), 0);
        assert_int_equal(symlink(target, test_path(path, files[i], file)), 0);
        assert_int_not_equal(test_try_open(path, &context), TSS2_RC_SUCCESS);
        assert_non_null(strstr(signet_tcti_last_error(), files[i]));
        assert_int_not_equal(access(target, F_OK), 0);
        test_remove(path);
    }
}

static struct disk_fate count_syncs(void *data, const struct disk_operation *operation)
{
    *(unsigned *)data += operation->kind == DISK_SYNC;
    return (struct disk_fate){DISK_GOES_ON, 0, 0};
}

static unsigned syncs_of(const char *directory, const char *more)
{
    TSS2_TCTI_CONTEXT *context = test_open_with(directory, more);
    unsigned syncs = 0;

    (void)define_counter(context, COUNTER_INDEX);
    disk_watch(count_syncs, &syncs);
    assert_int_equal(increment(context, COUNTER_INDEX), TPM2_RC_SUCCESS);
    disk_watch(NULL, NULL);
    test_close(context);
    return syncs;
}

static void without_sync_nothing_waits_for_the_disk(void **state)
{
    TSS2_TCTI_CONTEXT *careful;

    assert_int_equal(syncs_of(*state, ",sync=off"), 0);
    assert_int_not_equal(syncs_of(*state, ""), 0);
    /* One connection of the process that wants it is enough. */
    careful = test_open(*state);
    assert_int_not_equal(syncs_of(*state, ",sync=off"), 0);
    test_close(careful);
}

static void network_file_systems_are_told_apart(void **state)
{
    (void)state;
    assert_true(directory_is_remote(0x6969));                         /* NFS */
    assert_true(directory_is_remote(0xff534d42));                     /* CIFS */
    assert_true(directory_is_remote((unsigned long)(int)0xff534d42)); /* as a signed word */
    assert_false(directory_is_remote(0xef53));                        /* ext4 */
    assert_false(directory_is_remote(0x01021994));                    /* tmpfs */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_watcher_is_told_what_is_done),
        FAST_TEST(a_failing_disk_is_a_return_code_and_the_old_state),
        FAST_TEST(a_manufacture_that_fails_says_why_and_can_be_repeated),
        TEST(a_read_only_file_system_is_a_clear_error),
        TEST(a_read_only_directory_is_a_clear_error),
        TEST(a_quota_is_survived),
        TEST(a_directory_made_anew_while_in_use_is_another_tpm),
        cmocka_unit_test(network_file_systems_are_told_apart),
        FAST_TEST(without_sync_nothing_waits_for_the_disk),
        FAST_TEST(a_lock_file_that_is_removed_while_in_use_is_made_anew),
        TEST(files_are_their_owners_alone_whatever_the_umask),
        TEST(anothers_directory_is_refused_unless_its_group_shares_it),
        TEST(a_directory_that_is_opened_again_is_shared_as_before),
        TEST(root_leaves_a_user_what_the_user_can_use),
        TEST(a_link_in_the_place_of_a_file_is_not_followed),
    };

    return cmocka_run_group_tests_name("emulator: disk", tests, NULL, NULL);
}
