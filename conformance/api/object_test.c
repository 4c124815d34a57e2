/* PKCS#11 2.40 section 5.7: objects made, copied, changed and destroyed. */
#include "conformance/api/objects.h"

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
static CK_OBJECT_CLASS data_class = CKO_DATA, secret_class = CKO_SECRET_KEY;
static CK_OBJECT_CLASS public_class = CKO_PUBLIC_KEY;
static CK_KEY_TYPE generic = CKK_GENERIC_SECRET;
static unsigned char text[] = "a value of some length";

#define DATA_TEMPLATE(token)                                                                       \
    {                                                                                              \
        {CKA_CLASS, &data_class, sizeof(data_class)}, {CKA_TOKEN, &(token), sizeof(token)},        \
            {CKA_PRIVATE, &no, sizeof(no)}, {CKA_LABEL, text, 7}, {CKA_VALUE, text, sizeof(text)}, \
    }

/* A token of which the tests may change nothing for good. */
static struct token *any_token_or_skip(void)
{
    struct token *tokens[2];

    key_tokens(tokens);
    return tokens[0];
}

static struct token *write_protected_token_or_skip(void)
{
    struct token *token = any_token_or_skip();

    if (!write_protected(token->slot))
        skip_because("the token is not write-protected");
    return token;
}

static CK_OBJECT_HANDLE create_or_skip(CK_SESSION_HANDLE session, CK_ATTRIBUTE *template,
                                       CK_ULONG count)
{
    CK_OBJECT_HANDLE object = POISON_ULONG;
    CK_RV rv = p11->C_CreateObject(session, template, count, &object);

    if (rv == CKR_TEMPLATE_INCONSISTENT || rv == CKR_ATTRIBUTE_VALUE_INVALID ||
        rv == CKR_FUNCTION_NOT_SUPPORTED)
        skip_because("such a session object is not supported: %s", rv_name(rv));
    assert_ok(rv);
    assert_int_not_equal(object, POISON_ULONG);
    return object;
}

static void every_object_has_a_size_or_none_is_told(void **state)
{
    struct token *token = any_token_or_skip();
    CK_OBJECT_HANDLE objects[MAX_FOUND];
    CK_ULONG count = find_all(token->session, NULL, 0, objects), size = 0;

    (void)state;
    for (CK_ULONG i = 0; i < count; i++) {
        size = POISON_ULONG;
        assert_rv(p11->C_GetObjectSize(token->session, objects[i], &size), CKR_OK,
                  CKR_INFORMATION_SENSITIVE, CKR_FUNCTION_NOT_SUPPORTED);
    }
    assert_rv(p11->C_GetObjectSize(token->session, 0, &size), CKR_OBJECT_HANDLE_INVALID,
              CKR_FUNCTION_NOT_SUPPORTED);
    assert_rv(p11->C_GetObjectSize(token->session, objects[0], NULL), CKR_ARGUMENTS_BAD,
              CKR_FUNCTION_NOT_SUPPORTED);
}

static void a_write_protected_token_takes_no_object(void **state)
{
    struct token *token = write_protected_token_or_skip();
    CK_ATTRIBUTE template[] = DATA_TEMPLATE(yes);
    CK_OBJECT_HANDLE object = POISON_ULONG, before[MAX_FOUND], after[MAX_FOUND];
    CK_ULONG count = find_all(token->session, NULL, 0, before);

    (void)state;
    assert_rv(p11->C_CreateObject(token->session, template, COUNT_OF(template), &object),
              CKR_TOKEN_WRITE_PROTECTED, CKR_SESSION_READ_ONLY);
    assert_rv(
        p11->C_CreateObject(open_rw_session(token->slot), template, COUNT_OF(template), &object),
        CKR_TOKEN_WRITE_PROTECTED);
    assert_true(object == POISON_ULONG || object == CK_INVALID_HANDLE);
    assert_int_equal(find_all(token->session, NULL, 0, after), count);
}

static void a_write_protected_token_keeps_its_objects(void **state)
{
    struct token *token = write_protected_token_or_skip();
    CK_SESSION_HANDLE session = open_rw_session(token->slot);
    CK_OBJECT_HANDLE objects[MAX_FOUND];
    CK_ULONG count = find_all(session, NULL, 0, objects);

    (void)state;
    for (CK_ULONG i = 0; i < count; i++)
        assert_rv(p11->C_DestroyObject(session, objects[i]), CKR_TOKEN_WRITE_PROTECTED,
                  CKR_ACTION_PROHIBITED);
    assert_rv(p11->C_DestroyObject(token->session, objects[0]), CKR_TOKEN_WRITE_PROTECTED,
              CKR_SESSION_READ_ONLY, CKR_ACTION_PROHIBITED);
    assert_int_equal(find_all(session, NULL, 0, objects), count);
}

