#include "token/session/entry_file.h"
#include "token/session/test_support.h"

#define ID "000102030405060708090a0b0c0d0e0f"
#define HEADER "Signet entry 1\ntoken = " ID "\n"
#define DATA(unique) "[data]\nunique id = \"" unique "\"\n"

static struct bytes private_pem, public_pem, certificate_pem;

static int make_pem(void **state)
{
    if (make_keys(state) != 0)
        return -1;
    run("openssl pkey -in ec.key -pubout -out ec.pub");
    private_pem = read_file("ec.key");
    public_pem = read_file("ec.pub");
    certificate_pem = read_file("ec.crt");
    return 0;
}

static int drop_pem(void **state)
{
    bytes_free(&private_pem);
    bytes_free(&public_pem);
    bytes_free(&certificate_pem);
    return leave_directory(state);
}

static CK_RV parse(struct view text, struct entry_objects *objects, struct reason *reason)
{
    *reason = (struct reason){0};
    return entry_file_parse(text, "name.pem", true, objects, reason);
}

static struct entry_objects parsed(const char *text)
{
    struct entry_objects objects = {.count = 0};
    struct reason reason;
    CK_RV rv = parse(view_string(text), &objects, &reason);
    if (rv != CKR_OK)
        fail_msg("line %u: %s: %s", reason.line, reason.text, text);
    return objects;
}

static void assert_same(const struct entry_objects *a, const struct entry_objects *b)
{
    assert_int_equal(a->count, b->count);
    assert_memory_equal(a->token, b->token, sizeof(a->token));
    for (size_t i = 0; i < a->count; i++) {
        const struct entry_object *one = &a->objects[i], *two = &b->objects[i];
        assert_true(view_equal(bytes_view(&one->key_id), bytes_view(&two->key_id)));
        assert_true(
            view_equal(bytes_view(&one->encrypted_value), bytes_view(&two->encrypted_value)));
        assert_int_equal(one->attributes.count, two->attributes.count);
        for (size_t j = 0; j < one->attributes.count; j++) {
            CK_ATTRIBUTE_TYPE types[2];
            struct view values[2] = {attributes_at(&one->attributes, j, &types[0]),
                                     attributes_at(&two->attributes, j, &types[1])};
            assert_int_equal(types[0], types[1]);
            assert_true(view_equal(values[0], values[1]));
        }
    }
}

/* Read, written, and read again it is the same; `count` objects. */
static void assert_comes_back(const char *format, const char *pem, size_t count)
{
    char text[8192];
    struct bytes written CLEANUP(bytes_free) = {0};
    struct reason reason;
    snprintf(text, sizeof(text), format, pem);
    struct entry_objects first = parsed(text), second = {.count = 0};
    assert_true(first.own);
    assert_int_equal(first.count, count);
    assert_ok(entry_file_write(&first, &written));
    assert_ok(parse(bytes_view(&written), &second, &reason));
    assert_same(&first, &second);
    assert_true(entry_file_belongs(bytes_view(&written), first.token));
    entry_objects_clear(&first);
    entry_objects_clear(&second);
}

static void each_class_comes_back(UNUSED void **state)
{
    const char *certificate = (char *)certificate_pem.data;
    const char *private_key = (char *)private_pem.data;
    const char *public_key = (char *)public_pem.data;
    assert_comes_back(HEADER "[data]\nlabel = \"\\\"quoted\\\"\"\nvalue = hex:00ff\n"
                             "application = \"app\"\nunique id = hex:0a1b\n%s",
                      "", 1);
    assert_comes_back(HEADER "[data]\nprivate = true\nkey id = \"k\"\nunique id = \"u\"\n"
                             "encrypted value = hex:00112233\n%s",
                      "", 1);
    assert_comes_back(HEADER "[certificate]\nlabel = \"c\"\ntrusted = true\nid = hex:01\n"
                             "unique id = \"u\"\n%s",
                      certificate, 1);
    assert_comes_back(HEADER "[public key]\nunique id = \"u\"\nverify = false\n%s", public_key, 1);
    assert_comes_back(HEADER "[private key]\nunique id = \"u\"\nsign = true\nkey id = \"k\"\n"
                             "private = true\nalways authenticate = true\n%s"
                             "[public key]\nunique id = \"v\"\n",
                      private_key, 2);
    assert_comes_back(HEADER "[secret key]\nunique id = \"u\"\nkey type = aes\nvalue len = 32\n"
                             "key id = \"k\"\n-----BEGIN SIGNET SEALED KEY-----\nAAAA\n"
                             "-----END SIGNET SEALED KEY-----\n%s",
                      "", 1);
}

