/* PKCS#11 2.40 mechanisms, sections 2.1 and 2.3: the data that raw signing
 * mechanisms take, and what they refuse. */
#include "conformance/api/schemes.h"

static CK_MECHANISM raw_ecdsa = {CKM_ECDSA, NULL, 0}, raw_rsa = {CKM_RSA_PKCS, NULL, 0};
static unsigned char data[32] = "thirty-two bytes to be signed...";
static unsigned char signature[1024];
static CK_ULONG length;

static struct token *any_token_or_skip(void)
{
    struct token *tokens[2];

    key_tokens(tokens);
    return tokens[0];
}

static CK_MECHANISM *raw_mechanism(const struct token *token)
{
    return token->key_type == CKK_RSA ? &raw_rsa : &raw_ecdsa;
}

static CK_RV begin(struct token *token, CK_MECHANISM *mechanism)
{
    length = sizeof(signature);
    return p11->C_SignInit(token->session, mechanism, token->private_key);
}

static CK_RV sign(struct token *token)
{
    length = sizeof(signature);
    return p11->C_Sign(token->session, data, sizeof(data), signature, &length);
}

/* The standard has them in one part only; what is accepted must be right. */
static void parts_of_a_raw_mechanism_are_refused_or_joined(void **state)
{
    struct token *token = any_token_or_skip();
    CK_MECHANISM *mechanism = raw_mechanism(token);
    CK_RV rv;

    (void)state;
    assert_ok(begin(token, mechanism));
    rv = p11->C_SignUpdate(token->session, data, 16);
    assert_rv(rv, CKR_OK, CKR_FUNCTION_NOT_SUPPORTED, CKR_OPERATION_NOT_INITIALIZED,
              CKR_MECHANISM_INVALID, CKR_FUNCTION_FAILED);
    if (rv != CKR_OK)
        return;
    assert_ok(p11->C_SignUpdate(token->session, data + 16, 16));
    assert_ok(p11->C_SignFinal(token->session, signature, &length));
    assert_true(openssl_verifies(token, mechanism, data, sizeof(data), signature, length));
}

static void an_empty_message_is_signed(void **state)
{
    struct token *token = token_or_skip("PKCS11_TOKEN_RSA");
    CK_MECHANISM mechanism = {CKM_SHA256_RSA_PKCS, NULL, 0};

    (void)state;
    mechanism_or_skip(token->slot, mechanism.mechanism);
    assert_ok(begin(token, &mechanism));
    assert_ok(p11->C_Sign(token->session, data, 0, signature, &length));
    assert_true(openssl_verifies(token, &mechanism, data, 0, signature, length));
    assert_ok(begin(token, &mechanism));
    assert_ok(p11->C_SignFinal(token->session, signature, &length));
    assert_true(openssl_verifies(token, &mechanism, data, 0, signature, length));
}

/* Expects the data to be refused, and the operation to be over then. */
static void refuse_data(struct token *token, CK_MECHANISM *mechanism, size_t data_length, CK_RV one,
                        CK_RV other)
{
    unsigned char much[MAX_VALUE];

    memset(much, 0xFF, sizeof(much));
    assert_ok(begin(token, mechanism));
    assert_rv(p11->C_Sign(token->session, much, data_length, signature, &length), one, other);
    assert_rv(sign(token), CKR_OPERATION_NOT_INITIALIZED);
}

static void too_much_data_is_out_of_range(void **state)
{
    struct token *token = token_or_skip("PKCS11_TOKEN_RSA");
    size_t size = token->signature_size;
    CK_MECHANISM block = {CKM_RSA_X_509, NULL, 0};

    (void)state;
    refuse_data(token, &raw_rsa, size - 10, CKR_DATA_LEN_RANGE, CKR_DATA_LEN_RANGE);
    refuse_data(token, &raw_rsa, size + 1, CKR_DATA_LEN_RANGE, CKR_DATA_LEN_RANGE);
    mechanism_or_skip(token->slot, CKM_RSA_X_509);
    refuse_data(token, &block, size + 1, CKR_DATA_LEN_RANGE, CKR_DATA_LEN_RANGE);
    refuse_data(token, &block, size, CKR_DATA_INVALID, CKR_DATA_LEN_RANGE);
}

