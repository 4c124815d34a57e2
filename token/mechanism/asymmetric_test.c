#include "token/mechanism/asymmetric_test_support.h"

/* Signatures of key pairs: what they are to others, SHA-3, EdDSA, and recovery. */

/* Made here, and checked by a program that knows nothing of this one. */
static void signatures_are_those_that_openssl_knows(UNUSED void **state)
{
    static const struct {
        CK_MECHANISM_TYPE type;
        const char *command;
    } rows[] = {
        {CKM_SHA3_256_RSA_PKCS, "openssl dgst -sha3-256 -verify rsa.pub -signature sig text"},
        {CKM_SHA224_RSA_PKCS, "openssl dgst -sha224 -verify rsa.pub -signature sig text"},
        {CKM_EDDSA, "openssl pkeyutl -verify -pubin -inkey ed.pub -rawin -in text -sigfile sig"},
    };
    run("openssl pkey -in rsa.key -pubout -out rsa.pub && openssl pkey -in ed.key -pubout -out "
        "ed.pub && printf 'some text' >text");
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct bytes signature = {0};
        struct job *job = begin(rows[i].type, CKF_SIGN);
        FILE *file = fopen("sig", "wb");
        assert_ok(feed(job, view_string("some text")));
        assert_ok(job_finish(job, &signature));
        assert_non_null(file);
        assert_int_equal(fwrite(signature.data, 1, signature.size, file), signature.size);
        assert_int_equal(fclose(file), 0);
        run(rows[i].command);
        bytes_free(&signature);
        job_free(job);
    }
}

static CK_RV with_sha3_pss(CK_FLAGS operation, struct bytes *signature)
{
    CK_RSA_PKCS_PSS_PARAMS pss = {CKM_SHA3_384, CKG_MGF1_SHA3_384, 48};
    struct job *job = NULL;
    assert_ok(begin_with(CKM_SHA3_384_RSA_PKCS_PSS, operation, &pss, sizeof(pss), &job));
    assert_ok(feed(job, view_string("text")));
    CK_RV rv =
        operation == CKF_SIGN ? job_finish(job, signature) : job_verify(job, bytes_view(signature));
    job_free(job);
    return rv;
}

static void pss_has_sha3_too(UNUSED void **state)
{
    struct bytes signature = {0};
    assert_ok(with_sha3_pss(CKF_SIGN, &signature));
    assert_ok(with_sha3_pss(CKF_VERIFY, &signature));
    signature.data[7] ^= 1;
    assert_rv(with_sha3_pss(CKF_VERIFY, &signature), CKR_SIGNATURE_INVALID);
    bytes_free(&signature);
}

static void eddsa_is_pure(UNUSED void **state)
{
    CK_BYTE context[] = {1};
    CK_EDDSA_PARAMS rows[] = {{CK_FALSE, 0, NULL}, {CK_TRUE, 0, NULL}, {CK_FALSE, 1, context}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct job *job = NULL;
        assert_rv(begin_with(CKM_EDDSA, CKF_SIGN, &rows[i], sizeof(rows[i]), &job),
                  i ? CKR_MECHANISM_PARAM_INVALID : CKR_OK);
        job_free(job);
    }
    struct job *job = NULL;
    assert_rv(begin_with(CKM_EDDSA, CKF_SIGN, rows, 3, &job), CKR_MECHANISM_PARAM_INVALID);
}

static void a_long_message_is_collected_for_eddsa(UNUSED void **state)
{
    static uint8_t block[100000];
    struct bytes signature = {0};
    struct job *job = begin(CKM_EDDSA, CKF_SIGN);
    for (int i = 0; i < 167; i++)
        assert_ok(feed(job, view_of(block, sizeof(block))));
    assert_rv(feed(job, view_of(block, sizeof(block))), CKR_DATA_LEN_RANGE);
    assert_ok(job_finish(job, &signature));
    job_free(job);
    job = begin(CKM_EDDSA, CKF_VERIFY);
    for (int i = 0; i < 334; i++)
        assert_ok(feed(job, view_of(block, sizeof(block) / 2)));
    assert_ok(job_verify(job, bytes_view(&signature)));
    job_free(job);
    bytes_free(&signature);
}

