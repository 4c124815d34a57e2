#include "token/pin/test_support.h"

/* What is asked, and what becomes of the answers. */

static void what_the_user_types_is_the_pin(void **state)
{
    (void)state;
    assert_answer("echo 'D 1234'; echo OK", "1234");
    assert_answer("echo 'D a%25b%0Ac +d'; echo OK", "a%b\nc +d");
    assert_answer("echo 'D 12'; echo 'S SOMETHING'; echo 'D 34'; echo OK", "1234");
    assert_answer("echo OK", "");
}

static void a_pin_of_255_bytes_is_taken_and_one_more_is_not(void **state)
{
    char script[400] = "echo 'D ";
    char digits[256];
    (void)state;
    memset(digits, '7', 255);
    digits[255] = 0;
    strcat(strcat(script, digits), "'; echo OK");
    assert_answer(script, digits);
    assert_failure("echo 'D 8'; printf 'D %0255d\\nOK\\n' 1", CKR_FUNCTION_FAILED, "longer");
    assert_failure("yes 'D 12345678901234567890' | head -2000; echo OK", CKR_FUNCTION_FAILED,
                   "longer than 255");
}

static void the_question_is_asked_in_the_users_words(void **state)
{
    struct pin_question question = plain;
    char got[PIN_MAX_SIZE + 1];
    struct reason reason = {0};
    (void)state;
    question.description = "100 %\nof \"w\xc3\xa4\"\r\nBYE";
    question.retry = "The PIN was wrong.";
    write_pinentry("echo 'D 1'; echo OK");
    setenv("GPG_TTY", "/dev/pts/77", 1);
    setenv("LC_ALL", "de_DE.UTF-8", 1);
    setenv("DISPLAY", ":7\nBYE", 1);
    setenv("TERM", "vt220", 1);
    assert_ok(ask(question, got, &reason));
    unsetenv("LC_ALL");
    unsetenv("DISPLAY");
    unsetenv("GPG_TTY");
    assert_heard("SETTITLE Signet\n");
    assert_heard("SETDESC 100 %25%0Aof \"w\xc3\xa4\"%0D%0ABYE\n");
    assert_heard("SETPROMPT PIN:\n");
    assert_heard("SETERROR The PIN was wrong.\n");
    assert_heard("OPTION ttyname=/dev/pts/77\n");
    assert_heard("OPTION ttytype=vt220\n");
    assert_heard("OPTION lc-ctype=de_DE.UTF-8\n");
    assert_not_heard("display");
    assert_not_heard("SETREPEAT");
}

static void a_long_text_is_cut_between_two_characters(void **state)
{
    struct pin_question question = plain;
    char got[PIN_MAX_SIZE + 1];
    char text[2001];
    struct reason reason = {0};
    (void)state;
    for (size_t i = 0; i < 2000; i += 2)
        memcpy(text + i, "\xc3\xa4", 2);
    text[2000] = 0;
    for (int i = 0; i < 2; i++) {
        question.description = text + 2 * i;
        text[i] = 'a'; /* moves the cut by one byte */
        write_pinentry("echo 'D 1'; echo OK");
        question.description = i ? "b" : text;
        question.title = i ? text : "t";
        assert_ok(ask(question, got, &reason));
        struct bytes heard CLEANUP(bytes_free) = read_file("heard");
        char *line = strstr((char *)heard.data, i ? "SETTITLE" : "SETDESC");
        assert_non_null(line);
        size_t size = strcspn(line, "\n");
        assert_true(size > 900 && size < 1000);
        assert_int_equal((unsigned char)line[size - 1], 0xa4);
    }
}

static void the_user_may_say_no(void **state)
{
    (void)state;
    assert_failure("echo 'ERR 83886179 Operation cancelled <Pinentry>'", CKR_FUNCTION_CANCELED,
                   "cancelled");
    assert_failure("echo 'ERR 83886278 fully cancelled <Pinentry>'", CKR_FUNCTION_CANCELED,
                   "cancelled");
}

static void what_a_program_answers_instead_is_told(void **state)
{
    (void)state;
    assert_failure("echo 'ERR 83886142 Timeout <Pinentry>'", CKR_FUNCTION_FAILED, "answers: ");
    assert_failure("echo rubbish; echo OK", CKR_FUNCTION_FAILED, "answers: ");
}

