#include "emulator/cli/script_support.h"

/* What people see when something is wrong: signet-tpm says the reason of what
 * other programs show as a number. */

static void a_check_finds_nothing_wrong(void **state)
{
    expect_done(
        *state,
        "signet-tpm make --no-ek a\n"
        "signet-tpm check dir=a >seen; grep -qx 'a: works' seen; test $(wc -l <seen) -eq 1\n"
        "signet-tpm check signet:dir=a | grep -qx 'a: works'\n"
        "SIGNET_TPM_EK=off signet-tpm check signet | grep -q 'signet/tpm: works'\n"
        "test -e .local/state/signet/tpm/tpm2-00.permall\n"
        "test ! -e a/signet.check; test ! -e a/signet.check.new\n");
}

static void a_check_tells_what_is_in_effect(void **state)
{
    expect_done(*state, "signet-tpm make --no-ek a; echo 'any answer RETRY' >f\n"
                        "SIGNET_TPM_PROFILE=slb9670 SIGNET_TPM_FAULTS=f "
                        "signet-tpm check dir=a,speed=50x,rm=off,counters=c >seen\n"
                        "grep -qx '  profile   slb9670' seen; grep -qx '  speed     50x' seen\n"
                        "grep -qx '  faults    f' seen; grep -qx '  counters  c' seen\n"
                        "grep -qx '  rm        off' seen; ! grep -q trace seen\n");
}

static void a_check_is_counted_by_no_one(void **state)
{
    expect_done(*state, "signet-tpm make --no-ek a; echo 'any at 1 die before' >f\n"
                        "signet-tpm check dir=a,faults=f,trace=t,counters=c\n"
                        "test ! -s t; signet-tpm counters c | grep -q '^all  *0 '\n");
}

static void a_check_says_the_reason(void **state)
{
    expect_done(*state, "signet-tpm make --no-ek a; echo 'Sign anser RETRY' >f\n"
                        "fails \"unknown key 'dri'\" signet-tpm check signet:dri=a\n"
                        "fails \"'a' is not of the form key=value\" signet-tpm check a\n"
                        "fails \"f:1: 'anser'\" signet-tpm check dir=a,faults=f\n"
                        "fails \"'profile' is 'slb'; known: intel-ptt\" "
                        "env SIGNET_TPM_PROFILE=slb signet-tpm check dir=a\n"
                        "fails 'trace /nowhere/t' signet-tpm check dir=a,trace=/nowhere/t\n"
                        "fails 'neither XDG_STATE_HOME nor HOME' env -u HOME signet-tpm check\n"
                        "truncate -s 1000 a/tpm2-00.permall\n"
                        "fails 'a/tpm2-00.permall: .*cut' signet-tpm check dir=a\n"
                        "test $(status signet-tpm check dir=a dir=b) -eq 2\n");
}

/* As a full disk would be, which a test cannot make without being root. */
static void a_check_notices_that_nothing_can_be_written(void **state)
{
    expect_done(*state, "signet-tpm make --no-ek a; mkdir a/signet.check.new\n"
                        "fails 'a/signet.check.new: cannot make' signet-tpm check dir=a\n"
                        "rmdir a/signet.check.new; signet-tpm check dir=a\n");
}

static void describe_tells_apart_why_there_is_no_tpm(void **state)
{
    expect_done(
        *state,
        "signet-tpm make --no-ek a; rm a/tpm2-00.permall; : >file; mkdir b; ln -s loop loop\n"
        "status signet-tpm make --ca-key none --ca-certificate none c; test -e c/signet.state\n"
        "fails 'there is no TPM here' signet-tpm describe c\n"
        "fails 'a/tpm2-00.permall: the file is missing' signet-tpm describe a\n"
        "fails 'there is no TPM here' signet-tpm describe b\n"
        "fails 'there is no TPM here' signet-tpm describe none\n"
        "fails 'file: cannot open the state directory' signet-tpm describe file\n"
        "fails 'loop: cannot open the state directory' signet-tpm describe loop\n"
        "test ! -e none; test -z \"$(ls -A b)\"\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_check_finds_nothing_wrong),
        TEST(a_check_tells_what_is_in_effect),
        TEST(a_check_is_counted_by_no_one),
        TEST(a_check_says_the_reason),
        TEST(a_check_notices_that_nothing_can_be_written),
        TEST(describe_tells_apart_why_there_is_no_tpm),
    };

    return cmocka_run_group_tests_name("emulator: signet-tpm check", tests, NULL, NULL);
}
