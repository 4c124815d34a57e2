/* PKCS#11 2.40 section 5.7: objects of every class made, copied, changed and destroyed
 * on a token and in sessions, by everybody who may and who may not. */
#include "conformance/api/fresh.h"
#include "conformance/api/samples.h"

/* Who is logged in, in what kind of session. */
enum standing { RO_PUBLIC, RW_PUBLIC, RO_USER, RW_USER, RW_SO, STANDINGS };

static const char *const standing_names[STANDINGS] = {"read-only, nobody", "read-write, nobody",
                                                      "read-only, user", "read-write, user",
                                                      "read-write, SO"};

static CK_SESSION_HANDLE stand(enum standing standing)
{
    CK_SLOT_ID slot = common_token(NULL);
    bool writing = standing != RO_PUBLIC && standing != RO_USER;
    CK_SESSION_HANDLE session = writing ? open_rw_session(slot) : open_session(slot);

    if (standing == RO_USER || standing == RW_USER)
        assert_ok(login_as(session, CKU_USER, USER_PIN));
    if (standing == RW_SO)
        assert_ok(login_as(session, CKU_SO, SO_PIN));
    return session;
}

/* PKCS#11 2.40 section 2.4 of the user guide: which objects a session may make. */
static bool permitted(enum standing standing, bool token, bool private)
{
    bool writing = standing != RO_PUBLIC && standing != RO_USER;
    bool user = standing == RO_USER || standing == RW_USER;

    return (writing || !token) && (user || !private);
}

/* What the token keeps encrypted needs the user, though nobody hides it. */
static bool kept_secret(enum kind kind)
{
    return kind == RSA_PRIVATE || kind == EC_PRIVATE || kind == AES_KEY || kind == GENERIC_KEY;
}

static void check_making(CK_SESSION_HANDLE session, enum standing standing, enum kind kind,
                         bool token, bool private)
{
    struct template template = sample(kind);
    CK_OBJECT_HANDLE object = POISON_ULONG;
    CK_RV rv;

    template_set(&template, (CK_ATTRIBUTE)FLAG(CKA_TOKEN, token));
    template_set(&template, (CK_ATTRIBUTE)FLAG(CKA_PRIVATE, private));
    rv = create_from(session, &template, &object);
    if (rv == CKR_USER_NOT_LOGGED_IN && token && kept_secret(kind) && standing != RW_USER)
        return;
    if (permitted(standing, token, private))
        expect_rv(rv, CKR_OK);
    else
        expect_rv(rv, CKR_SESSION_READ_ONLY, CKR_USER_NOT_LOGGED_IN);
    if (rv == CKR_OK)
        expect_true(get_bool(session, object, CKA_TOKEN) == token &&
                    get_bool(session, object, CKA_PRIVATE) == private);
    if ((rv == CKR_OK) != permitted(standing, token, private))
        print_error("    %s: %s, token %d, private %d\n", standing_names[standing], kind_name(kind),
                    token, private);
}

static void who_may_make(enum standing standing)
{
    CK_SESSION_HANDLE session = stand(standing);

    for (enum kind kind = 0; kind < KINDS; kind++)
        for (unsigned i = 0; i < 4; i++)
            check_making(session, standing, kind, i & 1, i & 2);
    expectations_met();
}

static void a_stranger_in_a_read_only_session_makes_public_session_objects(void **state)
{
    (void)state;
    who_may_make(RO_PUBLIC);
}

static void a_stranger_makes_public_objects(void **state)
{
    (void)state;
    who_may_make(RW_PUBLIC);
}

static void the_user_in_a_read_only_session_makes_session_objects(void **state)
{
    (void)state;
    who_may_make(RO_USER);
}

static void the_user_makes_everything(void **state)
{
    (void)state;
    who_may_make(RW_USER);
}

static void the_so_makes_public_objects(void **state)
{
    (void)state;
    who_may_make(RW_SO);
}

static void token_objects_are_changed_in_read_write_sessions_only(void **state)
{
    CK_SESSION_HANDLE writing = user_session(), reading = open_session(common_slot());

    (void)state;
    for (enum kind kind = 0; kind < KINDS; kind++) {
        CK_OBJECT_HANDLE object = create_sample(writing, kind, true, true);
        CK_ATTRIBUTE label = TEXT(CKA_LABEL, "changed");
        unsigned char value[MAX_VALUE];

        expect_rv(p11->C_SetAttributeValue(reading, object, &label, 1), CKR_SESSION_READ_ONLY);
        expect_rv(p11->C_DestroyObject(reading, object), CKR_SESSION_READ_ONLY);
        expect_rv(p11->C_SetAttributeValue(writing, object, &label, 1), CKR_OK);
        expect_true(get_bytes(reading, object, CKA_LABEL, value) == 7);
        expect_true(memcmp(value, "changed", 7) == 0);
        expect_rv(p11->C_DestroyObject(writing, object), CKR_OK);
        expect_rv(attribute_rv(reading, object, CKA_LABEL), CKR_OBJECT_HANDLE_INVALID);
        expect_rv(p11->C_DestroyObject(writing, object), CKR_OBJECT_HANDLE_INVALID);
    }
    expectations_met();
}

