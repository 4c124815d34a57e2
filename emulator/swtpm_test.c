/* A state directory that goes from this emulator to swtpm and back. */

#include "emulator/test_support.h"

#include "emulator/control.h"
#include "emulator/swtpm_file.h"

/* swtpm_leave stores the volatile state, as for a suspend, and stops without a
 * TPM2_Shutdown; from 0.8 on swtpm would send one by itself. */
#define WITH_SWTPM                                                                                 \
    "flags=startup-clear\n"                                                                        \
    "if swtpm socket --tpm2 --print-capabilities | grep -q disable-auto-shutdown; then "           \
    "flags=$flags,disable-auto-shutdown; fi\n"                                                     \
    "swtpm_start() { swtpm socket --tpm2 --tpmstate dir=$PWD/${1-tpm} --server "                   \
    "type=unixio,path=$PWD/sock --ctrl type=unixio,path=$PWD/sock.ctrl --flags $flags "            \
    "--daemon --pid file=$PWD/pid; }\n"                                                            \
    "swtpm_gone() { while [ -e pid ]; do sleep 0.02; done; }\n"                                    \
    "swtpm_store() { swtpm_ioctl --unix $PWD/sock.ctrl -v; }\n"                                    \
    "swtpm_kill() { kill $(cat pid); swtpm_gone; }\n"                                              \
    "swtpm_leave() { swtpm_store; swtpm_kill; }\n"                                                 \
    "swtpm_do() { TPM2TOOLS_TCTI=swtpm:path=$PWD/sock \"$@\"; }\n"                                 \
    "swtpm_stop() { swtpm_do tpm2_shutdown -c; swtpm_kill; }\n"                                    \
    "pcr() { \"$@\" tpm2_pcrread -Q -o pcr.now sha256:16; od -v -An -tx1 pcr.now | tr -d ' \\n'; " \
    "}\n"                                                                                          \
    "extend() { \"$@\" tpm2_pcrextend "                                                            \
    "16:sha256=1111111111111111111111111111111111111111111111111111111111111111; }\n"              \
    "none=$(printf '00%.0s' $(seq 32))\n"                                                          \
    "tries() { \"$@\" tpm2_getcap properties-variable | "                                          \
    "sed -n 's/.*LOCKOUT_COUNTER: //p'; }\n"                                                       \
    "trap 'test ! -e pid || kill $(cat pid)' EXIT\n"

static void need_swtpm(void)
{
    need_program("swtpm", "swtpm");
    need_program("swtpm_ioctl", "swtpm-tools");
    need_tpm2_tools();
}

static void expect_script(const char *directory, const char *script)
{
    need_swtpm();
    assert_int_equal(run_script(directory, script), 0);
}

static void what_swtpm_stored_goes_on_here(void **state)
{
    expect_script(*state, WITH_SWTPM
                  "mkdir tpm; swtpm_start; extend swtpm_do; before=$(pcr swtpm_do)\n"
                  "test $before != $none\n"
                  "swtpm_do tpm2_createprimary -Q -C o -G ecc -p pw -c key.ctx "
                  "-a 'sign|fixedtpm|fixedparent|sensitivedataorigin|userwithauth'\n"
                  "swtpm_do tpm2_evictcontrol -Q -C o -c key.ctx 0x81000001\n"
                  "swtpm_do tpm2_flushcontext -t\n"
                  "swtpm_do tpm2_readpublic -Q -c 0x81000001 -f pem -o key.pem\n"
                  /* A key that counts failed tries, used, and then no TPM2_Shutdown. */
                  "echo text >text\n"
                  "swtpm_do tpm2_sign -Q -c 0x81000001 -p pw -g sha256 -o there text\n"
                  "swtpm_do tpm2_nvdefine -Q -C o -s 5 -a 'ownerread|ownerwrite' 0x1500001\n"
                  "printf hello | swtpm_do tpm2_nvwrite -Q -C o -i- 0x1500001\n"
                  "swtpm_do tpm2_createprimary -Q -C o -c loaded.ctx\n"
                  "swtpm_leave; test -e tpm/tpm2-00.volatilestate\n"

                  "test $(pcr env) = $before; test ! -e tpm/tpm2-00.volatilestate\n"
                  "test $(tries env) = 0x0\n"
                  "test -z \"$(tpm2_getcap handles-transient)\"\n"
                  "test \"$(tpm2_nvread -C o -s 5 0x1500001)\" = hello\n"
                  "tpm2_sign -Q -c 0x81000001 -p pw -g sha256 -f plain -o here text\n"
                  "openssl dgst -sha256 -verify key.pem -signature here text\n"
                  "extend env; after=$(pcr env); test $after != $before; test $(pcr env) = $after\n"

                  "printf world | tpm2_nvwrite -Q -C o -i- 0x1500001\n"
                  "tpm2_shutdown -c; swtpm_start\n"
                  "test \"$(swtpm_do tpm2_nvread -C o -s 5 0x1500001)\" = world\n"
                  "swtpm_do tpm2_sign -Q -c 0x81000001 -p pw -g sha256 -f plain -o again text\n"
                  "openssl dgst -sha256 -verify key.pem -signature again text\n"
                  "swtpm_stop\n");
}

