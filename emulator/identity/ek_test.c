#include "emulator/test_support.h"

#include "emulator/error.h"
#include "emulator/identity/ek.h"
#include "emulator/identity/vendor.h"
#include "emulator/instance.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

/* What the profile has for a certificate that its manufacturer wrote. */
#define CERTIFICATE_ATTRIBUTES                                                                     \
    (TPMA_NV_PLATFORMCREATE | TPMA_NV_PPWRITE | TPMA_NV_PPREAD | TPMA_NV_OWNERREAD |               \
     TPMA_NV_AUTHREAD | TPMA_NV_NO_DA | TPMA_NV_WRITEDEFINE | TPMA_NV_WRITTEN)

static const uint32_t indexes[] = {EK_RSA_INDEX, EK_ECC_INDEX};

static size_t read_public(TSS2_TCTI_CONTEXT *context, uint32_t index, uint32_t *ret_attributes)
{
    struct message m, response;

    begin(&m, TPM2_ST_NO_SESSIONS, TPM2_CC_NV_ReadPublic);
    add_u32(&m, index);
    assert_int_equal(run(context, &m, &response), TPM2_RC_SUCCESS);
    assert_int_equal(get_u16(response.bytes + HEADER_SIZE), 14);
    *ret_attributes = get_u32(response.bytes + HEADER_SIZE + 8);
    return get_u16(response.bytes + HEADER_SIZE + 14);
}

/* With the index's own authorization, as anybody may. */
static X509 *read_certificate(TSS2_TCTI_CONTEXT *context, uint32_t index)
{
    struct message m, response;
    uint32_t attributes;
    size_t size = read_public(context, index, &attributes);
    const unsigned char *at = response.bytes + HEADER_SIZE + 6;
    X509 *certificate;

    assert_int_equal(attributes, CERTIFICATE_ATTRIBUTES);
    begin(&m, TPM2_ST_SESSIONS, TPM2_CC_NV_Read);
    add_u32(&m, index);
    add_u32(&m, index);
    add_password(&m, "");
    add_u16(&m, (uint16_t)size);
    add_u16(&m, 0);
    assert_int_equal(run(context, &m, &response), TPM2_RC_SUCCESS);
    certificate = d2i_X509(NULL, &at, (long)size);
    assert_non_null(certificate);
    assert_ptr_equal(at, response.bytes + HEADER_SIZE + 6 + size);
    return certificate;
}

static X509 *read_pem(const char *directory, const char *name)
{
    char path[PATH_MAX];
    FILE *file = fopen(test_path(directory, name, path), "re");
    X509 *certificate;

    assert_non_null(file);
    certificate = PEM_read_X509(file, NULL, NULL, NULL);
    assert_non_null(certificate);
    (void)fclose(file);
    return certificate;
}

/* As openssl verify -x509_strict -CAfile. Returns X509_V_OK or why not. */
static int verify(X509 *certificate, X509 *ca)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    int error;

    assert_int_equal(X509_STORE_add_cert(store, ca), 1);
    assert_int_equal(X509_STORE_CTX_init(context, store, certificate, NULL), 1);
    X509_STORE_CTX_set_flags(context, X509_V_FLAG_X509_STRICT);
    (void)X509_verify_cert(context);
    error = X509_STORE_CTX_get_error(context);
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    return error;
}

static void both_certificates_verify_under_the_ca_of_the_directory(void **state)
{
    TSS2_TCTI_CONTEXT *context = test_open(*state);
    X509 *ca = read_pem(*state, EK_CA_FILE);

    for (size_t i = 0; i < 2; i++) {
        X509 *certificate = read_certificate(context, indexes[i]);

        assert_int_equal(verify(certificate, ca), X509_V_OK);
        X509_free(certificate);
    }
    X509_free(ca);
    test_close(context);
}

/* The extension must be there, and be critical or not. */
static void expect_extension(X509 *certificate, int nid, int critical)
{
    int at = X509_get_ext_by_NID(certificate, nid, -1);

    assert_true(at >= 0);
    assert_int_equal(X509_EXTENSION_get_critical(X509_get_ext(certificate, at)), critical);
}

