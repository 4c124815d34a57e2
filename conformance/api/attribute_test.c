/* PKCS#11 2.40 section 5.7, C_GetAttributeValue: its five cases. */
#include "conformance/api/objects.h"

#define CKA_NOBODY_KNOWS 0x7FFF1234UL

static CK_RV read_attributes(struct token *token, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *template,
                             CK_ULONG count)
{
    return p11->C_GetAttributeValue(token->session, object, template, count);
}

static struct token *any_token_or_skip(void)
{
    struct token *tokens[2];

    key_tokens(tokens);
    return tokens[0];
}

/* Case 3: pValue NULL asks for the length. */
static void a_null_value_asks_for_the_length(void **state)
{
    struct token *token = any_token_or_skip();
    CK_ATTRIBUTE attributes[] = {{CKA_VALUE, NULL, POISON_ULONG}, {CKA_CLASS, NULL, 0}};
    unsigned char value[MAX_VALUE];

    (void)state;
    assert_ok(read_attributes(token, token->certificate, attributes, 2));
    assert_int_equal(attributes[0].ulValueLen,
                     get_bytes(token->session, token->certificate, CKA_VALUE, value));
    assert_int_equal(attributes[1].ulValueLen, sizeof(CK_ULONG));
    assert_null(attributes[0].pValue);
}

/* Case 4: the value fits; its length is set, nothing after it is touched. */
static void a_value_that_fits_is_copied_with_its_length(void **state)
{
    struct token *token = any_token_or_skip();
    unsigned char value[MAX_VALUE], exact[MAX_VALUE];
    size_t length = get_bytes(token->session, token->certificate, CKA_VALUE, value);
    CK_ATTRIBUTE attribute = {CKA_VALUE, exact, length};

    (void)state;
    memset(exact, POISON_BYTE, sizeof(exact));
    assert_ok(read_attributes(token, token->certificate, &attribute, 1));
    assert_int_equal(attribute.ulValueLen, length);
    assert_memory_equal(value, exact, length);
    assert_true(untouched(exact + length, sizeof(exact) - length));
}

/* Case 5: too small. */
static void a_buffer_too_small_is_left_alone(void **state)
{
    struct token *token = any_token_or_skip();
    unsigned char value[MAX_VALUE];
    size_t length = get_bytes(token->session, token->certificate, CKA_VALUE, value);
    CK_ATTRIBUTE attribute = {CKA_VALUE, value, length - 1};

    (void)state;
    memset(value, POISON_BYTE, sizeof(value));
    assert_rv(read_attributes(token, token->certificate, &attribute, 1), CKR_BUFFER_TOO_SMALL);
    assert_int_equal(attribute.ulValueLen, UNAVAILABLE);
    assert_true(untouched(value, sizeof(value)));
    attribute.ulValueLen = 0;
    assert_rv(read_attributes(token, token->certificate, &attribute, 1), CKR_BUFFER_TOO_SMALL);
    assert_int_equal(attribute.ulValueLen, UNAVAILABLE);
}

/* Case 2: no such attribute of the object. */
static void an_attribute_the_object_does_not_have_is_invalid(void **state)
{
    struct token *token = any_token_or_skip();
    CK_ATTRIBUTE_TYPE types[] = {CKA_NOBODY_KNOWS, CKA_MODULUS, CKA_SIGN, ~0UL};
    unsigned char value[64];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        CK_ATTRIBUTE attribute = {types[i], value, sizeof(value)};

        memset(value, POISON_BYTE, sizeof(value));
        expect_rv(read_attributes(token, token->certificate, &attribute, 1),
                  CKR_ATTRIBUTE_TYPE_INVALID);
        expect_true(attribute.ulValueLen == UNAVAILABLE);
        expect_true(untouched(value, sizeof(value)));
    }
    expectations_met();
}

/* Case 1: the value may not leave the token. */
static void the_private_parts_are_sensitive(void **state)
{
    struct token *tokens[2];
    size_t count = key_tokens(tokens);
    CK_ATTRIBUTE_TYPE rsa[] = {CKA_PRIVATE_EXPONENT, CKA_PRIME_1,    CKA_PRIME_2,
                               CKA_EXPONENT_1,       CKA_EXPONENT_2, CKA_COEFFICIENT};
    CK_ATTRIBUTE_TYPE ec[] = {CKA_VALUE};

    (void)state;
    for (size_t i = 0; i < count; i++) {
        bool is_rsa = tokens[i]->key_type == CKK_RSA;
        size_t type_count = is_rsa ? COUNT_OF(rsa) : COUNT_OF(ec);

        for (size_t j = 0; j < type_count; j++) {
            unsigned char value[MAX_VALUE];
            CK_ATTRIBUTE attribute = {(is_rsa ? rsa : ec)[j], value, sizeof(value)};

            memset(value, POISON_BYTE, sizeof(value));
            expect_rv(read_attributes(tokens[i], tokens[i]->private_key, &attribute, 1),
                      CKR_ATTRIBUTE_SENSITIVE);
            expect_true(attribute.ulValueLen == UNAVAILABLE);
            expect_true(untouched(value, sizeof(value)));
        }
    }
    expectations_met();
}