static void a_write_protected_token_keeps_its_attributes(void **state)
{
    struct token *token = write_protected_token_or_skip();
    CK_SESSION_HANDLE session = open_rw_session(token->slot);
    CK_ATTRIBUTE label = {CKA_LABEL, text, 5};
    unsigned char before[MAX_VALUE], after[MAX_VALUE];
    size_t length = get_bytes(session, token->certificate, CKA_LABEL, before);

    (void)state;
    assert_rv(p11->C_SetAttributeValue(session, token->certificate, &label, 1),
              CKR_TOKEN_WRITE_PROTECTED, CKR_ACTION_PROHIBITED, CKR_ATTRIBUTE_READ_ONLY);
    assert_int_equal(get_bytes(session, token->certificate, CKA_LABEL, after), length);
    assert_memory_equal(before, after, length);
}

static void a_write_protected_token_makes_no_key_pair_of_its_own(void **state)
{
    struct token *token = write_protected_token_or_skip();
    CK_MECHANISM mechanism = {CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0};
    CK_ATTRIBUTE template = {CKA_TOKEN, &yes, sizeof(yes)};
    CK_OBJECT_HANDLE public_key = POISON_ULONG, private_key = POISON_ULONG;

    (void)state;
    assert_rv(p11->C_GenerateKeyPair(open_rw_session(token->slot), &mechanism, &template, 1,
                                     &template, 1, &public_key, &private_key),
              CKR_TOKEN_WRITE_PROTECTED, CKR_MECHANISM_INVALID, CKR_FUNCTION_NOT_SUPPORTED);
}

static void a_session_data_object_lives_as_long_as_its_session(void **state)
{
    struct token *token = any_token_or_skip();
    CK_SESSION_HANDLE session = open_session(token->slot);
    CK_ATTRIBUTE template[] = DATA_TEMPLATE(no);
    CK_OBJECT_HANDLE object = create_or_skip(session, template, COUNT_OF(template));
    unsigned char value[MAX_VALUE];

    (void)state;
    assert_int_equal(get_bytes(session, object, CKA_VALUE, value), sizeof(text));
    assert_memory_equal(value, text, sizeof(text));
    assert_false(get_bool(session, object, CKA_TOKEN));
    assert_int_equal(get_bytes(token->session, object, CKA_VALUE, value), sizeof(text));
    assert_ok(p11->C_CloseSession(session));
    assert_rv(attribute_rv(token->session, object, CKA_VALUE), CKR_OBJECT_HANDLE_INVALID);
}

static void a_session_data_object_is_found_and_destroyed(void **state)
{
    struct token *token = any_token_or_skip();
    CK_ATTRIBUTE template[] = DATA_TEMPLATE(no);
    CK_OBJECT_HANDLE object = create_or_skip(token->session, template, COUNT_OF(template));
    CK_OBJECT_HANDLE objects[MAX_FOUND];

    (void)state;
    assert_int_equal(find_all(token->session, template, COUNT_OF(template), objects), 1);
    assert_int_equal(objects[0], object);
    assert_ok(p11->C_DestroyObject(token->session, object));
    assert_rv(p11->C_DestroyObject(token->session, object), CKR_OBJECT_HANDLE_INVALID);
    assert_int_equal(find_all(token->session, template, COUNT_OF(template), objects), 0);
}

static void a_session_secret_key_can_be_made(void **state)
{
    struct token *token = any_token_or_skip();
    CK_ATTRIBUTE template[] = {{CKA_CLASS, &secret_class, sizeof(secret_class)},
                               {CKA_KEY_TYPE, &generic, sizeof(generic)},
                               {CKA_TOKEN, &no, sizeof(no)},
                               {CKA_SENSITIVE, &no, sizeof(no)},
                               {CKA_EXTRACTABLE, &yes, sizeof(yes)},
                               {CKA_VALUE, text, sizeof(text)}};
    CK_OBJECT_HANDLE object = create_or_skip(token->session, template, COUNT_OF(template));
    unsigned char value[MAX_VALUE];

    (void)state;
    assert_int_equal(get_bytes(token->session, object, CKA_VALUE, value), sizeof(text));
    assert_memory_equal(value, text, sizeof(text));
    assert_int_equal(get_ulong(token->session, object, CKA_VALUE_LEN), sizeof(text));
    assert_false(get_bool(token->session, object, CKA_LOCAL));
    assert_ok(p11->C_DestroyObject(token->session, object));
}

