#include "token/session/operation.h"
#include "token/session/test_support.h"

/* Running operations, and the rule about output lengths in all its branches. */

static struct parts rsa, ec;

static int begin_group(void **state)
{
    if (make_keys(state) != 0)
        return -1;
    rsa = open_parts("private key = rsa.key");
    ec = open_parts("private key = ec.key");
    return 0;
}

static int end_group(void **state)
{
    close_parts(&rsa);
    close_parts(&ec);
    return leave_directory(state);
}

static CK_RV begin(struct parts *parts, enum operation_kind kind, CK_MECHANISM_TYPE type)
{
    const CK_MECHANISM mechanism = {type, NULL, 0};
    bool public = kind == OPERATION_VERIFY || kind == OPERATION_ENCRYPT;
    return operation_begin(parts->session, kind, &mechanism,
                           find_class(parts->token, public ? CKO_PUBLIC_KEY : CKO_PRIVATE_KEY));
}

/* Operations whose length is known before: nothing is computed to tell it. */
static const struct {
    enum operation_kind kind;
    CK_MECHANISM_TYPE type;
    CK_ULONG size;
} exact[] = {
    {OPERATION_SIGN, CKM_SHA256_RSA_PKCS, 256},
    {OPERATION_SIGN, CKM_RSA_PKCS, 256},
    {OPERATION_ENCRYPT, CKM_RSA_PKCS, 256},
    {OPERATION_DIGEST, CKM_SHA384, 48},
};

static void the_length_can_be_asked_and_asked_again(UNUSED void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(exact); i++) {
        assert_ok(begin(&rsa, exact[i].kind, exact[i].type));
        for (int j = 0; j < 2; j++) {
            CK_ULONG size = j;
            assert_ok(operation_once(rsa.session, exact[i].kind, view_string("x"), NULL, &size));
            assert_int_equal(size, exact[i].size);
            assert_true(operation_is_active(rsa.session, exact[i].kind));
        }
        operation_cancel(rsa.session, exact[i].kind);
    }
}

static void a_buffer_too_small_is_told_and_ends_nothing(UNUSED void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(exact); i++) {
        uint8_t out[512];
        assert_ok(begin(&rsa, exact[i].kind, exact[i].type));
        for (CK_ULONG room = 0; room < exact[i].size; room += exact[i].size - 1) {
            CK_ULONG size = room;
            poison(out);
            assert_rv(operation_once(rsa.session, exact[i].kind, view_string("x"), out, &size),
                      CKR_BUFFER_TOO_SMALL);
            assert_int_equal(size, exact[i].size);
            assert_poison(out);
        }
        CK_ULONG size = exact[i].size;
        assert_ok(operation_once(rsa.session, exact[i].kind, view_string("x"), out, &size));
        assert_int_equal(size, exact[i].size);
        assert_true(all_poison(out + size, sizeof(out) - size));
        assert_false(operation_is_active(rsa.session, exact[i].kind));
    }
}

static void a_final_call_follows_the_same_rule(UNUSED void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(exact); i++) {
        uint8_t out[512];
        CK_ULONG size = 1;
        enum operation_kind kind = exact[i].kind;
        assert_ok(begin(&rsa, kind, exact[i].type));
        assert_ok(operation_update(rsa.session, kind, view_string("a")));
        assert_ok(operation_update(rsa.session, kind, view_string("b")));
        assert_ok(operation_finish(rsa.session, kind, NULL, &size));
        assert_int_equal(size, exact[i].size);
        size--;
        assert_rv(operation_finish(rsa.session, kind, out, &size), CKR_BUFFER_TOO_SMALL);
        assert_int_equal(size, exact[i].size);
        size = sizeof(out);
        assert_ok(operation_finish(rsa.session, kind, out, &size));
        assert_int_equal(size, exact[i].size);
        assert_rv(operation_finish(rsa.session, kind, out, &size), CKR_OPERATION_NOT_INITIALIZED);
    }
}

static void encrypt(const char *text, uint8_t cipher[256])
{
    CK_ULONG size = 256;
    assert_ok(begin(&rsa, OPERATION_ENCRYPT, CKM_RSA_PKCS));
    assert_ok(operation_once(rsa.session, OPERATION_ENCRYPT, view_string(text), cipher, &size));
}

