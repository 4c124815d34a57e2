#include "token/tpm/test_support.h"

#include "token/crypto/digest.h"
#include "token/crypto/padding.h"
#include "token/crypto/public.h"
#include "token/key/tpm_key.h"

/* What is signed by TPM2_Sign, what by the raw operation, and what is refused. */

enum { S = TPMA_OBJECT_SIGN_ENCRYPT, D = TPMA_OBJECT_DECRYPT };

enum kind { RSA_ANY, RSA_SIGN, RSA_PSS, RSA_OAEP, EC_ANY, EC_SHA384, P384, KINDS };

static const struct wish wishes[KINDS] = {
    [RSA_ANY] = {.type = TPM2_ALG_RSA, .attributes = S | D},
    [RSA_SIGN] = {.type = TPM2_ALG_RSA, .attributes = S},
    [RSA_PSS] = {TPM2_ALG_RSA, S, TPM2_ALG_RSAPSS, TPM2_ALG_SHA256, 0, NULL, false},
    [RSA_OAEP] = {TPM2_ALG_RSA, D, TPM2_ALG_OAEP, TPM2_ALG_SHA256, 0, NULL, false},
    [EC_ANY] = {.type = TPM2_ALG_ECC, .attributes = S | D},
    [EC_SHA384] = {TPM2_ALG_ECC, S, TPM2_ALG_ECDSA, TPM2_ALG_SHA384, 0, NULL, false},
    [P384] = {.type = TPM2_ALG_ECC, .attributes = S | D, .curve = TPM2_ECC_NIST_P384},
};

static struct made made[KINDS];
static struct watched watched;
static struct tpm *tpm;
static struct key *keys[KINDS];

static struct tpm_key_file file_of(const struct made *blobs)
{
    struct tpm_key_file file = {.empty_auth = true, .parent = TPM2_RH_OWNER};
    assert_ok(bytes_copy(&file.public, view_of(blobs->public, blobs->public_size)));
    assert_ok(bytes_copy(&file.private, view_of(blobs->private, blobs->private_size)));
    return file;
}

static void file_clear(struct tpm_key_file *file)
{
    bytes_free(&file->public);
    bytes_free(&file->private);
}

static int begin_group(void **state)
{
    if (enter_directory(state) != 0)
        return -1;
    tpm_quiet();
    tpm = watched_tpm(&watched);
    for (size_t i = 0; i < KINDS; i++) {
        struct reason reason = {0};
        make_key(&wishes[i], &made[i]);
        struct tpm_key_file file = file_of(&made[i]);
        assert_ok(tpm_key_from_file(tpm, &file, TPM_PROTECTION_AUTO, &keys[i], &reason));
        file_clear(&file);
    }
    return 0;
}

static int end_group(void **state)
{
    for (size_t i = 0; i < KINDS; i++)
        key_unref(keys[i]);
    watched_close(&watched, tpm);
    return leave_directory(state);
}

static struct bytes digest_of(enum hash hash)
{
    struct bytes digest = {0};
    uint8_t out[HASH_MAX_SIZE];
    assert_ok(crypto_hash(hash, view_string("message"), out));
    assert_ok(bytes_copy(&digest, view_of(out, hash_size(hash))));
    return digest;
}

/* Signs, verifies, and answers the last command that did it. */
static uint32_t signed_by(struct key *key, const struct scheme *scheme, struct view input)
{
    struct bytes signature = {0};
    watched.count = 0;
    assert_ok(key_sign(key, scheme, input, &signature));
    assert_ok(crypto_verify(key_public(key), scheme, input, bytes_view(&signature)));
    bytes_free(&signature);
    return watched.codes[watched.count - 1];
}

static CK_RV refused(struct key *key, const struct scheme *scheme, struct view input)
{
    struct bytes signature;
    poison(signature);
    CK_RV rv = key_sign(key, scheme, input, &signature);
    assert_poison(signature);
    return rv;
}

