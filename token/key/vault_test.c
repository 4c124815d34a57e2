#include "token/tpm/test_support.h"

#include "token/crypto/cipher.h"
#include "token/crypto/decode.h"
#include "token/crypto/mac.h"
#include "token/key/vault_inside.h"
#include "token/tpm/seal.h"

/* The secret of a token: sealed and opened, and what it is good for while it is open. */

static struct watched watched;
static struct tpm *tpm;
static struct vault *vault;

static const uint8_t token_name[VAULT_TOKEN_SIZE] = "0123456789abcde";
static const uint8_t other_name[VAULT_TOKEN_SIZE] = "fedcba987654321";

static int begin_group(void **state)
{
    if (enter_directory(state) != 0)
        return -1;
    tpm_quiet();
    tpm = watched_tpm(&watched);
    return 0;
}

static int end_group(void **state)
{
    watched_close(&watched, tpm);
    return leave_directory(state);
}

static int begin(UNUSED void **state)
{
    assert_ok(vault_new(emulator_choice(), KEY_PROTECTION_AUTO, &vault));
    assert_ok(vault_use_token(vault, view_of(token_name, sizeof(token_name)), (struct view){0}));
    return 0;
}

static int end(UNUSED void **state)
{
    vault_free(vault);
    vault = NULL;
    return 0;
}

static void discard(struct vault_seal *seal, enum vault_user user)
{
    assert_ok(vault_discard(vault, user, seal));
    vault_seal_clear(seal);
}

static CK_RV open_with(enum vault_user user, const struct vault_seal *seal, struct view pin)
{
    struct vault_tries tries;
    vault_close(vault);
    poison(tries);
    CK_RV rv = vault_open(vault, user, seal, pin, &tries);
    assert_false(all_poison(&tries, sizeof(tries)));
    assert_int_equal(vault_is_open(vault), rv == CKR_OK);
    return rv;
}

static struct bytes encrypted(const char *purpose, const char *unique, const char *plain)
{
    struct bytes cipher = {0};
    assert_ok(vault_encrypt(vault, purpose, view_string(unique), view_string(plain), &cipher));
    return cipher;
}

static CK_RV decrypted(const char *purpose, const char *unique, const struct bytes *cipher,
                       const char *plain)
{
    struct bytes out;
    poison(out);
    CK_RV rv = vault_decrypt(vault, purpose, view_string(unique), bytes_view(cipher), &out);
    if (rv != CKR_OK) {
        assert_poison(out);
        return rv;
    }
    assert_view(bytes_view(&out), plain);
    bytes_free(&out);
    return rv;
}

static void a_secret_lives_as_long_as_its_seal(UNUSED void **state)
{
    struct vault_seal seal = {0};
    assert_false(vault_is_open(vault));
    assert_rv(vault_seal(vault, VAULT_USER, view_string("1234"), 10, NULL, &seal),
              CKR_USER_NOT_LOGGED_IN);
    assert_ok(vault_begin(vault));
    assert_true(vault_is_open(vault));
    assert_ok(vault_seal(vault, VAULT_USER, view_string("1234"), 10, NULL, &seal));
    assert_true(seal.present);
    assert_false(seal.open);
    assert_int_equal(seal.try_limit, 10);
    assert_contains((char *)seal.sealed.data, "-----BEGIN TSS2 PRIVATE KEY-----\n");
    struct bytes cipher = encrypted("object", "u1", "something private");
    vault_close(vault);
    assert_rv(decrypted("object", "u1", &cipher, ""), CKR_USER_NOT_LOGGED_IN);
    assert_ok(open_with(VAULT_USER, &seal, view_string("1234")));
    assert_ok(decrypted("object", "u1", &cipher, "something private"));
    /* Another begins with a secret of its own. */
    assert_ok(vault_begin(vault));
    assert_rv(decrypted("object", "u1", &cipher, ""), CKR_DATA_INVALID);
    bytes_free(&cipher);
    discard(&seal, VAULT_USER);
}

