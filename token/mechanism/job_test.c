#include "token/mechanism/asymmetric_test_support.h"

#include "token/crypto/public.h"
#include "token/mechanism/software.h"

/* Running operations with software keys: limits, lengths, and results. */

static void each_signature_verifies_and_no_other_does(UNUSED void **state)
{
    static const struct {
        CK_MECHANISM_TYPE type;
        size_t input; /* 0: any text */
    } rows[] = {
        {CKM_RSA_PKCS, 0},
        {CKM_SHA1_RSA_PKCS, 0},
        {CKM_SHA512_RSA_PKCS, 0},
        {CKM_RSA_PKCS_PSS, 32},
        {CKM_SHA256_RSA_PKCS_PSS, 0},
        {CKM_RSA_X_509, 0},
        {CKM_ECDSA, 32},
        {CKM_ECDSA, 20},
        {CKM_ECDSA_SHA256, 0},
        {CKM_ECDSA_SHA512, 0},
        {CKM_SHA224_RSA_PKCS, 0},
        {CKM_SHA3_224_RSA_PKCS, 0},
        {CKM_SHA3_256_RSA_PKCS, 0},
        {CKM_SHA3_512_RSA_PKCS, 0},
        {CKM_ECDSA_SHA224, 0},
        {CKM_ECDSA_SHA3_256, 0},
        {CKM_ECDSA_SHA3_512, 0},
        {CKM_EDDSA, 0},
    };
    static const char text[] = "this is the text of the message";
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct view input = view_of(text, rows[i].input ? rows[i].input : sizeof(text) - 1);
        struct bytes signature = {0};
        struct job *job = begin(rows[i].type, CKF_SIGN);
        bool exact = false;
        assert_ok(feed(job, view_of(input.data, 5)));
        assert_ok(feed(job, view_of(input.data + 5, input.size - 5)));
        size_t size = job_output_size(job, 0, true, &exact);
        assert_true(exact);
        assert_ok(job_finish(job, &signature));
        assert_int_equal(signature.size, size);
        job_free(job);
        for (int changed = 0; changed < 2; changed++) {
            job = begin(rows[i].type, CKF_VERIFY);
            assert_ok(feed(job, input));
            signature.data[size - 1] ^= changed ? 1 : 0;
            assert_rv(job_verify(job, bytes_view(&signature)),
                      changed ? CKR_SIGNATURE_INVALID : CKR_OK);
            job_free(job);
        }
        bytes_free(&signature);
    }
}

static void a_signature_of_another_length_is_no_signature(UNUSED void **state)
{
    static const CK_MECHANISM_TYPE types[] = {CKM_SHA256_RSA_PKCS, CKM_ECDSA_SHA256};
    uint8_t signature[300] = {0};
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        size_t whole = types[i] == CKM_ECDSA_SHA256 ? 64 : 256;
        const size_t sizes[] = {0, whole - 1, whole + 1};
        for (size_t j = 0; j < ARRAY_SIZE(sizes); j++) {
            struct job *job = begin(types[i], CKF_VERIFY);
            assert_rv(job_verify(job, view_of(signature, sizes[j])), CKR_SIGNATURE_LEN_RANGE);
            job_free(job);
        }
    }
}

static void raw_data_has_a_longest_length(UNUSED void **state)
{
    static const struct {
        CK_MECHANISM_TYPE type;
        CK_FLAGS operation;
        size_t max;
        CK_RV rv;
    } rows[] = {
        {CKM_RSA_PKCS, CKF_SIGN, 245, CKR_DATA_LEN_RANGE},
        {CKM_RSA_PKCS, CKF_ENCRYPT, 245, CKR_DATA_LEN_RANGE},
        {CKM_RSA_PKCS, CKF_DECRYPT, 256, CKR_ENCRYPTED_DATA_LEN_RANGE},
        {CKM_RSA_X_509, CKF_SIGN, 256, CKR_DATA_LEN_RANGE},
        {CKM_RSA_X_509, CKF_VERIFY, 256, CKR_DATA_LEN_RANGE},
        {CKM_RSA_PKCS_PSS, CKF_SIGN, 32, CKR_DATA_LEN_RANGE},
        {CKM_RSA_PKCS_OAEP, CKF_ENCRYPT, 190, CKR_DATA_LEN_RANGE},
        {CKM_RSA_PKCS_OAEP, CKF_DECRYPT, 256, CKR_ENCRYPTED_DATA_LEN_RANGE},
        {CKM_ECDSA, CKF_SIGN, 64, CKR_DATA_LEN_RANGE},
    };
    uint8_t data[300] = {0};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct job *job = begin(rows[i].type, rows[i].operation);
        assert_ok(feed(job, view_of(data, rows[i].max - 1)));
        assert_ok(feed(job, view_of(data, 1)));
        assert_rv(feed(job, view_of(data, 1)), rows[i].rv);
        job_free(job);
        job = begin(rows[i].type, rows[i].operation);
        assert_rv(feed(job, view_of(data, rows[i].max + 1)), rows[i].rv);
        job_free(job);
    }
}

