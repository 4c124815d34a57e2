#include "token/store/test_support.h"

/* Reading, writing and making; who may. */

static unsigned changes; /* of the file that is read, while it is read */

ssize_t pread(int file, void *data, size_t size, off_t offset);

ssize_t pread(int file, void *data, size_t size, off_t offset)
{
    ssize_t got = lseek(file, offset, SEEK_SET) < 0 ? -1 : read(file, data, size);
    if (changes > 0 && offset == 0)
        write_file("token/a", --changes % 2 ? "odd" : "even");
    return got;
}

static void a_file_is_read_with_its_stamp(UNUSED void **state)
{
    struct bytes content = {0};
    struct file_stamp stamp;
    run("mkdir token; printf 'what it holds' >token/a; : >token/empty; ln -s a token/l");
    struct directory *directory = open_directory("token");
    poison(stamp);
    assert_ok(bytes_copy(&content, view_string("old")));
    assert_ok(directory_read(directory, "a", &content, &stamp, NULL));
    assert_view(bytes_view(&content), "what it holds");
    assert_true(stamp_equal(&stamp, &directory_find(directory, "a")->stamp));
    assert_ok(directory_read(directory, "empty", &content, &stamp, NULL));
    assert_int_equal(content.size, 0);
    assert_int_equal(stamp.size, 0);
    bytes_free(&content);
    assert_holds(directory, "l", "what it holds");
    directory_free(directory);
}

static void a_file_may_be_read_before_it_is_listed(UNUSED void **state)
{
    run("mkdir token; printf x >token/a");
    struct directory *directory = directory_of("token");
    assert_holds(directory, "a", "x");
    directory_free(directory);
}

static void a_file_that_changes_meanwhile_is_read_again(UNUSED void **state)
{
    struct bytes content = {0};
    struct file_stamp stamp;
    struct reason reason = {0};
    run("mkdir token; printf even >token/a");
    struct directory *directory = open_directory("token");
    changes = 3;
    assert_holds(directory, "a", "even");
    changes = 1000;
    assert_rv(directory_read(directory, "a", &content, &stamp, &reason), CKR_DEVICE_ERROR);
    assert_string_equal(reason.text, "token/a: keeps changing while it is read");
    changes = 0;
    directory_free(directory);
}

static void what_is_not_there_cannot_be_read(UNUSED void **state)
{
    static const char *const names[] = {"missing",    "",          ".hidden",   ".",
                                        "..",         "../secret", "directory", "pipe",
                                        "to-nothing", "token/a"};
    run("mkdir token token/directory; mkfifo token/pipe; ln -s x token/to-nothing; echo x >secret;"
        "echo x >token/.hidden");
    struct directory *directory = open_directory("token");
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        struct bytes content;
        struct file_stamp stamp;
        struct reason reason = {0};
        poison(content);
        poison(stamp);
        assert_rv(directory_read(directory, names[i], &content, &stamp, &reason),
                  CKR_OBJECT_HANDLE_INVALID);
        assert_poison(content);
        assert_poison(stamp);
        assert_contains(reason.text, "token/");
    }
    directory_free(directory);
}

static void a_file_that_is_too_large_is_listed_and_refused(UNUSED void **state)
{
    struct bytes content = {0};
    struct file_stamp stamp;
    struct reason reason = {0};
    run("mkdir token; truncate -s 4194304 token/a; truncate -s 4194305 token/b");
    struct directory *directory = open_directory("token");
    assert_files(directory, "a b");
    assert_ok(directory_read(directory, "a", &content, &stamp, &reason));
    assert_int_equal(content.size, DIRECTORY_MAX_FILE_SIZE);
    assert_rv(directory_read(directory, "b", &content, &stamp, &reason), CKR_DEVICE_ERROR);
    assert_string_equal(reason.text, "token/b: is larger than 4194304 bytes");
    assert_ok(directory_write(directory, "c", bytes_view(&content), &reason));
    assert_ok(bytes_alloc(&content, DIRECTORY_MAX_FILE_SIZE + 1));
    assert_rv(directory_write(directory, "c", bytes_view(&content), &reason), CKR_DEVICE_MEMORY);
    assert_string_equal(reason.text, "token/c: would be larger than 4194304 bytes");
    bytes_free(&content);
    directory_free(directory);
}