/* Its length is known only when it is done: it is done once, and kept. */
static void a_decryption_is_kept_until_its_buffer_is_large_enough(UNUSED void **state)
{
    uint8_t cipher[256], other[256], out[64];
    CK_ULONG size = 0;
    encrypt("plain text", cipher);
    encrypt("something else", other);
    assert_ok(begin(&rsa, OPERATION_DECRYPT, CKM_RSA_PKCS));
    assert_ok(operation_once(rsa.session, OPERATION_DECRYPT, view_of(cipher, 256), NULL, &size));
    assert_int_equal(size, 256);
    size = 3;
    poison(out);
    assert_rv(operation_once(rsa.session, OPERATION_DECRYPT, view_of(cipher, 256), out, &size),
              CKR_BUFFER_TOO_SMALL);
    assert_int_equal(size, 10);
    assert_poison(out);
    assert_ok(operation_once(rsa.session, OPERATION_DECRYPT, view_of(cipher, 256), NULL, &size));
    assert_int_equal(size, 10);
    /* Another cipher text is another question. */
    assert_rv(operation_once(rsa.session, OPERATION_DECRYPT, view_of(other, 256), out, &size),
              CKR_BUFFER_TOO_SMALL);
    assert_int_equal(size, 14);
    assert_ok(operation_once(rsa.session, OPERATION_DECRYPT, view_of(other, 256), out, &size));
    assert_view(view_of(out, size), "something else");
    assert_false(operation_is_active(rsa.session, OPERATION_DECRYPT));
}

static void a_kept_result_takes_no_more_input(UNUSED void **state)
{
    uint8_t cipher[256], out[64];
    CK_ULONG size = 1;
    encrypt("plain text", cipher);
    assert_ok(begin(&rsa, OPERATION_DECRYPT, CKM_RSA_PKCS));
    assert_ok(
        operation_update_out(rsa.session, OPERATION_DECRYPT, view_of(cipher, 256), NULL, &size));
    assert_int_equal(size, 0);
    assert_ok(
        operation_update_out(rsa.session, OPERATION_DECRYPT, view_of(cipher, 256), out, &size));
    assert_int_equal(size, 0);
    size = 1;
    assert_rv(operation_finish(rsa.session, OPERATION_DECRYPT, out, &size), CKR_BUFFER_TOO_SMALL);
    assert_int_equal(size, 10);
    assert_rv(operation_update(rsa.session, OPERATION_DECRYPT, view_string("x")),
              CKR_OPERATION_NOT_INITIALIZED);
    assert_false(operation_is_active(rsa.session, OPERATION_DECRYPT));
}

static void without_beginning_nothing_runs(UNUSED void **state)
{
    CK_ULONG size = 0;
    for (enum operation_kind kind = 0; kind < OPERATION_KINDS; kind++) {
        struct view x = view_string("x");
        assert_rv(operation_once(rsa.session, kind, x, NULL, &size), CKR_OPERATION_NOT_INITIALIZED);
        assert_rv(operation_update(rsa.session, kind, x), CKR_OPERATION_NOT_INITIALIZED);
        assert_rv(operation_update_out(rsa.session, kind, x, NULL, &size),
                  CKR_OPERATION_NOT_INITIALIZED);
        assert_rv(operation_finish(rsa.session, kind, NULL, &size), CKR_OPERATION_NOT_INITIALIZED);
        operation_cancel(rsa.session, kind);
    }
    assert_rv(operation_verify(rsa.session, (struct view){0}, (struct view){0}),
              CKR_OPERATION_NOT_INITIALIZED);
    assert_rv(operation_verify_finish(rsa.session, (struct view){0}),
              CKR_OPERATION_NOT_INITIALIZED);
    assert_rv(operation_digest_key(rsa.session, 1), CKR_OPERATION_NOT_INITIALIZED);
}

