#include "token/crypto/test_support.h"

static int make_files(void **state)
{
    if (enter_directory(state) != 0)
        return -1;
    run("openssl genpkey -algorithm EC -pkeyopt group:P-256 -out ec.key");
    run("openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.key");
    run("openssl genpkey -algorithm RSA-PSS -out pss.key");
    run("printf '[req]\\ndistinguished_name=n\\n[n]\\n' >req.cnf");
    run("openssl req -config req.cnf -new -x509 -key ec.key -subj /CN=ec -out ec.crt");
    run("openssl req -config req.cnf -new -x509 -key rsa.key -subj /CN=rsa -out rsa.crt");
    return 0;
}

static CK_RV decode_text(const char *text, struct decoded *ret_decoded, struct reason *reason)
{
    return crypto_decode(view_string(text), (struct view){0}, ret_decoded, reason);
}

/* Decoding must fail, leave the result alone and say why. */
static void refuse(struct view content, const char *password, CK_RV expected, const char *why)
{
    struct decoded decoded;
    struct reason reason = {0};
    memset(&decoded, POISON, sizeof(decoded));
    CK_RV rv = crypto_decode(content, view_string(password), &decoded, &reason);
    if (rv != expected || !strstr(reason.text, why))
        fail_msg("0x%lx \"%s\" instead of 0x%lx \"%s\"", rv, reason.text, expected, why);
    assert_true(all_poison(&decoded, sizeof(decoded)));
}

static void refuse_file(const char *path, const char *password, CK_RV expected, const char *why)
{
    struct bytes content = read_file(path);
    refuse(bytes_view(&content), password, expected, why);
    bytes_free(&content);
}

/* The file holds the key of ec.key or rsa.key, opened with this password. */
static void accept_key(const char *path, const char *password, const char *same_as)
{
    struct decoded decoded;
    struct reason reason = {0};
    struct public_key found = {0}, expected = {0};
    struct crypto_key *key = load_key(same_as);
    memset(&decoded, POISON, sizeof(decoded));
    if (decode_file(path, password, &decoded, &reason) != CKR_OK)
        fail_msg("%s %s", path, reason.text);
    assert_false(decoded.encrypted);
    assert_non_null(decoded.private_key);
    assert_int_equal(crypto_key_public(decoded.private_key, &found), CKR_OK);
    assert_int_equal(crypto_key_public(key, &expected), CKR_OK);
    assert_true(public_key_equal(&found, &expected));
    public_key_clear(&found);
    public_key_clear(&expected);
    crypto_key_free(key);
    decoded_clear(&decoded);
}

/* Without the password no error, with a wrong one CKR_PIN_INCORRECT. */
static void accept_encrypted(const char *path, const char *password, const char *same_as)
{
    struct decoded decoded;
    struct reason reason = {0};
    memset(&decoded, POISON, sizeof(decoded));
    if (decode_file(path, NULL, &decoded, &reason) != CKR_OK)
        fail_msg("%s %s", path, reason.text);
    assert_true(decoded.encrypted);
    assert_null(decoded.private_key);
    decoded_clear(&decoded);
    refuse_file(path, "wrong", CKR_PIN_INCORRECT, "cannot be opened with this password");
    refuse_file(path, "", CKR_PIN_INCORRECT, "cannot be opened with this password");
    accept_key(path, password, same_as);
}

static void a_tss2_key_and_a_certificate_come_from_one_file(UNUSED void **state)
{
    char text[8192];
    struct decoded decoded;
    struct reason reason = {0};
    struct bytes certificate = read_file("ec.crt");
    snprintf(text, sizeof(text), "version 1\nlabel = my key\n%s\nmore text\n%.*s", tss2_pem,
             (int)certificate.size, (const char *)certificate.data);
    memset(&decoded, POISON, sizeof(decoded));
    assert_int_equal(decode_text(text, &decoded, &reason), CKR_OK);
    assert_non_null(decoded.tpm_key);
    assert_true(decoded.tpm_key->empty_auth);
    assert_int_equal(decoded.tpm_key->public.size, 88);
    assert_null(decoded.private_key);
    assert_null(decoded.public_key);
    assert_false(decoded.encrypted);
    assert_int_equal(decoded.certificate_count, 1);
    assert_view_equal(bytes_view(&decoded.certificates[0].common_name), view_string("ec"));
    decoded_clear(&decoded);
    decoded_clear(&decoded);
    decoded_clear(NULL);
    bytes_free(&certificate);
}

