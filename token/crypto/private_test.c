#include "token/crypto/test_support.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct crypto_key *rsa, *ec;
static struct public_key rsa_public, ec_public;

static int make_keys(void **state)
{
    if (enter_directory(state) != 0)
        return -1;
    run("openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.key");
    run("openssl genpkey -algorithm EC -pkeyopt group:P-256 -out ec.key");
    run("openssl genpkey -algorithm EC -pkeyopt group:P-256 -out peer.key");
    run("openssl pkey -in rsa.key -aes128 -passout pass:1234 -out rsa-pin.key");
    rsa = load_key("rsa.key");
    ec = load_key("ec.key");
    return crypto_key_public(rsa, &rsa_public) == CKR_OK &&
                   crypto_key_public(ec, &ec_public) == CKR_OK
               ? 0
               : -1;
}

static int drop_keys(void **state)
{
    crypto_key_free(rsa);
    crypto_key_free(ec);
    crypto_key_free(NULL);
    public_key_clear(&rsa_public);
    public_key_clear(&ec_public);
    return leave_directory(state);
}

static void the_public_half_is_that_of_the_key(UNUSED void **state)
{
    struct decoded decoded = {0};
    run("openssl pkey -in ec.key -pubout -out ec.pub");
    assert_int_equal(decode_file("ec.pub", NULL, &decoded, NULL), CKR_OK);
    assert_non_null(decoded.public_key);
    assert_true(public_key_equal(decoded.public_key, &ec_public));
    assert_view_equal(bytes_view(&decoded.public_key->spki), bytes_view(&ec_public.spki));
    decoded_clear(&decoded);
}

static void openssl_verifies_what_is_signed(UNUSED void **state)
{
    static const struct scheme scheme = {.kind = SCHEME_RSA_PKCS1, .hash = HASH_SHA256};
    uint8_t digest[HASH_MAX_SIZE];
    struct bytes info = {0}, signature;
    memset(&signature, POISON, sizeof(signature));
    assert_int_equal(crypto_hash(HASH_SHA256, view_string("message"), digest), CKR_OK);
    assert_int_equal(crypto_digest_info(HASH_SHA256, view_of(digest, 32), &info), CKR_OK);
    assert_int_equal(crypto_key_sign(rsa, &scheme, bytes_view(&info), &signature), CKR_OK);
    write_file("signature", bytes_view(&signature));
    run("printf message >message; openssl pkey -in rsa.key -pubout -out rsa.pub;"
        "openssl dgst -sha256 -verify rsa.pub -signature signature message");
    bytes_free(&info);
    bytes_free(&signature);
}

static void inputs_of_the_wrong_length_are_not_signed(UNUSED void **state)
{
    static const uint8_t data[300];
    const struct {
        struct crypto_key *key;
        struct scheme scheme;
        size_t size;
        CK_RV expected;
    } cases[] = {
        {rsa, {.kind = SCHEME_RSA_PKCS1}, 246, CKR_DATA_LEN_RANGE},
        {rsa, {.kind = SCHEME_RSA_RAW}, 257, CKR_DATA_LEN_RANGE},
        {rsa, {SCHEME_RSA_PSS, HASH_SHA256, HASH_SHA256, 32, {0}}, 31, CKR_DATA_LEN_RANGE},
        {rsa,
         {SCHEME_RSA_PSS, HASH_SHA256, HASH_SHA256, 256 - 33, {0}},
         32,
         CKR_MECHANISM_PARAM_INVALID},
        {rsa, {SCHEME_RSA_PSS, HASH_NONE, HASH_SHA256, 32, {0}}, 32, CKR_MECHANISM_PARAM_INVALID},
        {rsa, {SCHEME_RSA_OAEP, HASH_SHA1, HASH_SHA1, 0, {0}}, 20, CKR_MECHANISM_INVALID},
        {rsa, {.kind = SCHEME_ECDSA}, 32, CKR_KEY_TYPE_INCONSISTENT},
        {ec, {.kind = SCHEME_ECDSA}, 0, CKR_DATA_LEN_RANGE},
        {ec, {.kind = SCHEME_ECDSA, .hash = HASH_SHA256}, 20, CKR_DATA_LEN_RANGE},
        {ec, {.kind = SCHEME_RSA_PKCS1}, 32, CKR_KEY_TYPE_INCONSISTENT},
    };
    struct bytes out;
    memset(&out, POISON, sizeof(out));
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_int_equal(
            crypto_key_sign(cases[i].key, &cases[i].scheme, view_of(data, cases[i].size), &out),
            cases[i].expected);
    assert_true(all_poison(&out, sizeof(out)));
}

