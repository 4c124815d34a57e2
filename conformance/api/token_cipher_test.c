/* AES as PKCS#11 2.40 section 2.12 of the mechanisms has it: published vectors, OpenSSL's
 * answers, in pieces, in place, and buffers that are too small. */
#include "conformance/api/making.h"

#define MESSAGE 80

/* NIST SP 800-38A, F.1.1, F.2.1, F.5.1: key, the first two blocks, and their ciphers. */
static const unsigned char key_128[] = {0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6,
                                        0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f, 0x3c};
static const unsigned char plain_text[] = {
    0x6b, 0xc1, 0xbe, 0xe2, 0x2e, 0x40, 0x9f, 0x96, 0xe9, 0x3d, 0x7e, 0x11, 0x73, 0x93, 0x17, 0x2a,
    0xae, 0x2d, 0x8a, 0x57, 0x1e, 0x03, 0xac, 0x9c, 0x9e, 0xb7, 0x6f, 0xac, 0x45, 0xaf, 0x8e, 0x51};
static const unsigned char ecb_text[] = {
    0x3a, 0xd7, 0x7b, 0xb4, 0x0d, 0x7a, 0x36, 0x60, 0xa8, 0x9e, 0xca, 0xf3, 0x24, 0x66, 0xef, 0x97,
    0xf5, 0xd3, 0xd5, 0x85, 0x03, 0xb9, 0x69, 0x9d, 0xe7, 0x85, 0x89, 0x5a, 0x96, 0xfd, 0xba, 0xaf};
static const unsigned char cbc_text[] = {
    0x76, 0x49, 0xab, 0xac, 0x81, 0x19, 0xb2, 0x46, 0xce, 0xe9, 0x8e, 0x9b, 0x12, 0xe9, 0x19, 0x7d,
    0x50, 0x86, 0xcb, 0x9b, 0x50, 0x72, 0x19, 0xee, 0x95, 0xdb, 0x11, 0x3a, 0x91, 0x76, 0x78, 0xb2};
static const unsigned char ctr_text[] = {
    0x87, 0x4d, 0x61, 0x91, 0xb6, 0x20, 0xe3, 0x26, 0x1b, 0xef, 0x68, 0x64, 0x99, 0x0d, 0xb6, 0xce,
    0x98, 0x06, 0xf6, 0x6b, 0x79, 0x70, 0xfd, 0xff, 0x86, 0x17, 0x18, 0x7b, 0xb9, 0xff, 0xfd, 0xff};

