#include "token/key/test_support.h"

/* What is encrypted under the secret of the vault: keys that a TPM lacks, and values. */

static void a_sealed_key_is_used_without_the_tpm(UNUSED void **state)
{
    struct key_spec specs[] = {rsa_of(4096), on_curve(KEY_ALGORITHM_EC, secp256k1),
                               on_curve(KEY_ALGORITHM_EDWARDS, ed25519)};
    for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
        login();
        struct key *key = generated(vault, specs[i], KEY_SEALING_ALLOWED);
        assert_int_equal(key_place(key), KEY_IN_SOFTWARE);
        assert_false(key_in_tpm(key));
        assert_false(key_needs_login(key));
        watched.count = 0;
        assert_ok(signs(key));
        struct key *copy = read_back(vault, KEY_OF_TOKEN, key, u1);
        struct key *other = read_back(vault, KEY_OF_TOKEN, key, u2);
        assert_ok(signs(copy));
        assert_rv(signs(other), CKR_DEVICE_ERROR);
        vault_close(vault);
        assert_rv(signs(copy), CKR_USER_NOT_LOGGED_IN);
        assert_int_equal(watched.count, 0);
        key_unref(other);
        key_unref(copy);
        key_unref(key);
    }
}

static void a_sealed_rsa_key_decrypts(UNUSED void **state)
{
    const struct scheme scheme = {SCHEME_RSA_OAEP, HASH_SHA256, HASH_SHA256, 0, {0}};
    struct private_parts parts = parts_of("rsa1024.der");
    struct key *key = NULL;
    struct bytes cipher = {0}, plain = {0};
    login();
    assert_ok(key_import(vault, &parts, u1, KEY_SEALING_ALLOWED, &key));
    private_parts_clear(&parts);
    assert_true(key_can(key, KEY_USE_DECRYPT, &scheme));
    assert_ok(crypto_encrypt(key_public(key), &scheme, view_string("text"), &cipher));
    assert_ok(key_decrypt(key, &scheme, bytes_view(&cipher), &plain));
    assert_view(bytes_view(&plain), "text");
    bytes_free(&cipher);
    bytes_free(&plain);
    key_unref(key);
}

static void sealed_keys_agree_on_a_secret(UNUSED void **state)
{
    struct key *other = NULL;
    struct bytes one = {0}, two = {0};
    struct private_parts parts = parts_of("x25519.der");
    login();
    struct key *key =
        generated(vault, on_curve(KEY_ALGORITHM_MONTGOMERY, x25519), KEY_SEALING_ALLOWED);
    assert_ok(key_import_software(&parts, &other));
    private_parts_clear(&parts);
    assert_true(key_can(key, KEY_USE_DERIVE, NULL));
    assert_false(key_can(key, KEY_USE_SIGN, &(struct scheme){.kind = SCHEME_EDDSA}));
    assert_ok(key_derive(key, bytes_view(&key_public(other)->point), &one));
    assert_ok(key_derive(other, bytes_view(&key_public(key)->point), &two));
    assert_int_equal(one.size, 32);
    assert_true(view_equal(bytes_view(&one), bytes_view(&two)));
    bytes_free(&one);
    bytes_free(&two);
    key_unref(other);
    key_unref(key);
}

