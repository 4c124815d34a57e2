#include "token/base/test_support.h"

#include <tss2/tss2_esys.h>
#include <tss2/tss2_tpm2_types.h>

#include "token/base/log.h"
#include "token/tpm/error.h"

#define NONE TPM_REMEDY_NONE
#define PERMITTED_NOT CKR_KEY_FUNCTION_NOT_PERMITTED

static const struct {
    TSS2_RC code;
    CK_RV rv;
    enum tpm_remedy remedy;
} rows[] = {
    {TPM2_RC_AUTH_FAIL, CKR_PIN_INCORRECT, NONE},
    {TPM2_RC_BAD_AUTH, CKR_PIN_INCORRECT, NONE},
    {TPM2_RC_LOCKOUT, CKR_PIN_LOCKED, NONE},
    {TPM2_RC_RETRY, CKR_DEVICE_ERROR, TPM_REMEDY_WAIT},
    {TPM2_RC_YIELDED, CKR_DEVICE_ERROR, TPM_REMEDY_WAIT},
    {TPM2_RC_TESTING, CKR_DEVICE_ERROR, TPM_REMEDY_WAIT},
    {TPM2_RC_NV_RATE, CKR_DEVICE_ERROR, TPM_REMEDY_WAIT},
    {TPM2_RC_OBJECT_MEMORY, CKR_DEVICE_MEMORY, TPM_REMEDY_EVICT},
    {TPM2_RC_OBJECT_HANDLES, CKR_DEVICE_MEMORY, TPM_REMEDY_EVICT},
    {TPM2_RC_MEMORY, CKR_DEVICE_MEMORY, TPM_REMEDY_EVICT},
    {TPM2_RC_SESSION_MEMORY, CKR_DEVICE_MEMORY, NONE},
    {TPM2_RC_SESSION_HANDLES, CKR_DEVICE_MEMORY, NONE},
    {TPM2_RC_NV_SPACE, CKR_DEVICE_MEMORY, NONE},
    {TPM2_RC_NV_DEFINED, CKR_DEVICE_ERROR, NONE},
    {TPM2_RC_NV_AUTHORIZATION, CKR_DEVICE_ERROR, NONE},
    {TPM2_RC_NV_LOCKED, CKR_DEVICE_ERROR, NONE},
    {TPM2_RC_NV_RANGE, CKR_DEVICE_ERROR, NONE},
    {TPM2_RC_NV_SIZE, CKR_DEVICE_ERROR, NONE},
    {TPM2_RC_NV_UNINITIALIZED, CKR_DEVICE_ERROR, NONE},
    {TPM2_RC_POLICY, CKR_DEVICE_ERROR, NONE},
    {TPM2_RC_KEY_SIZE, CKR_KEY_SIZE_RANGE, NONE},
    {TPM2_RC_RANGE, CKR_DATA_INVALID, NONE},
    {TPM2_RC_REFERENCE_H0, CKR_DEVICE_ERROR, TPM_REMEDY_RELOAD},
    {TPM2_RC_HANDLE, CKR_DEVICE_ERROR, TPM_REMEDY_RELOAD},
    {TPM2_RC_INTEGRITY, CKR_DEVICE_ERROR, NONE},
    {TPM2_RC_HIERARCHY, CKR_DEVICE_ERROR, NONE},
    {TPM2_RC_FAILURE, CKR_DEVICE_ERROR, NONE},
    {TPM2_RC_INITIALIZE, CKR_DEVICE_ERROR, NONE},
    {TPM2_RC_CONTEXT_GAP, CKR_DEVICE_ERROR, NONE},
    {TPM2_RC_VALUE, CKR_DATA_INVALID, NONE},
    {TPM2_RC_SIZE, CKR_DATA_LEN_RANGE, NONE},
    {TPM2_RC_ECC_POINT, CKR_MECHANISM_PARAM_INVALID, NONE},
    {TPM2_RC_CURVE, PERMITTED_NOT, NONE},
    {TPM2_RC_SCHEME, PERMITTED_NOT, NONE},
    {TPM2_RC_HASH, PERMITTED_NOT, NONE},
    {TPM2_RC_ATTRIBUTES, PERMITTED_NOT, NONE},
    {TPM2_RC_KEY, PERMITTED_NOT, NONE},
    {TPM2_RC_AUTH_UNAVAILABLE, PERMITTED_NOT, NONE},
    {TPM2_RC_POLICY_FAIL, PERMITTED_NOT, NONE},
    {TPM2_RC_COMMAND_CODE, CKR_FUNCTION_NOT_SUPPORTED, NONE},
    /* without an entry */
    {TPM2_RC_EXCLUSIVE, CKR_DEVICE_ERROR, NONE},
    {TPM2_RC_TAG, CKR_DEVICE_ERROR, NONE},
};

