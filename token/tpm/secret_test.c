#include "token/tpm/test_support.h"

#include "token/base/hash.h"
#include "token/tpm/secret.h"

/* HMAC and AES by the TPM, with published vectors, sizes around its buffer, and TPMs that
 * lack what they need. What is long is compared with OpenSSL by the rooms above. */

static struct watched watched;
static struct tpm *tpm;

static struct view from_hex(const char *hex)
{
    static uint8_t pool[4096];
    static size_t used;
    size_t size = strlen(hex) / 2;
    if (used + size > sizeof(pool))
        used = 0;
    uint8_t *bytes = pool + used;
    for (size_t i = 0; i < size; i++)
        assert_int_equal(sscanf(hex + 2 * i, "%2hhx", &bytes[i]), 1);
    used += size;
    return view_of(bytes, size);
}

#define assert_hex(actual, hex) assert_true(view_equal((actual), from_hex(hex)))

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

/* Each test asks the TPM anew. */
static int forget(UNUSED void **state)
{
    tpm->secret_abilities = (struct tpm_secret_abilities){0};
    tpm->no_encrypt_decrypt2 = false;
    watched.count = 0;
    watched.fault_times = 0;
    watched.secret = NULL;
    watched.seen = false;
    return 0;
}

static CK_RV make(const struct tpm_secret *secret, const char *auth, enum tpm_protection protection,
                  struct tpm_key **ret_key)
{
    struct tpm_created created = {0};
    struct reason reason = {0};
    CK_RV rv = tpm_secret_create(tpm, secret, view_string(auth), protection, &created);
    if (rv != CKR_OK)
        return rv;
    const struct tpm_key_source source = {.parent = created.parent,
                                          .rsa_parent = created.rsa_parent,
                                          .protection = protection,
                                          .public = bytes_view(&created.public),
                                          .private = bytes_view(&created.private)};
    if (tpm_key_new(tpm, &source, ret_key, &reason) != CKR_OK)
        fail_msg("%s", reason.text);
    tpm_created_clear(&created);
    return CKR_OK;
}

static struct tpm_key *made(enum key_algorithm algorithm, unsigned bits, struct view value)
{
    const struct tpm_secret secret = {algorithm, value.size ? (unsigned)value.size * 8 : bits,
                                      HASH_NONE, value};
    struct tpm_key *key = NULL;
    assert_ok(make(&secret, "auth", TPM_PROTECTION_OFF, &key));
    assert_int_equal(tpm_key_public(key)->algorithm, algorithm);
    return key;
}

static const struct view auth = {(const uint8_t *)"auth", 4};

