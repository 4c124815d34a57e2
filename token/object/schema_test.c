#include "token/object/test_support.h"

typedef void (*beginning)(struct template *template);

static CK_RV build(enum schema_origin origin, const struct template *template,
                   struct attributes *ret_attributes)
{
    return schema_build(origin, template->list, template->count, NULL, ret_attributes);
}

/* The answer to a template; what is refused writes nothing. */
static CK_RV answer(enum schema_origin origin, const struct template *template)
{
    struct attributes attributes = {0};
    CK_RV rv = build(origin, template, &attributes);
    if (rv == CKR_OK) {
        attributes_clear(&attributes);
        return rv;
    }
    poison(attributes);
    assert_rv(build(origin, template, &attributes), rv);
    assert_poison(attributes);
    return rv;
}

static void what_each_class_needs_is_enough(UNUSED void **state)
{
    static const beginning beginnings[] = {begin_data,       begin_secret,      begin_public_rsa,
                                           begin_public_ec,  begin_private_rsa, begin_private_ec,
                                           begin_certificate};
    for (size_t i = 0; i < ARRAY_SIZE(beginnings); i++) {
        struct template template;
        beginnings[i](&template);
        assert_rv(answer(SCHEMA_CREATE, &template), CKR_OK);
    }
}

static void without_one_of_them_the_template_is_incomplete(UNUSED void **state)
{
    static const beginning beginnings[] = {begin_data,       begin_secret,      begin_public_rsa,
                                           begin_public_ec,  begin_private_rsa, begin_private_ec,
                                           begin_certificate};
    for (size_t i = 0; i < ARRAY_SIZE(beginnings); i++) {
        struct template whole;
        beginnings[i](&whole);
        for (CK_ULONG left_out = 0; left_out < whole.count; left_out++) {
            struct template part = {.count = 0};
            for (CK_ULONG j = 0; j < whole.count; j++)
                if (j != left_out)
                    part.list[part.count++] = whole.list[j];
            assert_rv(answer(SCHEMA_CREATE, &part), CKR_TEMPLATE_INCOMPLETE);
        }
    }
}

static void unknown_and_misplaced_attributes_are_told_apart(UNUSED void **state)
{
    static const struct {
        beginning begin;
        CK_ATTRIBUTE_TYPE type;
        CK_RV rv;
    } rows[] = {
        {begin_data, CKA_VENDOR_DEFINED + 1, CKR_ATTRIBUTE_TYPE_INVALID},
        {begin_data, CKA_MODULUS, CKR_TEMPLATE_INCONSISTENT},
        {begin_data, CKA_ID, CKR_TEMPLATE_INCONSISTENT},
        {begin_certificate, CKA_SENSITIVE, CKR_TEMPLATE_INCONSISTENT},
        {begin_public_rsa, CKA_EC_POINT, CKR_TEMPLATE_INCONSISTENT},
        {begin_public_rsa, CKA_SENSITIVE, CKR_TEMPLATE_INCONSISTENT},
        {begin_public_ec, CKA_MODULUS, CKR_TEMPLATE_INCONSISTENT},
        {begin_secret, CKA_MODULUS, CKR_TEMPLATE_INCONSISTENT},
        {begin_private_rsa, CKA_VERIFY, CKR_TEMPLATE_INCONSISTENT},
        {begin_private_rsa, CKA_WRAP_TEMPLATE, CKR_ATTRIBUTE_TYPE_INVALID},
        {begin_private_rsa, CKA_UNWRAP_TEMPLATE, CKR_ATTRIBUTE_TYPE_INVALID},
        {begin_secret, CKA_DERIVE_TEMPLATE, CKR_ATTRIBUTE_TYPE_INVALID},
        {begin_private_ec, CKA_PRIVATE_EXPONENT, CKR_TEMPLATE_INCONSISTENT},
        {begin_private_rsa, CKA_PRIME_1, CKR_OK},
        {begin_data, CKA_OBJECT_ID, CKR_OK},
        {begin_public_ec, CKA_ID, CKR_OK},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct template template;
        rows[i].begin(&template);
        add_text(&template, rows[i].type, "value");
        if (answer(SCHEMA_CREATE, &template) != rows[i].rv)
            fail_msg("row %zu: 0x%lx", i, answer(SCHEMA_CREATE, &template));
    }
}

static void a_key_type_belongs_to_keys_alone(UNUSED void **state)
{
    static const beginning beginnings[] = {begin_data, begin_certificate};
    for (size_t i = 0; i < ARRAY_SIZE(beginnings); i++) {
        struct template template;
        beginnings[i](&template);
        add_ulong(&template, CKA_KEY_TYPE, CKK_RSA);
        assert_rv(answer(SCHEMA_CREATE, &template), CKR_TEMPLATE_INCONSISTENT);
    }
}

