#include "token/store/watch_support.h"

#include <sys/socket.h>
#include <sys/un.h>

/* What is noticed of a directory, with inotify and without. */

static bool lazy;

static struct directory *open_seen(const char *path)
{
    struct directory *directory = directory_of(path);
    directory->looked = lazy ? 0 : 1000000;
    refresh(directory);
    return directory;
}

static int with_inotify(void **state)
{
    no_inotify = is_network = lazy = false;
    return enter_directory(state);
}

static int without_inotify(void **state)
{
    int result = with_inotify(state);
    no_inotify = true;
    return result;
}

static int on_a_network(void **state)
{
    int result = with_inotify(state);
    is_network = true;
    return result;
}

static int at_first(void **state)
{
    int result = with_inotify(state);
    lazy = true;
    return result;
}

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

static void make_files(const char *format, int count)
{
    char path[64];
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof(path), format, i);
        write_file(path, "x");
    }
}

static void many_changes_at_once_are_noticed(UNUSED void **state)
{
    make_directory("token");
    write_file("token/a", "x");
    struct directory *directory = open_seen("token");
    make_files("token/n%d", 1100);
    assert_int_equal(unlink("token/a"), 0);
    assert_true(refresh(directory));
    assert_int_equal(directory_count(directory), 1100);
    assert_non_null(directory_find(directory, "n1099"));
    assert_null(directory_find(directory, "a"));
    run("rm token/n1*");
    assert_true(refresh(directory));
    assert_int_equal(directory_count(directory), 1100 - 211);
    refresh(directory);
    assert_int_equal(directory_count(directory), 1100 - 211);
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

/* --- with inotify ------------------------------------------------------------- */

static void only_what_was_named_is_looked_at(UNUSED void **state)
{
    run("mkdir token; cd token; for i in 1 2 3 4 5 6 7 8 9; do echo x >$i; done");
    struct directory *directory = open_seen("token");
    assert_true(looks >= 9);
    looks = 0;
    for (int i = 0; i < 100; i++)
        assert_false(refresh(directory));
    assert_int_equal(looks, 0);
    run("echo x >token/.hidden; echo x >token/x~; rm token/x~");
    assert_false(refresh(directory));
    assert_int_equal(looks, 0);
    write_file("token/5", "more");
    assert_true(refresh(directory));
    assert_in_range(looks, 1, 3);
    looks = 0;
    assert_int_equal(unlink("token/7"), 0);
    assert_true(refresh(directory));
    assert_int_equal(looks, 1);
    directory_free(directory);
}

static void a_link_is_looked_at_each_time(UNUSED void **state)
{
    run("mkdir token; echo x >target; ln -s ../target token/l; ln -s nothing token/n;"
        "echo x >token/a");
    struct directory *directory = open_seen("token");
    let_settle();
    refresh(directory);
    looks = 0;
    assert_false(refresh(directory));
    assert_int_equal(looks, 2);
    assert_int_equal(unlink("token/l"), 0);
    assert_int_equal(unlink("token/n"), 0);
    assert_true(refresh(directory));
    looks = 0;
    assert_false(refresh(directory));
    assert_int_equal(looks, 0);
    directory_free(directory);
}

static unsigned open_files(void)
{
    return count_names("/proc/self/fd", "");
}

/* The application closes what it does not know, and has a pipe there. */
static void a_descriptor_that_became_somebody_elses_is_left_alone(UNUSED void **state)
{
    int pipe_ends[2];
    char text[8] = "";
    run("mkdir token; echo a >token/a");
    struct directory *directory = open_seen("token");
    int number = directory->watch.descriptor.number;
    int mark = fcntl(number, F_GETSIG);
    assert_int_equal(pipe2(pipe_ends, O_NONBLOCK), 0);
    assert_int_equal(write(pipe_ends[1], "mine", 4), 4);
    assert_int_equal(dup2(pipe_ends[0], number), number);
    /* Even if it had our mark. */
    fcntl(number, F_SETSIG, mark);
    write_file("token/b", "x");
    assert_true(refresh(directory));
    assert_files(directory, "a b");
    assert_int_equal(read(number, text, sizeof(text)), 4);
    assert_string_equal(text, "mine");
    write_file("token/c", "x");
    assert_true(refresh(directory));
    assert_files(directory, "a b c");
    looks = 0;
    assert_false(refresh(directory));
    assert_int_equal(looks, 0);
    directory_free(directory);
    assert_true(fcntl(number, F_GETFD) >= 0);
    close(number);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}

/* The next of our own gets the number: both are inotify's, and marked. */
static void a_descriptor_that_became_anothers_of_ours_is_left_alone(UNUSED void **state)
{
    run("mkdir one two; echo a >one/a; echo b >two/b");
    struct directory *one = open_seen("one");
    close(one->watch.descriptor.number);
    struct directory *two = open_seen("two");
    assert_int_equal(two->watch.descriptor.number, one->watch.descriptor.number);
    run("echo c >one/c; echo d >two/d");
    assert_true(refresh(one));
    assert_files(one, "a c");
    assert_true(refresh(two));
    assert_files(two, "b d");
    directory_free(one);
    run("echo e >two/e");
    looks = 0;
    assert_true(refresh(two));
    assert_files(two, "b d e");
    assert_in_range(looks, 1, 3);
    directory_free(two);
}

static void an_application_that_always_closes_it_is_served_without(UNUSED void **state)
{
    char path[32];
    make_directory("token");
    struct directory *directory = open_seen("token");
    for (int i = 0; i < 12; i++) {
        if (directory->watch.descriptor.open)
            close(directory->watch.descriptor.number);
        snprintf(path, sizeof(path), "token/%d", i);
        write_file(path, "x");
        assert_true(refresh(directory));
        assert_int_equal(directory_count(directory), i + 1);
    }
    assert_false(directory->watch.descriptor.open);
    directory_free(directory);
}

static void nothing_is_left_open(UNUSED void **state)
{
    unsigned before = open_files();
    run("mkdir token; echo a >token/a");
    struct directory *directory = open_seen("token");
    assert_int_equal(open_files(), before + 1);
    for (int i = 0; i < 10; i++) {
        write_text(directory, "b", "x");
        assert_holds(directory, "b", "x");
        assert_ok(directory_remove(directory, "b", NULL));
        run("echo x >token/c; mv token old; mkdir token");
        refresh(directory);
        run("rm -r old");
    }
    assert_int_equal(open_files(), before + 1);
    directory_free(directory);
    assert_int_equal(open_files(), before);
}

static void own_changes_are_no_news(UNUSED void **state)
{
    make_directory("token");
    struct directory *directory = open_seen("token");
    uint64_t last = 0;
    for (int i = 0; i < 20; i++) {
        write_text(directory, "a", i % 2 ? "one" : "two");
        assert_true(version_of(directory, "a") > last);
        last = version_of(directory, "a");
        if (i % 3 == 0) {
            assert_false(refresh(directory));
            assert_int_equal(version_of(directory, "a"), last);
        }
    }
    assert_false(refresh(directory));
    assert_int_equal(version_of(directory, "a"), last);
    write_file("token/b", "x");
    assert_ok(directory_remove(directory, "a", NULL));
    assert_files(directory, "");
    assert_true(refresh(directory));
    assert_files(directory, "b");
    assert_ok(directory_remove(directory, "b", NULL));
    assert_false(refresh(directory));
    assert_files(directory, "");
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

/* A directory above it was exchanged: it hears nothing of that. */
static void another_directory_has_another_watch(UNUSED void **state)
{
    run("mkdir -p p/token q/token; echo a >p/token/a; echo a >q/token/a");
    struct directory *directory = open_seen("p/token");
    run("mv p r; mv q p");
    assert_true(refresh(directory));
    uint64_t before = version_of(directory, "a");
    write_file("p/token/a", "more");
    assert_true(refresh(directory));
    assert_true(version_of(directory, "a") > before);
    directory_free(directory);
}

static void a_directory_that_is_replaced_meanwhile_is_watched(UNUSED void **state)
{
    run("mkdir token; echo a >token/a");
    before_watch = "mv token old; mkdir token; echo b >token/b";
    struct directory *directory = open_seen("token");
    assert_files(directory, "b");
    uint64_t before = version_of(directory, "b");
    write_file("token/b", "more");
    assert_true(refresh(directory));
    assert_true(version_of(directory, "b") > before);
    directory_free(directory);
}

static void new_names_are_noticed_where_nothing_is_told(UNUSED void **state)
{
    run("mkdir token; echo a >token/a");
    deaf = true;
    struct directory *directory = open_seen("token");
    deaf = false;
    write_file("token/b", "x");
    assert_true(refresh(directory));
    assert_files(directory, "a b");
    directory_free(directory);
}

static void what_another_left_unfinished_is_removed_by_the_next(UNUSED void **state)
{
    run("mkdir token; echo a >token/a");
    struct directory *directory = open_seen("token");
    write_text(directory, "a", "x");
    assert_false(refresh(directory));
    write_file("token/.b.1.0123456789abcdef.tmp", "x");
    assert_false(refresh(directory));
    write_text(directory, "a", "y");
    assert_int_equal(count_names("token", ".b."), 0);
    directory_free(directory);
}

/* --- without ------------------------------------------------------------------ */

static void many_files_are_not_looked_at_all_the_time(UNUSED void **state)
{
    unsigned quiet = 0;
    make_directory("token");
    make_files("token/%d", 600);
    let_settle();
    struct directory *directory = open_seen("token");
    for (int i = 0; i < 100; i++) {
        looks = 0;
        assert_false(refresh(directory));
        quiet += looks == 0;
    }
    assert_in_range(quiet, 90, 100);
    write_file("token/5", "more");
    let_settle();
    assert_true(refresh(directory));
    directory_free(directory);
}

static void few_files_are_looked_at_each_time(UNUSED void **state)
{
    run("mkdir token; cd token; for i in 1 2 3 4 5; do echo x >$i; done");
    struct directory *directory = open_seen("token");
    let_settle();
    refresh(directory);
    looks = 0;
    assert_false(refresh(directory));
    assert_int_equal(looks, 5);
    directory_free(directory);
}

/* --- at first ----------------------------------------------------------------- */

static void a_watch_is_opened_when_it_pays(UNUSED void **state)
{
    make_directory("token");
    make_files("token/%d", 100);
    let_settle();
    struct directory *directory = open_seen("token");
    for (int i = 0; i < 150; i++)
        assert_false(refresh(directory));
    assert_false(directory->watch.descriptor.open);
    looks = 0;
    for (int i = 0; i < 20; i++)
        assert_false(refresh(directory));
    assert_true(directory->watch.descriptor.open);
    assert_true(looks > 0);
    looks = 0;
    assert_false(refresh(directory));
    assert_int_equal(looks, 0);
    directory_free(directory);
}

static void many_files_are_looked_at_each_time_at_first(UNUSED void **state)
{
    make_directory("token");
    make_files("token/%d", 600);
    let_settle();
    struct directory *directory = open_seen("token");
    for (int i = 0; i < 10; i++) {
        looks = 0;
        assert_false(refresh(directory));
        assert_int_equal(looks, 600);
    }
    directory_free(directory);
}

#define TEST(name) cmocka_unit_test_setup(name, empty_directory)

static int empty_directory(UNUSED void **state)
{
    coarse = false;
    ahead = 0;
    return system("rm -rf -- ./* ./.[!.]*");
}

static const struct CMUnitTest common[] = {
    TEST(a_directory_that_does_not_exist_is_empty),
    TEST(what_is_no_entry_is_not_listed),
    TEST(names_are_in_their_order_and_found),
    TEST(every_change_is_noticed),
    TEST(changes_within_a_tick_of_the_clock_are_noticed),
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

int main(void)
{
    const struct CMUnitTest watched[] = {
        TEST(only_what_was_named_is_looked_at),
        TEST(many_changes_at_once_are_noticed),
        TEST(a_link_is_looked_at_each_time),
        TEST(a_descriptor_that_became_somebody_elses_is_left_alone),
        TEST(a_descriptor_that_became_anothers_of_ours_is_left_alone),
        TEST(an_application_that_always_closes_it_is_served_without),
        TEST(nothing_is_left_open),
        TEST(own_changes_are_no_news),
        TEST(another_directory_has_another_watch),
        TEST(a_directory_that_is_replaced_meanwhile_is_watched),
        TEST(new_names_are_noticed_where_nothing_is_told),
        TEST(what_another_left_unfinished_is_removed_by_the_next),
    };
    const struct CMUnitTest unwatched[] = {
        TEST(many_files_are_not_looked_at_all_the_time),
        TEST(few_files_are_looked_at_each_time),
    };
    const struct CMUnitTest first[] = {
        TEST(a_watch_is_opened_when_it_pays),
        TEST(many_files_are_looked_at_each_time_at_first),
        TEST(few_files_are_looked_at_each_time),
    };
    return cmocka_run_group_tests(common, with_inotify, leave_directory) +
           cmocka_run_group_tests(watched, with_inotify, leave_directory) +
           cmocka_run_group_tests(common, without_inotify, leave_directory) +
           cmocka_run_group_tests(unwatched, without_inotify, leave_directory) +
           cmocka_run_group_tests(unwatched, on_a_network, leave_directory) +
           cmocka_run_group_tests(common, at_first, leave_directory) +
           cmocka_run_group_tests(first, at_first, leave_directory);
}
