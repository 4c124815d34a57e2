#include "token/crypto/test_support.h"

#include "token/crypto/certificate.h"

static int make_keys(void **state)
{
    if (enter_directory(state) != 0)
        return -1;
    run("openssl genpkey -algorithm EC -pkeyopt group:P-256 -out ec.key");
    run("openssl genpkey -algorithm RSA-PSS -out pss.key");
    run("openssl genpkey -algorithm EC -pkeyopt group:P-256 -pkeyopt ec_param_enc:explicit "
        "-out explicit.key");
    return 0;
}

/* openssl req with a configuration of our own */
static struct certificate make(const char *options)
{
    struct certificate certificate;
    struct reason reason = {0};
    char command[1024];
    snprintf(command, sizeof(command),
             "printf '[req]\\ndistinguished_name=n\\n[n]\\n' >req.cnf; openssl req -config req.cnf "
             "-new -x509 -outform DER -out crt.der %s",
             options);
    run(command);
    struct bytes der = read_file("crt.der");
    memset(&certificate, POISON, sizeof(certificate));
    if (certificate_decode(bytes_view(&der), &certificate, &reason) != CKR_OK)
        fail_msg("%s", reason.text);
    assert_view_equal(bytes_view(&certificate.der), bytes_view(&der));
    bytes_free(&der);
    return certificate;
}

static void a_certificate_gives_its_names_and_dates(UNUSED void **state)
{
    static const uint8_t serial[] = {0x02, 0x03, 0x01, 0xe2, 0x40};
    struct certificate certificate =
        make("-key ec.key -subj '/O=Signet/CN=first/CN=last' -set_serial 123456 -days 1");
    assert_view_equal(bytes_view(&certificate.common_name), view_string("last"));
    assert_view_equal(bytes_view(&certificate.serial), view_of(serial, sizeof(serial)));
    assert_view_equal(bytes_view(&certificate.subject), bytes_view(&certificate.issuer));
    assert_int_equal(certificate.subject.data[0], 0x30);
    assert_int_equal(certificate.subject.data[1], certificate.subject.size - 2);
    assert_int_equal(strlen(certificate.start_date), 8);
    assert_true(strcmp(certificate.start_date, certificate.end_date) < 0);
    assert_memory_equal(certificate.start_date, "20", 2);
    assert_false(certificate.authority);
    certificate_clear(&certificate);
}

static void the_public_key_is_that_of_the_private_key(UNUSED void **state)
{
    struct certificate certificate = make("-key ec.key -subj /CN=x");
    struct crypto_key *key = load_key("ec.key");
    struct public_key public = {0};
    assert_int_equal(crypto_key_public(key, &public), CKR_OK);
    assert_true(public_key_equal(&public, &certificate.public_key));
    assert_view_equal(bytes_view(&public.spki), bytes_view(&certificate.public_key.spki));
    public_key_clear(&public);
    crypto_key_free(key);
    certificate_clear(&certificate);
}

static void an_authority_is_known_by_its_basic_constraints(UNUSED void **state)
{
    struct certificate certificate =
        make("-key ec.key -subj /CN=x -addext basicConstraints=critical,CA:TRUE,pathlen:0");
    assert_true(certificate.authority);
    certificate_clear(&certificate);
    certificate = make("-key ec.key -subj /CN=x -addext keyUsage=digitalSignature -addext "
                       "basicConstraints=CA:FALSE");
    assert_false(certificate.authority);
    certificate_clear(&certificate);
}

/* A name of every string type that OpenSSL writes: T61, BMP, UTF-8. */
static void names_come_as_utf8_whatever_their_type(UNUSED void **state)
{
    static const char *const masks[] = {"0x4", "0x800", "0x2000"};
    static const unsigned tags[] = {0x14, 0x1e, 0x0c};
    for (size_t i = 0; i < ARRAY_SIZE(masks); i++) {
        char command[512];
        struct certificate certificate = {0};
        snprintf(command, sizeof(command),
                 "printf '[req]\\ndistinguished_name=n\\nstring_mask=MASK:%s\\n[n]\\n' >mask.cnf; "
                 "openssl req -config mask.cnf -new -x509 -key ec.key -utf8 -subj "
                 "'/CN=J\xc3\xbcrgen' -outform DER -out mask.der",
                 masks[i]);
        run(command);
        struct bytes der = read_file("mask.der");
        assert_int_equal(certificate_decode(bytes_view(&der), &certificate, NULL), CKR_OK);
        assert_int_equal(certificate.subject.data[2 + 2 + 2 + 5], tags[i]);
        assert_view_equal(bytes_view(&certificate.common_name), view_string("J\xc3\xbcrgen"));
        certificate_clear(&certificate);
        bytes_free(&der);
    }
}