static void a_program_that_dies_is_noticed(void **state)
{
    (void)state;
    assert_failure("exit 1", CKR_FUNCTION_FAILED, "ended without an answer");
    assert_failure("echo 'D 12'; kill -9 $$", CKR_FUNCTION_FAILED, "ended without an answer");
    char got[PIN_MAX_SIZE + 1];
    struct reason reason = {0};
    write_script("pinentry", "#!/bin/sh\nexit 0\n");
    assert_rv(ask(plain, got, &reason), CKR_FUNCTION_FAILED);
    assert_contains(reason.text, "ended without an answer");
    write_script("pinentry", "#!/bin/sh\necho ERR 1 no terminal\n");
    assert_rv(ask(plain, got, &reason), CKR_FUNCTION_FAILED);
}

static void a_program_that_is_not_there_is_told_by_its_name(void **state)
{
    struct pin_question question = plain;
    char got[PIN_MAX_SIZE + 1];
    struct reason reason = {0};
    (void)state;
    question.program = "/nowhere/pinentry";
    assert_rv(ask(question, got, &reason), CKR_FUNCTION_FAILED);
    assert_contains(reason.text, "/nowhere/pinentry cannot be started: No such file");
    write_file("no-program", "");
    question.program = "./no-program";
    assert_rv(ask(question, got, &reason), CKR_FUNCTION_FAILED);
    assert_contains(reason.text, "./no-program cannot be started: Permission denied");
}

static void without_a_name_the_usual_ones_are_looked_for_in_the_path(void **state)
{
    struct pin_question question = plain;
    char got[PIN_MAX_SIZE + 1];
    char path[256];
    char *old = strdup(getenv("PATH"));
    struct reason reason = {0};
    (void)state;
    write_pinentry("echo 'D from-the-path'; echo OK");
    assert_int_equal(mkdir("bin", 0700), 0);
    assert_int_equal(rename("pinentry", "bin/pinentry-qt"), 0);
    question.program = NULL;
    snprintf(path, sizeof(path), "%s/bin", test_directory);
    setenv("PATH", path, 1);
    CK_RV rv = ask(question, got, &reason);
    snprintf(path, sizeof(path), "%s/empty", test_directory);
    setenv("PATH", path, 1);
    CK_RV none = ask(question, path, &reason);
    setenv("PATH", old, 1);
    free(old);
    assert_ok(rv);
    assert_string_equal(got, "from-the-path");
    assert_rv(none, CKR_FUNCTION_FAILED);
}

/* n counts the questions of one run; REPEATED: the program asks twice itself. */
static void a_new_pin_is_typed_twice(void **state)
{
    struct pin_question question = plain;
    char got[PIN_MAX_SIZE + 1];
    struct reason reason = {0};
    (void)state;
    question.repeat = "Again:";
    write_pinentry("echo 'S PIN_REPEATED'; echo \"D new$n\"; echo OK");
    assert_ok(ask(question, got, &reason));
    assert_string_equal(got, "new1");
    assert_heard("SETREPEAT Again:\n");
    write_pinentry("echo 'D same'; echo OK");
    assert_ok(ask(question, got, &reason));
    assert_string_equal(got, "same");
    assert_heard("SETPROMPT Again:\n");
    write_pinentry("echo \"D pin$((n > 2 ? 3 : n))\"; echo OK");
    assert_ok(ask(question, got, &reason));
    assert_string_equal(got, "pin3");
    assert_heard("SETERROR The two were not the same");
    write_pinentry("echo \"D pin$n\"; echo OK");
    assert_rv(ask(question, got, &reason), CKR_FUNCTION_FAILED);
    assert_contains(reason.text, "differently");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_user_types_is_the_pin),
        cmocka_unit_test(a_pin_of_255_bytes_is_taken_and_one_more_is_not),
        cmocka_unit_test(the_question_is_asked_in_the_users_words),
        cmocka_unit_test(a_long_text_is_cut_between_two_characters),
        cmocka_unit_test(the_user_may_say_no),
        cmocka_unit_test(what_a_program_answers_instead_is_told),
        cmocka_unit_test(a_program_that_dies_is_noticed),
        cmocka_unit_test(a_program_that_is_not_there_is_told_by_its_name),
        cmocka_unit_test(without_a_name_the_usual_ones_are_looked_for_in_the_path),
        cmocka_unit_test(a_new_pin_is_typed_twice),
    };
    return in_directory(tests);
}
