#include "token/object/test_support.h"

/* Changing objects by C_SetAttributeValue and C_CopyObject. */

typedef void (*beginning)(struct template *template);

static struct attributes attributes_of(beginning begin)
{
    struct attributes attributes = {0};
    struct template template;
    begin(&template);
    assert_ok(schema_build(SCHEMA_CREATE, template.list, template.count, NULL, &attributes));
    return attributes;
}

static CK_RV change_bool(struct attributes *attributes, CK_ATTRIBUTE_TYPE type, bool value,
                         enum schema_origin origin)
{
    struct template template = {.count = 0};
    add_bool(&template, type, value);
    return schema_change(attributes, template.list, 1, origin);
}

static void booleans_change_as_their_rule_says(UNUSED void **state)
{
    static const struct {
        beginning begin;
        CK_ATTRIBUTE_TYPE type;
        bool value; /* the other than the default */
        CK_RV change, copy, back;
    } rows[] = {
        {begin_data, CKA_TOKEN, true, CKR_ATTRIBUTE_READ_ONLY, CKR_OK, CKR_OK},
        {begin_data, CKA_PRIVATE, true, CKR_ATTRIBUTE_READ_ONLY, CKR_OK, CKR_ATTRIBUTE_READ_ONLY},
        {begin_data, CKA_MODIFIABLE, false, CKR_ATTRIBUTE_READ_ONLY, CKR_OK, CKR_OK},
        {begin_data, CKA_COPYABLE, false, CKR_OK, CKR_OK, CKR_ATTRIBUTE_READ_ONLY},
        {begin_data, CKA_DESTROYABLE, false, CKR_OK, CKR_OK, CKR_OK},
        {begin_secret, CKA_SENSITIVE, true, CKR_OK, CKR_OK, CKR_ATTRIBUTE_READ_ONLY},
        {begin_secret, CKA_EXTRACTABLE, false, CKR_OK, CKR_OK, CKR_ATTRIBUTE_READ_ONLY},
        {begin_secret, CKA_WRAP_WITH_TRUSTED, true, CKR_OK, CKR_OK, CKR_ATTRIBUTE_READ_ONLY},
        {begin_secret, CKA_ENCRYPT, true, CKR_OK, CKR_OK, CKR_OK},
        {begin_secret, CKA_LOCAL, true, CKR_ATTRIBUTE_READ_ONLY, CKR_ATTRIBUTE_READ_ONLY, 0},
        {begin_public_rsa, CKA_VERIFY, false, CKR_OK, CKR_OK, CKR_OK},
        {begin_public_rsa, CKA_TRUSTED, true, CKR_ATTRIBUTE_READ_ONLY, CKR_ATTRIBUTE_READ_ONLY, 0},
        {begin_public_rsa, CKA_SIGN, true, CKR_TEMPLATE_INCONSISTENT, CKR_TEMPLATE_INCONSISTENT, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct attributes attributes = attributes_of(rows[i].begin);
        assert_rv(change_bool(&attributes, rows[i].type, rows[i].value, SCHEMA_SET),
                  rows[i].change);
        attributes_clear(&attributes);
        attributes = attributes_of(rows[i].begin);
        assert_rv(change_bool(&attributes, rows[i].type, rows[i].value, SCHEMA_COPY), rows[i].copy);
        if (rows[i].copy == CKR_OK) {
            assert_int_equal(attributes_bool(&attributes, rows[i].type, !rows[i].value),
                             rows[i].value);
            assert_rv(change_bool(&attributes, rows[i].type, !rows[i].value, SCHEMA_COPY),
                      rows[i].back);
        }
        attributes_clear(&attributes);
    }
}

static void what_an_object_is_made_of_does_not_change(UNUSED void **state)
{
    static const struct {
        beginning begin;
        CK_ATTRIBUTE_TYPE type;
    } rows[] = {{begin_secret, CKA_VALUE},
                {begin_public_rsa, CKA_MODULUS},
                {begin_public_ec, CKA_EC_POINT},
                {begin_certificate, CKA_VALUE},
                {begin_certificate, CKA_SUBJECT}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct attributes attributes = attributes_of(rows[i].begin);
        struct template template = {.count = 0};
        add_text(&template, rows[i].type, "something else");
        assert_rv(schema_change(&attributes, template.list, 1, SCHEMA_SET),
                  CKR_ATTRIBUTE_READ_ONLY);
        assert_rv(schema_change(&attributes, template.list, 1, SCHEMA_COPY),
                  CKR_ATTRIBUTE_READ_ONLY);
        attributes_clear(&attributes);
    }
}

/* Whatever is to be written there. */
static void what_cannot_be_changed_is_read_only_before_it_is_wrong(UNUSED void **state)
{
    static const struct {
        beginning begin;
        CK_ATTRIBUTE_TYPE type;
    } rows[] = {{begin_data, CKA_TOKEN},
                {begin_certificate, CKA_CERTIFICATE_TYPE},
                {begin_certificate, CKA_START_DATE},
                {begin_public_rsa, CKA_KEY_TYPE},
                {begin_public_ec, CKA_EC_PARAMS}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct attributes attributes = attributes_of(rows[i].begin);
        struct template template = {.count = 0};
        add_text(&template, rows[i].type, "\7\7\7");
        assert_rv(schema_change(&attributes, template.list, 1, SCHEMA_SET),
                  CKR_ATTRIBUTE_READ_ONLY);
        attributes_clear(&attributes);
    }
}

static void the_same_value_may_always_be_set(UNUSED void **state)
{
    struct attributes attributes = attributes_of(begin_certificate);
    struct template template;
    begin_certificate(&template);
    add_bool(&template, CKA_TOKEN, false);
    assert_ok(schema_change(&attributes, template.list, template.count, SCHEMA_SET));
    attributes_clear(&attributes);
}

static void a_change_is_done_whole_or_not_at_all(UNUSED void **state)
{
    struct attributes attributes = attributes_of(begin_secret);
    struct template template = {.count = 0};
    add_text(&template, CKA_LABEL, "new label");
    add_bool(&template, CKA_SENSITIVE, true);
    add_bool(&template, CKA_LOCAL, true);
    assert_rv(schema_change(&attributes, template.list, 3, SCHEMA_SET), CKR_ATTRIBUTE_READ_ONLY);
    assert_int_equal(attributes_value(&attributes, CKA_LABEL).size, 0);
    assert_false(attributes_bool(&attributes, CKA_SENSITIVE, true));
    assert_ok(schema_change(&attributes, template.list, 2, SCHEMA_SET));
    assert_view(attributes_value(&attributes, CKA_LABEL), "new label");
    assert_true(attributes_bool(&attributes, CKA_SENSITIVE, false));
    attributes_clear(&attributes);
}

static void unknown_attributes_and_values_are_refused(UNUSED void **state)
{
    struct attributes attributes = attributes_of(begin_data);
    struct template template = {.count = 0};
    add_text(&template, CKA_VENDOR_DEFINED + 7, "x");
    assert_rv(schema_change(&attributes, template.list, 1, SCHEMA_COPY),
              CKR_ATTRIBUTE_TYPE_INVALID);
    template.list[0].type = CKA_MODULUS;
    assert_rv(schema_change(&attributes, template.list, 1, SCHEMA_COPY), CKR_TEMPLATE_INCONSISTENT);
    template.count = 0;
    add_bytes(&template, CKA_TOKEN, "\2", 1);
    assert_rv(schema_change(&attributes, template.list, 1, SCHEMA_COPY),
              CKR_ATTRIBUTE_VALUE_INVALID);
    assert_ok(schema_change(&attributes, NULL, 0, SCHEMA_COPY));
    attributes_clear(&attributes);
}

static void secret_values_are_hidden_when_sensitive_or_not_extractable(UNUSED void **state)
{
    struct attributes attributes = attributes_of(begin_secret);
    assert_false(schema_is_hidden(&attributes, CKA_VALUE));
    assert_ok(change_bool(&attributes, CKA_SENSITIVE, true, SCHEMA_SET));
    assert_true(schema_is_hidden(&attributes, CKA_VALUE));
    assert_false(schema_is_hidden(&attributes, CKA_LABEL));
    attributes_clear(&attributes);
    attributes = attributes_of(begin_secret);
    assert_ok(change_bool(&attributes, CKA_EXTRACTABLE, false, SCHEMA_SET));
    assert_true(schema_is_hidden(&attributes, CKA_VALUE));
    attributes_clear(&attributes);
    attributes = attributes_of(begin_certificate);
    assert_false(schema_is_hidden(&attributes, CKA_VALUE));
    attributes_clear(&attributes);
}

/* Otherwise C_SetAttributeValue would tell a right guess from a wrong one. */
static void a_hidden_value_cannot_be_guessed_by_setting_it(UNUSED void **state)
{
    struct attributes attributes = attributes_of(begin_secret);
    struct template template = {.count = 0};
    assert_ok(change_bool(&attributes, CKA_SENSITIVE, true, SCHEMA_SET));
    add_text(&template, CKA_VALUE, "the secret value");
    assert_rv(schema_change(&attributes, template.list, 1, SCHEMA_SET), CKR_ATTRIBUTE_READ_ONLY);
    attributes_clear(&attributes);
}

static void attributes_keep_to_their_limits(UNUSED void **state)
{
    struct attributes attributes = {0};
    for (CK_ATTRIBUTE_TYPE type = 0; type < ATTRIBUTES_MAX_COUNT; type++)
        assert_ok(attributes_set_ulong(&attributes, type, type));
    assert_rv(attributes_set_ulong(&attributes, ATTRIBUTES_MAX_COUNT, 1),
              CKR_TEMPLATE_INCONSISTENT);
    assert_ok(attributes_set_ulong(&attributes, 5, 50));
    assert_int_equal(attributes_ulong(&attributes, 5, 0), 50);
    assert_rv(
        attributes_set(&attributes, 5, (struct view){(const uint8_t *)"", ATTRIBUTE_MAX_SIZE + 1}),
        CKR_ATTRIBUTE_VALUE_INVALID);
    assert_int_equal(attributes_ulong(&attributes, 5, 0), 50);
    assert_int_equal(attributes.count, ATTRIBUTES_MAX_COUNT);
    attributes_clear(&attributes);
    assert_int_equal(attributes_ulong(&attributes, 5, 7), 7);
}

static void values_of_another_size_fall_back(UNUSED void **state)
{
    struct attributes attributes = {0}, copy = {0};
    assert_ok(attributes_set(&attributes, CKA_TOKEN, view_string("long")));
    assert_ok(attributes_set_bool(&attributes, CKA_CLASS, true));
    assert_true(attributes_bool(&attributes, CKA_TOKEN, true));
    assert_false(attributes_bool(&attributes, CKA_TOKEN, false));
    assert_int_equal(attributes_ulong(&attributes, CKA_CLASS, 77), 77);
    assert_ok(attributes_copy(&copy, &attributes));
    assert_view(attributes_value(&copy, CKA_TOKEN), "long");
    attributes_clear(&attributes);
    attributes_clear(&copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(booleans_change_as_their_rule_says),
        cmocka_unit_test(what_an_object_is_made_of_does_not_change),
        cmocka_unit_test(what_cannot_be_changed_is_read_only_before_it_is_wrong),
        cmocka_unit_test(the_same_value_may_always_be_set),
        cmocka_unit_test(a_change_is_done_whole_or_not_at_all),
        cmocka_unit_test(unknown_attributes_and_values_are_refused),
        cmocka_unit_test(secret_values_are_hidden_when_sensitive_or_not_extractable),
        cmocka_unit_test(a_hidden_value_cannot_be_guessed_by_setting_it),
        cmocka_unit_test(attributes_keep_to_their_limits),
        cmocka_unit_test(values_of_another_size_fall_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
