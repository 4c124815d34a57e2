#include "token/mechanism/test_support.h"

/* AES as an operation: parameters, pieces, lengths. The modes themselves are tested in
 * the crypto room. */

#define KEY "2b7e151628aed2a6abf7158809cf4f3c"
#define IV "000102030405060708090a0b0c0d0e0f"
#define PLAIN                                                                                      \
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"                             \
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"

static CK_AES_CTR_PARAMS ctr = {.ulCounterBits = 128,
                                .cb = {0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9,
                                       0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0xff}};
static CK_BYTE nonce[12] = {0xca, 0xfe, 0xba, 0xbe, 0xfa, 0xce, 0xdb, 0xad, 0xde, 0xca, 0xf8, 0x88};
static CK_BYTE associated[20] = {0xfe, 0xed, 0xfa, 0xce, 0xde, 0xad, 0xbe, 0xef, 0xfe, 0xed,
                                 0xfa, 0xce, 0xde, 0xad, 0xbe, 0xef, 0xab, 0xad, 0xda, 0xd2};
static CK_GCM_PARAMS gcm = {nonce, sizeof(nonce), 96, associated, sizeof(associated), 128};

static CK_MECHANISM mechanism_of(CK_MECHANISM_TYPE type)
{
    switch (type) {
    case CKM_AES_ECB:
        return with_parameter(type, NULL, 0);
    case CKM_AES_CTR:
        return with_parameter(type, &ctr, sizeof(ctr));
    case CKM_AES_GCM:
        return with_parameter(type, &gcm, sizeof(gcm));
    default:
        return with_parameter(type, from_hex(IV).data, 16);
    }
}

/* SP 800-38A, appendix F; CBC_PAD has one block more; GCM is test case 4 of the GCM
 * proposal. */
static const struct {
    CK_MECHANISM_TYPE type;
    const char *key, *plain, *cipher;
} known[] = {
    {CKM_AES_ECB, KEY, PLAIN,
     "3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699de785895a96fdbaaf"
     "43b1cd7f598ece23881b00e3ed0306887b0c785e27e8ad3f8223207104725dd4"},
    {CKM_AES_CBC, KEY, PLAIN,
     "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2"
     "73bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7"},
    {CKM_AES_CBC_PAD, KEY, PLAIN,
     "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2"
     "73bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7"
     "8cb82807230e1321d3fae00d18cc2012"},
    {CKM_AES_CTR, KEY, PLAIN,
     "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff"
     "5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee"},
    {CKM_AES_GCM, "feffe9928665731c6d6a8f9467308308",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
     "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
     "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
     "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091"
     "5bc94fbc3221a5db94fae95ae7121a47"},
};

static void the_known_ciphertexts_come_out_in_any_pieces(UNUSED void **state)
{
    static const size_t pieces[] = {0, 1, 15, 16, 17, 33};
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        struct key *key = secret_key(known[i].key);
        for (size_t j = 0; j < 2 * ARRAY_SIZE(pieces); j++) {
            bool encrypt = j % 2 == 0;
            struct bytes out = {0};
            struct job *job = NULL;
            const CK_MECHANISM given = mechanism_of(known[i].type);
            assert_ok(begin_job(encrypt ? CKF_ENCRYPT : CKF_DECRYPT, &given, key, &job));
            assert_ok(run_job(job, from_hex(encrypt ? known[i].plain : known[i].cipher),
                              pieces[j / 2], &out));
            assert_hex(bytes_view(&out), encrypt ? known[i].cipher : known[i].plain);
            bytes_free(&out);
            job_free(job);
        }
        key_unref(key);
    }
}

static void nothing_is_a_message_too(UNUSED void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        struct key *key = secret_key(known[i].key);
        const CK_MECHANISM given = mechanism_of(known[i].type);
        struct bytes out = {0}, back = {0};
        struct job *job = NULL;
        assert_ok(begin_job(CKF_ENCRYPT, &given, key, &job));
        assert_ok(run_job(job, (struct view){0}, 0, &out));
        job_free(job);
        assert_ok(begin_job(CKF_DECRYPT, &given, key, &job));
        assert_ok(run_job(job, bytes_view(&out), 0, &back));
        assert_int_equal(back.size, 0);
        job_free(job);
        bytes_free(&out);
        bytes_free(&back);
        key_unref(key);
    }
}

