#include "emulator/test_support.h"

/* Each command is a process of its own, as in the scripts that people have. */

static void the_tcti_is_found_by_name_and_prints_nothing(void **state)
{
    need_tpm2_tools();
    assert_int_equal(run_script(*state,
                                "tpm2_getrandom -T signet:dir=$PWD/other --hex 8 >out 2>err\n"
                                "test $(wc -c <out) -eq 16\n"
                                "test ! -s err\n"
                                "test -e other/tpm2-00.permall\n"
                                "unset TPM2TOOLS_TCTI XDG_STATE_HOME\n"
                                "tpm2_getrandom -T signet --hex 8 >out\n"
                                "test -e .local/state/signet/tpm/tpm2-00.permall\n"),
                     0);
}

static void keys_are_made_loaded_and_used_by_their_contexts(void **state)
{
    need_tpm2_tools();
    assert_int_equal(
        run_script(*state, "exec >log 2>&1\n"
                           "tpm2_createprimary -c primary.ctx\n"
                           "tpm2_create -C primary.ctx -G ecc -u key.pub -r key.priv -p secret\n"
                           "tpm2_load -C primary.ctx -u key.pub -r key.priv -c key.ctx\n"
                           "echo data >data\n"
                           "tpm2_sign -c key.ctx -p secret -o signature data\n"
                           "tpm2_verifysignature -c key.ctx -m data -s signature\n"
                           "if tpm2_sign -c key.ctx -p wrong -o signature data; then exit 1; fi\n"
                           "tpm2_flushcontext -t\n"
                           "tpm2_evictcontrol -c key.ctx 0x81000005\n"
                           "tpm2_sign -c 0x81000005 -p secret -o signature data\n"
                           "tpm2_evictcontrol -c 0x81000005\n"),
        0);
}

static void a_policy_session_is_passed_from_process_to_process(void **state)
{
    need_tpm2_tools();
    assert_int_equal(
        run_script(*state, "exec >log 2>&1\n"
                           "tpm2_startauthsession -S trial.ctx\n"
                           "tpm2_policypcr -S trial.ctx -l sha256:16 -L policy\n"
                           "tpm2_flushcontext trial.ctx\n"
                           "tpm2_createprimary -c primary.ctx\n"
                           "echo secret >secret\n"
                           "tpm2_create -C primary.ctx -i secret -L policy -u s.pub -r s.priv\n"
                           "tpm2_load -C primary.ctx -u s.pub -r s.priv -c s.ctx\n"
                           "tpm2_startauthsession -S session.ctx --policy-session\n"
                           "tpm2_policypcr -S session.ctx -l sha256:16\n"
                           "test $(tpm2_unseal -c s.ctx -p session:session.ctx) = secret\n"
                           "tpm2_flushcontext session.ctx\n"
                           "tpm2_pcrextend 16:sha256=$(printf '%064d' 1)\n"
                           "tpm2_startauthsession -S session.ctx --policy-session\n"
                           "tpm2_policypcr -S session.ctx -l sha256:16\n"
                           "if tpm2_unseal -c s.ctx -p session:session.ctx; then exit 1; fi\n"
                           "tpm2_flushcontext session.ctx\n"
                           "tpm2_getcap handles-loaded-session >loaded\n"
                           "tpm2_getcap handles-saved-session >>loaded\n"
                           "test ! -s loaded\n"),
        0);
}

static void an_encrypted_salted_session_works(void **state)
{
    need_tpm2_tools();
    assert_int_equal(
        run_script(*state, "exec >log 2>&1\n"
                           "tpm2_createprimary -c primary.ctx\n"
                           "tpm2_startauthsession -S session.ctx --hmac-session -c primary.ctx\n"
                           "tpm2_sessionconfig session.ctx --enable-decrypt --enable-encrypt\n"
                           "echo secret >secret\n"
                           "tpm2_create -C primary.ctx -P session:session.ctx -i secret"
                           " -u s.pub -r s.priv\n"
                           "tpm2_load -C primary.ctx -u s.pub -r s.priv -c s.ctx\n"
                           "test $(tpm2_unseal -c s.ctx) = secret\n"
                           "tpm2_flushcontext session.ctx\n"),
        0);
}

static void quotes_and_nv_storage_work(void **state)
{
    need_tpm2_tools();
    assert_int_equal(
        run_script(*state,
                   "exec >log 2>&1\n"
                   "tpm2_createek -c ek.ctx -G ecc -u ek.pub\n"
                   "tpm2_createak -C ek.ctx -c ak.ctx -G ecc -g sha256 -s ecdsa -u ak.pub -f pem\n"
                   "tpm2_quote -c ak.ctx -l sha256:0,16 -q abcdef -m q.msg -s q.sig -o q.pcrs\n"
                   "tpm2_checkquote -u ak.pub -m q.msg -s q.sig -f q.pcrs -q abcdef -g sha256\n"
                   "tpm2_nvdefine -C o -s 32 -a 'ownerread|ownerwrite' 0x1500016\n"
                   "printf '%032d' 7 | tpm2_nvwrite -C o -i- 0x1500016\n"
                   "test $(tpm2_nvread -C o -s 32 0x1500016) = $(printf '%032d' 7)\n"
                   "tpm2_nvundefine -C o 0x1500016\n"
                   "tpm2_changeauth -c o new\n"
                   "if tpm2_createprimary -c p.ctx; then exit 1; fi\n"
                   "tpm2_createprimary -P new -c p.ctx\n"
                   "tpm2_clear\n"
                   "tpm2_createprimary -c p.ctx\n"),
        0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_tcti_is_found_by_name_and_prints_nothing),
        TEST(keys_are_made_loaded_and_used_by_their_contexts),
        TEST(a_policy_session_is_passed_from_process_to_process),
        TEST(an_encrypted_salted_session_works),
        TEST(quotes_and_nv_storage_work),
    };

    return cmocka_run_group_tests_name("emulator: tpm2-tools", tests, NULL, NULL);
}