static void expect_device_name(X509 *certificate)
{
    static const struct {
        const char *type, *value;
    } expected[] = {
        {"2.23.133.2.1", "id:49424D00"}, {"2.23.133.2.2", VENDOR_NAME}, {"2.23.133.2.3", "id:"}};
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    GENERAL_NAME *name;

    assert_int_equal(sk_GENERAL_NAME_num(names), 1);
    name = sk_GENERAL_NAME_value(names, 0);
    assert_int_equal(name->type, GEN_DIRNAME);
    assert_int_equal(X509_NAME_entry_count(name->d.directoryName), 3);
    for (int i = 0; i < 3; i++) {
        X509_NAME_ENTRY *entry = X509_NAME_get_entry(name->d.directoryName, i);
        ASN1_STRING *value = X509_NAME_ENTRY_get_data(entry);
        char type[32];

        (void)OBJ_obj2txt(type, sizeof(type), X509_NAME_ENTRY_get_object(entry), 1);
        assert_string_equal(type, expected[i].type);
        assert_int_equal(ASN1_STRING_type(value), V_ASN1_UTF8STRING);
        assert_memory_equal(ASN1_STRING_get0_data(value), expected[i].value,
                            strlen(expected[i].value));
    }
    GENERAL_NAMES_free(names);
}

/* SEQUENCE { Attribute { tpmSpecification, SET { SEQUENCE { "2.0", 0, ... } } } } */
static void expect_specification(X509 *certificate)
{
    static const uint8_t start[] = {0x06, 0x05, 0x67, 0x81, 0x05, 0x02, 0x10};
    static const uint8_t family[] = {0x0c, 0x03, '2', '.', '0', 0x02, 0x01, 0x00, 0x02};
    int at = X509_get_ext_by_NID(certificate, NID_subject_directory_attributes, -1);
    ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(X509_get_ext(certificate, at));

    assert_int_equal(ASN1_STRING_length(value), 27);
    assert_memory_equal(ASN1_STRING_get0_data(value) + 4, start, sizeof(start));
    assert_memory_equal(ASN1_STRING_get0_data(value) + 15, family, sizeof(family));
}

static void a_certificate_has_the_fields_of_the_profile(void **state)
{
    static const uint32_t usage[] = {KU_KEY_ENCIPHERMENT, KU_KEY_AGREEMENT};
    static const int types[] = {EVP_PKEY_RSA, EVP_PKEY_EC};
    static const int bits[] = {2048, 256};
    TSS2_TCTI_CONTEXT *context = test_open(*state);

    for (size_t i = 0; i < 2; i++) {
        X509 *certificate = read_certificate(context, indexes[i]);
        EXTENDED_KEY_USAGE *purposes = X509_get_ext_d2i(certificate, NID_ext_key_usage, NULL, NULL);
        char purpose[32];

        assert_int_equal(X509_get_version(certificate), X509_VERSION_3);
        assert_int_equal(EVP_PKEY_get_base_id(X509_get0_pubkey(certificate)), types[i]);
        assert_int_equal(EVP_PKEY_get_bits(X509_get0_pubkey(certificate)), bits[i]);
        assert_int_equal(X509_NAME_entry_count(X509_get_subject_name(certificate)), 0);
        assert_int_equal(X509_get_key_usage(certificate), usage[i]);
        assert_int_equal(X509_check_ca(certificate), 0);
        assert_int_equal(ASN1_STRING_length(X509_get0_serialNumber(certificate)), 16);
        assert_int_equal(sk_ASN1_OBJECT_num(purposes), 1);
        (void)OBJ_obj2txt(purpose, sizeof(purpose), sk_ASN1_OBJECT_value(purposes, 0), 1);
        assert_string_equal(purpose, "2.23.133.8.1");
        expect_extension(certificate, NID_basic_constraints, 1);
        expect_extension(certificate, NID_key_usage, 1);
        expect_extension(certificate, NID_ext_key_usage, 0);
        expect_extension(certificate, NID_subject_alt_name, 1);
        expect_extension(certificate, NID_subject_directory_attributes, 0);
        expect_extension(certificate, NID_authority_key_identifier, 0);
        assert_int_equal(X509_get_ext_count(certificate), 6);
        expect_device_name(certificate);
        expect_specification(certificate);
        EXTENDED_KEY_USAGE_free(purposes);
        X509_free(certificate);
    }
    test_close(context);
}