static CK_RV recover(CK_MECHANISM_TYPE type, struct view signature, struct bytes *ret_data)
{
    struct job *job = begin(type, CKF_VERIFY_RECOVER);
    CK_RV rv = feed(job, signature);
    if (rv == CKR_OK)
        rv = job_finish(job, ret_data);
    job_free(job);
    return rv;
}

static void what_was_signed_can_be_recovered(UNUSED void **state)
{
    static const CK_MECHANISM_TYPE types[] = {CKM_RSA_PKCS, CKM_RSA_X_509};
    static const uint8_t longer[257];
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        struct bytes signature = {0}, data = {0};
        bool exact = false;
        struct job *job = begin(types[i], CKF_SIGN_RECOVER);
        assert_ok(feed(job, view_string("recovered")));
        assert_int_equal(job_output_size(job, 0, true, &exact), 256);
        assert_true(exact);
        assert_ok(job_finish(job, &signature));
        job_free(job);
        assert_ok(recover(types[i], bytes_view(&signature), &data));
        assert_int_equal(data.size, i ? 256 : 9);
        assert_memory_equal(data.data + data.size - 9, "recovered", 9);
        bytes_free(&data);
        assert_rv(recover(types[i], view_of(signature.data, 255), &data), CKR_SIGNATURE_LEN_RANGE);
        assert_rv(recover(types[i], view_of(longer, 257), &data), CKR_SIGNATURE_LEN_RANGE);
        memset(signature.data, 0xff, signature.size);
        assert_rv(recover(types[i], bytes_view(&signature), &data), CKR_SIGNATURE_INVALID);
        bytes_free(&signature);
    }
}

/* Blocks that are no signature of RSA_PKCS: made with the raw operation. */
static void a_wrong_block_recovers_nothing(UNUSED void **state)
{
    static const struct {
        size_t filled;
        uint8_t first, second, fill, separator;
        CK_RV rv;
    } rows[] = {
        {8, 0, 1, 0xff, 0, CKR_OK},
        {253, 0, 1, 0xff, 0, CKR_OK},
        {7, 0, 1, 0xff, 0, CKR_SIGNATURE_INVALID},
        {8, 0, 2, 0xff, 0, CKR_SIGNATURE_INVALID},
        {8, 1, 1, 0xff, 0, CKR_SIGNATURE_INVALID},
        {8, 0, 1, 0xfe, 0, CKR_SIGNATURE_INVALID},
        {8, 0, 1, 0xff, 1, CKR_SIGNATURE_INVALID},
        {254, 0, 1, 0xff, 0, CKR_SIGNATURE_INVALID},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint8_t block[257] = {rows[i].first, rows[i].second};
        struct bytes signature = {0}, data = {0};
        memset(block + 2, rows[i].fill, rows[i].filled);
        block[2 + rows[i].filled] = rows[i].separator;
        struct job *job = begin(CKM_RSA_X_509, CKF_SIGN);
        assert_ok(feed(job, view_of(block, 256)));
        assert_ok(job_finish(job, &signature));
        job_free(job);
        if (recover(CKM_RSA_PKCS, bytes_view(&signature), &data) != rows[i].rv)
            fail_msg("row %zu", i);
        if (rows[i].rv == CKR_OK)
            assert_int_equal(data.size, 256 - 3 - rows[i].filled);
        bytes_free(&data);
        bytes_free(&signature);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signatures_are_those_that_openssl_knows),
        cmocka_unit_test(pss_has_sha3_too),
        cmocka_unit_test(eddsa_is_pure),
        cmocka_unit_test(a_long_message_is_collected_for_eddsa),
        cmocka_unit_test(what_was_signed_can_be_recovered),
        cmocka_unit_test(a_wrong_block_recovers_nothing),
    };
    return cmocka_run_group_tests(tests, begin_group, end_group);
}
