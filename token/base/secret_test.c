#include "token/base/test_support.h"

#include "token/base/secret.h"

static void a_secret_holds_a_copy_of_its_value(UNUSED void **state)
{
    char pin[] = "1234";
    struct secret *secret = NULL;
    assert_ok(secret_new(view_string(pin), &secret));
    memset(pin, 'x', 4);
    assert_view(secret_view(secret), "1234");
    secret_free(secret);
}

static void the_empty_secret_is_a_secret(UNUSED void **state)
{
    struct secret *secret = NULL;
    assert_ok(secret_new((struct view){0}, &secret));
    assert_non_null(secret);
    assert_int_equal(secret_view(secret).size, 0);
    secret_free(secret);
}

static void no_secret_is_empty_and_may_be_freed(UNUSED void **state)
{
    struct secret *none = NULL;
    assert_int_equal(secret_view(NULL).size, 0);
    secret_free(NULL);
    secret_cleanup(&none);
}

static void the_size_has_a_limit(UNUSED void **state)
{
    uint8_t value[SECRET_MAX_SIZE + 1];
    struct secret *secret = NULL;
    memset(value, 'p', sizeof(value));
    assert_ok(secret_new(view_of(value, SECRET_MAX_SIZE), &secret));
    assert_int_equal(secret_view(secret).size, SECRET_MAX_SIZE);
    assert_memory_equal(secret_view(secret).data, value, SECRET_MAX_SIZE);
    secret_free(secret);
    poison(secret);
    assert_rv(secret_new(view_of(value, sizeof(value)), &secret), CKR_PIN_LEN_RANGE);
    assert_poison(secret);
}

static void cleaning_up_nulls_the_pointer(UNUSED void **state)
{
    struct secret *secret = NULL;
    assert_ok(secret_new(view_string("1234"), &secret));
    secret_cleanup(&secret);
    assert_null(secret);
}

static int is_empty(void *secret)
{
    return secret_view(secret).size == 0 ? 0 : 1;
}

/* The kernel wipes it at the fork: there is nothing for the child to read. */
static void a_forked_child_finds_nothing(UNUSED void **state)
{
    struct secret *secret = NULL;
    assert_ok(secret_new(view_string("1234"), &secret));
    int status = in_child(is_empty, secret);
    assert_view(secret_view(secret), "1234");
    secret_free(secret);
    assert_int_equal(status, 0);
}

static int all_zero(void *data)
{
    for (size_t i = 0; i < 4; i++)
        if (((const uint8_t *)data)[i])
            return 1;
    return 0;
}

static void the_bytes_in_a_forked_child_are_zero(UNUSED void **state)
{
    struct secret *secret = NULL;
    assert_ok(secret_new(view_string("1234"), &secret));
    uintptr_t data = (uintptr_t)secret_view(secret).data;
    int status = in_child(all_zero, (void *)data);
    secret_free(secret);
    assert_int_equal(status, 0);
}

static void secrets_are_equal_when_size_and_content_are(UNUSED void **state)
{
    assert_true(secret_views_equal(view_string("1234"), view_string("1234")));
    assert_true(secret_views_equal(view_string(""), (struct view){0}));
    assert_false(secret_views_equal(view_string("1234"), view_string("1235")));
    assert_false(secret_views_equal(view_string("1234"), view_string("2234")));
    assert_false(secret_views_equal(view_string("1234"), view_string("123")));
    assert_false(secret_views_equal(view_string(""), view_string("1")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_secret_holds_a_copy_of_its_value),
        cmocka_unit_test(the_empty_secret_is_a_secret),
        cmocka_unit_test(no_secret_is_empty_and_may_be_freed),
        cmocka_unit_test(the_size_has_a_limit),
        cmocka_unit_test(cleaning_up_nulls_the_pointer),
        cmocka_unit_test(secrets_are_equal_when_size_and_content_are),
        cmocka_unit_test(a_forked_child_finds_nothing),
        cmocka_unit_test(the_bytes_in_a_forked_child_are_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
