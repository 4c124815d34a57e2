#include "token/crypto/cipher.h"
#include "token/crypto/test_support.h"

#define PLAIN                                                                                      \
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"                             \
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
#define KEY_128 "2b7e151628aed2a6abf7158809cf4f3c"
#define IV "000102030405060708090a0b0c0d0e0f"
#define GCM_KEY "feffe9928665731c6d6a8f9467308308"
#define GCM_PLAIN                                                                                  \
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"                             \
    "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
#define GCM_ASSOCIATED "feedfacedeadbeeffeedfacedeadbeefabaddad2"

struct vector {
    enum cipher cipher;
    const char *key, *iv, *associated, *plain, *cipher_text;
};

/* SP 800-38A, appendix F; SP 800-38D, test cases 2, 4 and 6 of the GCM proposal. */
static const struct vector known[] = {
    {CIPHER_AES_ECB, KEY_128, "", "", PLAIN,
     "3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699de785895a96fdbaaf"
     "43b1cd7f598ece23881b00e3ed0306887b0c785e27e8ad3f8223207104725dd4"},
    {CIPHER_AES_CBC, KEY_128, IV, "", PLAIN,
     "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2"
     "73bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7"},
    {CIPHER_AES_CBC, "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b", IV, "", PLAIN,
     "4f021db243bc633d7178183a9fa071e8b4d9ada9ad7dedf4e5e738763f69145a"
     "571b242012fb7ae07fa9baac3df102e008b0e27988598881d920a9e64f5615cd"},
    {CIPHER_AES_CBC, "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", IV, "",
     PLAIN,
     "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d"
     "39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b"},
    {CIPHER_AES_CTR, KEY_128, "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", "", PLAIN,
     "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff"
     "5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee"},
    {CIPHER_AES_GCM, "00000000000000000000000000000000", "000000000000000000000000", "",
     "00000000000000000000000000000000",
     "0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf"},
    {CIPHER_AES_GCM, GCM_KEY, "cafebabefacedbaddecaf888", GCM_ASSOCIATED, GCM_PLAIN,
     "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
     "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e0915bc94fbc3221a5db94fae95ae7121a47"},
    {CIPHER_AES_GCM, GCM_KEY,
     "9313225df88406e555909c5aff5269aa6a7a9538534f7da1e4c303d2a318a728"
     "c3c0c95156809539fcf0e2429a6b525416aedbf5a0de6a57a637b39b",
     GCM_ASSOCIATED, GCM_PLAIN,
     "8ce24998625615b603a033aca13fb894be9112a5c3a211a8ba262a3cca7e2ca7"
     "01e4a9a4fba43c90ccdcb281d48c7c6fd62875d2aca417034c34aee5619cc5aefffe0bfa462af43c1699d050"},
};

static struct crypto_cipher *begin(const struct vector *vector, bool encrypt, size_t tag_size)
{
    struct bytes key = from_hex(vector->key), iv = from_hex(vector->iv);
    struct bytes associated = from_hex(vector->associated);
    const struct cipher_parameters parameters = {
        .iv = bytes_view(&iv), .associated = bytes_view(&associated), .tag_size = tag_size};
    struct crypto_cipher *cipher = NULL;
    assert_int_equal(
        crypto_cipher_new(vector->cipher, encrypt, bytes_view(&key), &parameters, &cipher), CKR_OK);
    bytes_free(&key);
    bytes_free(&iv);
    bytes_free(&associated);
    return cipher;
}

/* Runs the input through in pieces of `step` bytes; sizes must be as foretold. */
static CK_RV run_through(struct crypto_cipher *cipher, struct view in, size_t step, bool exact,
                         struct bytes *out)
{
    for (size_t at = 0; at < in.size; at += step) {
        size_t size = in.size - at < step ? in.size - at : step, before = out->size;
        size_t foretold = crypto_cipher_output_size(cipher, size, false);
        CK_RV rv = crypto_cipher_update(cipher, view_of(in.data + at, size), out);
        if (rv != CKR_OK)
            return rv;
        assert_int_equal(out->size - before, foretold);
    }
    size_t before = out->size, foretold = crypto_cipher_output_size(cipher, 0, true);
    CK_RV rv = crypto_cipher_finish(cipher, out);
    if (rv == CKR_OK && exact)
        assert_int_equal(out->size - before, foretold);
    if (rv == CKR_OK)
        assert_true(out->size - before <= foretold);
    return rv;
}

