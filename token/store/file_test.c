#include "token/base/test_support.h"

#include <limits.h>
#include <pwd.h>

#include "token/store/file.h"

static void a_file_is_read_whole(UNUSED void **state)
{
    struct bytes content;
    struct reason reason = {0};
    write_file("file", "what it holds\n");
    memset(&content, 0, sizeof(content));
    assert_ok(bytes_copy(&content, view_string("old")));
    assert_ok(store_read("file", 100, &content, &reason));
    assert_view(bytes_view(&content), "what it holds\n");
    bytes_free(&content);
}

static void a_secret_that_everybody_may_read_is_refused(UNUSED void **state)
{
    static const mode_t open_to_all[] = {0604, 0602, 0666};
    struct bytes content = {0};
    struct reason reason = {0};
    write_file("secret", "1234");
    assert_int_equal(chmod("secret", 0640), 0);
    assert_false(store_is_public("secret"));
    assert_false(store_is_public("missing"));
    assert_false(store_is_public("/"));
    assert_ok(store_read_private("secret", 100, &content, &reason));
    assert_view(bytes_view(&content), "1234");
    bytes_free(&content);
    for (size_t i = 0; i < ARRAY_SIZE(open_to_all); i++) {
        poison(content);
        assert_int_equal(chmod("secret", open_to_all[i]), 0);
        assert_int_equal(store_is_public("secret"), open_to_all[i] != 0602);
        assert_rv(store_read_private("secret", 100, &content, &reason), CKR_FUNCTION_FAILED);
        assert_poison(content);
        assert_contains(reason.text, "secret: holds a secret, and everybody may ");
        assert_contains(reason.text, "chmod o= secret");
    }
}

static void an_empty_file_is_empty(UNUSED void **state)
{
    struct bytes content = {0};
    struct reason reason = {0};
    write_file("empty", "");
    assert_ok(store_read("empty", 100, &content, &reason));
    assert_int_equal(content.size, 0);
    bytes_free(&content);
}

static void a_file_may_be_as_large_as_the_limit_and_no_larger(UNUSED void **state)
{
    static char text[40001];
    struct bytes content = {0};
    struct reason reason = {0};
    memset(text, 'x', sizeof(text) - 1);
    write_file("large", text);
    assert_ok(store_read("large", 40000, &content, &reason));
    assert_view(bytes_view(&content), text);
    bytes_free(&content);
    poison(content);
    assert_rv(store_read("large", 39999, &content, &reason), CKR_FUNCTION_FAILED);
    assert_poison(content);
    assert_string_equal(reason.text, "large: is larger than 39999 bytes");
}

static void a_file_without_end_is_refused_at_the_limit(UNUSED void **state)
{
    struct bytes content;
    struct reason reason = {0};
    poison(content);
    assert_rv(store_read("/dev/zero", 1000, &content, &reason), CKR_FUNCTION_FAILED);
    assert_poison(content);
    assert_contains(reason.text, "/dev/zero: is a device");
}

static void what_is_no_readable_file_is_told(UNUSED void **state)
{
    static const struct {
        const char *path;
        const char *reason;
    } rows[] = {
        {"missing", "missing: No such file"},
        {"file/below", "file/below: Not a directory"},
        {"folder", "folder: is a directory, not a file"},
        {"dangling", "dangling: No such file"},
        {"", "No such file"},
    };
    write_file("file", "x");
    assert_int_equal(mkdir("folder", 0700), 0);
    assert_int_equal(symlink("nowhere", "dangling"), 0);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct bytes content;
        struct reason reason = {0};
        poison(content);
        assert_rv(store_read(rows[i].path, 100, &content, &reason), CKR_FUNCTION_FAILED);
        assert_poison(content);
        assert_contains(reason.text, rows[i].reason);
    }
    unlink("dangling");
}

/* Root may read everything: it becomes somebody else first. */
static int read_forbidden(UNUSED void *nothing)
{
    struct bytes content;
    struct reason reason = {0};
    poison(content);
    if (geteuid() == 0 && seteuid(65534) != 0)
        return 1;
    if (store_read("secret", 100, &content, &reason) != CKR_FUNCTION_FAILED)
        return 2;
    if (!all_poison(&content, sizeof(content)))
        return 3;
    return strcmp(reason.text, "secret: Permission denied") == 0 ? 0 : 4;
}

static void a_file_without_permission_is_told(UNUSED void **state)
{
    write_file("secret", "x");
    assert_int_equal(chmod("secret", 0), 0);
    assert_int_equal(chmod(".", 0755), 0);
    assert_int_equal(in_child(read_forbidden, NULL), 0);
}

static void a_pipe_does_not_stop_the_reader(UNUSED void **state)
{
    struct bytes content;
    struct reason reason = {0};
    assert_int_equal(mkfifo("pipe", 0600), 0);
    poison(content);
    alarm(5);
    assert_rv(store_read("pipe", 100, &content, &reason), CKR_FUNCTION_FAILED);
    alarm(0);
    assert_poison(content);
    assert_contains(reason.text, "pipe: is a device or pipe");
}

static void a_symbolic_link_is_followed(UNUSED void **state)
{
    struct bytes content = {0};
    struct reason reason = {0};
    write_file("target", "content");
    assert_int_equal(symlink("target", "link"), 0);
    assert_ok(store_read("link", 100, &content, &reason));
    assert_view(bytes_view(&content), "content");
    bytes_free(&content);
}

