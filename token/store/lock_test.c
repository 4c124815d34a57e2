#include "token/store/test_support.h"

#include <pthread.h>
#include <signal.h>
#include <sys/file.h>

#define WRITERS 3
#define TIMES 25

/* Adds one to the number in "count", as whoever changes a file does. */
static bool count_up(struct directory *directory)
{
    struct bytes content = {0};
    struct file_stamp stamp;
    char text[24] = "0";
    if (directory_lock(directory, NULL) != CKR_OK)
        return false;
    CK_RV rv = directory_read(directory, "count", &content, &stamp, NULL);
    if (rv == CKR_OK)
        memcpy(text, content.data, content.size < 20 ? content.size : 20);
    snprintf(text, sizeof(text), "%d", atoi(text) + 1);
    rv = directory_write(directory, "count", view_string(text), NULL);
    directory_unlock(directory);
    bytes_free(&content);
    return rv == CKR_OK;
}

static void *count_often(void *argument)
{
    struct directory *directory = NULL;
    bool *ok = argument;
    *ok = directory_new("token", &directory) == CKR_OK;
    for (int i = 0; *ok && i < TIMES; i++)
        *ok = count_up(directory);
    directory_free(directory);
    return NULL;
}

static int write_in_threads(UNUSED void *argument)
{
    pthread_t threads[WRITERS];
    bool ok[WRITERS];
    int failed = 0;
    for (int i = 0; i < WRITERS; i++)
        pthread_create(&threads[i], NULL, count_often, &ok[i]);
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], NULL);
        failed += !ok[i];
    }
    return failed;
}