static CK_BYTE iv[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
static CK_AES_CTR_PARAMS ctr = {128,
                                {0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa,
                                 0xfb, 0xfc, 0xfd, 0xfe, 0xff}};
static CK_BYTE gcm_iv[12] = {1, 2, 3};
static CK_GCM_PARAMS gcm = {gcm_iv, sizeof(gcm_iv), 96, (CK_BYTE *)"associated", 10, 128};

enum { ECB, CBC, CBC_PAD, CTR, GCM, MODES };

static CK_MECHANISM modes[MODES] = {{CKM_AES_ECB, NULL, 0},
                                    {CKM_AES_CBC, iv, sizeof(iv)},
                                    {CKM_AES_CBC_PAD, iv, sizeof(iv)},
                                    {CKM_AES_CTR, &ctr, sizeof(ctr)},
                                    {CKM_AES_GCM, &gcm, sizeof(gcm)}};

struct text {
    unsigned char bytes[4096];
    CK_ULONG length;
};

static CK_RV run(CK_SESSION_HANDLE session, bool encrypting, CK_MECHANISM *mechanism,
                 CK_OBJECT_HANDLE key, const void *in, CK_ULONG length, struct text *ret_out)
{
    CK_BYTE *bytes = (CK_BYTE *)(uintptr_t)in;
    CK_RV rv = encrypting ? p11->C_EncryptInit(session, mechanism, key)
                          : p11->C_DecryptInit(session, mechanism, key);

    ret_out->length = sizeof(ret_out->bytes);
    if (rv != CKR_OK)
        return rv;
    if (encrypting)
        return p11->C_Encrypt(session, bytes, length, ret_out->bytes, &ret_out->length);
    return p11->C_Decrypt(session, bytes, length, ret_out->bytes, &ret_out->length);
}

/* GCM is nothing that a TPM does. */
static bool is_there(int mode)
{
    return !(mode == GCM && secrets_in_tpm()) &&
           mechanism_listed(common_slot(), modes[mode].mechanism);
}

/* What OpenSSL makes of it; the tag follows the text. */
static struct text openssl_encrypt(int mode, const unsigned char *key, size_t bytes,
                                   const unsigned char *in, size_t length)
{
    static const char *const names[MODES] = {"ECB", "CBC", "CBC", "CTR", "GCM"};
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    struct text out = {.length = 0};
    const unsigned char *start = mode == CTR ? ctr.cb : mode == GCM ? gcm_iv : iv;
    char name[16];
    int done = 0;

    snprintf(name, sizeof(name), "AES-%zu-%s", bytes * 8, names[mode]);
    assert_int_equal(EVP_EncryptInit_ex(context, EVP_get_cipherbyname(name), NULL, key, start), 1);
    EVP_CIPHER_CTX_set_padding(context, mode == CBC_PAD);
    if (mode == GCM)
        assert_int_equal(EVP_EncryptUpdate(context, NULL, &done, gcm.pAAD, (int)gcm.ulAADLen), 1);
    assert_int_equal(EVP_EncryptUpdate(context, out.bytes, &done, in, (int)length), 1);
    out.length = (CK_ULONG)done;
    assert_int_equal(EVP_EncryptFinal_ex(context, out.bytes + done, &done), 1);
    out.length += (CK_ULONG)done;
    if (mode == GCM) {
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, 16, out.bytes + out.length);
        out.length += 16;
    }
    EVP_CIPHER_CTX_free(context);
    return out;
}

static void fill(unsigned char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        bytes[i] = (unsigned char)(i * 37 + 11);
}

static void the_published_vectors_come_out(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    CK_OBJECT_HANDLE key = known_secret(session, CKK_AES, key_128, sizeof(key_128));
    const unsigned char *const expected[] = {ecb_text, cbc_text, NULL, ctr_text};
    struct text out;

    (void)state;
    for (int mode = ECB; mode <= CTR; mode++) {
        if (!expected[mode] || !is_there(mode))
            continue;
        expect_rv(run(session, true, &modes[mode], key, plain_text, 32, &out), CKR_OK);
        expect_true(out.length == 32 && memcmp(out.bytes, expected[mode], 32) == 0);
        expect_rv(run(session, false, &modes[mode], key, expected[mode], 32, &out), CKR_OK);
        expect_true(out.length == 32 && memcmp(out.bytes, plain_text, 32) == 0);
    }
    expectations_met();
}

static void every_mode_and_length_is_openssls(void **state)
{
    static const size_t keys[] = {16, 24, 32}, lengths[] = {0, 1, 15, 16, 17, 31, 32, 1000};
    CK_SESSION_HANDLE session = user_session();
    unsigned char key_bytes[32], message[1000];
    struct text out, back;

    (void)state;
    fill(key_bytes, sizeof(key_bytes));
    fill(message, sizeof(message));
    for (size_t i = 0; i < COUNT_OF(keys) * MODES * COUNT_OF(lengths); i++) {
        size_t bytes = keys[i % 3], length = lengths[i / 3 % COUNT_OF(lengths)];
        int mode = (int)(i / 3 / COUNT_OF(lengths));
        CK_OBJECT_HANDLE key;
        struct text expected;

        if (!is_there(mode) || ((mode == ECB || mode == CBC) && (length % 16 || length == 0)))
            continue;
        key = known_secret(session, CKK_AES, key_bytes, bytes);
        expected = openssl_encrypt(mode, key_bytes, bytes, message, length);
        expect_rv(run(session, true, &modes[mode], key, message, length, &out), CKR_OK);
        expect_true(out.length == expected.length &&
                    memcmp(out.bytes, expected.bytes, out.length) == 0);
        expect_rv(run(session, false, &modes[mode], key, expected.bytes, expected.length, &back),
                  CKR_OK);
        expect_true(back.length == length && memcmp(back.bytes, message, length) == 0);
        assert_ok(p11->C_DestroyObject(session, key));
    }
    expectations_met();
}