static void nothing_is_left_loaded_and_no_storage_key_is_made(void **state)
{
    TSS2_TCTI_CONTEXT *context = test_open_with(*state, ",rm=off");

    assert_int_equal(count_handles(context, TRANSIENT_FIRST, NULL), 0);
    assert_int_equal(count_handles(context, PERSISTENT_FIRST, NULL), 0);
    assert_int_equal(count_handles(context, TPM2_NV_INDEX_FIRST, NULL), 2);
    test_close(context);
}

static void each_tpm_has_keys_and_a_ca_of_its_own(void **state)
{
    static const char *const names[] = {"first", "second"};
    X509 *certificates[2], *cas[2];

    for (int i = 0; i < 2; i++) {
        char path[PATH_MAX];
        TSS2_TCTI_CONTEXT *context = test_open(test_path(*state, names[i], path));

        certificates[i] = read_certificate(context, EK_ECC_INDEX);
        cas[i] = read_pem(path, EK_CA_FILE);
        test_close(context);
    }
    assert_int_equal(
        EVP_PKEY_eq(X509_get0_pubkey(certificates[0]), X509_get0_pubkey(certificates[1])), 0);
    assert_int_not_equal(verify(certificates[0], cas[1]), X509_V_OK);
    assert_int_not_equal(ASN1_INTEGER_cmp(X509_get0_serialNumber(certificates[0]),
                                          X509_get0_serialNumber(certificates[1])),
                         0);
    for (int i = 0; i < 2; i++) {
        X509_free(certificates[i]);
        X509_free(cas[i]);
    }
}

static void a_ca_file_that_a_killed_manufacture_left_is_replaced(void **state)
{
    TSS2_TCTI_CONTEXT *context;
    X509 *ca, *certificate;
    char path[PATH_MAX];
    FILE *file = fopen(test_path(*state, EK_CA_FILE, path), "we");

    assert_true(file && fputs("orphan", file) >= 0 && fclose(file) == 0);
    context = test_open(*state);
    ca = read_pem(*state, EK_CA_FILE);
    certificate = read_certificate(context, EK_RSA_INDEX);
    assert_int_equal(verify(certificate, ca), X509_V_OK);
    X509_free(certificate);
    X509_free(ca);
    test_close(context);
}

static void a_ca_file_that_cannot_be_written_means_no_tpm(void **state)
{
    TSS2_TCTI_CONTEXT *context = NULL;
    char path[PATH_MAX];

    assert_int_equal(mkdir(test_path(*state, EK_CA_FILE ".new", path), 0700), 0);
    assert_int_not_equal(test_try_open(*state, &context), TSS2_RC_SUCCESS);
    assert_non_null(strstr(signet_tcti_last_error(), EK_CA_FILE));
    assert_int_equal(rmdir(path), 0);
    assert_int_not_equal(access(test_path(*state, "tpm2-00.permall", path), F_OK), 0);
    test_close(test_open(*state));
}

/* --- an own CA ------------------------------------------------------------- */

struct ca {
    EVP_PKEY *key;
    X509 *certificate;
};

