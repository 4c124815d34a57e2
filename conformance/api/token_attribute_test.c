/* What a key says of itself: where it comes from, who has seen it, what it may do. */
#include "conformance/api/making.h"

/* CKA_LOCAL, SENSITIVE, ALWAYS_SENSITIVE, EXTRACTABLE, NEVER_EXTRACTABLE, and
 * KEY_GEN_MECHANISM. */
struct history {
    bool local, sensitive, always_sensitive, extractable, never_extractable;
    CK_MECHANISM_TYPE mechanism;
};

static void expect_history(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key, struct history expected)
{
    expect_true(get_bool(session, key, CKA_LOCAL) == expected.local);
    expect_true(get_bool(session, key, CKA_SENSITIVE) == expected.sensitive);
    expect_true(get_bool(session, key, CKA_ALWAYS_SENSITIVE) == expected.always_sensitive);
    expect_true(get_bool(session, key, CKA_EXTRACTABLE) == expected.extractable);
    expect_true(get_bool(session, key, CKA_NEVER_EXTRACTABLE) == expected.never_extractable);
    expect_true(get_ulong(session, key, CKA_KEY_GEN_MECHANISM) == expected.mechanism);
}

static void a_generated_pair_is_local_and_has_never_left(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    struct pair pair = new_ec_pair(session, P256, true);

    (void)state;
    expect_history(session, pair.private_key,
                   (struct history){true, true, true, false, true, CKM_EC_KEY_PAIR_GEN});
    expect_true(get_bool(session, pair.public_key, CKA_LOCAL));
    expect_true(get_ulong(session, pair.public_key, CKA_KEY_GEN_MECHANISM) == CKM_EC_KEY_PAIR_GEN);
    expectations_met();
}

static void a_private_key_is_secret_where_nothing_is_said(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    struct pair pair;

    (void)state;
    assert_ok(generate_pair(session, CKM_EC_KEY_PAIR_GEN,
                            LIST(BYTES(CKA_EC_PARAMS, P256), FLAG(CKA_TOKEN, true)),
                            LIST(FLAG(CKA_TOKEN, true)), &pair));
    expect_history(session, pair.private_key,
                   (struct history){true, true, true, false, true, CKM_EC_KEY_PAIR_GEN});
    expect_true(get_bool(session, pair.private_key, CKA_PRIVATE));
    expect_rv(attribute_rv(session, pair.private_key, CKA_VALUE), CKR_ATTRIBUTE_SENSITIVE);
    expectations_met();
}

static void generated_secrets_tell_how_they_were_made(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    CK_OBJECT_HANDLE key = POISON_ULONG;

    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        bool sensitive = i & 1, extractable = i & 2;

        assert_ok(generate_secret(session, CKM_AES_KEY_GEN, 16,
                                  LIST(FLAG(CKA_TOKEN, i & 4), FLAG(CKA_SENSITIVE, sensitive),
                                       FLAG(CKA_EXTRACTABLE, extractable)),
                                  &key));
        expect_history(session, key,
                       (struct history){true, sensitive, sensitive, extractable, !extractable,
                                        CKM_AES_KEY_GEN});
        expect_rv(attribute_rv(session, key, CKA_VALUE),
                  sensitive || !extractable ? CKR_ATTRIBUTE_SENSITIVE : CKR_OK);
    }
    expectations_met();
}

static void a_created_key_was_seen_by_somebody(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    static const enum kind kinds[] = {RSA_PRIVATE, EC_PRIVATE, AES_KEY, GENERIC_KEY};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        for (unsigned j = 0; j < 2; j++) {
            struct template template = sample(kinds[i]);
            CK_OBJECT_HANDLE key = POISON_ULONG;

            template_set(&template, (CK_ATTRIBUTE)FLAG(CKA_TOKEN, j));
            template_set(&template, (CK_ATTRIBUTE)FLAG(CKA_SENSITIVE, true));
            template_set(&template, (CK_ATTRIBUTE)FLAG(CKA_EXTRACTABLE, false));
            assert_ok(create_from(session, &template, &key));
            expect_history(
                session, key,
                (struct history){false, true, false, false, false, CK_UNAVAILABLE_INFORMATION});
        }
    expectations_met();
}

