/* PKCS#11 2.40 mechanisms, section 2.1.9 and 2.1.10: the parameters of PSS. */
#include <openssl/rsa.h>

#include "conformance/api/schemes.h"

static unsigned char signature[1024];
static unsigned char hash[EVP_MAX_MD_SIZE];
static CK_ULONG length;

static struct token *pss_token_or_skip(CK_MECHANISM_TYPE type)
{
    struct token *token = token_or_skip("PKCS11_TOKEN_RSA");

    mechanism_or_skip(token->slot, type);
    return token;
}

static CK_RV sign(struct token *token, CK_MECHANISM *mechanism, size_t data_length)
{
    CK_RV rv = p11->C_SignInit(token->session, mechanism, token->private_key);

    length = sizeof(signature);
    if (rv != CKR_OK)
        return rv;
    return p11->C_Sign(token->session, hash, data_length, signature, &length);
}

static CK_MECHANISM with_params(CK_MECHANISM_TYPE type, CK_RSA_PKCS_PSS_PARAMS *params)
{
    CK_MECHANISM mechanism = {type, params, sizeof(*params)};

    return mechanism;
}

/* The salt length that a signature really has. */
static bool openssl_finds_salt(const struct token *token, const char *name, int salt_length,
                               size_t data_length)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(token->key, NULL);
    const EVP_MD *md = EVP_get_digestbyname(name);
    bool good = EVP_PKEY_verify_init(context) > 0 &&
                EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) > 0 &&
                EVP_PKEY_CTX_set_signature_md(context, md) > 0 &&
                EVP_PKEY_CTX_set_rsa_mgf1_md(context, md) > 0 &&
                EVP_PKEY_CTX_set_rsa_pss_saltlen(context, salt_length) > 0 &&
                EVP_PKEY_verify(context, signature, length, hash, data_length) == 1;

    EVP_PKEY_CTX_free(context);
    return good;
}

static void sign_with_salt(struct token *token, const char *name, CK_ULONG salt_length)
{
    CK_RSA_PKCS_PSS_PARAMS params = pss_params(name, salt_length);
    CK_MECHANISM mechanism = with_params(CKM_RSA_PKCS_PSS, &params);
    size_t hash_length = hash_bytes(name, "message", 7, hash);

    if (expect_rv(sign(token, &mechanism, hash_length), CKR_OK) != CKR_OK) {
        print_error("    with %s and a salt of %lu bytes\n", name, salt_length);
        return;
    }
    expect_true(openssl_finds_salt(token, name, (int)salt_length, hash_length));
    assert_ok(p11->C_VerifyInit(token->session, &mechanism, token->public_key));
    expect_rv(p11->C_Verify(token->session, hash, hash_length, signature, length), CKR_OK);
}

static void the_salt_length_is_honoured(void **state)
{
    struct token *token = pss_token_or_skip(CKM_RSA_PKCS_PSS);
    static const char *const names[] = {"SHA1", "SHA256", "SHA384", "SHA512"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        size_t hash_length = hash_bytes(names[i], "", 0, hash);
        CK_ULONG salts[] = {0, 20, 32, hash_length, token->signature_size - hash_length - 2};

        for (size_t j = 0; j < COUNT_OF(salts); j++)
            sign_with_salt(token, names[i], salts[j]);
    }
    expectations_met();
}

static void the_salt_length_of_hashing_mechanisms_is_honoured(void **state)
{
    struct token *token = pss_token_or_skip(CKM_SHA256_RSA_PKCS_PSS);
    CK_ULONG salts[] = {0, 20, 32, token->signature_size - 32 - 2};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(salts); i++) {
        CK_RSA_PKCS_PSS_PARAMS params = pss_params("SHA256", salts[i]);
        CK_MECHANISM mechanism = with_params(CKM_SHA256_RSA_PKCS_PSS, &params);

        assert_ok(sign(token, &mechanism, 20));
        assert_true(openssl_verifies(token, &mechanism, hash, 20, signature, length));
    }
}

static void a_salt_of_another_length_is_invalid(void **state)
{
    struct token *token = pss_token_or_skip(CKM_RSA_PKCS_PSS);
    CK_RSA_PKCS_PSS_PARAMS params = pss_params("SHA256", 32);
    CK_MECHANISM mechanism = with_params(CKM_RSA_PKCS_PSS, &params);

    (void)state;
    assert_ok(sign(token, &mechanism, 32));
    params.sLen = 20;
    assert_ok(p11->C_VerifyInit(token->session, &mechanism, token->public_key));
    assert_rv(p11->C_Verify(token->session, hash, 32, signature, length), CKR_SIGNATURE_INVALID);
}

static void two_signatures_have_different_salts(void **state)
{
    struct token *token = pss_token_or_skip(CKM_RSA_PKCS_PSS);
    CK_ULONG salts[] = {20, 32, token->signature_size - 32 - 2};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(salts); i++) {
        CK_RSA_PKCS_PSS_PARAMS params = pss_params("SHA256", salts[i]);
        CK_MECHANISM mechanism = with_params(CKM_RSA_PKCS_PSS, &params);
        unsigned char first[1024];

        assert_ok(sign(token, &mechanism, 32));
        memcpy(first, signature, length);
        assert_ok(sign(token, &mechanism, 32));
        assert_memory_not_equal(first, signature, length);
    }
}