static void add_extension(X509 *certificate, int nid, const char *value)
{
    X509V3_CTX context;
    X509_EXTENSION *extension;

    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

#define CA_PLAIN 0u
#define CA_IS_NONE 1u        /* basicConstraints CA:FALSE */
#define CA_HAS_NO_KEY_ID 2u  /* no subjectKeyIdentifier */
#define CA_HAS_LONG_NAME 4u  /* beyond what fits into an NV index */
#define CA_KEY_IS_ED25519 8u /* which signs without a digest */
#define CA_KEY_ENCRYPTED 16u /* with a password */
#define CA_KEY_IS_OTHER 32u  /* not that of the certificate */

static X509 *make_ca_certificate(EVP_PKEY *key, unsigned kind)
{
    X509 *certificate = X509_new();
    X509_NAME *name = X509_get_subject_name(certificate);

    (void)X509_set_version(certificate, X509_VERSION_3);
    (void)ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    (void)X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    (void)X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    for (int i = 0; i < (kind & CA_HAS_LONG_NAME ? 32 : 1); i++)
        assert_int_equal(
            X509_NAME_add_entry_by_txt(
                name, "OU", MBSTRING_ASC,
                (const unsigned char *)"An organisation with a name of sixty-four letters, or less",
                -1, -1, 0),
            1);
    (void)X509_set_issuer_name(certificate, name);
    (void)X509_set_pubkey(certificate, key);
    add_extension(certificate, NID_basic_constraints,
                  kind & CA_IS_NONE ? "critical,CA:FALSE" : "critical,CA:TRUE");
    add_extension(certificate, NID_key_usage, "critical,keyCertSign");
    if (!(kind & CA_HAS_NO_KEY_ID))
        add_extension(certificate, NID_subject_key_identifier, "hash");
    assert_true(X509_sign(certificate, key, kind & CA_KEY_IS_ED25519 ? NULL : EVP_sha256()) > 0);
    return certificate;
}

static X509 *write_ca(const char *directory, unsigned kind)
{
    EVP_PKEY *key = kind & CA_KEY_IS_ED25519 ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")
                                             : EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384");
    EVP_PKEY *other = kind & CA_KEY_IS_OTHER ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384") : NULL;
    const EVP_CIPHER *cipher = kind & CA_KEY_ENCRYPTED ? EVP_aes_128_cbc() : NULL;
    X509 *certificate = make_ca_certificate(key, kind);
    char path[PATH_MAX];
    FILE *file = fopen(test_path(directory, "ca.key", path), "we");

    assert_non_null(file);
    assert_int_equal(PEM_write_PKCS8PrivateKey(file, other ? other : key, cipher,
                                               cipher ? "secret" : NULL, cipher ? 6 : 0, NULL,
                                               NULL),
                     1);
    (void)fclose(file);
    file = fopen(test_path(directory, "ca.crt", path), "we");
    assert_non_null(file);
    assert_int_equal(PEM_write_X509(file, certificate), 1);
    (void)fclose(file);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
    return certificate;
}

/* Makes the TPM in "tpm" by the CA in the directory. */
static TSS2_RC make_with_ca(const char *base, struct ek_order *order, char tpm_path[PATH_MAX])
{
    struct directory directory = DIRECTORY_CLOSED;
    struct instance *instance = NULL;
    char key[PATH_MAX], certificate[PATH_MAX];
    TSS2_RC rc;

    order->ca_key = test_path(base, "ca.key", key);
    order->ca_certificate = test_path(base, "ca.crt", certificate);
    assert_int_equal(directory_open(test_path(base, "tpm", tpm_path), &directory), TSS2_RC_SUCCESS);
    assert_int_equal(instance_new(&directory, &instance), TSS2_RC_SUCCESS);
    instance->order.endorsement = *order;
    error_clear();
    rc = instance_open(instance);
    assert_int_equal(instance->manufactured, rc == TSS2_RC_SUCCESS);
    instance_free(instance);
    return rc;
}

static void an_own_ca_signs(void **state)
{
    static const unsigned kinds[] = {CA_PLAIN, CA_KEY_IS_ED25519};

    for (size_t kind = 0; kind < 2; kind++) {
        struct ek_order order = {.none = false};
        X509 *ca = write_ca(*state, kinds[kind]), *kept;
        TSS2_TCTI_CONTEXT *context;
        char path[PATH_MAX];

        assert_int_equal(make_with_ca(*state, &order, path), TSS2_RC_SUCCESS);
        kept = read_pem(path, EK_CA_FILE);
        assert_int_equal(X509_cmp(ca, kept), 0);
        context = test_open(path);
        for (size_t i = 0; i < 2; i++) {
            X509 *certificate = read_certificate(context, indexes[i]);

            assert_int_equal(verify(certificate, ca), X509_V_OK);
            X509_free(certificate);
        }
        test_close(context);
        test_remove(path);
        X509_free(ca);
        X509_free(kept);
    }
}

static void a_ca_that_cannot_vouch_is_refused_with_a_reason(void **state)
{
    static const struct {
        unsigned kind;
        const char *reason;
    } cases[] = {
        {CA_IS_NONE, "not the certificate of a CA"},  {CA_HAS_NO_KEY_ID, "no subjectKeyIdentifier"},
        {CA_HAS_LONG_NAME, "an NV index holds 2048"}, {CA_KEY_ENCRYPTED, "encrypted"},
        {CA_KEY_IS_OTHER, "not that of the key"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ek_order order = {.none = false};
        char path[PATH_MAX], file[PATH_MAX];

        X509_free(write_ca(*state, cases[i].kind));
        assert_int_not_equal(make_with_ca(*state, &order, path), TSS2_RC_SUCCESS);
        assert_non_null(strstr(error_text(), cases[i].reason));
        assert_int_not_equal(access(test_path(path, "tpm2-00.permall", file), F_OK), 0);
    }
}

static void a_ca_whose_files_are_no_pem_or_missing_is_refused(void **state)
{
    static const char *const names[] = {"ca.key", "ca.crt"};

    for (size_t i = 0; i < 2; i++) {
        struct ek_order order = {.none = false};
        char path[PATH_MAX], file[PATH_MAX];

        X509_free(write_ca(*state, CA_PLAIN));
        assert_int_equal(truncate(test_path(*state, names[i], file), 40), 0);
        assert_int_not_equal(make_with_ca(*state, &order, path), TSS2_RC_SUCCESS);
        assert_non_null(strstr(error_text(), names[i]));
        assert_non_null(strstr(error_text(), "in PEM"));
        assert_int_equal(unlink(file), 0);
        assert_int_not_equal(make_with_ca(*state, &order, path), TSS2_RC_SUCCESS);
        assert_non_null(strstr(error_text(), "No such file"));
    }
}

static void expect_none(const char *directory, const char *more)
{
    TSS2_TCTI_CONTEXT *context = test_open_with(directory, more);
    char path[PATH_MAX];

    assert_int_equal(count_handles(context, TPM2_NV_INDEX_FIRST, NULL), 0);
    assert_int_not_equal(access(test_path(directory, EK_CA_FILE, path), F_OK), 0);
    test_close(context);
}

static void what_a_killed_manufacture_left_goes_from_a_tpm_without_certificates(void **state)
{
    static const char *const names[] = {EK_CA_FILE, EK_CA_FILE ".new"};
    char path[PATH_MAX];

    for (size_t i = 0; i < 2; i++) {
        FILE *file = fopen(test_path(*state, names[i], path), "we");

        assert_true(file && fclose(file) == 0);
    }
    expect_none(*state, ",ek=off");
    assert_int_not_equal(access(path, F_OK), 0);
}

static void a_tpm_can_be_made_without_certificates(void **state)
{
    char path[PATH_MAX];
    TSS2_TCTI_CONTEXT *context;

    expect_none(test_path(*state, "configured", path), ",ek=off");
    expect_none(path, "");
    (void)setenv("SIGNET_TPM_EK", "off", 1);
    expect_none(test_path(*state, "environment", path), "");
    context = test_open_with(test_path(*state, "whole", path), ",ek=on");
    (void)unsetenv("SIGNET_TPM_EK");
    assert_int_equal(count_handles(context, TPM2_NV_INDEX_FIRST, NULL), 2);
    test_close(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(both_certificates_verify_under_the_ca_of_the_directory),
        TEST(a_certificate_has_the_fields_of_the_profile),
        TEST(nothing_is_left_loaded_and_no_storage_key_is_made),
        TEST(each_tpm_has_keys_and_a_ca_of_its_own),
        TEST(a_ca_file_that_a_killed_manufacture_left_is_replaced),
        TEST(a_ca_file_that_cannot_be_written_means_no_tpm),
        TEST(an_own_ca_signs),
        TEST(a_ca_that_cannot_vouch_is_refused_with_a_reason),
        TEST(a_ca_whose_files_are_no_pem_or_missing_is_refused),
        TEST(a_tpm_can_be_made_without_certificates),
        TEST(what_a_killed_manufacture_left_goes_from_a_tpm_without_certificates),
    };

    return cmocka_run_group_tests_name("emulator: endorsement keys", tests, NULL, NULL);
}
