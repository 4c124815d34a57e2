#include "token/store/watch_support.h"

#include <sys/socket.h>
#include <sys/un.h>

/* What is noticed of a directory: with inotify, without, and before it is used. */

/* --- names -------------------------------------------------------------------- */

static void a_directory_that_does_not_exist_is_empty(UNUSED void **state)
{
    struct directory *directory = directory_of("there/token");
    directory->looked = lazy ? 0 : 1000000;
    assert_false(directory_exists(directory));
    assert_false(refresh(directory));
    assert_false(directory_exists(directory));
    assert_int_equal(directory_count(directory), 0);
    assert_null(directory_find(directory, "a"));
    make_directory("there");
    assert_false(refresh(directory));
    make_directory("there/token");
    refresh(directory);
    assert_true(directory_exists(directory));
    write_file("there/token/a", "1");
    assert_true(refresh(directory));
    assert_files(directory, "a");
    run("rm -r there");
    assert_true(refresh(directory));
    assert_false(directory_exists(directory));
    assert_files(directory, "");
    directory_free(directory);
    directory_free(NULL);
}

static void make_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int file = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    assert_int_equal(bind(file, (struct sockaddr *)&address, sizeof(address)), 0);
    close(file);
}

static void what_is_no_entry_is_not_listed(UNUSED void **state)
{
    static const char *const others[] = {
        "token/.hidden", "token/.index", "token/.a.1.0123456789abcdef.tmp",
        "token/a~",      "token/a.tmp",  "token/a.bak",
        "token/a.swp",   "token/#a#",    "token/\xe4",
        "token/a\nb",    "token/a\x7f",  "token/\xc2\x80",
    };
    make_directory("token");
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        write_file(others[i], "x");
    make_directory("token/directory");
    assert_int_equal(mkfifo("token/pipe", 0600), 0);
    make_socket("token/socket");
    assert_int_equal(symlink("directory", "token/to-directory"), 0);
    assert_int_equal(symlink("pipe", "token/to-pipe"), 0);
    assert_int_equal(symlink("to-itself", "token/to-itself"), 0);
    assert_int_equal(symlink("missing", "token/to-nothing"), 0);
    write_file("token/b", "x");
    write_file("token/#a", "x");
    write_file("token/~a", "x");
    write_file("token/\xc3\xa4 b.pem", "x");
    struct directory *directory = open_seen("token");
    assert_files(directory, "#a b ~a \xc3\xa4 b.pem");
    assert_null(directory_find(directory, "to-nothing"));
    assert_null(directory_find(directory, ".hidden"));
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        write_file(others[i], "y");
        refresh(directory);
    }
    assert_files(directory, "#a b ~a \xc3\xa4 b.pem");
    directory_free(directory);
}

static void names_are_in_their_order_and_found(UNUSED void **state)
{
    char path[64];
    make_directory("token");
    for (int i = 0; i < 300; i++) {
        snprintf(path, sizeof(path), "token/%d", i * 7919 % 300);
        write_file(path, "x");
    }
    struct directory *directory = open_seen("token");
    assert_int_equal(directory_count(directory), 300);
    for (size_t i = 1; i < 300; i++)
        assert_true(strcmp(directory_at(directory, i - 1)->name, directory_at(directory, i)->name) <
                    0);
    for (int i = 0; i < 300; i++) {
        snprintf(path, sizeof(path), "%d", i);
        assert_string_equal(directory_find(directory, path)->name, path);
    }
    assert_null(directory_find(directory, "300"));
    assert_null(directory_find(directory, ""));
    directory_free(directory);
}

/* --- changes ------------------------------------------------------------------ */

static const struct {
    const char *command;
    const char *files;
    const char *same;  /* file that keeps its version */
    const char *other; /* and one that does not */
} changes[] = {
    {"echo c >token/c", "a b c", "a b", "c"},
    {"echo more >>token/a", "a b c", "b c", "a"},
    {"echo new >token/b", "a b c", "a c", "b"},
    {"printf x | dd of=token/b bs=1 seek=1 conv=notrunc", "a b c", "a c", "b"},
    {"rm token/c", "a b", "a b", ""},
    {"mv token/b token/d", "a d", "a", "d"},
    {"mv token/d token/a", "a", "", "a"},
    {"echo x >x && mv x token/a", "a", "", "a"},
    {"echo y >y && cp -p y token/a", "a", "", "a"},
    {"ln -s ../y token/l", "a l", "a", "l"},
    {"echo z >y", "a l", "a", "l"},
    {"echo w >w && mv w y", "a l", "a", "l"},
    {"echo z >z && ln -sfn ../z token/l", "a l", "a", "l"},
    {"rm z", "a", "a", ""},
    {"echo z >z", "a l", "a", "l"},
    {"rm token/l && echo l >token/l", "a l", "a", "l"},
    {"rm token/l && mkdir token/l", "a", "a", ""},
    {"rmdir token/l && mv token/a token/.a", "", "", ""},
    {"mv token/.a token/a", "a", "", "a"},
    {"chmod 0400 token/a", "a", "", "a"},
    {"mv token/a token/a~; echo a >token/a", "a", "", "a"},
    {"mv token old && mkdir token && echo a >token/a", "a", "", "a"},
    {"rm -r token && mkdir token && echo b >token/b", "b", "", "b"},
    {"rm -r token", "", "", ""},
    {"mkdir token; echo a >token/a; echo b >token/b", "a b", "", "a b"},
    {"mv token new && ln -s new token && echo c >token/c", "a b c", "a b", "c"},
    {"mkdir third && echo c >third/c && ln -sfn third token", "c", "", "c"},
};