static void a_sensitive_session_secret_key_hides_its_value(void **state)
{
    struct token *token = any_token_or_skip();
    CK_ATTRIBUTE template[] = {{CKA_CLASS, &secret_class, sizeof(secret_class)},
                               {CKA_KEY_TYPE, &generic, sizeof(generic)},
                               {CKA_TOKEN, &no, sizeof(no)},
                               {CKA_SENSITIVE, &yes, sizeof(yes)},
                               {CKA_VALUE, text, sizeof(text)}};
    CK_OBJECT_HANDLE object = create_or_skip(token->session, template, COUNT_OF(template));

    (void)state;
    assert_rv(attribute_rv(token->session, object, CKA_VALUE), CKR_ATTRIBUTE_SENSITIVE);
}

/* The public key of one token, as a new object of the session. */
static CK_OBJECT_HANDLE copy_of_rsa_key(struct token *token)
{
    static unsigned char modulus[MAX_VALUE], exponent[MAX_VALUE];
    CK_KEY_TYPE rsa = CKK_RSA;
    CK_ATTRIBUTE template[] = {
        {CKA_CLASS, &public_class, sizeof(public_class)},
        {CKA_KEY_TYPE, &rsa, sizeof(rsa)},
        {CKA_TOKEN, &no, sizeof(no)},
        {CKA_VERIFY, &yes, sizeof(yes)},
        {CKA_MODULUS, modulus, get_bytes(token->session, token->public_key, CKA_MODULUS, modulus)},
        {CKA_PUBLIC_EXPONENT, exponent,
         get_bytes(token->session, token->public_key, CKA_PUBLIC_EXPONENT, exponent)},
    };

    return create_or_skip(token->session, template, COUNT_OF(template));
}

static void a_session_public_key_verifies(void **state)
{
    struct token *token = token_or_skip("PKCS11_TOKEN_RSA");
    CK_OBJECT_HANDLE key = copy_of_rsa_key(token);
    CK_MECHANISM mechanism = {CKM_SHA256_RSA_PKCS, NULL, 0};
    unsigned char signature[1024];
    CK_ULONG length = sizeof(signature);

    (void)state;
    mechanism_or_skip(token->slot, mechanism.mechanism);
    assert_ok(p11->C_SignInit(token->session, &mechanism, token->private_key));
    assert_ok(p11->C_Sign(token->session, text, sizeof(text), signature, &length));
    assert_ok(p11->C_VerifyInit(token->session, &mechanism, key));
    assert_ok(p11->C_Verify(token->session, text, sizeof(text), signature, length));
    assert_int_equal(get_ulong(token->session, key, CKA_MODULUS_BITS), token->signature_size * 8);
}

static void an_incomplete_template_is_refused(void **state)
{
    struct token *token = any_token_or_skip();
    CK_KEY_TYPE rsa = CKK_RSA;
    CK_ATTRIBUTE only_class = {CKA_CLASS, &secret_class, sizeof(secret_class)};
    CK_ATTRIBUTE no_class = {CKA_LABEL, text, 3};
    CK_ATTRIBUTE no_modulus[] = {{CKA_CLASS, &public_class, sizeof(public_class)},
                                 {CKA_KEY_TYPE, &rsa, sizeof(rsa)},
                                 {CKA_TOKEN, &no, sizeof(no)}};
    CK_OBJECT_HANDLE object = POISON_ULONG;

    (void)state;
    expect_rv(p11->C_CreateObject(token->session, NULL, 0, &object), CKR_TEMPLATE_INCOMPLETE,
              CKR_ARGUMENTS_BAD);
    expect_rv(p11->C_CreateObject(token->session, &only_class, 1, &object),
              CKR_TEMPLATE_INCOMPLETE);
    expect_rv(p11->C_CreateObject(token->session, &no_class, 1, &object), CKR_TEMPLATE_INCOMPLETE);
    expect_rv(p11->C_CreateObject(token->session, no_modulus, 3, &object), CKR_TEMPLATE_INCOMPLETE);
    expect_true(object == POISON_ULONG || object == CK_INVALID_HANDLE);
    expectations_met();
}