static void a_login_takes_at_most_ten_commands(UNUSED void **state)
{
    struct vault_seal seal = {0};
    assert_ok(vault_begin(vault));
    assert_ok(vault_seal(vault, VAULT_USER, view_string("1234"), 10, NULL, &seal));
    watched.count = 0;
    assert_ok(open_with(VAULT_USER, &seal, view_string("1234")));
    if (watched.count > 10)
        fail_msg("%zu commands", watched.count);
    watched.count = 0;
    struct bytes cipher = encrypted("object", "u1", "x");
    assert_int_equal(watched.count, 0);
    bytes_free(&cipher);
    discard(&seal, VAULT_USER);
}

static void pins_of_any_size_and_content_are_told_apart(UNUSED void **state)
{
    static uint8_t longest[255];
    memset(longest + 100, 'x', 155);
    static const uint8_t zero[2] = {0, 0};
    const struct view pins[] = {view_of("", 0),  view_of(zero, 1),      view_of(zero, 2),
                                view_of("a", 1), view_of(longest, 254), view_of(longest, 255)};
    for (size_t i = 0; i < ARRAY_SIZE(pins); i++) {
        struct vault_seal seal = {0};
        assert_ok(vault_begin(vault));
        assert_ok(vault_seal(vault, VAULT_USER, pins[i], 10, NULL, &seal));
        assert_false(seal.open);
        for (size_t j = 0; j < ARRAY_SIZE(pins); j++)
            assert_rv(open_with(VAULT_USER, &seal, pins[j]), i == j ? CKR_OK : CKR_PIN_INCORRECT);
        assert_rv(open_with(VAULT_USER, &seal, (struct view){0}), CKR_PIN_INCORRECT);
        discard(&seal, VAULT_USER);
    }
}

static void a_pin_of_256_bytes_is_none(UNUSED void **state)
{
    static const uint8_t pin[256];
    struct vault_seal seal;
    struct vault_tries tries;
    poison(seal);
    assert_ok(vault_begin(vault));
    assert_rv(vault_seal(vault, VAULT_USER, view_of(pin, 256), 10, NULL, &seal), CKR_PIN_LEN_RANGE);
    assert_poison(seal);
    struct vault_seal whole = {0};
    assert_ok(vault_seal(vault, VAULT_USER, view_of(pin, 255), 10, NULL, &whole));
    watched.count = 0;
    assert_rv(vault_open(vault, VAULT_USER, &whole, view_of(pin, 256), &tries), CKR_PIN_INCORRECT);
    assert_int_equal(watched.count, 0);
    discard(&whole, VAULT_USER);
}

static void a_wrong_pin_says_how_many_are_left(UNUSED void **state)
{
    struct vault_seal seal = {0};
    struct vault_tries tries;
    assert_ok(vault_begin(vault));
    assert_ok(vault_seal(vault, VAULT_USER, view_string("1234"), 3, NULL, &seal));
    vault_close(vault);
    for (unsigned i = 1; i <= 2; i++) {
        assert_rv(vault_open(vault, VAULT_USER, &seal, view_string("4321"), &tries),
                  CKR_PIN_INCORRECT);
        assert_true(tries.known);
        assert_int_equal(tries.failed, i);
        assert_int_equal(tries.limit, 3);
    }
    assert_ok(vault_open(vault, VAULT_USER, &seal, view_string("1234"), &tries));
    assert_int_equal(tries.failed, 0);
    vault_close(vault);
    for (unsigned i = 1; i <= 3; i++)
        assert_int_not_equal(vault_open(vault, VAULT_USER, &seal, view_string("4321"), &tries),
                             CKR_OK);
    assert_rv(vault_open(vault, VAULT_USER, &seal, view_string("1234"), &tries), CKR_PIN_LOCKED);
    assert_false(vault_is_open(vault));
    discard(&seal, VAULT_USER);
}

