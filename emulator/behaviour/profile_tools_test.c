#include "emulator/test_support.h"

/* Unchanged clients on the chip of a profile, which the environment names. */

static void a_chip_without_p384_is_what_tools_see(void **state)
{
    need_tpm2_tools();
    assert_int_equal(
        run_script(*state, "exec >log 2>&1\n"
                           "export SIGNET_TPM_PROFILE=slb9670 SIGNET_TPM_SPEED=1000x\n"
                           "tpm2_getcap properties-fixed >fixed\n"
                           "grep -q '\"SLB9\"' fixed\n"
                           "grep -q '\"IFX\"' fixed\n"
                           "tpm2_getcap ecc-curves >curves\n"
                           "grep -q P256 curves\n"
                           "! grep -q P384 curves\n"
                           "tpm2_createprimary -c primary.ctx\n"
                           "! tpm2_create -C primary.ctx -G ecc384 -u k.pub -r k.priv 2>refused\n"
                           "grep -q 'parameter(2):curve not supported' refused\n"
                           "tpm2_create -C primary.ctx -G ecc256 -u k.pub -r k.priv\n"
                           "tpm2_load -C primary.ctx -u k.pub -r k.priv -c k.ctx\n"
                           "echo data >data\n"
                           "tpm2_sign -c k.ctx -o signature data\n"
                           "tpm2_verifysignature -c k.ctx -m data -s signature\n"
                           "! tpm2_encryptdecrypt -c k.ctx -o out data\n"
                           "! tpm2_hash -g sha384 -o out data\n"),
        0);
}

static void esys_sends_again_what_the_hostile_chip_wants_sent_again(void **state)
{
    need_tpm2_tools();
    assert_int_equal(run_script(*state,
                                "exec >log 2>&1\n"
                                "export SIGNET_TPM_PROFILE=hostile SIGNET_TPM_SPEED=1000000\n"
                                "tpm2_createprimary -c primary.ctx\n"
                                "tpm2_create -C primary.ctx -G ecc -u k.pub -r k.priv -p secret\n"
                                "tpm2_load -C primary.ctx -u k.pub -r k.priv -c k.ctx\n"
                                "tpm2_flushcontext -t\n"
                                "echo data >data\n"
                                "tpm2_sign -c k.ctx -p secret -o signature data\n"
                                "tpm2_evictcontrol -c k.ctx 0x81000005\n"
                                "tpm2_evictcontrol -c k.ctx 0x81000006\n"
                                "! tpm2_evictcontrol -c k.ctx 0x81000007 2>full\n"
                                "grep -q 'insufficient space for NV' full\n"),
                     0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_chip_without_p384_is_what_tools_see),
        TEST(esys_sends_again_what_the_hostile_chip_wants_sent_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
