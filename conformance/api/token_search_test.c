/* PKCS#11 2.40 section 5.7: searches on a token that holds many kinds of objects. */
#include "conformance/api/fresh.h"
#include "conformance/api/samples.h"

#define MANY 150

static void make_one_of_each(CK_SESSION_HANDLE session)
{
    for (enum kind kind = 0; kind < KINDS; kind++)
        create_sample(session, kind, true, kind & 1);
}

static void expect_found(CK_SESSION_HANDLE session, CK_ATTRIBUTE *list, CK_ULONG count,
                         CK_ULONG expected)
{
    CK_OBJECT_HANDLE objects[MAX_FOUND];
    CK_ULONG found = find_all(session, list, count, objects);

    if (found == expected)
        return;
    print_error("    %lu objects of attribute 0x%lx… where %lu were expected\n", found,
                count ? list[0].type : 0, expected);
    expectation_failed(__FILE__, __LINE__, "the right number of objects");
}

static void objects_are_found_by_what_they_are(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    struct template rsa = sample(RSA_PUBLIC), certificate = sample(CERTIFICATE);

    (void)state;
    make_one_of_each(session);
    expect_found(session, LIST(NUMBER(CKA_CLASS, CKO_DATA)), 1);
    expect_found(session, LIST(NUMBER(CKA_CLASS, CKO_PUBLIC_KEY)), 2);
    expect_found(session, LIST(NUMBER(CKA_CLASS, CKO_PRIVATE_KEY)), 2);
    expect_found(session, LIST(NUMBER(CKA_CLASS, CKO_SECRET_KEY)), 2);
    expect_found(session, LIST(NUMBER(CKA_KEY_TYPE, CKK_RSA)), 2);
    expect_found(session, LIST(NUMBER(CKA_KEY_TYPE, CKK_EC), NUMBER(CKA_CLASS, CKO_PRIVATE_KEY)),
                 1);
    expect_found(session, LIST(TEXT(CKA_LABEL, "an AES key")), 1);
    expect_found(session, LIST(TEXT(CKA_LABEL, "an AES")), 0);
    expect_found(session, LIST(TEXT(CKA_LABEL, "an AES key ")), 0);
    expect_found(session, LIST(FLAG(CKA_SIGN, true), FLAG(CKA_PRIVATE, true)), 3);
    expect_found(session, rsa.list, rsa.count, 1);
    expect_found(session, certificate.list, certificate.count, 1);
    expect_found(session, LIST(BYTES(CKA_EC_PARAMS, P256)), 2);
    expectations_met();
}

static void misses_find_nothing(void **state)
{
    CK_SESSION_HANDLE session = user_session();

    (void)state;
    make_one_of_each(session);
    expect_found(session, LIST(NUMBER(CKA_CLASS, CKO_TRUST)), 0);
    expect_found(session, LIST(NUMBER(CKA_CLASS, 0xCE534353UL)), 0);
    expect_found(session, LIST(TEXT(CKA_LABEL, "no such label")), 0);
    expect_found(session, LIST(TEXT(CKA_ID, "no such id")), 0);
    expect_found(session, LIST(NUMBER(0x7FFF0001UL, 1)), 0);
    expect_found(session, LIST(NUMBER(CKA_CLASS, CKO_DATA), TEXT(CKA_LABEL, "an AES key")), 0);
    expectations_met();
}

/* A search by a guessed value would tell what the value is. */
static void sensitive_values_cannot_be_searched_for(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    struct template template = sample(AES_KEY), private_key = sample(EC_PRIVATE);
    CK_OBJECT_HANDLE object = POISON_ULONG;

    (void)state;
    template_set(&template, (CK_ATTRIBUTE)FLAG(CKA_SENSITIVE, true));
    template_set(&template, (CK_ATTRIBUTE)FLAG(CKA_TOKEN, true));
    assert_ok(create_from(session, &template, &object));
    template_set(&private_key, (CK_ATTRIBUTE)FLAG(CKA_SENSITIVE, true));
    template_set(&private_key, (CK_ATTRIBUTE)FLAG(CKA_TOKEN, true));
    assert_ok(create_from(session, &private_key, &object));
    for (CK_ULONG i = 0; i < template.count; i++)
        if (template.list[i].type == CKA_VALUE)
            expect_found(session, &template.list[i], 1, 0);
    for (CK_ULONG i = 0; i < private_key.count; i++)
        if (private_key.list[i].type == CKA_VALUE)
            expect_found(session, &private_key.list[i], 1, 0);
    expectations_met();
}

static void token_and_session_objects_are_told_apart(void **state)
{
    CK_SESSION_HANDLE session = user_session();

    (void)state;
    create_sample(session, AES_KEY, true, true);
    create_sample(session, AES_KEY, false, true);
    create_sample(session, AES_KEY, false, false);
    expect_found(session, LIST(FLAG(CKA_TOKEN, true), NUMBER(CKA_CLASS, CKO_SECRET_KEY)), 1);
    expect_found(session, LIST(FLAG(CKA_TOKEN, false), NUMBER(CKA_CLASS, CKO_SECRET_KEY)), 2);
    expect_found(session, LIST(FLAG(CKA_PRIVATE, false), NUMBER(CKA_CLASS, CKO_SECRET_KEY)), 1);
    expectations_met();
}

