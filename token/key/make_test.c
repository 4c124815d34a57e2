#include "token/tpm/test_support.h"

#include "token/base/log.h"
#include "token/crypto/decode.h"
#include "token/crypto/digest.h"
#include "token/crypto/public.h"
#include "token/key/make.h"
#include "token/key/ops.h"
#include "token/key/vault_inside.h"

/* Keys made, taken in, written and read back, by the vault of a token with a PIN
 * (`vault`) and of one without (`open_vault`). */

static struct watched watched;
static struct tpm *tpm;
static struct vault *vault, *open_vault;
static struct vault_seal seal, open_seal;

static const struct view u1 = {(const uint8_t *)"unique-1", 8};
static const struct view u2 = {(const uint8_t *)"unique-2", 8};

static const char p256[] = "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
static const char p384[] = "\x06\x05\x2b\x81\x04\x00\x22";
static const char secp256k1[] = "\x06\x05\x2b\x81\x04\x00\x0a";
static const char ed25519[] = "\x06\x03\x2b\x65\x70";
static const char x25519[] = "\x06\x03\x2b\x65\x6e";

static const char make_files[] =
    "set -e\n"
    "gen() { file=$1; shift; openssl genpkey -out $file.pem \"$@\";\n"
    "  openssl pkcs8 -topk8 -nocrypt -in $file.pem -outform DER -out $file.der; }\n"
    "gen rsa2048 -algorithm RSA -pkeyopt rsa_keygen_bits:2048\n"
    "gen rsa1024 -algorithm RSA -pkeyopt rsa_keygen_bits:1024\n"
    "gen p256 -algorithm EC -pkeyopt ec_paramgen_curve:P-256\n"
    "gen p384 -algorithm EC -pkeyopt ec_paramgen_curve:P-384\n"
    "gen k1 -algorithm EC -pkeyopt ec_paramgen_curve:secp256k1\n"
    "gen ed25519 -algorithm ED25519\n"
    "gen x25519 -algorithm X25519\n"
    "openssl req -x509 -key p256.pem -subj /CN=Leaf -days 30 -out p256.crt\n"
    "openssl pkcs8 -topk8 -in p256.pem -passout pass:1234 -out p256.enc\n";

static struct vault *new_vault(const char *name, struct view pin, struct vault_seal *ret_seal)
{
    struct vault *made = NULL;
    assert_ok(vault_new(emulator_choice(), KEY_PROTECTION_AUTO, &made));
    assert_ok(vault_use_token(made, view_of(name, VAULT_TOKEN_SIZE), (struct view){0}));
    assert_ok(vault_begin(made));
    assert_ok(vault_seal(made, VAULT_USER, pin, 10, NULL, ret_seal));
    return made;
}

static int begin_group(void **state)
{
    if (enter_directory(state) != 0)
        return -1;
    setenv("TPM2OPENSSL_TCTI", emulator_choice(), 1);
    tpm_quiet();
    run(make_files);
    tpm = watched_tpm(&watched);
    vault = new_vault("0123456789abcdef", view_string("1234"), &seal);
    open_vault = new_vault("fedcba9876543210", (struct view){0}, &open_seal);
    assert_ok(vault_set_open(open_vault, &open_seal));
    return 0;
}

static int end_group(void **state)
{
    vault_seal_clear(&seal);
    vault_seal_clear(&open_seal);
    vault_free(vault);
    vault_free(open_vault);
    watched_close(&watched, tpm);
    return leave_directory(state);
}

static void login(void)
{
    struct vault_tries tries;
    assert_ok(vault_open(vault, VAULT_USER, &seal, view_string("1234"), &tries));
}

static struct key_spec rsa_of(unsigned bits)
{
    return (struct key_spec){.algorithm = KEY_ALGORITHM_RSA, .bits = bits};
}

static struct key_spec on_curve(enum key_algorithm algorithm, const char *oid)
{
    struct key_spec spec = {.algorithm = algorithm};
    assert_ok(bytes_copy(&spec.curve, view_of(oid, 2 + (size_t)oid[1])));
    return spec;
}

static struct key *generated(struct vault *in, struct key_spec spec, enum key_sealing sealing)
{
    struct key *key = NULL;
    assert_ok(key_generate(in, &spec, u1, sealing, &key));
    key_spec_clear(&spec);
    return key;
}

static struct key *read_back(struct vault *in, enum key_origin origin, struct key *key,
                             struct view unique)
{
    struct bytes pem = {0};
    struct key *copy = NULL;
    struct reason reason = {0};
    assert_ok(key_write(key, &pem));
    if (key_read(in, origin, bytes_view(&pem), unique, &copy, &reason) != CKR_OK)
        fail_msg("%s", reason.text);
    assert_true(public_key_equal(key_public(key), key_public(copy)));
    assert_true(
        view_equal(bytes_view(&key_public(key)->spki), bytes_view(&key_public(copy)->spki)));
    bytes_free(&pem);
    return copy;
}