static CK_RV finish_with(CK_MECHANISM_TYPE type, CK_FLAGS operation, struct view input)
{
    const CK_MECHANISM given = mechanism_of(type);
    struct key *key = secret_key(KEY);
    struct bytes out = {0};
    struct job *job = NULL;
    assert_ok(begin_job(operation, &given, key, &job));
    CK_RV rv = run_job(job, input, 0, &out);
    job_free(job);
    bytes_free(&out);
    key_unref(key);
    return rv;
}

static void half_blocks_and_bad_tags_have_their_own_codes(UNUSED void **state)
{
    struct view text = from_hex(PLAIN);
    assert_rv(finish_with(CKM_AES_ECB, CKF_ENCRYPT, view_of(text.data, 17)), CKR_DATA_LEN_RANGE);
    assert_rv(finish_with(CKM_AES_CBC, CKF_DECRYPT, view_of(text.data, 15)),
              CKR_ENCRYPTED_DATA_LEN_RANGE);
    assert_rv(finish_with(CKM_AES_CBC_PAD, CKF_DECRYPT, view_of(text.data, 15)),
              CKR_ENCRYPTED_DATA_LEN_RANGE);
    assert_rv(finish_with(CKM_AES_CBC_PAD, CKF_DECRYPT, view_of(text.data, 32)),
              CKR_ENCRYPTED_DATA_INVALID);
    assert_rv(finish_with(CKM_AES_GCM, CKF_DECRYPT, view_of(text.data, 15)),
              CKR_ENCRYPTED_DATA_LEN_RANGE);
    assert_rv(finish_with(CKM_AES_GCM, CKF_DECRYPT, view_of(text.data, 32)),
              CKR_ENCRYPTED_DATA_INVALID);
}

/* The same bytes as the structure had before ulIvBits. */
static void both_shapes_of_gcm_parameters_are_read(UNUSED void **state)
{
    struct {
        CK_BYTE *iv;
        CK_ULONG iv_size;
        CK_BYTE *associated;
        CK_ULONG associated_size;
        CK_ULONG tag_bits;
    } old = {nonce, sizeof(nonce), associated, sizeof(associated), 128};
    const size_t last = ARRAY_SIZE(known) - 1;
    const CK_MECHANISM given = with_parameter(CKM_AES_GCM, &old, sizeof(old));
    struct key *key = secret_key(known[last].key);
    struct bytes out = {0};
    struct job *job = NULL;
    assert_ok(begin_job(CKF_ENCRYPT, &given, key, &job));
    assert_ok(run_job(job, from_hex(known[last].plain), 0, &out));
    assert_hex(bytes_view(&out), known[last].cipher);
    bytes_free(&out);
    job_free(job);
    key_unref(key);
}

static CK_RV begin_with(CK_MECHANISM_TYPE type, const void *parameter, CK_ULONG size)
{
    const CK_MECHANISM given = with_parameter(type, parameter, size);
    struct key *key = secret_key(KEY);
    struct job *job;
    poison(job);
    CK_RV rv = begin_job(CKF_ENCRYPT, &given, key, &job);
    if (rv == CKR_OK)
        job_free(job);
    else
        assert_poison(job);
    key_unref(key);
    return rv;
}

static void parameters_are_checked(UNUSED void **state)
{
    assert_rv(begin_with(CKM_AES_ECB, IV, 16), CKR_MECHANISM_PARAM_INVALID);
    assert_rv(begin_with(CKM_AES_CBC, IV, 15), CKR_MECHANISM_PARAM_INVALID);
    assert_rv(begin_with(CKM_AES_CBC, NULL, 0), CKR_MECHANISM_PARAM_INVALID);
    assert_rv(begin_with(CKM_AES_CBC_PAD, IV, 17), CKR_MECHANISM_PARAM_INVALID);
    assert_rv(begin_with(CKM_AES_CTR, IV, 16), CKR_MECHANISM_PARAM_INVALID);
    assert_rv(begin_with(CKM_AES_GCM, IV, 16), CKR_MECHANISM_PARAM_INVALID);
    for (CK_ULONG bits = 0; bits <= 129; bits += bits ? 128 : 129) {
        CK_AES_CTR_PARAMS wrong = ctr;
        wrong.ulCounterBits = bits;
        assert_rv(begin_with(CKM_AES_CTR, &wrong, sizeof(wrong)), CKR_MECHANISM_PARAM_INVALID);
    }
}

