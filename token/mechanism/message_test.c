#include "token/mechanism/message.h"

#include "token/mechanism/gcm_iv.h"
#include "token/mechanism/test_support.h"

/* Messages of AES-GCM: test case 4 of the GCM proposal, IVs, and tags. */

#define KEY "feffe9928665731c6d6a8f9467308308"
#define IV "cafebabefacedbaddecaf888"
#define ASSOCIATED "feedfacedeadbeeffeedfacedeadbeefabaddad2"
#define PLAIN                                                                                      \
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"                             \
    "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
#define CIPHER                                                                                     \
    "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"                             \
    "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091"
#define TAG "5bc94fbc3221a5db94fae95ae7121a47"

struct parameter {
    uint8_t iv[128];
    uint8_t tag[16];
    CK_GCM_MESSAGE_PARAMS gcm;
};

static void fill(struct parameter *parameter, CK_GENERATOR_FUNCTION generator, CK_ULONG fixed_bits)
{
    memset(parameter, 0, sizeof(*parameter));
    memcpy(parameter->iv, from_hex(IV).data, 12);
    parameter->gcm = (CK_GCM_MESSAGE_PARAMS){.pIv = parameter->iv,
                                             .ulIvLen = 12,
                                             .ulIvFixedBits = fixed_bits,
                                             .ivGenerator = generator,
                                             .pTag = parameter->tag,
                                             .ulTagBits = 128};
}

static struct message *begin(CK_FLAGS operation)
{
    const CK_MECHANISM given = with_parameter(CKM_AES_GCM, NULL, 0);
    struct message *message = NULL;
    struct key *key = secret_key(KEY);
    assert_ok(message_new(mechanism_find(CKM_AES_GCM), operation, &given, key, &message));
    key_unref(key);
    return message;
}

static CK_RV run_message(struct message *message, struct parameter *parameter, struct view in,
                         size_t piece, struct bytes *out)
{
    CK_RV rv =
        message_begin(message, &parameter->gcm, sizeof(parameter->gcm), from_hex(ASSOCIATED));
    for (size_t at = 0; at < in.size && rv == CKR_OK; at += piece) {
        size_t size = piece < in.size - at ? piece : in.size - at;
        size_t expected = message_output_size(message, size, false), before = out->size;
        rv = message_update(message, view_of(in.data + at, size), out);
        assert_int_equal(out->size - before, expected);
    }
    if (rv != CKR_OK)
        return rv;
    size_t expected = message_output_size(message, 0, true), before = out->size;
    rv = message_finish(message, &parameter->gcm, sizeof(parameter->gcm), out);
    if (rv == CKR_OK)
        assert_int_equal(out->size - before, expected);
    assert_false(message_is_begun(message));
    return rv;
}

static void the_known_message_comes_out_and_goes_back(UNUSED void **state)
{
    struct message *encryption = begin(CKF_MESSAGE_ENCRYPT),
                   *decryption = begin(CKF_MESSAGE_DECRYPT);
    static const size_t pieces[] = {100, 7};
    for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
        struct parameter parameter;
        struct bytes out = {0}, back = {0};
        fill(&parameter, CKG_NO_GENERATE, 0);
        assert_ok(run_message(encryption, &parameter, from_hex(PLAIN), pieces[i], &out));
        assert_hex(bytes_view(&out), CIPHER);
        assert_hex(view_of(parameter.tag, 16), TAG);
        assert_hex(view_of(parameter.iv, 12), IV);
        assert_ok(run_message(decryption, &parameter, bytes_view(&out), pieces[i], &back));
        assert_hex(bytes_view(&back), PLAIN);
        bytes_free(&out);
        bytes_free(&back);
    }
    message_free(encryption);
    message_free(decryption);
    message_free(NULL);
}

static void nothing_comes_of_a_message_whose_tag_is_wrong(UNUSED void **state)
{
    struct message *message = begin(CKF_MESSAGE_DECRYPT);
    for (int i = 0; i < 3; i++) {
        struct parameter parameter;
        struct bytes out = {0};
        fill(&parameter, CKG_NO_GENERATE, 0);
        memcpy(parameter.tag, from_hex(TAG).data, 16);
        parameter.tag[15] ^= i == 0;
        parameter.iv[0] ^= i == 1;
        assert_rv(run_message(message, &parameter, from_hex(CIPHER), 16, &out),
                  i < 2 ? CKR_AEAD_DECRYPT_FAILED : CKR_OK);
        if (i < 2)
            assert_int_equal(out.size, 0);
        bytes_free(&out);
    }
    message_free(message);
}

