#include "emulator/test_support.h"

#include "emulator/error.h"
#include "emulator/swtpm_file.h"

static uint8_t content[] = {1, 2, 3, 4, 5};
static const struct blob state_blob = {content, sizeof(content)};

static void a_state_comes_back_from_its_file(void **state)
{
    static const uint8_t expected[] = {2, 1, 0, 10, 0, 0, 0, 0, 0, 21, 0,
                                       1, 0, 0, 0,  5, 1, 2, 3, 4, 5};
    BLOB_SCOPE struct blob file = {NULL, 0};
    BLOB_SCOPE struct blob back = {NULL, 0};

    (void)state;
    assert_int_equal(swtpm_file_wrap(&state_blob, &file), TSS2_RC_SUCCESS);
    assert_int_equal(file.size, sizeof(expected));
    assert_memory_equal(file.data, expected, sizeof(expected));
    assert_int_equal(swtpm_file_unwrap(&file, &back), TSS2_RC_SUCCESS);
    assert_int_equal(back.size, sizeof(content));
    assert_memory_equal(back.data, content, sizeof(content));
}

static void every_cut_of_a_file_is_refused(void **state)
{
    BLOB_SCOPE struct blob file = {NULL, 0};

    (void)state;
    assert_int_equal(swtpm_file_wrap(&state_blob, &file), TSS2_RC_SUCCESS);
    for (size_t size = 0; size < file.size; size++) {
        struct blob cut = {file.data, size};
        struct blob back = {content, 77};

        error_clear();
        assert_int_equal(swtpm_file_unwrap(&cut, &back), TSS2_TCTI_RC_BAD_VALUE);
        assert_int_not_equal(error_text()[0], 0);
        assert_int_equal(back.size, 77);
    }
}

static void wrong_headers_are_refused_with_a_reason(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
        const char *reason;
    } cases[] = {
        {1, 3, "newer format"}, {3, 11, "newer format"}, {5, 1, "encrypted"}, {9, 22, "length"},
        {11, 2, "plain state"}, {12, 0xff, "length"},    {15, 4, "length"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        BLOB_SCOPE struct blob file = {NULL, 0};
        struct blob back = {NULL, 0};

        assert_int_equal(swtpm_file_wrap(&state_blob, &file), TSS2_RC_SUCCESS);
        file.data[cases[i].at] = cases[i].value;
        assert_int_equal(swtpm_file_unwrap(&file, &back), TSS2_TCTI_RC_BAD_VALUE);
        assert_non_null(strstr(error_text(), cases[i].reason));
        assert_null(back.data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_state_comes_back_from_its_file),
        cmocka_unit_test(every_cut_of_a_file_is_refused),
        cmocka_unit_test(wrong_headers_are_refused_with_a_reason),
    };

    return cmocka_run_group_tests_name("emulator: swtpm's file format", tests, NULL, NULL);
}