static void parameters_of_gcm_are_checked(UNUSED void **state)
{
    for (int i = 0; i < 9; i++) {
        CK_GCM_PARAMS wrong = gcm;
        wrong.pIv = i == 1 ? NULL : nonce;
        wrong.ulIvLen = i == 2 ? 0 : sizeof(nonce);
        wrong.ulIvLen = i == 3 ? 1 << 20 : wrong.ulIvLen;
        wrong.pAAD = i == 4 ? NULL : associated;
        wrong.ulAADLen = i == 5 ? ~0UL : sizeof(associated);
        wrong.ulTagBits = i == 6 ? 24 : i == 7 ? 136 : i == 8 ? 127 : 128;
        assert_rv(begin_with(CKM_AES_GCM, &wrong, sizeof(wrong)),
                  i ? CKR_MECHANISM_PARAM_INVALID : CKR_OK);
    }
}

/* PKCS#11 6.11: an overflow of the counter bits would use one block twice. */
static void a_counter_does_not_begin_anew(UNUSED void **state)
{
    static const struct {
        CK_ULONG bits;
        const char *block;
        size_t blocks; /* that may come */
    } rows[] = {
        {1, "00000000000000000000000000000000", 2},   {1, "ffffffffffffffffffffffffffffffff", 1},
        {8, "000000000000000000000000000001fe", 2},   {32, "000000000000000000000001fffffffe", 2},
        {64, "0000000000000000fffffffffffffffd", 3},  {65, "0000000000000001fffffffffffffffd", 3},
        {65, "0000000000000000fffffffffffffffd", 4},  {128, "fffffffffffffffffffffffffffffffd", 3},
        {128, "efffffffffffffffffffffffffffffff", 4},
    };
    static const uint8_t text[16 * 4];
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CK_AES_CTR_PARAMS params = {.ulCounterBits = rows[i].bits};
        const CK_MECHANISM given = with_parameter(CKM_AES_CTR, &params, sizeof(params));
        struct key *key = secret_key(KEY);
        struct bytes out = {0};
        struct job *job = NULL;
        memcpy(params.cb, from_hex(rows[i].block).data, 16);
        assert_ok(begin_job(CKF_ENCRYPT, &given, key, &job));
        assert_ok(job_update(job, view_of(text, 16 * rows[i].blocks - 1), &out));
        assert_ok(job_update(job, view_of(text, 1), &out));
        assert_rv(job_update(job, view_of(text, 1), &out),
                  rows[i].blocks < 4 ? CKR_DATA_LEN_RANGE : CKR_OK);
        bytes_free(&out);
        job_free(job);
        key_unref(key);
    }
}

static void keys_of_other_sizes_are_refused(UNUSED void **state)
{
    static const char *const keys[] = {"00", "2b7e151628aed2a6abf7158809cf4f3c00"};
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        const CK_MECHANISM given = mechanism_of(CKM_AES_CBC);
        struct key *key = secret_key(keys[i]);
        struct job *job = NULL;
        assert_rv(begin_job(CKF_ENCRYPT, &given, key, &job), CKR_KEY_SIZE_RANGE);
        key_unref(key);
    }
}

/* A ciphertext under the same initial block twice would give the plaintexts away. */
static void a_cipher_cannot_begin_anew(UNUSED void **state)
{
    const CK_MECHANISM given = mechanism_of(CKM_AES_CTR);
    struct key *key = secret_key(KEY);
    struct job *job = NULL, *copy = NULL;
    assert_ok(begin_job(CKF_ENCRYPT, &given, key, &job));
    assert_rv(job_restart(job), CKR_OPERATION_ACTIVE);
    assert_rv(job_copy(job, &copy), CKR_STATE_UNSAVEABLE);
    assert_rv(job_verify(job, view_string("x")), CKR_MECHANISM_INVALID);
    job_free(job);
    key_unref(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_known_ciphertexts_come_out_in_any_pieces),
        cmocka_unit_test(nothing_is_a_message_too),
        cmocka_unit_test(half_blocks_and_bad_tags_have_their_own_codes),
        cmocka_unit_test(both_shapes_of_gcm_parameters_are_read),
        cmocka_unit_test(parameters_are_checked),
        cmocka_unit_test(parameters_of_gcm_are_checked),
        cmocka_unit_test(a_counter_does_not_begin_anew),
        cmocka_unit_test(keys_of_other_sizes_are_refused),
        cmocka_unit_test(a_cipher_cannot_begin_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