static void both_users_open_the_same_secret(UNUSED void **state)
{
    struct vault_seal user = {0}, so = {0};
    assert_ok(vault_begin(vault));
    assert_ok(vault_seal(vault, VAULT_SO, view_string("so pin"), 10, NULL, &so));
    assert_ok(vault_seal(vault, VAULT_USER, view_string("1234"), 10, NULL, &user));
    struct bytes cipher = encrypted("object", "u1", "text");
    assert_ok(open_with(VAULT_SO, &so, view_string("so pin")));
    assert_ok(decrypted("object", "u1", &cipher, "text"));
    assert_ok(open_with(VAULT_USER, &user, view_string("1234")));
    assert_ok(decrypted("object", "u1", &cipher, "text"));
    assert_rv(open_with(VAULT_SO, &so, view_string("1234")), CKR_PIN_INCORRECT);
    assert_rv(open_with(VAULT_USER, &user, view_string("so pin")), CKR_PIN_INCORRECT);
    bytes_free(&cipher);
    discard(&user, VAULT_USER);
    discard(&so, VAULT_SO);
}

static void a_changed_pin_kills_the_old_seal(UNUSED void **state)
{
    struct vault_seal old = {0}, new = {0};
    assert_ok(vault_begin(vault));
    assert_ok(vault_seal(vault, VAULT_USER, view_string("old"), 10, NULL, &old));
    struct bytes cipher = encrypted("object", "u1", "text");
    assert_ok(vault_seal(vault, VAULT_USER, view_string("new"), 10, &old, &new));
    assert_memory_not_equal(old.salt, new.salt, VAULT_SALT_SIZE);
    /* Until it is committed the old one holds, and it can be told. */
    assert_int_not_equal(open_with(VAULT_USER, &new, view_string("new")), CKR_OK);
    assert_ok(open_with(VAULT_USER, &old, view_string("old")));
    assert_ok(vault_commit(vault, VAULT_USER, &new, &old));
    assert_int_not_equal(open_with(VAULT_USER, &old, view_string("old")), CKR_OK);
    assert_ok(open_with(VAULT_USER, &new, view_string("new")));
    assert_ok(decrypted("object", "u1", &cipher, "text"));
    /* Again, as after an interruption. */
    assert_ok(vault_commit(vault, VAULT_USER, &new, &old));
    assert_ok(open_with(VAULT_USER, &new, view_string("new")));
    bytes_free(&cipher);
    vault_seal_clear(&old);
    discard(&new, VAULT_USER);
}

static void a_vault_without_pin_opens_by_itself(UNUSED void **state)
{
    struct vault_seal seal = {0}, closed = {0};
    assert_ok(vault_begin(vault));
    assert_ok(vault_seal(vault, VAULT_USER, (struct view){0}, 10, NULL, &seal));
    assert_true(seal.open);
    struct bytes cipher = encrypted("object", "u1", "text");
    assert_ok(open_with(VAULT_USER, &seal, (struct view){0}));
    assert_ok(open_with(VAULT_USER, &seal, view_string("any")));
    vault_close(vault);
    assert_false(vault_makes_open_keys(vault));
    assert_rv(decrypted("object", "u1", &cipher, ""), CKR_USER_NOT_LOGGED_IN);
    assert_ok(vault_set_open(vault, &seal));
    assert_true(vault_makes_open_keys(vault));
    assert_ok(decrypted("object", "u1", &cipher, "text"));
    vault_close(vault);
    assert_ok(vault_set_open(vault, NULL));
    assert_rv(decrypted("object", "u1", &cipher, ""), CKR_USER_NOT_LOGGED_IN);
    /* A seal that asks for a PIN is none of these. */
    assert_ok(vault_begin(vault));
    assert_ok(vault_seal(vault, VAULT_USER, view_of("", 0), 10, NULL, &closed));
    assert_ok(vault_set_open(vault, &closed));
    assert_false(vault_makes_open_keys(vault));
    bytes_free(&cipher);
    discard(&closed, VAULT_USER);
    discard(&seal, VAULT_USER);
}

