#include "token/mechanism/test_support.h"

#include "token/crypto/cipher.h"
#include "token/crypto/mac.h"
#include "token/key/ops.h"
#include "token/mechanism/code.h"
#include "token/mechanism/manage.h"

/* Keys that keep their value do the same as those that give it. Here such a key is played:
 * it does what a TPM's commands do, and counts them. */

static const uint8_t value[] = "0123456789abcdef";
static uint8_t iv[] = "an initial block";
static uint8_t message[3000];

struct played {
    struct key key;
    unsigned used;
    CK_RV rv;
};

static CK_RV played_mac(struct key *key, enum hash hash, struct view data, struct bytes *ret_code)
{
    struct played *self = (struct played *)key;
    uint8_t code[HASH_MAX_SIZE];
    self->used++;
    if (self->rv != CKR_OK)
        return self->rv;
    assert_ok(crypto_hmac(hash, view_of(value, 16), data, code));
    return bytes_copy(ret_code, view_of(code, hash_size(hash)));
}

static bool played_can(UNUSED const struct key *key, UNUSED enum key_use use,
                       const struct scheme *scheme)
{
    return scheme->hash == HASH_SHA256;
}

static void count_on(uint8_t chain[16])
{
    for (size_t i = 16; i-- > 0 && ++chain[i] == 0;)
        ;
}

static CK_RV played_cipher(struct key *key, enum block_mode mode, bool encrypt, uint8_t chain[16],
                           struct view in, uint8_t *out)
{
    static const enum cipher ciphers[] = {CIPHER_AES_ECB, CIPHER_AES_CBC, CIPHER_AES_CTR};
    struct played *self = (struct played *)key;
    const struct cipher_parameters parameters = {.iv = view_of(chain, mode ? 16 : 0)};
    struct crypto_cipher *cipher = NULL;
    struct bytes done = {0}, last = {0};
    self->used++;
    assert_true(in.size > 0 && in.size % 16 == 0);
    if (self->rv != CKR_OK)
        return self->rv;
    assert_ok(bytes_copy(&last, view_of(in.data + in.size - 16, 16)));
    assert_ok(crypto_cipher_new(ciphers[mode], encrypt, view_of(value, 16), &parameters, &cipher));
    assert_ok(crypto_cipher_update(cipher, in, &done));
    memcpy(out, done.data, done.size);
    for (size_t i = 0; mode == BLOCK_MODE_CTR && i < in.size / 16; i++)
        count_on(chain);
    if (mode == BLOCK_MODE_CBC)
        memcpy(chain, encrypt ? out + in.size - 16 : last.data, 16);
    crypto_cipher_free(cipher);
    bytes_free(&done);
    bytes_free(&last);
    return CKR_OK;
}

static const struct key_ops mac_ops = {.mac = played_mac, .can = played_can};
static const struct key_ops cipher_ops = {.cipher = played_cipher};

static struct played *play(enum key_algorithm algorithm)
{
    struct played *played = calloc(1, sizeof(*played));
    bool aes = algorithm == KEY_ALGORITHM_AES;
    played->key = (struct key){.ops = aes ? &cipher_ops : &mac_ops, .references = 1};
    played->key.public_key.algorithm = algorithm;
    return played;
}

static struct key *in_software(void)
{
    struct key *key = NULL;
    assert_ok(key_secret_new(view_of(value, 16), &key));
    return key;
}

static CK_RV run_with(CK_FLAGS operation, const CK_MECHANISM *given, struct key *key,
                      struct view in, size_t piece, struct bytes *out)
{
    struct job *job = NULL;
    CK_RV rv = begin_job(operation, given, key, &job);
    if (rv == CKR_OK)
        rv = run_job(job, in, piece, out);
    job_free(job);
    return rv;
}

static CK_AES_CTR_PARAMS counter = {128,
                                    {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                     0xff, 0xff, 0xff, 0xff, 0xff, 0xf0}};
static const CK_MECHANISM modes[] = {{CKM_AES_ECB, NULL, 0},
                                     {CKM_AES_CBC, iv, 16},
                                     {CKM_AES_CBC_PAD, iv, 16},
                                     {CKM_AES_CTR, &counter, sizeof(counter)}};

static int fill(UNUSED void **state)
{
    for (size_t i = 0; i < sizeof(message); i++)
        message[i] = (uint8_t)(i * 29 + 3);
    memset(counter.cb, 0, 8);
    return 0;
}