static void a_session_that_swtpm_stored_can_be_used_here(void **state)
{
    expect_script(*state,
                  WITH_SWTPM "mkdir tpm; swtpm_start\n"
                             "swtpm_do tpm2_startauthsession -Q --policy-session -S session.ctx\n"
                             "swtpm_leave\n"
                             "tpm2_policypcr -Q -S session.ctx -l sha256:16 -L policy\n"
                             "tpm2_flushcontext session.ctx\n");
}

static void a_key_made_here_works_in_swtpm(void **state)
{
    expect_script(
        *state, WITH_SWTPM
        "tpm2_createprimary -Q -C o -G ecc -c key.ctx "
        "-a 'sign|fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda'\n"
        "tpm2_evictcontrol -Q -C o -c key.ctx 0x81000001\n"
        "tpm2_readpublic -Q -c 0x81000001 -f pem -o key.pem\n"
        "tpm2_nvdefine -Q -C o -s 8 -a 'ownerread|ownerwrite|nt=counter' 0x1500002\n"
        "tpm2_nvincrement -Q -C o 0x1500002; one=$(tpm2_nvread -C o 0x1500002 | od -An -tx1)\n"
        "echo text >text; swtpm_start\n"
        "swtpm_do tpm2_sign -Q -c 0x81000001 -g sha256 -f plain -o there text\n"
        "openssl dgst -sha256 -verify key.pem -signature there text\n"
        "test \"$(swtpm_do tpm2_nvread -C o 0x1500002 | od -An -tx1)\" = \"$one\"\n"
        "swtpm_do tpm2_nvincrement -Q -C o 0x1500002\n"
        "two=$(swtpm_do tpm2_nvread -C o 0x1500002 | od -An -tx1)\n"
        "extend swtpm_do; there=$(pcr swtpm_do); swtpm_leave\n"
        "test \"$(tpm2_nvread -C o 0x1500002 | od -An -tx1)\" = \"$two\"\n"
        "test \"$one\" != \"$two\"; test $(pcr env) = $there\n");
}

/* One that does not belong to the permanent state is no error, and goes. */
static void anothers_volatile_state_is_ignored(void **state)
{
    expect_script(*state, WITH_SWTPM
                  "mkdir tpm other; swtpm_start other; extend swtpm_do; swtpm_leave\n"
                  "swtpm_start; swtpm_do tpm2_nvdefine -Q -C o -s 5 0x1500001; swtpm_stop\n"
                  "cp other/tpm2-00.volatilestate tpm\n"
                  "test $(pcr env) = $none; test ! -e tpm/tpm2-00.volatilestate\n"
                  "tpm2_nvreadpublic 0x1500001 | grep -q size:.5\n");
}

