#include "token/key/test_support.h"

#include "token/crypto/cipher.h"
#include "token/crypto/mac.h"

/* Secret keys in the TPM, compared with what OpenSSL makes of the same value; how they are
 * kept, and what they refuse. */

static const char value[] = "0123456789abcdef0123456789abcdef0123456789ABCDEF0123456789ABCDEF";

static struct key_spec spec_of(enum key_algorithm algorithm, unsigned bits)
{
    return (struct key_spec){.algorithm = algorithm, .bits = bits};
}

static struct key *in_tpm(struct vault *in, enum key_algorithm algorithm, size_t size, bool given)
{
    const struct key_spec spec = spec_of(algorithm, (unsigned)size * 8);
    struct key *key = NULL;
    assert_ok(key_secret_in_tpm(in, &spec, HASH_NONE, view_of(given ? value : NULL, given * size),
                                u1, &key));
    assert_int_equal(key_place(key), KEY_IN_OTHER_TPM);
    assert_true(key_keeps_value(key));
    assert_false(key_needs_login(key));
    return key;
}

static const uint8_t *message(void)
{
    static uint8_t bytes[4096];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 29 + 3);
    return bytes;
}

static void codes_of_every_size_are_openssls(UNUSED void **state)
{
    static const size_t sizes[] = {0, 1, 63, 64, 1023, 1024, 1025, 2047, 2048, 2049, 4096};
    static const enum hash hashes[] = {HASH_SHA1, HASH_SHA256, HASH_SHA384, HASH_SHA512};
    login();
    for (size_t i = 0; i < ARRAY_SIZE(sizes) * ARRAY_SIZE(hashes); i++) {
        enum hash hash = hashes[i % ARRAY_SIZE(hashes)];
        struct view data = view_of(message(), sizes[i / ARRAY_SIZE(hashes)]);
        struct key *key = in_tpm(vault, KEY_ALGORITHM_SECRET, 20, true);
        uint8_t expected[HASH_MAX_SIZE];
        struct bytes code = {0};
        assert_ok(crypto_hmac(hash, view_of(value, 20), data, expected));
        assert_ok(key_mac(key, hash, data, &code));
        assert_true(view_equal(bytes_view(&code), view_of(expected, hash_size(hash))));
        bytes_free(&code);
        key_unref(key);
    }
}

static void ciphers_of_every_mode_and_size_are_openssls(UNUSED void **state)
{
    static const enum cipher ciphers[] = {CIPHER_AES_ECB, CIPHER_AES_CBC, CIPHER_AES_CTR};
    static const size_t sizes[] = {16, 1008, 1024, 1040, 4096}, keys[] = {16, 32};
    static const uint8_t iv[] = "the first block!";
    login();
    for (size_t i = 0; i < 3 * ARRAY_SIZE(sizes) * ARRAY_SIZE(keys); i++) {
        size_t mode = i % 3, size = sizes[i / 3 % ARRAY_SIZE(sizes)];
        size_t key_size = keys[i / 3 / ARRAY_SIZE(sizes)];
        const struct cipher_parameters parameters = {.iv = view_of(iv, mode ? 16 : 0)};
        struct crypto_cipher *cipher = NULL;
        struct bytes expected = {0};
        struct key *key = in_tpm(vault, KEY_ALGORITHM_AES, key_size, true);
        uint8_t chain[BLOCK_MODE_SIZE], out[4096];
        assert_ok(
            crypto_cipher_new(ciphers[mode], true, view_of(value, key_size), &parameters, &cipher));
        assert_ok(crypto_cipher_update(cipher, view_of(message(), size), &expected));
        memcpy(chain, iv, sizeof(chain));
        assert_ok(
            key_cipher(key, (enum block_mode)mode, true, chain, view_of(message(), size), out));
        assert_true(view_equal(bytes_view(&expected), view_of(out, size)));
        memcpy(chain, iv, sizeof(chain));
        /* In place. */
        assert_ok(key_cipher(key, (enum block_mode)mode, false, chain, view_of(out, size), out));
        assert_memory_equal(out, message(), size);
        crypto_cipher_free(cipher);
        bytes_free(&expected);
        key_unref(key);
    }
}

static CK_RV code_with(struct key *key, struct bytes *ret_code)
{
    return key_mac(key, HASH_SHA256, view_string("message"), ret_code);
}