static void hashed_data_has_none(UNUSED void **state)
{
    static const uint8_t block[10000];
    struct job *job = begin(CKM_SHA256_RSA_PKCS, CKF_SIGN);
    struct bytes signature = {0};
    for (int i = 0; i < 100; i++)
        assert_ok(feed(job, view_of(block, sizeof(block))));
    assert_ok(job_finish(job, &signature));
    assert_int_equal(signature.size, 256);
    bytes_free(&signature);
    job_free(job);
}

/* A modulus that is too short for any padding, as a template may bring. */
static void a_tiny_modulus_leaves_no_room(UNUSED void **state)
{
    static const CK_MECHANISM_TYPE types[] = {CKM_RSA_PKCS, CKM_RSA_PKCS_OAEP};
    CK_RSA_PKCS_OAEP_PARAMS oaep = {CKM_SHA512, CKG_MGF1_SHA512, CKZ_DATA_SPECIFIED, NULL, 0};
    uint8_t modulus[8] = {0xff};
    const struct public_key tiny = {.algorithm = KEY_ALGORITHM_RSA,
                                    .modulus = {.data = modulus, .size = sizeof(modulus)}};
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        const CK_MECHANISM given = {types[i], i ? &oaep : NULL, i ? sizeof(oaep) : 0};
        struct job *job = NULL;
        assert_ok(job_new(mechanism_find(types[i]), CKF_ENCRYPT, &given, NULL, &tiny, &job));
        assert_rv(feed(job, view_string("x")), CKR_DATA_LEN_RANGE);
        job_free(job);
    }
}

static CK_RV with_pss(CK_MECHANISM_TYPE type, CK_RSA_PKCS_PSS_PARAMS pss, CK_ULONG size)
{
    struct job *job;
    poison(job);
    CK_RV rv = begin_with(type, CKF_SIGN, size ? &pss : NULL, size, &job);
    if (rv == CKR_OK)
        job_free(job);
    else
        assert_poison(job);
    return rv;
}

