/* PKCS#11 2.40 sections 5.8 and 5.9: what RSA encryption and decryption refuse. */
#include "conformance/api/encryption.h"

static void a_message_that_is_too_long_is_out_of_range(void **state)
{
    struct token *token = rsa_token_or_skip();
    unsigned char data[MAX_BLOCK] = {0};

    (void)state;
    for (size_t i = 0; i < MECHANISMS; i++) {
        struct block out = {.length = MAX_BLOCK};

        if (!supported(token, &mechanisms[i]))
            continue;
        assert_ok(p11->C_EncryptInit(token->session, &mechanisms[i], token->public_key));
        expect_rv(p11->C_Encrypt(token->session, data, token->signature_size - 10, out.bytes,
                                 &out.length),
                  CKR_DATA_LEN_RANGE);
    }
    expectations_met();
}

static void a_changed_ciphertext_is_invalid(void **state)
{
    struct token *token = rsa_token_or_skip();

    (void)state;
    for (size_t i = OAEP_SHA1; i < MECHANISMS; i++) {
        struct block in, out;

        if (!supported(token, &mechanisms[i]))
            continue;
        in = openssl_encrypt(token, &mechanisms[i], plain, sizeof(plain));
        in.bytes[in.length - 1] ^= 1;
        expect_rv(decrypt(token, &mechanisms[i], &in, &out), CKR_ENCRYPTED_DATA_INVALID);
        expect_true(untouched(out.bytes, sizeof(out.bytes)));
        in.bytes[in.length - 1] ^= 1;
        expect_rv(decrypt(token, &mechanisms[i], &in, &out), CKR_OK);
    }
    expectations_met();
}

/* A wrong padding may also be answered with random data (implicit rejection). */
static void a_wrong_pkcs1_padding_gives_nothing_of_the_plain_text(void **state)
{
    struct token *token = rsa_token_or_skip();
    struct block in = openssl_encrypt(token, &mechanisms[OAEP_SHA1], plain, sizeof(plain)), out;
    CK_RV rv = decrypt(token, &mechanisms[PKCS1], &in, &out);

    (void)state;
    assert_rv(rv, CKR_ENCRYPTED_DATA_INVALID, CKR_OK);
    if (rv == CKR_OK)
        assert_true(out.length != sizeof(plain) || memcmp(out.bytes, plain, sizeof(plain)) != 0);
}

static void nothing_in_place_of_the_ciphertext_is_a_bad_argument(void **state)
{
    struct token *token = rsa_token_or_skip();
    struct block in = openssl_encrypt(token, &mechanisms[PKCS1], plain, sizeof(plain));
    struct block out = {.length = 1};

    (void)state;
    assert_ok(p11->C_DecryptInit(token->session, &mechanisms[PKCS1], token->private_key));
    assert_rv(p11->C_Decrypt(token->session, in.bytes, in.length, out.bytes, &out.length),
              CKR_BUFFER_TOO_SMALL);
    assert_rv(p11->C_Decrypt(token->session, NULL, in.length, out.bytes, &out.length),
              CKR_ARGUMENTS_BAD);
}

static void another_label_does_not_decrypt(void **state)
{
    struct token *token = rsa_token_or_skip();
    struct block in, out;

    (void)state;
    if (!supported(token, &mechanisms[OAEP_SHA256_LABEL]))
        skip_because("OAEP labels are not supported");
    in = openssl_encrypt(token, &mechanisms[OAEP_SHA256_LABEL], plain, sizeof(plain));
    assert_rv(decrypt(token, &mechanisms[OAEP_SHA256], &in, &out), CKR_ENCRYPTED_DATA_INVALID);
}

static void ciphertexts_of_another_size_are_out_of_range(void **state)
{
    struct token *token = rsa_token_or_skip();
    CK_ULONG lengths[] = {0, 1, token->signature_size - 1, token->signature_size + 1};

    (void)state;
    for (size_t i = 0; i < 2; i++)
        for (size_t j = 0; j < COUNT_OF(lengths); j++) {
            struct block in = {{0}, lengths[j]}, out;

            expect_rv(decrypt(token, &mechanisms[i], &in, &out), CKR_ENCRYPTED_DATA_LEN_RANGE);
        }
    expectations_met();
}