static void pkcs1_goes_to_the_tpm_with_the_hashes_that_all_have(UNUSED void **state)
{
    const struct scheme scheme = {.kind = SCHEME_RSA_PKCS1};
    for (enum hash hash = HASH_SHA1; hash <= HASH_SHA512; hash++) {
        bool common = hash == HASH_SHA1 || hash == HASH_SHA256;
        struct bytes digest = digest_of(hash), info = {0};
        assert_ok(crypto_digest_info(hash, bytes_view(&digest), &info));
        assert_int_equal(signed_by(keys[RSA_ANY], &scheme, bytes_view(&info)),
                         common ? TPM2_CC_Sign : TPM2_CC_RSA_Decrypt);
        bytes_free(&digest);
        bytes_free(&info);
    }
}

static void pkcs1_of_any_data_is_padded_here(UNUSED void **state)
{
    const struct scheme scheme = {.kind = SCHEME_RSA_PKCS1};
    uint8_t data[246];
    memset(data, 7, sizeof(data));
    assert_int_equal(signed_by(keys[RSA_ANY], &scheme, view_of(data, 36)), TPM2_CC_RSA_Decrypt);
    assert_int_equal(signed_by(keys[RSA_ANY], &scheme, view_of(data, 245)), TPM2_CC_RSA_Decrypt);
    assert_rv(refused(keys[RSA_ANY], &scheme, view_of(data, 246)), CKR_DATA_LEN_RANGE);
    /* A key that may only sign cannot do that. */
    assert_rv(refused(keys[RSA_SIGN], &scheme, view_of(data, 36)), CKR_DATA_INVALID);
}

static void a_key_that_only_signs_does_it_in_the_tpm(UNUSED void **state)
{
    static const enum hash hashes[] = {HASH_SHA1, HASH_SHA256, HASH_SHA384, HASH_SHA512};
    const struct scheme scheme = {.kind = SCHEME_RSA_PKCS1};
    for (size_t i = 0; i < ARRAY_SIZE(hashes); i++) {
        struct bytes digest = digest_of(hashes[i]), info = {0};
        assert_ok(crypto_digest_info(hashes[i], bytes_view(&digest), &info));
        assert_int_equal(signed_by(keys[RSA_SIGN], &scheme, bytes_view(&info)), TPM2_CC_Sign);
        bytes_free(&digest);
        bytes_free(&info);
    }
}

static void pss_honours_the_salts_length(UNUSED void **state)
{
    static const size_t salts[] = {0, 20, 32, 48, 222};
    struct bytes digest = digest_of(HASH_SHA256);
    for (size_t i = 0; i < ARRAY_SIZE(salts); i++) {
        const struct scheme scheme = {SCHEME_RSA_PSS, HASH_SHA256, HASH_SHA256, salts[i], {0}};
        assert_int_equal(signed_by(keys[RSA_ANY], &scheme, bytes_view(&digest)),
                         TPM2_CC_RSA_Decrypt);
    }
    const struct scheme other_mask = {SCHEME_RSA_PSS, HASH_SHA256, HASH_SHA1, 32, {0}};
    assert_int_equal(signed_by(keys[RSA_ANY], &other_mask, bytes_view(&digest)),
                     TPM2_CC_RSA_Decrypt);
    const struct scheme short_digest = {SCHEME_RSA_PSS, HASH_SHA384, HASH_SHA384, 48, {0}};
    assert_rv(refused(keys[RSA_ANY], &short_digest, bytes_view(&digest)), CKR_DATA_LEN_RANGE);
    bytes_free(&digest);
}

/* The TPM chooses the salt: what is not what was asked for is never given out. */
static void a_fixed_pss_key_gives_its_own_salt_or_nothing(UNUSED void **state)
{
    struct bytes digest = digest_of(HASH_SHA256);
    unsigned given = 0;
    for (size_t salt = 0; salt <= 222; salt += salt == 32 ? 190 : 32) {
        const struct scheme scheme = {SCHEME_RSA_PSS, HASH_SHA256, HASH_SHA256, salt, {0}};
        struct bytes signature = {0};
        CK_RV rv = key_sign(keys[RSA_PSS], &scheme, bytes_view(&digest), &signature);
        if (rv == CKR_OK) {
            assert_ok(crypto_verify(key_public(keys[RSA_PSS]), &scheme, bytes_view(&digest),
                                    bytes_view(&signature)));
            given++;
        } else {
            assert_rv(rv, CKR_MECHANISM_PARAM_INVALID);
            assert_null(signature.data);
        }
        bytes_free(&signature);
    }
    assert_int_equal(given, 1);
    bytes_free(&digest);
}