static void raw_values_are_padded_in_front_and_stay_below_the_modulus(UNUSED void **state)
{
    static const struct scheme raw = {.kind = SCHEME_RSA_RAW};
    uint8_t block[256] = {0};
    struct bytes a = {0}, b = {0}, out;
    block[254] = 7;
    block[255] = 9;
    assert_int_equal(crypto_key_sign(rsa, &raw, view_of(block + 254, 2), &a), CKR_OK);
    assert_int_equal(crypto_key_sign(rsa, &raw, view_of(block, 256), &b), CKR_OK);
    assert_view_equal(bytes_view(&a), bytes_view(&b));
    assert_int_equal(crypto_verify(&rsa_public, &raw, view_of(block + 254, 2), bytes_view(&a)),
                     CKR_OK);
    bytes_free(&a);
    bytes_free(&b);
    memset(&out, POISON, sizeof(out));
    assert_int_equal(crypto_key_sign(rsa, &raw, bytes_view(&rsa_public.modulus), &out),
                     CKR_DATA_INVALID);
    assert_int_equal(crypto_key_decrypt(rsa, &raw, bytes_view(&rsa_public.modulus), &out),
                     CKR_ENCRYPTED_DATA_INVALID);
    assert_true(all_poison(&out, sizeof(out)));
}

static void bad_ciphertexts_are_refused(UNUSED void **state)
{
    const struct scheme oaep = {SCHEME_RSA_OAEP, HASH_SHA256, HASH_SHA256, 0, {0}},
                        pkcs1 = {.kind = SCHEME_RSA_PKCS1},
                        labelled = {SCHEME_RSA_OAEP, HASH_SHA256, HASH_SHA256, 0,
                                    view_string("label")};
    struct bytes cipher = {0}, out;
    memset(&out, POISON, sizeof(out));
    assert_int_equal(crypto_encrypt(&rsa_public, &oaep, view_string("x"), &cipher), CKR_OK);
    struct view whole = bytes_view(&cipher);
    assert_int_equal(crypto_key_decrypt(rsa, &labelled, whole, &out), CKR_ENCRYPTED_DATA_INVALID);
    assert_int_equal(crypto_key_decrypt(rsa, &oaep, view_of(whole.data, 255), &out),
                     CKR_ENCRYPTED_DATA_LEN_RANGE);
    assert_int_equal(crypto_key_decrypt(ec, &oaep, whole, &out), CKR_KEY_TYPE_INCONSISTENT);
    assert_true(all_poison(&out, sizeof(out)));
    CK_RV rv = crypto_key_decrypt(rsa, &pkcs1, whole, &out);
    if (rv == CKR_OK) /* OpenSSL 3.2 and later make up a plaintext */
        bytes_free(&out);
    else
        assert_int_equal(rv, CKR_ENCRYPTED_DATA_INVALID);
    bytes_free(&cipher);
}

