#include "token/session/operation_test_support.h"

/* Operations of a token directory: ciphers with their output, keys by the table,
 * recovery, and keys that want a login for each use. */

static CK_OBJECT_HANDLE aes, generic, public_key, private_key;

static int begin_group(void **state)
{
    if (open_work(state) != 0)
        return -1;
    aes = make_secret(CKK_AES);
    generic = make_secret(CKK_GENERIC_SECRET);
    make_pair(&public_key, &private_key);
    return 0;
}

static const char text[] = "forty-one bytes of text, for a few blocks";

static void encrypt_text(uint8_t cipher[48])
{
    CK_ULONG size = 48;
    assert_ok(begin_with_iv(OPERATION_ENCRYPT, CKM_AES_CBC_PAD, aes));
    assert_ok(operation_once(work.session, OPERATION_ENCRYPT, view_string(text), cipher, &size));
    assert_int_equal(size, 48);
}

/* Both ways, in pieces, in the memory of the input. */
static void a_cipher_runs_in_place(UNUSED void **state)
{
    uint8_t memory[64], whole[48];
    CK_ULONG size = 48, done = 0;
    encrypt_text(whole);
    memcpy(memory, text, 41);
    assert_ok(begin_with_iv(OPERATION_ENCRYPT, CKM_AES_CBC_PAD, aes));
    assert_ok(operation_once(work.session, OPERATION_ENCRYPT, view_of(memory, 41), memory, &size));
    assert_memory_equal(memory, whole, 48);
    assert_ok(begin_with_iv(OPERATION_DECRYPT, CKM_AES_CBC_PAD, aes));
    for (size_t at = 0; at < 48; at += 16) {
        size = 16;
        assert_ok(operation_update_out(work.session, OPERATION_DECRYPT, view_of(memory + at, 16),
                                       memory + done, &size));
        assert_int_equal(size, at ? 16 : 0);
        done += size;
    }
    size = 16;
    assert_ok(operation_finish(work.session, OPERATION_DECRYPT, memory + done, &size));
    assert_view(view_of(memory, done + size), text);
    assert_false(operation_is_active(work.session, OPERATION_DECRYPT));
}

static void an_update_that_does_not_fit_takes_nothing(UNUSED void **state)
{
    uint8_t out[64], whole[48];
    CK_ULONG size = 0;
    encrypt_text(whole);
    assert_ok(begin_with_iv(OPERATION_ENCRYPT, CKM_AES_CBC_PAD, aes));
    for (int i = 0; i < 2; i++) {
        assert_ok(
            operation_update_out(work.session, OPERATION_ENCRYPT, view_of(text, 40), NULL, &size));
        assert_int_equal(size, 32);
        size = 31;
        poison(out);
        assert_rv(
            operation_update_out(work.session, OPERATION_ENCRYPT, view_of(text, 40), out, &size),
            CKR_BUFFER_TOO_SMALL);
        assert_int_equal(size, 32);
        assert_poison(out);
    }
    assert_ok(operation_update_out(work.session, OPERATION_ENCRYPT, view_of(text, 40), out, &size));
    assert_int_equal(size, 32);
    size = 0;
    assert_ok(operation_update_out(work.session, OPERATION_ENCRYPT, view_of(text + 40, 1), out + 32,
                                   &size));
    assert_rv(operation_once(work.session, OPERATION_ENCRYPT, view_of(text, 1), out + 32, &size),
              CKR_OPERATION_ACTIVE);
    assert_ok(operation_finish(work.session, OPERATION_ENCRYPT, NULL, &size));
    assert_int_equal(size, 16);
    size = 15;
    assert_rv(operation_finish(work.session, OPERATION_ENCRYPT, out + 32, &size),
              CKR_BUFFER_TOO_SMALL);
    assert_int_equal(size, 16);
    assert_ok(operation_finish(work.session, OPERATION_ENCRYPT, out + 32, &size));
    assert_memory_equal(out, whole, 48);
}