/* Who can write the file can put another public key beside what is encrypted. */
static void a_sealed_key_with_a_foreign_public_key_does_not_sign(UNUSED void **state)
{
    struct bytes one = {0}, two = {0};
    struct key *mixed = NULL;
    struct reason reason;
    login();
    struct key *a = generated(vault, on_curve(KEY_ALGORITHM_EDWARDS, ed25519), KEY_SEALING_ALLOWED);
    struct key *b = generated(vault, on_curve(KEY_ALGORITHM_EDWARDS, ed25519), KEY_SEALING_ALLOWED);
    assert_ok(key_write(a, &one));
    assert_ok(key_write_public(key_public(b), &two));
    char *ours = strstr((char *)one.data, "-----BEGIN SIGNET");
    assert_non_null(ours);
    size_t front = (size_t)(ours - (char *)one.data);
    assert_ok(bytes_append(&two, view_of(ours, one.size - front), 65536));
    assert_ok(read_from(KEY_OF_TOKEN, bytes_view(&two), &mixed, &reason));
    assert_rv(signs(mixed), CKR_DEVICE_ERROR);
    assert_rv(read_from(KEY_OF_TOKEN, view_of(ours, one.size - front), &mixed, &reason),
              CKR_DATA_INVALID);
    assert_contains(reason.text, "only SIGNET SEALED KEY");
    struct bytes other = read_file("p256.pem");
    assert_ok(bytes_append(&one, bytes_view(&other), 65536));
    assert_rv(read_from(KEY_OF_TOKEN, bytes_view(&one), &mixed, &reason), CKR_DATA_INVALID);
    assert_contains(reason.text, "another private key");
    bytes_free(&other);
    key_unref(mixed);
    key_unref(a);
    key_unref(b);
    bytes_free(&one);
    bytes_free(&two);
}

static void assert_value(struct key *key, struct view expected)
{
    struct bytes value = {0};
    assert_ok(key_secret_value(key, &value));
    assert_true(view_equal(bytes_view(&value), expected));
    bytes_free(&value);
}

static void secret_keys_keep_their_value(UNUSED void **state)
{
    static const uint8_t value[32] = {0, 1, 2, 3};
    const struct view given = view_of(value, sizeof(value));
    struct key *key = NULL;
    struct bytes out;
    assert_ok(key_secret_new(given, &key));
    assert_value(key, given);
    assert_false(key_can(key, KEY_USE_DERIVE, NULL));
    assert_false(key_can(key, KEY_USE_SIGN, &(struct scheme){.kind = SCHEME_RSA_PKCS1}));
    key_unref(key);
    login();
    assert_ok(key_secret_in_vault(vault, given, u1, &key));
    assert_value(key, given);
    struct bytes pem = {0};
    assert_ok(key_write(key, &pem));
    assert_null(memmem(pem.data, pem.size, "AAECAw", 6));
    struct reason reason = {0};
    struct key_contents contents;
    assert_ok(key_inspect(bytes_view(&pem), &contents, &reason));
    assert_true(contents.secret_key);
    assert_false(contents.private_key);
    key_contents_clear(&contents);
    struct key *copy = NULL, *other = NULL;
    assert_ok(read_from(KEY_OF_TOKEN, bytes_view(&pem), &copy, &reason));
    assert_value(copy, given);
    assert_ok(key_read(vault, KEY_OF_TOKEN, bytes_view(&pem), u2, &other, &reason));
    poison(out);
    assert_rv(key_secret_value(other, &out), CKR_DEVICE_ERROR);
    vault_close(vault);
    assert_rv(key_secret_value(copy, &out), CKR_USER_NOT_LOGGED_IN);
    assert_poison(out);
    key_unref(other);
    key_unref(copy);
    key_unref(key);
    bytes_free(&pem);
}