static void a_wrong_template_is_refused(void **state)
{
    struct token *token = any_token_or_skip();
    CK_OBJECT_CLASS unknown = 0x7FFF0001UL;
    CK_BBOOL neither = 7;
    CK_ATTRIBUTE unknown_class[] = {{CKA_CLASS, &unknown, sizeof(unknown)},
                                    {CKA_TOKEN, &no, sizeof(no)}};
    CK_ATTRIBUTE short_class[] = {{CKA_CLASS, &data_class, 1}, {CKA_TOKEN, &no, sizeof(no)}};
    CK_ATTRIBUTE odd_bool[] = {{CKA_CLASS, &data_class, sizeof(data_class)},
                               {CKA_TOKEN, &no, sizeof(no)},
                               {CKA_MODIFIABLE, &neither, 2}};
    CK_ATTRIBUTE null_value[] = {{CKA_CLASS, &data_class, sizeof(data_class)},
                                 {CKA_TOKEN, &no, sizeof(no)},
                                 {CKA_VALUE, NULL, 9}};
    CK_OBJECT_HANDLE object = POISON_ULONG;

    (void)state;
    signet_only("codes for wrong templates");
    expect_rv(p11->C_CreateObject(token->session, unknown_class, 2, &object),
              CKR_ATTRIBUTE_VALUE_INVALID, CKR_TEMPLATE_INCONSISTENT);
    expect_rv(p11->C_CreateObject(token->session, short_class, 2, &object),
              CKR_ATTRIBUTE_VALUE_INVALID);
    expect_rv(p11->C_CreateObject(token->session, odd_bool, 3, &object),
              CKR_ATTRIBUTE_VALUE_INVALID, CKR_TEMPLATE_INCONSISTENT);
    expect_rv(p11->C_CreateObject(token->session, null_value, 3, &object),
              CKR_ATTRIBUTE_VALUE_INVALID, CKR_ARGUMENTS_BAD, CKR_TEMPLATE_INCONSISTENT);
    expect_true(object == POISON_ULONG || object == CK_INVALID_HANDLE);
    expectations_met();
}

static void an_empty_copy_of_a_session_object_is_its_equal(void **state)
{
    struct token *token = any_token_or_skip();
    CK_ATTRIBUTE template[] = DATA_TEMPLATE(no);
    CK_OBJECT_HANDLE object = create_or_skip(token->session, template, COUNT_OF(template));
    CK_OBJECT_HANDLE copy = POISON_ULONG;
    unsigned char value[MAX_VALUE];

    (void)state;
    assert_ok(p11->C_CopyObject(token->session, object, NULL, 0, &copy));
    assert_int_not_equal(copy, object);
    assert_ok(p11->C_DestroyObject(token->session, object));
    assert_int_equal(get_bytes(token->session, copy, CKA_VALUE, value), sizeof(text));
    assert_memory_equal(value, text, sizeof(text));
}

/* NSS's selfserv copies an RSA key to the session, then the copy once more. */
static void copying_the_private_key_does_no_harm(void **state)
{
    struct token *tokens[2];
    size_t count = key_tokens(tokens);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        CK_ATTRIBUTE to_session = {CKA_TOKEN, &no, sizeof(no)};
        CK_OBJECT_HANDLE copy = POISON_ULONG, again = POISON_ULONG;
        CK_SESSION_HANDLE session = tokens[i]->session;
        CK_RV rv = p11->C_CopyObject(session, tokens[i]->private_key, &to_session, 1, &copy);

        assert_rv(rv, CKR_OK, CKR_ACTION_PROHIBITED, CKR_FUNCTION_NOT_SUPPORTED,
                  CKR_TOKEN_WRITE_PROTECTED, CKR_TEMPLATE_INCONSISTENT);
        if (rv == CKR_OK) {
            assert_ok(p11->C_CopyObject(session, copy, NULL, 0, &again));
            assert_true(get_bool(session, again, CKA_SENSITIVE));
            assert_false(get_bool(session, again, CKA_EXTRACTABLE));
        }
        rv = p11->C_CopyObject(open_session(tokens[i]->slot), tokens[i]->private_key, NULL, 0,
                               &again);
        assert_rv(rv, CKR_SESSION_READ_ONLY, CKR_TOKEN_WRITE_PROTECTED, CKR_ACTION_PROHIBITED,
                  CKR_FUNCTION_NOT_SUPPORTED);
    }
}