static void assert_code(TSS2_RC code, CK_RV rv, enum tpm_remedy remedy)
{
    if (tpm_error_rv(code) != rv || tpm_error_remedy(code) != remedy)
        fail_msg("0x%x: 0x%lx and remedy %d", code, tpm_error_rv(code), tpm_error_remedy(code));
}

static void a_wanted_authorisation_and_a_lack_are_known_whatever_they_are_about(UNUSED void **state)
{
    assert_true(tpm_error_wants_auth(TPM2_RC_BAD_AUTH | TPM2_RC_S | TPM2_RC_1));
    assert_true(tpm_error_wants_auth(TSS2_RESMGR_TPM_RC_LAYER | TPM2_RC_AUTH_FAIL | TPM2_RC_S));
    assert_false(tpm_error_wants_auth(TPM2_RC_AUTH_UNAVAILABLE));
    assert_false(tpm_error_wants_auth(TSS2_RC_SUCCESS));
    assert_true(tpm_error_lacks(TPM2_RC_CURVE | TPM2_RC_P | TPM2_RC_2));
    assert_true(tpm_error_lacks(TPM2_RC_VALUE | TPM2_RC_P | TPM2_RC_2));
    assert_false(tpm_error_lacks(TPM2_RC_INTEGRITY | TPM2_RC_P | TPM2_RC_1));
    assert_false(tpm_error_lacks(TSS2_ESYS_RC_BAD_VALUE));
    assert_false(tpm_error_lacks(TSS2_RC_SUCCESS));
}

static void each_code_has_its_answer_and_remedy(UNUSED void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        assert_code(rows[i].code, rows[i].rv, rows[i].remedy);
    assert_code(TSS2_RC_SUCCESS, CKR_OK, NONE);
}

/* Part 2, 6.6.3: codes of format one name a handle, a parameter or a session. */
static void the_numbers_that_a_code_names_do_not_matter(UNUSED void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (!(rows[i].code & TPM2_RC_FMT1))
            continue;
        for (TSS2_RC number = TPM2_RC_1; number <= TPM2_RC_7; number += TPM2_RC_1) {
            assert_code(rows[i].code | TPM2_RC_P | number, rows[i].rv, rows[i].remedy);
            assert_code(rows[i].code | TPM2_RC_S | number, rows[i].rv, rows[i].remedy);
            assert_code(rows[i].code | TPM2_RC_H | number, rows[i].rv, rows[i].remedy);
        }
        assert_code(rows[i].code | TPM2_RC_P | 0xf00, rows[i].rv, rows[i].remedy);
    }
}

static void a_missing_handle_is_one_whichever_it_is(UNUSED void **state)
{
    for (TSS2_RC code = TPM2_RC_REFERENCE_H0; code <= TPM2_RC_REFERENCE_H6; code++)
        assert_code(code, CKR_DEVICE_ERROR, TPM_REMEDY_RELOAD);
    for (TSS2_RC code = TPM2_RC_REFERENCE_S0; code <= TPM2_RC_REFERENCE_S6; code++)
        assert_code(code, CKR_DEVICE_ERROR, TPM_REMEDY_RELOAD);
}

static void resource_managers_answer_the_same(UNUSED void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        assert_code(rows[i].code | TSS2_RESMGR_TPM_RC_LAYER, rows[i].rv, rows[i].remedy);
    assert_code((TPM2_RC_AUTH_FAIL | TPM2_RC_S | TPM2_RC_1) | TSS2_RESMGR_TPM_RC_LAYER,
                CKR_PIN_INCORRECT, NONE);
}