static void the_parameter_of_pss_is_checked(UNUSED void **state)
{
    static const struct {
        CK_MECHANISM_TYPE type;
        CK_RSA_PKCS_PSS_PARAMS pss;
        int size;
        CK_RV rv;
    } rows[] = {
        {CKM_RSA_PKCS_PSS, {CKM_SHA256, CKG_MGF1_SHA256, 32}, 0, CKR_OK},
        {CKM_RSA_PKCS_PSS, {CKM_SHA256, CKG_MGF1_SHA1, 0}, 0, CKR_OK},
        {CKM_RSA_PKCS_PSS, {CKM_SHA256, CKG_MGF1_SHA256, 222}, 0, CKR_OK},
        {CKM_RSA_PKCS_PSS, {CKM_SHA256, CKG_MGF1_SHA256, 223}, 0, CKR_MECHANISM_PARAM_INVALID},
        {CKM_RSA_PKCS_PSS, {CKM_SHA256, CKG_MGF1_SHA256, ~0UL}, 0, CKR_MECHANISM_PARAM_INVALID},
        {CKM_RSA_PKCS_PSS, {CKM_SHA256, 0, 32}, 0, CKR_MECHANISM_PARAM_INVALID},
        {CKM_RSA_PKCS_PSS, {CKM_ECDSA, CKG_MGF1_SHA256, 32}, 0, CKR_MECHANISM_PARAM_INVALID},
        {CKM_SHA256_RSA_PKCS_PSS, {CKM_SHA256, CKG_MGF1_SHA256, 32}, 0, CKR_OK},
        {CKM_SHA384_RSA_PKCS_PSS,
         {CKM_SHA256, CKG_MGF1_SHA256, 32},
         0,
         CKR_MECHANISM_PARAM_INVALID},
        {CKM_RSA_PKCS_PSS, {CKM_SHA256, CKG_MGF1_SHA256, 32}, -1, CKR_MECHANISM_PARAM_INVALID},
        {CKM_RSA_PKCS_PSS,
         {0, 0, 0},
         -(int)sizeof(CK_RSA_PKCS_PSS_PARAMS),
         CKR_MECHANISM_PARAM_INVALID},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (with_pss(rows[i].type, rows[i].pss,
                     sizeof(CK_RSA_PKCS_PSS_PARAMS) + (CK_ULONG)rows[i].size) != rows[i].rv)
            fail_msg("row %zu", i);
}

static void the_parameter_of_oaep_is_checked(UNUSED void **state)
{
    static char label[] = "label";
    const struct {
        CK_RSA_PKCS_OAEP_PARAMS oaep;
        CK_RV rv;
    } rows[] = {
        {{CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, NULL, 0}, CKR_OK},
        {{CKM_SHA256, CKG_MGF1_SHA1, 0, NULL, 0}, CKR_OK},
        {{CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, label, 5}, CKR_OK},
        {{CKM_SHA256, CKG_MGF1_SHA256, 0, label, 5}, CKR_MECHANISM_PARAM_INVALID},
        {{CKM_SHA256, CKG_MGF1_SHA256, 2, NULL, 0}, CKR_MECHANISM_PARAM_INVALID},
        {{CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, NULL, 5}, CKR_MECHANISM_PARAM_INVALID},
        {{CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, label, 1 << 20},
         CKR_MECHANISM_PARAM_INVALID},
        {{CKM_MD5, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, NULL, 0}, CKR_MECHANISM_PARAM_INVALID},
        {{CKM_SHA256, 77, CKZ_DATA_SPECIFIED, NULL, 0}, CKR_MECHANISM_PARAM_INVALID},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CK_RSA_PKCS_OAEP_PARAMS oaep = rows[i].oaep;
        struct job *job = NULL;
        if (begin_with(CKM_RSA_PKCS_OAEP, CKF_DECRYPT, &oaep, sizeof(oaep), &job) != rows[i].rv)
            fail_msg("row %zu", i);
        job_free(job);
    }
}

static void a_parameter_where_none_belongs_is_refused(UNUSED void **state)
{
    static const CK_MECHANISM_TYPE types[] = {CKM_RSA_PKCS, CKM_ECDSA, CKM_SHA256_RSA_PKCS,
                                              CKM_RSA_X_509, CKM_SHA256};
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        struct job *job;
        poison(job);
        assert_rv(
            begin_with(types[i], types[i] == CKM_SHA256 ? CKF_DIGEST : CKF_SIGN, &job, 4, &job),
            CKR_MECHANISM_PARAM_INVALID);
        assert_poison(job);
    }
}

static void what_is_encrypted_can_be_decrypted(UNUSED void **state)
{
    static const CK_MECHANISM_TYPE types[] = {CKM_RSA_PKCS, CKM_RSA_PKCS_OAEP, CKM_RSA_X_509};
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        struct bytes cipher = {0}, plain = {0};
        struct job *job = begin(types[i], CKF_ENCRYPT);
        bool exact = false;
        assert_ok(feed(job, view_string("plain text")));
        assert_int_equal(job_output_size(job, 0, true, &exact), 256);
        assert_true(exact);
        assert_ok(job_finish(job, &cipher));
        assert_int_equal(cipher.size, 256);
        job_free(job);
        job = begin(types[i], CKF_DECRYPT);
        assert_int_equal(job_output_size(job, 0, true, &exact), 256);
        assert_int_equal(exact, types[i] == CKM_RSA_X_509);
        assert_ok(feed(job, view_of(cipher.data, 100)));
        assert_rv(job_finish(job, &plain), CKR_ENCRYPTED_DATA_LEN_RANGE);
        assert_null(plain.data);
        assert_ok(feed(job, view_of(cipher.data + 100, 156)));
        assert_ok(job_finish(job, &plain));
        assert_memory_equal(plain.data + plain.size - 10, "plain text", 10);
        assert_int_equal(plain.size, exact ? 256 : 10);
        job_free(job);
        bytes_free(&cipher);
        bytes_free(&plain);
    }
}

