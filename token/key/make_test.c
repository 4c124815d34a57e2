#include "token/key/test_support.h"

#include "token/base/log.h"

/* Keys made in the TPM, taken in by it, and refused; and keys in memory. */

static void a_key_made_in_the_tpm_signs_at_once_and_when_read_back(UNUSED void **state)
{
    struct key_spec specs[] = {rsa_of(2048), on_curve(KEY_ALGORITHM_EC, p256),
                               on_curve(KEY_ALGORITHM_EC, p384)};
    login();
    for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
        watched.count = 0;
        struct key *key = generated(vault, specs[i], KEY_SEALING_REFUSED);
        if (watched.count > 4)
            fail_msg("%zu commands", watched.count);
        assert_int_equal(key_place(key), KEY_IN_OTHER_TPM);
        assert_false(key_needs_login(key));
        assert_ok(signs(key));
        watched.count = 0;
        assert_ok(signs(key));
        assert_int_equal(watched.count, 1);
        struct key *copy = read_back(vault, KEY_OF_TOKEN, key, u1);
        key_unref(key);
        watched.count = 0;
        assert_ok(signs(copy));
        if (watched.count > 5)
            fail_msg("%zu commands", watched.count);
        key_unref(copy);
    }
}

static void a_key_works_only_while_its_vault_is_open(UNUSED void **state)
{
    struct bytes secret = {0};
    login();
    struct key *key = generated(vault, on_curve(KEY_ALGORITHM_EC, p256), KEY_SEALING_REFUSED);
    struct bytes point = {0};
    assert_ok(bytes_copy(&point, bytes_view(&key_public(key)->point)));
    vault_close(vault);
    watched.count = 0;
    assert_rv(signs(key), CKR_USER_NOT_LOGGED_IN);
    assert_rv(key_derive(key, bytes_view(&point), &secret), CKR_USER_NOT_LOGGED_IN);
    assert_int_equal(watched.count, 0);
    struct key *copy = read_back(vault, KEY_OF_TOKEN, key, u1);
    assert_int_equal(watched.count, 0);
    assert_rv(signs(copy), CKR_USER_NOT_LOGGED_IN);
    login();
    assert_ok(signs(key));
    assert_ok(signs(copy));
    assert_ok(key_derive(copy, bytes_view(&point), &secret));
    assert_int_equal(secret.size, 32);
    bytes_free(&secret);
    bytes_free(&point);
    struct key_spec spec = on_curve(KEY_ALGORITHM_EC, p256);
    struct key *refused;
    vault_close(vault);
    poison(refused);
    assert_rv(key_generate(vault, &spec, u1, KEY_SEALING_REFUSED, &refused),
              CKR_USER_NOT_LOGGED_IN);
    assert_poison(refused);
    key_spec_clear(&spec);
    key_unref(copy);
    key_unref(key);
}

/* Its authorisation is another: it is asked once, and never again. */
static void a_key_under_another_unique_id_is_refused_once(UNUSED void **state)
{
    login();
    struct key *key = generated(vault, on_curve(KEY_ALGORITHM_EC, p256), KEY_SEALING_REFUSED);
    struct key *copy = read_back(vault, KEY_OF_TOKEN, key, u2);
    assert_rv(signs(copy), CKR_DEVICE_ERROR);
    watched.count = 0;
    assert_rv(signs(copy), CKR_DEVICE_ERROR);
    assert_int_equal(watched.count, 0);
    assert_ok(signs(key));
    key_unref(copy);
    key_unref(key);
}

static void a_key_outlives_its_vault_but_is_closed(UNUSED void **state)
{
    struct vault_seal other_seal = {0};
    struct vault *other = new_vault("0000000000000000", view_string("x"), &other_seal);
    struct key *key = generated(other, on_curve(KEY_ALGORITHM_EC, p256), KEY_SEALING_REFUSED);
    assert_ok(signs(key));
    assert_ok(vault_discard(other, VAULT_USER, &other_seal));
    vault_free(other);
    assert_rv(signs(key), CKR_USER_NOT_LOGGED_IN);
    key_unref(key);
    vault_seal_clear(&other_seal);
}