static void session_objects_are_changed_in_any_session(void **state)
{
    CK_SESSION_HANDLE reading = open_session(common_token(NULL));

    (void)state;
    assert_ok(login_as(reading, CKU_USER, USER_PIN));
    for (enum kind kind = 0; kind < KINDS; kind++) {
        CK_OBJECT_HANDLE object = create_sample(reading, kind, false, true);
        CK_ATTRIBUTE label = TEXT(CKA_LABEL, "changed");
        unsigned char value[MAX_VALUE];

        expect_rv(p11->C_SetAttributeValue(reading, object, &label, 1), CKR_OK);
        expect_true(get_bytes(reading, object, CKA_LABEL, value) == 7);
        expect_rv(p11->C_DestroyObject(reading, object), CKR_OK);
    }
    expectations_met();
}

static void objects_are_copied_between_token_and_session(void **state)
{
    CK_SESSION_HANDLE session = user_session();

    (void)state;
    for (enum kind kind = 0; kind < KINDS; kind++)
        for (unsigned i = 0; i < 4; i++) {
            bool from = i & 1, to = i & 2;
            CK_OBJECT_HANDLE object = create_sample(session, kind, from, true);
            CK_OBJECT_HANDLE copy = POISON_ULONG;
            CK_RV rv = p11->C_CopyObject(
                session, object, LIST(FLAG(CKA_TOKEN, to), TEXT(CKA_LABEL, "a copy")), &copy);

            /* A key of the TPM cannot leave it. */
            if (rv == CKR_ACTION_PROHIBITED && (kind == RSA_PRIVATE || kind == EC_PRIVATE))
                continue;
            expect_rv(rv, CKR_OK);
            if (rv != CKR_OK) {
                print_error("    %s from %d to %d\n", kind_name(kind), from, to);
                continue;
            }
            expect_true(copy != object);
            expect_true(get_bool(session, copy, CKA_TOKEN) == to);
            expect_true(get_bool(session, object, CKA_TOKEN) == from);
        }
    expectations_met();
}

static void a_copy_has_what_the_original_has(void **state)
{
    static const CK_ATTRIBUTE_TYPE types[] = {CKA_CLASS, CKA_PRIVATE,     CKA_MODIFIABLE,
                                              CKA_LABEL, CKA_APPLICATION, CKA_VALUE};
    CK_SESSION_HANDLE session = user_session();
    CK_OBJECT_HANDLE object = create_sample(session, DATA, true, true), copy = POISON_ULONG;
    unsigned char one[MAX_VALUE], other[MAX_VALUE];

    (void)state;
    assert_ok(p11->C_CopyObject(session, object, LIST(FLAG(CKA_TOKEN, true)), &copy));
    assert_ok(p11->C_DestroyObject(session, object));
    object = create_sample(session, DATA, true, true);
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        size_t length = get_bytes(session, object, types[i], one);

        assert_int_equal(get_bytes(session, copy, types[i], other), length);
        assert_memory_equal(one, other, length);
    }
}

static void a_public_object_may_be_copied_to_a_private_one_only(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    CK_OBJECT_HANDLE public_one = create_sample(session, DATA, true, false);
    CK_OBJECT_HANDLE private_one = create_sample(session, DATA, true, true), copy = POISON_ULONG;

    (void)state;
    assert_ok(p11->C_CopyObject(session, public_one, LIST(FLAG(CKA_PRIVATE, true)), &copy));
    assert_true(get_bool(session, copy, CKA_PRIVATE));
    assert_rv(p11->C_CopyObject(session, private_one, LIST(FLAG(CKA_PRIVATE, false)), &copy),
              CKR_TEMPLATE_INCONSISTENT, CKR_ATTRIBUTE_READ_ONLY);
}

static void copies_obey_the_session(void **state)
{
    CK_SESSION_HANDLE writing = user_session(), reading = open_session(common_slot());
    CK_OBJECT_HANDLE object = create_sample(writing, DATA, true, false), copy = POISON_ULONG;

    (void)state;
    assert_rv(p11->C_CopyObject(reading, object, LIST(TEXT(CKA_LABEL, "copy")), &copy),
              CKR_SESSION_READ_ONLY);
    assert_ok(p11->C_CopyObject(reading, object, LIST(FLAG(CKA_TOKEN, false)), &copy));
    assert_rv(p11->C_CopyObject(reading, 0x7EADBEEFUL, LIST(FLAG(CKA_TOKEN, false)), &copy),
              CKR_OBJECT_HANDLE_INVALID);
    assert_ok(p11->C_Logout(writing));
    assert_rv(p11->C_CopyObject(reading, object,
                                LIST(FLAG(CKA_TOKEN, false), FLAG(CKA_PRIVATE, true)), &copy),
              CKR_USER_NOT_LOGGED_IN);
}