static void old_guards_and_line_ends_are_understood(UNUSED void **state)
{
    struct decoded decoded = {0};
    char text[2048] = "\xef\xbb\xbf";
    size_t used = 3;
    for (const char *c = tss2_pem; *c; c++) {
        if (strncmp(c, "PRIVATE KEY", 11) == 0) {
            used += (size_t)snprintf(text + used, 10, "KEY BLOB");
            c += 10;
        } else if (*c == '\n') {
            used += (size_t)snprintf(text + used, 5, " \r\n");
        } else {
            text[used++] = *c;
        }
    }
    struct reason reason = {0};
    if (crypto_decode(view_of(text, used), (struct view){0}, &decoded, &reason) != CKR_OK)
        fail_msg("%s", reason.text);
    assert_non_null(decoded.tpm_key);
    decoded_clear(&decoded);
}

static void plain_keys_of_every_kind_are_read(UNUSED void **state)
{
    run("openssl rsa -in rsa.key -traditional -out pkcs1.key");
    run("openssl ec -in ec.key -out sec1.key");
    run("(openssl ecparam -name prime256v1; cat sec1.key) >ecparam.key");
    run("openssl pkey -in ec.key -outform DER -out ec8.der");
    run("openssl pkey -in rsa.key -outform DER -traditional -out rsa1.der");
    run("openssl ec -in ec.key -outform DER -out sec1.der");
    run("openssl pkcs8 -topk8 -nocrypt -in rsa.key -outform DER -out rsa8.der");
    static const char *const files[][2] = {
        {"ec.key", "ec.key"},    {"rsa.key", "rsa.key"},    {"pkcs1.key", "rsa.key"},
        {"sec1.key", "ec.key"},  {"ecparam.key", "ec.key"}, {"ec8.der", "ec.key"},
        {"rsa1.der", "rsa.key"}, {"sec1.der", "ec.key"},    {"rsa8.der", "rsa.key"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        accept_key(files[i][0], NULL, files[i][1]);
        accept_key(files[i][0], "a password that nobody asked for", files[i][1]);
    }
}

static void encrypted_keys_open_with_their_password_only(UNUSED void **state)
{
    run("openssl pkcs8 -topk8 -in ec.key -passout pass:1234 -out aes.key");
    run("openssl pkcs8 -topk8 -in ec.key -passout pass:1234 -outform DER -out aes.der");
    run("openssl pkcs8 -topk8 -in rsa.key -passout pass:1234 -scrypt -scrypt_N 1024 -out "
        "scrypt.key");
    run("openssl pkcs8 -topk8 -in rsa.key -passout pass:1234 -v1 PBE-SHA1-3DES -out 3des.key");
    run("openssl pkey -in rsa.key -traditional -aes256 -passout pass:1234 -out traditional.key");
    run("openssl ec -in ec.key -des3 -passout pass:1234 -out sec1-3des.key");
    accept_encrypted("aes.key", "1234", "ec.key");
    accept_encrypted("aes.der", "1234", "ec.key");
    accept_encrypted("scrypt.key", "1234", "rsa.key");
    accept_encrypted("3des.key", "1234", "rsa.key");
    accept_encrypted("traditional.key", "1234", "rsa.key");
    accept_encrypted("sec1-3des.key", "1234", "ec.key");
}

static void an_encrypted_key_does_not_hide_the_rest_of_its_file(UNUSED void **state)
{
    struct decoded decoded = {0};
    run("openssl pkcs8 -topk8 -in ec.key -passout pass:1234 -out part.key; cat part.key ec.crt "
        ">both.pem");
    assert_int_equal(decode_file("both.pem", NULL, &decoded, NULL), CKR_OK);
    assert_true(decoded.encrypted);
    assert_int_equal(decoded.certificate_count, 1);
    decoded_clear(&decoded);
    accept_key("both.pem", "1234", "ec.key");
}

static void pkcs12_files_open_with_their_password_only(UNUSED void **state)
{
    run("openssl pkcs12 -export -inkey ec.key -in ec.crt -certfile rsa.crt -passout pass:1234 "
        "-out new.p12");
    run("openssl pkcs12 -export -inkey rsa.key -in rsa.crt -passout pass:1234 -keypbe "
        "PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -macalg sha1 -out 3des.p12");
    run("openssl pkcs12 -export -inkey ec.key -in ec.crt -passout pass:1234 -nomac -out nomac.p12");
    accept_encrypted("new.p12", "1234", "ec.key");
    accept_encrypted("3des.p12", "1234", "rsa.key");
    accept_encrypted("nomac.p12", "1234", "ec.key");
    struct decoded decoded = {0};
    assert_int_equal(decode_file("new.p12", "1234", &decoded, NULL), CKR_OK);
    assert_int_equal(decoded.certificate_count, 2);
    assert_view_equal(bytes_view(&decoded.certificates[0].common_name), view_string("ec"));
    assert_view_equal(bytes_view(&decoded.certificates[1].common_name), view_string("rsa"));
    decoded_clear(&decoded);
}

static void pkcs12_files_without_a_password_need_none(UNUSED void **state)
{
    run("openssl pkcs12 -export -inkey ec.key -in ec.crt -passout pass: -out empty.p12");
    run("openssl pkcs12 -export -inkey ec.key -in ec.crt -passout pass: -keypbe NONE -certpbe NONE "
        "-out open.p12");
    run("openssl pkcs12 -export -inkey ec.key -in ec.crt -passout pass: -keypbe NONE -certpbe NONE "
        "-nomac -out bare.p12");
    static const char *const files[] = {"empty.p12", "open.p12", "bare.p12"};
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        accept_key(files[i], NULL, "ec.key");
        accept_key(files[i], "", "ec.key");
    }
    refuse_file("empty.p12", "wrong", CKR_PIN_INCORRECT, "cannot be opened with this password");
}

