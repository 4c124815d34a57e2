#include "token/mechanism/test_support.h"

/* Codes as an operation, with vectors of RFC 4231, RFC 2202, RFC 4493; those of SHA-3 were
 * made with Python's hmac. */

#define HMAC_KEY "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b"
#define HI_THERE "4869205468657265"
#define CMAC_KEY "2b7e151628aed2a6abf7158809cf4f3c"

static const struct {
    CK_MECHANISM_TYPE type, general;
    const char *key, *data, *code;
} known[] = {
    {CKM_SHA_1_HMAC, CKM_SHA_1_HMAC_GENERAL, HMAC_KEY, HI_THERE,
     "b617318655057264e28bc0b6fb378c8ef146be00"},
    {CKM_SHA224_HMAC, CKM_SHA224_HMAC_GENERAL, HMAC_KEY, HI_THERE,
     "896fb1128abbdf196832107cd49df33f47b4b1169912ba4f53684b22"},
    {CKM_SHA256_HMAC, CKM_SHA256_HMAC_GENERAL, HMAC_KEY, HI_THERE,
     "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
    {CKM_SHA384_HMAC, CKM_SHA384_HMAC_GENERAL, HMAC_KEY, HI_THERE,
     "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59c"
     "faea9ea9076ede7f4af152e8b2fa9cb6"},
    {CKM_SHA512_HMAC, CKM_SHA512_HMAC_GENERAL, HMAC_KEY, HI_THERE,
     "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
     "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854"},
    {CKM_SHA3_224_HMAC, CKM_SHA3_224_HMAC_GENERAL, HMAC_KEY, HI_THERE,
     "3b16546bbc7be2706a031dcafd56373d9884367641d8c59af3c860f7"},
    {CKM_SHA3_256_HMAC, CKM_SHA3_256_HMAC_GENERAL, HMAC_KEY, HI_THERE,
     "ba85192310dffa96e2a3a40e69774351140bb7185e1202cdcc917589f95e16bb"},
    {CKM_SHA3_384_HMAC, CKM_SHA3_384_HMAC_GENERAL, HMAC_KEY, HI_THERE,
     "68d2dcf7fd4ddd0a2240c8a437305f61fb7334cfb5d0226e1bc27dc10a2e723a"
     "20d370b47743130e26ac7e3d532886bd"},
    {CKM_SHA3_512_HMAC, CKM_SHA3_512_HMAC_GENERAL, HMAC_KEY, HI_THERE,
     "eb3fbd4b2eaab8f5c504bd3a41465aacec15770a7cabac531e482f860b5ec7ba"
     "47ccb2c6f2afce8f88d22b6dc61380f23a668fd3888bb80537c0a0b86407689e"},
    {CKM_AES_CMAC, CKM_AES_CMAC_GENERAL, CMAC_KEY, "", "bb1d6929e95937287fa37d129b756746"},
    {CKM_AES_CMAC, CKM_AES_CMAC_GENERAL, CMAC_KEY, "6bc1bee22e409f96e93d7e117393172a",
     "070a16b46b4d4144f79bdd9dd04a287c"},
};

static struct job *begin(CK_MECHANISM_TYPE type, CK_FLAGS operation, const CK_ULONG *size,
                         struct key *key)
{
    const CK_MECHANISM given = with_parameter(type, size, size ? sizeof(*size) : 0);
    struct job *job = NULL;
    assert_ok(begin_job(operation, &given, key, &job));
    return job;
}

static void the_known_codes_come_out(UNUSED void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        struct key *key = secret_key(known[i].key);
        struct bytes code = {0};
        struct job *job = begin(known[i].type, CKF_SIGN, NULL, key);
        assert_ok(run_job(job, from_hex(known[i].data), 3, &code));
        assert_hex(bytes_view(&code), known[i].code);
        /* The next message. */
        bytes_free(&code);
        assert_ok(job_restart(job));
        assert_ok(run_job(job, from_hex(known[i].data), 0, &code));
        assert_hex(bytes_view(&code), known[i].code);
        bytes_free(&code);
        job_free(job);
        key_unref(key);
    }
}

