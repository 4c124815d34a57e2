#include "emulator/test_support.h"

#include "emulator/names.h"

static bool has(const char *name, const char *expected)
{
    return name && strcmp(name, expected) == 0;
}

static const char *described(uint32_t code)
{
    static char text[RESPONSE_CODE_TEXT_MAX];

    memset(text, 'x', sizeof(text));
    response_code_describe(code, text, sizeof(text));
    return text;
}

/* Up to and beyond all that part 2 defines. */
#define COMMAND_CODES 0x400u
#define RESPONSE_CODES 0x2000u

static void command_names_and_codes_belong_together(void **state)
{
    char prefixed[96];
    unsigned named = 0;

    (void)state;
    for (uint32_t code = 0; code < COMMAND_CODES; code++) {
        const char *name = command_name(code);
        uint32_t found = ~code;

        if (!name)
            continue;
        named++;
        assert_true(command_from_name(name, &found));
        assert_int_equal(found, code);
        for (size_t i = 0; i < 5; i++) {
            static const char *const prefixes[] = {"TPM2_", "TPM_", "CC_", "TPM2_CC_", "TPM_CC_"};

            (void)snprintf(prefixed, sizeof(prefixed), "%s%s", prefixes[i], name);
            found = ~code;
            assert_true(command_from_name(prefixed, &found));
            assert_int_equal(found, code);
        }
    }
    assert_in_range(named, 110, 130);
    assert_true(has(command_name(TPM2_CC_GetRandom), "GetRandom"));
    assert_true(has(command_name(TPM2_CC_NV_UndefineSpaceSpecial), "NV_UndefineSpaceSpecial"));
    assert_true(has(command_name(TPM2_CC_PolicyNvWritten), "PolicyNvWritten"));
    assert_true(has(command_name(TPM2_CC_Vendor_TCG_Test), "Vendor_TCG_Test"));
    assert_null(command_name(0x11e));
    assert_null(command_name(0x2000017b));
}

static void response_code_names_and_codes_belong_together(void **state)
{
    unsigned named = 0;

    (void)state;
    for (uint32_t code = 0; code < RESPONSE_CODES; code++) {
        const char *name = response_code_name(code);
        bool positioned = code & TPM2_RC_FMT1 && code & 0xf40;
        char prefixed[96];
        uint32_t found = ~code;

        if (!name || positioned)
            continue;
        named++;
        (void)snprintf(prefixed, sizeof(prefixed), "TPM_RC_%s", name);
        assert_true(response_code_from_name(prefixed, &found));
        assert_int_equal(found, code);
        assert_true(response_code_from_name(name, &found));
        assert_true(response_code_from_name(strchr(prefixed, 'R'), &found));
        assert_int_equal(found, code);
    }
    assert_in_range(named, 90, 110);
    assert_true(has(response_code_name(0), "SUCCESS"));
    assert_true(has(response_code_name(TPM2_RC_LOCKOUT), "LOCKOUT"));
    assert_true(has(response_code_name(TPM2_RC_COMMAND_CODE), "COMMAND_CODE"));
    assert_true(has(response_code_name(TPM2_RC_REFERENCE_S6), "REFERENCE_S6"));
    assert_null(response_code_name(0x5ff));
    assert_null(response_code_name(0x17f));
}

static void a_code_says_what_it_is_about(void **state)
{
    (void)state;
    assert_string_equal(described(0x000), "SUCCESS");
    assert_string_equal(described(0x09a), "INSUFFICIENT");
    assert_string_equal(described(0x9a2), "BAD_AUTH session 1");
    assert_string_equal(described(0xf8e), "AUTH_FAIL session 7");
    assert_string_equal(described(0x18b), "HANDLE handle 1");
    assert_string_equal(described(0x78b), "HANDLE handle 7");
    assert_string_equal(described(0x2c4), "VALUE parameter 2");
    assert_string_equal(described(0xfc4), "VALUE parameter 15");
    assert_string_equal(described(0x910), "REFERENCE_H0");
    assert_string_equal(described(0x921), "LOCKOUT");
    assert_string_equal(described(0x1bf), "unknown handle 1");
    assert_string_equal(described(0x5ff), "unknown parameter 5");
    assert_string_equal(described(0x3ff), "unknown parameter 3");
    assert_string_equal(described(0x17f), "unknown");
}

/* What another layer says is not what a TPM with the same low bits says. */
static void codes_of_other_layers_have_no_name(void **state)
{
    (void)state;
    assert_null(response_code_name(0x000a0001));
    assert_null(response_code_name(0x000b09a2));
    assert_null(response_code_name(0xffffffa2));
    assert_string_equal(described(0x000b09a2), "unknown");
}

static void numbers_are_taken_as_they_are(void **state)
{
    static const char *const wrong[] = {"",
                                        " ",
                                        "GetRandom ",
                                        " GetRandom",
                                        "getrandom",
                                        "TPM2_",
                                        "TPM2_CC_",
                                        "TPM2_RC_",
                                        "CC_TPM2_GetRandom",
                                        "0x",
                                        "0x17bz",
                                        "12 ",
                                        "-1",
                                        "+1",
                                        "4294967296",
                                        "0x100000000",
                                        "99999999999999999999999999"};
    uint32_t value = 0;

    (void)state;
    assert_true(command_from_name("0x17b", &value));
    assert_int_equal(value, 0x17b);
    assert_true(command_from_name("0x20001234", &value));
    assert_int_equal(value, 0x20001234);
    assert_true(response_code_from_name("2466", &value));
    assert_int_equal(value, 0x9a2);
    assert_true(response_code_from_name("0xffffffff", &value));
    assert_int_equal(value, UINT32_MAX);
    value = 0xa5a5a5a5;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_false(command_from_name(wrong[i], &value));
        assert_false(response_code_from_name(wrong[i], &value));
    }
    assert_false(command_from_name("RC_SUCCESS", &value));
    assert_false(command_from_name("SUCCESS", &value));
    assert_false(response_code_from_name("GetRandom", &value));
    assert_int_equal(value, 0xa5a5a5a5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(command_names_and_codes_belong_together),
        cmocka_unit_test(response_code_names_and_codes_belong_together),
        cmocka_unit_test(a_code_says_what_it_is_about),
        cmocka_unit_test(codes_of_other_layers_have_no_name),
        cmocka_unit_test(numbers_are_taken_as_they_are),
    };

    return cmocka_run_group_tests_name("emulator: names", tests, NULL, NULL);
}