/* OpenSSL checks the signature with the key that it made. */
static void verify_by_tool(const char *name, struct key *key)
{
    char command[512];
    struct bytes signature = {0}, der = {0};
    const struct public_key *public_key = key_public(key);
    assert_ok(sign_with(key, &signature));
    FILE *file = fopen("signature", "wb");
    if (public_key->algorithm == KEY_ALGORITHM_EC) {
        size_t half = signature.size / 2;
        snprintf(command, sizeof(command), "asn1=SEQUENCE:s\n[s]\n");
        FILE *text = fopen("signature.conf", "w");
        fprintf(text, "%sr=INTEGER:0x", command);
        for (size_t i = 0; i < signature.size; i++)
            fprintf(text, "%s%02x", i == half ? "\ns=INTEGER:0x" : "", signature.data[i]);
        fclose(text);
        run("openssl asn1parse -genconf signature.conf -out signature.der");
        der = read_file("signature.der");
        fwrite(der.data, 1, der.size, file);
    } else {
        fwrite(signature.data, 1, signature.size, file);
    }
    fclose(file);
    bool rsa = public_key->algorithm == KEY_ALGORITHM_RSA;
    bool raw = public_key->algorithm == KEY_ALGORITHM_EDWARDS;
    snprintf(command, sizeof(command),
             "printf message | openssl dgst -sha256 -binary >digest\n"
             "openssl pkey -in %s.pem -pubout -out verify.pub\n"
             "openssl pkeyutl -verify -pubin -inkey verify.pub -sigfile signature -in digest %s",
             name,
             rsa   ? "-pkeyopt digest:sha256 -pkeyopt rsa_padding_mode:pss -pkeyopt "
                     "rsa_pss_saltlen:32"
             : raw ? "-rawin"
                   : "");
    run(command);
    bytes_free(&signature);
    bytes_free(&der);
}

static void imported_keys_sign_for_the_key_that_was_given(UNUSED void **state)
{
    static const struct {
        const char *name;
        enum key_place place;
    } rows[] = {
        {"rsa2048", KEY_IN_OTHER_TPM}, {"p256", KEY_IN_OTHER_TPM}, {"p384", KEY_IN_OTHER_TPM},
        {"rsa1024", KEY_IN_SOFTWARE},  {"k1", KEY_IN_SOFTWARE},    {"ed25519", KEY_IN_SOFTWARE},
    };
    login();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char path[32];
        struct key *key = NULL;
        snprintf(path, sizeof(path), "%s.der", rows[i].name);
        struct private_parts parts = parts_of(path);
        assert_ok(key_import(vault, &parts, u1, KEY_SEALING_ALLOWED, &key));
        private_parts_clear(&parts);
        assert_int_equal(key_place(key), rows[i].place);
        assert_ok(signs(key));
        verify_by_tool(rows[i].name, key);
        struct key *copy = read_back(vault, KEY_OF_TOKEN, key, u1);
        verify_by_tool(rows[i].name, copy);
        struct private_parts none;
        poison(none);
        if (rows[i].place == KEY_IN_SOFTWARE) {
            assert_ok(key_export_parts(key, &none));
            private_parts_clear(&none);
        } else {
            assert_rv(key_export_parts(key, &none), CKR_KEY_UNEXTRACTABLE);
            assert_poison(none);
        }
        key_unref(copy);
        key_unref(key);
    }
}

static void a_private_key_goes_to_the_tokens_own_tpm_alone(UNUSED void **state)
{
    const struct view token = view_string("0123456789abcdef");
    struct vault_identity identity = {0};
    struct key *key;
    struct private_parts parts = parts_of("p256.der");
    login();
    assert_ok(vault_identify(vault, &identity));
    identity.root_name.data[5] ^= 1;
    assert_ok(vault_use_token(vault, token, bytes_view(&identity.root_name)));
    poison(key);
    assert_rv(key_import(vault, &parts, u1, KEY_SEALING_REFUSED, &key), CKR_DEVICE_ERROR);
    assert_poison(key);
    identity.root_name.data[5] ^= 1;
    assert_ok(vault_use_token(vault, token, bytes_view(&identity.root_name)));
    assert_ok(key_import(vault, &parts, u1, KEY_SEALING_REFUSED, &key));
    key_unref(key);
    assert_ok(vault_use_token(vault, token, (struct view){0}));
    vault_identity_clear(&identity);
    private_parts_clear(&parts);
}