static void what_a_key_can_do_is_known_without_the_tpm(UNUSED void **state)
{
    static const struct {
        enum kind kind;
        enum key_use use;
        struct scheme scheme;
        bool can;
    } rows[] = {
        {RSA_ANY, KEY_USE_SIGN, {.kind = SCHEME_RSA_PKCS1}, true},
        {RSA_ANY, KEY_USE_SIGN, {.kind = SCHEME_RSA_RAW}, true},
        {RSA_ANY, KEY_USE_SIGN, {.kind = SCHEME_ECDSA}, false},
        {RSA_ANY, KEY_USE_DECRYPT, {.kind = SCHEME_RSA_OAEP}, true},
        {RSA_ANY, KEY_USE_DERIVE, {.kind = SCHEME_ECDSA}, false},
        {RSA_SIGN, KEY_USE_SIGN, {.kind = SCHEME_RSA_PKCS1}, true},
        {RSA_SIGN, KEY_USE_SIGN, {.kind = SCHEME_RSA_RAW}, false},
        {RSA_SIGN, KEY_USE_DECRYPT, {.kind = SCHEME_RSA_PKCS1}, false},
        {RSA_PSS, KEY_USE_SIGN, {.kind = SCHEME_RSA_PSS, .hash = HASH_SHA256}, true},
        {RSA_PSS, KEY_USE_SIGN, {.kind = SCHEME_RSA_PSS}, true},
        {RSA_PSS, KEY_USE_SIGN, {.kind = SCHEME_RSA_PSS, .hash = HASH_SHA384}, false},
        {RSA_PSS, KEY_USE_SIGN, {.kind = SCHEME_RSA_PKCS1, .hash = HASH_SHA256}, false},
        {RSA_OAEP, KEY_USE_DECRYPT, {.kind = SCHEME_RSA_OAEP}, true},
        {RSA_OAEP, KEY_USE_DECRYPT, {.kind = SCHEME_RSA_PKCS1}, false},
        {RSA_OAEP, KEY_USE_SIGN, {.kind = SCHEME_RSA_PKCS1}, false},
        {EC_ANY, KEY_USE_SIGN, {.kind = SCHEME_ECDSA}, true},
        {EC_ANY, KEY_USE_DERIVE, {.kind = SCHEME_ECDSA}, true},
        {EC_ANY, KEY_USE_SIGN, {.kind = SCHEME_RSA_PKCS1}, false},
        {EC_SHA384, KEY_USE_SIGN, {.kind = SCHEME_ECDSA, .hash = HASH_SHA384}, true},
        {EC_SHA384, KEY_USE_SIGN, {.kind = SCHEME_ECDSA, .hash = HASH_SHA256}, false},
        {EC_SHA384, KEY_USE_DERIVE, {.kind = SCHEME_ECDSA}, false},
    };
    watched.count = 0;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (key_can(keys[rows[i].kind], rows[i].use, &rows[i].scheme) != rows[i].can)
            fail_msg("row %zu", i);
    assert_int_equal(watched.count, 0);
}

static void ecdsa_takes_digests_of_any_hash(UNUSED void **state)
{
    const struct scheme scheme = {.kind = SCHEME_ECDSA};
    static const enum kind kinds[] = {EC_ANY, P384};
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        for (enum hash hash = HASH_SHA1; hash <= HASH_SHA512; hash++) {
            struct bytes digest = digest_of(hash);
            assert_int_equal(signed_by(keys[kinds[i]], &scheme, bytes_view(&digest)), TPM2_CC_Sign);
            bytes_free(&digest);
        }
        assert_rv(refused(keys[kinds[i]], &scheme, (struct view){0}), CKR_DATA_LEN_RANGE);
    }
    assert_int_equal(signed_by(keys[EC_ANY], &scheme, view_string("a")), TPM2_CC_Sign);
}

