#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include "token/tpm/create.h"
#include "token/tpm/test_support.h"

/* Keys made by the TPM, and keys from outside. */

#define AUTH "an authorisation of 32 bytes ...."

static const uint8_t p256[] = {6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7};
static const uint8_t p384[] = {6, 5, 0x2b, 0x81, 4, 0, 0x22};
static const uint8_t p521[] = {6, 5, 0x2b, 0x81, 4, 0, 0x23};
static const uint8_t secp256k1[] = {6, 5, 0x2b, 0x81, 4, 0, 0x0a};

static struct view auth_view(void)
{
    return view_of(AUTH, 32);
}

static struct key_spec ec_spec(const uint8_t *oid, size_t size)
{
    struct key_spec spec = {.algorithm = KEY_ALGORITHM_EC};
    assert_ok(bytes_copy(&spec.curve, view_of(oid, size)));
    return spec;
}

static struct tpm_key *key_of(struct tpm *tpm, const struct tpm_created *created)
{
    struct tpm_key_source source = {.parent = created->parent,
                                    .rsa_parent = created->rsa_parent,
                                    .public = bytes_view(&created->public),
                                    .private = bytes_view(&created->private)};
    struct tpm_key *key = NULL;
    struct reason reason = {0};
    if (tpm_key_new(tpm, &source, &key, &reason) != CKR_OK)
        fail_msg("%s", reason.text);
    return key;
}

static void push_number(OSSL_PARAM_BLD *build, const char *name, BIGNUM **number, struct view view)
{
    *number = BN_bin2bn(view.data, (int)view.size, NULL);
    assert_int_equal(OSSL_PARAM_BLD_push_BN(build, name, *number), 1);
}

static EVP_PKEY *openssl_key(const struct public_key *key)
{
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    BIGNUM *n = NULL, *e = NULL;
    bool rsa = key->algorithm == KEY_ALGORITHM_RSA;
    if (rsa) {
        push_number(build, OSSL_PKEY_PARAM_RSA_N, &n, bytes_view(&key->modulus));
        push_number(build, OSSL_PKEY_PARAM_RSA_E, &e, bytes_view(&key->exponent));
    } else {
        const char *group = key->bits == 256 ? "P-256" : key->bits == 384 ? "P-384" : "P-521";
        OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, group, 0);
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, key->point.data,
                                         key->point.size);
    }
    OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, rsa ? "RSA" : "EC", NULL);
    EVP_PKEY *made = NULL;
    assert_int_equal(EVP_PKEY_fromdata_init(context), 1);
    assert_int_equal(EVP_PKEY_fromdata(context, &made, EVP_PKEY_PUBLIC_KEY, parameters), 1);
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(parameters);
    OSSL_PARAM_BLD_free(build);
    BN_free(n);
    BN_free(e);
    return made;
}

/* r || s as DER. */
static size_t der_signature(const struct bytes *raw, uint8_t *der)
{
    ECDSA_SIG *signature = ECDSA_SIG_new();
    int half = (int)raw->size / 2;
    ECDSA_SIG_set0(signature, BN_bin2bn(raw->data, half, NULL),
                   BN_bin2bn(raw->data + half, half, NULL));
    int size = i2d_ECDSA_SIG(signature, &der);
    ECDSA_SIG_free(signature);
    assert_true(size > 0);
    return (size_t)size;
}

/* It signs with its authorisation, for its public key, and not with another. */
static void assert_signs(struct tpm *tpm, const struct tpm_created *created)
{
    static const uint8_t digest[32] = {1, 2, 3};
    struct tpm_key *key = key_of(tpm, created);
    bool rsa = tpm_key_public(key)->algorithm == KEY_ALGORITHM_RSA;
    enum scheme_kind kind = rsa ? SCHEME_RSA_PKCS1 : SCHEME_ECDSA;
    struct bytes signature = {0};
    uint8_t der[160];
    assert_rv(tpm_key_sign(key, view_string("wrong"), kind, HASH_SHA256,
                           view_of(digest, sizeof(digest)), &signature),
              CKR_PIN_INCORRECT);
    assert_ok(tpm_key_sign(key, auth_view(), kind, HASH_SHA256, view_of(digest, sizeof(digest)),
                           &signature));
    EVP_PKEY *public = openssl_key(tpm_key_public(key));
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(public, NULL);
    assert_int_equal(EVP_PKEY_verify_init(context), 1);
    if (rsa)
        assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING), 1);
    assert_int_equal(EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()), 1);
    size_t size = rsa ? signature.size : der_signature(&signature, der);
    assert_int_equal(
        EVP_PKEY_verify(context, rsa ? signature.data : der, size, digest, sizeof(digest)), 1);
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(public);
    bytes_free(&signature);
    tpm_key_free(key);
}

