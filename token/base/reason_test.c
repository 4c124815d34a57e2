#include "token/base/test_support.h"

static void a_reason_is_what_was_printed(UNUSED void **state)
{
    struct reason reason;
    poison(reason);
    reason_set(&reason, "%s: %d", "key.pem", 7);
    assert_string_equal(reason.text, "key.pem: 7");
    reason_set(&reason, "%s", "");
    assert_string_equal(reason.text, "");
}

static void control_characters_become_question_marks(UNUSED void **state)
{
    struct reason reason;
    reason_set(&reason, "%s", "a\nb\tc\x1b[1m\x7f\x01 d\r");
    assert_string_equal(reason.text, "a?b?c?[1m?? d?");
}

static void text_beyond_ascii_stays(UNUSED void **state)
{
    struct reason reason;
    reason_set(&reason, "%s", "Schl\xc3\xbcssel \xe2\x82\xac");
    assert_string_equal(reason.text, "Schl\xc3\xbcssel \xe2\x82\xac");
}

static void a_long_reason_is_cut(UNUSED void **state)
{
    char text[2 * REASON_MAX_SIZE];
    struct {
        struct reason reason;
        uint8_t behind[16];
    } guarded;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    poison(guarded);
    reason_set(&guarded.reason, "%s", text);
    assert_int_equal(strlen(guarded.reason.text), REASON_MAX_SIZE - 1);
    assert_poison(guarded.behind);
}

static void nobody_has_to_ask_for_the_reason(UNUSED void **state)
{
    reason_set(NULL, "%s", "nobody asked");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reason_is_what_was_printed),
        cmocka_unit_test(control_characters_become_question_marks),
        cmocka_unit_test(text_beyond_ascii_stays),
        cmocka_unit_test(a_long_reason_is_cut),
        cmocka_unit_test(nobody_has_to_ask_for_the_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