static void the_published_codes_come_out(UNUSED void **state)
{
    static const struct {
        enum hash hash;
        const char *key, *data, *code;
    } rows[] = {
        {HASH_SHA256, "4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {HASH_SHA1, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
         "b617318655057264e28bc0b6fb378c8ef146be00"},
        {HASH_SHA384, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
         "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59c"
         "faea9ea9076ede7f4af152e8b2fa9cb6"},
        {HASH_SHA512, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
         "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
         "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct tpm_key *key = made(KEY_ALGORITHM_SECRET, 0, from_hex(rows[i].key));
        struct bytes code = {0};
        assert_ok(tpm_secret_mac(key, auth, rows[i].hash, from_hex(rows[i].data), &code));
        assert_hex(bytes_view(&code), rows[i].code);
        bytes_free(&code);
        tpm_key_free(key);
    }
}

#define AES_KEY "2b7e151628aed2a6abf7158809cf4f3c"
#define COUNTER "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"

/* NIST SP 800-38A, F.1.1, F.2.1, F.5.1. */
static const struct {
    enum block_mode mode;
    const char *iv, *cipher;
} known[] = {
    {BLOCK_MODE_ECB, "00000000000000000000000000000000",
     "3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699de785895a96fdbaaf"},
    {BLOCK_MODE_CBC, "000102030405060708090a0b0c0d0e0f",
     "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2"},
    {BLOCK_MODE_CTR, COUNTER, "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff"},
};
static const char plain[] = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51";

static void the_published_ciphers_come_out_in_one_and_in_blocks(UNUSED void **state)
{
    struct tpm_key *key = made(KEY_ALGORITHM_AES, 0, from_hex(AES_KEY));
    for (size_t i = 0; i < 2 * ARRAY_SIZE(known); i++) {
        bool encrypt = i % 2;
        struct view in = from_hex(encrypt ? plain : known[i / 2].cipher);
        const char *expected = encrypt ? known[i / 2].cipher : plain;
        uint8_t chain[BLOCK_MODE_SIZE], out[32];
        memcpy(chain, from_hex(known[i / 2].iv).data, sizeof(chain));
        assert_ok(tpm_secret_cipher(key, auth, known[i / 2].mode, encrypt, chain, in, out));
        assert_hex(view_of(out, 32), expected);
        memset(out, 0, sizeof(out));
        memcpy(chain, from_hex(known[i / 2].iv).data, sizeof(chain));
        for (size_t at = 0; at < 32; at += 16)
            assert_ok(tpm_secret_cipher(key, auth, known[i / 2].mode, encrypt, chain,
                                        view_of(in.data + at, 16), out + at));
        assert_hex(view_of(out, 32), expected);
    }
    uint8_t chain[BLOCK_MODE_SIZE] = {0}, out[32];
    assert_rv(tpm_secret_cipher(key, auth, BLOCK_MODE_ECB, true, chain, view_of(out, 17), out),
              CKR_DATA_LEN_RANGE);
    tpm_key_free(key);
}

/* The counter runs over all its bytes, within a command and from one to the next. */
static void a_counter_carries_between_commands(UNUSED void **state)
{
    static uint8_t in[TPM_SECRET_PIECE + 16], one[sizeof(in)], other[sizeof(in)];
    struct tpm_key *key = made(KEY_ALGORITHM_AES, 256, (struct view){0});
    uint8_t chain[BLOCK_MODE_SIZE], block[BLOCK_MODE_SIZE];
    memset(chain, 0xff, sizeof(chain));
    chain[15] = 0xc0; /* 64 blocks before the end */
    assert_ok(
        tpm_secret_cipher(key, auth, BLOCK_MODE_CTR, true, chain, view_of(in, sizeof(in)), one));
    assert_hex(view_of(chain, 16), "00000000000000000000000000000001");
    memset(chain, 0xff, sizeof(chain));
    chain[15] = 0xc0;
    for (size_t at = 0; at < sizeof(in); at += 16) {
        uint8_t unused[BLOCK_MODE_SIZE] = {0};
        assert_ok(
            tpm_secret_cipher(key, auth, BLOCK_MODE_ECB, true, unused, view_of(chain, 16), block));
        memcpy(other + at, block, 16);
        for (size_t i = 16; i-- > 0 && ++chain[i] == 0;)
            ;
    }
    assert_memory_equal(one, other, sizeof(one));
    tpm_key_free(key);
}

static void a_warm_use_is_one_command_for_each_piece(UNUSED void **state)
{
    static const struct {
        size_t size;
        unsigned commands;
    } macs[] = {{0, 1}, {64, 1}, {1023, 1}, {1024, 1}, {1025, 3}, {2048, 3}, {2049, 4}};
    static uint8_t data[4096], out[sizeof(data)];
    struct tpm_key *key = made(KEY_ALGORITHM_SECRET, 256, (struct view){0});
    struct tpm_key *aes = made(KEY_ALGORITHM_AES, 128, (struct view){0});
    struct bytes code = {0};
    uint8_t chain[BLOCK_MODE_SIZE] = {0};
    assert_ok(tpm_secret_mac(key, auth, HASH_SHA256, view_of(data, 5), &code));
    for (size_t i = 0; i < ARRAY_SIZE(macs); i++) {
        watched.count = 0;
        assert_ok(tpm_secret_mac(key, auth, HASH_SHA256, view_of(data, macs[i].size), &code));
        assert_int_equal(code.size, 32);
        assert_int_equal(watched.count, macs[i].commands);
    }
    assert_ok(tpm_secret_cipher(aes, auth, BLOCK_MODE_CBC, true, chain, view_of(data, 16), out));
    watched.count = 0;
    assert_ok(tpm_secret_cipher(aes, auth, BLOCK_MODE_CBC, true, chain, view_of(data, 1024), out));
    assert_int_equal(watched.count, 1);
    assert_ok(tpm_secret_cipher(aes, auth, BLOCK_MODE_CBC, true, chain, view_of(data, 4096), out));
    assert_int_equal(watched.count, 5);
    bytes_free(&code);
    tpm_key_free(key);
    tpm_key_free(aes);
}

static void making_a_key_takes_few_commands(UNUSED void **state)
{
    watched.count = 0;
    tpm_key_free(made(KEY_ALGORITHM_SECRET, 256, (struct view){0}));
    assert_true(watched.count <= 7);
    watched.count = 0;
    tpm_key_free(made(KEY_ALGORITHM_AES, 128, (struct view){0}));
    assert_true(watched.count <= 4);
}

static void a_wrong_authorisation_is_told(UNUSED void **state)
{
    struct tpm_key *key = made(KEY_ALGORITHM_SECRET, 256, (struct view){0});
    struct bytes code = {0};
    assert_rv(tpm_secret_mac(key, view_string("guess"), HASH_SHA256, auth, &code),
              CKR_PIN_INCORRECT);
    assert_null(code.data);
    tpm_key_free(key);
}

static void a_key_of_another_kind_is_not_permitted(UNUSED void **state)
{
    struct tpm_key *mac = made(KEY_ALGORITHM_SECRET, 256, (struct view){0});
    struct tpm_key *aes = made(KEY_ALGORITHM_AES, 128, (struct view){0});
    struct bytes code = {0};
    uint8_t chain[BLOCK_MODE_SIZE] = {0}, out[16];
    assert_int_not_equal(tpm_secret_mac(aes, auth, HASH_SHA256, auth, &code), CKR_OK);
    assert_int_not_equal(
        tpm_secret_cipher(mac, auth, BLOCK_MODE_ECB, true, chain, view_of(out, 16), out), CKR_OK);
    assert_rv(tpm_secret_mac(mac, auth, HASH_SHA224, auth, &code), CKR_KEY_FUNCTION_NOT_PERMITTED);
    assert_rv(tpm_secret_mac(mac, auth, HASH_SHA3_256, auth, &code),
              CKR_KEY_FUNCTION_NOT_PERMITTED);
    tpm_key_free(mac);
    tpm_key_free(aes);
}

static CK_RV code_of(struct tpm_key *key, size_t size)
{
    static uint8_t data[4096];
    struct bytes code = {0};
    CK_RV rv = tpm_secret_mac(key, auth, HASH_SHA256, view_of(data, size), &code);
    bytes_free(&code);
    return rv;
}

static void what_passes_is_tried_again_and_leaves_nothing(UNUSED void **state)
{
    static const struct {
        uint32_t code, rc;
    } rows[] = {
        {TPM2_CC_HMAC_Start, TPM2_RC_OBJECT_MEMORY}, {TPM2_CC_HMAC_Start, TPM2_RC_RETRY},
        {TPM2_CC_SequenceUpdate, TPM2_RC_RETRY},     {TPM2_CC_SequenceComplete, TPM2_RC_RETRY},
        {TPM2_CC_SequenceUpdate, TPM2_RC_HANDLE},
    };
    struct tpm_key *key = made(KEY_ALGORITHM_SECRET, 256, (struct view){0});
    struct tpm_key *other = made(KEY_ALGORITHM_SECRET, 256, (struct view){0});
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_ok(code_of(other, 5));
        assert_ok(code_of(key, 5));
        inject(&watched, rows[i].code, rows[i].rc, 1);
        assert_ok(code_of(key, 3000));
        assert_true(rows[i].rc != TPM2_RC_HANDLE || sent(&watched, TPM2_CC_FlushContext));
    }
    inject(&watched, TPM2_CC_SequenceUpdate, TPM2_RC_FAILURE, 1);
    assert_rv(code_of(key, 3000), CKR_DEVICE_ERROR);
    assert_int_equal(sent(&watched, TPM2_CC_FlushContext), 1);
    assert_ok(code_of(key, 3000));
    tpm_key_free(key);
    tpm_key_free(other);
}