static void a_later_vow_does_not_change_the_past(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    CK_OBJECT_HANDLE key = POISON_ULONG;

    (void)state;
    assert_ok(generate_secret(
        session, CKM_AES_KEY_GEN, 16,
        LIST(FLAG(CKA_TOKEN, true), FLAG(CKA_SENSITIVE, false), FLAG(CKA_EXTRACTABLE, true)),
        &key));
    assert_ok(p11->C_SetAttributeValue(
        session, key, LIST(FLAG(CKA_SENSITIVE, true), FLAG(CKA_EXTRACTABLE, false))));
    expect_history(session, key,
                   (struct history){true, true, false, false, false, CKM_AES_KEY_GEN});
    expect_rv(attribute_rv(session, key, CKA_VALUE), CKR_ATTRIBUTE_SENSITIVE);
    expect_rv(p11->C_SetAttributeValue(session, key, LIST(FLAG(CKA_SENSITIVE, false))),
              CKR_ATTRIBUTE_READ_ONLY);
    expect_rv(p11->C_SetAttributeValue(session, key, LIST(FLAG(CKA_EXTRACTABLE, true))),
              CKR_ATTRIBUTE_READ_ONLY);
    expectations_met();
}

static void a_copy_keeps_the_past(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    CK_OBJECT_HANDLE key = POISON_ULONG, copy = POISON_ULONG;

    (void)state;
    assert_ok(generate_secret(
        session, CKM_AES_KEY_GEN, 16,
        LIST(FLAG(CKA_TOKEN, false), FLAG(CKA_SENSITIVE, true), FLAG(CKA_EXTRACTABLE, true)),
        &key));
    assert_ok(p11->C_CopyObject(session, key,
                                LIST(FLAG(CKA_TOKEN, true), FLAG(CKA_EXTRACTABLE, false)), &copy));
    expect_history(session, copy,
                   (struct history){true, true, true, false, false, CKM_AES_KEY_GEN});
    expect_rv(p11->C_CopyObject(session, copy, LIST(FLAG(CKA_SENSITIVE, false)), &copy),
              CKR_ATTRIBUTE_READ_ONLY, CKR_TEMPLATE_INCONSISTENT);
    expectations_met();
}

static void every_object_has_a_unique_id_that_stays(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    unsigned char ids[2 * KINDS][MAX_VALUE], again[MAX_VALUE];
    CK_OBJECT_HANDLE objects[2 * KINDS];
    size_t lengths[2 * KINDS];

    (void)state;
    for (unsigned i = 0; i < 2 * KINDS; i++) {
        objects[i] = create_sample(session, (enum kind)(i / 2), i & 1, true);
        lengths[i] = get_bytes(session, objects[i], CKA_UNIQUE_ID, ids[i]);
        expect_true(lengths[i] > 0);
        for (unsigned j = 0; j < i; j++)
            expect_true(lengths[i] != lengths[j] || memcmp(ids[i], ids[j], lengths[i]) != 0);
    }
    assert_ok(p11->C_SetAttributeValue(session, objects[1], LIST(TEXT(CKA_LABEL, "changed"))));
    expect_true(get_bytes(session, objects[1], CKA_UNIQUE_ID, again) == lengths[1]);
    expect_true(memcmp(again, ids[1], lengths[1]) == 0);
    expectations_met();
}

static CK_RV begin_aes(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key, CK_MECHANISM_TYPE type)
{
    static CK_BYTE iv[16];
    CK_MECHANISM mechanism = {type, iv, sizeof(iv)};
    CK_RV rv = p11->C_EncryptInit(session, &mechanism, key);
    CK_BYTE data[16] = {0};
    CK_ULONG length = sizeof(data);

    return rv == CKR_OK ? p11->C_Encrypt(session, data, sizeof(data), data, &length) : rv;
}