/* A hash longer than the curve is the TPM's to cut. */
static void a_key_of_one_hash_signs_its_digests(UNUSED void **state)
{
    const struct scheme scheme = {.kind = SCHEME_ECDSA, .hash = HASH_SHA384};
    struct bytes digest = digest_of(HASH_SHA384);
    assert_int_equal(signed_by(keys[EC_SHA384], &scheme, bytes_view(&digest)), TPM2_CC_Sign);
    bytes_free(&digest);
}

static void raw_signatures_stay_below_the_modulus(UNUSED void **state)
{
    const struct scheme scheme = {.kind = SCHEME_RSA_RAW};
    uint8_t block[257] = {0};
    memset(block + 1, 0x11, 255);
    assert_int_equal(signed_by(keys[RSA_ANY], &scheme, view_of(block, 256)), TPM2_CC_RSA_Decrypt);
    assert_int_equal(signed_by(keys[RSA_ANY], &scheme, view_string("short")), TPM2_CC_RSA_Decrypt);
    memset(block, 0xff, sizeof(block));
    assert_rv(refused(keys[RSA_ANY], &scheme, view_of(block, 256)), CKR_DATA_INVALID);
    assert_rv(refused(keys[RSA_ANY], &scheme, view_of(block, 257)), CKR_DATA_LEN_RANGE);
}

static void assert_decrypts(enum kind kind, const struct scheme *scheme)
{
    const struct public_key *public_key = key_public(keys[kind]);
    struct bytes cipher = {0}, plain = {0};
    assert_ok(crypto_encrypt(public_key, scheme, view_string("plain text"), &cipher));
    assert_ok(key_decrypt(keys[kind], scheme, bytes_view(&cipher), &plain));
    assert_view(bytes_view(&plain), "plain text");
    bytes_free(&plain);
    cipher.size--;
    assert_rv(key_decrypt(keys[kind], scheme, bytes_view(&cipher), &plain),
              CKR_ENCRYPTED_DATA_LEN_RANGE);
    cipher.size++;
    cipher.data[0] = 0;
    cipher.data[100] ^= 1;
    CK_RV rv = key_decrypt(keys[kind], scheme, bytes_view(&cipher), &plain);
    /* A TPM on newer OpenSSL answers a wrong PKCS#1 padding with random data. */
    if (rv == CKR_OK && scheme->kind == SCHEME_RSA_PKCS1) {
        assert_false(view_equal(bytes_view(&plain), view_string("plain text")));
    } else {
        assert_rv(rv, CKR_ENCRYPTED_DATA_INVALID);
        assert_null(plain.data);
    }
    bytes_free(&plain);
    bytes_free(&cipher);
}

static void oaep_is_taken_apart_here_where_the_tpm_cannot(UNUSED void **state)
{
    const struct view label = view_string("label");
    const struct scheme schemes[] = {
        {SCHEME_RSA_OAEP, HASH_SHA1, HASH_SHA1, 0, {0}},
        {SCHEME_RSA_OAEP, HASH_SHA256, HASH_SHA256, 0, {0}},
        {SCHEME_RSA_OAEP, HASH_SHA256, HASH_SHA1, 0, {0}},
        {SCHEME_RSA_OAEP, HASH_SHA512, HASH_SHA512, 0, {0}},
        {SCHEME_RSA_OAEP, HASH_SHA256, HASH_SHA256, 0, label},
    };
    for (size_t i = 0; i < ARRAY_SIZE(schemes); i++)
        assert_decrypts(RSA_ANY, &schemes[i]);
    assert_decrypts(RSA_ANY, &(struct scheme){.kind = SCHEME_RSA_PKCS1});
    assert_decrypts(RSA_OAEP, &schemes[1]);
    struct bytes cipher = {0}, plain = {0};
    assert_ok(crypto_encrypt(key_public(keys[RSA_OAEP]), &schemes[4], view_string("x"), &cipher));
    assert_rv(key_decrypt(keys[RSA_OAEP], &schemes[4], bytes_view(&cipher), &plain),
              CKR_MECHANISM_PARAM_INVALID);
    bytes_free(&cipher);
}

