#include "token/session/objects.h"
#include "token/session/search.h"
#include "token/session/test_support.h"

/* Token information, login, searching, and sessions. */

static void fields_are_filled_with_blanks(UNUSED void **state)
{
    static const struct {
        const char *text;
        size_t room;
        const char *field;
    } rows[] = {
        {"", 4, "    "},
        {"ab", 4, "ab  "},
        {"abcd", 4, "abcd"},
        {"abcde", 4, "abcd"},
        {"abc\xc3\xbc", 5, "abc\xc3\xbc"},
        {"abc\xc3\xbc", 4, "abc "},
        {"ab\xe2\x82\xac", 4, "ab  "},
        {"ab\xe2\x82\xac", 3, "ab "},
        {"\xf0\x9f\x94\x91", 3, "   "},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        unsigned char field[16];
        poison(field);
        token_fill_field(field, rows[i].room, view_string(rows[i].text));
        assert_memory_equal(field, rows[i].field, rows[i].room);
        assert_true(all_poison(field + rows[i].room, sizeof(field) - rows[i].room));
    }
}

/* Each name is one byte shorter than its field, then comes one of two bytes. */
static void names_too_long_are_never_cut_inside_a_character(UNUSED void **state)
{
    static const char umlaut[] = "\xc3\xbc\xc3\xbc";
    static const char x[] = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    char lines[512];
    snprintf(lines, sizeof(lines),
             "private key = ec.key\nmanufacturer id = %.31s%s\nmodel = %.15s%s\n"
             "serial number = %.15s%s\nlabel = %.31s%s\nslot description = %.63s%s",
             x, umlaut, x, umlaut, x, umlaut, x, umlaut, x, umlaut);
    struct parts parts = open_parts(lines);
    CK_TOKEN_INFO info;
    CK_SLOT_INFO slot;
    token_info(parts.token, &info);
    token_slot_info(parts.token, &slot);
    assert_int_equal(info.manufacturerID[31], ' ');
    assert_int_equal(info.model[15], ' ');
    assert_int_equal(info.serialNumber[15], ' ');
    assert_int_equal(info.label[31], ' ');
    assert_int_equal(slot.slotDescription[63], ' ');
    assert_int_equal(slot.manufacturerID[31], ' ');
    close_parts(&parts);
}

static void token_info_says_what_the_token_is(UNUSED void **state)
{
    struct parts parts = open_parts("private key = ec.enc\ncertificate = ec.crt\nlabel = L");
    CK_TOKEN_INFO info;
    CK_SLOT_INFO slot;
    poison(info);
    poison(slot);
    token_info(parts.token, &info);
    token_slot_info(parts.token, &slot);
    assert_memory_equal(info.label, "L                               ", 32);
    assert_memory_equal(info.model, "software key    ", 16);
    assert_memory_equal(info.utcTime, "                ", 16);
    assert_int_equal(info.flags, CKF_TOKEN_INITIALIZED | CKF_WRITE_PROTECTED | CKF_RNG |
                                     CKF_LOGIN_REQUIRED | CKF_USER_PIN_INITIALIZED |
                                     CKF_DUAL_CRYPTO_OPERATIONS);
    assert_int_equal(info.ulSessionCount, 1);
    assert_int_equal(info.ulRwSessionCount, 0);
    assert_int_equal(info.ulMaxPinLen, TOKEN_MAX_PIN_SIZE);
    assert_int_equal(info.hardwareVersion.major, 0);
    assert_int_equal(slot.flags, CKF_TOKEN_PRESENT);
    close_parts(&parts);
    parts = open_parts("private key = ec.key");
    token_info(parts.token, &info);
    assert_int_equal(info.flags, CKF_TOKEN_INITIALIZED | CKF_WRITE_PROTECTED | CKF_RNG |
                                     CKF_DUAL_CRYPTO_OPERATIONS);
    close_parts(&parts);
}