static void old_encryption_is_refused_with_the_way_to_convert_it(UNUSED void **state)
{
    if (system("openssl pkcs12 -export -legacy -inkey ec.key -in ec.crt -passout pass:1234 -out "
               "rc2.p12 >command.log 2>&1") != 0) {
        skip();
        return;
    }
    refuse_file("rc2.p12", NULL, CKR_DATA_INVALID, "openssl pkcs12 -legacy");
    refuse_file("rc2.p12", "1234", CKR_DATA_INVALID, "RC2-40-CBC");
    run("openssl pkcs8 -topk8 -provider legacy -provider default -in rsa.key -passout pass:1234 "
        "-v1 PBE-MD5-DES -out des.key");
    refuse_file("des.key", NULL, CKR_DATA_INVALID, "DES-CBC");
}

static void every_cut_of_a_pkcs12_file_is_refused(UNUSED void **state)
{
    run("openssl pkcs12 -export -inkey ec.key -in ec.crt -passout pass: -keypbe NONE -certpbe NONE "
        "-nomac -out cut.p12");
    struct bytes whole = read_file("cut.p12");
    for (size_t size = 1; size < whole.size; size++) {
        struct bytes cut = {0};
        assert_int_equal(bytes_copy(&cut, view_of(whole.data, size)), CKR_OK);
        refuse(bytes_view(&cut), NULL, CKR_DATA_INVALID, "");
        bytes_free(&cut);
    }
    bytes_free(&whole);
}

