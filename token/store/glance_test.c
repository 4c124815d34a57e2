/* A glance at single files: what it tells, and that it looks at no others. */
#include "token/store/test_support.h"

static const char *const names[] = {"token", "tries"};

static void glance(struct directory *directory)
{
    struct reason reason = {0};
    if (directory_glance(directory, names, ARRAY_SIZE(names), &reason) != CKR_OK)
        fail_msg("%s", reason.text);
}

static uint64_t seen(const struct directory *directory, const char *name)
{
    const struct directory_file *file = directory_find(directory, name);
    return file ? file->version : 0;
}

static void a_glance_sees_the_named_files_alone(UNUSED void **state)
{
    struct directory *directory = NULL;
    bool changed = false;
    assert_ok(directory_new("there", &directory));
    glance(directory);
    assert_false(directory_exists(directory));
    assert_int_equal(mkdir("there", 0700), 0);
    write_file("there/token", "1");
    write_file("there/other", "1");
    glance(directory);
    assert_true(directory_exists(directory));
    assert_true(seen(directory, "token") != 0);
    assert_int_equal(seen(directory, "tries"), 0);
    assert_int_equal(directory_count(directory), 1);
    assert_ok(directory_refresh(directory, &changed, NULL));
    assert_true(changed);
    assert_int_equal(directory_count(directory), 2);
    directory_free(directory);
}

static void a_glance_notices_what_became_of_them(UNUSED void **state)
{
    struct directory *directory = NULL;
    bool changed = false;
    assert_int_equal(mkdir("there", 0700), 0);
    write_file("there/token", "1");
    write_file("there/other", "1");
    assert_ok(directory_new("there", &directory));
    assert_ok(directory_refresh(directory, &changed, NULL));
    uint64_t before = seen(directory, "token");
    write_file("there/token", "another");
    write_file("there/tries", "1");
    glance(directory);
    assert_true(seen(directory, "token") > before);
    assert_true(seen(directory, "tries") != 0);
    assert_int_equal(unlink("there/token"), 0);
    glance(directory);
    assert_int_equal(seen(directory, "token"), 0);
    /* The others are as they were, and what was seen is still news to the list. */
    assert_int_equal(directory_count(directory), 2);
    assert_ok(directory_refresh(directory, &changed, NULL));
    assert_true(changed);
    run("rm -r there");
    glance(directory);
    assert_false(directory_exists(directory));
    assert_int_equal(directory_count(directory), 0);
    directory_free(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_glance_sees_the_named_files_alone, enter_directory,
                                        leave_directory),
        cmocka_unit_test_setup_teardown(a_glance_notices_what_became_of_them, enter_directory,
                                        leave_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