static struct scheme scheme_of(const struct key *key)
{
    switch (key_public(key)->algorithm) {
    case KEY_ALGORITHM_RSA:
        return (struct scheme){SCHEME_RSA_PSS, HASH_SHA256, HASH_SHA256, 32, {0}};
    case KEY_ALGORITHM_EC:
        return (struct scheme){.kind = SCHEME_ECDSA};
    default:
        return (struct scheme){.kind = SCHEME_EDDSA};
    }
}

static CK_RV sign_with(struct key *key, struct bytes *ret_signature)
{
    const struct scheme scheme = scheme_of(key);
    uint8_t digest[HASH_MAX_SIZE];
    assert_ok(crypto_hash(HASH_SHA256, view_string("message"), digest));
    return key_sign(key, &scheme, view_of(digest, 32), ret_signature);
}

static CK_RV signs(struct key *key)
{
    const struct scheme scheme = scheme_of(key);
    struct bytes signature = {0};
    uint8_t digest[HASH_MAX_SIZE];
    CK_RV rv = sign_with(key, &signature);
    if (rv != CKR_OK) {
        assert_null(signature.data);
        return rv;
    }
    assert_true(key_can(key, KEY_USE_SIGN, &scheme));
    assert_ok(crypto_hash(HASH_SHA256, view_string("message"), digest));
    assert_ok(crypto_verify(key_public(key), &scheme, view_of(digest, 32), bytes_view(&signature)));
    bytes_free(&signature);
    return rv;
}

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

/* A program without the sanitizer cannot load an emulator with it. */
#ifdef __SANITIZE_ADDRESS__
static const bool tools_load_emulator = false;
#else
static const bool tools_load_emulator = true;
#endif

static void run_with_provider(const char *command)
{
    if (tools_load_emulator)
        run(command);
}

static void write_pem(const char *path, struct key *key)
{
    struct bytes pem = {0};
    assert_ok(key_write(key, &pem));
    assert_ok(bytes_append(&pem, view_of("", 1), 65536));
    write_file(path, (char *)pem.data);
    bytes_free(&pem);
}

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

static CK_RV read_from(enum key_origin origin, struct view text, struct key **ret_key,
                       struct reason *reason)
{
    *reason = (struct reason){0};
    return key_read(vault, origin, text, u1, ret_key, reason);
}

static CK_RV read_path(enum key_origin origin, const char *path, struct key **ret_key,
                       struct reason *reason)
{
    struct bytes text = read_file(path);
    CK_RV rv = read_from(origin, bytes_view(&text), ret_key, reason);
    bytes_free(&text);
    return rv;
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

static struct private_parts parts_of(const char *path)
{
    struct private_parts parts = {0};
    struct bytes der = read_file(path);
    assert_ok(key_parts_from_pkcs8(bytes_view(&der), &parts));
    bytes_free(&der);
    return parts;
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
        cmocka_unit_test(a_key_made_in_the_tpm_signs_at_once_and_when_read_back),
        cmocka_unit_test(a_key_works_only_while_its_vault_is_open),
        cmocka_unit_test(a_key_under_another_unique_id_is_refused_once),
        cmocka_unit_test(a_key_outlives_its_vault_but_is_closed),
        cmocka_unit_test(keys_of_a_token_without_pin_work_with_other_tools),
        cmocka_unit_test(what_was_dropped_in_must_not_ask_for_a_pin),
        cmocka_unit_test(imported_keys_sign_for_the_key_that_was_given),
        cmocka_unit_test(an_rsa_key_is_imported_from_modulus_and_exponents),
        cmocka_unit_test(what_the_tpm_lacks_is_refused_with_the_way_out),
        cmocka_unit_test(a_sealed_key_is_used_without_the_tpm),
        cmocka_unit_test(a_sealed_rsa_key_decrypts),
        cmocka_unit_test(sealed_keys_agree_on_a_secret),
        cmocka_unit_test(a_sealed_key_with_a_foreign_public_key_does_not_sign),
        cmocka_unit_test(software_keys_can_be_exported),
        cmocka_unit_test(secret_keys_keep_their_value),
        cmocka_unit_test(secret_keys_are_generated),
        cmocka_unit_test(files_show_what_is_public),
        cmocka_unit_test(files_of_no_use_are_refused_with_the_reason),
        cmocka_unit_test(public_halves_and_certificates_are_written_as_pem),
    };
    return cmocka_run_group_tests(tests, begin_group, end_group);
}