static TPMT_PUBLIC area_of(struct view public)
{
    TPM2B_PUBLIC area = {0};
    size_t offset = 0;
    assert_int_equal(Tss2_MU_TPM2B_PUBLIC_Unmarshal(public.data, public.size, &offset, &area), 0);
    assert_int_equal(offset, public.size);
    return area.publicArea;
}

static void a_created_key_signs_and_decrypts_and_never_leaves(UNUSED void **state)
{
    struct watched watched;
    struct tpm *tpm = watched_tpm(&watched);
    struct key_spec specs[] = {{.algorithm = KEY_ALGORITHM_RSA, .bits = 2048},
                               ec_spec(p256, sizeof(p256)),
                               ec_spec(p384, sizeof(p384)),
                               ec_spec(p521, sizeof(p521))};
    for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
        struct tpm_created created;
        poison(created);
        watched.count = 0;
        assert_ok(tpm_key_create(tpm, &specs[i], auth_view(), TPM_PROTECTION_AUTO, &created));
        assert_int_equal(watched.count, 3);
        assert_int_equal(created.parent, TPM2_RH_OWNER);
        assert_false(created.rsa_parent);
        assert_int_equal(area_of(bytes_view(&created.public)).objectAttributes,
                         TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
                             TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_USERWITHAUTH |
                             TPMA_OBJECT_NODA | TPMA_OBJECT_SIGN_ENCRYPT | TPMA_OBJECT_DECRYPT);
        assert_signs(tpm, &created);
        tpm_created_clear(&created);
        key_spec_clear(&specs[i]);
    }
    watched_close(&watched, tpm);
}

static void keep_root(const char *unique)
{
    TPM2B_PUBLIC template = storage_template(true);
    if (unique)
        template.publicArea.unique.ecc.x = (TPM2B_ECC_PARAMETER){.size = 1, .buffer = {7}};
    keep_primary(&template, 0x81000001);
}

static unsigned commands_to_create(struct watched *watched, struct tpm *tpm)
{
    struct key_spec spec = ec_spec(p256, sizeof(p256));
    struct tpm_created created = {0};
    watched->count = 0;
    assert_ok(tpm_key_create(tpm, &spec, auth_view(), TPM_PROTECTION_AUTO, &created));
    unsigned count = (unsigned)watched->count;
    tpm_created_clear(&created);
    key_spec_clear(&spec);
    return count;
}

static void a_kept_root_that_is_known_to_be_the_same_makes_it_two_commands(UNUSED void **state)
{
    struct watched watched;
    keep_root(NULL);
    struct tpm *tpm = watched_tpm(&watched);
    assert_int_equal(commands_to_create(&watched, tpm), 3);
    assert_int_equal(commands_to_create(&watched, tpm), 2);
    keep_primary(NULL, 0x81000001);
    assert_int_equal(commands_to_create(&watched, tpm), 4);
    assert_int_equal(commands_to_create(&watched, tpm), 3);
    watched_close(&watched, tpm);
}

/* Its template differs in `unique`, which a public area does not show. */
static void a_kept_root_of_another_template_gets_no_keys(UNUSED void **state)
{
    struct watched watched;
    struct key_spec spec = ec_spec(p256, sizeof(p256));
    struct tpm_created created[2] = {{0}};
    struct tpm_root root = {0}, again = {0};
    keep_root("another");
    struct tpm *tpm = watched_tpm(&watched);
    for (size_t i = 0; i < ARRAY_SIZE(created); i++)
        assert_ok(tpm_key_create(tpm, &spec, auth_view(), TPM_PROTECTION_AUTO, &created[i]));
    assert_ok(tpm_root_read(tpm, &root));
    keep_primary(NULL, 0x81000001);
    watched_close(&watched, tpm);
    tpm = watched_tpm(&watched);
    for (size_t i = 0; i < ARRAY_SIZE(created); i++)
        assert_signs(tpm, &created[i]);
    assert_ok(tpm_root_read(tpm, &again));
    assert_true(view_equal(bytes_view(&root.name), bytes_view(&again.name)));
    for (size_t i = 0; i < ARRAY_SIZE(created); i++)
        tpm_created_clear(&created[i]);
    tpm_root_clear(&root);
    tpm_root_clear(&again);
    key_spec_clear(&spec);
    watched_close(&watched, tpm);
}