static void public_keys_and_certificates_come_in_every_guard(UNUSED void **state)
{
    struct decoded decoded = {0};
    run("openssl pkey -in rsa.key -pubout -out rsa.pub");
    run("openssl pkey -in rsa.key -pubout -outform DER -out rsa.pub.der");
    run("openssl rsa -in rsa.key -RSAPublicKey_out -out rsa1.pub");
    run("openssl rsa -in rsa.key -RSAPublicKey_out -outform DER -out rsa1.pub.der");
    static const char *const keys[] = {"rsa.pub", "rsa.pub.der", "rsa1.pub", "rsa1.pub.der"};
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        assert_int_equal(decode_file(keys[i], NULL, &decoded, NULL), CKR_OK);
        assert_non_null(decoded.public_key);
        assert_int_equal(decoded.public_key->bits, 2048);
        assert_int_not_equal(decoded.public_key->spki.size, 0);
        decoded_clear(&decoded);
    }
    run("openssl x509 -in rsa.crt -trustout -addtrust clientAuth -out trusted.crt");
    run("openssl x509 -in rsa.crt -outform DER -out rsa.crt.der");
    run("sed 's/CERTIFICATE/X509 CERTIFICATE/' rsa.crt >x509.crt");
    static const char *const certificates[] = {"rsa.crt", "trusted.crt", "rsa.crt.der", "x509.crt"};
    for (size_t i = 0; i < ARRAY_SIZE(certificates); i++) {
        assert_int_equal(decode_file(certificates[i], NULL, &decoded, NULL), CKR_OK);
        assert_int_equal(decoded.certificate_count, 1);
        assert_view_equal(bytes_view(&decoded.certificates[0].common_name), view_string("rsa"));
        decoded_clear(&decoded);
    }
}

static void files_that_are_nothing_are_named_for_what_they_are(UNUSED void **state)
{
    static uint8_t large[DECODE_MAX_FILE_SIZE + 1];
    refuse((struct view){0}, NULL, CKR_DATA_INVALID, "is empty");
    refuse(view_of(large, sizeof(large)), NULL, CKR_DATA_INVALID, "is larger than 1048576 bytes");
    refuse(view_string("hello\n"), NULL, CKR_DATA_INVALID, "is neither PEM nor DER");
    refuse(view_of("\xff\xfe-\0-\0", 6), NULL, CKR_DATA_INVALID, "UTF-16");
    refuse(view_of("0\x03\x02\x01\x05", 5), NULL, CKR_DATA_INVALID, "is DER of an unknown kind");
    refuse(view_string("-----BEGIN DH PARAMETERS-----\nAAAA\n-----END DH PARAMETERS-----\n"), NULL,
           CKR_DATA_INVALID, "only DH PARAMETERS");
    refuse(view_string("-----BEGIN OPENSSH PRIVATE KEY-----\n-----END OPENSSH PRIVATE KEY-----\n"),
           NULL, CKR_DATA_INVALID, "ssh-keygen -p -m PKCS8");
    refuse_file("pss.key", NULL, CKR_DATA_INVALID, "rsassaPss");
}

static void damaged_pem_is_told_with_its_line(UNUSED void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"\n\n-----BEGIN TSS2 PRIVATE KEY-----\nAAAA\n",
         "is truncated: the PEM block TSS2 PRIVATE KEY that starts at line 3 has no end"},
        {"-----BEGIN CERTIFICATE-----\nAAAA\n-----BEGIN CERTIFICATE-----\n",
         "the PEM block CERTIFICATE that starts at line 1 has no end"},
        {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END PRIVATE KEY-----\n",
         "that starts at line 1 ends as PRIVATE KEY"},
        {"-----BEGIN CERTIFICATE-----\nAAAA\nA!AA\n-----END CERTIFICATE-----\n",
         "line 3, in the CERTIFICATE at line 1, is not base64"},
        {"-----BEGIN CERTIFICATE-----\nAAAA\nAA\n-----END CERTIFICATE-----\n", "is cut off"},
        {"-----BEGIN CERTIFICATE-----\nAA==AAAA\n-----END CERTIFICATE-----\n", "is not base64"},
        {"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
         "the CERTIFICATE at line 1 is empty"},
        {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
         "the CERTIFICATE at line 1: its outer structure is malformed"},
        {"-----BEGIN TSS2 PRIVATE KEY-----\nMIHwBgZn\n-----END TSS2 PRIVATE KEY-----\n",
         "its DER is cut off after 6 of 243 bytes"},
        {"-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n", "its DER is malformed"},
        {"-----BEGIN PUBLIC KEY-----\nMAA=\n-----END PUBLIC KEY-----\n", "its DER is malformed"},
        {"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE "
         "KEY-----\n",
         "the headers of the RSA PRIVATE KEY at line 1 are not understood"},
        {"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: NO-SUCH,00\n\nAAAA\n"
         "-----END RSA PRIVATE KEY-----\n",
         "it is encrypted with NO-SUCH"},
        {"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n"
         "AAAA\n-----END RSA PRIVATE KEY-----\n",
         "the parameters of its encryption are malformed"},
        {"-----BEGIN TSS2 PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: "
         "AES-128-CBC,00000000000000000000000000000000\n\nAAAA\n-----END TSS2 PRIVATE KEY-----\n",
         "cannot have an encryption header"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        refuse(view_string(cases[i].text), NULL, CKR_DATA_INVALID, cases[i].why);
}