static void models_name_the_tpm_honestly(UNUSED void **state)
{
    static const struct {
        const char *tpm, *model;
        bool chip;
    } rows[] = {{"device:/dev/tpmrm0", "TPM 2.0         ", true},
                {"swtpm:port=1", "swtpm           ", false},
                {"embedded", "embedded TPM    ", false},
                {"mssim", "TPM 2.0 (TCTI)  ", false}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char lines[256];
        CK_TOKEN_INFO info;
        CK_SLOT_INFO slot;
        snprintf(lines, sizeof(lines),
                 "private key = handle:0x81000042\ncertificate = ec.crt\ntpm = %s", rows[i].tpm);
        struct parts parts = open_parts(lines);
        token_info(parts.token, &info);
        token_slot_info(parts.token, &slot);
        assert_memory_equal(info.model, rows[i].model, 16);
        assert_int_equal(info.hardwareVersion.major, 2);
        assert_int_equal(slot.flags, CKF_TOKEN_PRESENT | (rows[i].chip ? CKF_HW_SLOT : 0));
        close_parts(&parts);
    }
}

static CK_RV login(struct parts *parts, const char *pin)
{
    return token_login(parts->token, CKU_USER, view_string(pin));
}

static CK_FLAGS pin_flags(const struct parts *parts)
{
    CK_TOKEN_INFO info;
    token_info(parts->token, &info);
    return info.flags & (CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY | CKF_USER_PIN_LOCKED);
}

static void login_and_logout_change_what_can_be_seen(UNUSED void **state)
{
    struct parts parts = open_parts("private key = ec.enc\ncertificate = ec.crt");
    CK_OBJECT_HANDLE key = find_class(parts.token, CKO_PRIVATE_KEY);
    assert_true(token_object_is_hidden(parts.token, key));
    assert_null(token_object(parts.token, key));
    assert_int_equal(session_state(parts.session), CKS_RO_PUBLIC_SESSION);
    assert_rv(token_logout(parts.token), CKR_USER_NOT_LOGGED_IN);
    assert_rv(login(&parts, "wrong"), CKR_PIN_INCORRECT);
    assert_int_equal(pin_flags(&parts), CKF_USER_PIN_COUNT_LOW);
    assert_int_equal(session_state(parts.session), CKS_RO_PUBLIC_SESSION);
    assert_ok(login(&parts, "1234"));
    assert_int_equal(pin_flags(&parts), 0);
    assert_int_equal(session_state(parts.session), CKS_RO_USER_FUNCTIONS);
    assert_non_null(token_object(parts.token, key));
    assert_false(token_object_is_hidden(parts.token, key));
    assert_rv(login(&parts, "1234"), CKR_USER_ALREADY_LOGGED_IN);
    assert_ok(token_logout(parts.token));
    assert_null(token_object(parts.token, key));
    close_parts(&parts);
}

static void only_the_user_can_log_in(UNUSED void **state)
{
    struct parts parts = open_parts("private key = ec.enc");
    uint8_t long_pin[TOKEN_MAX_PIN_SIZE + 1] = {0};
    struct view pin = view_string("1234");
    assert_rv(session_login(parts.session, CKU_SO, pin), CKR_USER_TYPE_INVALID);
    assert_rv(session_login(parts.session, 77, pin), CKR_USER_TYPE_INVALID);
    assert_rv(session_login(parts.session, CKU_CONTEXT_SPECIFIC, pin),
              CKR_OPERATION_NOT_INITIALIZED);
    assert_rv(token_login(parts.token, CKU_USER, view_of(long_pin, sizeof(long_pin))),
              CKR_PIN_LEN_RANGE);
    assert_false(parts.token->login == TOKEN_USER);
    close_parts(&parts);
}

static void a_token_without_pin_takes_any(UNUSED void **state)
{
    struct parts parts = open_parts("private key = ec.key");
    assert_non_null(token_object(parts.token, find_class(parts.token, CKO_PRIVATE_KEY)));
    assert_ok(login(&parts, "whatever"));
    assert_int_equal(session_state(parts.session), CKS_RO_USER_FUNCTIONS);
    assert_ok(token_logout(parts.token));
    close_parts(&parts);
}