static void both_sides_derive_the_same_secret(UNUSED void **state)
{
    struct crypto_key *peer = load_key("peer.key");
    struct public_key peer_public = {0};
    struct bytes ours, theirs = {0};
    memset(&ours, POISON, sizeof(ours));
    assert_int_equal(crypto_key_public(peer, &peer_public), CKR_OK);
    assert_int_equal(crypto_key_derive(rsa, bytes_view(&peer_public.point), &ours),
                     CKR_KEY_TYPE_INCONSISTENT);
    assert_int_equal(crypto_key_derive(ec, bytes_view(&rsa_public.modulus), &ours),
                     CKR_MECHANISM_PARAM_INVALID);
    assert_true(all_poison(&ours, sizeof(ours)));
    assert_int_equal(crypto_key_derive(ec, bytes_view(&peer_public.point), &ours), CKR_OK);
    assert_int_equal(crypto_key_derive(peer, bytes_view(&ec_public.point), &theirs), CKR_OK);
    assert_int_equal(ours.size, 32);
    assert_view_equal(bytes_view(&ours), bytes_view(&theirs));
    bytes_free(&ours);
    bytes_free(&theirs);
    public_key_clear(&peer_public);
    crypto_key_free(peer);
}

/* Signs, and for RSA decrypts, through whatever implements the key. */
static void check_key_works(struct crypto_key *key)
{
    const struct scheme ecdsa = {.kind = SCHEME_ECDSA}, pkcs1 = {.kind = SCHEME_RSA_PKCS1};
    struct public_key public = {0};
    struct bytes info = {0}, signature = {0}, cipher = {0}, plain = {0};
    uint8_t digest[32] = {5};
    assert_int_equal(crypto_key_public(key, &public), CKR_OK);
    bool is_ec = public.algorithm == KEY_ALGORITHM_EC;
    const struct scheme *scheme = is_ec ? &ecdsa : &pkcs1;
    assert_int_equal(crypto_digest_info(HASH_SHA256, view_of(digest, 32), &info), CKR_OK);
    struct view input = is_ec ? view_of(digest, 32) : bytes_view(&info);
    assert_int_equal(crypto_key_sign(key, scheme, input, &signature), CKR_OK);
    assert_int_equal(crypto_verify(&public, scheme, input, bytes_view(&signature)), CKR_OK);
    if (!is_ec) {
        assert_int_equal(crypto_encrypt(&public, &pkcs1, view_string("secret"), &cipher), CKR_OK);
        assert_int_equal(crypto_key_decrypt(key, &pkcs1, bytes_view(&cipher), &plain), CKR_OK);
        assert_view_equal(bytes_view(&plain), view_string("secret"));
    }
    bytes_free(&info);
    bytes_free(&signature);
    bytes_free(&cipher);
    bytes_free(&plain);
    public_key_clear(&public);
}

static void a_key_of_a_provider_works_and_keeps_its_library_context(UNUSED void **state)
{
    static const char *const files[] = {"rsa.key", "ec.key"};
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        struct crypto_key *key = NULL;
        struct reason reason = {0};
        CK_RV rv = crypto_key_from_provider("default", files[i], (struct view){0}, &key, &reason);
        assert_string_equal(reason.text, "");
        assert_int_equal(rv, CKR_OK);
        check_key_works(key);
        crypto_key_free(key);
    }
}

static void a_provider_gets_the_pin_and_nobody_is_prompted(UNUSED void **state)
{
    struct crypto_key *key;
    struct reason reason = {0};
    memset(&key, POISON, sizeof(key));
    assert_int_equal(
        crypto_key_from_provider("default", "rsa-pin.key", (struct view){0}, &key, &reason),
        CKR_PIN_INCORRECT);
    assert_int_equal(
        crypto_key_from_provider("default", "rsa-pin.key", view_string("4321"), &key, &reason),
        CKR_PIN_INCORRECT);
    assert_contains(reason.text, "the PIN is missing or wrong");
    assert_true(all_poison(&key, sizeof(key)));
    assert_int_equal(
        crypto_key_from_provider("default", "rsa-pin.key", view_string("1234"), &key, &reason),
        CKR_OK);
    check_key_works(key);
    crypto_key_free(key);
}

