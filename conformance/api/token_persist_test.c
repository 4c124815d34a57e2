/* What is on a token stays there: over C_Finalize, and for other processes. */
#include "conformance/api/children.h"
#include "conformance/api/making.h"

#define MAX_TYPE 0x620

/* All readable attributes of one object. */
struct image {
    unsigned char bytes[16384];
    size_t length;
};

static struct image image_of(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object)
{
    struct image image = {.length = 0};
    unsigned char value[MAX_VALUE];

    for (CK_ATTRIBUTE_TYPE type = 0; type < MAX_TYPE; type++) {
        CK_ATTRIBUTE attribute = {type, value, sizeof(value)};

        if (p11->C_GetAttributeValue(session, object, &attribute, 1) != CKR_OK)
            continue;
        assert_true(image.length + sizeof(type) + attribute.ulValueLen <= sizeof(image.bytes));
        memcpy(image.bytes + image.length, &type, sizeof(type));
        memcpy(image.bytes + image.length + sizeof(type), value, attribute.ulValueLen);
        image.length += sizeof(type) + attribute.ulValueLen;
    }
    assert_true(image.length > 100);
    return image;
}

static CK_OBJECT_HANDLE the_one(CK_SESSION_HANDLE session, const char *label)
{
    CK_OBJECT_HANDLE objects[MAX_FOUND];

    assert_int_equal(find_all(session, LIST(TEXT(CKA_LABEL, label)), objects), 1);
    return objects[0];
}

static void objects_of_every_kind_are_the_same_after_a_new_start(void **state)
{
    static struct image before[KINDS];
    CK_SESSION_HANDLE session = user_session();

    (void)state;
    for (enum kind kind = 0; kind < KINDS; kind++)
        before[kind] = image_of(session, create_sample(session, kind, true, true));
    for (unsigned round = 0; round < 2; round++) {
        new_start();
        session = user_session();
        for (enum kind kind = 0; kind < KINDS; kind++) {
            struct image after = image_of(session, the_one(session, kind_name(kind)));

            assert_int_equal(after.length, before[kind].length);
            assert_memory_equal(after.bytes, before[kind].bytes, after.length);
        }
    }
}

static void session_objects_do_not_stay(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    CK_OBJECT_HANDLE objects[MAX_FOUND];

    (void)state;
    for (enum kind kind = 0; kind < KINDS; kind++)
        create_sample(session, kind, false, true);
    new_start();
    for (enum kind kind = 0; kind < KINDS; kind++)
        assert_int_equal(find_all(user_session(), LIST(TEXT(CKA_LABEL, kind_name(kind))), objects),
                         0);
}

static void generated_keys_work_after_a_new_start(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    struct pair rsa = new_rsa_pair(session, 2048, true), ec = new_ec_pair(session, P256, true);
    EVP_PKEY *before[] = {openssl_public(session, rsa.public_key),
                          openssl_public(session, ec.public_key)};
    CK_OBJECT_HANDLE keys[MAX_FOUND], halves[MAX_FOUND];

    (void)state;
    new_start();
    session = user_session();
    assert_int_equal(find_class(session, CKO_PRIVATE_KEY, keys), 2);
    assert_int_equal(find_class(session, CKO_PUBLIC_KEY, halves), 2);
    for (unsigned i = 0; i < 2; i++) {
        bool is_rsa = get_ulong(session, halves[i], CKA_KEY_TYPE) == CKK_RSA;
        EVP_PKEY *after = openssl_public(session, halves[i]);

        assert_ok(sign_simply(session, keys[i]));
        assert_int_equal(EVP_PKEY_eq(after, before[is_rsa ? 0 : 1]), 1);
        EVP_PKEY_free(after);
    }
    EVP_PKEY_free(before[0]);
    EVP_PKEY_free(before[1]);
}

static void changes_and_destructions_stay(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    CK_OBJECT_HANDLE objects[MAX_FOUND];
    unsigned char value[MAX_VALUE];

    (void)state;
    for (enum kind kind = 0; kind < KINDS; kind++) {
        CK_OBJECT_HANDLE object = create_sample(session, kind, true, true);

        if (kind & 1)
            assert_ok(p11->C_DestroyObject(session, object));
        else
            assert_ok(p11->C_SetAttributeValue(session, object, LIST(TEXT(CKA_LABEL, "new"))));
    }
    new_start();
    session = user_session();
    assert_int_equal(find_all(session, LIST(TEXT(CKA_LABEL, "new")), objects), KINDS / 2);
    for (enum kind kind = 0; kind < KINDS; kind++)
        assert_int_equal(find_all(session, LIST(TEXT(CKA_LABEL, kind_name(kind))), objects), 0);
    create_sample(session, DATA, true, false);
    assert_int_equal(get_bytes(session, the_one(session, "data"), CKA_VALUE, value), 13);
}