static void the_older_command_is_taken_where_the_newer_is_missing(UNUSED void **state)
{
    struct tpm_key *key = made(KEY_ALGORITHM_AES, 0, from_hex(AES_KEY));
    uint8_t chain[BLOCK_MODE_SIZE] = {0}, out[32];
    inject(&watched, TPM2_CC_EncryptDecrypt2, TPM2_RC_COMMAND_CODE, 1);
    for (unsigned i = 0; i < 2; i++) {
        memcpy(chain, from_hex(known[1].iv).data, sizeof(chain));
        assert_ok(tpm_secret_cipher(key, auth, BLOCK_MODE_CBC, true, chain, from_hex(plain), out));
        assert_hex(view_of(out, 32), known[1].cipher);
    }
    assert_int_equal(sent(&watched, TPM2_CC_EncryptDecrypt2), 1);
    assert_int_equal(sent(&watched, TPM2_CC_EncryptDecrypt), 2);
    inject(&watched, TPM2_CC_EncryptDecrypt, TPM2_RC_COMMAND_CODE, 1);
    assert_rv(tpm_secret_cipher(key, auth, BLOCK_MODE_CBC, true, chain, from_hex(plain), out),
              CKR_KEY_FUNCTION_NOT_PERMITTED);
    tpm_key_free(key);
}