static void a_provider_or_key_that_does_not_exist_is_named(UNUSED void **state)
{
    struct crypto_key *key;
    struct reason reason = {0};
    memset(&key, POISON, sizeof(key));
    assert_int_equal(crypto_key_from_provider("nosuch", "rsa.key", (struct view){0}, &key, &reason),
                     CKR_DEVICE_ERROR);
    assert_contains(reason.text, "provider nosuch cannot be loaded");
    assert_int_equal(crypto_key_from_provider("a,b=c", "rsa.key", (struct view){0}, &key, &reason),
                     CKR_DEVICE_ERROR);
    assert_contains(reason.text, "is no name of an OpenSSL provider");
    assert_int_equal(
        crypto_key_from_provider("default", "nosuch.key", (struct view){0}, &key, &reason),
        CKR_DEVICE_ERROR);
    assert_contains(reason.text, "cannot load the key");
    assert_true(all_poison(&key, sizeof(key)));
}

/* The embedded TPM of the same build, unless TPM2OPENSSL_TCTI names another. */
static void choose_tpm(void)
{
    char path[PATH_MAX] = "", tcti[2 * PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - 1);
    char *inside = size > 0 ? strstr(path, "/test/token/") : NULL;
    if (!inside)
        return;
    *inside = 0;
    snprintf(tcti, sizeof(tcti), "%s/libtss2-tcti-signet.so.0:dir=tpm", path);
    setenv("TPM2OPENSSL_TCTI", tcti, 0);
}

static void a_key_of_the_tpm2_provider_works(UNUSED void **state)
{
    static const char make[] =
        "openssl genpkey -provider tpm2 -provider default -algorithm EC -pkeyopt group:P-256 -out "
        "tpm-ec.key && openssl genpkey -provider tpm2 -provider default -algorithm RSA -pkeyopt "
        "bits:2048 -pkeyopt user-auth:1234 -out tpm-rsa.key";
    char quiet[512];
    choose_tpm();
    snprintf(quiet, sizeof(quiet), "{ %s ; } >command.log 2>&1", make);
    if (!getenv("TPM2OPENSSL_TCTI") || system(quiet) != 0) {
        skip();
        return;
    }
    static const char *const files[] = {"tpm-ec.key", "tpm-rsa.key"};
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        struct crypto_key *key = NULL;
        struct reason reason = {0};
        CK_RV rv = crypto_key_from_provider("tpm2", files[i], view_string("1234"), &key, &reason);
        assert_string_equal(reason.text, "");
        assert_int_equal(rv, CKR_OK);
        check_key_works(key);
        crypto_key_free(key);
    }
}

static void an_engine_that_does_not_exist_is_named(UNUSED void **state)
{
    struct crypto_key *key;
    struct reason reason = {0};
    memset(&key, POISON, sizeof(key));
    CK_RV rv = crypto_key_from_engine("nosuch", "rsa.key", (struct view){0}, &key, &reason);
    assert_true(rv == CKR_DEVICE_ERROR || rv == CKR_FUNCTION_NOT_SUPPORTED);
    assert_contains(reason.text, "engine nosuch cannot be");
    assert_true(all_poison(&key, sizeof(key)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_public_half_is_that_of_the_key),
        cmocka_unit_test(openssl_verifies_what_is_signed),
        cmocka_unit_test(inputs_of_the_wrong_length_are_not_signed),
        cmocka_unit_test(raw_values_are_padded_in_front_and_stay_below_the_modulus),
        cmocka_unit_test(bad_ciphertexts_are_refused),
        cmocka_unit_test(both_sides_derive_the_same_secret),
        cmocka_unit_test(a_key_of_a_provider_works_and_keeps_its_library_context),
        cmocka_unit_test(a_provider_gets_the_pin_and_nobody_is_prompted),
        cmocka_unit_test(a_provider_or_key_that_does_not_exist_is_named),
        cmocka_unit_test(a_key_of_the_tpm2_provider_works),
        cmocka_unit_test(an_engine_that_does_not_exist_is_named),
    };
    return cmocka_run_group_tests(tests, make_keys, drop_keys);
}