static void what_is_written_is_there_at_once(UNUSED void **state)
{
    run("mkdir token; echo b >token/b");
    struct directory *directory = open_directory("token");
    write_text(directory, "c", "one");
    assert_files(directory, "b c");
    assert_holds(directory, "c", "one");
    write_text(directory, "a", "");
    assert_files(directory, "a b c");
    write_text(directory, "b", "two");
    assert_holds(directory, "b", "two");
    assert_ok(directory_remove(directory, "b", NULL));
    assert_files(directory, "a c");
    struct directory *other = open_directory("token");
    assert_files(other, "a c");
    assert_holds(other, "c", "one");
    directory_free(other);
    directory_free(directory);
}

static void a_list_is_not_needed_to_write(UNUSED void **state)
{
    make_directory("token");
    struct directory *directory = directory_of("token");
    write_text(directory, "a", "x");
    assert_files(directory, "a");
    write_text(directory, "b", "x");
    assert_ok(directory_remove(directory, "a", NULL));
    refresh(directory);
    assert_files(directory, "b");
    directory_free(directory);
}

static void a_link_is_replaced_and_removed_itself(UNUSED void **state)
{
    struct stat status;
    run("mkdir token; printf x >target; ln -s ../target token/l; ln -s ../target token/m");
    struct directory *directory = open_directory("token");
    write_text(directory, "l", "new");
    assert_holds(directory, "l", "new");
    assert_int_equal(lstat("token/l", &status), 0);
    assert_true(S_ISREG(status.st_mode));
    assert_ok(directory_remove(directory, "m", NULL));
    struct bytes content = read_file("target");
    assert_string_equal((char *)content.data, "x");
    bytes_free(&content);
    directory_free(directory);
}

static void only_names_of_entries_can_be_written(UNUSED void **state)
{
    static const char *const names[] = {"",    ".a", ".",     "..",   "../a",
                                        "a/b", "a~", "a.tmp", "\xe4", "a\nb"};
    char longest[257];
    make_directory("token");
    struct directory *directory = open_directory("token");
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        struct reason reason = {0};
        assert_rv(directory_write(directory, names[i], view_string("x"), &reason),
                  CKR_DEVICE_ERROR);
        assert_contains(reason.text, "is not a name for an entry");
        assert_rv(directory_remove(directory, names[i], &reason), CKR_DEVICE_ERROR);
    }
    memset(longest, 'a', sizeof(longest));
    longest[256] = 0;
    assert_rv(directory_write(directory, longest, view_string("x"), NULL), CKR_DEVICE_ERROR);
    longest[255] = 0;
    write_text(directory, longest, "x");
    assert_holds(directory, longest, "x");
    assert_rv(directory_remove(directory, "missing", NULL), CKR_OBJECT_HANDLE_INVALID);
    directory_free(directory);
}

static mode_t mode_of(const char *path)
{
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    return status.st_mode & 07777;
}

static void files_are_for_their_owner_whatever_the_umask(UNUSED void **state)
{
    static const mode_t umasks[] = {0, 022, 077, 0177, 0277, 0777};
    for (size_t i = 0; i < ARRAY_SIZE(umasks); i++) {
        run("rm -rf new");
        mode_t before = umask(umasks[i]);
        struct directory *directory = directory_of("new/er/token");
        CK_RV rv = directory_make(directory, NULL);
        refresh(directory);
        write_text(directory, "a", "x");
        umask(before);
        assert_ok(rv);
        assert_int_equal(mode_of("new"), 0700);
        assert_int_equal(mode_of("new/er"), 0700);
        assert_int_equal(mode_of("new/er/token"), 0700);
        assert_int_equal(mode_of("new/er/token/a"), 0600);
        assert_int_equal(mode_of("new/er/token/.lock"), 0600);
        directory_free(directory);
    }
}

static void a_directory_that_everybody_may_write_is_noticed(UNUSED void **state)
{
    run("mkdir -m 0755 there");
    struct directory *directory = directory_of("there");
    refresh(directory);
    assert_false(directory_is_public(directory));
    run("chmod 1777 there");
    refresh(directory);
    assert_true(directory_is_public(directory));
    run("chmod 0770 there");
    refresh(directory);
    assert_false(directory_is_public(directory));
    directory_free(directory);
}

static void a_directory_is_made_where_there_is_none(UNUSED void **state)
{
    struct reason reason = {0};
    run("mkdir -m 0755 there; touch file");
    struct directory *directory = directory_of("there");
    assert_ok(directory_make(directory, &reason));
    assert_int_equal(mode_of("there"), 0755);
    directory_free(directory);
    directory = directory_of("there/new/");
    assert_true(directory_writable(directory));
    assert_ok(directory_make(directory, &reason));
    refresh(directory);
    assert_true(directory_exists(directory));
    write_text(directory, "a", "x");
    directory_free(directory);
    directory = directory_of("file");
    assert_rv(directory_make(directory, &reason), CKR_DEVICE_ERROR);
    assert_contains(reason.text, "file: cannot be made: something else stands there");
    directory_free(directory);
    directory = directory_of("file/token");
    assert_rv(directory_make(directory, &reason), CKR_DEVICE_ERROR);
    assert_contains(reason.text, "file/token: cannot be made: Not a directory");
    assert_false(directory_writable(directory));
    directory_free(directory);
}

