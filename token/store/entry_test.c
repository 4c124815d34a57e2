#include "token/base/test_support.h"

#include "token/store/directory.h"
#include "token/store/entry.h"

#define HEADER "Signet entry 1\n"
#define PEM(letter) "-----BEGIN CERTIFICATE-----\n" letter "\n-----END CERTIFICATE-----\n"

static struct entry parse(const char *text)
{
    struct entry entry;
    struct reason reason = {0};
    poison(entry);
    CK_RV rv = entry_parse(view_string(text), &entry, &reason);
    if (rv != CKR_OK)
        fail_msg("%s: line %u: %s", text, reason.line, reason.text);
    return entry;
}

static void assert_refused(struct view text, unsigned line, const char *part)
{
    struct entry entry;
    struct reason reason = {0};
    poison(entry);
    assert_rv(entry_parse(text, &entry, &reason), CKR_DATA_INVALID);
    assert_poison(entry);
    assert_contains(reason.text, part);
    assert_int_equal(reason.line, line);
}

static void an_entry_is_read_as_its_header_and_groups(UNUSED void **state)
{
    struct entry entry = parse("Signet entry 1\n"
                               "token = 3f0c\n"
                               "\n"
                               "[private key]\n"
                               "label = \"web server\"\n"
                               "id = hex:0a0b\n" PEM("AAAA") "[certificate]\n"
                                                             "label=\"x = y\"  \n");
    assert_int_equal(entry.group_count, 3);
    assert_view(entry.groups[0].kind, "");
    assert_view(entry_value(&entry.groups[0], "token"), "3f0c");
    assert_null(entry_value(&entry.groups[0], "label").data);
    assert_int_equal(entry.groups[0].line, 1);
    assert_view(entry.groups[1].kind, "private key");
    assert_int_equal(entry.groups[1].line, 4);
    assert_int_equal(entry.groups[1].line_count, 2);
    assert_view(entry.groups[1].lines[1].name, "id");
    assert_int_equal(entry.groups[1].lines[1].line, 6);
    assert_view(entry_value(&entry.groups[1], "label"), "\"web server\"");
    assert_view(entry.groups[1].pem, PEM("AAAA"));
    assert_view(entry_value(&entry.groups[2], "label"), "\"x = y\"");
    assert_null(entry.groups[2].pem.data);
    entry_clear(&entry);
    assert_null(entry.groups);
    entry_clear(&entry);
}

static void a_header_alone_is_an_entry(UNUSED void **state)
{
    static const char *const texts[] = {"Signet entry 1", "Signet entry 1\n", "Signet entry 1\r\n",
                                        "Signet entry  1 \t\n", "\xef\xbb\xbfSignet entry 1\n"};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct entry entry = parse(texts[i]);
        assert_int_equal(entry.group_count, 1);
        assert_int_equal(entry.groups[0].line_count, 0);
        entry_clear(&entry);
    }
}

static void comments_blank_lines_and_carriage_returns_do_not_count(UNUSED void **state)
{
    struct entry entry = parse("Signet entry 1\r\n# one\r\n\r\n  ; two = 2\r\n \t \r\n"
                               "  [ data ] \r\n\tlabel \t=\t \"a\tb\" \t\r\nempty =\r\n");
    assert_int_equal(entry.group_count, 2);
    assert_view(entry.groups[1].kind, "data");
    assert_view(entry_value(&entry.groups[1], "label"), "\"a\tb\"");
    assert_view(entry_value(&entry.groups[1], "empty"), "");
    assert_non_null(entry_value(&entry.groups[1], "empty").data);
    entry_clear(&entry);
}

static void comments_are_for_whole_lines(UNUSED void **state)
{
    struct entry entry = parse(HEADER "a = b # c ; d\n");
    assert_view(entry_value(&entry.groups[0], "a"), "b # c ; d");
    entry_clear(&entry);
}

static void pem_blocks_that_follow_each_other_are_one_piece(UNUSED void **state)
{
    static const char blocks[] = PEM("AAAA") "\n# the issuer\n" PEM("BBBB");
    char text[512];
    snprintf(text, sizeof(text), HEADER "[certificate]\n%s# end\nlabel = x\n[data]\n%s", blocks,
             PEM("CCCC"));
    struct entry entry = parse(text);
    assert_view(entry.groups[1].pem, blocks);
    assert_view(entry_value(&entry.groups[1], "label"), "x");
    assert_view(entry.groups[2].pem, PEM("CCCC"));
    entry_clear(&entry);
}