static void a_copy_signs_like_the_key_itself(void **state)
{
    struct token *token = token_or_skip("PKCS11_TOKEN_RSA");
    CK_ATTRIBUTE to_session = {CKA_TOKEN, &no, sizeof(no)};
    CK_OBJECT_HANDLE copy = POISON_ULONG;
    CK_MECHANISM mechanism = {CKM_RSA_PKCS, NULL, 0};
    unsigned char one[1024], other[1024];
    CK_ULONG one_length = sizeof(one), other_length = sizeof(other);

    (void)state;
    if (p11->C_CopyObject(token->session, token->private_key, &to_session, 1, &copy) != CKR_OK)
        skip_because("the private key cannot be copied");
    assert_ok(p11->C_SignInit(token->session, &mechanism, token->private_key));
    assert_ok(p11->C_Sign(token->session, text, sizeof(text), one, &one_length));
    assert_ok(p11->C_SignInit(token->session, &mechanism, copy));
    assert_ok(p11->C_Sign(token->session, text, sizeof(text), other, &other_length));
    assert_int_equal(one_length, other_length);
    assert_memory_equal(one, other, one_length);
}

static void a_copy_cannot_be_weaker_than_the_key(void **state)
{
    struct token *token = any_token_or_skip();
    CK_ATTRIBUTE weaker[][2] = {
        {{CKA_TOKEN, &no, sizeof(no)}, {CKA_SENSITIVE, &no, sizeof(no)}},
        {{CKA_TOKEN, &no, sizeof(no)}, {CKA_EXTRACTABLE, &yes, sizeof(yes)}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(weaker); i++) {
        CK_OBJECT_HANDLE copy = POISON_ULONG;

        assert_rv(p11->C_CopyObject(token->session, token->private_key, weaker[i], 2, &copy),
                  CKR_ATTRIBUTE_READ_ONLY, CKR_TEMPLATE_INCONSISTENT, CKR_ACTION_PROHIBITED,
                  CKR_ATTRIBUTE_VALUE_INVALID, CKR_TOKEN_WRITE_PROTECTED,
                  CKR_FUNCTION_NOT_SUPPORTED);
        assert_true(copy == POISON_ULONG || copy == CK_INVALID_HANDLE);
    }
}

static void a_session_objects_label_can_be_changed(void **state)
{
    struct token *token = any_token_or_skip();
    CK_ATTRIBUTE template[] = DATA_TEMPLATE(no);
    CK_OBJECT_HANDLE object = create_or_skip(token->session, template, COUNT_OF(template));
    CK_ATTRIBUTE label = {CKA_LABEL, text, 3};
    CK_ATTRIBUTE class = {CKA_CLASS, &secret_class, sizeof(secret_class)};
    unsigned char value[MAX_VALUE];

    (void)state;
    assert_ok(p11->C_SetAttributeValue(token->session, object, &label, 1));
    assert_int_equal(get_bytes(token->session, object, CKA_LABEL, value), 3);
    assert_rv(p11->C_SetAttributeValue(token->session, object, &class, 1), CKR_ATTRIBUTE_READ_ONLY,
              CKR_ATTRIBUTE_TYPE_INVALID);
    assert_rv(p11->C_SetAttributeValue(token->session, object, NULL, 1), CKR_ARGUMENTS_BAD);
    assert_rv(p11->C_SetAttributeValue(token->session, 0, &label, 1), CKR_OBJECT_HANDLE_INVALID);
}

#define test(function) cmocka_unit_test_teardown(function, close_everything)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(every_object_has_a_size_or_none_is_told),
        test(a_write_protected_token_takes_no_object),
        test(a_write_protected_token_keeps_its_objects),
        test(a_write_protected_token_keeps_its_attributes),
        test(a_write_protected_token_makes_no_key_pair_of_its_own),
        test(a_session_data_object_lives_as_long_as_its_session),
        test(a_session_data_object_is_found_and_destroyed),
        test(a_session_secret_key_can_be_made),
        test(a_sensitive_session_secret_key_hides_its_value),
        test(a_session_public_key_verifies),
        test(an_incomplete_template_is_refused),
        test(a_wrong_template_is_refused),
        test(an_empty_copy_of_a_session_object_is_its_equal),
        test(copying_the_private_key_does_no_harm),
        test(a_copy_signs_like_the_key_itself),
        test(a_copy_cannot_be_weaker_than_the_key),
        test(a_session_objects_label_can_be_changed),
    };

    return cmocka_run_group_tests(tests, initialised_setup, initialised_teardown);
}
