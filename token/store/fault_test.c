#include "token/store/fault_support.h"

/* Whatever fails or dies in the middle of a change: the old content or the new, and
 * a directory that works. */

#define OLD "the old content, which is long enough to be halved\n"
#define NEW "the new content, of another length\n"

struct deed {
    const char *name;
    CK_RV (*run)(struct directory *directory, struct reason *reason);
    const char *before; /* content of "a", NULL: not there */
    const char *after;
};

static CK_RV write_new(struct directory *directory, struct reason *reason)
{
    return directory_write(directory, "a", view_string(NEW), reason);
}

static CK_RV remove_old(struct directory *directory, struct reason *reason)
{
    return directory_remove(directory, "a", reason);
}

static CK_RV make_and_write(struct directory *directory, struct reason *reason)
{
    CK_RV rv = directory_make(directory, reason);
    return rv != CKR_OK ? rv : write_new(directory, reason);
}

static CK_RV write_and_index(struct directory *directory, struct reason *reason)
{
    CK_RV rv = write_new(directory, reason);
    const struct directory_file *file = directory_find(directory, "a");
    if (rv != CKR_OK || !file)
        return rv;
    rv = directory_index_set(directory, "a", &file->stamp, view_string("part"));
    directory_index_save(directory);
    return rv;
}

static const struct deed deeds[] = {
    {"add", write_new, NULL, NEW},        {"replace", write_new, OLD, NEW},
    {"remove", remove_old, OLD, NULL},    {"make", make_and_write, NULL, NEW},
    {"index", write_and_index, OLD, NEW},
};

static struct directory *prepare(const struct deed *deed)
{
    run("rm -rf parent");
    struct directory *directory = directory_of("parent/token");
    if (deed->run != make_and_write) {
        run("mkdir -p parent/token; echo other >parent/token/other");
        if (deed->before)
            write_file("parent/token/a", deed->before);
    }
    refresh(directory);
    return directory;
}

/* What "a" holds, as a new process sees it: true for what it is to hold after the deed. */
static bool is_done(const struct deed *deed)
{
    struct directory *directory = open_directory("parent/token");
    struct bytes content = {0};
    struct file_stamp stamp;
    CK_RV rv = directory_read(directory, "a", &content, &stamp, NULL);
    const char *expected[] = {deed->before, deed->after};
    bool is[2];
    for (int i = 0; i < 2; i++)
        is[i] = expected[i]
                    ? rv == CKR_OK && view_equal(bytes_view(&content), view_string(expected[i]))
                    : rv == CKR_OBJECT_HANDLE_INVALID;
    assert_true(is[0] || is[1]);
    assert_int_equal(directory_find(directory, "a") != NULL, rv == CKR_OK);
    bytes_free(&content);
    directory_free(directory);
    return is[1];
}

static void assert_works(struct directory *directory)
{
    struct reason reason = {0};
    assert_ok(directory_make(directory, &reason));
    refresh(directory);
    assert_ok(directory_lock(directory, &reason));
    write_text(directory, "a", "again");
    directory_unlock(directory);
    assert_holds(directory, "a", "again");
    refresh(directory);
    assert_holds(directory, "a", "again");
    assert_int_equal(count_names("parent/token", ".a."), 0);
    assert_int_equal(count_names("parent/token", ".index."), 0);
}

static CK_RV expected_of(int error)
{
    return error == ENOSPC || error == EDQUOT  ? CKR_DEVICE_MEMORY
           : error == EROFS || error == EACCES ? CKR_TOKEN_WRITE_PROTECTED
                                               : CKR_DEVICE_ERROR;
}

/* The answer tells the truth: only what comes after the change itself, to make it
 * last, may fail with the change done. */
static void fail_deed(const struct deed *deed, int error, int operation, bool *ret_reached)
{
    struct directory *directory = prepare(deed);
    struct reason reason = {0};
    set_fault(directory, FATE_FAIL, error, operation);
    CK_RV rv = deed->run(directory, &reason);
    *ret_reached = fault.countdown == 0;
    directory->disk = &disk_system;
    struct stat there;
    if (stat("parent/token", &there) == 0) {
        assert_int_equal(count_names("parent/token", ".a."), 0);
        assert_int_equal(count_names("parent/token", ".index."), 0);
    }
    bool done = is_done(deed);
    if (rv == CKR_OK)
        assert_true(done);
    else {
        assert_rv(rv, expected_of(error));
        assert_contains(reason.text, "parent/token");
        if (done)
            assert_contains(reason.text, "is changed, but may not outlast a power failure");
    }
    bool changed = refresh(directory);
    if (rv != CKR_OK && done)
        assert_true(changed);
    assert_int_equal(directory_find(directory, "a") != NULL,
                     (done ? deed->after : deed->before) != NULL);
    assert_works(directory);
    directory_free(directory);
}

static void a_failing_operation_leaves_old_or_new(UNUSED void **state)
{
    static const int errors[] = {ENOSPC, EIO, EDQUOT, EROFS};
    for (size_t i = 0; i < ARRAY_SIZE(deeds); i++) {
        int operation = 1;
        for (bool reached = true; reached; operation++)
            fail_deed(&deeds[i], errors[operation % ARRAY_SIZE(errors)], operation, &reached);
        print_message("%s: %d operations\n", deeds[i].name, operation - 2);
        assert_true(operation > 4);
    }
}