static void only_allowed_mechanisms_are_done(void **state)
{
    CK_MECHANISM_TYPE allowed[] = {CKM_AES_CBC, CKM_AES_CMAC};
    CK_SESSION_HANDLE session = user_session();
    CK_OBJECT_HANDLE key = POISON_ULONG;
    unsigned char value[MAX_VALUE];

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        assert_ok(generate_secret(session, CKM_AES_KEY_GEN, 16,
                                  LIST(FLAG(CKA_TOKEN, i), FLAG(CKA_ENCRYPT, true),
                                       BYTES(CKA_ALLOWED_MECHANISMS, allowed, sizeof(allowed))),
                                  &key));
        assert_int_equal(get_bytes(session, key, CKA_ALLOWED_MECHANISMS, value), sizeof(allowed));
        assert_memory_equal(value, allowed, sizeof(allowed));
        assert_ok(begin_aes(session, key, CKM_AES_CBC));
        assert_rv(begin_aes(session, key, CKM_AES_CBC_PAD), CKR_MECHANISM_INVALID);
    }
}

static void allowed_mechanisms_bind_private_keys(void **state)
{
    CK_MECHANISM_TYPE allowed = CKM_SHA256_RSA_PKCS;
    CK_SESSION_HANDLE session = user_session();
    CK_MECHANISM others[] = {{CKM_RSA_PKCS, NULL, 0}, {CKM_SHA512_RSA_PKCS, NULL, 0}};
    struct pair pair;

    (void)state;
    assert_ok(generate_pair(session, CKM_RSA_PKCS_KEY_PAIR_GEN,
                            LIST(NUMBER(CKA_MODULUS_BITS, 2048), FLAG(CKA_TOKEN, true)),
                            LIST(FLAG(CKA_TOKEN, true), FLAG(CKA_SIGN, true),
                                 BYTES(CKA_ALLOWED_MECHANISMS, &allowed, sizeof(allowed))),
                            &pair));
    assert_ok(sign_simply(session, pair.private_key));
    for (size_t i = 0; i < COUNT_OF(others); i++)
        assert_rv(p11->C_SignInit(session, &others[i], pair.private_key), CKR_MECHANISM_INVALID);
}

static void a_key_does_only_what_it_may(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    CK_MECHANISM ecdsa = {CKM_ECDSA, NULL, 0}, cbc = {CKM_AES_CBC, (CK_BYTE[16]){0}, 16};
    CK_OBJECT_HANDLE aes = POISON_ULONG;
    struct pair pair;

    (void)state;
    assert_ok(generate_pair(session, CKM_EC_KEY_PAIR_GEN,
                            LIST(BYTES(CKA_EC_PARAMS, P256), FLAG(CKA_VERIFY, false)),
                            LIST(FLAG(CKA_TOKEN, true), FLAG(CKA_SIGN, false)), &pair));
    assert_ok(generate_secret(
        session, CKM_AES_KEY_GEN, 16,
        LIST(FLAG(CKA_TOKEN, true), FLAG(CKA_ENCRYPT, true), FLAG(CKA_DECRYPT, false)), &aes));
    expect_rv(p11->C_SignInit(session, &ecdsa, pair.private_key), CKR_KEY_FUNCTION_NOT_PERMITTED);
    expect_rv(p11->C_VerifyInit(session, &ecdsa, pair.public_key), CKR_KEY_FUNCTION_NOT_PERMITTED);
    expect_rv(p11->C_DecryptInit(session, &cbc, aes), CKR_KEY_FUNCTION_NOT_PERMITTED);
    expect_rv(begin_aes(session, aes, CKM_AES_CBC), CKR_OK);
    expect_rv(p11->C_SetAttributeValue(session, aes, LIST(FLAG(CKA_ENCRYPT, false))), CKR_OK);
    expect_rv(begin_aes(session, aes, CKM_AES_CBC), CKR_KEY_FUNCTION_NOT_PERMITTED);
    expectations_met();
}

static struct pair cautious_pair(CK_SESSION_HANDLE session)
{
    struct pair pair;

    assert_ok(generate_pair(session, CKM_EC_KEY_PAIR_GEN,
                            LIST(BYTES(CKA_EC_PARAMS, P256), FLAG(CKA_TOKEN, true)),
                            LIST(FLAG(CKA_TOKEN, true), FLAG(CKA_PRIVATE, true),
                                 FLAG(CKA_SIGN, true), FLAG(CKA_ALWAYS_AUTHENTICATE, true)),
                            &pair));
    return pair;
}

