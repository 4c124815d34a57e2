#include "token/session/test_support.h"

#include "token/base/log.h"
#include "token/session/pin_login.h"

/* Where PINs come from, and what becomes of wrong ones. */

static struct pin_source parsed(const char *value)
{
    struct pin_source source;
    struct reason reason = {0};
    poison(source);
    CK_RV rv = pin_source_parse(value, "/etc/signet", &source, &reason);
    if (rv != CKR_OK)
        fail_msg("%s: %s", value, reason.text);
    return source;
}

static void assert_parsed(const char *value, enum pin_source_kind kind, const char *expected)
{
    struct pin_source source = parsed(value);
    assert_int_equal(source.kind, kind);
    if (expected)
        assert_string_equal(source.value, expected);
    else
        assert_null(source.value);
    assert_int_equal(pin_source_is_protected(&source), kind != PIN_SOURCE_APPLICATION);
    pin_source_clear(&source);
}

static void every_kind_of_source_has_its_word(void **state)
{
    char home[128];
    (void)state;
    assert_parsed("application", PIN_SOURCE_APPLICATION, NULL);
    assert_parsed("file:/run/pin", PIN_SOURCE_FILE, "/run/pin");
    assert_parsed("file:pin", PIN_SOURCE_FILE, "/etc/signet/pin");
    assert_parsed("file:a:b", PIN_SOURCE_FILE, "/etc/signet/a:b");
    assert_parsed("credential:web.pin", PIN_SOURCE_CREDENTIAL, "web.pin");
    assert_parsed("keyring:signet:web", PIN_SOURCE_KEYRING, "signet:web");
    assert_parsed("pinentry", PIN_SOURCE_PINENTRY, NULL);
    assert_parsed("pinentry:pinentry-qt", PIN_SOURCE_PINENTRY, "pinentry-qt");
    assert_parsed("pinentry:bin/ask", PIN_SOURCE_PINENTRY, "/etc/signet/bin/ask");
    snprintf(home, sizeof(home), "%s/ask", getenv("HOME"));
    assert_parsed("pinentry:~/ask", PIN_SOURCE_PINENTRY, home);
}

static void what_is_no_source_is_refused_and_never_shown(void **state)
{
    static const char *const values[] = {
        "",          "1234",         "File:/run/pin", "file",
        "file:",     "credential",   "credential:",   "keyring",
        "keyring:",  "application:", "application:x", "pinentry:",
        "pin entry", "applications", ":1234",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        struct pin_source source;
        struct reason reason = {0};
        poison(source);
        assert_rv(pin_source_parse(values[i], "/", &source, &reason), CKR_DATA_INVALID);
        assert_poison(source);
        assert_contains(reason.text, "none of application");
        assert_null(strstr(reason.text, "1234"));
    }
}

static void a_credential_is_a_name_and_no_path(void **state)
{
    static const char *const values[] = {"credential:../pin", "credential:..", "credential:/pin"};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        struct pin_source source;
        struct reason reason = {0};
        poison(source);
        assert_rv(pin_source_parse(values[i], "/", &source, &reason), CKR_DATA_INVALID);
        assert_poison(source);
        assert_contains(reason.text, "no name of a credential");
    }
}

static CK_RV got(const char *value, struct secret **ret_pin, struct reason *reason)
{
    struct pin_source source = parsed(value);
    const struct pin_request request = {.source = &source, .user = CKU_USER, .label = "t"};
    CK_RV rv = pin_source_get(&request, ret_pin, reason);
    pin_source_clear(&source);
    return rv;
}

static void assert_got(const char *value, const char *expected)
{
    struct secret *pin CLEANUP(secret_cleanup) = NULL;
    struct reason reason = {0};
    CK_RV rv = got(value, &pin, &reason);
    if (rv != CKR_OK)
        fail_msg("%s: %s", value, reason.text);
    assert_non_null(pin);
    assert_view(secret_view(pin), expected);
}

static void assert_none(const char *value, const char *why)
{
    struct secret *pin = NULL;
    struct reason reason = {0};
    assert_rv(got(value, &pin, &reason), CKR_FUNCTION_FAILED);
    assert_null(pin);
    assert_contains(reason.text, why);
}

static const char *here(const char *prefix, const char *name)
{
    static char value[256];
    snprintf(value, sizeof(value), "%s%s/%s", prefix, test_directory, name);
    return value;
}

static void put(const char *path, const char *content)
{
    write_file(path, content);
    assert_int_equal(chmod(path, 0600), 0);
}