static void values_of_the_wrong_kind_are_invalid(UNUSED void **state)
{
    static const struct {
        beginning begin;
        CK_ATTRIBUTE_TYPE type;
        const char *value;
        CK_ULONG size;
    } rows[] = {
        {begin_data, CKA_TOKEN, "\2", 1},
        {begin_data, CKA_TOKEN, "\0\0", 2},
        {begin_data, CKA_TOKEN, "", 0},
        {begin_data, CKA_TOKEN, NULL, 1},
        {begin_data, CKA_LABEL, NULL, 1},
        {begin_data, CKA_LABEL, "x", ATTRIBUTE_MAX_SIZE + 1},
        {begin_data, CKA_LABEL, "x", CK_UNAVAILABLE_INFORMATION},
        {begin_certificate, CKA_START_DATE, "2024010", 7},
        {begin_certificate, CKA_CERTIFICATE_CATEGORY, "\1", 1},
        {begin_secret, CKA_SENSITIVE, "\1\1\1\1", 4},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct template template;
        rows[i].begin(&template);
        add_bytes(&template, rows[i].type, rows[i].value, rows[i].size);
        if (answer(SCHEMA_CREATE, &template) != CKR_ATTRIBUTE_VALUE_INVALID)
            fail_msg("row %zu: 0x%lx", i, answer(SCHEMA_CREATE, &template));
    }
}

static void class_and_key_type_are_checked_first(UNUSED void **state)
{
    static const struct {
        CK_ULONG class, type;
        CK_RV rv;
    } rows[] = {
        {CKO_HW_FEATURE, CKK_RSA, CKR_ATTRIBUTE_VALUE_INVALID},
        {CKO_VENDOR_DEFINED + 3, CKK_RSA, CKR_ATTRIBUTE_VALUE_INVALID},
        {CKO_PUBLIC_KEY, CKK_DSA, CKR_ATTRIBUTE_VALUE_INVALID},
        {CKO_PRIVATE_KEY, CK_UNAVAILABLE_INFORMATION, CKR_ATTRIBUTE_VALUE_INVALID},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct template template = {.count = 0};
        add_ulong(&template, CKA_CLASS, rows[i].class);
        add_ulong(&template, CKA_KEY_TYPE, rows[i].type);
        assert_rv(answer(SCHEMA_CREATE, &template), rows[i].rv);
    }
    struct template template;
    begin_data(&template);
    template.list[0].ulValueLen = 4;
    assert_rv(answer(SCHEMA_CREATE, &template), CKR_ATTRIBUTE_VALUE_INVALID);
    template.list[0] = (CK_ATTRIBUTE){CKA_CLASS, NULL, sizeof(CK_ULONG)};
    assert_rv(answer(SCHEMA_CREATE, &template), CKR_ATTRIBUTE_VALUE_INVALID);
}

static void an_attribute_may_be_repeated_but_not_contradicted(UNUSED void **state)
{
    struct template template;
    begin_data(&template);
    add_text(&template, CKA_LABEL, "one");
    add_text(&template, CKA_LABEL, "one");
    add_ulong(&template, CKA_CLASS, CKO_DATA);
    assert_rv(answer(SCHEMA_CREATE, &template), CKR_OK);
    add_text(&template, CKA_LABEL, "two");
    assert_rv(answer(SCHEMA_CREATE, &template), CKR_TEMPLATE_INCONSISTENT);
    begin_data(&template);
    add_ulong(&template, CKA_CLASS, CKO_CERTIFICATE);
    assert_rv(answer(SCHEMA_CREATE, &template), CKR_TEMPLATE_INCONSISTENT);
}