static void kinds_that_tpms_lack_are_told_apart(UNUSED void **state)
{
    struct watched watched;
    struct tpm *tpm = watched_tpm(&watched);
    struct {
        struct key_spec spec;
        CK_RV expected;
        bool asks;
    } cases[] = {
        {{.algorithm = KEY_ALGORITHM_RSA, .bits = 1024}, CKR_KEY_SIZE_RANGE, false},
        {{.algorithm = KEY_ALGORITHM_RSA, .bits = 2047}, CKR_KEY_SIZE_RANGE, false},
        {{.algorithm = KEY_ALGORITHM_RSA, .bits = 2050}, CKR_KEY_SIZE_RANGE, false},
        {{.algorithm = KEY_ALGORITHM_RSA, .bits = 4096}, CKR_KEY_SIZE_RANGE, true},
        {{.algorithm = KEY_ALGORITHM_RSA, .bits = 0x10800}, CKR_KEY_SIZE_RANGE, false},
        {ec_spec(secp256k1, sizeof(secp256k1)), CKR_CURVE_NOT_SUPPORTED, false},
        {ec_spec(p256, sizeof(p256) - 1), CKR_CURVE_NOT_SUPPORTED, false},
        {{.algorithm = KEY_ALGORITHM_EC}, CKR_CURVE_NOT_SUPPORTED, false},
        {{.algorithm = KEY_ALGORITHM_EDWARDS}, CKR_CURVE_NOT_SUPPORTED, false},
        {{.algorithm = KEY_ALGORITHM_MONTGOMERY}, CKR_CURVE_NOT_SUPPORTED, false},
        {{.algorithm = KEY_ALGORITHM_AES, .bits = 128}, CKR_ATTRIBUTE_VALUE_INVALID, false},
    };
    struct tpm_created created;
    poison(created);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        watched.count = 0;
        assert_rv(tpm_key_create(tpm, &cases[i].spec, auth_view(), TPM_PROTECTION_AUTO, &created),
                  cases[i].expected);
        assert_int_equal(watched.count > 0, cases[i].asks);
        key_spec_clear(&cases[i].spec);
    }
    struct key_spec spec = ec_spec(p256, sizeof(p256));
    assert_rv(tpm_key_create(tpm, &spec, view_of(AUTH "x", 33), TPM_PROTECTION_AUTO, &created),
              CKR_PIN_LEN_RANGE);
    inject(&watched, TPM2_CC_Create, TPM2_RC_CURVE | TPM2_RC_P | TPM2_RC_2, 1);
    assert_rv(tpm_key_create(tpm, &spec, auth_view(), TPM_PROTECTION_AUTO, &created),
              CKR_CURVE_NOT_SUPPORTED);
    assert_poison(created);
    key_spec_clear(&spec);
    watched_close(&watched, tpm);
}

static void exponents_other_than_65537_are_the_tpms_to_refuse(UNUSED void **state)
{
    static const struct {
        uint8_t bytes[5];
        size_t size;
        CK_RV expected;
    } cases[] = {{{1, 0, 1}, 3, CKR_OK},
                 {{0, 1, 0, 1}, 4, CKR_OK},
                 {{2}, 1, CKR_ATTRIBUTE_VALUE_INVALID},
                 {{1}, 1, CKR_ATTRIBUTE_VALUE_INVALID},
                 {{0}, 1, CKR_ATTRIBUTE_VALUE_INVALID},
                 {{1, 0, 0, 0, 1}, 5, CKR_KEY_SIZE_RANGE}};
    struct tpm *tpm = NULL;
    assert_ok(tpm_acquire(emulator_choice(), &tpm));
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct key_spec spec = {.algorithm = KEY_ALGORITHM_RSA, .bits = 2048};
        struct tpm_created created = {0};
        assert_ok(bytes_copy(&spec.exponent, view_of(cases[i].bytes, cases[i].size)));
        assert_rv(tpm_key_create(tpm, &spec, (struct view){0}, TPM_PROTECTION_AUTO, &created),
                  cases[i].expected);
        if (cases[i].expected == CKR_OK)
            assert_int_equal(area_of(bytes_view(&created.public)).parameters.rsaDetail.exponent, 0);
        tpm_created_clear(&created);
        key_spec_clear(&spec);
    }
    tpm_release(tpm);
}