static void hmac(const uint8_t *salt, const char *text, size_t size, uint8_t out[HASH_MAX_SIZE])
{
    assert_ok(crypto_hmac(HASH_SHA256, view_of(salt, VAULT_SALT_SIZE), view_of(text, size), out));
}

/* Files outlive programs: what a PIN becomes must never change. */
static void a_pin_becomes_two_authorisations(UNUSED void **state)
{
    uint8_t pin[HASH_MAX_SIZE], sealed[HASH_MAX_SIZE];
    struct vault_seal seal = {0};
    struct decoded decoded = {0};
    struct reason reason = {0};
    struct bytes secret = {0};
    struct tpm_seal_tries tries;
    assert_ok(vault_begin(vault));
    assert_ok(vault_seal(vault, VAULT_USER, view_string("1234"), 10, NULL, &seal));
    hmac(seal.salt, "signet pin index\0001234", 21, pin);
    hmac(seal.salt, "signet seal\0001234", 16, sealed);
    assert_ok(crypto_decode(bytes_view(&seal.sealed), (struct view){0}, &decoded, &reason));
    assert_int_equal(decoded.tpm_key->type, TPM_KEY_SEALED);
    assert_false(decoded.tpm_key->empty_auth);
    const struct tpm_seal of_tpm = {
        .gated = seal.gated,
        .pin_index = seal.pin_index,
        .counter_index = seal.counter_index,
        .counter = seal.counter,
        .try_limit = seal.try_limit,
        .object = {decoded.tpm_key->parent, decoded.tpm_key->rsa_parent, decoded.tpm_key->public,
                   decoded.tpm_key->private},
    };
    const struct tpm_seal_auth auth = {false, view_of(pin, 32), view_of(sealed, 32)};
    assert_ok(tpm_seal_open(tpm, &of_tpm, view_of(token_name, 16), TPM_SEAL_USER, &auth,
                            (struct view){0}, TPM_PROTECTION_AUTO, &secret, &tries));
    assert_true(view_equal(bytes_view(&secret), secret_view(vault->secret)));
    bytes_free(&secret);
    decoded_clear(&decoded);
    discard(&seal, VAULT_USER);
}

/* Nor what the secret becomes. */
static void the_secret_becomes_authorisations_and_keys(UNUSED void **state)
{
    static const char message[] = "signet key authorisation\0u1";
    static const char purpose[] = "signet encryption\0object";
    uint8_t expected[HASH_MAX_SIZE], derived[HASH_MAX_SIZE];
    struct bytes plain = {0};
    assert_ok(vault_begin(vault));
    const struct view secret = secret_view(vault->secret);
    assert_ok(crypto_hmac(HASH_SHA256, secret, view_of(message, sizeof(message) - 1), expected));
    assert_ok(vault_key_auth(vault, view_string("u1"), derived));
    assert_memory_equal(expected, derived, VAULT_AUTH_SIZE);
    struct bytes cipher = encrypted("object", "u1", "text");
    assert_ok(crypto_hmac(HASH_SHA256, secret, view_of(purpose, sizeof(purpose) - 1), expected));
    assert_ok(crypto_unseal(view_of(expected, CRYPTO_SEAL_KEY_SIZE), view_of("object\0u1", 9),
                            bytes_view(&cipher), &plain));
    assert_view(bytes_view(&plain), "text");
    bytes_free(&plain);
    bytes_free(&cipher);
}