/* In pieces of so many bytes. */
static CK_RV run_pieces(CK_SESSION_HANDLE session, bool encrypting, int mode, CK_OBJECT_HANDLE key,
                        struct text in, CK_ULONG piece, struct text *ret_out)
{
    CK_RV rv = encrypting ? p11->C_EncryptInit(session, &modes[mode], key)
                          : p11->C_DecryptInit(session, &modes[mode], key);
    CK_ULONG part;

    ret_out->length = 0;
    for (CK_ULONG at = 0; rv == CKR_OK && at < in.length; at += piece) {
        CK_ULONG size = in.length - at < piece ? in.length - at : piece;

        part = sizeof(ret_out->bytes) - ret_out->length;
        rv = encrypting ? p11->C_EncryptUpdate(session, in.bytes + at, size,
                                               ret_out->bytes + ret_out->length, &part)
                        : p11->C_DecryptUpdate(session, in.bytes + at, size,
                                               ret_out->bytes + ret_out->length, &part);
        ret_out->length += part;
    }
    if (rv != CKR_OK)
        return rv;
    part = sizeof(ret_out->bytes) - ret_out->length;
    rv = encrypting ? p11->C_EncryptFinal(session, ret_out->bytes + ret_out->length, &part)
                    : p11->C_DecryptFinal(session, ret_out->bytes + ret_out->length, &part);
    ret_out->length += part;
    return rv;
}

static void pieces_make_the_same_whole(void **state)
{
    static const CK_ULONG pieces[] = {1, 7, 16, 17, 33, MESSAGE};
    CK_SESSION_HANDLE session = user_session();
    CK_OBJECT_HANDLE key = known_secret(session, CKK_AES, key_128, sizeof(key_128));
    struct text message = {.length = MESSAGE}, out, back;

    (void)state;
    fill(message.bytes, MESSAGE);
    for (int mode = 0; mode < MODES; mode++) {
        struct text expected = openssl_encrypt(mode, key_128, 16, message.bytes, MESSAGE);

        for (size_t i = 0; is_there(mode) && i < COUNT_OF(pieces); i++) {
            expect_rv(run_pieces(session, true, mode, key, message, pieces[i], &out), CKR_OK);
            expect_true(out.length == expected.length &&
                        memcmp(out.bytes, expected.bytes, out.length) == 0);
            expect_rv(run_pieces(session, false, mode, key, out, pieces[i], &back), CKR_OK);
            expect_true(back.length == MESSAGE && memcmp(back.bytes, message.bytes, MESSAGE) == 0);
        }
    }
    expectations_met();
}

static void a_text_may_be_replaced_in_its_place(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    CK_OBJECT_HANDLE key = known_secret(session, CKK_AES, key_128, sizeof(key_128));
    struct text text, message = {.length = MESSAGE};

    (void)state;
    fill(message.bytes, MESSAGE);
    for (int mode = 0; mode < MODES; mode++) {
        struct text expected = openssl_encrypt(mode, key_128, 16, message.bytes, MESSAGE);

        if (!is_there(mode))
            continue;
        text = message;
        text.length = sizeof(text.bytes);
        expect_rv(p11->C_EncryptInit(session, &modes[mode], key), CKR_OK);
        expect_rv(p11->C_Encrypt(session, text.bytes, MESSAGE, text.bytes, &text.length), CKR_OK);
        expect_true(text.length == expected.length &&
                    memcmp(text.bytes, expected.bytes, text.length) == 0);
        expect_rv(p11->C_DecryptInit(session, &modes[mode], key), CKR_OK);
        expect_rv(p11->C_Decrypt(session, text.bytes, expected.length, text.bytes, &text.length),
                  CKR_OK);
        expect_true(text.length == MESSAGE && memcmp(text.bytes, message.bytes, MESSAGE) == 0);
    }
    expectations_met();
}