static void a_tpm_without_p256_gets_an_rsa_root(UNUSED void **state)
{
    struct watched watched;
    struct tpm *tpm = watched_tpm(&watched);
    struct key_spec spec = {.algorithm = KEY_ALGORITHM_RSA, .bits = 2048};
    struct tpm_created created = {0};
    struct tpm_root root = {0};
    inject(&watched, TPM2_CC_CreatePrimary, TPM2_RC_CURVE | TPM2_RC_P | TPM2_RC_2, 1);
    assert_ok(tpm_key_create(tpm, &spec, auth_view(), TPM_PROTECTION_AUTO, &created));
    assert_true(created.rsa_parent);
    assert_signs(tpm, &created);
    inject(&watched, TPM2_CC_CreatePrimary, TPM2_RC_VALUE | TPM2_RC_P | TPM2_RC_2, 1);
    assert_ok(tpm_root_read(tpm, &root));
    assert_true(root.rsa);
    assert_int_equal(root.public_key.algorithm, KEY_ALGORITHM_RSA);
    tpm_root_clear(&root);
    tpm_created_clear(&created);
    watched_close(&watched, tpm);
}

static void the_root_is_read_with_its_name(UNUSED void **state)
{
    struct watched watched;
    struct tpm *tpm = watched_tpm(&watched);
    struct tpm_root root, kept = {0};
    poison(root);
    assert_ok(tpm_root_read(tpm, &root));
    assert_int_equal(watched.count, 2);
    assert_false(root.rsa);
    assert_int_equal(root.public_key.algorithm, KEY_ALGORITHM_EC);
    assert_int_equal(root.public_key.bits, 256);
    assert_int_equal(root.name.size, 34);
    keep_root(NULL);
    watched.count = 0;
    assert_ok(tpm_root_read(tpm, &kept));
    assert_int_equal(watched.count, 1);
    assert_true(view_equal(bytes_view(&root.name), bytes_view(&kept.name)));
    keep_primary(NULL, 0x81000001);
    tpm_root_clear(&root);
    tpm_root_clear(&kept);
    watched_close(&watched, tpm);
}

static void a_protected_creation_hides_the_authorisation(UNUSED void **state)
{
    static const enum tpm_protection protections[] = {TPM_PROTECTION_OFF, TPM_PROTECTION_ON};
    static char secret[] = AUTH;
    struct key_spec spec = ec_spec(p256, sizeof(p256));
    secret[32] = 0;
    for (size_t i = 0; i < ARRAY_SIZE(protections); i++) {
        struct watched watched;
        struct tpm_created created = {0};
        struct tpm *tpm = watched_tpm(&watched);
        watched.secret = secret;
        assert_ok(tpm_key_create(tpm, &spec, auth_view(), protections[i], &created));
        assert_int_equal(watched.seen, protections[i] == TPM_PROTECTION_OFF);
        watched.secret = NULL;
        assert_signs(tpm, &created);
        tpm_created_clear(&created);
        watched_close(&watched, tpm);
    }
    key_spec_clear(&spec);
}

static EVP_PKEY *new_openssl_key(const char *curve)
{
    EVP_PKEY *key = curve ? EVP_EC_gen(curve) : EVP_RSA_gen(2048);
    assert_non_null(key);
    return key;
}

static void number_of(const EVP_PKEY *key, const char *name, size_t size, struct bytes *bytes)
{
    BIGNUM *number = NULL;
    assert_int_equal(EVP_PKEY_get_bn_param(key, name, &number), 1);
    assert_ok(bytes_alloc(bytes, size ? size : (size_t)BN_num_bytes(number)));
    assert_true(BN_bn2binpad(number, bytes->data, (int)bytes->size) > 0);
    BN_clear_free(number);
}

static struct private_parts parts_of(const EVP_PKEY *key, const uint8_t *oid, size_t oid_size)
{
    struct private_parts parts = {.algorithm = oid ? KEY_ALGORITHM_EC : KEY_ALGORITHM_RSA};
    uint8_t point[200];
    size_t size = 0;
    if (!oid) {
        number_of(key, OSSL_PKEY_PARAM_RSA_N, 0, &parts.modulus);
        number_of(key, OSSL_PKEY_PARAM_RSA_E, 0, &parts.public_exponent);
        number_of(key, OSSL_PKEY_PARAM_RSA_FACTOR1, 0, &parts.prime_1);
        return parts;
    }
    assert_int_equal(
        EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point), &size),
        1);
    assert_ok(bytes_copy(&parts.point, view_of(point, size)));
    assert_ok(bytes_copy(&parts.curve, view_of(oid, oid_size)));
    number_of(key, OSSL_PKEY_PARAM_PRIV_KEY, 0, &parts.value);
    return parts;
}

