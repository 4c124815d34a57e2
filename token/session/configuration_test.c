#include "token/base/test_support.h"

#include "token/base/log.h"
#include "token/session/configuration.h"

/* Which configuration counts, and what its words mean. */

static int begin(UNUSED void **state)
{
    static const char *const variables[] = {"SIGNET_CONF", "OPENSSL_PKCS11_CONF", "XDG_CONFIG_HOME",
                                            "SIGNET_LOG", "SIGNET_LOG_LEVEL"};
    for (size_t i = 0; i < ARRAY_SIZE(variables); i++)
        unsetenv(variables[i]);
    unlink("log");
    return 0;
}

static int end(UNUSED void **state)
{
    log_close();
    return 0;
}

static struct configuration opened(const char *string)
{
    struct configuration configuration;
    poison(configuration);
    assert_ok(configuration_open(string, &configuration));
    assert_true(configuration.config.section_count >= 1);
    return configuration;
}

/* Which of several files was taken: each names itself. */
static void assert_taken(const char *string, const char *expected)
{
    struct configuration configuration = opened(string);
    const char *name = config_value(&configuration.config.sections[0], "model");
    if (!expected ? name != NULL : !name || strcmp(name, expected) != 0)
        fail_msg("%s and not %s", name ? name : "none", expected ? expected : "none");
    configuration_clear(&configuration);
}

static void place(const char *path, const char *name)
{
    char text[64];
    snprintf(text, sizeof(text), "model = %s\n", name);
    write_file(path, text);
}

static void the_first_place_that_has_one_wins(UNUSED void **state)
{
    run("mkdir -p .config/signet .config/openssl-pkcs11 xdg/signet");
    if (access("/etc/signet/signet.conf", F_OK) != 0)
        assert_taken(NULL, NULL);
    place(".config/openssl-pkcs11/openssl-pkcs11.conf", "export");
    assert_taken(NULL, "export");
    place("xdg/signet/signet.conf", "xdg");
    setenv("XDG_CONFIG_HOME", "xdg", 1);
    assert_taken(NULL, "xdg");
    place("export.conf", "variable of export");
    setenv("OPENSSL_PKCS11_CONF", "export.conf", 1);
    assert_taken(NULL, "variable of export");
    place("own.conf", "variable");
    setenv("SIGNET_CONF", "own.conf", 1);
    assert_taken(NULL, "variable");
    place("string.conf", "string");
    assert_taken("conf=string.conf", "string");
    assert_taken("model=inline", "inline");
    assert_taken("", "variable");
    assert_taken("  \n", "variable");
    run("rm -r .config xdg");
}

static void empty_variables_are_none(UNUSED void **state)
{
    place("export.conf", "export");
    setenv("SIGNET_CONF", "", 1);
    setenv("OPENSSL_PKCS11_CONF", "export.conf", 1);
    assert_taken(NULL, "export");
}

static void a_named_file_that_is_missing_is_told_and_nothing_else_taken(UNUSED void **state)
{
    place("export.conf", "export");
    setenv("SIGNET_CONF", "missing.conf", 1);
    setenv("OPENSSL_PKCS11_CONF", "export.conf", 1);
    struct configuration configuration = opened(NULL);
    assert_null(config_value(&configuration.config.sections[0], "model"));
    assert_int_equal(configuration.config.section_count, 1);
    assert_int_equal(configuration.config.problem_count, 1);
    assert_contains(configuration.config.problems[0].reason.text, "missing.conf: No such file");
    configuration_clear(&configuration);
}

static void a_conf_string_names_a_file_in_any_dress(UNUSED void **state)
{
    static const char *const strings[] = {
        "conf=a file.conf",
        "conf=\"a file.conf\"",
        "conf=a file.conf verbose=yes",
        "conf=\"a file.conf\" verbose=yes",
        "  conf=a file.conf \n",
        "conf=~/a file.conf",
        "conf=%h/a file.conf",
    };
    place("a file.conf", "the file");
    for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
        assert_taken(strings[i], "the file");
}

static void a_string_of_another_module_is_refused(UNUSED void **state)
{
    static const char *const strings[] = {"nonsense", "configdir:sql", "conf", "conf=%x/file"};
    for (size_t i = 0; i < ARRAY_SIZE(strings); i++) {
        struct configuration configuration;
        poison(configuration);
        assert_rv(configuration_open(strings[i], &configuration), CKR_ARGUMENTS_BAD);
        assert_poison(configuration);
    }
}

static void inline_pairs_are_a_section_with_its_globals(UNUSED void **state)
{
    static const char *const strings[] = {
        "private key=/k.pem; tpm=swtpm:port=1; label=\"a; b\"",
        "private key=/k.pem;tpm=swtpm:port=1;label=\"a; b\"",
        "  tpm = swtpm:port=1 ; label = \"a; b\" ; private key = /k.pem ;",
        "tpm=swtpm:port=1; label=\"a; b\"; private key=/k.pem verbose=yes",
    };
    for (size_t i = 0; i < ARRAY_SIZE(strings); i++) {
        struct configuration configuration = opened(strings[i]);
        assert_int_equal(configuration.config.section_count, 2);
        assert_int_equal(configuration.config.problem_count, 0);
        const struct config_section *section = &configuration.config.sections[1];
        assert_string_equal(config_value(section, "private key"), "/k.pem");
        assert_string_equal(config_value(section, "label"), "a; b");
        assert_string_equal(configuration_value(&configuration, section, "tpm"), "swtpm:port=1");
        assert_string_equal(configuration.path, "C_Initialize");
        configuration_clear(&configuration);
    }
}

