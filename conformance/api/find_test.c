/* PKCS#11 2.40 section 5.7: C_FindObjectsInit, C_FindObjects and
 * C_FindObjectsFinal. */
#include "conformance/api/objects.h"

#define CKO_NSS_TRUST 0xCE534353UL
#define CKA_NOBODY_KNOWS 0x7FFF1234UL

static CK_BBOOL yes = CK_TRUE;

static struct token *any_token_or_skip(void)
{
    struct token *tokens[2];

    key_tokens(tokens);
    return tokens[0];
}

static void a_search_is_begun_once(void **state)
{
    struct token *token = any_token_or_skip();

    (void)state;
    assert_ok(p11->C_FindObjectsInit(token->session, NULL, 0));
    assert_rv(p11->C_FindObjectsInit(token->session, NULL, 0), CKR_OPERATION_ACTIVE);
    assert_ok(p11->C_FindObjectsFinal(token->session));
}

static void a_search_that_was_not_begun_has_no_end(void **state)
{
    struct token *token = any_token_or_skip();
    CK_OBJECT_HANDLE object = POISON_ULONG;
    CK_ULONG count = POISON_ULONG;

    (void)state;
    assert_rv(p11->C_FindObjectsFinal(token->session), CKR_OPERATION_NOT_INITIALIZED);
    assert_rv(p11->C_FindObjects(token->session, &object, 1, &count),
              CKR_OPERATION_NOT_INITIALIZED);
    assert_int_equal(object, POISON_ULONG);
    assert_ok(p11->C_FindObjectsInit(token->session, NULL, 0));
    assert_ok(p11->C_FindObjectsFinal(token->session));
    assert_rv(p11->C_FindObjectsFinal(token->session), CKR_OPERATION_NOT_INITIALIZED);
}

static void the_objects_come_one_by_one_too(void **state)
{
    struct token *token = any_token_or_skip();
    CK_OBJECT_HANDLE all[MAX_FOUND], one[2];
    CK_ULONG total = find_all(token->session, NULL, 0, all), count;

    (void)state;
    assert_true(total >= 3);
    assert_ok(p11->C_FindObjectsInit(token->session, NULL, 0));
    for (CK_ULONG i = 0; i < total; i++) {
        one[0] = one[1] = count = POISON_ULONG;
        assert_ok(p11->C_FindObjects(token->session, one, 1, &count));
        assert_int_equal(count, 1);
        assert_int_equal(one[0], all[i]);
        assert_int_equal(one[1], POISON_ULONG);
    }
    assert_ok(p11->C_FindObjects(token->session, one, 1, &count));
    assert_int_equal(count, 0);
    assert_ok(p11->C_FindObjects(token->session, one, 1, &count));
    assert_int_equal(count, 0);
    assert_ok(p11->C_FindObjectsFinal(token->session));
}

static void asking_for_no_object_gives_none_and_loses_none(void **state)
{
    struct token *token = any_token_or_skip();
    CK_OBJECT_HANDLE all[MAX_FOUND], objects[MAX_FOUND];
    CK_ULONG total = find_all(token->session, NULL, 0, all), count = POISON_ULONG;

    (void)state;
    assert_ok(p11->C_FindObjectsInit(token->session, NULL, 0));
    if (assert_rv(p11->C_FindObjects(token->session, objects, 0, &count), CKR_OK,
                  CKR_ARGUMENTS_BAD) == CKR_OK)
        assert_int_equal(count, 0);
    assert_ok(p11->C_FindObjects(token->session, objects, MAX_FOUND, &count));
    assert_int_equal(count, total);
    assert_ok(p11->C_FindObjectsFinal(token->session));
}

static void null_pointers_do_not_end_a_search(void **state)
{
    struct token *token = any_token_or_skip();
    CK_OBJECT_HANDLE object;
    CK_ULONG count;

    (void)state;
    assert_ok(p11->C_FindObjectsInit(token->session, NULL, 0));
    assert_rv(p11->C_FindObjects(token->session, NULL, 1, &count), CKR_ARGUMENTS_BAD);
    assert_rv(p11->C_FindObjects(token->session, &object, 1, NULL), CKR_ARGUMENTS_BAD);
    signet_only("a call with bad arguments leaves the search as it was");
    assert_ok(p11->C_FindObjects(token->session, &object, 1, &count));
    assert_int_equal(count, 1);
    assert_ok(p11->C_FindObjectsFinal(token->session));
}