static void check_fixed(CK_SESSION_HANDLE session, CK_ATTRIBUTE_TYPE type, CK_RV changing,
                        CK_RV copying, CK_RV destroying)
{
    struct template template = sample(DATA);
    CK_OBJECT_HANDLE object = POISON_ULONG, copy = POISON_ULONG;

    template_set(&template, (CK_ATTRIBUTE)FLAG(CKA_TOKEN, false));
    template_set(&template, (CK_ATTRIBUTE)FLAG(type, false));
    assert_ok(create_from(session, &template, &object));
    expect_true(!get_bool(session, object, type));
    expect_rv(p11->C_SetAttributeValue(session, object, LIST(TEXT(CKA_LABEL, "changed"))),
              changing);
    expect_rv(p11->C_CopyObject(session, object, LIST(FLAG(CKA_TOKEN, false)), &copy), copying);
    expect_rv(p11->C_DestroyObject(session, object), destroying);
}

static void objects_may_be_made_unmodifiable(void **state)
{
    (void)state;
    check_fixed(user_session(), CKA_MODIFIABLE, CKR_ACTION_PROHIBITED, CKR_OK, CKR_OK);
    expectations_met();
}

static void objects_may_be_made_uncopyable(void **state)
{
    (void)state;
    check_fixed(user_session(), CKA_COPYABLE, CKR_OK, CKR_ACTION_PROHIBITED, CKR_OK);
    expectations_met();
}

static void objects_may_be_made_undestroyable(void **state)
{
    (void)state;
    check_fixed(user_session(), CKA_DESTROYABLE, CKR_OK, CKR_OK, CKR_ACTION_PROHIBITED);
    expectations_met();
}

static void an_undestroyable_token_object_goes_with_the_token(void **state)
{
    CK_SLOT_ID slot = fresh_token(NULL);
    CK_SESSION_HANDLE session = open_rw_session(slot);
    struct template template = sample(DATA);
    CK_OBJECT_HANDLE object = POISON_ULONG, objects[MAX_FOUND];

    (void)state;
    template_set(&template, (CK_ATTRIBUTE)FLAG(CKA_TOKEN, true));
    template_set(&template, (CK_ATTRIBUTE)FLAG(CKA_PRIVATE, false));
    template_set(&template, (CK_ATTRIBUTE)FLAG(CKA_DESTROYABLE, false));
    assert_ok(create_from(session, &template, &object));
    assert_rv(p11->C_DestroyObject(session, object), CKR_ACTION_PROHIBITED);
    assert_ok(p11->C_CloseAllSessions(slot));
    assert_ok(init_token(slot, SO_PIN));
    assert_int_equal(find_class(open_session(slot), CKO_DATA, objects), 0);
}

static void sizes_are_told_or_not_known(void **state)
{
    CK_SESSION_HANDLE session = user_session();

    (void)state;
    for (enum kind kind = 0; kind < KINDS; kind++) {
        CK_OBJECT_HANDLE object = create_sample(session, kind, true, true);
        CK_ULONG size = POISON_ULONG;

        expect_rv(p11->C_GetObjectSize(session, object, &size), CKR_OK);
        expect_true(size != POISON_ULONG && size != 0);
    }
    expectations_met();
}

static void a_sessions_objects_end_with_it_and_no_others(void **state)
{
    CK_SESSION_HANDLE one = user_session(), other = open_rw_session(common_slot());
    CK_OBJECT_HANDLE kept = create_sample(other, AES_KEY, false, true);
    CK_OBJECT_HANDLE stored = create_sample(one, AES_KEY, true, true);
    CK_OBJECT_HANDLE gone = create_sample(one, AES_KEY, false, true);

    (void)state;
    assert_ok(attribute_rv(other, gone, CKA_CLASS));
    assert_ok(p11->C_CloseSession(one));
    assert_ok(attribute_rv(other, kept, CKA_CLASS));
    assert_ok(attribute_rv(other, stored, CKA_CLASS));
    assert_rv(attribute_rv(other, gone, CKA_CLASS), CKR_OBJECT_HANDLE_INVALID);
}

#define test(function) cmocka_unit_test_teardown(function, destroy_everything)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_stranger_in_a_read_only_session_makes_public_session_objects),
        test(a_stranger_makes_public_objects),
        test(the_user_in_a_read_only_session_makes_session_objects),
        test(the_user_makes_everything),
        test(the_so_makes_public_objects),
        test(token_objects_are_changed_in_read_write_sessions_only),
        test(session_objects_are_changed_in_any_session),
        test(objects_are_copied_between_token_and_session),
        test(a_copy_has_what_the_original_has),
        test(a_public_object_may_be_copied_to_a_private_one_only),
        test(copies_obey_the_session),
        test(objects_may_be_made_unmodifiable),
        test(objects_may_be_made_uncopyable),
        test(objects_may_be_made_undestroyable),
        test(an_undestroyable_token_object_goes_with_the_token),
        test(sizes_are_told_or_not_known),
        test(a_sessions_objects_end_with_it_and_no_others),
    };

    return cmocka_run_group_tests(tests, initialised_setup, initialised_teardown);
}