/* The length of what is padded is known when it is done; it is done once. */
static void a_padded_plaintext_is_kept_until_it_fits(UNUSED void **state)
{
    uint8_t cipher[48], out[64];
    CK_ULONG size = 0;
    encrypt_text(cipher);
    assert_ok(begin_with_iv(OPERATION_DECRYPT, CKM_AES_CBC_PAD, aes));
    assert_ok(operation_once(work.session, OPERATION_DECRYPT, view_of(cipher, 48), NULL, &size));
    assert_int_equal(size, 47);
    size = 40;
    assert_rv(operation_once(work.session, OPERATION_DECRYPT, view_of(cipher, 48), out, &size),
              CKR_BUFFER_TOO_SMALL);
    assert_int_equal(size, 41);
    assert_ok(operation_once(work.session, OPERATION_DECRYPT, view_of(cipher, 48), out, &size));
    assert_view(view_of(out, size), text);
    assert_false(operation_is_active(work.session, OPERATION_DECRYPT));
}

/* A cipher cannot begin anew; so other data is not answered with the old result. */
static void a_kept_plaintext_is_not_that_of_other_data(UNUSED void **state)
{
    uint8_t cipher[48], out[64];
    CK_ULONG size = 40;
    encrypt_text(cipher);
    assert_ok(begin_with_iv(OPERATION_DECRYPT, CKM_AES_CBC_PAD, aes));
    assert_rv(operation_once(work.session, OPERATION_DECRYPT, view_of(cipher, 48), out, &size),
              CKR_BUFFER_TOO_SMALL);
    cipher[0] ^= 1;
    assert_rv(operation_once(work.session, OPERATION_DECRYPT, view_of(cipher, 48), out, &size),
              CKR_OPERATION_ACTIVE);
    assert_false(operation_is_active(work.session, OPERATION_DECRYPT));
}

static void wrong_padding_and_half_blocks_end_it(UNUSED void **state)
{
    uint8_t cipher[48], out[64];
    encrypt_text(cipher);
    for (int i = 0; i < 2; i++) {
        CK_ULONG size = sizeof(out);
        assert_ok(begin_with_iv(OPERATION_DECRYPT, CKM_AES_CBC_PAD, aes));
        assert_rv(operation_once(work.session, OPERATION_DECRYPT, view_of(cipher, i ? 32 : 47), out,
                                 &size),
                  i ? CKR_ENCRYPTED_DATA_INVALID : CKR_ENCRYPTED_DATA_LEN_RANGE);
        assert_false(operation_is_active(work.session, OPERATION_DECRYPT));
    }
}

static void a_code_is_signed_and_verified_with_a_secret_key(UNUSED void **state)
{
    uint8_t code[64];
    CK_ULONG size = 0;
    assert_ok(begin_plain(OPERATION_SIGN, CKM_SHA256_HMAC, generic));
    assert_ok(operation_once(work.session, OPERATION_SIGN, view_string(text), NULL, &size));
    assert_int_equal(size, 32);
    assert_ok(operation_once(work.session, OPERATION_SIGN, view_string(text), code, &size));
    assert_ok(begin_plain(OPERATION_VERIFY, CKM_SHA256_HMAC, generic));
    assert_ok(operation_verify(work.session, view_string(text), view_of(code, 32)));
    code[31] ^= 1;
    assert_ok(begin_plain(OPERATION_VERIFY, CKM_SHA256_HMAC, generic));
    assert_ok(operation_update(work.session, OPERATION_VERIFY, view_string(text)));
    assert_rv(operation_verify_finish(work.session, view_of(code, 32)), CKR_SIGNATURE_INVALID);
}

