#include "token/key/test_support.h"

/* Keys as files: of other tools, dropped in by hand, and what they show. */

/* With tpm2-openssl, and without ever opening the vault. */
static void keys_of_a_token_without_pin_work_with_other_tools(UNUSED void **state)
{
    struct key_spec specs[] = {rsa_of(2048), on_curve(KEY_ALGORITHM_EC, p256)};
    for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
        struct key *key = generated(open_vault, specs[i], KEY_SEALING_REFUSED);
        write_pem("open.key", key);
        run_with_provider("set -e; p='-provider tpm2 -provider default'\n"
                          "openssl pkey $p -in open.key -pubout -out open.pub\n"
                          "openssl req $p -new -key open.key -subj /CN=open -out open.csr\n"
                          "openssl req -verify -in open.csr -noout 2>&1 | grep -q OK\n"
                          "openssl req -in open.csr -pubkey -noout | cmp - open.pub\n");
        vault_close(open_vault);
        watched.count = 0;
        assert_ok(signs(key));
        assert_false(vault_is_open(open_vault));
        struct key *copy = read_back(open_vault, KEY_DROPPED_IN, key, u2);
        assert_ok(signs(copy));
        key_unref(copy);
        copy = read_back(vault, KEY_OF_TOKEN, key, u2);
        assert_ok(signs(copy));
        key_unref(copy);
        key_unref(key);
    }
}

/* Made by another, with this authorisation. */
static void write_foreign(const char *path, const char *auth)
{
    struct made made;
    struct bytes pem = {0};
    make_key(&(struct wish){.type = TPM2_ALG_ECC,
                            .attributes = TPMA_OBJECT_SIGN_ENCRYPT | TPMA_OBJECT_DECRYPT,
                            .auth = auth},
             &made);
    struct tpm_key_file file = {.empty_auth = !auth, .parent = TPM2_RH_OWNER};
    assert_ok(bytes_copy(&file.public, view_of(made.public, made.public_size)));
    assert_ok(bytes_copy(&file.private, view_of(made.private, made.private_size)));
    assert_ok(vault_tss2_pem(&file, &pem));
    assert_ok(bytes_append(&pem, view_of("", 1), 65536));
    write_file(path, (char *)pem.data);
    bytes_free(&file.public);
    bytes_free(&file.private);
    bytes_free(&pem);
}

static void what_was_dropped_in_must_not_ask_for_a_pin(UNUSED void **state)
{
    struct key *key = NULL;
    struct reason reason;
    write_foreign("foreign.key", NULL);
    run_with_provider("openssl genpkey -provider tpm2 -provider default -algorithm EC -pkeyopt "
                      "group:P-256 -out foreign.key");
    assert_ok(read_path(KEY_DROPPED_IN, "foreign.key", &key, &reason));
    vault_close(vault);
    assert_int_equal(key_place(key), KEY_IN_OTHER_TPM);
    assert_ok(signs(key));
    key_unref(key);
    assert_ok(read_path(KEY_DROPPED_IN, "p256.pem", &key, &reason));
    assert_int_equal(key_place(key), KEY_IN_SOFTWARE);
    assert_ok(signs(key));
    key_unref(key);
    assert_rv(read_path(KEY_DROPPED_IN, "p256.enc", &key, &reason), CKR_DATA_INVALID);
    assert_contains(reason.text, "password");
    assert_rv(read_path(KEY_DROPPED_IN, "p256.crt", &key, &reason), CKR_DATA_INVALID);
    assert_contains(reason.text, "no private key");
    write_foreign("foreign.key", "secret");
    assert_rv(read_path(KEY_DROPPED_IN, "foreign.key", &key, &reason), CKR_DATA_INVALID);
    assert_contains(reason.text, "not made here");
    login();
    key = generated(vault, on_curve(KEY_ALGORITHM_EC, p256), KEY_SEALING_REFUSED);
    write_pem("ours.key", key);
    key_unref(key);
    assert_rv(read_path(KEY_DROPPED_IN, "ours.key", &key, &reason), CKR_DATA_INVALID);
    assert_contains(reason.text, "not made here");
    key = generated(vault, on_curve(KEY_ALGORITHM_EDWARDS, ed25519), KEY_SEALING_ALLOWED);
    write_pem("sealed.key", key);
    key_unref(key);
    assert_rv(read_path(KEY_DROPPED_IN, "sealed.key", &key, &reason), CKR_DATA_INVALID);
    assert_contains(reason.text, "entry file");
}