static void what_a_file_hides_appears_with_the_login(UNUSED void **state)
{
    struct parts parts = open_parts("private key = ec.p12");
    assert_int_equal(find_class(parts.token, CKO_PRIVATE_KEY), CK_INVALID_HANDLE);
    assert_int_equal(find_class(parts.token, CKO_CERTIFICATE), CK_INVALID_HANDLE);
    assert_ok(login(&parts, "1234"));
    assert_int_not_equal(find_class(parts.token, CKO_PRIVATE_KEY), CK_INVALID_HANDLE);
    assert_int_not_equal(find_class(parts.token, CKO_PUBLIC_KEY), CK_INVALID_HANDLE);
    assert_int_not_equal(find_class(parts.token, CKO_CERTIFICATE), CK_INVALID_HANDLE);
    size_t count = parts.token->object_count;
    assert_ok(token_logout(parts.token));
    assert_ok(login(&parts, "1234"));
    assert_int_equal(parts.token->object_count, count);
    close_parts(&parts);
}

static void a_search_gives_its_results_in_turn(UNUSED void **state)
{
    struct parts parts = open_parts("private key = ec.key\ncertificate = ec.crt");
    CK_OBJECT_HANDLE handles[8];
    CK_ULONG found, all = parts.token->object_count;
    assert_rv(search_next(parts.session, handles, 1, &found), CKR_OPERATION_NOT_INITIALIZED);
    assert_ok(search_begin(parts.session, NULL, 0));
    assert_rv(search_begin(parts.session, NULL, 0), CKR_OPERATION_ACTIVE);
    poison(handles);
    assert_ok(search_next(parts.session, handles, 0, &found));
    assert_int_equal(found, 0);
    assert_poison(handles);
    assert_ok(search_next(parts.session, handles, all - 1, &found));
    assert_int_equal(found, all - 1);
    assert_true(all_poison(&handles[found], sizeof(handles[0])));
    assert_ok(search_next(parts.session, handles, 8, &found));
    assert_int_equal(found, 1);
    assert_ok(search_next(parts.session, handles, 8, &found));
    assert_int_equal(found, 0);
    search_end(&parts.session->search);
    search_end(&parts.session->search);
    assert_rv(search_next(parts.session, handles, 1, &found), CKR_OPERATION_NOT_INITIALIZED);
    close_parts(&parts);
}

static CK_ULONG count_found(struct parts *parts, CK_OBJECT_CLASS class)
{
    CK_ATTRIBUTE template = {CKA_CLASS, &class, sizeof(class)};
    CK_OBJECT_HANDLE handles[8];
    CK_ULONG found = 77;
    assert_ok(search_begin(parts->session, &template, 1));
    assert_ok(search_next(parts->session, handles, 8, &found));
    search_end(&parts->session->search);
    return found;
}

static void a_search_finds_what_may_be_seen(UNUSED void **state)
{
    struct parts parts = open_parts("private key = ec.enc\ncertificate = ec.crt");
    CK_ATTRIBUTE nowhere = {CKA_LABEL, NULL, 4};
    assert_rv(search_begin(parts.session, &nowhere, 1), CKR_ATTRIBUTE_VALUE_INVALID);
    assert_int_equal(count_found(&parts, CKO_PRIVATE_KEY), 0);
    assert_int_equal(count_found(&parts, CKO_CERTIFICATE), 1);
    assert_int_equal(count_found(&parts, CKO_DATA), 0);
    assert_ok(login(&parts, "1234"));
    assert_int_equal(count_found(&parts, CKO_PRIVATE_KEY), 1);
    close_parts(&parts);
}

static void a_handle_of_a_closed_session_is_never_good_again(UNUSED void **state)
{
    struct parts parts = open_parts("private key = ec.key");
    CK_SESSION_HANDLE first, second, rw;
    assert_ok(module_open_session(parts.module, parts.token, false, &first));
    struct session *session = module_session(parts.module, first);
    module_remove_session(parts.module, session);
    session_free(session);
    assert_null(module_session(parts.module, first));
    assert_ok(module_open_session(parts.module, parts.token, false, &second));
    assert_int_not_equal(first, second);
    assert_null(module_session(parts.module, first));
    assert_null(module_session(parts.module, 0));
    assert_null(module_session(parts.module, ~0UL));
    assert_null(module_session(parts.module, second + 1));
    assert_ok(module_open_session(parts.module, parts.token, true, &rw));
    assert_int_equal(session_state(module_session(parts.module, rw)), CKS_RW_PUBLIC_SESSION);
    assert_int_equal(parts.token->session_count, 3);
    assert_int_equal(parts.token->rw_session_count, 1);
    close_parts(&parts);
}