static CK_SESSION_HANDLE child_session(void)
{
    CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
    CK_SLOT_ID slot = 0;

    child_rv(initialise(), CKR_OK);
    child_rv(find_label(FRESH_LABEL, &slot), CKR_OK);
    child_rv(p11->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session),
             CKR_OK);
    child_rv(login_as(session, CKU_USER, USER_PIN), CKR_OK);
    return session;
}

static CK_OBJECT_HANDLE child_finds(CK_SESSION_HANDLE session, const char *label, CK_ULONG expected)
{
    CK_OBJECT_HANDLE objects[4] = {0};
    CK_ULONG count = 0;

    child_rv(p11->C_FindObjectsInit(session, LIST(TEXT(CKA_LABEL, label))), CKR_OK);
    child_rv(p11->C_FindObjects(session, objects, COUNT_OF(objects), &count), CKR_OK);
    child_rv(p11->C_FindObjectsFinal(session), CKR_OK);
    child_true(count == expected);
    return objects[0];
}

static void work_of_another_process(void)
{
    CK_SESSION_HANDLE session = child_session();
    CK_OBJECT_HANDLE key = child_finds(session, "shared key", 1), made = 0;
    CK_MECHANISM mechanism = {CKM_ECDSA, NULL, 0};
    CK_BYTE hash[32] = {1}, signature[64];
    CK_ULONG length = sizeof(signature);

    child_rv(p11->C_SignInit(session, &mechanism, key), CKR_OK);
    child_rv(p11->C_Sign(session, hash, sizeof(hash), signature, &length), CKR_OK);
    child_rv(p11->C_SetAttributeValue(session, child_finds(session, "to change", 1),
                                      LIST(TEXT(CKA_LABEL, "changed"))),
             CKR_OK);
    child_rv(p11->C_DestroyObject(session, child_finds(session, "to destroy", 1)), CKR_OK);
    child_rv(p11->C_CreateObject(session,
                                 LIST(NUMBER(CKA_CLASS, CKO_DATA), FLAG(CKA_TOKEN, true),
                                      TEXT(CKA_LABEL, "by the child")),
                                 &made),
             CKR_OK);
    child_rv(p11->C_Finalize(NULL), CKR_OK);
}

static CK_OBJECT_HANDLE labelled_data(CK_SESSION_HANDLE session, const char *label)
{
    CK_OBJECT_HANDLE object = POISON_ULONG;

    assert_ok(p11->C_CreateObject(session,
                                  LIST(NUMBER(CKA_CLASS, CKO_DATA), FLAG(CKA_TOKEN, true),
                                       FLAG(CKA_PRIVATE, true), TEXT(CKA_LABEL, label)),
                                  &object));
    return object;
}

struct shared {
    CK_OBJECT_HANDLE changed, destroyed;
};

static struct shared prepare(CK_SESSION_HANDLE session)
{
    struct pair pair = new_ec_pair(session, P256, true);
    struct shared shared = {labelled_data(session, "to change"),
                            labelled_data(session, "to destroy")};

    assert_ok(
        p11->C_SetAttributeValue(session, pair.private_key, LIST(TEXT(CKA_LABEL, "shared key"))));
    return shared;
}

static void check_work(CK_SESSION_HANDLE session)
{
    CK_OBJECT_HANDLE objects[MAX_FOUND];

    the_one(session, "changed");
    the_one(session, "by the child");
    assert_ok(sign_simply(session, the_one(session, "shared key")));
    assert_int_equal(find_all(session, LIST(TEXT(CKA_LABEL, "to change")), objects), 0);
    assert_int_equal(find_all(session, LIST(TEXT(CKA_LABEL, "to destroy")), objects), 0);
}

static void another_process_uses_and_changes_the_token(void **state)
{
    (void)state;
    prepare(user_session());
    in_another_process(work_of_another_process);
    check_work(user_session());
}