static void check(const struct vector *vector, bool encrypt, size_t step)
{
    const char *from = encrypt ? vector->plain : vector->cipher_text;
    struct bytes in = from_hex(from), out = {0};
    struct crypto_cipher *cipher = begin(vector, encrypt, 16);
    size_t all = crypto_cipher_output_size(cipher, in.size, true);
    assert_int_equal(run_through(cipher, bytes_view(&in), step, true, &out), CKR_OK);
    assert_hex_equal(bytes_view(&out), encrypt ? vector->cipher_text : vector->plain);
    assert_int_equal(out.size, all);
    crypto_cipher_free(cipher);
    bytes_free(&in);
    bytes_free(&out);
}

static void each_cipher_gives_its_known_answer_in_pieces_of_any_size(UNUSED void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        for (size_t step = 1; step <= 77; step++) {
            check(&known[i], true, step);
            check(&known[i], false, step);
        }
}

static void padding_goes_on_and_comes_off_at_every_length(UNUSED void **state)
{
    static const struct vector vector = {CIPHER_AES_CBC_PAD, KEY_128, IV, "", "", ""};
    uint8_t plain[50];
    memset(plain, 'x', sizeof(plain));
    for (size_t size = 0; size <= sizeof(plain); size++)
        for (size_t step = 1; step <= 49; step++) {
            struct bytes hidden = {0}, back = {0};
            struct crypto_cipher *cipher = begin(&vector, true, 0);
            size_t all = crypto_cipher_output_size(cipher, size, true);
            assert_int_equal(run_through(cipher, view_of(plain, size), step, true, &hidden),
                             CKR_OK);
            assert_int_equal(hidden.size, size / 16 * 16 + 16);
            assert_int_equal(hidden.size, all);
            crypto_cipher_free(cipher);
            cipher = begin(&vector, false, 0);
            assert_true(crypto_cipher_output_size(cipher, hidden.size, true) >= size);
            assert_true(crypto_cipher_output_size(cipher, hidden.size, true) < hidden.size);
            assert_int_equal(run_through(cipher, bytes_view(&hidden), step, false, &back), CKR_OK);
            assert_view_equal(bytes_view(&back), view_of(plain, size));
            crypto_cipher_free(cipher);
            bytes_free(&hidden);
            bytes_free(&back);
        }
}

/* What openssl enc makes is what we read. */
static void openssl_agrees_on_the_padding(UNUSED void **state)
{
    static const struct vector vector = {
        CIPHER_AES_CBC_PAD, KEY_128, IV, "", "73706c656e646964", "" /* splendid */
    };
    struct bytes plain = from_hex(vector.plain), out = {0};
    write_file("plain", bytes_view(&plain));
    run("openssl enc -aes-128-cbc -in plain -out cipher -K " KEY_128 " -iv " IV);
    struct bytes expected = read_file("cipher");
    struct crypto_cipher *cipher = begin(&vector, true, 0);
    assert_int_equal(run_through(cipher, bytes_view(&plain), 100, true, &out), CKR_OK);
    assert_view_equal(bytes_view(&out), bytes_view(&expected));
    crypto_cipher_free(cipher);
    bytes_free(&plain);
    bytes_free(&out);
    bytes_free(&expected);
}

static void half_a_block_is_refused_in_the_end(UNUSED void **state)
{
    static const struct {
        enum cipher cipher;
        bool encrypt;
        size_t size;
        CK_RV expected;
    } cases[] = {
        {CIPHER_AES_ECB, true, 15, CKR_DATA_LEN_RANGE},
        {CIPHER_AES_CBC, true, 17, CKR_DATA_LEN_RANGE},
        {CIPHER_AES_ECB, false, 1, CKR_ENCRYPTED_DATA_LEN_RANGE},
        {CIPHER_AES_CBC, false, 33, CKR_ENCRYPTED_DATA_LEN_RANGE},
        {CIPHER_AES_CBC_PAD, false, 0, CKR_ENCRYPTED_DATA_LEN_RANGE},
        {CIPHER_AES_CBC_PAD, false, 31, CKR_ENCRYPTED_DATA_LEN_RANGE},
        {CIPHER_AES_CBC_PAD, false, 16, CKR_ENCRYPTED_DATA_INVALID},
        {CIPHER_AES_GCM, false, 15, CKR_ENCRYPTED_DATA_LEN_RANGE},
        {CIPHER_AES_GCM, false, 16, CKR_ENCRYPTED_DATA_INVALID},
    };
    static const uint8_t zeros[64];
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct vector vector = {
            cases[i].cipher, KEY_128, cases[i].cipher == CIPHER_AES_ECB ? "" : IV, "", "", ""};
        struct bytes out = {0};
        struct crypto_cipher *cipher = begin(&vector, cases[i].encrypt, 16);
        assert_int_equal(run_through(cipher, view_of(zeros, cases[i].size), 64, false, &out),
                         cases[i].expected);
        assert_int_equal(crypto_cipher_finish(cipher, &out), CKR_FUNCTION_FAILED);
        assert_int_equal(crypto_cipher_update(cipher, view_of(zeros, 1), &out),
                         CKR_FUNCTION_FAILED);
        crypto_cipher_free(cipher);
        bytes_free(&out);
    }
}