static void a_file_is_the_pin_without_its_last_newline(void **state)
{
    (void)state;
    put("pin", "1234\n");
    assert_got(here("file:", "pin"), "1234");
    put("pin", "1234");
    assert_got(here("file:", "pin"), "1234");
    put("pin", " 12\n34 \n\n");
    assert_got(here("file:", "pin"), " 12\n34 \n");
    put("pin", "");
    assert_got(here("file:", "pin"), "");
    put("pin", "\n");
    assert_got(here("file:", "pin"), "");
}

static void a_file_of_more_than_255_bytes_is_refused(void **state)
{
    char text[300];
    (void)state;
    memset(text, 'p', sizeof(text));
    strcpy(text + 255, "\n");
    put("pin", text);
    text[255] = 0;
    assert_got(here("file:", "pin"), text);
    strcpy(text + 255, "p");
    put("pin", text);
    assert_none(here("file:", "pin"), "at most 255");
    strcpy(text + 255, "pp\n");
    put("pin", text);
    assert_none(here("file:", "pin"), "larger than 256");
}

static void a_file_that_everybody_may_read_is_refused(void **state)
{
    (void)state;
    put("pin", "1234\n");
    assert_int_equal(chmod("pin", 0644), 0);
    assert_none(here("file:", "pin"), "everybody may read it (mode 644)");
    assert_none(here("file:", "missing"), "missing: No such file");
}

static void a_credential_is_found_where_systemd_puts_it(void **state)
{
    (void)state;
    unsetenv("CREDENTIALS_DIRECTORY");
    assert_none("credential:web", "LoadCredentialEncrypted=web");
    run("mkdir -p credentials");
    put("credentials/web", "secret pin\n");
    setenv("CREDENTIALS_DIRECTORY", here("", "credentials"), 1);
    assert_got("credential:web", "secret pin");
    assert_none("credential:mail", "credentials/mail: No such file");
    unsetenv("CREDENTIALS_DIRECTORY");
}

static void a_key_that_the_kernel_has_not_is_told(void **state)
{
    (void)state;
    assert_none("keyring:signet-no-such-key", "signet-no-such-key");
}

static const char *const asking = "#!/bin/sh\necho OK\nwhile read -r line; do echo \"$line\" "
                                  ">>heard\ncase $line in GETPIN) echo 'D 1234' ;; esac; echo OK\n"
                                  "done\n";

static struct bytes asked(struct pin_request request)
{
    struct pin_source source = parsed(here("pinentry:", "ask"));
    struct secret *pin CLEANUP(secret_cleanup) = NULL;
    struct reason reason = {0};
    (void)remove("heard");
    write_file("ask", asking);
    assert_int_equal(chmod("ask", 0700), 0);
    request.source = &source;
    assert_ok(pin_source_get(&request, &pin, &reason));
    assert_view(secret_view(pin), "1234");
    pin_source_clear(&source);
    return read_file("heard");
}