static void what_is_encrypted_is_bound_to_purpose_and_object(UNUSED void **state)
{
    assert_ok(vault_begin(vault));
    struct bytes cipher = encrypted("object", "u1", "text");
    assert_ok(decrypted("object", "u1", &cipher, "text"));
    assert_rv(decrypted("object", "u2", &cipher, ""), CKR_DATA_INVALID);
    assert_rv(decrypted("objec", "tu1", &cipher, ""), CKR_DATA_INVALID);
    assert_rv(decrypted("key", "u1", &cipher, ""), CKR_DATA_INVALID);
    for (size_t i = 0; i < cipher.size; i++) {
        cipher.data[i] ^= 1;
        assert_rv(decrypted("object", "u1", &cipher, ""), CKR_DATA_INVALID);
        cipher.data[i] ^= 1;
    }
    for (size_t size = cipher.size; cipher.size;) {
        cipher.size--;
        assert_rv(decrypted("object", "u1", &cipher, ""), CKR_DATA_INVALID);
        if (cipher.size == 0) {
            cipher.size = size;
            break;
        }
    }
    assert_ok(decrypted("object", "u1", &cipher, "text"));
    struct bytes again = encrypted("object", "u1", "text");
    assert_false(view_equal(bytes_view(&cipher), bytes_view(&again)));
    bytes_free(&cipher);
    bytes_free(&again);
}

static void another_token_or_tpm_shuts_the_vault(UNUSED void **state)
{
    struct vault_seal seal = {0};
    assert_ok(vault_begin(vault));
    assert_ok(vault_seal(vault, VAULT_USER, view_string("1234"), 10, NULL, &seal));
    assert_ok(vault_use_token(vault, view_of(other_name, sizeof(other_name)), (struct view){0}));
    assert_false(vault_is_open(vault));
    assert_ok(vault_use_token(vault, view_of(token_name, sizeof(token_name)), (struct view){0}));
    assert_ok(open_with(VAULT_USER, &seal, view_string("1234")));
    /* Nor does it open on a TPM with another root. */
    uint8_t root[34] = {0, 0x0b, 1};
    assert_ok(vault_use_token(vault, view_of(token_name, sizeof(token_name)),
                              view_of(root, sizeof(root))));
    assert_true(vault_is_open(vault));
    assert_rv(open_with(VAULT_USER, &seal, view_string("1234")), CKR_DEVICE_ERROR);
    assert_rv(vault_use_token(vault, view_of(token_name, 15), (struct view){0}), CKR_ARGUMENTS_BAD);
    discard(&seal, VAULT_USER);
}

/* Whatever stands in the token file: an answer, and no command for what cannot be. */
static void damaged_seals_are_refused(UNUSED void **state)
{
    struct vault_seal seal = {0}, copy = {0};
    assert_ok(vault_begin(vault));
    assert_ok(vault_seal(vault, VAULT_USER, view_string("1234"), 10, NULL, &seal));
    assert_ok(vault_seal_copy(&copy, &seal));
    assert_true(view_equal(bytes_view(&copy.sealed), bytes_view(&seal.sealed)));
    watched.count = 0;
    copy.sealed.size /= 2;
    assert_rv(open_with(VAULT_USER, &copy, view_string("1234")), CKR_DEVICE_ERROR);
    copy.sealed.size = 0;
    assert_rv(open_with(VAULT_USER, &copy, view_string("1234")), CKR_DEVICE_ERROR);
    copy.present = false;
    assert_rv(open_with(VAULT_USER, &copy, view_string("1234")), CKR_DEVICE_ERROR);
    vault_seal_clear(&copy);
    /* A key is no sealed data. */
    struct made made;
    make_key(&(struct wish){.type = TPM2_ALG_ECC, .attributes = TPMA_OBJECT_SIGN_ENCRYPT}, &made);
    struct tpm_key_file file = {.empty_auth = true, .parent = TPM2_RH_OWNER};
    assert_ok(bytes_copy(&file.public, view_of(made.public, made.public_size)));
    assert_ok(bytes_copy(&file.private, view_of(made.private, made.private_size)));
    assert_ok(vault_seal_copy(&copy, &seal));
    bytes_free(&copy.sealed);
    assert_ok(vault_tss2_pem(&file, &copy.sealed));
    assert_rv(open_with(VAULT_USER, &copy, view_string("1234")), CKR_DEVICE_ERROR);
    assert_int_equal(watched.count, 0);
    bytes_free(&file.public);
    bytes_free(&file.private);
    vault_seal_clear(&copy);
    discard(&seal, VAULT_USER);
}