static void pem_belongs_to_the_group_at_hand(UNUSED void **state)
{
    struct entry entry = parse(HEADER PEM("AAAA") "[user]\n"
                                                  "-----BEGIN X-----\nProc-Type: 4,ENCRYPTED\n\n"
                                                  "a = b\n[c]\n-----END X-----");
    assert_view(entry.groups[0].pem, PEM("AAAA"));
    assert_int_equal(entry.group_count, 2);
    assert_int_equal(entry.groups[1].line_count, 0);
    assert_view(entry.groups[1].pem, "-----BEGIN X-----\nProc-Type: 4,ENCRYPTED\n\n"
                                     "a = b\n[c]\n-----END X-----");
    entry_clear(&entry);
}

static void a_later_version_is_told_as_such(UNUSED void **state)
{
    assert_refused(view_string("Signet entry 2\n\x01\x02"), 1,
                   "written by a newer version of Signet (format 2; this one knows 1)");
    assert_refused(view_string("Signet entry 184467440737095516160"), 1, "newer version");
    assert_refused(view_string("Signet entry 10"), 1, "newer version");
}

static void a_first_line_of_another_form_is_no_header(UNUSED void **state)
{
    static const char *const texts[] = {
        "",
        "Signet entry",
        "Signet entry 0\n",
        "Signet entry 01\n",
        "Signet entry one\n",
        "Signet entry 1 x\n",
        "Signet entry -1\n",
        "Signet entry 1.2\n",
        "signet entry 1\n",
        " Signet entry 1\n",
        "\nSignet entry 1\n",
        "-----BEGIN CERTIFICATE-----\n",
    };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        assert_refused(view_string(texts[i]), 1, "the first line has to be 'Signet entry 1'");
}

static void an_entry_is_recognised_by_its_first_words(UNUSED void **state)
{
    static const char *const entries[] = {"Signet entry 1", "Signet entry 7\nx", "Signet entry",
                                          "Signet entry\t", "\xef\xbb\xbfSignet entry 1"};
    static const char *const others[] = {"", "Signet entr", "Signet entry1", "Signet entryx 1",
                                         "-----BEGIN X-----"};
    for (size_t i = 0; i < ARRAY_SIZE(entries); i++)
        assert_true(entry_recognise(view_string(entries[i])));
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        assert_false(entry_recognise(view_string(others[i])));
}