static void ciphers_are_the_same_in_any_pieces(UNUSED void **state)
{
    static const size_t sizes[] = {0, 1, 15, 16, 17, 32, 33, 64, 250}, pieces[] = {0, 1, 5, 16, 23};
    struct played *played = play(KEY_ALGORITHM_AES);
    struct key *software = in_software();
    for (size_t i = 0; i < ARRAY_SIZE(modes) * ARRAY_SIZE(sizes) * ARRAY_SIZE(pieces); i++) {
        const CK_MECHANISM *mode = &modes[i % ARRAY_SIZE(modes)];
        struct view in = view_of(message, sizes[i / ARRAY_SIZE(modes) % ARRAY_SIZE(sizes)]);
        size_t piece = pieces[i / ARRAY_SIZE(modes) / ARRAY_SIZE(sizes)];
        struct bytes expected = {0}, found = {0}, back = {0};
        CK_RV rv = run_with(CKF_ENCRYPT, mode, software, in, 0, &expected);
        assert_rv(run_with(CKF_ENCRYPT, mode, &played->key, in, piece, &found), rv);
        if (rv == CKR_OK) {
            assert_true(view_equal(bytes_view(&expected), bytes_view(&found)));
            assert_ok(
                run_with(CKF_DECRYPT, mode, &played->key, bytes_view(&expected), piece, &back));
            assert_true(view_equal(bytes_view(&back), in));
        }
        bytes_free(&expected);
        bytes_free(&found);
        bytes_free(&back);
    }
    key_unref(software);
    key_unref(&played->key);
}

/* Every last byte and length of cipher text is judged as OpenSSL does. */
static void padding_is_judged_the_same(UNUSED void **state)
{
    struct played *played = play(KEY_ALGORITHM_AES);
    struct key *software = in_software();
    for (unsigned i = 0; i < 256 + 3 * 16 * 16; i++) {
        uint8_t plain[32] = {0};
        struct bytes cipher = {0}, expected = {0}, found = {0};
        plain[31] = (uint8_t)i;
        if (i >= 256) {
            unsigned size = 1 + (i - 256) / 16 % 16, at = (i - 256) % 16;
            memset(plain + 32 - size, (int)size, size);
            plain[16 + at] ^= (uint8_t)((i - 256) / 256);
        }
        assert_ok(run_with(CKF_ENCRYPT, &modes[1], software, view_of(plain, 32), 0, &cipher));
        CK_RV rv = run_with(CKF_DECRYPT, &modes[2], software, bytes_view(&cipher), 0, &expected);
        assert_rv(run_with(CKF_DECRYPT, &modes[2], &played->key, bytes_view(&cipher), 0, &found),
                  rv);
        if (rv == CKR_OK)
            assert_true(view_equal(bytes_view(&expected), bytes_view(&found)));
        bytes_free(&cipher);
        bytes_free(&expected);
        bytes_free(&found);
    }
    for (size_t size = 0; size < 40; size++) {
        struct bytes expected = {0}, found = {0};
        CK_RV rv = run_with(CKF_DECRYPT, &modes[2], software, view_of(message, size), 0, &expected);
        assert_int_not_equal(rv, CKR_OK);
        assert_rv(run_with(CKF_DECRYPT, &modes[2], &played->key, view_of(message, size), 0, &found),
                  rv);
        bytes_free(&expected);
        bytes_free(&found);
    }
    key_unref(software);
    key_unref(&played->key);
}

static void codes_are_the_same_in_any_pieces(UNUSED void **state)
{
    static const size_t pieces[] = {0, 1, 16, 700};
    struct key *software = in_software();
    for (size_t size = 0; size < sizeof(message); size += size < 70 ? 1 : 977)
        for (size_t i = 0; i < 2 * ARRAY_SIZE(pieces); i++) {
            const CK_MECHANISM mac = {i % 2 ? CKM_AES_CMAC : CKM_SHA256_HMAC, NULL, 0};
            struct played *played = play(i % 2 ? KEY_ALGORITHM_AES : KEY_ALGORITHM_SECRET);
            struct view in = view_of(message, size);
            struct bytes expected = {0}, found = {0};
            assert_ok(run_with(CKF_SIGN, &mac, software, in, 0, &expected));
            assert_ok(run_with(CKF_SIGN, &mac, &played->key, in, pieces[i / 2], &found));
            assert_true(view_equal(bytes_view(&expected), bytes_view(&found)));
            assert_int_equal(played->used, 1 + i % 2);
            struct job *job = NULL;
            assert_ok(begin_job(CKF_VERIFY, &mac, &played->key, &job));
            assert_ok(job_update(job, in, &found));
            assert_ok(job_verify(job, bytes_view(&expected)));
            assert_ok(job_restart(job));
            assert_ok(job_update(job, in, &found));
            expected.data[2] ^= 4;
            assert_rv(job_verify(job, bytes_view(&expected)), CKR_SIGNATURE_INVALID);
            job_free(job);
            bytes_free(&expected);
            bytes_free(&found);
            key_unref(&played->key);
        }
    key_unref(software);
}