static void a_key_read_back_is_the_same_and_warm_use_is_one_command(UNUSED void **state)
{
    struct bytes one = {0}, other = {0};
    login();
    for (unsigned i = 0; i < 2; i++) {
        struct key *key = in_tpm(vault, KEY_ALGORITHM_SECRET, 32, i);
        assert_ok(code_with(key, &one));
        watched.count = 0;
        assert_ok(code_with(key, &one));
        assert_int_equal(watched.count, 1);
        struct key *copy = read_back(vault, KEY_OF_TOKEN, key, u1);
        assert_true(key_keeps_value(copy));
        key_unref(key);
        watched.count = 0;
        assert_ok(code_with(copy, &other));
        assert_true(watched.count <= 5);
        assert_true(view_equal(bytes_view(&one), bytes_view(&other)));
        bytes_free(&one);
        bytes_free(&other);
        key_unref(copy);
    }
}

static void two_generated_keys_differ(UNUSED void **state)
{
    struct bytes one = {0}, other = {0};
    login();
    for (size_t size = 16; size <= 64; size += 16) {
        struct key *first = in_tpm(vault, KEY_ALGORITHM_SECRET, size, size != 32);
        struct key *second = in_tpm(vault, KEY_ALGORITHM_SECRET, 32, false);
        assert_ok(code_with(first, &one));
        assert_ok(code_with(second, &other));
        assert_false(view_equal(bytes_view(&one), bytes_view(&other)));
        bytes_free(&one);
        bytes_free(&other);
        key_unref(first);
        key_unref(second);
    }
}

static void a_key_works_only_while_its_vault_is_open(UNUSED void **state)
{
    struct bytes code = {0};
    uint8_t chain[BLOCK_MODE_SIZE] = {0}, out[16] = {0};
    const struct key_spec spec = spec_of(KEY_ALGORITHM_SECRET, 256);
    struct key *refused = NULL;
    login();
    struct key *mac = in_tpm(vault, KEY_ALGORITHM_SECRET, 32, false);
    struct key *aes = in_tpm(vault, KEY_ALGORITHM_AES, 32, false);
    vault_close(vault);
    watched.count = 0;
    assert_rv(code_with(mac, &code), CKR_USER_NOT_LOGGED_IN);
    assert_rv(key_cipher(aes, BLOCK_MODE_ECB, true, chain, view_of(out, 16), out),
              CKR_USER_NOT_LOGGED_IN);
    assert_rv(key_secret_in_tpm(vault, &spec, HASH_NONE, (struct view){0}, u1, &refused),
              CKR_USER_NOT_LOGGED_IN);
    assert_int_equal(watched.count, 0);
    login();
    struct key *copy = read_back(vault, KEY_OF_TOKEN, mac, u2);
    assert_rv(code_with(copy, &code), CKR_DEVICE_ERROR);
    assert_ok(code_with(mac, &code));
    bytes_free(&code);
    key_unref(copy);
    key_unref(mac);
    key_unref(aes);
}

static void the_value_stays_and_other_uses_are_refused(UNUSED void **state)
{
    const struct scheme sha224 = {.hash = HASH_SHA224}, sha256 = {.hash = HASH_SHA256};
    struct bytes out = {0};
    struct private_parts parts = {0};
    uint8_t chain[BLOCK_MODE_SIZE] = {0}, block[16] = {0};
    login();
    struct key *mac = in_tpm(vault, KEY_ALGORITHM_SECRET, 32, false);
    struct key *aes = in_tpm(vault, KEY_ALGORITHM_AES, 16, false);
    assert_rv(key_secret_value(mac, &out), CKR_KEY_FUNCTION_NOT_PERMITTED);
    assert_rv(key_export_parts(mac, &parts), CKR_KEY_UNEXTRACTABLE);
    assert_rv(key_sign(mac, &sha256, view_of(block, 16), &out), CKR_KEY_FUNCTION_NOT_PERMITTED);
    assert_rv(code_with(aes, &out), CKR_KEY_FUNCTION_NOT_PERMITTED);
    assert_rv(key_cipher(mac, BLOCK_MODE_ECB, true, chain, view_of(block, 16), block),
              CKR_KEY_FUNCTION_NOT_PERMITTED);
    assert_true(key_can(mac, KEY_USE_MAC, &sha256));
    assert_false(key_can(mac, KEY_USE_MAC, &sha224));
    assert_false(key_can(aes, KEY_USE_MAC, &sha256));
    assert_false(key_can(mac, KEY_USE_SIGN, &sha256));
    key_unref(mac);
    key_unref(aes);
    struct key *software = NULL;
    assert_ok(key_secret_new(view_string(value), &software));
    assert_false(key_keeps_value(software));
    assert_rv(code_with(software, &out), CKR_KEY_FUNCTION_NOT_PERMITTED);
    key_unref(software);
}