/* Nothing is started anew here: the next search shows it. */
static void changes_of_another_process_are_seen_at_once(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    struct shared shared = prepare(session);
    unsigned char label[MAX_VALUE];

    (void)state;
    if (setting("PKCS11_EXCLUSIVE"))
        skip_because("the TPM serves one process at a time");
    run_child(work_of_another_process);
    check_work(session);
    assert_int_equal(get_bytes(session, shared.changed, CKA_LABEL, label), 7);
    assert_rv(attribute_rv(session, shared.destroyed, CKA_LABEL), CKR_OBJECT_HANDLE_INVALID);
    assert_rv(p11->C_DestroyObject(session, shared.destroyed), CKR_OBJECT_HANDLE_INVALID);
}

static void listening_of_another_process(void)
{
    CK_SESSION_HANDLE session = child_session();

    child_finds(session, "of a session", 0);
    child_finds(session, "of the token", 1);
    child_rv(p11->C_Finalize(NULL), CKR_OK);
}

static void session_objects_are_this_processs_own(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    CK_OBJECT_HANDLE object = POISON_ULONG;

    (void)state;
    if (setting("PKCS11_EXCLUSIVE"))
        skip_because("the TPM serves one process at a time");
    labelled_data(session, "of the token");
    assert_ok(p11->C_CreateObject(
        session,
        LIST(NUMBER(CKA_CLASS, CKO_DATA), FLAG(CKA_TOKEN, false), TEXT(CKA_LABEL, "of a session")),
        &object));
    run_child(listening_of_another_process);
    the_one(session, "of a session");
}

static void large_objects_are_kept_whole(void **state)
{
    static unsigned char large[100000], read[sizeof(large) + 1];
    CK_ATTRIBUTE value = {CKA_VALUE, read, sizeof(read)};
    CK_SESSION_HANDLE session = user_session();
    CK_OBJECT_HANDLE object = POISON_ULONG;

    (void)state;
    for (size_t i = 0; i < sizeof(large); i++)
        large[i] = (unsigned char)(i * 7 + i / 251);
    assert_ok(p11->C_CreateObject(session,
                                  LIST(NUMBER(CKA_CLASS, CKO_DATA), FLAG(CKA_TOKEN, true),
                                       FLAG(CKA_PRIVATE, true), TEXT(CKA_LABEL, "large"),
                                       BYTES(CKA_VALUE, large, sizeof(large))),
                                  &object));
    new_start();
    session = user_session();
    assert_ok(p11->C_GetAttributeValue(session, the_one(session, "large"), &value, 1));
    assert_int_equal(value.ulValueLen, sizeof(large));
    assert_memory_equal(read, large, sizeof(large));
}

static void any_bytes_are_kept_in_labels_and_values(void **state)
{
    unsigned char all[256], read[MAX_VALUE];
    CK_SESSION_HANDLE session = user_session();
    CK_OBJECT_HANDLE object = POISON_ULONG, objects[MAX_FOUND];

    (void)state;
    for (unsigned i = 0; i < 256; i++)
        all[i] = (unsigned char)i;
    assert_ok(p11->C_CreateObject(
        session,
        LIST(NUMBER(CKA_CLASS, CKO_DATA), FLAG(CKA_TOKEN, true), FLAG(CKA_PRIVATE, false),
             BYTES(CKA_LABEL, all, 256), BYTES(CKA_VALUE, all, 256),
             TEXT(CKA_APPLICATION, "\"quoted\" \\ = ; # \n-----BEGIN X-----\n[data]\n")),
        &object));
    new_start();
    session = user_session();
    assert_int_equal(find_all(session, LIST(BYTES(CKA_LABEL, all, 256)), objects), 1);
    assert_int_equal(get_bytes(session, objects[0], CKA_VALUE, read), 256);
    assert_memory_equal(read, all, 256);
    assert_int_equal(get_bytes(session, objects[0], CKA_APPLICATION, read), 43);
    assert_memory_equal(read, "\"quoted\" \\ = ; # \n-----BEGIN X-----\n[data]\n", 43);
}

#define test(function) cmocka_unit_test_teardown(function, destroy_everything)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(objects_of_every_kind_are_the_same_after_a_new_start),
        test(session_objects_do_not_stay),
        test(generated_keys_work_after_a_new_start),
        test(changes_and_destructions_stay),
        test(another_process_uses_and_changes_the_token),
        test(changes_of_another_process_are_seen_at_once),
        test(session_objects_are_this_processs_own),
        test(large_objects_are_kept_whole),
        test(any_bytes_are_kept_in_labels_and_values),
    };

    return cmocka_run_group_tests(tests, initialised_setup, initialised_teardown);
}
