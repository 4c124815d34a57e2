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

static void every_key_is_read(void **state)
{
    struct conf conf;

    (void)state;
    assert_int_equal(conf_read("dir=/a,rm=off,ek=off,profile=slb9670,faults=/f,trace=/t,pcap=/p,"
                               "counters=/c,speed=100x,seed=0x10",
                               &conf),
                     TSS2_RC_SUCCESS);
    assert_true(conf.bare);
    assert_true(conf.no_ek);
    assert_string_equal(conf.profile, "slb9670");
    assert_string_equal(conf.faults, "/f");
    assert_string_equal(conf.trace, "/t");
    assert_string_equal(conf.pcap, "/p");
    assert_string_equal(conf.counters, "/c");
    assert_true(conf.speed == 100);
    assert_true(conf.has_seed);
    assert_int_equal(conf.seed, 16);
}

static void bad_values_are_refused_with_what_is_expected(void **state)
{
    (void)state;
    expect_refused("rm=maybe", TSS2_TCTI_RC_BAD_VALUE, "on or off");
    expect_refused("ek=no", TSS2_TCTI_RC_BAD_VALUE, "on or off");
    expect_refused("speed=fast", TSS2_TCTI_RC_BAD_VALUE, "factor");
    expect_refused("speed=0", TSS2_TCTI_RC_BAD_VALUE, "factor");
    expect_refused("speed=nan", TSS2_TCTI_RC_BAD_VALUE, "factor");
    expect_refused("speed=1y", TSS2_TCTI_RC_BAD_VALUE, "factor");
    expect_refused("seed=-1", TSS2_TCTI_RC_BAD_VALUE, "number");
    expect_refused("seed=99999999999999999999", TSS2_TCTI_RC_BAD_VALUE, "number");
}

static void what_the_string_leaves_out_the_environment_gives(void **state)
{
    struct conf conf;

    (void)state;
    assert_int_equal(setenv("SIGNET_TPM_PROFILE", "st33", 1), 0);
    assert_int_equal(setenv("SIGNET_TPM_SPEED", "7", 1), 0);
    assert_int_equal(conf_read("dir=/a,speed=2", &conf), TSS2_RC_SUCCESS);
    assert_string_equal(conf.profile, "st33");
    assert_true(conf.speed == 2);
    assert_int_equal(setenv("SIGNET_TPM_SPEED", "never", 1), 0);
    expect_refused("dir=/a", TSS2_TCTI_RC_BAD_VALUE, "SIGNET_TPM_SPEED: ");
    unsetenv("SIGNET_TPM_PROFILE");
    unsetenv("SIGNET_TPM_SPEED");
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
        cmocka_unit_test(every_key_is_read),
        cmocka_unit_test(bad_values_are_refused_with_what_is_expected),
        cmocka_unit_test(what_the_string_leaves_out_the_environment_gives),
        cmocka_unit_test(the_default_directory_follows_the_environment),
    };

    return cmocka_run_group_tests_name("emulator: configuration string", tests, NULL, NULL);
}