static void an_rsa_key_is_imported_from_modulus_and_exponents(UNUSED void **state)
{
    struct key *key = NULL;
    struct private_parts parts = parts_of("rsa2048.der");
    struct bytes *const computed[] = {&parts.prime_1, &parts.prime_2, &parts.exponent_1,
                                      &parts.exponent_2, &parts.coefficient};
    for (size_t i = 0; i < ARRAY_SIZE(computed); i++)
        bytes_free(computed[i]);
    login();
    assert_ok(key_import(vault, &parts, u1, KEY_SEALING_REFUSED, &key));
    verify_by_tool("rsa2048", key);
    key_unref(key);
    parts.private_exponent.data[10] ^= 1;
    poison(key);
    assert_rv(key_import(vault, &parts, u1, KEY_SEALING_REFUSED, &key),
              CKR_ATTRIBUTE_VALUE_INVALID);
    assert_poison(key);
    private_parts_clear(&parts);
    parts = parts_of("p256.der");
    struct private_parts other = parts_of("p384.der");
    assert_ok(bytes_copy(&parts.point, bytes_view(&other.point)));
    assert_rv(key_import(vault, &parts, u1, KEY_SEALING_REFUSED, &key),
              CKR_ATTRIBUTE_VALUE_INVALID);
    private_parts_clear(&other);
    private_parts_clear(&parts);
}

static void what_the_tpm_lacks_is_refused_with_the_way_out(UNUSED void **state)
{
    struct key_spec specs[] = {rsa_of(4096), on_curve(KEY_ALGORITHM_EC, secp256k1),
                               on_curve(KEY_ALGORITHM_EDWARDS, ed25519)};
    static const char *const words[] = {"RSA keys of 4096 bits", "secp256k1", "sealed keys = yes"};
    login();
    for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
        struct key *key;
        poison(key);
        assert_true(log_open("refused.log", LOG_LEVEL_ERROR));
        assert_rv(key_generate(vault, &specs[i], u1, KEY_SEALING_REFUSED, &key),
                  i == 0 ? CKR_KEY_SIZE_RANGE : CKR_CURVE_NOT_SUPPORTED);
        log_close();
        assert_poison(key);
        struct bytes text = read_file("refused.log");
        assert_contains((char *)text.data, words[i]);
        assert_contains((char *)text.data, "sealed keys = yes");
        bytes_free(&text);
        remove("refused.log");
        key_spec_clear(&specs[i]);
    }
    struct private_parts parts = parts_of("ed25519.der");
    struct key *key;
    poison(key);
    assert_rv(key_import(vault, &parts, u1, KEY_SEALING_REFUSED, &key), CKR_CURVE_NOT_SUPPORTED);
    assert_poison(key);
    private_parts_clear(&parts);
}

static void software_keys_can_be_exported(UNUSED void **state)
{
    static const char *const names[] = {"rsa2048", "p256", "ed25519", "x25519"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        char path[32];
        struct key *key = NULL, *again = NULL;
        struct bytes der = {0}, pem;
        struct private_parts out = {0}, back = {0};
        snprintf(path, sizeof(path), "%s.der", names[i]);
        struct private_parts parts = parts_of(path);
        assert_ok(key_import_software(&parts, &key));
        assert_ok(key_export_parts(key, &out));
        assert_ok(key_parts_to_pkcs8(&out, &der));
        assert_ok(key_parts_from_pkcs8(bytes_view(&der), &back));
        assert_ok(key_import_software(&back, &again));
        assert_true(public_key_equal(key_public(key), key_public(again)));
        assert_int_equal(key_place(key), KEY_IN_SOFTWARE);
        poison(pem);
        assert_rv(key_write(key, &pem), CKR_KEY_FUNCTION_NOT_PERMITTED);
        assert_poison(pem);
        private_parts_clear(&parts);
        private_parts_clear(&out);
        private_parts_clear(&back);
        bytes_free(&der);
        key_unref(again);
        key_unref(key);
    }
    struct key_spec spec = on_curve(KEY_ALGORITHM_EC, p256);
    struct key *key = NULL;
    assert_ok(key_generate_software(&spec, &key));
    assert_ok(signs(key));
    key_unref(key);
    key_spec_clear(&spec);
    struct private_parts none;
    poison(none);
    assert_rv(key_parts_from_pkcs8(view_string("nonsense"), &none), CKR_DATA_INVALID);
    assert_poison(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_made_in_the_tpm_signs_at_once_and_when_read_back),
        cmocka_unit_test(a_key_works_only_while_its_vault_is_open),
        cmocka_unit_test(a_key_under_another_unique_id_is_refused_once),
        cmocka_unit_test(a_key_outlives_its_vault_but_is_closed),
        cmocka_unit_test(imported_keys_sign_for_the_key_that_was_given),
        cmocka_unit_test(a_private_key_goes_to_the_tokens_own_tpm_alone),
        cmocka_unit_test(an_rsa_key_is_imported_from_modulus_and_exponents),
        cmocka_unit_test(what_the_tpm_lacks_is_refused_with_the_way_out),
        cmocka_unit_test(software_keys_can_be_exported),
    };
    return cmocka_run_group_tests(tests, begin_group, end_group);
}