static void data_of_another_length_than_the_hash_is_out_of_range(void **state)
{
    struct token *token = pss_token_or_skip(CKM_RSA_PKCS_PSS);
    CK_RSA_PKCS_PSS_PARAMS params = pss_params("SHA256", 32);
    CK_MECHANISM mechanism = with_params(CKM_RSA_PKCS_PSS, &params);
    size_t lengths[] = {0, 20, 31, 33, 64};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(lengths); i++)
        expect_rv(sign(token, &mechanism, lengths[i]), CKR_DATA_LEN_RANGE);
    expectations_met();
}

/* Refused at C_SignInit, so that no operation is left behind. */
static void refused(struct token *token, CK_MECHANISM mechanism)
{
    expect_rv(p11->C_SignInit(token->session, &mechanism, token->private_key),
              CKR_MECHANISM_PARAM_INVALID, CKR_ARGUMENTS_BAD);
    expect_rv(p11->C_Sign(token->session, hash, 32, signature, &length),
              CKR_OPERATION_NOT_INITIALIZED);
}

static void parameters_of_a_wrong_size_are_invalid(void **state)
{
    struct token *token = pss_token_or_skip(CKM_RSA_PKCS_PSS);
    CK_RSA_PKCS_PSS_PARAMS params = pss_params("SHA256", 32);

    (void)state;
    refused(token, (CK_MECHANISM){CKM_RSA_PKCS_PSS, NULL, 0});
    refused(token, (CK_MECHANISM){CKM_RSA_PKCS_PSS, NULL, sizeof(params)});
    refused(token, (CK_MECHANISM){CKM_RSA_PKCS_PSS, &params, sizeof(params) - 1});
    refused(token, (CK_MECHANISM){CKM_RSA_PKCS_PSS, &params, 0});
    refused(token, (CK_MECHANISM){CKM_SHA256_RSA_PKCS_PSS, NULL, 0});
    expectations_met();
}

static void parameters_without_sense_are_invalid(void **state)
{
    struct token *token = pss_token_or_skip(CKM_RSA_PKCS_PSS);
    CK_RSA_PKCS_PSS_PARAMS wrong[] = {
        {CKM_RSA_PKCS, CKG_MGF1_SHA256, 32},
        {0x7FFFFFFF, CKG_MGF1_SHA256, 32},
        {CKM_SHA256, 0, 32},
        {CKM_SHA256, 0x7FFFFFFF, 32},
        {CKM_SHA256, CKG_MGF1_SHA256, token->signature_size - 32 - 1},
        {CKM_SHA256, CKG_MGF1_SHA256, 1UL << 31},
        {CKM_SHA256, CKG_MGF1_SHA256, ~0UL},
    };

    (void)state;
    signet_only("PSS parameters are checked when the operation begins");
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        refused(token, with_params(CKM_RSA_PKCS_PSS, &wrong[i]));
    expectations_met();
}

static void the_parameters_name_the_mechanisms_own_hash(void **state)
{
    struct token *token = pss_token_or_skip(CKM_SHA256_RSA_PKCS_PSS);
    CK_RSA_PKCS_PSS_PARAMS params = pss_params("SHA1", 20);

    (void)state;
    refused(token, with_params(CKM_SHA256_RSA_PKCS_PSS, &params));
    expectations_met();
}

static void a_mask_of_another_hash_is_done_right_or_refused(void **state)
{
    struct token *token = pss_token_or_skip(CKM_RSA_PKCS_PSS);
    CK_RSA_PKCS_PSS_PARAMS params = {CKM_SHA256, CKG_MGF1_SHA1, 32};
    CK_MECHANISM mechanism = with_params(CKM_RSA_PKCS_PSS, &params);

    (void)state;
    if (assert_rv(sign(token, &mechanism, 32), CKR_OK, CKR_MECHANISM_PARAM_INVALID,
                  CKR_ARGUMENTS_BAD) != CKR_OK)
        return;
    assert_false(openssl_finds_salt(token, "SHA256", 32, 32));
    assert_ok(p11->C_VerifyInit(token->session, &mechanism, token->public_key));
    assert_ok(p11->C_Verify(token->session, hash, 32, signature, length));
}

#define test(function) cmocka_unit_test_teardown(function, close_everything)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(the_salt_length_is_honoured),
        test(the_salt_length_of_hashing_mechanisms_is_honoured),
        test(a_salt_of_another_length_is_invalid),
        test(two_signatures_have_different_salts),
        test(data_of_another_length_than_the_hash_is_out_of_range),
        test(parameters_of_a_wrong_size_are_invalid),
        test(parameters_without_sense_are_invalid),
        test(the_parameters_name_the_mechanisms_own_hash),
        test(a_mask_of_another_hash_is_done_right_or_refused),
    };

    return cmocka_run_group_tests(tests, initialised_setup, initialised_teardown);
}