/* Versions by the letter that a name begins with. */
static void note_versions(const struct directory *directory, uint64_t versions[128])
{
    memset(versions, 0, 128 * sizeof(versions[0]));
    for (size_t i = 0; i < directory_count(directory); i++) {
        const struct directory_file *file = directory_at(directory, i);
        versions[(unsigned char)file->name[0] % 128] = file->version;
    }
}

static void every_change_is_noticed(UNUSED void **state)
{
    uint64_t before[128], after[128];
    run("mkdir token && echo a >token/a && echo b >token/b");
    struct directory *directory = open_seen("token");
    for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
        /* When all is listed anew, what is recent is thought to have changed. */
        let_settle();
        refresh(directory);
        note_versions(directory, before);
        run(changes[i].command);
        bool changed = refresh(directory);
        note_versions(directory, after);
        print_message("%s\n", changes[i].command);
        assert_true(changed);
        assert_files(directory, changes[i].files);
        for (const char *c = changes[i].same; *c; c++)
            assert_int_equal(after[(int)*c], before[(int)*c]);
        for (const char *c = changes[i].other; *c; c++)
            if (*c != ' ')
                assert_true(after[(int)*c] > before[(int)*c]);
    }
    directory_free(directory);
}

static void changes_within_a_tick_of_the_clock_are_noticed(UNUSED void **state)
{
    make_directory("token");
    write_file("token/a", "one");
    coarse = true;
    struct directory *directory = open_seen("token");
    for (int i = 0; i < 20; i++) {
        uint64_t before = version_of(directory, "a");
        write_file("token/a", i % 2 ? "one" : "two");
        assert_true(refresh(directory));
        assert_true(version_of(directory, "a") > before);
    }
    for (int i = 0; i < 20; i++) {
        uint64_t before = version_of(directory, "a");
        write_file("token/b", i % 2 ? "one" : "two");
        assert_int_equal(rename("token/b", "token/a"), 0);
        assert_true(refresh(directory));
        assert_files(directory, "a");
        assert_true(version_of(directory, "a") > before);
    }
    for (int i = 0; i < 20; i++) {
        write_file("token/b", "x");
        refresh(directory);
        assert_files(directory, "a b");
        assert_int_equal(unlink("token/b"), 0);
        refresh(directory);
        assert_files(directory, "a");
    }
    directory_free(directory);
}

static void a_file_that_stays_open_is_noticed(UNUSED void **state)
{
    run("mkdir token; printf one >token/a");
    struct directory *directory = open_seen("token");
    int file = open("token/a", O_WRONLY | O_CLOEXEC);
    assert_true(file >= 0);
    coarse = true;
    for (int i = 0; i < 5; i++) {
        refresh(directory);
        uint64_t before = version_of(directory, "a");
        assert_int_equal(pwrite(file, i % 2 ? "one" : "two", 3, 0), 3);
        assert_true(refresh(directory));
        assert_true(version_of(directory, "a") > before);
    }
    close(file);
    directory_free(directory);
}

static void the_target_of_a_link_changes_within_a_tick(UNUSED void **state)
{
    make_directory("token");
    write_file("target", "one");
    assert_int_equal(symlink("../target", "token/a"), 0);
    coarse = true;
    struct directory *directory = open_seen("token");
    for (int i = 0; i < 20; i++) {
        uint64_t before = version_of(directory, "a");
        write_file("target", i % 2 ? "one" : "two");
        assert_true(refresh(directory));
        assert_true(version_of(directory, "a") > before);
    }
    directory_free(directory);
}

/* In the middle of looking at all. */
static void a_link_loses_its_target_beside_other_changes(UNUSED void **state)
{
    run("mkdir token; echo x >x; for i in 1 3 5; do ln -s ../x token/$i; done;"
        "for i in 2 4 6; do echo $i >token/$i; done");
    let_settle();
    struct directory *directory = open_seen("token");
    uint64_t before[3];
    for (int i = 0; i < 3; i++)
        before[i] = version_of(directory, i == 0 ? "2" : i == 1 ? "4" : "6");
    run("rm x; for i in 2 4 6; do echo more >>token/$i; done");
    assert_true(refresh(directory));
    assert_files(directory, "2 4 6");
    for (int i = 0; i < 3; i++)
        assert_true(version_of(directory, i == 0 ? "2" : i == 1 ? "4" : "6") > before[i]);
    directory_free(directory);
}