/* A size query and a small buffer tell the length and end nothing. */
static void small_buffers_are_told_the_length(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    CK_OBJECT_HANDLE key = known_secret(session, CKK_AES, key_128, sizeof(key_128));
    unsigned char message[MESSAGE], out[256];
    CK_ULONG length;

    (void)state;
    fill(message, sizeof(message));
    for (int mode = 0; mode < MODES; mode++) {
        struct text expected = openssl_encrypt(mode, key_128, 16, message, MESSAGE);

        if (!is_there(mode))
            continue;
        expect_rv(p11->C_EncryptInit(session, &modes[mode], key), CKR_OK);
        length = POISON_ULONG;
        expect_rv(p11->C_Encrypt(session, message, MESSAGE, NULL, &length), CKR_OK);
        expect_true(length >= expected.length && length <= expected.length + 16);
        memset(out, POISON_BYTE, sizeof(out));
        length = expected.length - 1;
        expect_rv(p11->C_Encrypt(session, message, MESSAGE, out, &length), CKR_BUFFER_TOO_SMALL);
        expect_true(length >= expected.length && untouched(out + expected.length - 1, 100));
        length = sizeof(out);
        expect_rv(p11->C_Encrypt(session, message, MESSAGE, out, &length), CKR_OK);
        expect_true(length == expected.length && memcmp(out, expected.bytes, length) == 0);
        expect_rv(p11->C_Encrypt(session, message, MESSAGE, out, &length),
                  CKR_OPERATION_NOT_INITIALIZED);
    }
    expectations_met();
}

static void small_buffers_lose_no_piece(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    CK_OBJECT_HANDLE key = known_secret(session, CKK_AES, key_128, sizeof(key_128));
    unsigned char message[32], out[64];
    struct text expected;
    CK_ULONG length = 15, rest = sizeof(out);

    (void)state;
    fill(message, sizeof(message));
    expected = openssl_encrypt(CBC_PAD, key_128, 16, message, 32);
    assert_ok(p11->C_EncryptInit(session, &modes[CBC_PAD], key));
    assert_rv(p11->C_EncryptUpdate(session, message, 32, out, &length), CKR_BUFFER_TOO_SMALL);
    length = sizeof(out);
    assert_ok(p11->C_EncryptUpdate(session, message, 32, out, &length));
    rest = 0;
    assert_rv(p11->C_EncryptFinal(session, out + length, &rest), CKR_BUFFER_TOO_SMALL);
    rest = sizeof(out) - length;
    assert_ok(p11->C_EncryptFinal(session, out + length, &rest));
    assert_int_equal(length + rest, expected.length);
    assert_memory_equal(out, expected.bytes, expected.length);
}

static void texts_of_odd_length_are_out_of_range(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    CK_OBJECT_HANDLE key = known_secret(session, CKK_AES, key_128, sizeof(key_128));
    struct text out;

    (void)state;
    expect_rv(run(session, true, &modes[ECB], key, plain_text, 17, &out), CKR_DATA_LEN_RANGE);
    expect_rv(run(session, true, &modes[CBC], key, plain_text, 31, &out), CKR_DATA_LEN_RANGE);
    expect_rv(run(session, false, &modes[CBC], key, plain_text, 31, &out),
              CKR_ENCRYPTED_DATA_LEN_RANGE);
    expect_rv(run(session, false, &modes[CBC_PAD], key, plain_text, 31, &out),
              CKR_ENCRYPTED_DATA_LEN_RANGE);
    expect_rv(run(session, false, &modes[CBC_PAD], key, plain_text, 32, &out),
              CKR_ENCRYPTED_DATA_INVALID);
    expectations_met();
}