static void the_last_session_logs_out(UNUSED void **state)
{
    struct parts parts = open_parts("private key = ec.enc\ncertificate = ec.crt");
    assert_ok(login(&parts, "1234"));
    module_remove_session(parts.module, parts.session);
    session_free(parts.session);
    assert_false(parts.token->login == TOKEN_USER);
    assert_int_equal(module_session_of(parts.module, parts.token), CK_INVALID_HANDLE);
    close_parts(&parts);
}

static void session_objects_end_with_their_session(UNUSED void **state)
{
    struct parts parts = open_parts("private key = ec.key");
    CK_OBJECT_CLASS class = CKO_DATA;
    CK_ATTRIBUTE template = {CKA_CLASS, &class, sizeof(class)};
    CK_SESSION_HANDLE other = 0;
    CK_OBJECT_HANDLE object = 0;
    size_t before = parts.token->object_count;
    assert_ok(module_open_session(parts.module, parts.token, false, &other));
    struct session *session = module_session(parts.module, other);
    assert_ok(objects_create(session, &template, 1, &object));
    assert_non_null(token_object(parts.token, object));
    module_remove_session(parts.module, session);
    session_free(session);
    assert_null(token_object(parts.token, object));
    assert_int_equal(parts.token->object_count, before);
    close_parts(&parts);
}

static void a_tokens_own_objects_stay_as_they_are(UNUSED void **state)
{
    struct parts parts = open_parts("private key = ec.key\ncertificate = ec.crt");
    CK_OBJECT_HANDLE certificate = find_class(parts.token, CKO_CERTIFICATE), copy = 0;
    char label[] = "new";
    CK_ATTRIBUTE change = {CKA_LABEL, label, 3};
    assert_rv(objects_change(parts.session, certificate, &change, 1), CKR_TOKEN_WRITE_PROTECTED);
    assert_rv(objects_destroy(parts.session, certificate), CKR_TOKEN_WRITE_PROTECTED);
    assert_rv(objects_destroy(parts.session, 987654), CKR_OBJECT_HANDLE_INVALID);
    CK_BBOOL no = CK_FALSE;
    CK_ATTRIBUTE to_session = {CKA_TOKEN, &no, sizeof(no)};
    assert_rv(objects_copy(parts.session, certificate, NULL, 0, &copy), CKR_TOKEN_WRITE_PROTECTED);
    assert_ok(objects_copy(parts.session, certificate, &to_session, 1, &copy));
    assert_ok(objects_change(parts.session, copy, &change, 1));
    assert_view(attributes_value(&token_object(parts.token, copy)->attributes, CKA_LABEL), "new");
    assert_ok(objects_destroy(parts.session, copy));
    assert_null(token_object(parts.token, copy));
    close_parts(&parts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_filled_with_blanks),
        cmocka_unit_test(names_too_long_are_never_cut_inside_a_character),
        cmocka_unit_test(token_info_says_what_the_token_is),
        cmocka_unit_test(models_name_the_tpm_honestly),
        cmocka_unit_test(login_and_logout_change_what_can_be_seen),
        cmocka_unit_test(only_the_user_can_log_in),
        cmocka_unit_test(a_token_without_pin_takes_any),
        cmocka_unit_test(what_a_file_hides_appears_with_the_login),
        cmocka_unit_test(a_search_gives_its_results_in_turn),
        cmocka_unit_test(a_search_finds_what_may_be_seen),
        cmocka_unit_test(a_handle_of_a_closed_session_is_never_good_again),
        cmocka_unit_test(the_last_session_logs_out),
        cmocka_unit_test(session_objects_end_with_their_session),
        cmocka_unit_test(a_tokens_own_objects_stay_as_they_are),
    };
    return cmocka_run_group_tests(tests, make_keys, leave_directory);
}