static void a_null_template_is_only_for_no_attributes(void **state)
{
    struct token *token = any_token_or_skip();
    CK_OBJECT_HANDLE object;
    CK_ULONG count;

    (void)state;
    assert_rv(p11->C_FindObjectsInit(token->session, NULL, 1), CKR_ARGUMENTS_BAD);
    assert_rv(p11->C_FindObjects(token->session, &object, 1, &count),
              CKR_OPERATION_NOT_INITIALIZED);
}

/* The handles of one class, and that no other object has it. */
static void class_is_found(struct token *token, CK_OBJECT_CLASS class, CK_OBJECT_HANDLE member)
{
    CK_OBJECT_HANDLE objects[MAX_FOUND];
    CK_ULONG count = find_class(token->session, class, objects);
    bool seen = false;

    for (CK_ULONG i = 0; i < count; i++) {
        assert_int_equal(get_ulong(token->session, objects[i], CKA_CLASS), class);
        seen = seen || objects[i] == member;
    }
    assert_true(seen);
}

static void objects_are_found_by_class(void **state)
{
    struct token *tokens[2];
    size_t count = key_tokens(tokens);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        class_is_found(tokens[i], CKO_PRIVATE_KEY, tokens[i]->private_key);
        class_is_found(tokens[i], CKO_PUBLIC_KEY, tokens[i]->public_key);
        class_is_found(tokens[i], CKO_CERTIFICATE, tokens[i]->certificate);
    }
}

/* Searches with the object's own values of these attributes. */
static void found_by(struct token *token, CK_OBJECT_HANDLE object, const CK_ATTRIBUTE_TYPE *types,
                     size_t type_count)
{
    unsigned char values[4][MAX_VALUE];
    CK_ATTRIBUTE template[4];
    CK_OBJECT_HANDLE objects[MAX_FOUND];
    CK_ULONG count;

    for (size_t i = 0; i < type_count; i++)
        template[i] = (CK_ATTRIBUTE){types[i], values[i],
                                     get_bytes(token->session, object, types[i], values[i])};
    count = find_all(token->session, template, type_count, objects);
    for (CK_ULONG i = 0; i < count; i++)
        if (objects[i] == object)
            return;
    print_error("not found by attribute 0x%lx and %zu more\n", types[0], type_count - 1);
    expectation_failed(__FILE__, __LINE__, "the object is found by its own attributes");
}

#define FOUND_BY(token, object, ...)                                                               \
    found_by(token, object, (CK_ATTRIBUTE_TYPE[]){__VA_ARGS__},                                    \
             COUNT_OF(((CK_ATTRIBUTE_TYPE[]){__VA_ARGS__})))

static void a_certificate_is_found_as_clients_search_it(void **state)
{
    struct token *token = any_token_or_skip();

    (void)state;
    FOUND_BY(token, token->certificate, CKA_VALUE);
    FOUND_BY(token, token->certificate, CKA_CLASS, CKA_SUBJECT);
    FOUND_BY(token, token->certificate, CKA_CLASS, CKA_ISSUER, CKA_SERIAL_NUMBER);
    FOUND_BY(token, token->certificate, CKA_TOKEN, CKA_LABEL);
    FOUND_BY(token, token->certificate, CKA_CLASS, CKA_CERTIFICATE_TYPE, CKA_ID);
    expectations_met();
}

static void keys_are_found_as_clients_search_them(void **state)
{
    struct token *tokens[2];
    size_t count = key_tokens(tokens);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        CK_ATTRIBUTE_TYPE part = tokens[i]->key_type == CKK_RSA ? CKA_MODULUS : CKA_EC_POINT;

        FOUND_BY(tokens[i], tokens[i]->private_key, CKA_CLASS, CKA_ID, CKA_SIGN);
        FOUND_BY(tokens[i], tokens[i]->private_key, CKA_CLASS, CKA_KEY_TYPE, CKA_TOKEN);
        FOUND_BY(tokens[i], tokens[i]->private_key, CKA_LABEL, CKA_PRIVATE);
        FOUND_BY(tokens[i], tokens[i]->public_key, CKA_CLASS, CKA_ID, CKA_VERIFY);
        FOUND_BY(tokens[i], tokens[i]->public_key, CKA_CLASS, part);
    }
    expectations_met();
}