static void even_the_length_of_a_sensitive_attribute_is_secret(void **state)
{
    struct token *token = any_token_or_skip();
    CK_ATTRIBUTE attribute = {token->key_type == CKK_RSA ? CKA_PRIVATE_EXPONENT : CKA_VALUE, NULL,
                              0};

    (void)state;
    assert_rv(read_attributes(token, token->private_key, &attribute, 1), CKR_ATTRIBUTE_SENSITIVE);
    assert_int_equal(attribute.ulValueLen, UNAVAILABLE);
}

static void one_bad_attribute_leaves_the_others_filled_in(void **state)
{
    struct token *token = any_token_or_skip();
    CK_ATTRIBUTE_TYPE secret = token->key_type == CKK_RSA ? CKA_PRIVATE_EXPONENT : CKA_VALUE;
    CK_OBJECT_CLASS class = POISON_ULONG;
    CK_KEY_TYPE key_type = POISON_ULONG;
    unsigned char nothing[MAX_VALUE], small[1], id[MAX_VALUE], label[MAX_VALUE];
    CK_ATTRIBUTE attributes[] = {
        {CKA_CLASS, &class, sizeof(class)}, {secret, nothing, sizeof(nothing)},
        {CKA_ID, id, sizeof(id)},           {CKA_NOBODY_KNOWS, nothing, sizeof(nothing)},
        {CKA_KEY_TYPE, small, 1},           {CKA_KEY_TYPE, &key_type, sizeof(key_type)},
        {CKA_LABEL, label, sizeof(label)},  {CKA_SIGN, NULL, 0},
    };

    (void)state;
    assert_rv(read_attributes(token, token->private_key, attributes, COUNT_OF(attributes)),
              CKR_ATTRIBUTE_SENSITIVE, CKR_ATTRIBUTE_TYPE_INVALID, CKR_BUFFER_TOO_SMALL);
    assert_int_equal(class, CKO_PRIVATE_KEY);
    assert_int_equal(key_type, token->key_type);
    assert_int_equal(attributes[1].ulValueLen, UNAVAILABLE);
    assert_int_equal(attributes[2].ulValueLen,
                     get_bytes(token->session, token->private_key, CKA_ID, nothing));
    assert_int_equal(attributes[3].ulValueLen, UNAVAILABLE);
    assert_int_equal(attributes[4].ulValueLen, UNAVAILABLE);
    assert_int_equal(attributes[5].ulValueLen, sizeof(key_type));
    assert_int_not_equal(attributes[6].ulValueLen, UNAVAILABLE);
    assert_int_equal(attributes[7].ulValueLen, sizeof(CK_BBOOL));
}

static void bad_handles_and_templates_are_refused(void **state)
{
    struct token *token = any_token_or_skip();
    CK_OBJECT_HANDLE handles[] = {0, ~0UL, token->certificate ^ (1UL << 30)};
    CK_ULONG class;
    CK_ATTRIBUTE attribute = {CKA_CLASS, &class, sizeof(class)};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(handles); i++)
        expect_rv(read_attributes(token, handles[i], &attribute, 1), CKR_OBJECT_HANDLE_INVALID);
    expect_rv(read_attributes(token, token->certificate, NULL, 1), CKR_ARGUMENTS_BAD);
    expect_rv(read_attributes(token, token->certificate, &attribute, 0), CKR_OK, CKR_ARGUMENTS_BAD);
    expectations_met();
}

#define test(function) cmocka_unit_test_teardown(function, close_everything)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_null_value_asks_for_the_length),
        test(a_value_that_fits_is_copied_with_its_length),
        test(a_buffer_too_small_is_left_alone),
        test(an_attribute_the_object_does_not_have_is_invalid),
        test(the_private_parts_are_sensitive),
        test(even_the_length_of_a_sensitive_attribute_is_secret),
        test(one_bad_attribute_leaves_the_others_filled_in),
        test(bad_handles_and_templates_are_refused),
    };

    return cmocka_run_group_tests(tests, initialised_setup, initialised_teardown);
}