static void a_file_becomes_a_link_in_one_step(UNUSED void **state)
{
    run("mkdir token; echo a >token/a; echo x >x; ln -s ../x l");
    struct directory *directory = open_seen("token");
    refresh(directory);
    run("mv l token/a");
    assert_true(refresh(directory));
    uint64_t before = version_of(directory, "a");
    run("echo more >>x");
    assert_true(refresh(directory));
    assert_true(version_of(directory, "a") > before);
    directory_free(directory);
}

static void a_file_changes_under_another_of_its_names(UNUSED void **state)
{
    make_directory("token");
    write_file("token/a", "x");
    assert_int_equal(link("token/a", "other"), 0);
    struct directory *directory = open_seen("token");
    uint64_t before = version_of(directory, "a");
    write_file("other", "more");
    assert_true(refresh(directory));
    assert_true(version_of(directory, "a") > before);
    directory_free(directory);
}

static void nothing_new_is_no_change(UNUSED void **state)
{
    make_directory("token");
    write_file("token/a", "x");
    write_file("target", "x");
    assert_int_equal(symlink("../target", "token/b"), 0);
    assert_int_equal(symlink("nothing", "token/c"), 0);
    let_settle();
    struct directory *directory = open_seen("token");
    uint64_t before = version_of(directory, "a");
    for (int i = 0; i < 10; i++)
        assert_false(refresh(directory));
    run("cat token/a; ls token; touch token/.x; rm token/.x; touch -a token/.");
    assert_false(refresh(directory));
    assert_int_equal(version_of(directory, "a"), before);
    directory_free(directory);
}

static void what_is_no_directory_is_told(UNUSED void **state)
{
    struct reason reason = {0};
    bool changed;
    write_file("file", "x");
    struct directory *directory = directory_of("file");
    poison(changed);
    assert_rv(directory_refresh(directory, &changed, &reason), CKR_DEVICE_ERROR);
    assert_poison(changed);
    assert_contains(reason.text, "file: cannot be read: Not a directory");
    directory_free(directory);
    directory = directory_of("file/token");
    assert_rv(directory_refresh(directory, &changed, &reason), CKR_DEVICE_ERROR);
    directory_free(directory);
}

static void an_error_leaves_the_list_and_passes(UNUSED void **state)
{
    struct reason reason = {0};
    bool changed;
    run("mkdir token; echo a >token/a");
    struct directory *directory = open_seen("token");
    run("mv token good; echo x >token");
    assert_rv(directory_refresh(directory, &changed, &reason), CKR_DEVICE_ERROR);
    assert_files(directory, "a");
    run("rm token; echo b >good/b; mv good token");
    assert_true(refresh(directory));
    assert_files(directory, "a b");
    directory_free(directory);
}

static int see_in_child(void *argument)
{
    struct directory *directory = argument;
    bool changed = false;
    write_file("token/child", "x");
    if (directory_refresh(directory, &changed, NULL) != CKR_OK || !changed ||
        directory_count(directory) != 3)
        return 1;
    directory_free(directory);
    return 0;
}

static void a_child_has_its_own_eyes(UNUSED void **state)
{
    run("mkdir token; echo a >token/a");
    struct directory *directory = open_seen("token");
    write_file("token/b", "x");
    assert_int_equal(in_child(see_in_child, directory), 0);
    assert_true(refresh(directory));
    assert_files(directory, "a b child");
    write_file("token/c", "x");
    assert_true(refresh(directory));
    assert_files(directory, "a b c child");
    directory_free(directory);
}

static void a_change_after_an_own_one_is_news(UNUSED void **state)
{
    make_directory("token");
    struct directory *directory = open_seen("token");
    for (int i = 0; i < 20; i++) {
        write_text(directory, "a", "one");
        uint64_t own = version_of(directory, "a");
        write_file("token/a", "two");
        assert_true(refresh(directory));
        assert_true(version_of(directory, "a") > own);
        assert_holds(directory, "a", "two");
    }
    directory_free(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_directory_that_does_not_exist_is_empty),
        TEST(what_is_no_entry_is_not_listed),
        TEST(names_are_in_their_order_and_found),
        TEST(every_change_is_noticed),
        TEST(changes_within_a_tick_of_the_clock_are_noticed),
        TEST(a_file_that_stays_open_is_noticed),
        TEST(the_target_of_a_link_changes_within_a_tick),
        TEST(a_link_loses_its_target_beside_other_changes),
        TEST(a_file_becomes_a_link_in_one_step),
        TEST(a_file_changes_under_another_of_its_names),
        TEST(nothing_new_is_no_change),
        TEST(what_is_no_directory_is_told),
        TEST(an_error_leaves_the_list_and_passes),
        TEST(a_child_has_its_own_eyes),
        TEST(a_change_after_an_own_one_is_news),
    };
    return cmocka_run_group_tests(tests, with_inotify, leave_directory) +
           cmocka_run_group_tests(tests, without_inotify, leave_directory) +
           cmocka_run_group_tests(tests, at_first, leave_directory);
}