static CK_RV begin_signing(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key)
{
    CK_MECHANISM mechanism = {CKM_ECDSA, NULL, 0};

    return p11->C_SignInit(session, &mechanism, key);
}

static CK_RV end_signing(CK_SESSION_HANDLE session)
{
    CK_BYTE hash[32] = {1}, signature[64];
    CK_ULONG length = sizeof(signature);

    return p11->C_Sign(session, hash, sizeof(hash), signature, &length);
}

static void a_cautious_key_wants_the_pin_for_each_signature(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    CK_OBJECT_HANDLE key = cautious_pair(session).private_key;

    (void)state;
    assert_true(get_bool(session, key, CKA_ALWAYS_AUTHENTICATE));
    assert_ok(begin_signing(session, key));
    assert_rv(end_signing(session), CKR_USER_NOT_LOGGED_IN);
    for (unsigned i = 0; i < 2; i++) {
        assert_ok(begin_signing(session, key));
        assert_ok(login_as(session, CKU_CONTEXT_SPECIFIC, USER_PIN));
        assert_ok(end_signing(session));
        assert_ok(begin_signing(session, key));
        assert_rv(end_signing(session), CKR_USER_NOT_LOGGED_IN);
    }
}

static void a_cautious_key_does_not_sign_after_a_wrong_pin(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    CK_OBJECT_HANDLE key = cautious_pair(session).private_key;

    (void)state;
    assert_ok(begin_signing(session, key));
    assert_rv(login_as(session, CKU_CONTEXT_SPECIFIC, "wrong"), CKR_PIN_INCORRECT);
    assert_int_equal(session_state(session), CKS_RW_USER_FUNCTIONS);
    assert_rv(end_signing(session), CKR_USER_NOT_LOGGED_IN, CKR_OPERATION_NOT_INITIALIZED);
}

static void a_context_login_needs_an_operation_that_wants_it(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    struct pair pair = new_ec_pair(session, P256, true);

    (void)state;
    assert_rv(login_as(session, CKU_CONTEXT_SPECIFIC, USER_PIN), CKR_OPERATION_NOT_INITIALIZED);
    assert_ok(begin_signing(session, pair.private_key));
    assert_rv(login_as(session, CKU_CONTEXT_SPECIFIC, USER_PIN), CKR_OPERATION_NOT_INITIALIZED,
              CKR_OK);
    assert_ok(end_signing(session));
}

static void both_halves_of_a_pair_tell_the_same_public_key(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    struct pair pairs[] = {new_rsa_pair(session, 2048, true), new_ec_pair(session, P256, true)};
    unsigned char one[MAX_VALUE], other[MAX_VALUE];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        size_t length = get_bytes(session, pairs[i].public_key, CKA_PUBLIC_KEY_INFO, one);
        const unsigned char *position = one;
        EVP_PKEY *key = d2i_PUBKEY(NULL, &position, (long)length);
        EVP_PKEY *shown = openssl_public(session, pairs[i].public_key);

        assert_int_equal(get_bytes(session, pairs[i].private_key, CKA_PUBLIC_KEY_INFO, other),
                         length);
        assert_memory_equal(one, other, length);
        assert_int_equal(EVP_PKEY_eq(key, shown), 1);
        EVP_PKEY_free(key);
        EVP_PKEY_free(shown);
    }
}

#define test(function) cmocka_unit_test_teardown(function, destroy_everything)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_generated_pair_is_local_and_has_never_left),
        test(a_private_key_is_secret_where_nothing_is_said),
        test(generated_secrets_tell_how_they_were_made),
        test(a_created_key_was_seen_by_somebody),
        test(a_later_vow_does_not_change_the_past),
        test(a_copy_keeps_the_past),
        test(every_object_has_a_unique_id_that_stays),
        test(only_allowed_mechanisms_are_done),
        test(allowed_mechanisms_bind_private_keys),
        test(a_key_does_only_what_it_may),
        test(a_cautious_key_wants_the_pin_for_each_signature),
        test(a_cautious_key_does_not_sign_after_a_wrong_pin),
        test(a_context_login_needs_an_operation_that_wants_it),
        test(both_halves_of_a_pair_tell_the_same_public_key),
    };

    return cmocka_run_group_tests(tests, initialised_setup, initialised_teardown);
}