static void both_sides_derive_the_same_secret(UNUSED void **state)
{
    struct key *other = NULL;
    struct reason reason = {0};
    struct made blobs;
    make_key(&wishes[EC_ANY], &blobs);
    struct tpm_key_file file = file_of(&blobs);
    assert_ok(tpm_key_from_file(tpm, &file, TPM_PROTECTION_AUTO, &other, &reason));
    struct bytes one = {0}, two = {0};
    assert_ok(key_derive(keys[EC_ANY], bytes_view(&key_public(other)->point), &one));
    assert_ok(key_derive(other, bytes_view(&key_public(keys[EC_ANY])->point), &two));
    assert_int_equal(one.size, 32);
    assert_true(view_equal(bytes_view(&one), bytes_view(&two)));
    assert_rv(key_derive(other, view_string("\4short"), &two), CKR_MECHANISM_PARAM_INVALID);
    bytes_free(&one);
    bytes_free(&two);
    file_clear(&file);
    key_unref(other);
}

static void what_cannot_be_served_is_refused_with_the_reason(UNUSED void **state)
{
    static const struct {
        enum tpm_key_file_type type;
        bool policy;
        uint32_t parent;
        CK_RV rv;
        const char *reason;
    } rows[] = {
        {TPM_KEY_SEALED, false, TPM2_RH_OWNER, CKR_FUNCTION_NOT_SUPPORTED, "sealed"},
        {TPM_KEY_IMPORTABLE, false, TPM2_RH_OWNER, CKR_FUNCTION_NOT_SUPPORTED, "importable"},
        {TPM_KEY_LOADABLE, true, TPM2_RH_OWNER, CKR_FUNCTION_NOT_SUPPORTED, "policy"},
        {TPM_KEY_LOADABLE, false, 0x80000000, CKR_DATA_INVALID, "0x80000000"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct tpm_key_file file = file_of(&made[EC_ANY]);
        struct key *key;
        struct reason reason = {0};
        file.type = rows[i].type;
        file.has_policy = rows[i].policy;
        file.parent = rows[i].parent;
        poison(key);
        assert_rv(tpm_key_from_file(tpm, &file, TPM_PROTECTION_AUTO, &key, &reason), rows[i].rv);
        assert_poison(key);
        assert_contains(reason.text, rows[i].reason);
        file_clear(&file);
    }
}

static void a_persistent_key_must_be_the_promised_one(UNUSED void **state)
{
    const TPM2B_PUBLIC template = storage_template(true);
    struct key *key = NULL;
    struct bytes signature = {0}, digest = digest_of(HASH_SHA256);
    struct reason reason = {0};
    keep_primary(&template, 0x81000020);
    assert_ok(tpm_key_from_handle(tpm, 0x81000020, TPM_PROTECTION_AUTO, key_public(keys[EC_ANY]),
                                  &key, &reason));
    assert_true(key_needs_login(key));
    assert_rv(key_login(key, (struct view){0}), CKR_DEVICE_ERROR);
    assert_rv(
        key_sign(key, &(struct scheme){.kind = SCHEME_ECDSA}, bytes_view(&digest), &signature),
        CKR_USER_NOT_LOGGED_IN);
    key_unref(key);
    keep_primary(NULL, 0x81000020);
    bytes_free(&digest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pkcs1_goes_to_the_tpm_with_the_hashes_that_all_have),
        cmocka_unit_test(pkcs1_of_any_data_is_padded_here),
        cmocka_unit_test(a_key_that_only_signs_does_it_in_the_tpm),
        cmocka_unit_test(pss_honours_the_salts_length),
        cmocka_unit_test(a_fixed_pss_key_gives_its_own_salt_or_nothing),
        cmocka_unit_test(what_a_key_can_do_is_known_without_the_tpm),
        cmocka_unit_test(ecdsa_takes_digests_of_any_hash),
        cmocka_unit_test(a_key_of_one_hash_signs_its_digests),
        cmocka_unit_test(raw_signatures_stay_below_the_modulus),
        cmocka_unit_test(oaep_is_taken_apart_here_where_the_tpm_cannot),
        cmocka_unit_test(both_sides_derive_the_same_secret),
        cmocka_unit_test(what_cannot_be_served_is_refused_with_the_reason),
        cmocka_unit_test(a_persistent_key_must_be_the_promised_one),
    };
    return cmocka_run_group_tests(tests, begin_group, end_group);
}