static void the_table_says_which_keys_fit(UNUSED void **state)
{
    const struct {
        enum operation_kind kind;
        CK_MECHANISM_TYPE type;
        CK_OBJECT_HANDLE key;
        CK_RV rv;
    } rows[] = {
        {OPERATION_SIGN, CKM_SHA256_HMAC, aes, CKR_KEY_TYPE_INCONSISTENT},
        {OPERATION_SIGN, CKM_SHA256_HMAC, private_key, CKR_KEY_TYPE_INCONSISTENT},
        {OPERATION_SIGN, CKM_AES_CMAC, generic, CKR_KEY_TYPE_INCONSISTENT},
        {OPERATION_SIGN, CKM_AES_CMAC, aes, CKR_OK},
        {OPERATION_SIGN, CKM_RSA_PKCS, aes, CKR_KEY_TYPE_INCONSISTENT},
        {OPERATION_ENCRYPT, CKM_RSA_PKCS, private_key, CKR_KEY_TYPE_INCONSISTENT},
        {OPERATION_DECRYPT, CKM_AES_ECB, aes, CKR_OK},
        {OPERATION_ENCRYPT, CKM_AES_ECB, public_key, CKR_KEY_TYPE_INCONSISTENT},
        {OPERATION_ENCRYPT, CKM_SHA256_HMAC, generic, CKR_MECHANISM_INVALID},
        {OPERATION_SIGN_RECOVER, CKM_SHA256_RSA_PKCS, private_key, CKR_MECHANISM_INVALID},
        {OPERATION_SIGN_RECOVER, CKM_RSA_PKCS, public_key, CKR_KEY_TYPE_INCONSISTENT},
        {OPERATION_MESSAGE_ENCRYPT, CKM_AES_CBC, aes, CKR_MECHANISM_INVALID},
        {OPERATION_SIGN, CKM_AES_KEY_GEN, aes, CKR_MECHANISM_INVALID},
        {OPERATION_ENCRYPT, CKM_AES_KEY_WRAP, aes, CKR_MECHANISM_INVALID},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (begin_plain(rows[i].kind, rows[i].type, rows[i].key) != rows[i].rv)
            fail_msg("row %zu", i);
        operation_cancel(work.session, rows[i].kind);
    }
}

static void a_permission_is_needed_for_each_use(UNUSED void **state)
{
    static const struct {
        enum operation_kind kind;
        CK_ATTRIBUTE_TYPE permission;
    } rows[] = {
        {OPERATION_ENCRYPT, CKA_ENCRYPT},
        {OPERATION_DECRYPT, CKA_DECRYPT},
        {OPERATION_MESSAGE_ENCRYPT, CKA_ENCRYPT},
        {OPERATION_MESSAGE_DECRYPT, CKA_DECRYPT},
    };
    uint8_t nonce[12] = {0};
    CK_GCM_PARAMS gcm = {nonce, sizeof(nonce), 96, NULL, 0, 128};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        bool message =
            rows[i].kind == OPERATION_MESSAGE_ENCRYPT || rows[i].kind == OPERATION_MESSAGE_DECRYPT;
        const CK_MECHANISM mechanism = {CKM_AES_GCM, message ? NULL : &gcm,
                                        message ? 0 : sizeof(gcm)};
        set_flag(aes, rows[i].permission, false);
        assert_rv(operation_begin(work.session, rows[i].kind, &mechanism, aes),
                  CKR_KEY_FUNCTION_NOT_PERMITTED);
        set_flag(aes, rows[i].permission, true);
        assert_ok(operation_begin(work.session, rows[i].kind, &mechanism, aes));
        operation_cancel(work.session, rows[i].kind);
    }
}