static void pinentry_asks_in_words_that_name_program_and_token(void **state)
{
    static const struct {
        struct pin_request request;
        const char *said;
        const char *also;
    } cases[] = {
        {{.user = CKU_USER, .label = "web"},
         "SETDESC pin_source_test asks for the PIN of the token%0A\"web\".\n",
         "SETPROMPT PIN:\nGETPIN"},
        {{.user = CKU_USER, .label = "web", .flags = CKF_USER_PIN_COUNT_LOW},
         "SETERROR The last PIN was wrong.\n",
         "asks for the PIN"},
        {{.user = CKU_USER, .label = "web", .flags = CKF_USER_PIN_FINAL_TRY},
         "SETERROR The last PIN was wrong. This is the last try.\n",
         "asks for the PIN"},
        {{.user = CKU_SO, .label = "web", .flags = CKF_USER_PIN_COUNT_LOW},
         "asks for the security officer's PIN (SO PIN) of",
         "SETPROMPT PIN:\nGETPIN"},
        {{.user = CKU_SO, .label = "web", .flags = CKF_SO_PIN_COUNT_LOW},
         "SETERROR The last PIN was wrong.\n",
         "asks for the sec"},
        {{.user = CKU_USER, .use = PIN_TO_REPLACE, .label = "web"},
         "changes the PIN, and asks for the present PIN",
         "SETPROMPT PIN:\nGETPIN"},
        {{.user = CKU_USER, .use = PIN_TO_SET, .label = "web", .flags = CKF_USER_PIN_COUNT_LOW},
         "asks for a new PIN of the token",
         "SETREPEAT Again:\n"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct bytes heard CLEANUP(bytes_free) = asked(cases[i].request);
        assert_contains((const char *)heard.data, cases[i].said);
        assert_contains((const char *)heard.data, cases[i].also);
        if (cases[i].request.use == PIN_TO_SET)
            assert_null(strstr((const char *)heard.data, "SETERROR"));
    }
}

static void the_last_try_is_left_to_a_person(void **state)
{
    struct pin_source source = parsed(here("file:", "pin"));
    struct secret *pin CLEANUP(secret_cleanup) = NULL;
    struct reason reason = {0};
    struct pin_request request = {.source = &source, .flags = CKF_USER_PIN_FINAL_TRY};
    (void)state;
    put("pin", "1234");
    request.user = CKU_USER;
    assert_rv(pin_source_get(&request, &pin, &reason), CKR_FUNCTION_FAILED);
    assert_contains(reason.text, "one try is left");
    /* A PIN that is set is no try; the SO has tries of his own. */
    request.use = PIN_TO_SET;
    assert_ok(pin_source_get(&request, &pin, &reason));
    secret_cleanup(&pin);
    request.use = PIN_TO_LOG_IN;
    request.user = CKU_SO;
    assert_ok(pin_source_get(&request, &pin, &reason));
    pin_source_clear(&source);
}

static void the_application_is_not_asked_from_here(void **state)
{
    struct secret *pin = NULL;
    struct reason reason = {0};
    (void)state;
    assert_rv(got("application", &pin, &reason), CKR_ARGUMENTS_BAD);
}

static void a_wrong_pin_is_known_until_another_one_comes(void **state)
{
    struct pin_source source = parsed("file:/run/pin");
    struct pin_source pinentry = parsed("pinentry");
    (void)state;
    assert_false(pin_source_knows_wrong(&source, view_string("1")));
    assert_false(pin_source_knows_wrong(&source, view_string("")));
    pin_source_was_wrong(&source, view_string("1"));
    assert_true(pin_source_knows_wrong(&source, view_string("1")));
    assert_false(pin_source_knows_wrong(&source, view_string("2")));
    pin_source_was_wrong(&source, view_string(""));
    assert_true(pin_source_knows_wrong(&source, view_string("")));
    pin_source_forget(&source);
    assert_false(pin_source_knows_wrong(&source, view_string("")));
    pin_source_was_wrong(&pinentry, view_string("1"));
    assert_false(pin_source_knows_wrong(&pinentry, view_string("1")));
    pin_source_clear(&source);
    pin_source_clear(&pinentry);
}

/* The whole way: a configuration, a token, its login. */

static CK_RV log_in(struct session *session)
{
    struct token *token = session->token;
    struct secret *pin CLEANUP(secret_cleanup) = NULL;
    struct pin_request request;
    CK_RV rv = session_check_login(session, CKU_USER);
    if (rv == CKR_OK)
        rv = pin_login_request(token, CKU_USER, &request);
    if (rv == CKR_OK)
        rv = pin_login_ask(&request, &pin);
    return rv == CKR_OK ? pin_login(session, CKU_USER, secret_view(pin)) : rv;
}

static CK_FLAGS flags_of(struct token *token)
{
    CK_TOKEN_INFO info;
    token_info(token, &info);
    return info.flags;
}

static void a_token_with_a_source_needs_nobody_to_type(void **state)
{
    struct parts parts = open_parts("private key = ec.enc\ncertificate = ec.crt\n"
                                    "pin source = file:pin\n");
    (void)state;
    put("pin", "1234\n");
    assert_true(flags_of(parts.token) & CKF_PROTECTED_AUTHENTICATION_PATH);
    assert_ok(log_in(parts.session));
    assert_true(parts.token->login == TOKEN_USER);
    assert_rv(log_in(parts.session), CKR_USER_ALREADY_LOGGED_IN);
    close_parts(&parts);
}

static void a_token_without_one_wants_the_application_to_ask(void **state)
{
    static const char *const lines[] = {
        "private key = ec.enc\ncertificate = ec.crt\n",
        "private key = ec.enc\ncertificate = ec.crt\npin source = application\n",
        "private key = ec.key\npin source = file:pin\n", /* and this one has no PIN */
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        struct parts parts = open_parts(lines[i]);
        assert_false(flags_of(parts.token) & CKF_PROTECTED_AUTHENTICATION_PATH);
        assert_rv(log_in(parts.session), CKR_ARGUMENTS_BAD);
        close_parts(&parts);
    }
}

static void a_wrong_pin_in_a_file_is_tried_once(void **state)
{
    struct parts parts = open_parts("private key = ec.enc\ncertificate = ec.crt\n"
                                    "pin source = file:pin\n");
    (void)state;
    put("pin", "wrong\n");
    assert_rv(log_in(parts.session), CKR_PIN_INCORRECT);
    assert_true(flags_of(parts.token) & CKF_USER_PIN_COUNT_LOW);
    /* Had the token been asked again, the flag would be back. */
    parts.token->pin_flags = 0;
    assert_rv(log_in(parts.session), CKR_PIN_INCORRECT);
    assert_false(flags_of(parts.token) & CKF_USER_PIN_COUNT_LOW);
    put("pin", "wrong again\n");
    assert_rv(log_in(parts.session), CKR_PIN_INCORRECT);
    assert_true(flags_of(parts.token) & CKF_USER_PIN_COUNT_LOW);
    /* A user who types is not in its way, and it is still wrong after him. */
    assert_ok(token_login(parts.token, CKU_USER, view_string("1234")));
    assert_ok(token_logout(parts.token));
    assert_rv(log_in(parts.session), CKR_PIN_INCORRECT);
    assert_false(flags_of(parts.token) & CKF_USER_PIN_COUNT_LOW);
    put("pin", "1234");
    assert_ok(log_in(parts.session));
    close_parts(&parts);
}

static void a_source_that_is_misspelt_takes_its_slot_out(void **state)
{
    struct module *module = NULL;
    (void)state;
    (void)remove("log");
    write_file("c.conf", "log = log\n[a]\nprivate key = ec.enc\ncertificate = ec.crt\n"
                         "pin source = 8642\n[b]\nprivate key = ec.key\n");
    assert_ok(module_new("conf=c.conf", &module));
    assert_null(module_token(module, 0));
    assert_non_null(module_token(module, 1));
    module_free(module);
    struct bytes log CLEANUP(bytes_free) = read_file("log");
    assert_contains((const char *)log.data, "c.conf:5: [a]: 'pin source': the source of the PIN "
                                            "is none of application");
    assert_null(strstr((const char *)log.data, "8642"));
}

static void a_source_for_all_sections_stands_before_the_first(void **state)
{
    struct module *module = NULL;
    (void)state;
    (void)remove("log");
    write_file("c.conf",
               "log = log\npin source = file:pin\nso pin source = pinentry\n[a]\nprivate key = "
               "ec.enc\ncertificate = ec.crt\n[b]\nprivate key = ec.enc\ncertificate = ec.crt\n"
               "pin source = application\n");
    assert_ok(module_new("conf=c.conf", &module));
    assert_true(flags_of(module_token(module, 0)) & CKF_PROTECTED_AUTHENTICATION_PATH);
    assert_false(flags_of(module_token(module, 1)) & CKF_PROTECTED_AUTHENTICATION_PATH);
    module_free(module);
    struct bytes log CLEANUP(bytes_free) = read_file("log");
    assert_int_equal(log.size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_source_has_its_word),
        cmocka_unit_test(what_is_no_source_is_refused_and_never_shown),
        cmocka_unit_test(a_credential_is_a_name_and_no_path),
        cmocka_unit_test(a_file_is_the_pin_without_its_last_newline),
        cmocka_unit_test(a_file_of_more_than_255_bytes_is_refused),
        cmocka_unit_test(a_file_that_everybody_may_read_is_refused),
        cmocka_unit_test(a_credential_is_found_where_systemd_puts_it),
        cmocka_unit_test(a_key_that_the_kernel_has_not_is_told),
        cmocka_unit_test(pinentry_asks_in_words_that_name_program_and_token),
        cmocka_unit_test(the_last_try_is_left_to_a_person),
        cmocka_unit_test(the_application_is_not_asked_from_here),
        cmocka_unit_test(a_wrong_pin_is_known_until_another_one_comes),
        cmocka_unit_test(a_token_with_a_source_needs_nobody_to_type),
        cmocka_unit_test(a_token_without_one_wants_the_application_to_ask),
        cmocka_unit_test(a_wrong_pin_in_a_file_is_tried_once),
        cmocka_unit_test(a_source_that_is_misspelt_takes_its_slot_out),
        cmocka_unit_test(a_source_for_all_sections_stands_before_the_first),
    };
    return cmocka_run_group_tests(tests, make_keys, leave_directory);
}
