/* A token directory on the embedded TPM: its life, its objects, and its files. */
#include "token/session/writable_support.h"

static void an_absent_directory_is_an_uninitialised_token(UNUSED void **state)
{
    struct parts parts = open_directory("");
    assert_int_equal(flags_of(&parts) & (CKF_TOKEN_INITIALIZED | CKF_WRITE_PROTECTED), 0);
    open_session(&parts);
    assert_int_equal(count(&parts, CKO_PRIVATE_KEY), 0);
    assert_rv(login(&parts, CKU_USER, "1234"), CKR_TOKEN_NOT_RECOGNIZED);
    assert_int_equal(access("work", F_OK), -1);
    close_parts(&parts);
}

static void a_token_lives(UNUSED void **state)
{
    struct parts parts = open_directory("");
    CK_OBJECT_HANDLE public_key, private_key;
    initialise(&parts);
    assert_int_equal(flags_of(&parts) & (CKF_TOKEN_INITIALIZED | CKF_USER_PIN_INITIALIZED),
                     CKF_TOKEN_INITIALIZED | CKF_USER_PIN_INITIALIZED);
    assert_ok(login(&parts, CKU_USER, "1234"));
    generate(&parts, &public_key, &private_key);
    assert_ok(sign(&parts, private_key));
    close_parts(&parts);

    parts = open_directory("");
    open_session(&parts);
    assert_int_equal(count(&parts, CKO_PUBLIC_KEY), 1);
    assert_int_equal(count(&parts, CKO_PRIVATE_KEY), 0);
    assert_rv(login(&parts, CKU_USER, "4321"), CKR_PIN_INCORRECT);
    assert_true(flags_of(&parts) & CKF_USER_PIN_COUNT_LOW);
    assert_ok(login(&parts, CKU_USER, "1234"));
    assert_false(flags_of(&parts) & CKF_USER_PIN_COUNT_LOW);
    assert_int_equal(count(&parts, CKO_PRIVATE_KEY), 1);
    assert_ok(sign(&parts, find_class(parts.token, CKO_PRIVATE_KEY)));
    close_parts(&parts);
}

struct said {
    char text[2048];
    unsigned lines;
};

static void hear(void *context, const char *text)
{
    struct said *said = context;
    snprintf(said->text, sizeof(said->text), "%s", text);
    said->lines++;
}

static void assert_said(struct said *said, const char *expected)
{
    assert_int_equal(said->lines, 1);
    assert_contains(said->text, expected);
    *said = (struct said){.lines = 0};
}

static void each_wrong_pin_is_one_line_with_what_is_left(UNUSED void **state)
{
    struct said said = {.lines = 0};
    struct parts parts = open_directory("user tries = 2\nso tries = 1\n");
    initialise(&parts);
    log_listen(hear, &said);
    assert_rv(login(&parts, CKU_USER, "4321"), CKR_PIN_INCORRECT);
    assert_said(&said, "/work: wrong user PIN: 1 of 2 tries are used");
    assert_rv(login(&parts, CKU_USER, "4321"), CKR_PIN_INCORRECT);
    assert_said(&said, "2 of 2 tries are used; it is locked until the SO sets a new one");
    assert_rv(login(&parts, CKU_USER, "1234"), CKR_PIN_LOCKED);
    assert_said(&said, "the user PIN had 2 wrong tries; it is locked until");
    assert_rv(login(&parts, CKU_SO, "4321"), CKR_PIN_INCORRECT);
    assert_said(&said, "wrong SO PIN: 1 of 1 tries are used; it is locked for good");
    log_listen(NULL, NULL);
    close_parts(&parts);
}

static void who_cannot_initialise_again_is_told_the_way_out(UNUSED void **state)
{
    struct said said = {.lines = 0};
    struct parts parts = open_directory("so tries = 1\n");
    initialise(&parts);
    assert_rv(login(&parts, CKU_SO, "4321"), CKR_PIN_INCORRECT);
    close_parts(&parts);

    parts = open_directory("so tries = 1\n");
    log_listen(hear, &said);
    assert_rv(token_initialise(parts.token, view_string("so-pin"), view_of(label, 32)),
              CKR_PIN_LOCKED);
    log_listen(NULL, NULL);
    assert_contains(said.text, "to give up what is in it, remove the file 'token' there");
    assert_int_equal(unlink("work/token"), 0);
    assert_ok(token_initialise(parts.token, view_string("so-pin"), view_of(label, 32)));
    close_parts(&parts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_own_directory(an_absent_directory_is_an_uninitialised_token),
        in_own_directory(a_token_lives),
        cmocka_unit_test_setup_teardown(each_wrong_pin_is_one_line_with_what_is_left,
                                        enter_directory, leave_directory),
        cmocka_unit_test_setup_teardown(who_cannot_initialise_again_is_told_the_way_out,
                                        enter_directory, leave_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
