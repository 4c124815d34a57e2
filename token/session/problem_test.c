#include "token/base/test_support.h"

#include "token/session/problem.h"

static void add(struct problems *problems, const char *file, const char *text)
{
    struct reason reason = {.line = 7};
    reason_set(&reason, "%s", text);
    problems_add(problems, file, &reason);
}

static void each_file_has_its_latest_problem(void **state)
{
    struct problems problems = {0};
    (void)state;
    add(&problems, "a", "is short");
    add(&problems, NULL, "the token is old");
    add(&problems, "b", "is long");
    add(&problems, "a", "is gone");
    assert_int_equal(problems.count, 3);
    assert_string_equal(problems.list[0].file, "a");
    assert_string_equal(problems.list[0].reason.text, "is gone");
    assert_int_equal(problems.list[0].reason.line, 7);
    assert_null(problems.list[1].file);
    assert_string_equal(problems.list[2].reason.text, "is long");
    problems_clear(&problems);
    assert_int_equal(problems.count, 0);
}

static void what_was_mended_is_a_problem_no_more(void **state)
{
    struct problems problems = {0};
    (void)state;
    add(&problems, "a", "1");
    add(&problems, "b", "2");
    add(&problems, NULL, "3");
    problems_remove(&problems, "c");
    assert_int_equal(problems.count, 3);
    problems_remove(&problems, "a");
    assert_int_equal(problems.count, 2);
    assert_string_equal(problems.list[0].file, "b");
    problems_remove(&problems, NULL);
    assert_int_equal(problems.count, 1);
    assert_string_equal(problems.list[0].file, "b");
    problems_remove(&problems, "b");
    problems_remove(&problems, "b");
    assert_int_equal(problems.count, 0);
    problems_clear(&problems);
}

static void there_is_a_maximum_and_the_rest_is_counted(void **state)
{
    struct problems problems = {0};
    char file[16];
    (void)state;
    for (int i = 0; i < PROBLEMS_MAX + 5; i++) {
        snprintf(file, sizeof(file), "file-%d", i);
        add(&problems, file, "is wrong");
    }
    assert_int_equal(problems.count, PROBLEMS_MAX);
    assert_int_equal(problems.dropped, 5);
    problems_clear(&problems);
    assert_int_equal(problems.dropped, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_file_has_its_latest_problem),
        cmocka_unit_test(what_was_mended_is_a_problem_no_more),
        cmocka_unit_test(there_is_a_maximum_and_the_rest_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
