#include "token/session/test_support.h"
#include "token/session/token_file.h"

#define ID "000102030405060708090a0b0c0d0e0f"
#define SALT "hex:1111111111111111111111111111111111111111111111111111111111111111"
#define PEM "-----BEGIN TSS2 PRIVATE KEY-----\nAAAA\n-----END TSS2 PRIVATE KEY-----\n"
#define HEADER "Signet entry 1\ntoken = " ID "\n"
#define TOKEN "[token]\nlabel = \"work\"\ntpm = embedded\n"
#define GATES "pin index = 0x01800000\ncounter index = 0x01800001\ncounter = 7\ntries = 10\n"
#define USER "[user]\npin = required\n" GATES "salt = " SALT "\n" PEM

static CK_RV parse(const char *text, struct token_file *file, struct reason *reason)
{
    *reason = (struct reason){0};
    return token_file_parse(view_string(text), file, reason);
}

static void assert_refused(const char *text, const char *why)
{
    struct token_file file;
    struct reason reason;
    poison(file);
    assert_rv(parse(text, &file, &reason), CKR_DATA_INVALID);
    assert_poison(file);
    assert_contains(reason.text, why);
}

static void fill_seal(struct vault_seal *seal, bool gated, uint8_t byte)
{
    *seal = (struct vault_seal){.present = true, .gated = gated};
    memset(seal->salt, byte, sizeof(seal->salt));
    if (gated) {
        seal->pin_index = 0x01ffffff;
        seal->counter_index = 0x01800001;
        seal->counter = UINT64_MAX;
        seal->try_limit = 255;
    }
    assert_ok(bytes_copy(&seal->sealed, view_string(PEM)));
}

static struct token_file full(void)
{
    struct token_file file = {.initialised = true, .has_next = true};
    memset(file.id, 0xab, sizeof(file.id));
    memset(file.next, 0xcd, sizeof(file.next));
    assert_ok(bytes_copy(&file.label, view_string("\"a\" \\ [b] = \n\xff\xc3")));
    file.tpm.place = KEY_IN_SWTPM;
    strcpy(file.tpm.manufacturer, "IBM SW TPM of many a letter, 32.");
    strcpy(file.tpm.firmware, "8217.4131");
    assert_ok(bytes_copy(&file.tpm.root_name, view_string("a name of whatever size")));
    fill_seal(&file.seals[VAULT_USER], true, 1);
    fill_seal(&file.seals[VAULT_SO], true, 2);
    fill_seal(&file.pending[VAULT_USER], false, 3);
    fill_seal(&file.pending[VAULT_SO], true, 4);
    return file;
}

static void assert_same_seal(const struct vault_seal *a, const struct vault_seal *b)
{
    assert_int_equal(a->present, b->present);
    assert_int_equal(a->open, b->open);
    assert_int_equal(a->gated, b->gated);
    assert_int_equal(a->pin_index, b->pin_index);
    assert_int_equal(a->counter_index, b->counter_index);
    assert_true(a->counter == b->counter);
    assert_int_equal(a->try_limit, b->try_limit);
    assert_memory_equal(a->salt, b->salt, sizeof(a->salt));
    assert_true(view_equal(bytes_view(&a->sealed), bytes_view(&b->sealed)));
}

static void assert_same(const struct token_file *a, const struct token_file *b)
{
    assert_int_equal(a->initialised, b->initialised);
    assert_memory_equal(a->id, b->id, sizeof(a->id));
    assert_int_equal(a->has_next, b->has_next);
    assert_memory_equal(a->next, b->next, sizeof(a->next));
    assert_true(view_equal(bytes_view(&a->label), bytes_view(&b->label)));
    assert_int_equal(a->tpm.place, b->tpm.place);
    assert_string_equal(a->tpm.manufacturer, b->tpm.manufacturer);
    assert_string_equal(a->tpm.firmware, b->tpm.firmware);
    assert_true(view_equal(bytes_view(&a->tpm.root_name), bytes_view(&b->tpm.root_name)));
    for (enum vault_user user = 0; user < VAULT_USERS; user++) {
        assert_same_seal(&a->seals[user], &b->seals[user]);
        assert_same_seal(&a->pending[user], &b->pending[user]);
    }
}

