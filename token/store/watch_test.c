#include "token/store/watch_support.h"

/* How little is looked at, with inotify, without, and before it is used; and whose a
 * descriptor is. */

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
    return cmocka_run_group_tests(watched, with_inotify, leave_directory) +
           cmocka_run_group_tests(unwatched, without_inotify, leave_directory) +
           cmocka_run_group_tests(unwatched, on_a_network, leave_directory) +
           cmocka_run_group_tests(first, at_first, leave_directory);
}