static void changed_ciphertext_gives_nothing(UNUSED void **state)
{
    const struct vector *vector = &known[6];
    struct bytes in = from_hex(vector->cipher_text);
    for (size_t i = 0; i < in.size; i++) {
        struct bytes out = {0};
        in.data[i] ^= 0x40;
        struct crypto_cipher *cipher = begin(vector, false, 16);
        assert_int_equal(run_through(cipher, bytes_view(&in), 7, false, &out),
                         CKR_ENCRYPTED_DATA_INVALID);
        assert_int_equal(out.size, 0);
        in.data[i] ^= 0x40;
        crypto_cipher_free(cipher);
        bytes_free(&out);
    }
    bytes_free(&in);
}

static void a_tag_can_be_short(UNUSED void **state)
{
    for (size_t tag = 4; tag <= 16; tag++) {
        struct bytes plain = from_hex(GCM_PLAIN), hidden = {0}, back = {0};
        struct crypto_cipher *cipher = begin(&known[6], true, tag);
        assert_int_equal(run_through(cipher, bytes_view(&plain), 9, true, &hidden), CKR_OK);
        assert_int_equal(hidden.size, plain.size + tag);
        crypto_cipher_free(cipher);
        cipher = begin(&known[6], false, tag);
        assert_int_equal(run_through(cipher, bytes_view(&hidden), 9, true, &back), CKR_OK);
        assert_view_equal(bytes_view(&back), bytes_view(&plain));
        crypto_cipher_free(cipher);
        bytes_free(&plain);
        bytes_free(&hidden);
        bytes_free(&back);
    }
}

static void a_gcm_decryption_is_bounded(UNUSED void **state)
{
    struct bytes piece = {0}, out = {0};
    struct crypto_cipher *cipher = begin(&known[6], false, 16);
    assert_int_equal(bytes_alloc(&piece, 16 * 1024 * 1024), CKR_OK);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(crypto_cipher_update(cipher, bytes_view(&piece), &out), CKR_OK);
    assert_int_equal(crypto_cipher_update(cipher, view_of(piece.data, 1), &out),
                     CKR_ENCRYPTED_DATA_LEN_RANGE);
    crypto_cipher_free(cipher);
    bytes_free(&piece);
}

static void what_is_there_already_stays_in_front(UNUSED void **state)
{
    struct bytes out = {0}, in = from_hex(PLAIN);
    assert_int_equal(bytes_copy(&out, view_string("front")), CKR_OK);
    struct crypto_cipher *cipher = begin(&known[0], true, 0);
    assert_int_equal(crypto_cipher_update(cipher, bytes_view(&in), &out), CKR_OK);
    assert_int_equal(crypto_cipher_finish(cipher, &out), CKR_OK);
    assert_int_equal(out.size, 5 + 64);
    assert_memory_equal(out.data, "front\x3a\xd7", 7);
    crypto_cipher_free(cipher);
    bytes_free(&in);
    bytes_free(&out);
}

