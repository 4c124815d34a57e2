#include "token/base/test_support.h"

#include "token/session/session.h"

/* From a configuration to its tokens: names, objects, and what is left out. */

static const char make_files[] =
    "set -e\n"
    "gen() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out \"$1\"; }\n"
    "gen a.key; gen b.key\n"
    "openssl req -new -x509 -key a.key -subj /CN=A -days 30 -out a.crt\n"
    "openssl pkey -in b.key -pubout -out b.pub\n"
    "openssl pkcs8 -topk8 -in b.key -passout pass:1234 -out b.enc\n";

static int begin_group(void **state)
{
    if (enter_directory(state) != 0)
        return -1;
    run(make_files);
    return 0;
}

static struct module *open_module(const char *text)
{
    struct module *module = NULL;
    unlink("log");
    write_file("c.conf", "log = log\nlog level = error\n");
    FILE *file = fopen("c.conf", "a");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_ok(module_new("conf=c.conf", &module));
    return module;
}

static void assert_log(const char *part)
{
    struct bytes text = read_file("log");
    assert_contains((const char *)text.data, part);
    bytes_free(&text);
}

static void a_section_names_what_it_is(UNUSED void **state)
{
    struct module *module = open_module("manufacturer id = All\n[first]\nprivate key = a.key\n"
                                        "[second]\nprivate key = b.key\nlabel = My label\n"
                                        "id = my id\nserial number = 0042\nmodel = M\n"
                                        "slot description = A slot\nmanufacturer id = Mine\n");
    struct token *first = module_token(module, 0), *second = module_token(module, 1);
    assert_view(bytes_view(&first->label), "first");
    assert_view(bytes_view(&first->id), "first");
    assert_string_equal(first->description, "first");
    assert_string_equal(first->manufacturer, "All");
    assert_string_equal(first->model, "software key");
    assert_int_equal(strlen(first->serial), 16);
    assert_int_equal(strspn(first->serial, "0123456789abcdef"), 16);
    assert_view(bytes_view(&second->label), "My label");
    assert_view(bytes_view(&second->id), "my id");
    assert_string_equal(second->description, "A slot");
    assert_string_equal(second->manufacturer, "Mine");
    assert_string_equal(second->model, "M");
    assert_string_equal(second->serial, "0042");
    assert_null(module_token(module, 2));
    assert_ptr_equal(module_token_at(module, 1), second);
    assert_null(module_token_at(module, 2));
    module_free(module);
}

static void an_id_may_be_hex(UNUSED void **state)
{
    static const struct {
        const char *id, *bytes;
        size_t size;
    } rows[] = {{"hex:00ff10", "\0\xff\x10", 3},
                {"hex:AbCd", "\xab\xcd", 2},
                {"0a0b", "0a0b", 4},
                {"Hex:00", "Hex:00", 6}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char text[128];
        snprintf(text, sizeof(text), "[a]\nprivate key = a.key\nid = %s\n", rows[i].id);
        struct module *module = open_module(text);
        struct token *token = module_token_at(module, 0);
        assert_non_null(token);
        assert_true(view_equal(bytes_view(&token->id), view_of(rows[i].bytes, rows[i].size)));
        module_free(module);
    }
}