static void one_of_a_kind_runs_at_a_time(UNUSED void **state)
{
    assert_ok(begin(&rsa, OPERATION_SIGN, CKM_RSA_PKCS));
    assert_rv(begin(&rsa, OPERATION_SIGN, CKM_RSA_PKCS), CKR_OPERATION_ACTIVE);
    assert_ok(begin(&rsa, OPERATION_DIGEST, CKM_SHA256));
    assert_true(operation_is_active(rsa.session, OPERATION_SIGN));
    /* PKCS#11 3.0: no mechanism ends it. */
    assert_ok(operation_begin(rsa.session, OPERATION_SIGN, NULL, 0));
    assert_false(operation_is_active(rsa.session, OPERATION_SIGN));
    assert_rv(operation_begin(rsa.session, OPERATION_SIGN, NULL, 0), CKR_ARGUMENTS_BAD);
    assert_true(operation_is_active(rsa.session, OPERATION_DIGEST));
    operation_cancel(rsa.session, OPERATION_DIGEST);
}

static void pieces_and_the_whole_do_not_mix(UNUSED void **state)
{
    uint8_t out[256];
    CK_ULONG size = sizeof(out);
    assert_ok(begin(&rsa, OPERATION_SIGN, CKM_SHA256_RSA_PKCS));
    assert_ok(operation_update(rsa.session, OPERATION_SIGN, view_string("a")));
    assert_rv(operation_once(rsa.session, OPERATION_SIGN, view_string("b"), out, &size),
              CKR_OPERATION_ACTIVE);
    operation_cancel(rsa.session, OPERATION_SIGN);
}

static void bad_arguments_end_the_operation(UNUSED void **state)
{
    const struct view nowhere = {.data = NULL, .size = 4};
    uint8_t out[256];
    CK_ULONG size = sizeof(out);
    assert_ok(begin(&rsa, OPERATION_SIGN, CKM_RSA_PKCS));
    assert_rv(operation_once(rsa.session, OPERATION_SIGN, view_string("x"), out, NULL),
              CKR_ARGUMENTS_BAD);
    assert_false(operation_is_active(rsa.session, OPERATION_SIGN));
    assert_ok(begin(&rsa, OPERATION_SIGN, CKM_RSA_PKCS));
    assert_rv(operation_once(rsa.session, OPERATION_SIGN, nowhere, out, &size), CKR_ARGUMENTS_BAD);
    assert_false(operation_is_active(rsa.session, OPERATION_SIGN));
    assert_ok(begin(&rsa, OPERATION_SIGN, CKM_RSA_PKCS));
    assert_rv(operation_update(rsa.session, OPERATION_SIGN, nowhere), CKR_ARGUMENTS_BAD);
    assert_false(operation_is_active(rsa.session, OPERATION_SIGN));
    assert_ok(begin(&rsa, OPERATION_VERIFY, CKM_RSA_PKCS));
    assert_rv(operation_verify(rsa.session, view_string("x"), nowhere), CKR_ARGUMENTS_BAD);
    assert_false(operation_is_active(rsa.session, OPERATION_VERIFY));
}

static void data_too_long_ends_it_too(UNUSED void **state)
{
    uint8_t data[300] = {0}, out[256];
    CK_ULONG size = sizeof(out);
    assert_ok(begin(&rsa, OPERATION_SIGN, CKM_RSA_PKCS));
    assert_rv(operation_once(rsa.session, OPERATION_SIGN, view_of(data, 246), out, &size),
              CKR_DATA_LEN_RANGE);
    assert_false(operation_is_active(rsa.session, OPERATION_SIGN));
}