static CK_ULONG count_matches(struct token *token, CK_ATTRIBUTE_TYPE type, void *value,
                              CK_ULONG length)
{
    CK_ATTRIBUTE template = {type, value, length};
    CK_OBJECT_HANDLE objects[MAX_FOUND];

    return find_all(token->session, &template, 1, objects);
}

static void what_is_not_there_is_not_found(void **state)
{
    struct token *token = any_token_or_skip();
    CK_OBJECT_CLASS classes[] = {CKO_TRUST, CKO_NSS_TRUST, CKO_HW_FEATURE, CKO_VENDOR_DEFINED,
                                 ~0UL};
    char nobody[] = "nobody has this label";

    (void)state;
    for (size_t i = 0; i < COUNT_OF(classes); i++)
        assert_int_equal(count_matches(token, CKA_CLASS, &classes[i], sizeof(classes[i])), 0);
    assert_int_equal(count_matches(token, CKA_LABEL, nobody, sizeof(nobody) - 1), 0);
    assert_int_equal(count_matches(token, CKA_ID, nobody, sizeof(nobody) - 1), 0);
}

static void every_attribute_of_the_template_must_match(void **state)
{
    struct token *token = any_token_or_skip();
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    char nobody[] = "nobody";
    CK_ATTRIBUTE template[] = {{CKA_CLASS, &class, sizeof(class)},
                               {CKA_LABEL, nobody, sizeof(nobody)}};
    CK_OBJECT_HANDLE objects[MAX_FOUND];

    (void)state;
    assert_int_equal(find_all(token->session, template, COUNT_OF(template), objects), 0);
}

static void a_value_matches_as_a_whole_only(void **state)
{
    struct token *token = any_token_or_skip();
    unsigned char value[MAX_VALUE + 1];
    size_t length = get_bytes(token->session, token->certificate, CKA_SUBJECT, value);

    (void)state;
    assert_true(count_matches(token, CKA_SUBJECT, value, length) >= 1);
    assert_int_equal(count_matches(token, CKA_SUBJECT, value, length - 1), 0);
    value[length] = 0;
    assert_int_equal(count_matches(token, CKA_SUBJECT, value, length + 1), 0);
    value[length - 1] ^= 1;
    assert_int_equal(count_matches(token, CKA_SUBJECT, value, length), 0);
}

/* The value of a sensitive attribute must not be found out by searching. */
static void an_unknown_or_secret_attribute_matches_nothing(void **state)
{
    struct token *token = any_token_or_skip();
    unsigned char bytes[32] = {0};
    CK_ATTRIBUTE_TYPE types[] = {CKA_NOBODY_KNOWS, CKA_PRIVATE_EXPONENT, CKA_VENDOR_DEFINED | 7};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        CK_ATTRIBUTE template = {types[i], bytes, sizeof(bytes)};
        CK_OBJECT_HANDLE object;
        CK_ULONG count = POISON_ULONG;

        if (assert_rv(p11->C_FindObjectsInit(token->session, &template, 1), CKR_OK,
                      CKR_ATTRIBUTE_TYPE_INVALID) != CKR_OK)
            continue;
        assert_ok(p11->C_FindObjects(token->session, &object, 1, &count));
        assert_int_equal(count, 0);
        assert_ok(p11->C_FindObjectsFinal(token->session));
    }
}