/* Else it could never be used again. */
static void a_key_stays_bound_to_what_it_was_made_for(UNUSED void **state)
{
    struct key *same = NULL, *other = NULL;
    login();
    for (unsigned i = 0; i < 2; i++) {
        enum key_algorithm algorithm = i ? KEY_ALGORITHM_AES : KEY_ALGORITHM_SECRET;
        struct key *key = in_tpm(vault, algorithm, 32, false);
        struct key *open = in_tpm(open_vault, algorithm, 32, false);
        assert_ok(key_bind(vault, key, u1, &same));
        assert_ptr_equal(same, key);
        key_unref(same);
        assert_rv(key_bind(vault, key, u2, &other), CKR_ATTRIBUTE_READ_ONLY);
        assert_null(other);
        assert_ok(key_bind(open_vault, open, u2, &same));
        key_unref(same);
        key_unref(key);
        key_unref(open);
    }
}

static void what_the_tpm_cannot_hold_is_told_apart_from_failures(UNUSED void **state)
{
    static uint8_t large[100];
    const struct key_spec spec = spec_of(KEY_ALGORITHM_SECRET, 800);
    const struct key_spec usual = spec_of(KEY_ALGORITHM_SECRET, 256);
    struct key *key = NULL;
    login();
    assert_rv(key_secret_in_tpm(vault, &spec, HASH_NONE, view_of(large, sizeof(large)), u1, &key),
              CKR_FUNCTION_NOT_SUPPORTED);
    assert_rv(key_secret_in_tpm(vault, &usual, HASH_SHA3_256, (struct view){0}, u1, &key),
              CKR_FUNCTION_NOT_SUPPORTED);
    inject(&watched, TPM2_CC_Create, TPM2_RC_FAILURE, 1);
    assert_rv(key_secret_in_tpm(vault, &usual, HASH_NONE, (struct view){0}, u1, &key),
              CKR_DEVICE_ERROR);
    assert_true(key_secret_known_in_tpm(vault, HASH_NONE));
    assert_true(key_secret_known_in_tpm(vault, HASH_SHA256));
    assert_false(key_secret_known_in_tpm(vault, HASH_SHA3_256));
}

/* A token without PIN: its keys have an empty authorisation, and any tool opens them. */
static void keys_of_a_token_without_pin_are_tpm2_tools_keys_too(UNUSED void **state)
{
    struct bytes code = {0};
    char *text = malloc(4096);
    struct key *mac = in_tpm(open_vault, KEY_ALGORITHM_SECRET, 32, true);
    struct key *aes = in_tpm(open_vault, KEY_ALGORITHM_AES, 16, true);
    write_pem("mac.pem", mac);
    write_pem("aes.pem", aes);
    assert_ok(code_with(mac, &code));
    for (size_t i = 0; i < code.size; i++)
        snprintf(text + 2 * i, 3, "%02x", code.data[i]);
    write_file("code.expected", text);
    run_with_provider("set -e; export TPM2TOOLS_TCTI=$TPM2OPENSSL_TCTI\n"
                      "tpm2_load -r mac.pem -c mac.ctx\n"
                      "printf message >message\n"
                      "tpm2_hmac -c mac.ctx -g sha256 --hex -o code.found message\n"
                      "test \"$(cat code.found)\" = \"$(cat code.expected)\"\n"
                      "tpm2_load -r aes.pem -c aes.ctx\n"
                      "printf 0123456789abcdef >block\n"
                      "tpm2_encryptdecrypt -c aes.ctx -G ecb -o block.found block\n"
                      "openssl enc -aes-128-ecb -nopad -K "
                      "30313233343536373839616263646566 -in block -out block.expected\n"
                      "cmp block.found block.expected\n");
    free(text);
    bytes_free(&code);
    key_unref(mac);
    key_unref(aes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_of_every_size_are_openssls),
        cmocka_unit_test(ciphers_of_every_mode_and_size_are_openssls),
        cmocka_unit_test(a_key_read_back_is_the_same_and_warm_use_is_one_command),
        cmocka_unit_test(two_generated_keys_differ),
        cmocka_unit_test(a_key_works_only_while_its_vault_is_open),
        cmocka_unit_test(the_value_stays_and_other_uses_are_refused),
        cmocka_unit_test(a_key_stays_bound_to_what_it_was_made_for),
        cmocka_unit_test(what_the_tpm_cannot_hold_is_told_apart_from_failures),
        cmocka_unit_test(keys_of_a_token_without_pin_are_tpm2_tools_keys_too),
    };
    return cmocka_run_group_tests(tests, begin_group, end_group);
}