static void the_layers_of_the_stack_have_their_own_codes(UNUSED void **state)
{
    static const struct {
        TSS2_RC code;
        CK_RV rv;
        enum tpm_remedy remedy;
    } layers[] = {
        {TSS2_ESYS_RC_MEMORY, CKR_HOST_MEMORY, NONE},
        {TSS2_MU_RC_LAYER | TSS2_BASE_RC_MEMORY, CKR_HOST_MEMORY, NONE},
        {TSS2_SYS_RC_MALFORMED_RESPONSE, CKR_DEVICE_ERROR, NONE},
        {TSS2_ESYS_RC_GENERAL_FAILURE, CKR_DEVICE_ERROR, NONE},
        {TSS2_TCTI_RC_IO_ERROR, CKR_DEVICE_ERROR, TPM_REMEDY_RECONNECT},
        {TSS2_TCTI_RC_NO_CONNECTION, CKR_DEVICE_ERROR, TPM_REMEDY_RECONNECT},
        {TSS2_TCTI_RC_TRY_AGAIN, CKR_DEVICE_ERROR, TPM_REMEDY_RECONNECT},
    };
    for (size_t i = 0; i < ARRAY_SIZE(layers); i++)
        assert_code(layers[i].code, layers[i].rv, layers[i].remedy);
    /* The same low bits as TPM_RC_AUTH_FAIL, but not the TPM's. */
    assert_code(TSS2_ESAPI_RC_LAYER | TPM2_RC_AUTH_FAIL, CKR_DEVICE_ERROR, NONE);
}

static void a_code_is_recognised_with_its_numbers_and_layers(UNUSED void **state)
{
    assert_true(tpm_error_is(TPM2_RC_INTEGRITY | TPM2_RC_P | TPM2_RC_2, TPM2_RC_INTEGRITY));
    assert_true(tpm_error_is(TPM2_RC_LOCKOUT | TSS2_RESMGR_TPM_RC_LAYER, TPM2_RC_LOCKOUT));
    assert_false(tpm_error_is(TPM2_RC_AUTH_FAIL, TPM2_RC_BAD_AUTH));
    assert_false(tpm_error_is(TSS2_ESAPI_RC_LAYER | TPM2_RC_LOCKOUT, TPM2_RC_LOCKOUT));
    assert_false(tpm_error_is(TSS2_RC_SUCCESS, TPM2_RC_INTEGRITY));
    assert_false(tpm_error_is(0xffffffffu, TPM2_RC_LOCKOUT));
}

static void an_error_leaves_one_line_with_command_and_advice(UNUSED void **state)
{
    static const struct {
        TSS2_RC code;
        const char *text;
    } lines[] = {
        {TPM2_RC_AUTH_FAIL | TPM2_RC_S | TPM2_RC_1, "TPM2_Sign: wrong PIN ("},
        {TPM2_RC_INTEGRITY, "TPM2_Sign: the key file belongs to another TPM"},
        {TSS2_TCTI_RC_IO_ERROR, "TPM2_Sign: the TPM does not answer"},
        {TPM2_RC_EXCLUSIVE, "TPM2_Sign: unexpected"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        char code[16];
        unlink("log");
        assert_true(log_open("log", LOG_LEVEL_ERROR));
        assert_rv(tpm_error("TPM2_Sign", lines[i].code), tpm_error_rv(lines[i].code));
        log_close();
        struct bytes text = read_file("log");
        const char *line = (const char *)text.data;
        assert_contains(line, lines[i].text);
        snprintf(code, sizeof(code), "0x%x)\n", lines[i].code);
        assert_contains(line, code);
        assert_ptr_equal(strchr(line, '\n'), line + text.size - 1);
        bytes_free(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_code_has_its_answer_and_remedy),
        cmocka_unit_test(a_wanted_authorisation_and_a_lack_are_known_whatever_they_are_about),
        cmocka_unit_test(the_numbers_that_a_code_names_do_not_matter),
        cmocka_unit_test(a_missing_handle_is_one_whichever_it_is),
        cmocka_unit_test(resource_managers_answer_the_same),
        cmocka_unit_test(the_layers_of_the_stack_have_their_own_codes),
        cmocka_unit_test(a_code_is_recognised_with_its_numbers_and_layers),
        cmocka_unit_test(an_error_leaves_one_line_with_command_and_advice),
    };
    return in_directory(tests);
}