/* NSS finds certificates before the login only with this object. */
static void the_profile_object_says_that_certificates_are_public(void **state)
{
    struct token *token = any_token_or_skip();
    CK_ULONG profile = CKP_PUBLIC_CERTIFICATES_TOKEN;
    CK_OBJECT_CLASS class = CKO_PROFILE;
    CK_ATTRIBUTE template[] = {{CKA_CLASS, &class, sizeof(class)},
                               {CKA_PROFILE_ID, &profile, sizeof(profile)},
                               {CKA_TOKEN, &yes, sizeof(yes)}};
    CK_OBJECT_HANDLE objects[MAX_FOUND];

    (void)state;
    signet_only("a profile object of every token");
    assert_int_equal(find_all(token->session, template, COUNT_OF(template), objects), 1);
    assert_int_equal(get_ulong(token->session, objects[0], CKA_PROFILE_ID), profile);
    assert_int_equal(get_ulong(token->session, objects[0], CKA_CLASS), CKO_PROFILE);
    assert_false(get_bool(token->session, objects[0], CKA_PRIVATE));
}

static void before_login_private_objects_are_hidden_and_others_are_not(void **state)
{
    struct token *token = token_without_login("PKCS11_TOKEN_PIN");
    CK_OBJECT_HANDLE objects[MAX_FOUND];
    CK_ULONG count = count_matches(token, CKA_PRIVATE, &yes, sizeof(yes));

    (void)state;
    assert_int_equal(count, 0);
    assert_true(find_class(token->session, CKO_CERTIFICATE, objects) >= 1);
    assert_true(find_class(token->session, CKO_PUBLIC_KEY, objects) >= 1);
    assert_ok(login(token->session, pin_or_skip()));
    assert_true(find_class(token->session, CKO_PRIVATE_KEY, objects) >= 1);
    assert_true(count_matches(token, CKA_PRIVATE, &yes, sizeof(yes)) >= 1);
    assert_ok(p11->C_Logout(token->session));
    assert_int_equal(count_matches(token, CKA_PRIVATE, &yes, sizeof(yes)), 0);
}

/* Section 5.6, C_Logout: handles of private objects become invalid. */
static void after_logout_a_private_handle_is_dead(void **state)
{
    struct token *token = token_or_skip("PKCS11_TOKEN_PIN");
    CK_MECHANISM mechanism = {token->key_type == CKK_RSA ? CKM_RSA_PKCS : CKM_ECDSA, NULL, 0};

    (void)state;
    if (!get_bool(token->session, token->private_key, CKA_PRIVATE))
        skip_because("the private key object is public");
    assert_ok(p11->C_Logout(token->session));
    assert_rv(attribute_rv(token->session, token->private_key, CKA_LABEL),
              CKR_OBJECT_HANDLE_INVALID);
    assert_rv(p11->C_SignInit(token->session, &mechanism, token->private_key),
              CKR_KEY_HANDLE_INVALID, CKR_OBJECT_HANDLE_INVALID, CKR_USER_NOT_LOGGED_IN);
}

static void every_session_sees_the_same_handles(void **state)
{
    struct token *token = any_token_or_skip();
    CK_OBJECT_HANDLE one[MAX_FOUND], two[MAX_FOUND];
    CK_ULONG count = find_all(token->session, NULL, 0, one);

    (void)state;
    assert_int_equal(find_all(open_rw_session(token->slot), NULL, 0, two), count);
    for (CK_ULONG i = 0; i < count; i++)
        assert_int_equal(get_ulong(token->session, two[i], CKA_CLASS),
                         get_ulong(token->session, one[i], CKA_CLASS));
}

#define test(function) cmocka_unit_test_teardown(function, close_everything)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_search_is_begun_once),
        test(a_search_that_was_not_begun_has_no_end),
        test(the_objects_come_one_by_one_too),
        test(asking_for_no_object_gives_none_and_loses_none),
        test(null_pointers_do_not_end_a_search),
        test(a_null_template_is_only_for_no_attributes),
        test(objects_are_found_by_class),
        test(a_certificate_is_found_as_clients_search_it),
        test(keys_are_found_as_clients_search_them),
        test(what_is_not_there_is_not_found),
        test(every_attribute_of_the_template_must_match),
        test(a_value_matches_as_a_whole_only),
        test(an_unknown_or_secret_attribute_matches_nothing),
        test(the_profile_object_says_that_certificates_are_public),
        test(before_login_private_objects_are_hidden_and_others_are_not),
        test(after_logout_a_private_handle_is_dead),
        test(every_session_sees_the_same_handles),
    };

    return cmocka_run_group_tests(tests, initialised_setup, initialised_teardown);
}