static void the_tpm_tells_who_it_is(UNUSED void **state)
{
    struct vault_identity identity, again;
    assert_int_equal(vault_place(vault), KEY_IN_OTHER_TPM);
    poison(identity);
    assert_ok(vault_identify(vault, &identity));
    assert_int_equal(identity.place, KEY_IN_OTHER_TPM);
    assert_int_equal(identity.root_name.size, 34);
    assert_true(identity.manufacturer[0] > 0x20);
    assert_non_null(memchr(identity.manufacturer, 0, sizeof(identity.manufacturer)));
    assert_non_null(strchr(identity.firmware, '.'));
    assert_string_not_equal(identity.firmware, "255.255"); /* the numbers as they are */
    assert_ok(vault_identify(vault, &again));
    assert_true(view_equal(bytes_view(&identity.root_name), bytes_view(&again.root_name)));
    assert_string_equal(identity.manufacturer, again.manufacturer);
    vault_identity_clear(&identity);
    vault_identity_clear(&again);
}

static void nothing_is_sent_before_it_is_needed(UNUSED void **state)
{
    struct vault *other = NULL;
    watched.count = 0;
    assert_ok(vault_new(emulator_choice(), KEY_PROTECTION_AUTO, &other));
    assert_ok(vault_use_token(other, view_of(token_name, sizeof(token_name)), (struct view){0}));
    assert_ok(vault_begin(other));
    vault_close(other);
    vault_free(other);
    assert_int_equal(watched.count, 0);
}

static int closed_in_child(UNUSED void *argument)
{
    struct bytes cipher = {0};
    return !vault_is_open(vault) &&
                   vault_encrypt(vault, "object", view_string("u"), view_string("x"), &cipher) ==
                       CKR_USER_NOT_LOGGED_IN
               ? 0
               : 1;
}

static void a_forked_child_finds_it_closed(UNUSED void **state)
{
    assert_ok(vault_begin(vault));
    assert_int_equal(in_child(closed_in_child, NULL), 0);
    assert_true(vault_is_open(vault));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_secret_lives_as_long_as_its_seal, begin, end),
        cmocka_unit_test_setup_teardown(a_login_takes_at_most_ten_commands, begin, end),
        cmocka_unit_test_setup_teardown(pins_of_any_size_and_content_are_told_apart, begin, end),
        cmocka_unit_test_setup_teardown(a_pin_of_256_bytes_is_none, begin, end),
        cmocka_unit_test_setup_teardown(a_wrong_pin_says_how_many_are_left, begin, end),
        cmocka_unit_test_setup_teardown(both_users_open_the_same_secret, begin, end),
        cmocka_unit_test_setup_teardown(a_changed_pin_kills_the_old_seal, begin, end),
        cmocka_unit_test_setup_teardown(a_vault_without_pin_opens_by_itself, begin, end),
        cmocka_unit_test_setup_teardown(a_pin_becomes_two_authorisations, begin, end),
        cmocka_unit_test_setup_teardown(the_secret_becomes_authorisations_and_keys, begin, end),
        cmocka_unit_test_setup_teardown(what_is_encrypted_is_bound_to_purpose_and_object, begin,
                                        end),
        cmocka_unit_test_setup_teardown(another_token_or_tpm_shuts_the_vault, begin, end),
        cmocka_unit_test_setup_teardown(damaged_seals_are_refused, begin, end),
        cmocka_unit_test_setup_teardown(the_tpm_tells_who_it_is, begin, end),
        cmocka_unit_test_setup_teardown(nothing_is_sent_before_it_is_needed, begin, end),
        cmocka_unit_test_setup_teardown(a_forked_child_finds_it_closed, begin, end),
    };
    return cmocka_run_group_tests(tests, begin_group, end_group);
}