static void key_and_mechanism_must_fit(UNUSED void **state)
{
    const CK_OBJECT_HANDLE private_key = find_class(rsa.token, CKO_PRIVATE_KEY),
                           public_key = find_class(rsa.token, CKO_PUBLIC_KEY),
                           profile = find_class(rsa.token, CKO_PROFILE);
    const struct {
        enum operation_kind kind;
        CK_MECHANISM_TYPE type;
        CK_OBJECT_HANDLE key;
        CK_RV rv;
    } rows[] = {
        {OPERATION_SIGN, CKM_RSA_PKCS, public_key, CKR_KEY_TYPE_INCONSISTENT},
        {OPERATION_VERIFY, CKM_RSA_PKCS, private_key, CKR_KEY_TYPE_INCONSISTENT},
        {OPERATION_SIGN, CKM_RSA_PKCS, profile, CKR_KEY_HANDLE_INVALID},
        {OPERATION_SIGN, CKM_RSA_PKCS, 0, CKR_KEY_HANDLE_INVALID},
        {OPERATION_SIGN, CKM_RSA_PKCS, ~0UL, CKR_KEY_HANDLE_INVALID},
        {OPERATION_SIGN, CKM_ECDSA, private_key, CKR_MECHANISM_INVALID},
        {OPERATION_SIGN, CKM_SHA256, private_key, CKR_MECHANISM_INVALID},
        {OPERATION_DECRYPT, CKM_SHA256_RSA_PKCS, private_key, CKR_MECHANISM_INVALID},
        {OPERATION_DIGEST, CKM_RSA_PKCS, 0, CKR_MECHANISM_INVALID},
        {OPERATION_SIGN, CKM_VENDOR_DEFINED, private_key, CKR_MECHANISM_INVALID},
        {OPERATION_SIGN, CKM_RSA_PKCS_PSS, private_key, CKR_MECHANISM_PARAM_INVALID},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const CK_MECHANISM mechanism = {rows[i].type, NULL, 0};
        assert_rv(operation_begin(rsa.session, rows[i].kind, &mechanism, rows[i].key), rows[i].rv);
        assert_false(operation_is_active(rsa.session, rows[i].kind));
    }
    const CK_MECHANISM nowhere = {CKM_RSA_PKCS_PSS, NULL, 24};
    assert_rv(operation_begin(rsa.session, OPERATION_SIGN, &nowhere, private_key),
              CKR_MECHANISM_PARAM_INVALID);
}

static void a_verification_always_ends(UNUSED void **state)
{
    uint8_t signature[64];
    CK_ULONG size = sizeof(signature);
    assert_ok(begin(&ec, OPERATION_SIGN, CKM_ECDSA_SHA256));
    assert_ok(operation_once(ec.session, OPERATION_SIGN, view_string("text"), signature, &size));
    assert_int_equal(size, 64);
    static const struct {
        const char *text;
        size_t size;
        CK_RV rv;
    } rows[] = {{"text", 64, CKR_OK},
                {"other", 64, CKR_SIGNATURE_INVALID},
                {"text", 63, CKR_SIGNATURE_LEN_RANGE}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct view whole = view_of(signature, rows[i].size);
        assert_ok(begin(&ec, OPERATION_VERIFY, CKM_ECDSA_SHA256));
        assert_rv(operation_verify(ec.session, view_string(rows[i].text), whole), rows[i].rv);
        assert_false(operation_is_active(ec.session, OPERATION_VERIFY));
        assert_ok(begin(&ec, OPERATION_VERIFY, CKM_ECDSA_SHA256));
        assert_ok(operation_update(ec.session, OPERATION_VERIFY, view_string(rows[i].text)));
        assert_rv(operation_verify(ec.session, (struct view){0}, whole), CKR_OPERATION_ACTIVE);
        if (operation_is_active(ec.session, OPERATION_VERIFY))
            assert_rv(operation_verify_finish(ec.session, whole), rows[i].rv);
        assert_false(operation_is_active(ec.session, OPERATION_VERIFY));
    }
}

static CK_RV begin_verify_signature(const char *signature, size_t size)
{
    const CK_MECHANISM mechanism = {CKM_ECDSA_SHA256, NULL, 0};
    return operation_begin_verify_signature(ec.session, &mechanism,
                                            find_class(ec.token, CKO_PUBLIC_KEY),
                                            (struct view){(const uint8_t *)signature, size});
}

static void a_signature_given_first_is_kept_and_compared(UNUSED void **state)
{
    char signature[64];
    CK_ULONG size = sizeof(signature);
    assert_ok(begin(&ec, OPERATION_SIGN, CKM_ECDSA_SHA256));
    assert_ok(operation_once(ec.session, OPERATION_SIGN, view_string("text"), (CK_BYTE *)signature,
                             &size));
    static const struct {
        const char *text;
        size_t size;
        CK_RV rv;
    } rows[] = {{"text", 64, CKR_OK},
                {"other", 64, CKR_SIGNATURE_INVALID},
                {"text", 63, CKR_SIGNATURE_LEN_RANGE},
                {"text", 0, CKR_SIGNATURE_LEN_RANGE}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char own[64];
        memcpy(own, signature, sizeof(own));
        assert_ok(begin_verify_signature(own, rows[i].size));
        memset(own, 0, sizeof(own));
        assert_rv(operation_verify_signature(ec.session, view_string(rows[i].text)), rows[i].rv);
        assert_false(operation_is_active(ec.session, OPERATION_VERIFY_SIGNATURE));
        assert_ok(begin_verify_signature(signature, rows[i].size));
        for (const char *text = rows[i].text; *text; text++)
            assert_ok(operation_update(ec.session, OPERATION_VERIFY_SIGNATURE, view_of(text, 1)));
        assert_rv(operation_verify_signature(ec.session, view_string("")), CKR_OPERATION_ACTIVE);
        assert_rv(operation_verify_signature_finish(ec.session), rows[i].rv);
        assert_false(operation_is_active(ec.session, OPERATION_VERIFY_SIGNATURE));
    }
}