static void no_update_is_lost(UNUSED void **state)
{
    run("rm -rf token; mkdir token");
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(write_in_threads(NULL));
    int status = -1;
    assert_int_equal(write_in_threads(NULL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    struct directory *directory = open_directory("token");
    char expected[16];
    snprintf(expected, sizeof(expected), "%d", 2 * WRITERS * TIMES);
    assert_holds(directory, "count", expected);
    assert_files(directory, "count");
    directory_free(directory);
}

/* Could another take the lock now? */
static bool is_free(void)
{
    int file = open("token/.lock", O_RDWR);
    assert_true(file >= 0);
    bool taken = flock(file, LOCK_EX | LOCK_NB) == 0;
    close(file);
    return taken;
}

static void the_lock_file_is_made_by_writers_alone(UNUSED void **state)
{
    struct stat status;
    run("rm -rf token; mkdir token; echo x >token/a");
    struct directory *directory = open_directory("token");
    assert_holds(directory, "a", "x\n");
    refresh(directory);
    assert_int_equal(count_names("token", ".lock"), 0);
    assert_ok(directory_lock(directory, NULL));
    assert_int_equal(stat("token/.lock", &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_false(is_free());
    directory_unlock(directory);
    assert_true(is_free());
    directory_unlock(directory);
    directory_free(directory);
}

static void it_is_free_after_a_write_and_after_the_end(UNUSED void **state)
{
    struct directory *directory = open_directory("token");
    write_text(directory, "a", "x");
    assert_true(is_free());
    assert_ok(directory_lock(directory, NULL));
    write_text(directory, "a", "y");
    assert_false(is_free());
    directory_free(directory);
    assert_true(is_free());
}

static void locking_twice_is_refused(UNUSED void **state)
{
    struct reason reason = {0};
    struct directory *directory = open_directory("token");
    assert_ok(directory_lock(directory, NULL));
    assert_rv(directory_lock(directory, &reason), CKR_DEVICE_ERROR);
    assert_contains(reason.text, "token: is locked already");
    assert_false(is_free());
    directory_free(directory);
}

static void what_cannot_be_locked_is_told(UNUSED void **state)
{
    struct reason reason = {0};
    struct directory *directory = directory_of("missing");
    assert_rv(directory_lock(directory, &reason), CKR_DEVICE_ERROR);
    assert_contains(reason.text, "missing: cannot be locked: No such file");
    directory_free(directory);
    run("rm -rf odd; mkdir odd; ln -s ../elsewhere odd/.lock");
    directory = directory_of("odd");
    assert_rv(directory_lock(directory, &reason), CKR_DEVICE_ERROR);
    assert_int_equal(count_names(".", "elsewhere"), 0);
    write_file("elsewhere", "x");
    assert_rv(directory_lock(directory, &reason), CKR_DEVICE_ERROR);
    directory_free(directory);
}

/* Says when it begins to wait and when it has the lock. */
static pid_t start_waiter(int *ret_ready, int *ret_locked)
{
    int ready[2], locked[2];
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(locked), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        struct directory *directory = NULL;
        CK_RV rv = directory_new("token", &directory);
        if (write(ready[1], "", 1) != 1 || rv != CKR_OK ||
            directory_lock(directory, NULL) != CKR_OK || write(locked[1], "", 1) != 1)
            _exit(1);
        _exit(directory_write(directory, "waiter", view_string("x"), NULL) == CKR_OK ? 0 : 1);
    }
    close(ready[1]);
    close(locked[1]);
    *ret_ready = ready[0];
    *ret_locked = locked[0];
    return child;
}

static bool says(int from, bool wait)
{
    char byte;
    if (!wait)
        fcntl(from, F_SETFL, O_NONBLOCK);
    bool said = read(from, &byte, 1) == 1;
    fcntl(from, F_SETFL, 0);
    return said;
}

static void end_waiter(pid_t child, int ready, int locked)
{
    int status = -1;
    assert_true(says(locked, true));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    close(ready);
    close(locked);
}

/* Till the child sleeps in flock, as well as that can be told. */
static void let_it_wait(pid_t child)
{
    char path[64], line[64] = "";
    snprintf(path, sizeof(path), "/proc/%d/wchan", (int)child);
    for (int i = 0; i < 200 && !strstr(line, "flock") && !strstr(line, "lock_inode"); i++) {
        usleep(1000);
        FILE *file = fopen(path, "r");
        size_t got = file ? fread(line, 1, sizeof(line) - 1, file) : 0;
        line[got] = 0;
        if (file)
            fclose(file);
    }
}

static void a_removed_lock_file_locks_out_nobody(UNUSED void **state)
{
    int ready, locked;
    struct directory *one = open_directory("token"), *two = open_directory("token");
    assert_ok(directory_lock(one, NULL));
    pid_t child = start_waiter(&ready, &locked);
    assert_true(says(ready, true));
    let_it_wait(child);
    assert_int_equal(unlink("token/.lock"), 0);
    assert_ok(directory_lock(two, NULL));
    directory_unlock(one);
    let_it_wait(child);
    assert_false(says(locked, false));
    directory_unlock(two);
    end_waiter(child, ready, locked);
    directory_free(one);
    directory_free(two);
}

static void a_writer_whose_directory_was_replaced_stops(UNUSED void **state)
{
    struct reason reason = {0};
    run("rm -rf token; mkdir token");
    struct directory *directory = open_directory("token");
    assert_ok(directory_lock(directory, NULL));
    run("mv token old; mkdir token");
    assert_rv(directory_write(directory, "a", view_string("x"), &reason), CKR_DEVICE_ERROR);
    assert_contains(reason.text, "was replaced while it was locked");
    directory_unlock(directory);
    write_text(directory, "a", "x");
    assert_holds(directory, "a", "x");
    directory_free(directory);
}

static int unlock_in_child(void *argument)
{
    struct directory *directory = argument;
    directory_unlock(directory);
    return 0;
}

static int free_in_child(void *argument)
{
    struct directory *directory = argument;
    directory_free(directory);
    return 0;
}

static int lock_in_child(void *argument)
{
    struct directory *directory = argument;
    bool taken;
    return directory_is_locked(directory) || directory_lock_try(directory, &taken);
}

static void a_childs_copy_is_not_the_lock(UNUSED void **state)
{
    struct directory *directory = open_directory("token");
    assert_ok(directory_lock(directory, NULL));
    assert_int_equal(in_child(unlock_in_child, directory), 0);
    assert_false(is_free());
    assert_int_equal(in_child(free_in_child, directory), 0);
    assert_false(is_free());
    assert_int_equal(in_child(lock_in_child, directory), 0);
    write_text(directory, "a", "x");
    directory_unlock(directory);
    directory_free(directory);
}

static int wait_for_end(void *argument)
{
    const int *pipe_end = argument;
    char byte;
    return (int)read(*pipe_end, &byte, 1);
}

static void a_child_that_lives_on_does_not_keep_it(UNUSED void **state)
{
    int ends[2], status;
    struct directory *directory = open_directory("token");
    assert_int_equal(pipe(ends), 0);
    assert_ok(directory_lock(directory, NULL));
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        close(ends[1]);
        _exit(wait_for_end(&ends[0]));
    }
    directory_unlock(directory);
    assert_true(is_free());
    directory_free(directory);
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(waitpid(child, &status, 0), child);
}

static void ignore(UNUSED int number)
{
}

static void a_signal_does_not_end_the_waiting(UNUSED void **state)
{
    int ready, locked;
    const struct sigaction action = {.sa_handler = ignore};
    struct directory *directory = open_directory("token");
    assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
    assert_ok(directory_lock(directory, NULL));
    pid_t child = start_waiter(&ready, &locked);
    assert_true(says(ready, true));
    for (int i = 0; i < 3; i++) {
        let_it_wait(child);
        kill(child, SIGUSR1);
    }
    let_it_wait(child);
    assert_false(says(locked, false));
    directory_unlock(directory);
    end_waiter(child, ready, locked);
    directory_free(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_update_is_lost),
        cmocka_unit_test(the_lock_file_is_made_by_writers_alone),
        cmocka_unit_test(it_is_free_after_a_write_and_after_the_end),
        cmocka_unit_test(locking_twice_is_refused),
        cmocka_unit_test(what_cannot_be_locked_is_told),
        cmocka_unit_test(a_removed_lock_file_locks_out_nobody),
        cmocka_unit_test(a_writer_whose_directory_was_replaced_stops),
        cmocka_unit_test(a_childs_copy_is_not_the_lock),
        cmocka_unit_test(a_child_that_lives_on_does_not_keep_it),
        cmocka_unit_test(a_signal_does_not_end_the_waiting),
    };
    return in_directory(tests);
}