static void private_objects_are_found_after_login_only(void **state)
{
    CK_SESSION_HANDLE session = user_session();

    (void)state;
    make_one_of_each(session);
    assert_ok(p11->C_Logout(session));
    for (enum kind kind = 0; kind < KINDS; kind++)
        expect_found(session, LIST(TEXT(CKA_LABEL, kind_name(kind))), kind & 1 ? 0 : 1);
    expectations_met();
}

static void make_many(CK_SESSION_HANDLE session)
{
    for (unsigned i = 0; i < MANY; i++) {
        CK_OBJECT_HANDLE object = POISON_ULONG;
        char name[16];

        snprintf(name, sizeof(name), "number %u", i);
        assert_ok(p11->C_CreateObject(session,
                                      LIST(NUMBER(CKA_CLASS, CKO_DATA), FLAG(CKA_TOKEN, i & 1),
                                           FLAG(CKA_PRIVATE, i & 2), TEXT(CKA_LABEL, name),
                                           TEXT(CKA_APPLICATION, "many")),
                                      &object));
    }
}

static void many_objects_are_found_piece_by_piece(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    CK_OBJECT_HANDLE found[MANY + 8];
    CK_ULONG count = 0, part = 0;

    (void)state;
    make_many(session);
    assert_ok(p11->C_FindObjectsInit(session, LIST(TEXT(CKA_APPLICATION, "many"))));
    do {
        assert_ok(p11->C_FindObjects(session, found + count, 7, &part));
        assert_true(part <= 7);
        for (CK_ULONG i = 0; i < part; i++)
            for (CK_ULONG j = 0; j < count + i; j++)
                assert_int_not_equal(found[count + i], found[j]);
        count += part;
        assert_true(count <= MANY);
    } while (part);
    assert_int_equal(count, MANY);
    assert_ok(p11->C_FindObjectsFinal(session));
}

static void a_running_search_survives_what_happens_meanwhile(void **state)
{
    CK_SESSION_HANDLE session = user_session(), other = open_rw_session(common_slot());
    CK_OBJECT_HANDLE objects[3 * MAX_FOUND];
    CK_ULONG count = 0;

    (void)state;
    make_many(session);
    assert_ok(p11->C_FindObjectsInit(session, LIST(TEXT(CKA_APPLICATION, "many"))));
    assert_ok(p11->C_FindObjects(session, objects, 1, &count));
    assert_int_equal(count, 1);
    assert_ok(p11->C_DestroyObject(other, objects[0]));
    create_sample(other, DATA, true, true);
    assert_ok(p11->C_FindObjects(session, objects, COUNT_OF(objects), &count));
    assert_in_range(count, MANY - 2, MANY);
    assert_ok(p11->C_FindObjectsFinal(session));
    expect_found(session, LIST(TEXT(CKA_LABEL, "data")), 1);
    expectations_met();
}

static void a_search_finds_what_was_just_changed(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    CK_OBJECT_HANDLE object = create_sample(session, CERTIFICATE, true, false);

    (void)state;
    expect_found(session, LIST(TEXT(CKA_ID, "new id")), 0);
    assert_ok(p11->C_SetAttributeValue(session, object,
                                       LIST(TEXT(CKA_ID, "new id"), TEXT(CKA_LABEL, "new"))));
    expect_found(session, LIST(TEXT(CKA_ID, "new id")), 1);
    expect_found(session, LIST(TEXT(CKA_LABEL, "new")), 1);
    expect_found(session, LIST(TEXT(CKA_LABEL, "a certificate")), 0);
    assert_ok(p11->C_DestroyObject(session, object));
    expect_found(session, LIST(TEXT(CKA_ID, "new id")), 0);
    expectations_met();
}

/* NSS asks for it; the answer decides whether Firefox lists certificates without PIN. */
static void the_token_says_that_its_certificates_are_public(void **state)
{
    CK_SESSION_HANDLE session = open_session(common_token(NULL));
    CK_OBJECT_HANDLE profiles[MAX_FOUND];
    CK_ULONG count;

    (void)state;
    signet_only("a profile object");
    count = find_class(session, CKO_PROFILE, profiles);
    assert_true(count > 0);
    for (CK_ULONG i = 0; i < count; i++)
        if (get_ulong(session, profiles[i], CKA_PROFILE_ID) == CKP_PUBLIC_CERTIFICATES_TOKEN)
            return;
    fail_msg("none of %lu profiles is CKP_PUBLIC_CERTIFICATES_TOKEN", count);
}

#define test(function) cmocka_unit_test_teardown(function, destroy_everything)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(objects_are_found_by_what_they_are),
        test(misses_find_nothing),
        test(sensitive_values_cannot_be_searched_for),
        test(token_and_session_objects_are_told_apart),
        test(private_objects_are_found_after_login_only),
        test(many_objects_are_found_piece_by_piece),
        test(a_running_search_survives_what_happens_meanwhile),
        test(a_search_finds_what_was_just_changed),
        test(the_token_says_that_its_certificates_are_public),
    };

    return cmocka_run_group_tests(tests, initialised_setup, initialised_teardown);
}