static void a_ciphertext_beyond_the_modulus_is_invalid(void **state)
{
    struct token *token = rsa_token_or_skip();
    struct block in = {.length = token->signature_size}, out;

    (void)state;
    memset(in.bytes, 0xFF, sizeof(in.bytes));
    for (size_t i = 0; i < 2; i++)
        expect_rv(decrypt(token, &mechanisms[i], &in, &out), CKR_ENCRYPTED_DATA_INVALID,
                  CKR_ENCRYPTED_DATA_LEN_RANGE);
    expectations_met();
}

static void bad_parameters_of_oaep_are_invalid(void **state)
{
    struct token *token = rsa_token_or_skip();
    CK_RSA_PKCS_OAEP_PARAMS wrong[] = {
        {CKM_RSA_PKCS, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, NULL, 0},
        {CKM_SHA_1, 0x7FFFFFFF, CKZ_DATA_SPECIFIED, NULL, 0},
        {CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, NULL, 10},
        {CKM_SHA_1, CKG_MGF1_SHA1, 99, oaep_label, 4},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        CK_MECHANISM mechanism = {CKM_RSA_PKCS_OAEP, &wrong[i], sizeof(wrong[i])};

        expect_rv(p11->C_DecryptInit(token->session, &mechanism, token->private_key),
                  CKR_MECHANISM_PARAM_INVALID, CKR_ARGUMENTS_BAD);
    }
    expect_rv(
        p11->C_DecryptInit(token->session,
                           &(CK_MECHANISM){CKM_RSA_PKCS_OAEP, mechanisms[OAEP_SHA1].pParameter, 3},
                           token->private_key),
        CKR_MECHANISM_PARAM_INVALID, CKR_ARGUMENTS_BAD);
    expect_rv(p11->C_DecryptInit(token->session, &(CK_MECHANISM){CKM_RSA_PKCS_OAEP, NULL, 0},
                                 token->private_key),
              CKR_MECHANISM_PARAM_INVALID, CKR_ARGUMENTS_BAD);
    expectations_met();
}

static void keys_and_order_are_checked(void **state)
{
    struct token *token = rsa_token_or_skip();
    struct block block = {.length = MAX_BLOCK};

    (void)state;
    expect_rv(p11->C_Decrypt(token->session, block.bytes, 256, block.bytes, &block.length),
              CKR_OPERATION_NOT_INITIALIZED);
    expect_rv(p11->C_DecryptInit(token->session, &mechanisms[PKCS1], 0), CKR_KEY_HANDLE_INVALID);
    expect_rv(p11->C_EncryptInit(token->session, &mechanisms[PKCS1], ~0UL), CKR_KEY_HANDLE_INVALID);
    expect_rv(p11->C_DecryptInit(token->session, &mechanisms[PKCS1], token->public_key),
              CKR_KEY_TYPE_INCONSISTENT, CKR_KEY_FUNCTION_NOT_PERMITTED, CKR_KEY_HANDLE_INVALID);
    expect_rv(p11->C_DecryptInit(token->session, &mechanisms[PKCS1], token->private_key), CKR_OK);
    expect_rv(p11->C_DecryptInit(token->session, &mechanisms[PKCS1], token->private_key),
              CKR_OPERATION_ACTIVE);
    expectations_met();
}

#define test(function) cmocka_unit_test_teardown(function, close_everything)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_message_that_is_too_long_is_out_of_range),
        test(a_changed_ciphertext_is_invalid),
        test(a_wrong_pkcs1_padding_gives_nothing_of_the_plain_text),
        test(nothing_in_place_of_the_ciphertext_is_a_bad_argument),
        test(another_label_does_not_decrypt),
        test(ciphertexts_of_another_size_are_out_of_range),
        test(a_ciphertext_beyond_the_modulus_is_invalid),
        test(bad_parameters_of_oaep_are_invalid),
        test(keys_and_order_are_checked),
    };

    return cmocka_run_group_tests(tests, initialised_setup, initialised_teardown);
}