static void a_disk_that_fails_for_good_leaves_old_or_new(UNUSED void **state)
{
    for (int operation = 1; operation < 12; operation++) {
        struct directory *directory = prepare(&deeds[1]);
        set_fault(directory, FATE_FAIL_ON, EIO, operation);
        assert_rv(write_new(directory, NULL), CKR_DEVICE_ERROR);
        (void)is_done(&deeds[1]);
        directory->disk = &disk_system;
        write_text(directory, "a", "again");
        assert_int_equal(count_names("parent/token", ".a."), 0);
        assert_works(directory);
        directory_free(directory);
    }
}

static void what_is_done_outlasts_a_power_failure(UNUSED void **state)
{
    struct directory *directory = prepare(&deeds[3]);
    set_fault(directory, FATE_FAIL, 0, 0);
    assert_ok(directory_make(directory, NULL));
    assert_string_equal(fault.done, "make_directory permit_path sync "
                                    "make_directory permit_path sync ");
    assert_ok(directory_lock(directory, NULL));
    set_fault(directory, FATE_FAIL, 0, 0);
    assert_ok(directory_write(directory, "a", view_string("x"), NULL));
    assert_string_equal(fault.done, "create permit write date sync rename sync ");
    set_fault(directory, FATE_FAIL, 0, 0);
    assert_ok(directory_remove(directory, "a", NULL));
    assert_string_equal(fault.done, "remove sync ");
    directory_free(directory);
}

static void failures_are_told_in_the_users_words(UNUSED void **state)
{
    static const struct {
        int error;
        const char *reason;
    } rows[] = {{ENOSPC, "a: cannot be written: the disk is full"},
                {EDQUOT, "a: cannot be written: this user's disk quota is used up"},
                {EROFS, "a: cannot be written: the file system is read-only"},
                {EACCES, "a: cannot be written: this user has no permission"},
                {EIO, "a: cannot be written: the disk failed (input/output error)"},
                {ENFILE, "a: cannot be written: Too many open files in system"}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct directory *directory = prepare(&deeds[1]);
        struct reason reason = {0};
        assert_ok(directory_lock(directory, NULL));
        set_fault(directory, FATE_FAIL, rows[i].error, 1);
        assert_rv(write_new(directory, &reason), expected_of(rows[i].error));
        assert_contains(reason.text, rows[i].reason);
        directory_free(directory);
    }
}

struct killing {
    const struct deed *deed;
    enum fate fate;
    int operation;
};

static int be_killed(void *argument)
{
    const struct killing *killing = argument;
    struct directory *directory = open_directory("parent/token");
    set_fault(directory, killing->fate, 0, killing->operation);
    return killing->deed->run(directory, NULL) == CKR_OK ? 0 : 1;
}

static void kill_deed(const struct deed *deed, enum fate fate)
{
    int status = 128 + SIGKILL, done_at = 0;
    for (int operation = 1; status == 128 + SIGKILL; operation++) {
        struct directory *directory = prepare(deed);
        struct killing killing = {deed, fate, operation};
        status = in_child(be_killed, &killing);
        assert_true(status == 0 || status == 128 + SIGKILL);
        struct stat there;
        bool done = stat("parent/token", &there) == 0 && is_done(deed);
        if (done && !done_at)
            done_at = operation;
        assert_true(!done_at || done);
        assert_works(directory);
        directory_free(directory);
    }
    assert_true(done_at > 1);
}

static void a_killed_writer_leaves_old_or_new(UNUSED void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(deeds); i++) {
        kill_deed(&deeds[i], FATE_DIE_BEFORE);
        kill_deed(&deeds[i], FATE_DIE_AFTER);
    }
}

static void what_a_killed_writer_left_is_removed_by_the_next(UNUSED void **state)
{
    struct killing killing = {&deeds[1], FATE_DIE_BEFORE, 5};
    struct directory *directory = prepare(&deeds[1]);
    assert_int_equal(in_child(be_killed, &killing), 128 + SIGKILL);
    assert_int_equal(count_names("parent/token", ".a."), 1);
    write_file("parent/token/.mine.tmp", "x");
    write_file("parent/token/.a.1.0123456789abcdef.tmp", "x");
    refresh(directory);
    assert_files(directory, "a other");
    write_text(directory, "other", "x");
    assert_int_equal(count_names("parent/token", ".a."), 0);
    directory_free(directory);
    write_file("parent/token/.a.1.0123456789abcdef.tmp", "x");
    directory = directory_of("parent/token");
    write_text(directory, "other", "x");
    assert_int_equal(count_names("parent/token", ".a."), 0);
    assert_int_equal(count_names("parent/token", ".mine.tmp"), 1);
    directory_free(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failing_operation_leaves_old_or_new),
        cmocka_unit_test(a_disk_that_fails_for_good_leaves_old_or_new),
        cmocka_unit_test(what_is_done_outlasts_a_power_failure),
        cmocka_unit_test(failures_are_told_in_the_users_words),
        cmocka_unit_test(a_killed_writer_leaves_old_or_new),
        cmocka_unit_test(what_a_killed_writer_left_is_removed_by_the_next),
    };
    return in_directory(tests);
}