static void a_signature_given_first_is_checked_and_can_be_dropped(UNUSED void **state)
{
    static const char signature[64];
    assert_rv(operation_verify_signature(ec.session, view_string("x")),
              CKR_OPERATION_NOT_INITIALIZED);
    assert_rv(operation_verify_signature_finish(ec.session), CKR_OPERATION_NOT_INITIALIZED);
    assert_rv(begin_verify_signature(NULL, 64), CKR_ARGUMENTS_BAD);
    assert_rv(begin_verify_signature(signature, 1 << 20), CKR_SIGNATURE_LEN_RANGE);
    assert_false(operation_is_active(ec.session, OPERATION_VERIFY_SIGNATURE));
    assert_ok(begin_verify_signature(signature, sizeof(signature)));
    assert_rv(begin_verify_signature(signature, sizeof(signature)), CKR_OPERATION_ACTIVE);
    assert_false(operation_is_active(ec.session, OPERATION_VERIFY));
    assert_ok(operation_begin_verify_signature(ec.session, NULL, 0, (struct view){0}));
    assert_false(operation_is_active(ec.session, OPERATION_VERIFY_SIGNATURE));
    assert_rv(operation_begin_verify_signature(ec.session, NULL, 0, (struct view){0}),
              CKR_ARGUMENTS_BAD);
    assert_ok(begin_verify_signature(signature, sizeof(signature)));
    operation_cancel_flagged(ec.session, CKF_SIGN);
    assert_true(operation_is_active(ec.session, OPERATION_VERIFY_SIGNATURE));
    operation_cancel_flagged(ec.session, CKF_VERIFY);
    assert_false(operation_is_active(ec.session, OPERATION_VERIFY_SIGNATURE));
}

static void only_secret_keys_can_be_digested(UNUSED void **state)
{
    assert_ok(begin(&ec, OPERATION_DIGEST, CKM_SHA256));
    assert_rv(operation_digest_key(ec.session, find_class(ec.token, CKO_PUBLIC_KEY)),
              CKR_KEY_INDIGESTIBLE);
    assert_false(operation_is_active(ec.session, OPERATION_DIGEST));
    assert_ok(begin(&ec, OPERATION_DIGEST, CKM_SHA256));
    assert_rv(operation_digest_key(ec.session, 12345678), CKR_KEY_HANDLE_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_length_can_be_asked_and_asked_again),
        cmocka_unit_test(a_buffer_too_small_is_told_and_ends_nothing),
        cmocka_unit_test(a_final_call_follows_the_same_rule),
        cmocka_unit_test(a_decryption_is_kept_until_its_buffer_is_large_enough),
        cmocka_unit_test(a_kept_result_takes_no_more_input),
        cmocka_unit_test(without_beginning_nothing_runs),
        cmocka_unit_test(one_of_a_kind_runs_at_a_time),
        cmocka_unit_test(pieces_and_the_whole_do_not_mix),
        cmocka_unit_test(bad_arguments_end_the_operation),
        cmocka_unit_test(data_too_long_ends_it_too),
        cmocka_unit_test(key_and_mechanism_must_fit),
        cmocka_unit_test(a_verification_always_ends),
        cmocka_unit_test(a_signature_given_first_is_kept_and_compared),
        cmocka_unit_test(a_signature_given_first_is_checked_and_can_be_dropped),
        cmocka_unit_test(only_secret_keys_can_be_digested),
    };
    return cmocka_run_group_tests(tests, begin_group, end_group);
}