static void inline_pairs_without_a_key_are_globals_alone(UNUSED void **state)
{
    struct configuration configuration = opened("manufacturer id=Example; tpm=embedded");
    assert_int_equal(configuration.config.section_count, 1);
    assert_string_equal(config_value(&configuration.config.sections[0], "manufacturer id"),
                        "Example");
    configuration_clear(&configuration);
}

static void a_sections_word_comes_before_the_global_one(UNUSED void **state)
{
    write_file("c.conf", "tpm = embedded\nmodel = all\n[a]\ntpm = device\n[b]\n");
    struct configuration configuration = opened("conf=c.conf");
    const struct config_section *sections = configuration.config.sections;
    assert_string_equal(configuration_value(&configuration, &sections[1], "tpm"), "device");
    assert_string_equal(configuration_value(&configuration, &sections[2], "tpm"), "embedded");
    assert_string_equal(configuration_value(&configuration, &sections[1], "model"), "all");
    assert_null(configuration_value(&configuration, &sections[1], "label"));
    configuration_clear(&configuration);
}

static void relative_paths_start_at_the_files_directory(UNUSED void **state)
{
    mkdir("below", 0700);
    write_file("below/c.conf", "");
    struct configuration configuration = opened("conf=below/c.conf");
    assert_true(configuration.directory[0] == '/');
    assert_contains(configuration.directory, "/below");
    configuration_clear(&configuration);
    configuration = opened("model=x");
    assert_true(configuration.directory[0] == '/');
    configuration_clear(&configuration);
}

static void words_that_nobody_knows_or_in_the_wrong_place_are_told(UNUSED void **state)
{
    static const struct {
        const char *text, *reason;
        unsigned line;
    } rows[] = {
        {"colour = red\n", "unknown keyword 'colour'", 1},
        {"[a]\ncolour = red\n", "unknown keyword 'colour'", 2},
        {"\nprivate key = x\n", "'private key' belongs into a [section]", 2},
        {"[a]\nlibrary description = x\n", "'library description' belongs before the first", 2},
        {"[a]\nlog = x\n", "'log' belongs before the first", 2},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        write_file("c.conf", rows[i].text);
        struct configuration configuration = opened("conf=c.conf");
        assert_int_equal(configuration.config.problem_count, 1);
        assert_int_equal(configuration.config.problems[0].line, rows[i].line);
        assert_contains(configuration.config.problems[0].reason.text, rows[i].reason);
        configuration_clear(&configuration);
    }
}

static void words_of_exported_keys_are_all_known(UNUSED void **state)
{
    write_file("c.conf", "manufacturer id = x\nlibrary description = x\ntpm = auto\n"
                         "engine = tpm2\nprovider = tpm2\nmodel = x\n[a]\nmanufacturer id = x\n"
                         "slot description = x\nlabel = x\nid = x\nserial number = x\n"
                         "certificate = x\ncertificate = y\nprivate key = x\npublic key = x\n"
                         "engine = tpm2\nprovider = tpm2\nmodel = x\npin = none\ntpm = auto\n");
    struct configuration configuration = opened("conf=c.conf");
    if (configuration.config.problem_count)
        fail_msg("%s", configuration.config.problems[0].reason.text);
    configuration_clear(&configuration);
}

static void assert_log(const char *part)
{
    struct bytes text = read_file("log");
    assert_contains((const char *)text.data, part);
    bytes_free(&text);
}

static void the_log_tells_file_line_and_column(UNUSED void **state)
{
    write_file("c.conf", "log = log\n\nnonsense\n[a]\n");
    struct configuration configuration = opened("conf=c.conf");
    assert_log("error: c.conf:3:1: neither a [section]");
    configuration_log(&configuration, 4, "a", "is left out");
    assert_log("error: c.conf:4: [a]: is left out\n");
    configuration_clear(&configuration);
}

static void the_log_is_what_environment_or_file_ask_for(UNUSED void **state)
{
    write_file("c.conf", "log = other\nlog level = error\n");
    setenv("SIGNET_LOG", "log", 1);
    setenv("SIGNET_LOG_LEVEL", "debug", 1);
    struct configuration configuration = opened("conf=c.conf");
    assert_true(log_enabled(LOG_LEVEL_DEBUG));
    assert_int_equal(access("log", F_OK), 0);
    assert_int_equal(access("other", F_OK), -1);
    configuration_clear(&configuration);
    unsetenv("SIGNET_LOG");
    unsetenv("SIGNET_LOG_LEVEL");
    configuration = opened("conf=c.conf");
    assert_true(log_enabled(LOG_LEVEL_ERROR));
    assert_false(log_enabled(LOG_LEVEL_WARNING));
    configuration_clear(&configuration);
    write_file("c.conf", "log = log\nlog level = loud\n");
    configuration = opened("conf=c.conf");
    assert_true(log_enabled(LOG_LEVEL_WARNING));
    assert_log("log level 'loud' is none of");
    configuration_clear(&configuration);
}

#define conf_test(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        conf_test(the_first_place_that_has_one_wins),
        conf_test(empty_variables_are_none),
        conf_test(a_named_file_that_is_missing_is_told_and_nothing_else_taken),
        conf_test(a_conf_string_names_a_file_in_any_dress),
        conf_test(a_string_of_another_module_is_refused),
        conf_test(inline_pairs_are_a_section_with_its_globals),
        conf_test(inline_pairs_without_a_key_are_globals_alone),
        conf_test(a_sections_word_comes_before_the_global_one),
        conf_test(relative_paths_start_at_the_files_directory),
        conf_test(words_that_nobody_knows_or_in_the_wrong_place_are_told),
        conf_test(words_of_exported_keys_are_all_known),
        conf_test(the_log_tells_file_line_and_column),
        conf_test(the_log_is_what_environment_or_file_ask_for),
    };
    return in_directory(tests);
}