static void a_volatile_state_from_before_a_reset_is_ignored(void **state)
{
    expect_script(*state,
                  WITH_SWTPM "mkdir tpm; swtpm_start; extend swtpm_do; swtpm_store; swtpm_stop\n"
                             "test -e tpm/tpm2-00.volatilestate\n"
                             "test $(pcr env) = $none; test ! -e tpm/tpm2-00.volatilestate\n"
                             "test $(tries env) = 0x0\n");
}

static void one_that_comes_to_a_running_tpm_is_ignored(void **state)
{
    expect_script(*state,
                  WITH_SWTPM "mkdir tpm; swtpm_start; extend swtpm_do; swtpm_leave\n"
                             "cp tpm/tpm2-00.volatilestate old; extend env; now=$(pcr env)\n"
                             "cp old tpm/tpm2-00.volatilestate; test $(pcr env) = $now\n"
                             "test ! -e tpm/tpm2-00.volatilestate\n");
}

static void a_broken_volatile_state_costs_no_more_than_a_reset(void **state)
{
    expect_script(*state,
                  WITH_SWTPM "for size in 0 5 16 40 2000; do\n"
                             "rm -rf tpm; mkdir tpm; swtpm_start; extend swtpm_do; swtpm_leave\n"
                             "head -c $size tpm/tpm2-00.volatilestate >cut\n"
                             "cp cut tpm/tpm2-00.volatilestate\n"
                             "test $(pcr env) = $none; test ! -e tpm/tpm2-00.volatilestate\n"
                             "done\n");
}

/* The same without a swtpm: the file is made from what is published. */
static void a_stored_volatile_state_goes_on(void **state)
{
    TPM_STATE_SCOPE struct tpm_state published = TPM_STATE_EMPTY;
    BLOB_SCOPE struct blob file = {NULL, 0};
    struct directory directory = DIRECTORY_CLOSED;
    struct control control = CONTROL_CLOSED;
    TSS2_TCTI_CONTEXT *context = test_open(*state);
    uint8_t before[32], after[32];
    char path[PATH_MAX];

    assert_int_equal(extend_pcr(context, 16), TPM2_RC_SUCCESS);
    read_pcr(context, 16, before);
    test_close(context);
    assert_int_equal(directory_open(*state, &directory), TSS2_RC_SUCCESS);
    assert_int_equal(control_open(&directory, &control), TSS2_RC_SUCCESS);
    assert_int_equal(control_read(&control, control_generation(control_word(&control)), &published),
                     TSS2_RC_SUCCESS);
    assert_int_equal(swtpm_file_wrap(&published.running, &file), TSS2_RC_SUCCESS);
    assert_int_equal(directory_replace(&directory, SWTPM_VOLATILE_FILE, &file), TSS2_RC_SUCCESS);
    control_close(&control);
    assert_int_equal(directory_remove(&directory, CONTROL_FILE), TSS2_RC_SUCCESS);
    directory_close(&directory);

    context = test_open(*state);
    read_pcr(context, 16, after);
    assert_memory_equal(before, after, sizeof(after));
    assert_int_not_equal(access(test_path(*state, SWTPM_VOLATILE_FILE, path), F_OK), 0);
    assert_int_equal(extend_pcr(context, 16), TPM2_RC_SUCCESS);
    read_pcr(context, 16, before);
    test_close(context);
    context = test_open(*state);
    read_pcr(context, 16, after);
    assert_memory_equal(before, after, sizeof(after));
    test_close(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_stored_volatile_state_goes_on),
        TEST(what_swtpm_stored_goes_on_here),
        TEST(a_session_that_swtpm_stored_can_be_used_here),
        TEST(a_key_made_here_works_in_swtpm),
        TEST(anothers_volatile_state_is_ignored),
        TEST(a_volatile_state_from_before_a_reset_is_ignored),
        TEST(one_that_comes_to_a_running_tpm_is_ignored),
        TEST(a_broken_volatile_state_costs_no_more_than_a_reset),
    };

    return cmocka_run_group_tests_name("emulator: swtpm", tests, NULL, NULL);
}