static void assert_comes_back(struct token_file *file)
{
    struct token_file back = {0}, copy = {0};
    struct bytes text = {0};
    struct reason reason = {0};
    assert_ok(token_file_write(file, &text));
    assert_ok(token_file_parse(bytes_view(&text), &back, &reason));
    assert_same(file, &back);
    assert_ok(token_file_copy(&copy, &back));
    assert_same(file, &copy);
    bytes_free(&text);
    token_file_clear(&back);
    token_file_clear(&copy);
    token_file_clear(file);
}

static void everything_comes_back(UNUSED void **state)
{
    struct token_file file = full();
    assert_comes_back(&file);
    file = (struct token_file){0};
    assert_comes_back(&file);
    file = (struct token_file){.has_next = true, .next = {1}};
    assert_comes_back(&file);
    file = (struct token_file){.initialised = true, .tpm.place = KEY_IN_DEVICE};
    file.seals[VAULT_USER] = (struct vault_seal){.present = true, .open = true};
    assert_ok(bytes_copy(&file.seals[VAULT_USER].sealed, view_string(PEM)));
    assert_comes_back(&file);
}

static void a_file_by_hand_is_understood(UNUSED void **state)
{
    struct token_file file = {0};
    struct reason reason;
    assert_ok(parse(HEADER TOKEN USER, &file, &reason));
    assert_true(file.initialised && file.seals[VAULT_USER].present);
    assert_int_equal(file.id[15], 15);
    assert_view(bytes_view(&file.label), "work");
    assert_int_equal(file.seals[VAULT_USER].pin_index, 0x01800000);
    assert_int_equal(file.seals[VAULT_USER].salt[31], 0x11);
    token_file_clear(&file);
}

