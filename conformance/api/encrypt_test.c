/* PKCS#11 2.40 sections 5.8 and 5.9: RSA encryption with the public key, in
 * software, and decryption with the private key. */
#include "conformance/api/encryption.h"

static void assert_plain(const struct block *block, const void *expected, size_t length)
{
    assert_int_equal(block->length, length);
    assert_memory_equal(block->bytes, expected, length);
}

static void what_openssl_encrypts_is_decrypted(void **state)
{
    struct token *token = rsa_token_or_skip();

    (void)state;
    for (size_t i = 0; i < MECHANISMS; i++) {
        struct block in, out;

        if (!supported(token, &mechanisms[i]))
            continue;
        in = openssl_encrypt(token, &mechanisms[i], plain, sizeof(plain));
        assert_ok(decrypt(token, &mechanisms[i], &in, &out));
        assert_plain(&out, plain, sizeof(plain));
    }
}

static void what_the_module_encrypts_is_decrypted(void **state)
{
    struct token *token = rsa_token_or_skip();

    (void)state;
    for (size_t i = 0; i < MECHANISMS; i++) {
        struct block in = {.length = MAX_BLOCK}, out;

        if (!supported(token, &mechanisms[i]))
            continue;
        assert_ok(p11->C_EncryptInit(token->session, &mechanisms[i], token->public_key));
        assert_ok(p11->C_Encrypt(token->session, plain, sizeof(plain), in.bytes, &in.length));
        assert_int_equal(in.length, token->signature_size);
        assert_ok(decrypt(token, &mechanisms[i], &in, &out));
        assert_plain(&out, plain, sizeof(plain));
    }
}

static void messages_of_the_shortest_and_longest_size_come_back(void **state)
{
    struct token *token = rsa_token_or_skip();
    size_t longest[] = {token->signature_size - 11, token->signature_size - 2 * 20 - 2,
                        token->signature_size - 2 * 32 - 2};
    unsigned char data[MAX_BLOCK];

    (void)state;
    memset(data, 0x33, sizeof(data));
    for (size_t i = 0; i < COUNT_OF(longest); i++) {
        size_t lengths[] = {1, longest[i]};

        for (size_t j = 0; j < COUNT_OF(lengths) && supported(token, &mechanisms[i]); j++) {
            struct block in = openssl_encrypt(token, &mechanisms[i], data, lengths[j]), out;

            assert_ok(decrypt(token, &mechanisms[i], &in, &out));
            assert_plain(&out, data, lengths[j]);
        }
    }
}

/* Section 5.2: the query may answer more than will come, not less. */
static void the_size_can_be_asked_for(void **state)
{
    struct token *token = rsa_token_or_skip();
    struct block in = openssl_encrypt(token, &mechanisms[OAEP_SHA1], plain, sizeof(plain)), out;
    CK_ULONG size = POISON_ULONG;

    (void)state;
    assert_ok(p11->C_DecryptInit(token->session, &mechanisms[OAEP_SHA1], token->private_key));
    assert_ok(p11->C_Decrypt(token->session, in.bytes, in.length, NULL, &size));
    assert_in_range(size, sizeof(plain), token->signature_size);
    out.length = size;
    assert_ok(p11->C_Decrypt(token->session, in.bytes, in.length, out.bytes, &out.length));
    assert_plain(&out, plain, sizeof(plain));
    assert_rv(p11->C_Decrypt(token->session, in.bytes, in.length, out.bytes, &out.length),
              CKR_OPERATION_NOT_INITIALIZED);
}

static void a_buffer_too_small_does_not_end_the_decryption(void **state)
{
    struct token *token = rsa_token_or_skip();
    struct block in = openssl_encrypt(token, &mechanisms[OAEP_SHA1], plain, sizeof(plain)), out;
    CK_ULONG rooms[] = {0, 1, sizeof(plain) - 1};

    (void)state;
    memset(out.bytes, POISON_BYTE, sizeof(out.bytes));
    assert_ok(p11->C_DecryptInit(token->session, &mechanisms[OAEP_SHA1], token->private_key));
    for (size_t i = 0; i < COUNT_OF(rooms); i++) {
        out.length = rooms[i];
        assert_rv(p11->C_Decrypt(token->session, in.bytes, in.length, out.bytes, &out.length),
                  CKR_BUFFER_TOO_SMALL);
        assert_in_range(out.length, sizeof(plain), token->signature_size);
        assert_true(untouched(out.bytes, sizeof(out.bytes)));
    }
    assert_ok(p11->C_Decrypt(token->session, in.bytes, in.length, out.bytes, &out.length));
    assert_plain(&out, plain, sizeof(plain));
}

