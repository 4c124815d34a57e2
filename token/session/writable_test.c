/* A token directory on the embedded TPM: its life, its objects, and its files. */
#include "token/base/log.h"
#include "token/session/life.h"
#include "token/session/manage.h"
#include "token/session/objects.h"
#include "token/session/operation.h"
#include "token/session/search.h"
#include "token/session/test_support.h"
#include "token/session/writable.h"

static const char label[33] = "work                            ";

/* A section about the directory "work", and read/write sessions with it. */
static struct parts open_directory(const char *more)
{
    char lines[PATH_MAX + 512];
    CK_SESSION_HANDLE handle;
    snprintf(lines, sizeof(lines), "token directory = work\ntpm = %s,ek=off\n%s", emulator_choice(),
             more);
    struct parts parts = {0};
    char text[sizeof(lines) + 16];
    snprintf(text, sizeof(text), "[section]\n%s\n", lines);
    write_file("c.conf", text);
    assert_ok(module_new("conf=c.conf", &parts.module));
    parts.token = module_token_at(parts.module, 0);
    assert_non_null(parts.token);
    (void)handle;
    return parts;
}

static void open_session(struct parts *parts)
{
    CK_SESSION_HANDLE handle;
    assert_ok(module_open_session(parts->module, parts->token, true, &handle));
    parts->session = module_session(parts->module, handle);
}

static CK_FLAGS flags_of(struct parts *parts)
{
    CK_TOKEN_INFO info;
    token_info(parts->token, &info);
    return info.flags;
}

static CK_RV login(struct parts *parts, CK_USER_TYPE user, const char *pin)
{
    return session_login(parts->session, user, view_string(pin));
}

static void initialise(struct parts *parts)
{
    assert_ok(token_initialise(parts->token, view_string("so-pin"), view_of(label, 32)));
    open_session(parts);
    assert_ok(login(parts, CKU_SO, "so-pin"));
    assert_ok(session_init_pin(parts->session, view_string("1234")));
    assert_ok(token_logout(parts->token));
}

static void generate(struct parts *parts, CK_OBJECT_HANDLE *ret_public,
                     CK_OBJECT_HANDLE *ret_private)
{
    static uint8_t p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
    static CK_BBOOL yes = CK_TRUE;
    static char name[] = "mine";
    static uint8_t id[] = {1, 2};
    CK_ATTRIBUTE public[] = {{CKA_EC_PARAMS, p256, sizeof(p256)},
                             {CKA_TOKEN, &yes, sizeof(yes)},
                             {CKA_VERIFY, &yes, sizeof(yes)},
                             {CKA_ID, id, sizeof(id)}};
    CK_ATTRIBUTE private[] = {{CKA_TOKEN, &yes, sizeof(yes)},
                              {CKA_SIGN, &yes, sizeof(yes)},
                              {CKA_LABEL, name, 4},
                              {CKA_ID, id, sizeof(id)}};
    CK_MECHANISM mechanism = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
    assert_ok(manage_generate_pair(
        parts->session, &mechanism, (struct manage_template){public, ARRAY_SIZE(public)},
        (struct manage_template){private, ARRAY_SIZE(private)}, ret_public, ret_private));
}

static CK_RV sign(struct parts *parts, CK_OBJECT_HANDLE key)
{
    uint8_t digest[32] = {1};
    uint8_t signature[64];
    CK_ULONG size = sizeof(signature);
    CK_MECHANISM mechanism = {CKM_ECDSA, NULL, 0};
    CK_RV rv = operation_begin(parts->session, OPERATION_SIGN, &mechanism, key);
    return rv != CKR_OK ? rv
                        : operation_once(parts->session, OPERATION_SIGN,
                                         view_of(digest, sizeof(digest)), signature, &size);
}

static size_t count(struct parts *parts, CK_OBJECT_CLASS class)
{
    CK_ATTRIBUTE template[] = {{CKA_CLASS, &class, sizeof(class)}};
    CK_OBJECT_HANDLE handles[64];
    CK_ULONG found = 0;
    assert_ok(search_begin(parts->session, template, 1));
    assert_ok(search_next(parts->session, handles, 64, &found));
    search_end(&parts->session->search);
    return found;
}

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
        cmocka_unit_test_setup_teardown(an_absent_directory_is_an_uninitialised_token,
                                        enter_directory, leave_directory),
        cmocka_unit_test_setup_teardown(a_token_lives, enter_directory, leave_directory),
        cmocka_unit_test_setup_teardown(each_wrong_pin_is_one_line_with_what_is_left,
                                        enter_directory, leave_directory),
        cmocka_unit_test_setup_teardown(who_cannot_initialise_again_is_told_the_way_out,
                                        enter_directory, leave_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