static void the_longest_data_of_pkcs1_is_signed(void **state)
{
    struct token *token = token_or_skip("PKCS11_TOKEN_RSA");
    size_t lengths[] = {0, 1, 20, 36, 51, token->signature_size - 11};
    unsigned char much[MAX_VALUE];

    (void)state;
    memset(much, 0x42, sizeof(much));
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        assert_ok(begin(token, &raw_rsa));
        assert_ok(p11->C_Sign(token->session, much, lengths[i], signature, &length));
        assert_true(openssl_verifies(token, &raw_rsa, much, lengths[i], signature, length));
    }
}

static void a_short_block_is_padded_with_zeros_before_it(void **state)
{
    struct token *token = token_or_skip("PKCS11_TOKEN_RSA");
    CK_MECHANISM block = {CKM_RSA_X_509, NULL, 0};

    (void)state;
    mechanism_or_skip(token->slot, CKM_RSA_X_509);
    assert_ok(begin(token, &block));
    assert_ok(sign(token));
    assert_true(openssl_verifies(token, &block, data, sizeof(data), signature, length));
}

/* PKCS#11 2.40 mechanisms, section 2.3.1: longer hashes are cut on the left. */
static void hashes_of_every_length_are_signed_by_ecdsa(void **state)
{
    struct token *token = token_or_skip("PKCS11_TOKEN_EC");
    size_t lengths[] = {20, 28, 32, 48, 64};
    unsigned char hash[64];

    (void)state;
    for (size_t i = 0; i < sizeof(hash); i++)
        hash[i] = (unsigned char)(0x80 + i);
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        assert_ok(begin(token, &raw_ecdsa));
        assert_ok(p11->C_Sign(token->session, hash, lengths[i], signature, &length));
        assert_int_equal(length, 64);
        assert_true(openssl_verifies(token, &raw_ecdsa, hash, lengths[i], signature, length));
        assert_ok(p11->C_VerifyInit(token->session, &raw_ecdsa, token->public_key));
        assert_ok(p11->C_Verify(token->session, hash, lengths[i], signature, length));
    }
}

static void odd_lengths_for_ecdsa_are_signed_or_out_of_range(void **state)
{
    struct token *token = token_or_skip("PKCS11_TOKEN_EC");
    size_t lengths[] = {1, 19, 31, 33, 63, 65, 200};
    unsigned char hash[200];

    (void)state;
    memset(hash, 0x77, sizeof(hash));
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        CK_RV rv;

        assert_ok(begin(token, &raw_ecdsa));
        rv = p11->C_Sign(token->session, hash, lengths[i], signature, &length);
        assert_rv(rv, CKR_OK, CKR_DATA_LEN_RANGE);
        if (rv == CKR_OK)
            assert_true(openssl_verifies(token, &raw_ecdsa, hash, lengths[i], signature, length));
    }
}

static void a_signature_of_zeros_is_invalid(void **state)
{
    struct token *tokens[2];
    size_t count = key_tokens(tokens);

    (void)state;
    memset(signature, 0, sizeof(signature));
    for (size_t i = 0; i < count; i++) {
        assert_ok(
            p11->C_VerifyInit(tokens[i]->session, raw_mechanism(tokens[i]), tokens[i]->public_key));
        assert_rv(p11->C_Verify(tokens[i]->session, data, sizeof(data), signature,
                                tokens[i]->signature_size),
                  CKR_SIGNATURE_INVALID);
    }
}

#define test(function) cmocka_unit_test_teardown(function, close_everything)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(parts_of_a_raw_mechanism_are_refused_or_joined),
        test(an_empty_message_is_signed),
        test(too_much_data_is_out_of_range),
        test(the_longest_data_of_pkcs1_is_signed),
        test(a_short_block_is_padded_with_zeros_before_it),
        test(hashes_of_every_length_are_signed_by_ecdsa),
        test(odd_lengths_for_ecdsa_are_signed_or_out_of_range),
        test(a_signature_of_zeros_is_invalid),
    };

    return cmocka_run_group_tests(tests, initialised_setup, initialised_teardown);
}