static void a_general_code_is_the_beginning_of_the_whole(UNUSED void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        size_t whole = strlen(known[i].code) / 2;
        const CK_ULONG sizes[] = {1, 4, whole - 1, whole};
        for (size_t j = 0; j < ARRAY_SIZE(sizes); j++) {
            struct key *key = secret_key(known[i].key);
            struct bytes code = {0};
            char expected[2 * MAX_HEX_SIZE + 1];
            struct job *job = begin(known[i].general, CKF_SIGN, &sizes[j], key);
            assert_ok(run_job(job, from_hex(known[i].data), 0, &code));
            snprintf(expected, sizeof(expected), "%.*s", (int)(2 * sizes[j]), known[i].code);
            assert_hex(bytes_view(&code), expected);
            job_free(job);
            job = begin(known[i].general, CKF_VERIFY, &sizes[j], key);
            struct bytes nothing = {0};
            assert_ok(job_update(job, from_hex(known[i].data), &nothing));
            assert_ok(job_verify(job, bytes_view(&code)));
            job_free(job);
            bytes_free(&code);
            key_unref(key);
        }
    }
}

static CK_RV verify(size_t row, const char *data, struct view code)
{
    struct key *key = secret_key(known[row].key);
    struct job *job = begin(known[row].type, CKF_VERIFY, NULL, key);
    struct bytes nothing = {0};
    assert_ok(job_update(job, from_hex(data), &nothing));
    CK_RV rv = job_verify(job, code);
    job_free(job);
    key_unref(key);
    return rv;
}

static void no_other_code_verifies(UNUSED void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        uint8_t code[64];
        struct view right = from_hex(known[i].code);
        memcpy(code, right.data, right.size);
        assert_ok(verify(i, known[i].data, right));
        assert_rv(verify(i, "00", right), CKR_SIGNATURE_INVALID);
        for (size_t at = 0; at < right.size; at += right.size - 1) {
            code[at] ^= 0x80;
            assert_rv(verify(i, known[i].data, view_of(code, right.size)), CKR_SIGNATURE_INVALID);
            code[at] ^= 0x80;
        }
        assert_rv(verify(i, known[i].data, view_of(code, right.size - 1)), CKR_SIGNATURE_LEN_RANGE);
        assert_rv(verify(i, known[i].data, (struct view){0}), CKR_SIGNATURE_LEN_RANGE);
    }
}

static void parameters_and_keys_are_checked(UNUSED void **state)
{
    static uint8_t large[4097];
    const CK_ULONG none = 0, one = 1, beyond = 33;
    struct key *key = secret_key(HMAC_KEY), *odd = NULL;
    struct job *job = NULL;
    const struct {
        CK_MECHANISM_TYPE type;
        const void *parameter;
        CK_ULONG size;
    } wrong[] = {
        {CKM_SHA256_HMAC, &one, sizeof(one)},
        {CKM_SHA256_HMAC_GENERAL, NULL, 0},
        {CKM_SHA256_HMAC_GENERAL, &one, 4},
        {CKM_SHA256_HMAC_GENERAL, &none, sizeof(none)},
        {CKM_SHA256_HMAC_GENERAL, &beyond, sizeof(beyond)},
    };
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        const CK_MECHANISM given = with_parameter(wrong[i].type, wrong[i].parameter, wrong[i].size);
        assert_rv(begin_job(CKF_SIGN, &given, key, &job), CKR_MECHANISM_PARAM_INVALID);
    }
    const CK_MECHANISM cmac = with_parameter(CKM_AES_CMAC, NULL, 0),
                       hmac = with_parameter(CKM_SHA256_HMAC, NULL, 0);
    assert_ok(key_secret_new(view_of(large, sizeof(large)), &odd));
    assert_rv(begin_job(CKF_SIGN, &cmac, key, &job), CKR_KEY_SIZE_RANGE);
    assert_rv(begin_job(CKF_SIGN, &hmac, odd, &job), CKR_KEY_SIZE_RANGE);
    assert_rv(begin_job(CKF_SIGN, &hmac, NULL, &job), CKR_KEY_TYPE_INCONSISTENT);
    key_unref(key);
    key_unref(odd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_known_codes_come_out),
        cmocka_unit_test(a_general_code_is_the_beginning_of_the_whole),
        cmocka_unit_test(no_other_code_verifies),
        cmocka_unit_test(parameters_and_keys_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