static void secret_keys_are_generated(UNUSED void **state)
{
    static const struct {
        enum key_algorithm algorithm;
        unsigned bits;
        CK_RV rv;
    } rows[] = {
        {KEY_ALGORITHM_AES, 128, CKR_OK},
        {KEY_ALGORITHM_AES, 256, CKR_OK},
        {KEY_ALGORITHM_AES, 64, CKR_KEY_SIZE_RANGE},
        {KEY_ALGORITHM_SECRET, 8, CKR_OK},
        {KEY_ALGORITHM_SECRET, 0, CKR_KEY_SIZE_RANGE},
        {KEY_ALGORITHM_SECRET, 9, CKR_KEY_SIZE_RANGE},
        {KEY_ALGORITHM_SECRET, 0xfffffff8, CKR_KEY_SIZE_RANGE},
    };
    login();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct key_spec spec = {.algorithm = rows[i].algorithm, .bits = rows[i].bits};
        struct key *session = NULL, *token = NULL;
        struct bytes value = {0};
        assert_rv(key_generate_software(&spec, &session), rows[i].rv);
        assert_rv(key_generate(vault, &spec, u1, KEY_SEALING_REFUSED, &token), rows[i].rv);
        if (rows[i].rv != CKR_OK)
            continue;
        assert_ok(key_secret_value(session, &value));
        assert_int_equal(value.size, rows[i].bits / 8);
        bytes_free(&value);
        assert_ok(key_secret_value(token, &value));
        assert_int_equal(value.size, rows[i].bits / 8);
        bytes_free(&value);
        key_unref(session);
        key_unref(token);
    }
    struct key *key = NULL;
    struct bytes out;
    struct key_spec spec = on_curve(KEY_ALGORITHM_EC, p256);
    assert_ok(key_generate_software(&spec, &key));
    poison(out);
    assert_rv(key_secret_value(key, &out), CKR_KEY_FUNCTION_NOT_PERMITTED);
    assert_poison(out);
    key_unref(key);
    key_spec_clear(&spec);
}

/* Another binding is another encryption; a key in the TPM keeps the one that it has. */
static void a_key_is_bound_anew(UNUSED void **state)
{
    static const uint8_t value[16] = {1, 2, 3};
    struct bytes read = {0};
    struct key *keys[3], *bound = NULL;
    struct vault_tries tries;
    login();
    keys[0] = generated(vault, on_curve(KEY_ALGORITHM_EC, secp256k1), KEY_SEALING_ALLOWED);
    keys[1] = generated(vault, on_curve(KEY_ALGORITHM_EC, p256), KEY_SEALING_REFUSED);
    assert_ok(key_secret_in_vault(vault, view_of(value, 16), u1, &keys[2]));
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        assert_ok(key_bind(vault, keys[i], u1, &bound));
        assert_ptr_equal(bound, keys[i]);
        key_unref(bound);
    }
    poison(bound);
    assert_rv(key_bind(vault, keys[1], u2, &bound), CKR_ATTRIBUTE_READ_ONLY);
    assert_poison(bound);
    assert_ok(key_bind(vault, keys[0], u2, &bound));
    struct key *copy = read_back(vault, KEY_OF_TOKEN, bound, u2);
    struct key *old = read_back(vault, KEY_OF_TOKEN, bound, u1);
    assert_ok(signs(copy));
    assert_rv(signs(old), CKR_DEVICE_ERROR);
    key_unref(old);
    key_unref(copy);
    key_unref(bound);
    assert_ok(key_bind(vault, keys[2], u2, &bound));
    assert_ok(key_secret_value(bound, &read));
    assert_memory_equal(read.data, value, 16);
    bytes_free(&read);
    key_unref(bound);
    vault_close(vault);
    poison(bound);
    assert_rv(key_bind(vault, keys[0], u2, &bound), CKR_USER_NOT_LOGGED_IN);
    assert_rv(key_bind(vault, keys[2], u2, &bound), CKR_USER_NOT_LOGGED_IN);
    assert_poison(bound);
    assert_ok(vault_open(vault, VAULT_USER, &seal, view_string("1234"), &tries));
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        key_unref(keys[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sealed_key_is_used_without_the_tpm),
        cmocka_unit_test(a_sealed_rsa_key_decrypts),
        cmocka_unit_test(sealed_keys_agree_on_a_secret),
        cmocka_unit_test(a_sealed_key_with_a_foreign_public_key_does_not_sign),
        cmocka_unit_test(secret_keys_keep_their_value),
        cmocka_unit_test(secret_keys_are_generated),
        cmocka_unit_test(a_key_is_bound_anew),
    };
    return cmocka_run_group_tests(tests, begin_group, end_group);
}