static CK_RV next_iv(struct message *message, struct parameter *parameter)
{
    struct bytes out = {0};
    CK_RV rv = run_message(message, parameter, view_string("text"), 4, &out);
    bytes_free(&out);
    return rv;
}

static void a_counter_fills_the_bits_that_are_not_fixed(UNUSED void **state)
{
    static const struct {
        CK_ULONG fixed;
        const char *first, *second;
    } rows[] = {
        {32, "cafebabe0000000000000000", "cafebabe0000000000000001"},
        {0, "000000000000000000000000", "000000000000000000000001"},
        {62, "cafebabefacedbac00000000", "cafebabefacedbac00000001"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct message *message = begin(CKF_MESSAGE_ENCRYPT);
        struct parameter parameter;
        fill(&parameter, CKG_GENERATE_COUNTER, rows[i].fixed);
        assert_ok(next_iv(message, &parameter));
        assert_hex(view_of(parameter.iv, 12), rows[i].first);
        assert_ok(next_iv(message, &parameter));
        assert_hex(view_of(parameter.iv, 12), rows[i].second);
        for (int j = 2; j < 258; j++)
            assert_ok(next_iv(message, &parameter));
        assert_int_equal(parameter.iv[11], 1);
        assert_int_equal(parameter.iv[10], 1);
        message_free(message);
    }
}

static void random_ivs_differ_and_keep_what_is_fixed(UNUSED void **state)
{
    static const CK_GENERATOR_FUNCTION generators[] = {CKG_GENERATE, CKG_GENERATE_RANDOM};
    for (size_t i = 0; i < ARRAY_SIZE(generators); i++) {
        struct message *message = begin(CKF_MESSAGE_ENCRYPT);
        struct parameter one, two;
        fill(&one, generators[i], 0);
        fill(&two, generators[i], 0);
        assert_ok(next_iv(message, &one));
        assert_ok(next_iv(message, &two));
        assert_memory_not_equal(one.iv, two.iv, 12);
        assert_memory_not_equal(one.iv, from_hex(IV).data, 12);
        fill(&one, generators[i], 28);
        one.gcm.ulIvLen = 16;
        assert_ok(next_iv(message, &one));
        assert_memory_equal(one.iv, from_hex(IV).data, 3);
        assert_int_equal(one.iv[3] >> 4, 0xb);
        message_free(message);
    }
}

/* NIST SP 800-38D, 8.2. */
static void too_few_bits_make_no_iv(UNUSED void **state)
{
    static const struct {
        CK_GENERATOR_FUNCTION generator;
        CK_ULONG fixed;
        CK_RV rv;
    } rows[] = {
        {CKG_GENERATE, 1, CKR_MECHANISM_PARAM_INVALID},
        {CKG_GENERATE_RANDOM, 96, CKR_MECHANISM_PARAM_INVALID},
        {CKG_GENERATE_COUNTER, 64, CKR_OK},
        {CKG_GENERATE_COUNTER, 65, CKR_MECHANISM_PARAM_INVALID},
        {CKG_GENERATE_COUNTER_XOR, 0, CKR_MECHANISM_PARAM_INVALID},
        {99, 0, CKR_MECHANISM_PARAM_INVALID},
        {CKG_NO_GENERATE, 96, CKR_OK},
        {CKG_NO_GENERATE, 97, CKR_MECHANISM_PARAM_INVALID},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct message *message = begin(CKF_MESSAGE_ENCRYPT);
        struct parameter parameter;
        fill(&parameter, rows[i].generator, rows[i].fixed);
        assert_rv(next_iv(message, &parameter), rows[i].rv);
        message_free(message);
    }
}

/* Rather an error than an IV for the second time. */
static void ivs_that_are_used_up_do_not_begin_anew(UNUSED void **state)
{
    static const struct {
        CK_GENERATOR_FUNCTION generator;
        CK_ULONG fixed;
        uint64_t made;
        CK_RV rv;
    } rows[] = {
        {CKG_GENERATE_RANDOM, 0, 0xffffffff, CKR_OK},
        {CKG_GENERATE_RANDOM, 0, 0x100000000, CKR_TOKEN_RESOURCE_EXCEEDED},
        {CKG_GENERATE_COUNTER, 64, 0xffffffff, CKR_OK},
        {CKG_GENERATE_COUNTER, 64, 0x100000000, CKR_TOKEN_RESOURCE_EXCEEDED},
        {CKG_GENERATE_COUNTER, 63, 0x100000000, CKR_OK},
        {CKG_GENERATE_COUNTER, 32, UINT64_MAX, CKR_OK},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint8_t iv[12];
        poison(iv);
        assert_rv(gcm_iv_generate(rows[i].generator, rows[i].fixed, rows[i].made, iv, sizeof(iv)),
                  rows[i].rv);
        if (rows[i].rv != CKR_OK)
            assert_poison(iv);
    }
    uint8_t large[256] = {0};
    assert_rv(gcm_iv_generate(CKG_GENERATE, 0, 0, large, sizeof(large)),
              CKR_MECHANISM_PARAM_INVALID);
    assert_rv(gcm_iv_generate(CKG_GENERATE, 97, 0, large, 12), CKR_MECHANISM_PARAM_INVALID);
}

static void parameters_are_checked(UNUSED void **state)
{
    struct message *message = begin(CKF_MESSAGE_ENCRYPT);
    for (int i = 0; i < 8; i++) {
        struct parameter parameter;
        fill(&parameter, CKG_NO_GENERATE, 0);
        parameter.gcm.pIv = i == 1 ? NULL : parameter.iv;
        parameter.gcm.pTag = i == 2 ? NULL : parameter.tag;
        parameter.gcm.ulIvLen = i == 3 ? 0 : i == 4 ? 129 : 12;
        parameter.gcm.ulTagBits = i == 5 ? 127 : i == 6 ? 136 : i == 7 ? 24 : 128;
        assert_rv(next_iv(message, &parameter), i ? CKR_MECHANISM_PARAM_INVALID : CKR_OK);
        assert_false(message_is_begun(message));
    }
    assert_rv(message_begin(message, NULL, sizeof(CK_GCM_MESSAGE_PARAMS), (struct view){0}),
              CKR_MECHANISM_PARAM_INVALID);
    struct parameter parameter;
    fill(&parameter, CKG_NO_GENERATE, 0);
    assert_rv(message_begin(message, &parameter.gcm, 4, (struct view){0}),
              CKR_MECHANISM_PARAM_INVALID);
    message_free(message);
}

/* A tag's length is the same at both ends of a message. */
static void a_message_ends_as_it_began(UNUSED void **state)
{
    struct message *message = begin(CKF_MESSAGE_ENCRYPT);
    struct parameter parameter;
    struct bytes out = {0};
    fill(&parameter, CKG_NO_GENERATE, 0);
    assert_ok(message_begin(message, &parameter.gcm, sizeof(parameter.gcm), (struct view){0}));
    assert_rv(message_begin(message, &parameter.gcm, sizeof(parameter.gcm), (struct view){0}),
              CKR_OPERATION_ACTIVE);
    parameter.gcm.ulTagBits = 96;
    assert_rv(message_finish(message, &parameter.gcm, sizeof(parameter.gcm), &out),
              CKR_MECHANISM_PARAM_INVALID);
    assert_false(message_is_begun(message));
    assert_ok(next_iv(message, &parameter));
    message_abandon(message);
    message_free(message);
}

static void only_gcm_has_messages(UNUSED void **state)
{
    static const uint8_t odd[17];
    CK_GCM_MESSAGE_PARAMS params = {0};
    const CK_MECHANISM cbc = with_parameter(CKM_AES_CBC, odd, 16),
                       gcm = with_parameter(CKM_AES_GCM, odd, 17),
                       with = with_parameter(CKM_AES_GCM, &params, sizeof(params));
    const struct mechanism *row = mechanism_find(CKM_AES_GCM);
    struct key *key = secret_key(KEY), *wrong = NULL;
    struct message *message = NULL;
    assert_rv(message_new(mechanism_find(CKM_AES_CBC), CKF_MESSAGE_ENCRYPT, &cbc, key, &message),
              CKR_MECHANISM_INVALID);
    assert_rv(message_new(row, CKF_MESSAGE_ENCRYPT, &gcm, key, &message),
              CKR_MECHANISM_PARAM_INVALID);
    assert_ok(key_secret_new(view_of(odd, 17), &wrong));
    assert_rv(message_new(row, CKF_MESSAGE_ENCRYPT, &with, wrong, &message), CKR_KEY_SIZE_RANGE);
    assert_null(message);
    assert_ok(message_new(row, CKF_MESSAGE_ENCRYPT, &with, key, &message));
    message_free(message);
    key_unref(key);
    key_unref(wrong);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_known_message_comes_out_and_goes_back),
        cmocka_unit_test(nothing_comes_of_a_message_whose_tag_is_wrong),
        cmocka_unit_test(a_counter_fills_the_bits_that_are_not_fixed),
        cmocka_unit_test(random_ivs_differ_and_keep_what_is_fixed),
        cmocka_unit_test(too_few_bits_make_no_iv),
        cmocka_unit_test(ivs_that_are_used_up_do_not_begin_anew),
        cmocka_unit_test(parameters_are_checked),
        cmocka_unit_test(a_message_ends_as_it_began),
        cmocka_unit_test(only_gcm_has_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