/* The four bytes of the subject's common name; its tag is two bytes in front. */
static uint8_t *find_name(const struct certificate *certificate)
{
    uint8_t *text = NULL;
    for (size_t i = 0; i + 4 <= certificate->der.size; i++)
        if (memcmp(certificate->der.data + i, "abcd", 4) == 0)
            text = certificate->der.data + i; /* the issuer's comes first */
    assert_non_null(text);
    return text;
}

static void check_name(unsigned tag, const char *content, const char *expected)
{
    struct certificate whole = make("-key ec.key -utf8 -subj /CN=abcd"), certificate = {0};
    uint8_t *text = find_name(&whole);
    text[-2] = (uint8_t)tag;
    memcpy(text, content, 4);
    assert_int_equal(certificate_decode(bytes_view(&whole.der), &certificate, NULL), CKR_OK);
    assert_view_equal(bytes_view(&certificate.common_name), view_string(expected));
    certificate_clear(&certificate);
    certificate_clear(&whole);
}

static void names_that_are_no_text_are_left_out(UNUSED void **state)
{
    check_name(0x1c, "\x00\x01\xf6\x00", "\xf0\x9f\x98\x80");
    check_name(0x1c, "\x00\x11\x00\x00", "");
    check_name(0x1e, "\xd8\x00\xdc\x00", "");
    check_name(0x0c, "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80");
    check_name(0x0c, "\xc0\x80zz", "");
    check_name(0x0c, "\xed\xa0\x80_", "");
    check_name(0x0c, "\xf5\x80\x80\x80", "");
    check_name(0x0c, "abc\xc3", "");
    check_name(0x0c, "a\0bc", "");
    check_name(0x30, "\x02\x02\x01\x01", "");
}

static void a_subject_without_a_common_name_has_none(UNUSED void **state)
{
    struct certificate certificate = make("-key ec.key -subj /O=x");
    assert_int_equal(certificate.common_name.size, 0);
    certificate_clear(&certificate);
    certificate = make("-key ec.key -subj /");
    assert_int_equal(certificate.common_name.size, 0);
    assert_int_equal(certificate.subject.size, 2);
    certificate_clear(&certificate);
}

static void dates_after_2049_are_understood(UNUSED void **state)
{
    struct certificate certificate = make("-key ec.key -subj /CN=x -days 36500");
    assert_memory_equal(certificate.end_date, "21", 2);
    assert_int_equal(strlen(certificate.end_date), 8);
    certificate_clear(&certificate);
}

static void a_certificate_with_another_kind_of_key_is_still_one(UNUSED void **state)
{
    static const char *const options[] = {"-key pss.key -subj /CN=other",
                                          "-key explicit.key -subj /CN=other"};
    for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
        struct certificate certificate = make(options[i]);
        assert_int_equal(certificate.public_key.algorithm, KEY_ALGORITHM_NONE);
        assert_int_not_equal(certificate.public_key.spki.size, 0);
        assert_int_equal(certificate.public_key.spki.data[0], 0x30);
        assert_view_equal(bytes_view(&certificate.common_name), view_string("other"));
        certificate_clear(&certificate);
    }
}

static void every_cut_and_many_changes_of_a_certificate_do_no_harm(UNUSED void **state)
{
    struct certificate whole = make("-key ec.key -subj /CN=x"), poisoned;
    memset(&poisoned, POISON, sizeof(poisoned));
    for (size_t size = 0; size < whole.der.size; size++) {
        struct reason reason = {0};
        struct bytes cut = {0};
        assert_int_equal(bytes_copy(&cut, view_of(whole.der.data, size)), CKR_OK);
        assert_int_equal(certificate_decode(bytes_view(&cut), &poisoned, &reason),
                         CKR_DATA_INVALID);
        assert_contains(reason.text, "is malformed");
        bytes_free(&cut);
    }
    assert_true(all_poison(&poisoned, sizeof(poisoned)));
    for (size_t i = 0; i < 8 * whole.der.size; i++) {
        struct certificate changed = {0};
        whole.der.data[i / 8] ^= (uint8_t)(1 << i % 8);
        CK_RV rv = certificate_decode(bytes_view(&whole.der), &changed, NULL);
        assert_true(rv == CKR_OK || rv == CKR_DATA_INVALID);
        whole.der.data[i / 8] ^= (uint8_t)(1 << i % 8);
        certificate_clear(&changed);
    }
    certificate_clear(&whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_gives_its_names_and_dates),
        cmocka_unit_test(the_public_key_is_that_of_the_private_key),
        cmocka_unit_test(an_authority_is_known_by_its_basic_constraints),
        cmocka_unit_test(names_come_as_utf8_whatever_their_type),
        cmocka_unit_test(names_that_are_no_text_are_left_out),
        cmocka_unit_test(a_subject_without_a_common_name_has_none),
        cmocka_unit_test(dates_after_2049_are_understood),
        cmocka_unit_test(a_certificate_with_another_kind_of_key_is_still_one),
        cmocka_unit_test(every_cut_and_many_changes_of_a_certificate_do_no_harm),
    };
    return cmocka_run_group_tests(tests, make_keys, leave_directory);
}