static void a_key_may_name_its_mechanisms(UNUSED void **state)
{
    static const CK_MECHANISM_TYPE allowed[] = {CKM_AES_ECB, CKM_AES_CBC};
    struct object *object = token_object(work.token, aes);
    assert_ok(attributes_set(&object->attributes, CKA_ALLOWED_MECHANISMS,
                             view_of(allowed, sizeof(allowed))));
    assert_ok(begin_with_iv(OPERATION_ENCRYPT, CKM_AES_CBC, aes));
    operation_cancel(work.session, OPERATION_ENCRYPT);
    assert_rv(begin_with_iv(OPERATION_ENCRYPT, CKM_AES_CBC_PAD, aes), CKR_MECHANISM_INVALID);
    assert_rv(begin_plain(OPERATION_SIGN, CKM_AES_CMAC, aes), CKR_MECHANISM_INVALID);
    assert_ok(attributes_set(&object->attributes, CKA_ALLOWED_MECHANISMS, (struct view){0}));
    assert_ok(begin_with_iv(OPERATION_ENCRYPT, CKM_AES_CBC_PAD, aes));
    operation_cancel(work.session, OPERATION_ENCRYPT);
}

static void what_was_signed_is_recovered(UNUSED void **state)
{
    uint8_t signature[256], out[256];
    CK_ULONG size = sizeof(signature);
    assert_ok(begin_plain(OPERATION_SIGN_RECOVER, CKM_RSA_PKCS, private_key));
    assert_ok(operation_once(work.session, OPERATION_SIGN_RECOVER, view_string("data"), signature,
                             &size));
    assert_int_equal(size, 256);
    assert_ok(begin_plain(OPERATION_VERIFY_RECOVER, CKM_RSA_PKCS, public_key));
    size = 3;
    assert_rv(
        operation_once(work.session, OPERATION_VERIFY_RECOVER, view_of(signature, 256), out, &size),
        CKR_BUFFER_TOO_SMALL);
    assert_int_equal(size, 4);
    assert_ok(operation_once(work.session, OPERATION_VERIFY_RECOVER, view_of(signature, 256), out,
                             &size));
    assert_view(view_of(out, size), "data");
    signature[9] ^= 1;
    size = sizeof(out);
    assert_ok(begin_plain(OPERATION_VERIFY_RECOVER, CKM_RSA_PKCS, public_key));
    assert_rv(
        operation_once(work.session, OPERATION_VERIFY_RECOVER, view_of(signature, 256), out, &size),
        CKR_SIGNATURE_INVALID);
    assert_false(operation_is_active(work.session, OPERATION_VERIFY_RECOVER));
}

/* PKCS#11 4.9: CKA_ALWAYS_AUTHENTICATE. */
static void a_key_may_want_a_login_for_each_use(UNUSED void **state)
{
    uint8_t signature[256];
    CK_ULONG size = 0;
    set_flag(private_key, CKA_ALWAYS_AUTHENTICATE, true);
    assert_false(operation_waits_for_login(work.session));
    assert_rv(operation_context_login(work.session), CKR_OPERATION_NOT_INITIALIZED);
    for (int i = 0; i < 2; i++) {
        assert_ok(begin_plain(OPERATION_SIGN, CKM_SHA256_RSA_PKCS, private_key));
        assert_true(operation_waits_for_login(work.session));
        assert_ok(operation_once(work.session, OPERATION_SIGN, view_string("x"), NULL, &size));
        assert_rv(operation_once(work.session, OPERATION_SIGN, view_string("x"), signature, &size),
                  CKR_USER_NOT_LOGGED_IN);
        assert_false(operation_is_active(work.session, OPERATION_SIGN));
        assert_ok(begin_plain(OPERATION_SIGN, CKM_SHA256_RSA_PKCS, private_key));
        assert_ok(operation_context_login(work.session));
        assert_false(operation_waits_for_login(work.session));
        assert_ok(operation_once(work.session, OPERATION_SIGN, view_string("x"), signature, &size));
    }
    assert_ok(begin_plain(OPERATION_VERIFY, CKM_SHA256_RSA_PKCS, public_key));
    assert_ok(operation_verify(work.session, view_string("x"), view_of(signature, 256)));
    set_flag(private_key, CKA_ALWAYS_AUTHENTICATE, false);
}