static void assert_refused(const char *text, const char *why)
{
    struct entry_objects objects = {.count = 0};
    struct reason reason;
    if (parse(view_string(text), &objects, &reason) != CKR_DATA_INVALID)
        fail_msg("taken: %s", text);
    assert_int_equal(objects.count, 0);
    assert_contains(reason.text, why);
}

static void what_is_wrong_is_refused_with_the_reason(UNUSED void **state)
{
    static const struct {
        const char *text;
        const char *why;
    } rows[] = {
        {"Signet entry 2\ntoken = " ID "\n" DATA("u"), "newer version"},
        {"Signet entry 1\n" DATA("u"), "which token"},
        {"Signet entry 1\ntoken = 00\n" DATA("u"), "which token"},
        {"Signet entry 1\ntoken = x00102030405060708090a0b0c0d0e0f\n" DATA("u"), "which token"},
        {HEADER "[nothing]\nunique id = \"u\"\n", "[nothing]"},
        {HEADER DATA("u") "colour = \"red\"\n", "'colour'"},
        {HEADER DATA("u") "class = data\n", "'class'"},
        {HEADER DATA("u") "token = false\n", "'token'"},
        {HEADER DATA("u") "private = maybe\n", "true"},
        {HEADER "[data]\nlabel = \"u\"\n", "missing"},
        {HEADER DATA("u") "modulus = hex:00\n", "class"},
        {HEADER "[certificate]\nunique id = \"u\"\n", "certificate"},
        {HEADER "[private key]\nunique id = \"u\"\n", "private key"},
        {HEADER "[public key]\nunique id = \"u\"\n", "public key"},
        {HEADER "[secret key]\nunique id = \"u\"\n", "encrypted value"},
        {HEADER "[certificate]\nunique id = \"u\"\n-----BEGIN CERTIFICATE-----\nAAAA\n"
                "-----END CERTIFICATE-----\n",
         ""},
        {HEADER DATA("u") DATA("v") DATA("u"), "same unique id"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        assert_refused(rows[i].text, rows[i].why);
}

/* A private key's group with the PEM of something else. */
static void pem_of_another_kind_is_refused(UNUSED void **state)
{
    char text[8192];
    snprintf(text, sizeof(text), HEADER "[private key]\nunique id = \"u\"\n%s", public_pem.data);
    assert_refused(text, "private key");
    snprintf(text, sizeof(text), HEADER "[certificate]\nunique id = \"u\"\n%s", public_pem.data);
    assert_refused(text, "certificate");
}

static void a_file_holds_33_objects_and_no_more(UNUSED void **state)
{
    char text[4096] = HEADER;
    struct entry_objects objects;
    for (int i = 0; i < ENTRY_FILE_MAX_OBJECTS; i++)
        sprintf(text + strlen(text), "[data]\nunique id = \"%d\"\n", i);
    objects = parsed(text);
    assert_int_equal(objects.count, ENTRY_FILE_MAX_OBJECTS);
    entry_objects_clear(&objects);
    strcat(text, DATA("one more"));
    assert_refused(text, "more than 33 objects");
}

/* Cut off anywhere it is refused, or has lost whole objects or lines; never more. */
static void a_truncated_file_gains_nothing(UNUSED void **state)
{
    char text[8192];
    struct reason reason;
    snprintf(text, sizeof(text), HEADER "[private key]\nunique id = \"u\"\nkey id = \"u\"\n%s%s",
             private_pem.data, "[public key]\nunique id = \"v\"\nverify = false\n");
    struct entry_objects whole = parsed(text), part = {.count = 0};
    size_t size = strlen(text);
    for (size_t i = 0; i < size; i++) {
        CK_RV rv = parse(view_of(text, i), &part, &reason);
        assert_true(rv == CKR_OK || (rv == CKR_DATA_INVALID && !part.count && *reason.text));
        assert_true(part.count <= whole.count);
        if (part.count && part.own)
            assert_true(view_equal(attributes_value(&part.objects[0].attributes, CKA_EC_POINT),
                                   attributes_value(&whole.objects[0].attributes, CKA_EC_POINT)));
    }
    entry_objects_clear(&whole);
    entry_objects_clear(&part);
}

static void what_is_dropped_in_is_named_by_its_file(UNUSED void **state)
{
    struct entry_objects objects = {.count = 0};
    struct reason reason = {0};
    char text[8192];
    snprintf(text, sizeof(text), "%s%s", private_pem.data, certificate_pem.data);
    assert_ok(
        entry_file_parse(view_string(text), "web \"server\".crt.pem", true, &objects, &reason));
    assert_false(objects.own);
    assert_int_equal(objects.count, 3);
    assert_view(attributes_value(&objects.objects[0].attributes, CKA_LABEL), "web \"server\".crt");
    assert_true(attributes_bool(&objects.objects[0].attributes, CKA_PRIVATE, false));
    assert_false(attributes_bool(&objects.objects[0].attributes, CKA_DESTROYABLE, true));
    assert_true(view_equal(attributes_value(&objects.objects[0].attributes, CKA_ID),
                           attributes_value(&objects.objects[2].attributes, CKA_ID)));
    assert_ok(entry_file_parse(view_string(text), ".pem", false, &objects, &reason));
    assert_false(attributes_bool(&objects.objects[0].attributes, CKA_PRIVATE, true));
    entry_objects_clear(&objects);
}

/* The names in a file go into a reason, which is one line. */
static void control_characters_stay_out_of_reasons(UNUSED void **state)
{
    assert_refused(HEADER DATA("u") "a\x1b[31m = true\n", "control character");
    struct entry_objects objects = {.count = 0};
    struct reason reason;
    assert_rv(parse(view_string(HEADER "[da\tta]\nunique id = \"u\"\n"), &objects, &reason),
              CKR_DATA_INVALID);
    for (const char *c = reason.text; *c; c++)
        assert_true((unsigned char)*c >= ' ');
}

static void only_the_named_tokens_files_belong(UNUSED void **state)
{
    static const uint8_t id[VAULT_TOKEN_SIZE] = {0, 1, 2,  3,  4,  5,  6,  7,
                                                 8, 9, 10, 11, 12, 13, 14, 15};
    static const uint8_t other[VAULT_TOKEN_SIZE] = {1};
    assert_true(entry_file_belongs(view_string(HEADER DATA("u")), id));
    assert_true(entry_file_belongs(view_string(HEADER "[whatever]\n"), id));
    assert_false(entry_file_belongs(view_string(HEADER DATA("u")), other));
    assert_false(entry_file_belongs(view_string("Signet entry 1\n" DATA("u")), id));
    assert_false(entry_file_belongs(bytes_view(&private_pem), id));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_class_comes_back),
        cmocka_unit_test(what_is_wrong_is_refused_with_the_reason),
        cmocka_unit_test(pem_of_another_kind_is_refused),
        cmocka_unit_test(a_file_holds_33_objects_and_no_more),
        cmocka_unit_test(a_truncated_file_gains_nothing),
        cmocka_unit_test(what_is_dropped_in_is_named_by_its_file),
        cmocka_unit_test(control_characters_stay_out_of_reasons),
        cmocka_unit_test(only_the_named_tokens_files_belong),
    };
    return cmocka_run_group_tests(tests, make_pem, drop_pem);
}
