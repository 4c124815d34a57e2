#include "emulator/test_support.h"

#include "emulator/conf.h"
#include "emulator/error.h"

static void expect_refused(const char *text, TSS2_RC expected, const char *reason)
{
    struct conf conf;

    memset(&conf, 0xa5, sizeof(conf));
    error_clear();
    assert_int_equal(conf_read(text, &conf), expected);
    assert_non_null(strstr(error_text(), reason));
    assert_int_equal((uint8_t)conf.directory[0], 0xa5);
}

static void the_directory_is_taken_as_given(void **state)
{
    struct conf conf;

    (void)state;
    memset(&conf, 0xa5, sizeof(conf));
    assert_int_equal(conf_read("dir=/a/b=c d", &conf), TSS2_RC_SUCCESS);
    assert_string_equal(conf.directory, "/a/b=c d");
}

static void unknown_keys_are_named(void **state)
{
    (void)state;
    expect_refused("host=localhost", TSS2_TCTI_RC_BAD_VALUE, "unknown key 'host'");
    expect_refused("dir=/a,DIR=/b", TSS2_TCTI_RC_BAD_VALUE, "unknown key 'DIR'");
}

static void bad_strings_are_refused_with_a_reason(void **state)
{
    static char longer[PATH_MAX + 16];

    (void)state;
    memset(longer, 'x', sizeof(longer) - 1);
    memcpy(longer, "dir=", 4);
    expect_refused(longer, TSS2_TCTI_RC_BAD_VALUE, "at most");
    expect_refused("dir=", TSS2_TCTI_RC_BAD_VALUE, "no value");
    expect_refused("dir", TSS2_TCTI_RC_BAD_VALUE, "key=value");
    expect_refused("/a/b", TSS2_TCTI_RC_BAD_VALUE, "key=value");
    expect_refused("=x", TSS2_TCTI_RC_BAD_VALUE, "unknown key");
    expect_refused(",", TSS2_TCTI_RC_BAD_VALUE, "key=value");
    expect_refused("dir=/a,", TSS2_TCTI_RC_BAD_VALUE, "comma");
    expect_refused("dir=/a,dir=/b", TSS2_TCTI_RC_BAD_VALUE, "twice");
}

static void keys_without_code_behind_them_say_so(void **state)
{
    (void)state;
    expect_refused("dir=/a,profile=slb9670", TSS2_TCTI_RC_NOT_IMPLEMENTED,
                   "'profile' is not implemented");
    expect_refused("faults=/x", TSS2_TCTI_RC_NOT_IMPLEMENTED, "'faults' is not implemented");
    expect_refused("rm=off", TSS2_TCTI_RC_NOT_IMPLEMENTED, "'rm' is not implemented");
}

static void the_default_directory_follows_the_environment(void **state)
{
    struct conf conf;

    (void)state;
    assert_int_equal(setenv("XDG_STATE_HOME", "/state", 1), 0);
    assert_int_equal(setenv("HOME", "/home/me", 1), 0);
    assert_int_equal(conf_read(NULL, &conf), TSS2_RC_SUCCESS);
    assert_string_equal(conf.directory, "/state/signet/tpm");

    assert_int_equal(setenv("XDG_STATE_HOME", "not/absolute", 1), 0);
    assert_int_equal(conf_read("", &conf), TSS2_RC_SUCCESS);
    assert_string_equal(conf.directory, "/home/me/.local/state/signet/tpm");

    assert_int_equal(unsetenv("HOME"), 0);
    expect_refused("", TSS2_TCTI_RC_BAD_VALUE, "XDG_STATE_HOME");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_directory_is_taken_as_given),
        cmocka_unit_test(unknown_keys_are_named),
        cmocka_unit_test(bad_strings_are_refused_with_a_reason),
        cmocka_unit_test(keys_without_code_behind_them_say_so),
        cmocka_unit_test(the_default_directory_follows_the_environment),
    };

    return cmocka_run_group_tests_name("emulator: configuration string", tests, NULL, NULL);
}