static void what_such_keys_cannot_do_is_not_permitted(UNUSED void **state)
{
    CK_GCM_PARAMS gcm = {iv, 12, 96, NULL, 0, 128};
    const CK_MECHANISM gcm_mode = {CKM_AES_GCM, &gcm, sizeof(gcm)};
    const CK_MECHANISM key_wrap = {CKM_AES_KEY_WRAP, NULL, 0};
    const CK_MECHANISM sha224 = {CKM_SHA224_HMAC, NULL, 0}, sha256 = {CKM_SHA256_HMAC, NULL, 0};
    const CK_MECHANISM cmac = {CKM_AES_CMAC, NULL, 0};
    struct played *aes = play(KEY_ALGORITHM_AES), *mac = play(KEY_ALGORITHM_SECRET);
    struct bytes out = {0};
    struct job *job = NULL;
    assert_rv(begin_job(CKF_ENCRYPT, &gcm_mode, &aes->key, &job), CKR_KEY_FUNCTION_NOT_PERMITTED);
    assert_rv(begin_job(CKF_SIGN, &sha224, &mac->key, &job), CKR_KEY_FUNCTION_NOT_PERMITTED);
    assert_rv(mechanism_wrap(&key_wrap, NULL, &aes->key, view_of(message, 32), &out),
              CKR_KEY_FUNCTION_NOT_PERMITTED);
    assert_rv(begin_job(CKF_SIGN, &cmac, &mac->key, &job), CKR_KEY_TYPE_INCONSISTENT);
    assert_rv(begin_job(CKF_SIGN, &sha256, &aes->key, &job), CKR_KEY_TYPE_INCONSISTENT);
    assert_rv(begin_job(CKF_ENCRYPT, &modes[0], &mac->key, &job), CKR_KEY_TYPE_INCONSISTENT);
    assert_int_equal(aes->used + mac->used, 0);
    key_unref(&aes->key);
    key_unref(&mac->key);
}

static void cbc_wraps_and_unwraps(UNUSED void **state)
{
    struct played *played = play(KEY_ALGORITHM_AES);
    struct key *software = in_software();
    struct bytes one = {0}, other = {0}, plain = {0};
    assert_ok(mechanism_wrap(&modes[2], NULL, software, view_of(message, 100), &one));
    assert_ok(mechanism_wrap(&modes[2], NULL, &played->key, view_of(message, 100), &other));
    assert_true(view_equal(bytes_view(&one), bytes_view(&other)));
    assert_ok(mechanism_unwrap(&modes[2], &played->key, bytes_view(&one), &plain));
    assert_true(view_equal(bytes_view(&plain), view_of(message, 100)));
    bytes_free(&one);
    bytes_free(&other);
    bytes_free(&plain);
    key_unref(software);
    key_unref(&played->key);
}

static void a_failure_of_the_key_is_told(UNUSED void **state)
{
    const CK_MECHANISM macs[] = {{CKM_SHA256_HMAC, NULL, 0}, {CKM_AES_CMAC, NULL, 0}};
    for (size_t i = 0; i < 2; i++) {
        struct played *played = play(i ? KEY_ALGORITHM_AES : KEY_ALGORITHM_SECRET);
        struct bytes out = {0};
        played->rv = CKR_DEVICE_ERROR;
        assert_rv(run_with(CKF_SIGN, &macs[i], &played->key, view_of(message, 40), 0, &out),
                  CKR_DEVICE_ERROR);
        for (size_t mode = 0; i && mode < ARRAY_SIZE(modes); mode++) {
            assert_rv(
                run_with(CKF_ENCRYPT, &modes[mode], &played->key, view_of(message, 48), 0, &out),
                CKR_DEVICE_ERROR);
            assert_null(out.data);
        }
        key_unref(&played->key);
    }
}

static void a_message_has_a_limit(UNUSED void **state)
{
    static const CK_MECHANISM mac = {CKM_SHA256_HMAC, NULL, 0};
    struct played *played = play(KEY_ALGORITHM_SECRET);
    uint8_t *large = calloc(1, CODE_MAX_COLLECTED + 1);
    struct bytes out = {0};
    struct job *job = NULL;
    assert_ok(begin_job(CKF_SIGN, &mac, &played->key, &job));
    assert_ok(job_update(job, view_of(large, CODE_MAX_COLLECTED), &out));
    assert_rv(job_update(job, view_of(large, 1), &out), CKR_DATA_LEN_RANGE);
    assert_ok(job_restart(job));
    assert_rv(job_update(job, view_of(large, CODE_MAX_COLLECTED + 1), &out), CKR_DATA_LEN_RANGE);
    job_free(job);
    free(large);
    key_unref(&played->key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ciphers_are_the_same_in_any_pieces),
        cmocka_unit_test(padding_is_judged_the_same),
        cmocka_unit_test(codes_are_the_same_in_any_pieces),
        cmocka_unit_test(what_such_keys_cannot_do_is_not_permitted),
        cmocka_unit_test(cbc_wraps_and_unwraps),
        cmocka_unit_test(a_failure_of_the_key_is_told),
        cmocka_unit_test(a_message_has_a_limit),
    };
    return cmocka_run_group_tests(tests, fill, NULL);
}