static void bad_parameters_are_refused(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    CK_OBJECT_HANDLE key = known_secret(session, CKK_AES, key_128, sizeof(key_128));
    CK_AES_CTR_PARAMS wide = {129, {0}};
    CK_GCM_PARAMS no_iv = gcm, long_tag = gcm;
    CK_MECHANISM bad[] = {{CKM_AES_ECB, iv, 16},
                          {CKM_AES_CBC, iv, 15},
                          {CKM_AES_CBC, NULL, 16},
                          {CKM_AES_CBC_PAD, NULL, 0},
                          {CKM_AES_CTR, &ctr, sizeof(ctr) - 1},
                          {CKM_AES_CTR, &wide, sizeof(wide)},
                          {CKM_AES_GCM, &no_iv, sizeof(no_iv)},
                          {CKM_AES_GCM, &long_tag, sizeof(long_tag)},
                          {CKM_AES_GCM, &gcm, 8}};

    (void)state;
    no_iv.ulIvLen = 0;
    long_tag.ulTagBits = 136;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (mechanism_listed(common_slot(), bad[i].mechanism) &&
            !(bad[i].mechanism == CKM_AES_GCM && secrets_in_tpm()) &&
            expect_rv(p11->C_EncryptInit(open_session(common_slot()), &bad[i], key),
                      CKR_MECHANISM_PARAM_INVALID, CKR_ARGUMENTS_BAD) == CKR_OK)
            print_error("    row %zu\n", i);
    expectations_met();
}

static void a_changed_gcm_text_or_tag_gives_nothing(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    CK_OBJECT_HANDLE key = known_secret(session, CKK_AES, key_128, sizeof(key_128));
    struct text out, sent = openssl_encrypt(GCM, key_128, 16, plain_text, 32);

    (void)state;
    mechanism_or_skip(common_slot(), CKM_AES_GCM);
    if (secrets_in_tpm())
        skip_because("a TPM has no GCM");
    for (CK_ULONG i = 0; i < sent.length; i += 5) {
        sent.bytes[i] ^= 1;
        memset(out.bytes, POISON_BYTE, sizeof(out.bytes));
        expect_rv(run(session, false, &modes[GCM], key, sent.bytes, sent.length, &out),
                  CKR_ENCRYPTED_DATA_INVALID, CKR_AEAD_DECRYPT_FAILED);
        expect_true(memcmp(out.bytes, plain_text, 16) != 0);
        sent.bytes[i] ^= 1;
    }
    expect_rv(run(session, false, &modes[GCM], key, sent.bytes, 15, &out),
              CKR_ENCRYPTED_DATA_LEN_RANGE, CKR_ENCRYPTED_DATA_INVALID, CKR_AEAD_DECRYPT_FAILED);
    expect_rv(run(session, false, &modes[GCM], key, sent.bytes, sent.length, &out), CKR_OK);
    expectations_met();
}

static void keys_of_the_token_encrypt_like_any_other(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    CK_OBJECT_HANDLE key = new_aes_key(session, 32, true), copy = POISON_ULONG;
    struct text out, back;

    (void)state;
    assert_ok(run(session, true, &modes[CBC], key, plain_text, 32, &out));
    assert_ok(run(session, false, &modes[CBC], key, out.bytes, out.length, &back));
    assert_memory_equal(back.bytes, plain_text, 32);
    assert_ok(p11->C_CopyObject(session, key, LIST(FLAG(CKA_TOKEN, false)), &copy));
    assert_ok(run(session, false, &modes[CBC], copy, out.bytes, out.length, &back));
    assert_memory_equal(back.bytes, plain_text, 32);
}

#define test(function) cmocka_unit_test_teardown(function, destroy_everything)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(the_published_vectors_come_out),
        test(every_mode_and_length_is_openssls),
        test(pieces_make_the_same_whole),
        test(a_text_may_be_replaced_in_its_place),
        test(small_buffers_are_told_the_length),
        test(small_buffers_lose_no_piece),
        test(texts_of_odd_length_are_out_of_range),
        test(bad_parameters_are_refused),
        test(a_changed_gcm_text_or_tag_gives_nothing),
        test(keys_of_the_token_encrypt_like_any_other),
    };

    return cmocka_run_group_tests(tests, initialised_setup, initialised_teardown);
}