static void malformed_lines_are_told_with_their_number(UNUSED void **state)
{
    static const struct {
        const char *text;
        unsigned line;
        const char *reason;
    } rows[] = {
        {HEADER "a = b\nwords", 3, "'words' is neither"},
        {HEADER "= b", 2, "no name before '='"},
        {HEADER " ----- = b", 2, "no name before '='"},
        {HEADER "[x", 2, "a group begins with"},
        {HEADER "[]", 2, "a group begins with"},
        {HEADER "[ ]", 2, "a group begins with"},
        {HEADER "[x] y", 2, "a group begins with"},
        {HEADER "[x]]", 2, "a group begins with"},
        {HEADER "a = 1\n\na = 2\n", 4, "'a' was given already, at line 2"},
        {HEADER "a = \x01", 2, "control character"},
        {HEADER "a = \x7f", 2, "control character"},
        {HEADER "a = \xc2\x85", 2, "control character"},
        {HEADER "a = b\rc", 2, "control character"},
        {HEADER "a = \xe4", 2, "not UTF-8"},
        {HEADER "# \xe4", 2, "not UTF-8"},
        {HEADER "a = \xc0\xaf", 2, "not UTF-8"},
        {HEADER "a = \xe0\x80\xaf", 2, "not UTF-8"},
        {HEADER "a = \xed\xa0\x80", 2, "not UTF-8"},
        {HEADER "a = \xf4\x90\x80\x80", 2, "not UTF-8"},
        {HEADER "a = \xf8\x88\x80\x80\x80", 2, "not UTF-8"},
        {HEADER "a = \xe2\x82", 2, "not UTF-8"},
        {HEADER "-----BEGIN X----\n", 2, "'-----BEGIN X----' does not begin a PEM block"},
        {HEADER "-----END X-----\n", 2, "does not begin a PEM block"},
        {HEADER " -----BEGIN X-----\n", 2, "is neither"},
        {HEADER "\n-----BEGIN X-----\nAAAA\n", 3, "damaged or truncated"},
        {HEADER "-----BEGIN X-----\nAAAA\n-----END Y-----\n", 2, "damaged or truncated"},
        {HEADER "-----BEGIN X-----\nAAAA\n-----END X----\n", 2, "damaged or truncated"},
        {HEADER "-----BEGIN X-----\nAA\x01\n-----END X-----\n", 2, "damaged or truncated"},
        {HEADER "-----BEGIN X-----\n-----BEGIN X-----\n-----END X-----\n", 2, "damaged"},
        {HEADER PEM("A") "a = b\n" PEM("B"), 6, "have to follow each other"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        assert_refused(view_string(rows[i].text), rows[i].line, rows[i].reason);
    assert_refused(view_of(HEADER "a = \0", sizeof(HEADER "a = \0") - 1), 2, "control character");
}

static void a_reason_shows_no_half_characters(UNUSED void **state)
{
    struct entry entry;
    struct reason reason = {0};
    assert_rv(entry_parse(view_string(HEADER "123456789012345678901234567890123456789\xc3\xa4"),
                          &entry, &reason),
              CKR_DATA_INVALID);
    assert_contains(reason.text, "'123456789012345678901234567890123456789' is");
}

static void characters_of_every_length_are_text(UNUSED void **state)
{
    static const char value[] = "a\xc2\xa0\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xf0\x90\x80"
                                "\x80\xf4\x8f\xbf\xbf";
    char text[128];
    snprintf(text, sizeof(text), HEADER "a = %s\n", value);
    struct entry entry = parse(text);
    assert_view(entry_value(&entry.groups[0], "a"), value);
    entry_clear(&entry);
}

static void groups_and_lines_have_limits(UNUSED void **state)
{
    char text[8192] = HEADER;
    for (int i = 1; i < ENTRY_MAX_GROUPS; i++)
        strcat(text, "[x]\n");
    struct entry entry = parse(text);
    assert_int_equal(entry.group_count, ENTRY_MAX_GROUPS);
    entry_clear(&entry);
    strcat(text, "[x]\n");
    assert_refused(view_string(text), ENTRY_MAX_GROUPS + 1, "more than 63 groups");

    strcpy(text, HEADER "[x]\n");
    for (int i = 0; i < ENTRY_MAX_LINES; i++)
        snprintf(text + strlen(text), 32, "n%d = v\n", i);
    entry = parse(text);
    assert_int_equal(entry.groups[1].line_count, ENTRY_MAX_LINES);
    entry_clear(&entry);
    strcat(text, "more = v\n");
    assert_refused(view_string(text), ENTRY_MAX_LINES + 3, "more than 256 lines");
}

static void a_value_may_be_long(UNUSED void **state)
{
    struct bytes value = {0}, text = {0};
    assert_ok(bytes_alloc(&value, 1024 * 1024));
    memset(value.data, 'x', value.size);
    assert_ok(entry_write_header(&text));
    assert_ok(entry_write_line(&text, "value", bytes_view(&value)));
    struct entry entry = {0};
    assert_ok(entry_parse(bytes_view(&text), &entry, NULL));
    assert_true(view_equal(entry_value(&entry.groups[0], "value"), bytes_view(&value)));
    entry_clear(&entry);
    for (int i = 0; i < 2; i++)
        assert_ok(entry_write_line(&text, "more", bytes_view(&value)));
    assert_rv(entry_write_line(&text, "more", bytes_view(&value)), CKR_DATA_LEN_RANGE);
    bytes_free(&value);
    bytes_free(&text);
}

static void what_is_written_can_be_read(UNUSED void **state)
{
    struct bytes text = {0};
    assert_ok(entry_write_header(&text));
    assert_ok(entry_write_line(&text, "token", view_string("3f0c")));
    assert_ok(entry_write_line(&text, "serial", view_string("")));
    assert_ok(entry_write_group(&text, "private key"));
    assert_ok(entry_write_line(&text, "label", view_string("\"a = [b] # \xc3\xa4\"")));
    assert_ok(entry_write_pem(&text, view_string("-----BEGIN X-----\nAAAA\n-----END X-----")));
    assert_ok(entry_write_pem(&text, view_string(PEM("BBBB"))));
    assert_ok(entry_write_pem(&text, (struct view){0}));
    assert_ok(entry_write_group(&text, "data"));
    assert_view(bytes_view(&text),
                "Signet entry 1\ntoken = 3f0c\nserial =\n\n[private key]\nlabel = \"a = [b] # "
                "\xc3\xa4\"\n-----BEGIN X-----\nAAAA\n-----END X-----\n" PEM("BBBB") "\n[data]\n");
    struct entry entry = {0};
    assert_ok(entry_parse(bytes_view(&text), &entry, NULL));
    assert_int_equal(entry.group_count, 3);
    assert_view(entry_value(&entry.groups[0], "serial"), "");
    assert_view(entry_value(&entry.groups[1], "label"), "\"a = [b] # \xc3\xa4\"");
    assert_view(entry.groups[1].pem, "-----BEGIN X-----\nAAAA\n-----END X-----\n" PEM("BBBB"));
    entry_clear(&entry);
    bytes_free(&text);
}

static void what_could_not_be_read_is_not_written(UNUSED void **state)
{
    static const char *const values[] = {"a\nb", "a\r", " a", "a ", "\t", "\xe4", "a\x01"};
    static const char *const names[] = {"", "a=b", "#a", ";a", "[a", " a", "a ", "-----BEGIN X"};
    static const char *const kinds[] = {"", "a]", " a", "a\n"};
    static const char *const pems[] = {"x",
                                       "\nx = y\n",
                                       "-----BEGIN X-----\n",
                                       "[x]\n",
                                       PEM("A") "a",
                                       "-----BEGIN X-----\n-----END Y-----\n",
                                       " -----BEGIN X-----\n-----END X-----\n"};
    struct bytes text = {0};
    for (size_t i = 0; i < ARRAY_SIZE(values); i++)
        assert_rv(entry_write_line(&text, "a", view_string(values[i])), CKR_DATA_INVALID);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        assert_rv(entry_write_line(&text, names[i], view_string("a")), CKR_DATA_INVALID);
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        assert_rv(entry_write_group(&text, kinds[i]), CKR_DATA_INVALID);
    for (size_t i = 0; i < ARRAY_SIZE(pems); i++)
        assert_rv(entry_write_pem(&text, view_string(pems[i])), CKR_DATA_INVALID);
    assert_int_equal(text.size, 0);
}

static void openssl_reads_the_pem_of_an_entry(UNUSED void **state)
{
    struct bytes content, text = {0};
    run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=test "
        "-keyout key.pem -out certificate.pem");
    assert_ok(entry_write_header(&text));
    assert_ok(entry_write_group(&text, "private key"));
    assert_ok(entry_write_line(&text, "label", view_string("\"test\"")));
    content = read_file("key.pem");
    assert_ok(entry_write_pem(&text, bytes_view(&content)));
    bytes_free(&content);
    assert_ok(entry_write_group(&text, "certificate"));
    assert_ok(entry_write_line(&text, "label", view_string("\"test\"")));
    content = read_file("certificate.pem");
    assert_ok(entry_write_pem(&text, bytes_view(&content)));
    bytes_free(&content);
    assert_ok(bytes_append(&text, view_of("", 1), DIRECTORY_MAX_FILE_SIZE));
    write_file("entry", (const char *)text.data);
    bytes_free(&text);
    run("test \"$(openssl x509 -in entry -noout -pubkey)\" = \"$(openssl pkey -in entry "
        "-pubout)\"");
    run("openssl x509 -in entry -noout -subject | grep -q test");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_is_read_as_its_header_and_groups),
        cmocka_unit_test(a_header_alone_is_an_entry),
        cmocka_unit_test(comments_blank_lines_and_carriage_returns_do_not_count),
        cmocka_unit_test(comments_are_for_whole_lines),
        cmocka_unit_test(pem_blocks_that_follow_each_other_are_one_piece),
        cmocka_unit_test(pem_belongs_to_the_group_at_hand),
        cmocka_unit_test(a_later_version_is_told_as_such),
        cmocka_unit_test(a_first_line_of_another_form_is_no_header),
        cmocka_unit_test(an_entry_is_recognised_by_its_first_words),
        cmocka_unit_test(malformed_lines_are_told_with_their_number),
        cmocka_unit_test(a_reason_shows_no_half_characters),
        cmocka_unit_test(characters_of_every_length_are_text),
        cmocka_unit_test(groups_and_lines_have_limits),
        cmocka_unit_test(a_value_may_be_long),
        cmocka_unit_test(what_is_written_can_be_read),
        cmocka_unit_test(what_could_not_be_read_is_not_written),
        cmocka_unit_test(openssl_reads_the_pem_of_an_entry),
    };
    return in_directory(tests);
}