/* OpenSSL gives a buffer of exactly the message's size in some paths. */
static void a_buffer_of_the_exact_size_is_enough(void **state)
{
    struct token *token = rsa_token_or_skip();
    struct block in = openssl_encrypt(token, &mechanisms[OAEP_SHA1], plain, sizeof(plain)), out;

    (void)state;
    assert_ok(p11->C_DecryptInit(token->session, &mechanisms[OAEP_SHA1], token->private_key));
    out.length = sizeof(plain);
    if (assert_rv(p11->C_Decrypt(token->session, in.bytes, in.length, out.bytes, &out.length),
                  CKR_OK, CKR_BUFFER_TOO_SMALL) == CKR_BUFFER_TOO_SMALL)
        assert_ok(p11->C_Decrypt(token->session, in.bytes, in.length, out.bytes, &out.length));
    assert_plain(&out, plain, sizeof(plain));
}

static void the_encryptions_size_can_be_asked_for(void **state)
{
    struct token *token = rsa_token_or_skip();
    struct block out;
    CK_ULONG size = POISON_ULONG;

    (void)state;
    memset(out.bytes, POISON_BYTE, sizeof(out.bytes));
    assert_ok(p11->C_EncryptInit(token->session, &mechanisms[PKCS1], token->public_key));
    assert_ok(p11->C_Encrypt(token->session, plain, sizeof(plain), NULL, &size));
    assert_int_equal(size, token->signature_size);
    out.length = size - 1;
    assert_rv(p11->C_Encrypt(token->session, plain, sizeof(plain), out.bytes, &out.length),
              CKR_BUFFER_TOO_SMALL);
    assert_int_equal(out.length, size);
    assert_true(untouched(out.bytes, sizeof(out.bytes)));
    assert_ok(p11->C_Encrypt(token->session, plain, sizeof(plain), out.bytes, &out.length));
}

static void raw_rsa_undoes_itself(void **state)
{
    struct token *token = rsa_token_or_skip();
    CK_MECHANISM raw = {CKM_RSA_X_509, NULL, 0};
    unsigned char data[MAX_BLOCK] = {0};
    struct block in = {.length = MAX_BLOCK}, out;

    (void)state;
    mechanism_or_skip(token->slot, CKM_RSA_X_509);
    memset(data + 1, 0x21, token->signature_size - 1);
    assert_ok(p11->C_EncryptInit(token->session, &raw, token->public_key));
    assert_ok(p11->C_Encrypt(token->session, data, token->signature_size, in.bytes, &in.length));
    assert_ok(decrypt(token, &raw, &in, &out));
    assert_plain(&out, data, token->signature_size);
}

/* RSA is for one part; a module that joins parts must join them rightly. */
static void parts_are_refused_or_joined(void **state)
{
    struct token *token = rsa_token_or_skip();
    struct block in = openssl_encrypt(token, &mechanisms[OAEP_SHA1], plain, sizeof(plain)), out;
    CK_ULONG got = 0;
    CK_RV rv;

    (void)state;
    assert_ok(p11->C_DecryptInit(token->session, &mechanisms[OAEP_SHA1], token->private_key));
    out.length = MAX_BLOCK;
    rv = p11->C_DecryptUpdate(token->session, in.bytes, 100, out.bytes, &out.length);
    assert_rv(rv, CKR_OK, CKR_FUNCTION_NOT_SUPPORTED, CKR_OPERATION_NOT_INITIALIZED,
              CKR_MECHANISM_INVALID, CKR_FUNCTION_FAILED);
    if (rv != CKR_OK)
        return;
    got = out.length;
    out.length = MAX_BLOCK - got;
    assert_ok(p11->C_DecryptUpdate(token->session, in.bytes + 100, in.length - 100, out.bytes + got,
                                   &out.length));
    got += out.length;
    out.length = MAX_BLOCK - got;
    assert_ok(p11->C_DecryptFinal(token->session, out.bytes + got, &out.length));
    out.length += got;
    assert_plain(&out, plain, sizeof(plain));
}

#define test(function) cmocka_unit_test_teardown(function, close_everything)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(what_openssl_encrypts_is_decrypted),
        test(what_the_module_encrypts_is_decrypted),
        test(messages_of_the_shortest_and_longest_size_come_back),
        test(the_size_can_be_asked_for),
        test(a_buffer_too_small_does_not_end_the_decryption),
        test(a_buffer_of_the_exact_size_is_enough),
        test(the_encryptions_size_can_be_asked_for),
        test(raw_rsa_undoes_itself),
        test(parts_are_refused_or_joined),
    };

    return cmocka_run_group_tests(tests, initialised_setup, initialised_teardown);
}