static void pieces_wait_for_the_login_at_their_end(UNUSED void **state)
{
    uint8_t signature[256];
    CK_ULONG size = sizeof(signature);
    set_flag(private_key, CKA_ALWAYS_AUTHENTICATE, true);
    assert_ok(begin_plain(OPERATION_SIGN, CKM_SHA256_RSA_PKCS, private_key));
    assert_ok(operation_update(work.session, OPERATION_SIGN, view_string("x")));
    assert_rv(operation_finish(work.session, OPERATION_SIGN, signature, &size),
              CKR_USER_NOT_LOGGED_IN);
    assert_ok(begin_plain(OPERATION_SIGN, CKM_SHA256_RSA_PKCS, private_key));
    assert_ok(operation_update(work.session, OPERATION_SIGN, view_string("x")));
    assert_ok(operation_context_login(work.session));
    assert_ok(operation_finish(work.session, OPERATION_SIGN, signature, &size));
    set_flag(private_key, CKA_ALWAYS_AUTHENTICATE, false);
}

static void a_logout_ends_what_uses_private_objects(UNUSED void **state)
{
    assert_ok(begin_plain(OPERATION_DIGEST, CKM_SHA256, 0));
    assert_ok(begin_plain(OPERATION_SIGN, CKM_AES_CMAC, aes));
    set_flag(private_key, CKA_PRIVATE, true);
    work.token->login = TOKEN_USER; /* or it would not be seen */
    assert_ok(begin_plain(OPERATION_DECRYPT, CKM_RSA_PKCS, private_key));
    operation_cancel_private(work.session);
    assert_false(operation_is_active(work.session, OPERATION_DECRYPT));
    assert_true(operation_is_active(work.session, OPERATION_DIGEST));
    assert_true(operation_is_active(work.session, OPERATION_SIGN));
    work.token->login = TOKEN_PUBLIC;
    set_flag(private_key, CKA_PRIVATE, false);
    operation_cancel_flagged(work.session, CKF_SIGN);
    assert_false(operation_is_active(work.session, OPERATION_SIGN));
    assert_true(operation_is_active(work.session, OPERATION_DIGEST));
    operation_cancel(work.session, OPERATION_DIGEST);
}

static void a_secret_key_is_digested(UNUSED void **state)
{
    uint8_t one[32], other[32];
    CK_ULONG size = 32;
    assert_ok(begin_plain(OPERATION_DIGEST, CKM_SHA256, 0));
    assert_ok(operation_digest_key(work.session, aes));
    assert_ok(operation_finish(work.session, OPERATION_DIGEST, one, &size));
    assert_ok(begin_plain(OPERATION_DIGEST, CKM_SHA256, 0));
    assert_ok(operation_once(work.session, OPERATION_DIGEST, view_of(aes_value, 16), other, &size));
    assert_memory_equal(one, other, 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cipher_runs_in_place),
        cmocka_unit_test(an_update_that_does_not_fit_takes_nothing),
        cmocka_unit_test(a_padded_plaintext_is_kept_until_it_fits),
        cmocka_unit_test(a_kept_plaintext_is_not_that_of_other_data),
        cmocka_unit_test(wrong_padding_and_half_blocks_end_it),
        cmocka_unit_test(a_code_is_signed_and_verified_with_a_secret_key),
        cmocka_unit_test(the_table_says_which_keys_fit),
        cmocka_unit_test(a_permission_is_needed_for_each_use),
        cmocka_unit_test(a_key_may_name_its_mechanisms),
        cmocka_unit_test(what_was_signed_is_recovered),
        cmocka_unit_test(a_key_may_want_a_login_for_each_use),
        cmocka_unit_test(pieces_wait_for_the_login_at_their_end),
        cmocka_unit_test(a_logout_ends_what_uses_private_objects),
        cmocka_unit_test(a_secret_key_is_digested),
    };
    return cmocka_run_group_tests(tests, begin_group, close_work);
}