static void every_damaged_field_is_refused(UNUSED void **state)
{
    static const struct {
        const char *text;
        const char *why;
    } rows[] = {
        {"", "first line"},
        {"Signet entry 2\n", "newer version"},
        {"Signet entry 1\ntoken = 00\n" TOKEN, "'token'"},
        {"Signet entry 1\ntoken = " ID "00\n" TOKEN, "'token'"},
        {"Signet entry 1\ntoken = g00102030405060708090a0b0c0d0e0f\n" TOKEN, "'token'"},
        {"Signet entry 1\nnext token = \n", "'next token'"},
        {HEADER, "[token] is missing"},
        {HEADER USER, "[token] is missing"},
        {HEADER "[token]\ntpm = embedded\n", "'label'"},
        {HEADER "[token]\ntpm = embedded\nlabel = work\n", "'label'"},
        {HEADER "[token]\ntpm = embedded\nlabel = \"123456789012345678901234567890123\"\n",
         "'label'"},
        {HEADER "[token]\nlabel = \"\"\n", "'tpm'"},
        {HEADER "[token]\nlabel = \"\"\ntpm = abacus\n", "'tpm'"},
        {HEADER TOKEN "tpm manufacturer = \"a name that is longer than the field\"\n",
         "'tpm manufacturer'"},
        {HEADER TOKEN "tpm firmware = \"12345678901234567\"\n", "'tpm firmware'"},
        {HEADER TOKEN "storage root = hex:0\n", "'storage root'"},
        {HEADER TOKEN TOKEN, "[token]"},
        {HEADER TOKEN "[user]\n" PEM, "'pin'"},
        {HEADER TOKEN "[user]\npin = perhaps\n" PEM, "'pin'"},
        {HEADER TOKEN USER USER, "'pin'"},
        {HEADER TOKEN "[user]\npin = required\n" PEM, "'salt'"},
        {HEADER TOKEN "[user]\npin = required\nsalt = hex:11\n" PEM, "'salt'"},
        {HEADER TOKEN "[user]\npin = required\nsalt = " SALT "11\n" PEM, "'salt'"},
        {HEADER TOKEN "[user]\npin = required\nsalt = " SALT "\n", "TSS2 PRIVATE KEY"},
        {HEADER TOKEN "[user]\npin = none\n", "TSS2 PRIVATE KEY"},
        {HEADER TOKEN "[so]\npin = none\n" PEM, "'pin'"},
        {HEADER TOKEN "[user]\npin = required\npin index = 0x101800000\nsalt = " SALT "\n" PEM,
         "'pin index'"},
        {HEADER TOKEN "[user]\npin = required\npin index = 1\nsalt = " SALT "\n" PEM,
         "'counter index'"},
        {HEADER TOKEN "[user]\npin = required\npin index = 1\ncounter index = -1\nsalt = " SALT
                      "\n" PEM,
         "'counter index'"},
        {HEADER TOKEN "[user]\npin = required\npin index = 1\ncounter index = 2\n"
                      "counter = 18446744073709551616\nsalt = " SALT "\n" PEM,
         "'counter'"},
        {HEADER TOKEN "[user]\npin = required\npin index = 1\ncounter index = 2\ncounter = 1\n"
                      "tries = 256\nsalt = " SALT "\n" PEM,
         "'tries'"},
        {HEADER TOKEN "[user]\npin = required\npin index = 1\ncounter index = 2\ncounter = 1\n"
                      "tries = 0\nsalt = " SALT "\n" PEM,
         "'tries'"},
        {HEADER TOKEN "[somebody]\npin = none\n" PEM, "[somebody]"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        assert_refused(rows[i].text, rows[i].why);
}

static void what_is_too_large_is_not_even_read(UNUSED void **state)
{
    struct bytes text = {0};
    struct token_file file;
    struct reason reason = {0};
    poison(file);
    assert_ok(bytes_alloc(&text, 256 * 1024 + 1));
    assert_rv(token_file_parse(bytes_view(&text), &file, &reason), CKR_DATA_INVALID);
    assert_poison(file);
    assert_contains(reason.text, "larger");
    bytes_free(&text);
}

/* The line break at its end may be missing. */
static bool is_whole(const struct vault_seal *part, const struct vault_seal *seal)
{
    size_t size = seal->sealed.size;
    return part->open == seal->open && part->gated == seal->gated &&
           part->counter == seal->counter && part->try_limit == seal->try_limit &&
           memcmp(part->salt, seal->salt, sizeof(seal->salt)) == 0 &&
           part->sealed.size >= size - 1 && part->sealed.size <= size &&
           memcmp(part->sealed.data, seal->sealed.data, size - 1) == 0;
}

/* A file that was cut off is refused, or has lost whole groups at most. */
static void no_truncated_file_is_taken_for_another(UNUSED void **state)
{
    struct token_file file = full(), part = {0};
    struct bytes text = {0};
    struct reason reason = {0};
    assert_ok(token_file_write(&file, &text));
    for (size_t size = 0; size < text.size; size++) {
        if (token_file_parse(view_of(text.data, size), &part, &reason) != CKR_OK)
            continue;
        for (enum vault_user user = 0; user < VAULT_USERS; user++)
            if (part.seals[user].present)
                assert_true(is_whole(&part.seals[user], &file.seals[user]));
    }
    bytes_free(&text);
    token_file_clear(&part);
    token_file_clear(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_comes_back),
        cmocka_unit_test(a_file_by_hand_is_understood),
        cmocka_unit_test(every_damaged_field_is_refused),
        cmocka_unit_test(what_is_too_large_is_not_even_read),
        cmocka_unit_test(no_truncated_file_is_taken_for_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