static void files_show_what_is_public(UNUSED void **state)
{
    static const char *const files[] = {"tpm.key", "sealed.key", "p256.pem", "p256.crt"};
    struct key_contents contents;
    struct reason reason = {0};
    login();
    struct key *keys[] = {
        generated(vault, on_curve(KEY_ALGORITHM_EC, p256), KEY_SEALING_REFUSED),
        generated(vault, on_curve(KEY_ALGORITHM_EDWARDS, ed25519), KEY_SEALING_ALLOWED),
        NULL,
    };
    assert_ok(read_path(KEY_DROPPED_IN, "p256.pem", &keys[2], &reason));
    write_pem(files[0], keys[0]);
    write_pem(files[1], keys[1]);
    vault_close(vault);
    watched.count = 0;
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        struct bytes text = read_file(files[i]);
        poison(contents);
        assert_ok(key_inspect(bytes_view(&text), &contents, &reason));
        assert_int_equal(contents.private_key, i < 3);
        assert_int_equal(contents.certificate_count, i == 3);
        if (i < 3) {
            const struct public_key *expected = key_public(keys[i]);
            assert_true(public_key_equal(&contents.public_key, expected));
            assert_int_equal(contents.public_key.bits, expected->bits);
            assert_true(
                view_equal(bytes_view(&contents.public_key.spki), bytes_view(&expected->spki)));
        }
        key_contents_clear(&contents);
        bytes_free(&text);
    }
    assert_int_equal(watched.count, 0);
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        key_unref(keys[i]);
}

static void files_of_no_use_are_refused_with_the_reason(UNUSED void **state)
{
    static const char label[] = "-----BEGIN SIGNET SEALED KEY-----\nAAAA\n"
                                "-----END SIGNET SEALED KEY-----\n";
    struct key_contents contents;
    struct reason reason = {0};
    poison(contents);
    assert_rv(key_inspect(view_string(label), &contents, &reason), CKR_DATA_INVALID);
    reason = (struct reason){0};
    assert_rv(key_inspect(view_string("nothing at all"), &contents, &reason), CKR_DATA_INVALID);
    assert_int_not_equal(reason.text[0], 0);
    struct bytes encrypted = read_file("p256.enc");
    assert_rv(key_inspect(bytes_view(&encrypted), &contents, &reason), CKR_DATA_INVALID);
    assert_contains(reason.text, "password");
    bytes_free(&encrypted);
    assert_rv(key_inspect(bytes_view(&seal.sealed), &contents, &reason),
              CKR_FUNCTION_NOT_SUPPORTED);
    assert_contains(reason.text, "sealed data");
    assert_poison(contents);
}

static void public_halves_and_certificates_are_written_as_pem(UNUSED void **state)
{
    struct bytes text = read_file("p256.crt"), pem = {0};
    struct key_contents contents = {0}, again = {0};
    struct reason reason = {0};
    assert_ok(key_inspect(bytes_view(&text), &contents, &reason));
    assert_ok(key_write_certificate(bytes_view(&contents.certificates[0].der), &pem));
    assert_ok(key_inspect(bytes_view(&pem), &again, &reason));
    assert_true(view_equal(bytes_view(&contents.certificates[0].der),
                           bytes_view(&again.certificates[0].der)));
    bytes_free(&pem);
    key_contents_clear(&again);
    struct public_key *key = &contents.certificates[0].public_key;
    for (int i = 0; i < 2; i++) {
        assert_ok(key_write_public(key, &pem));
        assert_ok(key_inspect(bytes_view(&pem), &again, &reason));
        assert_false(again.private_key);
        assert_true(public_key_equal(key, &again.public_key));
        bytes_free(&pem);
        key_contents_clear(&again);
        bytes_free(&key->spki);
    }
    key_contents_clear(&contents);
    bytes_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_of_a_token_without_pin_work_with_other_tools),
        cmocka_unit_test(what_was_dropped_in_must_not_ask_for_a_pin),
        cmocka_unit_test(files_show_what_is_public),
        cmocka_unit_test(files_of_no_use_are_refused_with_the_reason),
        cmocka_unit_test(public_halves_and_certificates_are_written_as_pem),
    };
    return cmocka_run_group_tests(tests, begin_group, end_group);
}