static void a_wrong_section_is_left_out_and_told(UNUSED void **state)
{
    static const struct {
        const char *lines, *log;
    } rows[] = {
        {"private key = missing.key", "c.conf:4: [bad]: /"},
        {"private key = .", ": is a directory, not a file; the slot is left out"},
        {"private key =", "'private key' names no file"},
        {"certificate = a.key", "holds no certificate"},
        {"private key = b.key\ncertificate = a.crt", "is not the certificate of"},
        {"private key = handle:x", "'handle:x' is not a handle"},
        {"private key = handle:0x81000001", "name its 'certificate'"},
        {"private key = a.key\nid = hex:0", "'id = hex:0' is not hex:"},
        {"private key = a.key\nid = hex:0g", "is not hex:"},
        {"private key = a.key\npin = sometimes", "neither 'required' nor 'none'"},
        {"private key = %x/a.key", "use %h, %u or %%"},
        {"label = x", "names neither"},
        {"token directory =", "'token directory' names no directory"},
        {"token directory = here\nprivate key = a.key", "'private key' does not go with"},
        {"token directory = here\nlabel = x", "the label is given when the token is initialised"},
        {"token directory = here\npin = 1234", "neither 'none' nor 'required'"},
        {"token directory = here\nsealed keys = maybe", "neither 'yes' nor 'no'"},
        {"token directory = here\nsecret keys = chip", "neither 'tpm' nor 'software'"},
        {"token directory = here\nuser tries = 0", "not a number from 1 to 255"},
        {"token directory = here\nso tries = 256", "not a number from 1 to 255"},
        {"token directory = here\nuser tries = 5x", "not a number from 1 to 255"},
        {"private key = a.key\nnonsense", "c.conf:5:1: neither"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char text[256];
        snprintf(text, sizeof(text), "[bad]\n%s\n[good]\nprivate key = a.key\n", rows[i].lines);
        struct module *module = open_module(text);
        assert_non_null(module_token_at(module, 0));
        assert_null(module_token_at(module, 1));
        /* The good one keeps its number. */
        assert_null(module_token(module, 0));
        assert_view(bytes_view(&module_token(module, 1)->label), "good");
        assert_log(rows[i].log);
        module_free(module);
    }
}

static void two_tokens_of_one_key_have_two_serials(UNUSED void **state)
{
    struct module *module = open_module("[a]\nprivate key = a.key\n[b]\nprivate key = a.key\n"
                                        "[c]\nprivate key = a.key\n");
    const char *serials[3];
    for (size_t i = 0; i < 3; i++)
        serials[i] = module_token_at(module, i)->serial;
    assert_string_not_equal(serials[0], serials[1]);
    assert_string_not_equal(serials[0], serials[2]);
    assert_string_not_equal(serials[1], serials[2]);
    module_free(module);
}

static void a_serial_stays_the_same(UNUSED void **state)
{
    char serial[17] = "";
    for (int i = 0; i < 2; i++) {
        struct module *module = open_module("[a]\nprivate key = a.key\n");
        if (i)
            assert_string_equal(module_token_at(module, 0)->serial, serial);
        strcpy(serial, module_token_at(module, 0)->serial);
        module_free(module);
    }
}

static void pin_agrees_with_what_the_file_says(UNUSED void **state)
{
    struct module *module =
        open_module("[open]\nprivate key = a.key\npin = none\n"
                    "[closed]\nprivate key = b.enc\npublic key = b.pub\npin = required\n"
                    "[asked]\nprivate key = a.key\npin = required\n"
                    "[silent]\nprivate key = b.enc\npublic key = b.pub\npin = none\n");
    assert_false(token_needs_login(module_token(module, 0)));
    assert_true(token_needs_login(module_token(module, 1)));
    assert_null(module_token(module, 2));
    assert_null(module_token(module, 3));
    assert_log("a.key: 'pin = required', but the file is not encrypted");
    assert_log("'pin = none', but the file is encrypted");
    module_free(module);
}

static unsigned count_objects(const struct token *token, CK_OBJECT_CLASS class)
{
    unsigned count = 0;
    for (size_t i = 0; i < token->object_count; i++)
        count += object_class(token->objects[i]) == class;
    return count;
}

static void a_token_has_its_keys_certificates_and_profile(UNUSED void **state)
{
    static const struct {
        const char *lines;
        unsigned private, public, certificates;
    } rows[] = {
        {"private key = a.key", 1, 1, 0},
        {"private key = a.key\ncertificate = a.crt", 1, 1, 1},
        {"certificate = a.crt", 0, 1, 1},
        {"public key = b.pub", 0, 1, 0},
        {"private key = b.enc\npublic key = b.pub", 1, 1, 0},
        {"private key = b.enc", 0, 0, 0},
        {"private key = handle:0x81000055\ncertificate = a.crt", 1, 1, 1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char text[256];
        snprintf(text, sizeof(text), "[a]\n%s\n", rows[i].lines);
        struct module *module = open_module(text);
        struct token *token = module_token_at(module, 0);
        assert_non_null(token);
        assert_int_equal(count_objects(token, CKO_PRIVATE_KEY), rows[i].private);
        assert_int_equal(count_objects(token, CKO_PUBLIC_KEY), rows[i].public);
        assert_int_equal(count_objects(token, CKO_CERTIFICATE), rows[i].certificates);
        assert_int_equal(count_objects(token, CKO_PROFILE), 1);
        module_free(module);
    }
}

static void the_library_names_itself_as_configured(UNUSED void **state)
{
    CK_INFO info;
    struct module *module =
        open_module("manufacturer id = Example Org\nlibrary description = Client certificates\n");
    poison(info);
    module_info(module, &info);
    assert_memory_equal(info.manufacturerID, "Example Org                     ", 32);
    assert_memory_equal(info.libraryDescription, "Client certificates             ", 32);
    assert_int_equal(info.cryptokiVersion.major, 3);
    assert_int_equal(info.flags, 0);
    module_free(module);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_section_names_what_it_is),
        cmocka_unit_test(an_id_may_be_hex),
        cmocka_unit_test(a_wrong_section_is_left_out_and_told),
        cmocka_unit_test(two_tokens_of_one_key_have_two_serials),
        cmocka_unit_test(a_serial_stays_the_same),
        cmocka_unit_test(pin_agrees_with_what_the_file_says),
        cmocka_unit_test(a_token_has_its_keys_certificates_and_profile),
        cmocka_unit_test(the_library_names_itself_as_configured),
    };
    return cmocka_run_group_tests(tests, begin_group, leave_directory);
}