static void a_job_begins_anew_for_the_next_message(UNUSED void **state)
{
    static const CK_MECHANISM_TYPE types[] = {CKM_RSA_PKCS, CKM_SHA256_RSA_PKCS, CKM_EDDSA};
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        struct bytes first = {0}, second = {0};
        struct job *job = begin(types[i], CKF_SIGN);
        assert_ok(feed(job, view_string("dropped")));
        assert_ok(job_restart(job));
        assert_ok(feed(job, view_string("text")));
        assert_ok(job_finish(job, &first));
        assert_ok(job_restart(job));
        assert_ok(feed(job, view_string("text")));
        assert_ok(job_finish(job, &second));
        assert_true(view_equal(bytes_view(&first), bytes_view(&second)));
        bytes_free(&first);
        bytes_free(&second);
        job_free(job);
    }
}

static void a_digest_can_be_copied(UNUSED void **state)
{
    struct job *job = begin(CKM_SHA256, CKF_DIGEST), *copy = NULL,
               *signature = begin(CKM_SHA256_RSA_PKCS, CKF_SIGN);
    struct bytes ab = {0}, ac = {0}, expected = {0};
    assert_ok(feed(job, view_string("a")));
    assert_ok(job_copy(job, &copy));
    assert_ok(feed(job, view_string("b")));
    assert_ok(feed(copy, view_string("c")));
    assert_ok(job_finish(job, &ab));
    assert_ok(job_finish(copy, &ac));
    assert_ok(bytes_alloc(&expected, 32));
    assert_ok(mechanism_digest(HASH_SHA256, view_string("ab"), expected.data));
    assert_true(view_equal(bytes_view(&ab), bytes_view(&expected)));
    assert_ok(mechanism_digest(HASH_SHA256, view_string("ac"), expected.data));
    assert_true(view_equal(bytes_view(&ac), bytes_view(&expected)));
    job_free(copy);
    copy = NULL;
    assert_rv(job_copy(job, &copy), CKR_FUNCTION_FAILED); /* it is over */
    assert_rv(job_copy(signature, &copy), CKR_STATE_UNSAVEABLE);
    assert_null(copy);
    job_free(job);
    job_free(signature);
    bytes_free(&ab);
    bytes_free(&ac);
    bytes_free(&expected);
}

static void a_digest_is_as_long_as_its_hash(UNUSED void **state)
{
    static const CK_MECHANISM_TYPE types[] = {CKM_SHA_1,    CKM_SHA224,   CKM_SHA256,
                                              CKM_SHA384,   CKM_SHA512,   CKM_SHA3_224,
                                              CKM_SHA3_256, CKM_SHA3_384, CKM_SHA3_512};
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        enum hash hash = mechanism_hash(types[i]);
        uint8_t expected[HASH_MAX_SIZE];
        struct bytes digest = {0};
        struct job *job = begin(types[i], CKF_DIGEST);
        bool exact = false;
        assert_int_equal(job_output_size(job, 0, true, &exact), hash_size(hash));
        assert_true(exact);
        assert_ok(feed(job, view_string("abc")));
        assert_ok(job_finish(job, &digest));
        assert_ok(mechanism_digest(hash, view_string("abc"), expected));
        assert_true(view_equal(bytes_view(&digest), view_of(expected, hash_size(hash))));
        bytes_free(&digest);
        job_free(job);
    }
    job_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_signature_verifies_and_no_other_does),
        cmocka_unit_test(a_signature_of_another_length_is_no_signature),
        cmocka_unit_test(raw_data_has_a_longest_length),
        cmocka_unit_test(hashed_data_has_none),
        cmocka_unit_test(a_tiny_modulus_leaves_no_room),
        cmocka_unit_test(the_parameter_of_pss_is_checked),
        cmocka_unit_test(the_parameter_of_oaep_is_checked),
        cmocka_unit_test(a_parameter_where_none_belongs_is_refused),
        cmocka_unit_test(what_is_encrypted_can_be_decrypted),
        cmocka_unit_test(a_job_begins_anew_for_the_next_message),
        cmocka_unit_test(a_digest_can_be_copied),
        cmocka_unit_test(a_digest_is_as_long_as_its_hash),
    };
    return cmocka_run_group_tests(tests, begin_group, end_group);
}
