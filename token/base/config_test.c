#include "token/base/test_support.h"

#include "token/base/config.h"

static struct config parse_bytes(const void *text, size_t size)
{
    struct config config;
    poison(config);
    assert_ok(config_parse(view_of(text, size), &config));
    assert_true(config.section_count >= 1);
    assert_string_equal(config.sections[0].name, "global");
    return config;
}

static struct config parse(const char *text)
{
    return parse_bytes(text, strlen(text));
}

/* The value of `key` in the last section of a text without problems. */
static void assert_value(const char *text, const char *key, const char *expected)
{
    struct config config = parse(text);
    if (config.problem_count)
        fail_msg("\"%s\": %s", text, config.problems[0].reason.text);
    const char *value = config_value(&config.sections[config.section_count - 1], key);
    if (!value || strcmp(value, expected) != 0)
        fail_msg("\"%s\": '%s' and not '%s'", text, value ? value : "(none)", expected);
    config_clear(&config);
}

static void values_are_read_as_a_person_means_them(UNUSED void **state)
{
    static const struct {
        const char *text;
        const char *value;
    } rows[] = {
        {"key=value", "value"},
        {"key = value\n", "value"},
        {"\t key\t=\tvalue \t\n", "value"},
        {"key = value\r\n", "value"},
        {"key =", ""},
        {"key = \r\n", ""},
        {"key = two words", "two words"},
        {"key = a=b=c", "a=b=c"},
        {"key = value ; comment", "value"},
        {"key = value\t; comment", "value"},
        {"key = ; comment", ""},
        {"key = value # no comment", "value # no comment"},
        {"key = pkcs11:token=a;object=b;type=cert", "pkcs11:token=a;object=b;type=cert"},
        {"key = pkcs11:token=a;object=b ; comment", "pkcs11:token=a;object=b"},
        {"key = \"value\"", "value"},
        {"key = \"  value  \"", "  value  "},
        {"key = \"a ; b\"", "a ; b"},
        {"key = \"a ; b\" ; comment", "a ; b"},
        {"key = \"a\";comment", "a"},
        {"key = \"\"", ""},
        {"key = a \"quoted\" word", "a \"quoted\" word"},
        {"key = [no section]", "[no section]"},
        {"\xef\xbb\xbfkey = value", "value"},
        {"key = first\nkey = last", "last"},
        {"# comment\n; comment\n  # comment\n\n \t\nkey = value\n# end", "value"},
        {"[global]\nkey = value", "value"},
        {"[a]\nother = x\n[global]\nkey = value\n[a b]\nkey = mine", "mine"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        assert_value(rows[i].text, "key", rows[i].value);
}

static void keys_are_words_in_any_case_with_any_blanks(UNUSED void **state)
{
    static const char *const texts[] = {"private key = x", "Private Key = x", "PRIVATE  KEY=x",
                                        "\tprivate \t key\t= x"};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        assert_value(texts[i], "private key", "x");
}

static void sections_come_in_order_with_their_lines(UNUSED void **state)
{
    struct config config =
        parse("manufacturer id = Example\n\n[one]\na = 1\na = 2\n[ two ] ; comment\n"
              "[three]# comment\nb = 3\n[global]\ntpm = auto\n");
    static const struct {
        const char *name;
        unsigned line;
        size_t entries;
    } rows[] = {{"global", 0, 2}, {"one", 3, 2}, {"two", 6, 0}, {"three", 7, 1}};
    assert_int_equal(config.section_count, ARRAY_SIZE(rows));
    assert_int_equal(config.problem_count, 0);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_string_equal(config.sections[i].name, rows[i].name);
        assert_int_equal(config.sections[i].line, rows[i].line);
        assert_int_equal(config.sections[i].entry_count, rows[i].entries);
        assert_false(config.sections[i].broken);
    }
    assert_string_equal(config_value(&config.sections[0], "tpm"), "auto");
    assert_int_equal(config.sections[1].entries[1].line, 5);
    assert_string_equal(config_value(&config.sections[1], "a"), "2");
    assert_null(config_value(&config.sections[1], "b"));
    config_clear(&config);
}

static void each_problem_is_told_with_line_and_column(UNUSED void **state)
{
    static const struct {
        const char *text;
        unsigned line, column;
        const char *reason;
    } rows[] = {
        {"a = 1\nnonsense\n", 2, 1, "neither"},
        {"= value", 1, 1, "no key"},
        {"a = 1\n\nkey = \"open", 3, 7, "quoted"},
        {"  key = \"open", 1, 9, "quoted"},
        {"key = \"a\" b", 1, 7, "quoted"},
        {"[open\n", 1, 1, "']'"},
        {"[]\n", 1, 1, "no name"},
        {"[  ]\n", 1, 1, "no name"},
        {"[a] b\n", 1, 1, "unexpected text"},
        {"[a]\n\n[a]\n", 3, 1, "line 1"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct config config = parse(rows[i].text);
        assert_int_equal(config.problem_count, 1);
        assert_contains(config.problems[0].reason.text, rows[i].reason);
        if (config.problems[0].line != rows[i].line || config.problems[0].column != rows[i].column)
            fail_msg("\"%s\": at %u:%u and not at %u:%u", rows[i].text, config.problems[0].line,
                     config.problems[0].column, rows[i].line, rows[i].column);
        config_clear(&config);
    }
}

static void a_bad_line_breaks_its_own_section_alone(UNUSED void **state)
{
    struct config config = parse("[one]\na = 1\n[two]\nnonsense\nb = 2\n[three\nc = 3\n[four]\n");
    static const bool broken[] = {false, false, true, true, false};
    assert_int_equal(config.section_count, ARRAY_SIZE(broken));
    for (size_t i = 0; i < ARRAY_SIZE(broken); i++)
        assert_int_equal(config.sections[i].broken, broken[i]);
    assert_string_equal(config_value(&config.sections[2], "b"), "2");
    config_clear(&config);
}

static void a_section_named_again_is_left_out_and_the_first_stays(UNUSED void **state)
{
    struct config config = parse("[a]\nkey = first\n[a]\nkey = second\n[b]\nkey = third\n");
    assert_int_equal(config.section_count, 4);
    assert_false(config.sections[1].broken);
    assert_string_equal(config_value(&config.sections[1], "key"), "first");
    assert_true(config.sections[2].broken);
    assert_false(config.sections[3].broken);
    config_clear(&config);
}

static void a_nul_byte_is_a_problem_of_its_line(UNUSED void **state)
{
    static const char text[] = "[a]\nkey = one\nother = t\0wo\n[b]\nkey = three\n";
    struct config config = parse_bytes(text, sizeof(text) - 1);
    assert_int_equal(config.problem_count, 1);
    assert_int_equal(config.problems[0].line, 3);
    assert_int_equal(config.problems[0].column, 10);
    assert_true(config.sections[1].broken);
    assert_null(config_value(&config.sections[1], "other"));
    assert_string_equal(config_value(&config.sections[2], "key"), "three");
    config_clear(&config);
}

static void a_line_has_a_longest_length(UNUSED void **state)
{
    char text[CONFIG_MAX_LINE + 16];
    memset(text, 'x', sizeof(text));
    memcpy(text, "key = ", 6);
    text[CONFIG_MAX_LINE] = '\n';
    struct config config = parse_bytes(text, CONFIG_MAX_LINE + 1);
    assert_int_equal(config.problem_count, 0);
    assert_int_equal(strlen(config_value(&config.sections[0], "key")), CONFIG_MAX_LINE - 6);
    config_clear(&config);
    text[CONFIG_MAX_LINE] = 'x';
    config = parse_bytes(text, CONFIG_MAX_LINE + 1);
    assert_int_equal(config.problem_count, 1);
    assert_int_equal(config.problems[0].line, 1);
    assert_contains(config.problems[0].reason.text, "longer");
    assert_null(config_value(&config.sections[0], "key"));
    assert_true(config.sections[0].broken);
    config_clear(&config);
}

static void a_file_has_a_largest_size(UNUSED void **state)
{
    struct bytes text = {0};
    assert_ok(bytes_alloc(&text, CONFIG_MAX_SIZE + 1));
    memset(text.data, '\n', text.size);
    memcpy(text.data, "[a]\nkey = x\n", 12);
    struct config config = parse_bytes(text.data, CONFIG_MAX_SIZE);
    assert_int_equal(config.problem_count, 0);
    assert_int_equal(config.section_count, 2);
    config_clear(&config);
    config = parse_bytes(text.data, CONFIG_MAX_SIZE + 1);
    assert_int_equal(config.problem_count, 1);
    assert_int_equal(config.problems[0].line, 0);
    assert_int_equal(config.problems[0].column, 0);
    assert_contains(config.problems[0].reason.text, "1 MiB");
    assert_int_equal(config.section_count, 1);
    config_clear(&config);
    bytes_free(&text);
}

/* `count` sections named 0, 1, … with one key each. */
static struct bytes many_sections(unsigned count)
{
    struct bytes text = {0};
    assert_ok(bytes_alloc(&text, (size_t)count * 32));
    size_t used = 0;
    for (unsigned i = 0; i < count; i++)
        used += (size_t)snprintf((char *)text.data + used, 32, "[%u]\nkey = %u\n", i, i);
    text.size = used;
    return text;
}

static void there_is_a_limit_to_sections(UNUSED void **state)
{
    struct bytes text = many_sections(CONFIG_MAX_SECTIONS);
    struct config config = parse_bytes(text.data, text.size);
    assert_int_equal(config.problem_count, 0);
    assert_int_equal(config.section_count, 1 + CONFIG_MAX_SECTIONS);
    config_clear(&config);
    bytes_free(&text);
}

static void sections_beyond_the_limit_take_no_other_down(UNUSED void **state)
{
    struct bytes text = many_sections(CONFIG_MAX_SECTIONS + 3);
    struct config config = parse_bytes(text.data, text.size);
    assert_true(config.problem_count >= 1);
    assert_contains(config.problems[0].reason.text, "sections");
    assert_int_equal(config.problems[0].line, 2 * CONFIG_MAX_SECTIONS + 1);
    unsigned good = 0;
    for (size_t i = 1; i < config.section_count; i++)
        good += !config.sections[i].broken;
    assert_int_equal(good, CONFIG_MAX_SECTIONS);
    const struct config_section *last = &config.sections[CONFIG_MAX_SECTIONS];
    assert_string_equal(config_value(last, "key"), last->name);
    config_clear(&config);
    bytes_free(&text);
}

/* Each header is compared with all before it. */
static void broken_headers_count_as_sections(UNUSED void **state)
{
    struct bytes text = {0};
    struct config config = {0};
    assert_ok(bytes_alloc(&text, 200000));
    for (size_t i = 0; i < text.size; i += 2)
        memcpy(text.data + i, "[\n", 2);
    assert_ok(config_parse(bytes_view(&text), &config));
    assert_true(config.section_count <= CONFIG_MAX_SECTIONS + 2);
    config_clear(&config);
    bytes_free(&text);
}

static void a_file_of_garbage_has_a_bounded_list_of_problems(UNUSED void **state)
{
    struct bytes text = {0};
    assert_ok(bytes_alloc(&text, 100000));
    for (size_t i = 0; i < text.size; i++)
        text.data[i] = i % 3 == 2 ? '\n' : 'x';
    struct config config = parse_bytes(text.data, text.size);
    assert_in_range(config.problem_count, 1, 1000);
    config_clear(&config);
    bytes_free(&text);
}

static void no_text_is_an_empty_configuration(UNUSED void **state)
{
    static const char *const texts[] = {"", "\n", "\xef\xbb\xbf", "\r\n\r\n", "# only this"};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct config config = parse(texts[i]);
        assert_int_equal(config.section_count, 1);
        assert_int_equal(config.problem_count, 0);
        config_clear(&config);
        config_clear(&config);
    }
}

static void whoever_reads_the_meaning_may_add_problems(UNUSED void **state)
{
    struct config config = parse("a = 1\n");
    config_problem_add(&config, 1, 5, "'%s' is %d", "a\n", 1);
    assert_int_equal(config.problem_count, 1);
    assert_string_equal(config.problems[0].reason.text, "'a?' is 1");
    assert_int_equal(config.problems[0].line, 1);
    assert_int_equal(config.problems[0].column, 5);
    config_clear(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_read_as_a_person_means_them),
        cmocka_unit_test(keys_are_words_in_any_case_with_any_blanks),
        cmocka_unit_test(sections_come_in_order_with_their_lines),
        cmocka_unit_test(each_problem_is_told_with_line_and_column),
        cmocka_unit_test(a_bad_line_breaks_its_own_section_alone),
        cmocka_unit_test(a_section_named_again_is_left_out_and_the_first_stays),
        cmocka_unit_test(a_nul_byte_is_a_problem_of_its_line),
        cmocka_unit_test(a_line_has_a_longest_length),
        cmocka_unit_test(a_file_has_a_largest_size),
        cmocka_unit_test(there_is_a_limit_to_sections),
        cmocka_unit_test(sections_beyond_the_limit_take_no_other_down),
        cmocka_unit_test(broken_headers_count_as_sections),
        cmocka_unit_test(a_file_of_garbage_has_a_bounded_list_of_problems),
        cmocka_unit_test(no_text_is_an_empty_configuration),
        cmocka_unit_test(whoever_reads_the_meaning_may_add_problems),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