static void a_tpm_that_lacks_something_makes_no_key(UNUSED void **state)
{
    static uint8_t long_value[300];
    const struct tpm_secret hmac = {KEY_ALGORITHM_SECRET, 256, HASH_NONE, {0}};
    const struct tpm_secret sha512 = {KEY_ALGORITHM_SECRET, 256, HASH_SHA512, {0}};
    const struct tpm_secret sha3 = {KEY_ALGORITHM_SECRET, 256, HASH_SHA3_256, {0}};
    const struct tpm_secret aes = {KEY_ALGORITHM_AES, 128, HASH_NONE, {0}};
    const struct tpm_secret large = {
        KEY_ALGORITHM_SECRET, 8 * sizeof(long_value), HASH_NONE, {long_value, sizeof(long_value)}};
    const struct tpm_secret refused = {KEY_ALGORITHM_SECRET, 8 * 129, HASH_NONE, {long_value, 129}};
    struct tpm_key *key = NULL;
    assert_rv(make(&large, "auth", TPM_PROTECTION_OFF, &key), CKR_FUNCTION_NOT_SUPPORTED);
    assert_int_equal(watched.count, 0);
    assert_rv(make(&refused, "auth", TPM_PROTECTION_OFF, &key), CKR_FUNCTION_NOT_SUPPORTED);
    assert_rv(make(&sha3, "auth", TPM_PROTECTION_OFF, &key), CKR_FUNCTION_NOT_SUPPORTED);
    struct tpm_secret_abilities all = tpm->secret_abilities, *has = &tpm->secret_abilities;
    assert_true(all.hmac && all.hmac_sequence && all.cipher && all.cipher2 && all.modes == 3);
    has->hmac_sequence = false;
    assert_rv(make(&hmac, "auth", TPM_PROTECTION_OFF, &key), CKR_FUNCTION_NOT_SUPPORTED);
    *has = all;
    has->hashes &= ~(1u << HASH_SHA512);
    assert_rv(make(&sha512, "auth", TPM_PROTECTION_OFF, &key), CKR_FUNCTION_NOT_SUPPORTED);
    *has = all;
    has->modes = 2;
    assert_rv(make(&aes, "auth", TPM_PROTECTION_OFF, &key), CKR_FUNCTION_NOT_SUPPORTED);
    *has = all;
    has->cipher2 = false;
    assert_rv(make(&aes, "auth", TPM_PROTECTION_ON, &key), CKR_FUNCTION_NOT_SUPPORTED);
    assert_ok(make(&aes, "auth", TPM_PROTECTION_OFF, &key));
    tpm_key_free(key);
    has->cipher = false;
    assert_rv(make(&aes, "auth", TPM_PROTECTION_OFF, &key), CKR_FUNCTION_NOT_SUPPORTED);
    *has = all;
    inject(&watched, TPM2_CC_Create, TPM2_RC_SCHEME | TPM2_RC_P | TPM2_RC_2, 1);
    assert_rv(make(&hmac, "auth", TPM_PROTECTION_OFF, &key), CKR_FUNCTION_NOT_SUPPORTED);
    assert_ok(make(&sha512, "auth", TPM_PROTECTION_OFF, &key));
    tpm_key_free(key);
}

