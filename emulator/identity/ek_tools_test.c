#include "emulator/test_support.h"

/* The endorsement keys as the programs see them that ask for such things. */

static void tpm2_tools_find_certificates_of_the_keys_that_they_make(void **state)
{
    need_tpm2_tools();
    need_program("openssl", "openssl");
    assert_int_equal(run_script(*state,
                                "exec >log 2>&1\n"
                                "tpm2_getekcertificate -o rsa.der -o ecc.der\n"
                                "for type in rsa ecc; do\n"
                                "  openssl x509 -inform der -in $type.der -out $type.crt\n"
                                "  openssl verify -CAfile tpm/ek-ca.crt $type.crt\n"
                                "  openssl verify -x509_strict -CAfile tpm/ek-ca.crt $type.crt\n"
                                "  tpm2_createek -G $type -c $type.ctx -u $type.pub -f pem\n"
                                "  openssl x509 -in $type.crt -noout -pubkey | cmp - $type.pub\n"
                                "done\n"),
                     0);
}

static void a_credential_for_the_certified_key_is_activated(void **state)
{
    need_tpm2_tools();
    need_program("openssl", "openssl");
    assert_int_equal(
        run_script(*state,
                   "exec >log 2>&1\n"
                   "tpm2_getekcertificate -o rsa.der -o ecc.der\n"
                   "echo 0123456789 >secret\n"
                   "for type in rsa ecc; do\n"
                   "  openssl x509 -inform der -in $type.der -noout -pubkey >$type.pem\n"
                   "  tpm2_createek -G $type -c ek.ctx -u ek.pub\n"
                   "  tpm2_createak -C ek.ctx -c ak.ctx -G ecc -g sha256 -s ecdsa -n ak.name\n"
                   "  tpm2_makecredential -T none -u $type.pem -G $type -s secret \\\n"
                   "    -n $(od -An -v -tx1 ak.name | tr -d ' \\n') -o credential\n"
                   "  tpm2_startauthsession --policy-session -S session\n"
                   "  tpm2_policysecret -S session -c e\n"
                   "  tpm2_activatecredential -c ak.ctx -C ek.ctx -i credential -o back \\\n"
                   "    -P session:session\n"
                   "  tpm2_flushcontext session\n"
                   "  cmp secret back\n"
                   "  rm back\n"
                   "done\n"),
        0);
}

static void another_tpm_cannot_activate_it(void **state)
{
    need_tpm2_tools();
    assert_int_equal(
        run_script(*state,
                   "exec >log 2>&1\n"
                   "tpm2_createek -G ecc -c ek.ctx -u ek.pub\n"
                   "export TPM2TOOLS_TCTI=signet:dir=$PWD/other\n"
                   "tpm2_createek -G ecc -c other.ctx -u other.pub\n"
                   "tpm2_createak -C other.ctx -c ak.ctx -G ecc -g sha256 -s ecdsa -n ak.name\n"
                   "echo 0123456789 >secret\n"
                   "tpm2_makecredential -T none -u ek.pub -s secret \\\n"
                   "  -n $(od -An -v -tx1 ak.name | tr -d ' \\n') -o credential\n"
                   "tpm2_startauthsession --policy-session -S session\n"
                   "tpm2_policysecret -S session -c e\n"
                   "! tpm2_activatecredential -c ak.ctx -C other.ctx -i credential -o back \\\n"
                   "  -P session:session\n"),
        0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(tpm2_tools_find_certificates_of_the_keys_that_they_make),
        TEST(a_credential_for_the_certified_key_is_activated),
        TEST(another_tpm_cannot_activate_it),
    };

    return cmocka_run_group_tests_name("emulator: endorsement keys, tpm2-tools", tests, NULL, NULL);
}
