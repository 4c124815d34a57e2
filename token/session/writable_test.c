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

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_own_directory(an_absent_directory_is_an_uninitialised_token),
        in_own_directory(a_token_lives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