static void whatever_stands_at_a_path_exists(UNUSED void **state)
{
    write_file("there", "");
    assert_int_equal(symlink("nowhere", "broken"), 0);
    assert_true(store_exists("there"));
    assert_true(store_exists("."));
    assert_true(store_exists("broken"));
    assert_false(store_exists("not there"));
    assert_false(store_exists(""));
}

static void assert_expands(const char *value, const char *directory, const char *expected)
{
    char *path = NULL;
    struct reason reason = {0};
    if (store_expand(value, directory, &path, &reason) != CKR_OK)
        fail_msg("%s: %s", value, reason.text);
    assert_string_equal(path, expected);
    free(path);
}

static void paths_are_expanded_as_documented(UNUSED void **state)
{
    static const struct {
        const char *value, *directory, *expected;
    } rows[] = {
        {"/a/b", "/etc", "/a/b"},
        {"a/b", "/etc", "/etc/a/b"},
        {"a/b", NULL, "a/b"},
        {"../b", "/etc", "/etc/../b"},
        {"~/key", "/etc", "/h/key"},
        {"~", "/etc", "/h"},
        {"%h/key", "/etc", "/h/key"},
        {"/x%h", "/etc", "/x/h"},
        {"100%%", "/etc", "/etc/100%"},
        {"%%h", NULL, "%h"},
        {"~user", "/etc", "/etc/~user"},
        {"a~", "/etc", "/etc/a~"},
        {"/a/~/b", "/etc", "/a/~/b"},
        {"~/%%u", NULL, "/h/%u"},
    };
    setenv("HOME", "/h", 1);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        assert_expands(rows[i].value, rows[i].directory, rows[i].expected);
    setenv("HOME", test_directory, 1);
}

static void user_and_home_come_from_the_system(UNUSED void **state)
{
    const struct passwd *user = getpwuid(geteuid());
    char expected[256];
    if (!user)
        skip();
    snprintf(expected, sizeof(expected), "/run/%s/key", user->pw_name);
    assert_expands("/run/%u/key", "/etc", expected);
    snprintf(expected, sizeof(expected), "%s/key", user->pw_dir);
    unsetenv("HOME");
    assert_expands("~/key", "/etc", expected);
    setenv("HOME", "", 1);
    assert_expands("%h/key", "/etc", expected);
    setenv("HOME", test_directory, 1);
}

static void unknown_percent_letters_are_refused(UNUSED void **state)
{
    static const char *const values[] = {"%x", "/a/%", "%H", "%hh%", "% "};
    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        char *path;
        struct reason reason = {0};
        poison(path);
        assert_rv(store_expand(values[i], "/etc", &path, &reason), CKR_FUNCTION_FAILED);
        assert_poison(path);
        assert_contains(reason.text, "use %h, %u or %%");
    }
}

static void an_endless_path_is_refused(UNUSED void **state)
{
    char value[5000];
    char *path;
    struct reason reason = {0};
    memset(value, 'x', sizeof(value));
    value[4095] = 0;
    assert_ok(store_expand(value, NULL, &path, &reason));
    assert_string_equal(path, value);
    free(path);
    value[4095] = 'x';
    value[4096] = 0;
    poison(path);
    assert_rv(store_expand(value, NULL, &path, &reason), CKR_FUNCTION_FAILED);
    assert_poison(path);
    assert_contains(reason.text, "longer than 4096");
}

static void the_directory_of_a_path_is_absolute(UNUSED void **state)
{
    static const struct {
        const char *path, *directory;
    } rows[] = {{"/etc/signet.conf", "/etc"},
                {"/signet.conf", "/"},
                {"signet.conf", ""},
                {"a/b/c", "a/b"},
                {"", ""},
                {"./x", ""}};
    char here[PATH_MAX], expected[2 * PATH_MAX];
    mkdir("a", 0700);
    mkdir("a/b", 0700);
    assert_non_null(getcwd(here, sizeof(here)));
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char *directory = NULL;
        assert_ok(store_directory(rows[i].path, &directory));
        bool absolute = rows[i].path[0] == '/';
        snprintf(expected, sizeof(expected), "%s%s%s", absolute ? "" : here,
                 absolute || !*rows[i].directory ? "" : "/", rows[i].directory);
        assert_string_equal(directory, expected);
        free(directory);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_read_whole),
        cmocka_unit_test(a_secret_that_everybody_may_read_is_refused),
        cmocka_unit_test(an_empty_file_is_empty),
        cmocka_unit_test(a_file_may_be_as_large_as_the_limit_and_no_larger),
        cmocka_unit_test(a_file_without_end_is_refused_at_the_limit),
        cmocka_unit_test(what_is_no_readable_file_is_told),
        cmocka_unit_test(a_file_without_permission_is_told),
        cmocka_unit_test(a_pipe_does_not_stop_the_reader),
        cmocka_unit_test(a_symbolic_link_is_followed),
        cmocka_unit_test(whatever_stands_at_a_path_exists),
        cmocka_unit_test(paths_are_expanded_as_documented),
        cmocka_unit_test(user_and_home_come_from_the_system),
        cmocka_unit_test(unknown_percent_letters_are_refused),
        cmocka_unit_test(an_endless_path_is_refused),
        cmocka_unit_test(the_directory_of_a_path_is_absolute),
    };
    return in_directory(tests);
}