static void with_protection_nothing_crosses_in_the_clear(UNUSED void **state)
{
    static const char value[] = "0123456789abcdef0123456789abcdef";
    static const char text[] = "this text is nobody's business!!";
    const struct tpm_secret hmac = {KEY_ALGORITHM_SECRET, 256, HASH_NONE, view_string(value)};
    const struct tpm_secret aes = {KEY_ALGORITHM_AES, 256, HASH_NONE, view_string(value)};
    uint8_t chain[BLOCK_MODE_SIZE] = {0}, out[32], back[32], data[2048];
    struct tpm_key *mac_key = NULL, *aes_key = NULL;
    struct bytes code = {0}, same = {0};
    watched.secret = value;
    assert_ok(make(&hmac, "auth", TPM_PROTECTION_ON, &mac_key));
    assert_ok(make(&aes, "auth", TPM_PROTECTION_ON, &aes_key));
    assert_false(watched.seen);
    watched.secret = text;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)text[i % 32];
    assert_ok(tpm_secret_mac(mac_key, auth, HASH_SHA256, view_of(data, 1024), &code));
    assert_ok(tpm_secret_mac(mac_key, auth, HASH_SHA256, view_of(data, 2048), &code));
    assert_ok(
        tpm_secret_cipher(aes_key, auth, BLOCK_MODE_ECB, true, chain, view_string(text), out));
    assert_ok(
        tpm_secret_cipher(aes_key, auth, BLOCK_MODE_ECB, false, chain, view_of(out, 32), back));
    assert_false(watched.seen);
    assert_memory_equal(back, text, 32);
    watched.secret = NULL;
    struct tpm_key *plain_key = NULL;
    assert_ok(make(&hmac, "auth", TPM_PROTECTION_OFF, &plain_key));
    assert_ok(tpm_secret_mac(plain_key, auth, HASH_SHA256, view_of(data, 2048), &same));
    assert_true(view_equal(bytes_view(&code), bytes_view(&same)));
    bytes_free(&code);
    bytes_free(&same);
    tpm_key_free(mac_key);
    tpm_key_free(aes_key);
    tpm_key_free(plain_key);
}

#define test(function) cmocka_unit_test_setup(function, forget)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(the_published_codes_come_out),
        test(the_published_ciphers_come_out_in_one_and_in_blocks),
        test(a_counter_carries_between_commands),
        test(a_warm_use_is_one_command_for_each_piece),
        test(making_a_key_takes_few_commands),
        test(a_wrong_authorisation_is_told),
        test(a_key_of_another_kind_is_not_permitted),
        test(what_passes_is_tried_again_and_leaves_nothing),
        test(the_older_command_is_taken_where_the_newer_is_missing),
        test(a_tpm_that_lacks_something_makes_no_key),
        test(with_protection_nothing_crosses_in_the_clear),
    };
    return cmocka_run_group_tests(tests, begin_group, end_group);
}
