/* What the tests of this room share: the vault of a token with a PIN (`vault`), of one
 * without (`open_vault`), files, and keys that are made, written and tried. */
#ifndef SIGNET_KEY_TEST_SUPPORT_H
#define SIGNET_KEY_TEST_SUPPORT_H

#include "token/tpm/test_support.h"

#include "token/crypto/decode.h"
#include "token/crypto/digest.h"
#include "token/crypto/public.h"
#include "token/key/make.h"
#include "token/key/vault_inside.h"

static UNUSED struct watched watched;
static UNUSED struct tpm *tpm;
static UNUSED struct vault *vault, *open_vault;
static UNUSED struct vault_seal seal, open_seal;

static UNUSED const struct view u1 = {(const uint8_t *)"unique-1", 8};
static UNUSED const struct view u2 = {(const uint8_t *)"unique-2", 8};

static UNUSED const char p256[] = "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
static UNUSED const char p384[] = "\x06\x05\x2b\x81\x04\x00\x22";
static UNUSED const char secp256k1[] = "\x06\x05\x2b\x81\x04\x00\x0a";
static UNUSED const char ed25519[] = "\x06\x03\x2b\x65\x70";
static UNUSED const char x25519[] = "\x06\x03\x2b\x65\x6e";

static UNUSED const char make_files[] =
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

static UNUSED struct vault *new_vault(const char *name, struct view pin,
                                      struct vault_seal *ret_seal)
{
    struct vault *made = NULL;
    assert_ok(vault_new(emulator_choice(), KEY_PROTECTION_AUTO, &made));
    assert_ok(vault_use_token(made, view_of(name, VAULT_TOKEN_SIZE), (struct view){0}));
    assert_ok(vault_begin(made));
    assert_ok(vault_seal(made, VAULT_USER, pin, 10, NULL, ret_seal));
    return made;
}

static UNUSED int begin_group(void **state)
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

static UNUSED int end_group(void **state)
{
    vault_seal_clear(&seal);
    vault_seal_clear(&open_seal);
    vault_free(vault);
    vault_free(open_vault);
    watched_close(&watched, tpm);
    return leave_directory(state);
}

static UNUSED void login(void)
{
    struct vault_tries tries;
    assert_ok(vault_open(vault, VAULT_USER, &seal, view_string("1234"), &tries));
}

static UNUSED struct key_spec rsa_of(unsigned bits)
{
    return (struct key_spec){.algorithm = KEY_ALGORITHM_RSA, .bits = bits};
}

static UNUSED struct key_spec on_curve(enum key_algorithm algorithm, const char *oid)
{
    struct key_spec spec = {.algorithm = algorithm};
    assert_ok(bytes_copy(&spec.curve, view_of(oid, 2 + (size_t)oid[1])));
    return spec;
}

static UNUSED struct key *generated(struct vault *in, struct key_spec spec,
                                    enum key_sealing sealing)
{
    struct key *key = NULL;
    assert_ok(key_generate(in, &spec, u1, sealing, &key));
    key_spec_clear(&spec);
    return key;
}

static UNUSED struct key *read_back(struct vault *in, enum key_origin origin, struct key *key,
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

static UNUSED struct scheme scheme_of(const struct key *key)
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

static UNUSED CK_RV sign_with(struct key *key, struct bytes *ret_signature)
{
    const struct scheme scheme = scheme_of(key);
    uint8_t digest[HASH_MAX_SIZE];
    assert_ok(crypto_hash(HASH_SHA256, view_string("message"), digest));
    return key_sign(key, &scheme, view_of(digest, 32), ret_signature);
}

static UNUSED CK_RV signs(struct key *key)
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

/* A program without the sanitizer cannot load an emulator with it. */
#ifdef __SANITIZE_ADDRESS__
static UNUSED const bool tools_load_emulator = false;
#else
static UNUSED const bool tools_load_emulator = true;
#endif

static UNUSED void run_with_provider(const char *command)
{
    if (tools_load_emulator)
        run(command);
}

static UNUSED void write_pem(const char *path, struct key *key)
{
    struct bytes pem = {0};
    assert_ok(key_write(key, &pem));
    assert_ok(bytes_append(&pem, view_of("", 1), 65536));
    write_file(path, (char *)pem.data);
    bytes_free(&pem);
}

static UNUSED CK_RV read_from(enum key_origin origin, struct view text, struct key **ret_key,
                              struct reason *reason)
{
    *reason = (struct reason){0};
    return key_read(vault, origin, text, u1, ret_key, reason);
}

static UNUSED CK_RV read_path(enum key_origin origin, const char *path, struct key **ret_key,
                              struct reason *reason)
{
    struct bytes text = read_file(path);
    CK_RV rv = read_from(origin, bytes_view(&text), ret_key, reason);
    bytes_free(&text);
    return rv;
}

static UNUSED struct private_parts parts_of(const char *path)
{
    struct private_parts parts = {0};
    struct bytes der = read_file(path);
    assert_ok(key_parts_from_pkcs8(bytes_view(&der), &parts));
    bytes_free(&der);
    return parts;
}

#endif