/* No wrapper at all, which a TPM takes too: TPM2B_PRIVATE of TPM2B_SENSITIVE. */
static struct bytes plain_duplicate(const struct bytes *sensitive)
{
    struct bytes duplicate = {0};
    assert_ok(bytes_alloc(&duplicate, 4 + sensitive->size));
    duplicate.data[0] = (uint8_t)((sensitive->size + 2) >> 8);
    duplicate.data[1] = (uint8_t)(sensitive->size + 2);
    duplicate.data[2] = (uint8_t)(sensitive->size >> 8);
    duplicate.data[3] = (uint8_t)sensitive->size;
    memcpy(duplicate.data + 4, sensitive->data, sensitive->size);
    return duplicate;
}

static void an_imported_key_is_the_one_that_was_given(UNUSED void **state)
{
    static const uint8_t no_seed[2];
    static const struct {
        const char *curve;
        const uint8_t *oid;
        size_t size;
    } cases[] = {{NULL, NULL, 0},
                 {"P-256", p256, sizeof(p256)},
                 {"P-384", p384, sizeof(p384)},
                 {"P-521", p521, sizeof(p521)}};
    struct watched watched;
    struct tpm *tpm = watched_tpm(&watched);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        EVP_PKEY *key = new_openssl_key(cases[i].curve);
        struct private_parts parts = parts_of(key, cases[i].oid, cases[i].size);
        struct bytes public = {0}, sensitive = {0};
        struct tpm_created created;
        poison(created);
        assert_ok(tpm_import_structures(&parts, auth_view(), &public, &sensitive));
        assert_int_equal(area_of(bytes_view(&public)).objectAttributes,
                         TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA | TPMA_OBJECT_SIGN_ENCRYPT |
                             TPMA_OBJECT_DECRYPT);
        struct bytes duplicate = plain_duplicate(&sensitive);
        watched.count = 0;
        assert_ok(tpm_key_import(tpm, bytes_view(&public), bytes_view(&duplicate),
                                 view_of(no_seed, sizeof(no_seed)), &created));
        assert_true(watched.count <= 4);
        assert_signs(tpm, &created);
        struct tpm_key *loaded = key_of(tpm, &created);
        if (cases[i].curve)
            assert_true(
                view_equal(bytes_view(&tpm_key_public(loaded)->point), bytes_view(&parts.point)));
        else
            assert_true(view_equal(bytes_view(&tpm_key_public(loaded)->modulus),
                                   bytes_view(&parts.modulus)));
        tpm_key_free(loaded);
        tpm_created_clear(&created);
        private_parts_clear(&parts);
        bytes_free(&public);
        bytes_free(&sensitive);
        bytes_free(&duplicate);
        EVP_PKEY_free(key);
    }
    watched_close(&watched, tpm);
}

static void short_numbers_are_filled_up(UNUSED void **state)
{
    EVP_PKEY *key = new_openssl_key("P-256");
    struct private_parts parts = parts_of(key, p256, sizeof(p256));
    struct bytes public = {0}, sensitive = {0};
    static const uint8_t one = 1;
    assert_ok(bytes_copy(&parts.value, view_of(&one, 1)));
    assert_ok(tpm_import_structures(&parts, (struct view){0}, &public, &sensitive));
    /* sensitiveType, empty authValue and seedValue, then the number of 32 bytes. */
    assert_int_equal(sensitive.size, 2 + 2 + 2 + 2 + 32);
    assert_int_equal(sensitive.data[7], 32);
    assert_int_equal(sensitive.data[8], 0);
    assert_int_equal(sensitive.data[39], 1);
    private_parts_clear(&parts);
    bytes_free(&public);
    bytes_free(&sensitive);
    EVP_PKEY_free(key);
}