/* Root may all. */
static bool become_somebody(void)
{
    return geteuid() != 0 ||
           (setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0);
}

static int use_read_only(UNUSED void *argument)
{
    struct reason reason = {0};
    if (!become_somebody())
        return 77;
    struct directory *directory = open_directory("token");
    assert_false(directory_writable(directory));
    assert_files(directory, "a secret");
    assert_holds(directory, "a", "x");
    assert_rv(directory_lock(directory, &reason), CKR_TOKEN_WRITE_PROTECTED);
    assert_string_equal(reason.text, "token: cannot be locked: this user has no permission");
    assert_rv(directory_write(directory, "a", view_string("y"), &reason),
              CKR_TOKEN_WRITE_PROTECTED);
    assert_rv(directory_remove(directory, "a", &reason), CKR_TOKEN_WRITE_PROTECTED);
    assert_holds(directory, "a", "x");

    struct bytes content = {0};
    struct file_stamp stamp;
    assert_rv(directory_read(directory, "secret", &content, &stamp, &reason), CKR_DEVICE_ERROR);
    assert_string_equal(reason.text, "token/secret: cannot be read: this user has no permission");
    directory_free(directory);

    directory = directory_of("token/new/er");
    assert_false(directory_writable(directory));
    assert_rv(directory_make(directory, &reason), CKR_TOKEN_WRITE_PROTECTED);
    directory_free(directory);
    return 0;
}

static void a_read_only_directory_is_served_and_never_written(UNUSED void **state)
{
    run("mkdir token; printf x >token/a; echo x >token/secret; chmod 0444 token/a;"
        "chmod 0 token/secret; chmod 0555 token; chmod 0711 .");
    assert_int_equal(in_child(use_read_only, NULL), 0);
    assert_int_equal(count_names("token", "."), 2);
    run("chmod 0700 token");
}

static int see_nothing(UNUSED void *argument)
{
    struct reason reason = {0};
    bool changed;
    if (!become_somebody())
        return 77;
    struct directory *directory = directory_of("token");
    assert_rv(directory_refresh(directory, &changed, &reason), CKR_DEVICE_ERROR);
    assert_string_equal(reason.text, "token: cannot be read: this user has no permission");
    directory_free(directory);
    return 0;
}

static void a_directory_that_may_not_be_read_is_an_error(UNUSED void **state)
{
    run("mkdir token; chmod 0 token; chmod 0711 .");
    assert_int_equal(in_child(see_nothing, NULL), 0);
}

static void what_root_writes_is_the_owners(UNUSED void **state)
{
    struct stat status;
    if (geteuid() != 0)
        skip();
    run("mkdir token; chown 65534:65533 token");
    struct directory *directory = open_directory("token");
    write_text(directory, "a", "x");
    assert_int_equal(stat("token/a", &status), 0);
    assert_int_equal(status.st_uid, 65534);
    assert_int_equal(status.st_gid, 65533);
    assert_int_equal(stat("token/.lock", &status), 0);
    assert_int_equal(status.st_uid, 65534);
    directory_free(directory);
}

static int empty_directory(UNUSED void **state)
{
    return system("rm -rf -- ./* ./.[!.]*");
}

#define TEST(name) cmocka_unit_test_setup(name, empty_directory)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_file_is_read_with_its_stamp),
        TEST(a_file_may_be_read_before_it_is_listed),
        TEST(a_file_that_changes_meanwhile_is_read_again),
        TEST(what_is_not_there_cannot_be_read),
        TEST(a_file_that_is_too_large_is_listed_and_refused),
        TEST(what_is_written_is_there_at_once),
        TEST(a_list_is_not_needed_to_write),
        TEST(a_link_is_replaced_and_removed_itself),
        TEST(only_names_of_entries_can_be_written),
        TEST(files_are_for_their_owner_whatever_the_umask),
        TEST(a_directory_that_everybody_may_write_is_noticed),
        TEST(a_directory_is_made_where_there_is_none),
        TEST(a_read_only_directory_is_served_and_never_written),
        TEST(a_directory_that_may_not_be_read_is_an_error),
        TEST(what_root_writes_is_the_owners),
    };
    return in_directory(tests);
}