static void wrong_keys_and_parameters_are_refused(UNUSED void **state)
{
    static const uint8_t zeros[CIPHER_GCM_MAX_IV_SIZE + 1];
    static const struct {
        enum cipher cipher;
        size_t key, iv, tag;
        CK_RV expected;
    } cases[] = {
        {CIPHER_AES_ECB, 16, 16, 0, CKR_MECHANISM_PARAM_INVALID},
        {CIPHER_AES_CBC, 16, 15, 0, CKR_MECHANISM_PARAM_INVALID},
        {CIPHER_AES_CBC_PAD, 16, 0, 0, CKR_MECHANISM_PARAM_INVALID},
        {CIPHER_AES_CTR, 16, 17, 0, CKR_MECHANISM_PARAM_INVALID},
        {CIPHER_AES_GCM, 16, 0, 16, CKR_MECHANISM_PARAM_INVALID},
        {CIPHER_AES_GCM, 16, CIPHER_GCM_MAX_IV_SIZE + 1, 16, CKR_MECHANISM_PARAM_INVALID},
        {CIPHER_AES_GCM, 16, CIPHER_GCM_MAX_IV_SIZE, 16, CKR_OK},
        {CIPHER_AES_GCM, 16, 1, 4, CKR_OK},
        {CIPHER_AES_GCM, 16, 12, 3, CKR_MECHANISM_PARAM_INVALID},
        {CIPHER_AES_GCM, 16, 12, 17, CKR_MECHANISM_PARAM_INVALID},
        {CIPHER_AES_CBC, 15, 16, 0, CKR_KEY_SIZE_RANGE},
        {CIPHER_AES_GCM, 64, 12, 16, CKR_KEY_SIZE_RANGE},
        {CIPHER_AES_CTR, 0, 16, 0, CKR_KEY_SIZE_RANGE},
        {(enum cipher)99, 16, 16, 0, CKR_MECHANISM_INVALID},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct cipher_parameters parameters = {.iv = view_of(zeros, cases[i].iv),
                                                     .tag_size = cases[i].tag};
        struct crypto_cipher *cipher = NULL;
        assert_int_equal(crypto_cipher_new(cases[i].cipher, true, view_of(zeros, cases[i].key),
                                           &parameters, &cipher),
                         cases[i].expected);
        assert_int_equal(cipher != NULL, cases[i].expected == CKR_OK);
        crypto_cipher_free(cipher);
    }
    crypto_cipher_free(NULL);
}