static void parts_that_do_not_fit_are_refused(UNUSED void **state)
{
    EVP_PKEY *rsa = new_openssl_key(NULL), *ec = new_openssl_key("P-256");
    struct private_parts full_rsa = parts_of(rsa, NULL, 0);
    struct private_parts full_ec = parts_of(ec, p256, sizeof(p256));
    struct private_parts bad[12];
    CK_RV expected[ARRAY_SIZE(bad)];
    static uint8_t large[] = {1, 0, 0, 0, 1};
    struct bytes public, sensitive;
    poison(public);
    poison(sensitive);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        bad[i] = i < 6 ? full_rsa : full_ec;
        expected[i] = CKR_ATTRIBUTE_VALUE_INVALID;
    }
    bad[0].prime_1.size = 0;
    bad[1].prime_1.size--;
    bad[2].public_exponent.size = 0;
    bad[3].modulus.size = 128, expected[3] = CKR_KEY_SIZE_RANGE;
    bad[4].modulus.size = 0, expected[4] = CKR_KEY_SIZE_RANGE;
    bad[5].public_exponent = (struct bytes){large, sizeof(large)}, expected[5] = CKR_KEY_SIZE_RANGE;
    bad[6].point.size = 0;
    bad[7].point.size = 33;
    bad[8].value.size = 0;
    bad[9].value = full_ec.point;
    bad[10].curve.size--, expected[10] = CKR_CURVE_NOT_SUPPORTED;
    bad[11].algorithm = KEY_ALGORITHM_EDWARDS, expected[11] = CKR_CURVE_NOT_SUPPORTED;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_rv(tpm_import_structures(&bad[i], (struct view){0}, &public, &sensitive),
                  expected[i]);
    assert_rv(tpm_import_structures(&full_ec, view_of(AUTH "x", 33), &public, &sensitive),
              CKR_PIN_LEN_RANGE);
    assert_poison(public);
    assert_poison(sensitive);
    private_parts_clear(&full_rsa);
    private_parts_clear(&full_ec);
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(ec);
}

static void a_malformed_duplicate_is_refused_without_a_command(UNUSED void **state)
{
    static const uint8_t no_seed[2], junk[3] = {0, 9, 1};
    struct watched watched;
    struct tpm *tpm = watched_tpm(&watched);
    EVP_PKEY *ec = new_openssl_key("P-256");
    struct private_parts parts = parts_of(ec, p256, sizeof(p256));
    struct bytes public = {0}, sensitive = {0};
    struct tpm_created created;
    poison(created);
    assert_ok(tpm_import_structures(&parts, (struct view){0}, &public, &sensitive));
    struct bytes duplicate = plain_duplicate(&sensitive);
    struct view seed = view_of(no_seed, 2), private = bytes_view(&duplicate);
    const struct {
        struct view public, duplicate, seed;
    } cases[] = {{view_of(junk, 3), private, seed},
                 {bytes_view(&public), view_of(junk, 3), seed},
                 {bytes_view(&public), private, view_of(junk, 3)},
                 {bytes_view(&public), (struct view){0}, seed},
                 {bytes_view(&public), private, (struct view){0}}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_rv(tpm_key_import(tpm, cases[i].public, cases[i].duplicate, cases[i].seed, &created),
                  CKR_DATA_INVALID);
    assert_int_equal(watched.count, 0);
    /* Another key's public half: the TPM sees it. */
    public.data[public.size - 1] ^= 1;
    assert_int_not_equal(tpm_key_import(tpm, bytes_view(&public), private, seed, &created), CKR_OK);
    assert_poison(created);
    private_parts_clear(&parts);
    bytes_free(&public);
    bytes_free(&sensitive);
    bytes_free(&duplicate);
    EVP_PKEY_free(ec);
    watched_close(&watched, tpm);
}

static int begin_group(void **state)
{
    if (enter_directory(state) != 0)
        return -1;
    tpm_quiet();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_created_key_signs_and_decrypts_and_never_leaves),
        cmocka_unit_test(a_kept_root_that_is_known_to_be_the_same_makes_it_two_commands),
        cmocka_unit_test(a_kept_root_of_another_template_gets_no_keys),
        cmocka_unit_test(kinds_that_tpms_lack_are_told_apart),
        cmocka_unit_test(exponents_other_than_65537_are_the_tpms_to_refuse),
        cmocka_unit_test(a_tpm_without_p256_gets_an_rsa_root),
        cmocka_unit_test(the_root_is_read_with_its_name),
        cmocka_unit_test(a_protected_creation_hides_the_authorisation),
        cmocka_unit_test(an_imported_key_is_the_one_that_was_given),
        cmocka_unit_test(short_numbers_are_filled_up),
        cmocka_unit_test(parts_that_do_not_fit_are_refused),
        cmocka_unit_test(a_malformed_duplicate_is_refused_without_a_command),
    };
    return cmocka_run_group_tests(tests, begin_group, leave_directory);
}