static void der_that_is_cut_or_too_long_is_told(UNUSED void **state)
{
    run("openssl x509 -in ec.crt -outform DER -out ec.der; head -c 100 ec.der >cut.der; (cat "
        "ec.der; echo) >long.der");
    refuse_file("cut.der", NULL, CKR_DATA_INVALID, "is truncated: its DER should have");
    refuse_file("long.der", NULL, CKR_DATA_INVALID, "has 1 bytes more than its DER");
}

static void a_file_holds_one_key_of_each_kind(UNUSED void **state)
{
    run("cat ec.key rsa.key >two.key");
    refuse_file("two.key", NULL, CKR_DATA_INVALID, "it is a second private key");
    run("openssl pkey -in ec.key -pubout -out one.pub; cat one.pub one.pub >two.pub");
    refuse_file("two.pub", NULL, CKR_DATA_INVALID, "it is a second public key");
    char text[4096];
    snprintf(text, sizeof(text), "%s%s", tss2_pem, tss2_pem);
    refuse(view_string(text), NULL, CKR_DATA_INVALID, "it is a second TPM key");
}

static void a_file_holds_at_most_32_certificates(UNUSED void **state)
{
    struct decoded decoded = {0};
    run("for i in $(seq 32); do cat ec.crt; done >32.crt; cat 32.crt ec.crt >33.crt");
    assert_int_equal(decode_file("32.crt", NULL, &decoded, NULL), CKR_OK);
    assert_int_equal(decoded.certificate_count, 32);
    decoded_clear(&decoded);
    refuse_file("33.crt", NULL, CKR_DATA_INVALID, "one certificate too many");
}

static void work_that_would_take_too_long_is_refused(UNUSED void **state)
{
    /* PBES2 with 2147483647 rounds of PBKDF2, AES-128-CBC */
    static const char rounds[] =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
        "MF8wSwYJKoZIhvcNAQUNMD4wHQYJKoZIhvcNAQUMMBAECAAAAAAAAAAAAgR/////MB0GCWCGSAFl\n"
        "AwQBAgQQAAAAAAAAAAAAAAAAAAAAAAQQAAAAAAAAAAAAAAAAAAAAAA==\n"
        "-----END ENCRYPTED PRIVATE KEY-----\n";
    refuse(view_string(rounds), "1234", CKR_DATA_INVALID, "rounds");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tss2_key_and_a_certificate_come_from_one_file),
        cmocka_unit_test(old_guards_and_line_ends_are_understood),
        cmocka_unit_test(plain_keys_of_every_kind_are_read),
        cmocka_unit_test(encrypted_keys_open_with_their_password_only),
        cmocka_unit_test(an_encrypted_key_does_not_hide_the_rest_of_its_file),
        cmocka_unit_test(pkcs12_files_open_with_their_password_only),
        cmocka_unit_test(pkcs12_files_without_a_password_need_none),
        cmocka_unit_test(old_encryption_is_refused_with_the_way_to_convert_it),
        cmocka_unit_test(every_cut_of_a_pkcs12_file_is_refused),
        cmocka_unit_test(public_keys_and_certificates_come_in_every_guard),
        cmocka_unit_test(files_that_are_nothing_are_named_for_what_they_are),
        cmocka_unit_test(damaged_pem_is_told_with_its_line),
        cmocka_unit_test(der_that_is_cut_or_too_long_is_told),
        cmocka_unit_test(a_file_holds_one_key_of_each_kind),
        cmocka_unit_test(a_file_holds_at_most_32_certificates),
        cmocka_unit_test(work_that_would_take_too_long_is_refused),
    };
    return cmocka_run_group_tests(tests, make_files, leave_directory);
}
