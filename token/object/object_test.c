#include "token/object/test_support.h"

/* Reading and matching attributes (PKCS#11 5.7.5, 5.7.7). */

static struct object *sensitive_secret(void)
{
    struct template template;
    begin_secret(&template);
    add_text(&template, CKA_LABEL, "label");
    add_bool(&template, CKA_SENSITIVE, true);
    return object_of(&template);
}

static CK_RV get(const struct object *object, CK_ATTRIBUTE_TYPE type, void *value, CK_ULONG *size)
{
    CK_ATTRIBUTE attribute = {type, value, *size};
    CK_RV rv = object_get(object, &attribute, 1);
    *size = attribute.ulValueLen;
    return rv;
}

static void the_five_cases_of_reading_an_attribute(UNUSED void **state)
{
    static const struct {
        CK_ATTRIBUTE_TYPE type;
        bool buffer;
        CK_ULONG room, size;
        CK_RV rv;
    } rows[] = {
        /* 1: it may not be revealed */
        {CKA_VALUE, true, 100, CK_UNAVAILABLE_INFORMATION, CKR_ATTRIBUTE_SENSITIVE},
        {CKA_VALUE, false, 0, CK_UNAVAILABLE_INFORMATION, CKR_ATTRIBUTE_SENSITIVE},
        /* 2: the object has none */
        {CKA_MODULUS, true, 100, CK_UNAVAILABLE_INFORMATION, CKR_ATTRIBUTE_TYPE_INVALID},
        {CKA_VENDOR_DEFINED, false, 0, CK_UNAVAILABLE_INFORMATION, CKR_ATTRIBUTE_TYPE_INVALID},
        /* 3: only its length is asked */
        {CKA_LABEL, false, 0, 5, CKR_OK},
        {CKA_LABEL, false, 2, 5, CKR_OK},
        {CKA_ID, false, 9, 0, CKR_OK},
        /* 4: it fits */
        {CKA_LABEL, true, 5, 5, CKR_OK},
        {CKA_LABEL, true, 8, 5, CKR_OK},
        {CKA_ID, true, 0, 0, CKR_OK},
        /* 5: it does not */
        {CKA_LABEL, true, 4, CK_UNAVAILABLE_INFORMATION, CKR_BUFFER_TOO_SMALL},
        {CKA_LABEL, true, 0, CK_UNAVAILABLE_INFORMATION, CKR_BUFFER_TOO_SMALL},
    };
    struct object *object = sensitive_secret();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char value[100];
        CK_ULONG size = rows[i].room;
        poison(value);
        assert_rv(get(object, rows[i].type, rows[i].buffer ? value : NULL, &size), rows[i].rv);
        assert_int_equal(size, rows[i].size);
        size_t written = rows[i].buffer && rows[i].rv == CKR_OK ? rows[i].size : 0;
        assert_memory_equal(value, "label", written);
        assert_true(all_poison(value + written, sizeof(value) - written));
    }
    object_free(object);
}

static void every_attribute_is_filled_though_one_fails(UNUSED void **state)
{
    struct object *object = sensitive_secret();
    char label[8];
    CK_ULONG class = 0;
    CK_ATTRIBUTE template[] = {
        {CKA_MODULUS, label, sizeof(label)},
        {CKA_LABEL, label, sizeof(label)},
        {CKA_VALUE, NULL, 0},
        {CKA_CLASS, &class, sizeof(class)},
    };
    assert_rv(object_get(object, template, ARRAY_SIZE(template)), CKR_ATTRIBUTE_TYPE_INVALID);
    assert_int_equal(template[0].ulValueLen, CK_UNAVAILABLE_INFORMATION);
    assert_int_equal(template[1].ulValueLen, 5);
    assert_int_equal(template[2].ulValueLen, CK_UNAVAILABLE_INFORMATION);
    assert_int_equal(class, CKO_SECRET_KEY);
    assert_ok(object_get(object, NULL, 0));
    object_free(object);
}

static bool matches_text(const struct object *object, CK_ATTRIBUTE_TYPE type, const char *text)
{
    struct template template = {.count = 0};
    add_text(&template, type, text);
    return object_matches(object, template.list, 1);
}

static void an_object_matches_by_whole_values(UNUSED void **state)
{
    struct object *object = sensitive_secret();
    struct template template = {.count = 0};
    assert_true(object_matches(object, NULL, 0));
    assert_true(matches_text(object, CKA_LABEL, "label"));
    assert_false(matches_text(object, CKA_LABEL, "labe"));
    assert_false(matches_text(object, CKA_LABEL, "label "));
    assert_false(matches_text(object, CKA_LABEL, "Label"));
    assert_true(matches_text(object, CKA_ID, ""));
    assert_false(matches_text(object, CKA_MODULUS, ""));
    add_text(&template, CKA_LABEL, "label");
    add_ulong(&template, CKA_CLASS, CKO_SECRET_KEY);
    assert_true(object_matches(object, template.list, 2));
    add_bool(&template, CKA_TOKEN, true);
    assert_false(object_matches(object, template.list, 3));
    object_free(object);
}

static void a_hidden_value_cannot_be_searched_for(UNUSED void **state)
{
    struct object *hidden = sensitive_secret();
    struct template template;
    begin_secret(&template);
    struct object *open = object_of(&template);
    assert_true(matches_text(open, CKA_VALUE, "the secret value"));
    assert_false(matches_text(hidden, CKA_VALUE, "the secret value"));
    object_free(open);
    object_free(hidden);
}

static void a_new_object_takes_the_attributes_over(UNUSED void **state)
{
    struct attributes attributes = {0};
    struct object *object = NULL;
    assert_ok(attributes_set_ulong(&attributes, CKA_CLASS, CKO_DATA));
    assert_ok(object_new(&attributes, &object));
    assert_int_equal(attributes.count, 0);
    assert_null(attributes.block);
    assert_int_equal(object_class(object), CKO_DATA);
    assert_false(object_bool(object, CKA_TOKEN));
    object_free(object);
    object_free(NULL);
}

static void the_size_grows_with_the_attributes(UNUSED void **state)
{
    struct object *object = sensitive_secret();
    CK_ULONG before = object_size(object);
    assert_true(before > strlen("the secret value") + strlen("label"));
    assert_ok(attributes_set(&object->attributes, CKA_LABEL, view_string("a longer label")));
    assert_int_equal(object_size(object), before + 9);
    object_free(object);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_five_cases_of_reading_an_attribute),
        cmocka_unit_test(every_attribute_is_filled_though_one_fails),
        cmocka_unit_test(an_object_matches_by_whole_values),
        cmocka_unit_test(a_hidden_value_cannot_be_searched_for),
        cmocka_unit_test(a_new_object_takes_the_attributes_over),
        cmocka_unit_test(the_size_grows_with_the_attributes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