/* RFC 3394, 4.1 and 4.6; RFC 5649, 6. */
static void keys_are_wrapped_as_the_standards_say(UNUSED void **state)
{
    static const struct {
        bool pad;
        const char *key, *plain, *wrapped;
    } cases[] = {
        {false, IV, "00112233445566778899aabbccddeeff",
         "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5"},
        {false, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
         "00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f",
         "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21"},
        {true, "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8",
         "c37b7e6492584340bed12207808941155068f738",
         "138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a"},
        {true, "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8", "466f7250617369",
         "afbeb0f07dfbf5419200f2ccb50bb24f"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct bytes key = from_hex(cases[i].key), plain = from_hex(cases[i].plain);
        struct bytes wrapped, back = {0};
        memset(&wrapped, POISON, sizeof(wrapped));
        assert_int_equal(crypto_wrap(bytes_view(&key), cases[i].pad, bytes_view(&plain), &wrapped),
                         CKR_OK);
        assert_hex_equal(bytes_view(&wrapped), cases[i].wrapped);
        assert_int_equal(crypto_unwrap(bytes_view(&key), cases[i].pad, bytes_view(&wrapped), &back),
                         CKR_OK);
        assert_view_equal(bytes_view(&back), bytes_view(&plain));
        for (size_t at = 0; at < wrapped.size; at++) {
            struct bytes none;
            memset(&none, POISON, sizeof(none));
            wrapped.data[at] ^= 1;
            assert_int_equal(
                crypto_unwrap(bytes_view(&key), cases[i].pad, bytes_view(&wrapped), &none),
                CKR_WRAPPED_KEY_INVALID);
            assert_true(all_poison(&none, sizeof(none)));
            wrapped.data[at] ^= 1;
        }
        bytes_free(&key);
        bytes_free(&plain);
        bytes_free(&wrapped);
        bytes_free(&back);
    }
}

static void keys_of_every_length_are_wrapped_and_unwrapped(UNUSED void **state)
{
    uint8_t plain[600];
    memset(plain, 0x5a, sizeof(plain));
    const struct view key = view_of(plain, 32);
    for (size_t size = 0; size <= sizeof(plain); size++)
        for (int pad = 0; pad < 2; pad++) {
            struct bytes wrapped = {0}, back = {0};
            bool fits = pad ? size >= 1 : size >= 16 && size % 8 == 0;
            assert_int_equal(crypto_wrap(key, pad, view_of(plain, size), &wrapped),
                             fits ? CKR_OK : CKR_DATA_LEN_RANGE);
            if (!fits)
                continue;
            assert_int_equal(wrapped.size, (size + 7) / 8 * 8 + 8);
            assert_int_equal(crypto_unwrap(key, pad, bytes_view(&wrapped), &back), CKR_OK);
            assert_view_equal(bytes_view(&back), view_of(plain, size));
            assert_int_equal(
                crypto_unwrap(key, pad, view_of(wrapped.data, wrapped.size - 1), &back),
                CKR_WRAPPED_KEY_LEN_RANGE);
            bytes_free(&wrapped);
            bytes_free(&back);
        }
    struct bytes none = {0};
    assert_int_equal(crypto_wrap(view_of(plain, 20), true, key, &none), CKR_KEY_SIZE_RANGE);
    assert_int_equal(crypto_unwrap(view_of(plain, 20), true, key, &none), CKR_KEY_SIZE_RANGE);
    assert_int_equal(crypto_unwrap(key, true, view_of(plain, 8), &none), CKR_WRAPPED_KEY_LEN_RANGE);
    assert_int_equal(crypto_unwrap(key, false, view_of(plain, 16), &none),
                     CKR_WRAPPED_KEY_LEN_RANGE);
}

static void what_is_sealed_opens_with_all_that_it_was_bound_to(UNUSED void **state)
{
    uint8_t key[CRYPTO_SEAL_KEY_SIZE] = {1}, other[CRYPTO_SEAL_KEY_SIZE] = {2};
    const struct view with = view_of(key, sizeof(key)), bound = view_string("purpose");
    struct bytes sealed = {0}, again = {0}, plain = {0}, none;
    memset(&none, POISON, sizeof(none));
    assert_int_equal(crypto_seal(with, bound, view_string("secret"), &sealed), CKR_OK);
    assert_int_equal(crypto_seal(with, bound, view_string("secret"), &again), CKR_OK);
    assert_int_equal(sealed.size, 12 + 6 + 16);
    assert_memory_not_equal(sealed.data, again.data, sealed.size);
    assert_int_equal(crypto_unseal(with, bound, bytes_view(&sealed), &plain), CKR_OK);
    assert_view_equal(bytes_view(&plain), view_string("secret"));
    assert_int_equal(crypto_unseal(with, view_string("other"), bytes_view(&sealed), &none),
                     CKR_DATA_INVALID);
    assert_int_equal(crypto_unseal(view_of(other, 32), bound, bytes_view(&sealed), &none),
                     CKR_DATA_INVALID);
    assert_int_equal(crypto_unseal(view_of(key, 16), bound, bytes_view(&sealed), &none),
                     CKR_KEY_SIZE_RANGE);
    assert_int_equal(crypto_seal(view_of(key, 16), bound, bound, &none), CKR_KEY_SIZE_RANGE);
    for (size_t size = 0; size < sealed.size; size++)
        assert_int_equal(crypto_unseal(with, bound, view_of(sealed.data, size), &none),
                         CKR_DATA_INVALID);
    for (size_t i = 0; i < sealed.size; i++) {
        sealed.data[i] ^= 0x80;
        assert_int_equal(crypto_unseal(with, bound, bytes_view(&sealed), &none), CKR_DATA_INVALID);
        sealed.data[i] ^= 0x80;
    }
    assert_true(all_poison(&none, sizeof(none)));
    bytes_free(&sealed);
    bytes_free(&again);
    bytes_free(&plain);
}

static void nothing_can_be_sealed_too(UNUSED void **state)
{
    uint8_t key[CRYPTO_SEAL_KEY_SIZE] = {1};
    struct bytes sealed = {0}, plain;
    memset(&plain, POISON, sizeof(plain));
    assert_int_equal(
        crypto_seal(view_of(key, sizeof(key)), (struct view){0}, (struct view){0}, &sealed),
        CKR_OK);
    assert_int_equal(
        crypto_unseal(view_of(key, sizeof(key)), (struct view){0}, bytes_view(&sealed), &plain),
        CKR_OK);
    assert_int_equal(plain.size, 0);
    bytes_free(&sealed);
    bytes_free(&plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_cipher_gives_its_known_answer_in_pieces_of_any_size),
        cmocka_unit_test(padding_goes_on_and_comes_off_at_every_length),
        cmocka_unit_test(openssl_agrees_on_the_padding),
        cmocka_unit_test(half_a_block_is_refused_in_the_end),
        cmocka_unit_test(changed_ciphertext_gives_nothing),
        cmocka_unit_test(a_tag_can_be_short),
        cmocka_unit_test(a_gcm_decryption_is_bounded),
        cmocka_unit_test(what_is_there_already_stays_in_front),
        cmocka_unit_test(wrong_keys_and_parameters_are_refused),
        cmocka_unit_test(keys_are_wrapped_as_the_standards_say),
        cmocka_unit_test(keys_of_every_length_are_wrapped_and_unwrapped),
        cmocka_unit_test(what_is_sealed_opens_with_all_that_it_was_bound_to),
        cmocka_unit_test(nothing_can_be_sealed_too),
    };
    return cmocka_run_group_tests(tests, enter_directory, leave_directory);
}