static void what_the_module_says_is_read_only(UNUSED void **state)
{
    static const struct {
        beginning begin;
        CK_ATTRIBUTE_TYPE type;
        bool number;
    } rows[] = {
        {begin_secret, CKA_LOCAL, false},
        {begin_secret, CKA_ALWAYS_SENSITIVE, false},
        {begin_secret, CKA_NEVER_EXTRACTABLE, false},
        {begin_secret, CKA_VALUE_LEN, true},
        {begin_secret, CKA_KEY_GEN_MECHANISM, true},
        {begin_public_rsa, CKA_MODULUS_BITS, true},
        {begin_public_rsa, CKA_TRUSTED, false},
        {begin_certificate, CKA_TRUSTED, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct template template;
        rows[i].begin(&template);
        if (rows[i].number)
            add_ulong(&template, rows[i].type, 0);
        else
            add_bool(&template, rows[i].type, true);
        assert_rv(answer(SCHEMA_CREATE, &template), CKR_ATTRIBUTE_READ_ONLY);
        assert_rv(answer(SCHEMA_OWN, &template), CKR_OK);
    }
}

static void defaults_are_filled_in(UNUSED void **state)
{
    struct attributes attributes = {0};
    struct template template;
    begin_secret(&template);
    assert_ok(build(SCHEMA_CREATE, &template, &attributes));
    assert_false(attributes_bool(&attributes, CKA_TOKEN, true));
    assert_false(attributes_bool(&attributes, CKA_PRIVATE, true));
    assert_true(attributes_bool(&attributes, CKA_MODIFIABLE, false));
    assert_true(attributes_bool(&attributes, CKA_COPYABLE, false));
    assert_true(attributes_bool(&attributes, CKA_DESTROYABLE, false));
    assert_false(attributes_bool(&attributes, CKA_SENSITIVE, true));
    assert_true(attributes_bool(&attributes, CKA_EXTRACTABLE, false));
    assert_false(attributes_bool(&attributes, CKA_LOCAL, true));
    assert_int_equal(attributes_ulong(&attributes, CKA_KEY_GEN_MECHANISM, 7),
                     CK_UNAVAILABLE_INFORMATION);
    assert_true(attributes_has(&attributes, CKA_LABEL));
    assert_int_equal(attributes_value(&attributes, CKA_LABEL).size, 0);
    assert_false(attributes_has(&attributes, CKA_MODULUS));
    attributes_clear(&attributes);
}

static void a_derived_key_brings_no_value(UNUSED void **state)
{
    struct template template;
    begin_secret(&template);
    assert_rv(answer(SCHEMA_DERIVE, &template), CKR_TEMPLATE_INCONSISTENT);
    template.count--;
    assert_rv(answer(SCHEMA_DERIVE, &template), CKR_OK);
}

static void presets_may_be_repeated_but_not_contradicted(UNUSED void **state)
{
    struct attributes preset = {0}, attributes = {0};
    struct template template = {.count = 0};
    assert_ok(attributes_set_ulong(&preset, CKA_CLASS, CKO_SECRET_KEY));
    assert_ok(attributes_set_ulong(&preset, CKA_KEY_TYPE, CKK_AES));
    assert_ok(attributes_set_bool(&preset, CKA_LOCAL, true));
    assert_ok(schema_build(SCHEMA_DERIVE, NULL, 0, &preset, &attributes));
    assert_int_equal(attributes_ulong(&attributes, CKA_KEY_TYPE, 0), CKK_AES);
    add_ulong(&template, CKA_KEY_TYPE, CKK_AES);
    assert_ok(schema_build(SCHEMA_DERIVE, template.list, 1, &preset, &attributes));
    add_ulong(&template, CKA_KEY_TYPE, CKK_GENERIC_SECRET);
    assert_rv(schema_build(SCHEMA_DERIVE, template.list, 2, &preset, &attributes),
              CKR_TEMPLATE_INCONSISTENT);
    attributes_clear(&attributes);
    attributes_clear(&preset);
}

/* The module's own objects go through the schema too. */
static void presets_must_belong_to_the_class(UNUSED void **state)
{
    struct attributes preset = {0}, attributes;
    poison(attributes);
    assert_ok(attributes_set_ulong(&preset, CKA_CLASS, CKO_DATA));
    assert_ok(attributes_set_bool(&preset, CKA_SENSITIVE, true));
    assert_rv(schema_build(SCHEMA_OWN, NULL, 0, &preset, &attributes), CKR_TEMPLATE_INCONSISTENT);
    assert_poison(attributes);
    attributes_clear(&preset);
}

static void a_template_has_a_largest_size(UNUSED void **state)
{
    CK_ATTRIBUTE list[ATTRIBUTES_MAX_COUNT + 1];
    CK_ULONG class = CKO_DATA;
    struct attributes attributes = {0};
    for (size_t i = 0; i < ARRAY_SIZE(list); i++)
        list[i] = (CK_ATTRIBUTE){CKA_CLASS, &class, sizeof(class)};
    assert_ok(schema_build(SCHEMA_CREATE, list, ATTRIBUTES_MAX_COUNT, NULL, &attributes));
    assert_ok(schema_change(&attributes, list, ATTRIBUTES_MAX_COUNT, SCHEMA_SET));
    assert_rv(schema_change(&attributes, list, ARRAY_SIZE(list), SCHEMA_SET),
              CKR_TEMPLATE_INCONSISTENT);
    attributes_clear(&attributes);
    poison(attributes);
    assert_rv(schema_build(SCHEMA_CREATE, list, ARRAY_SIZE(list), NULL, &attributes),
              CKR_TEMPLATE_INCONSISTENT);
    assert_poison(attributes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_each_class_needs_is_enough),
        cmocka_unit_test(without_one_of_them_the_template_is_incomplete),
        cmocka_unit_test(unknown_and_misplaced_attributes_are_told_apart),
        cmocka_unit_test(a_key_type_belongs_to_keys_alone),
        cmocka_unit_test(values_of_the_wrong_kind_are_invalid),
        cmocka_unit_test(class_and_key_type_are_checked_first),
        cmocka_unit_test(an_attribute_may_be_repeated_but_not_contradicted),
        cmocka_unit_test(what_the_module_says_is_read_only),
        cmocka_unit_test(defaults_are_filled_in),
        cmocka_unit_test(a_derived_key_brings_no_value),
        cmocka_unit_test(presets_may_be_repeated_but_not_contradicted),
        cmocka_unit_test(presets_must_belong_to_the_class),
        cmocka_unit_test(a_template_has_a_largest_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
