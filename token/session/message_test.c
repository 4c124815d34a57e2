#include "token/session/message.h"
#include "token/session/operation_test_support.h"

/* Messages of version 3.0: AES-GCM and signatures. */

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

static uint8_t iv[12], tag[16];
static CK_GCM_MESSAGE_PARAMS gcm = {iv, sizeof(iv), 0, CKG_GENERATE_COUNTER, tag, 128};
static const struct message_parameter parameter = {&gcm, sizeof(gcm)}, none = {NULL, 0};
static const enum operation_kind ENCRYPTS = OPERATION_MESSAGE_ENCRYPT,
                                 DECRYPTS = OPERATION_MESSAGE_DECRYPT,
                                 SIGNS = OPERATION_MESSAGE_SIGN,
                                 VERIFIES = OPERATION_MESSAGE_VERIFY;

static void begin_both(void)
{
    assert_ok(begin_plain(ENCRYPTS, CKM_AES_GCM, aes));
    assert_ok(begin_plain(DECRYPTS, CKM_AES_GCM, aes));
}

static void end_both(void)
{
    assert_ok(message_end(work.session, ENCRYPTS));
    assert_ok(message_end(work.session, DECRYPTS));
    assert_rv(message_end(work.session, DECRYPTS), CKR_OPERATION_NOT_INITIALIZED);
}

static void many_messages_go_through_one_operation(UNUSED void **state)
{
    begin_both();
    for (uint8_t i = 0; i < 3; i++) {
        char memory[] = "in place";
        CK_ULONG size = 8;
        struct view associated = view_of(&i, 1);
        assert_ok(message_crypt(work.session, ENCRYPTS, parameter, associated, view_of(memory, 8),
                                (CK_BYTE *)memory, &size));
        assert_int_equal(size, 8);
        assert_int_equal(iv[11], i);
        assert_ok(message_crypt(work.session, DECRYPTS, parameter, associated, view_of(memory, 8),
                                (CK_BYTE *)memory, &size));
        assert_string_equal(memory, "in place");
    }
    end_both();
}

static void a_bad_message_ends_itself_alone(UNUSED void **state)
{
    uint8_t cipher[8], out[8];
    CK_ULONG size = 8;
    begin_both();
    assert_ok(message_crypt(work.session, ENCRYPTS, parameter, (struct view){0},
                            view_string("12345678"), cipher, &size));
    cipher[0] ^= 1;
    poison(out);
    assert_rv(message_crypt(work.session, DECRYPTS, parameter, (struct view){0}, view_of(cipher, 8),
                            out, &size),
              CKR_AEAD_DECRYPT_FAILED);
    assert_poison(out);
    cipher[0] ^= 1;
    assert_ok(message_crypt(work.session, DECRYPTS, parameter, (struct view){0}, view_of(cipher, 8),
                            out, &size));
    assert_view(view_of(out, 8), "12345678");
    assert_rv(
        message_crypt(work.session, ENCRYPTS, none, (struct view){0}, view_string("x"), out, &size),
        CKR_MECHANISM_PARAM_INVALID);
    assert_rv(message_crypt(work.session, ENCRYPTS, parameter, (struct view){.size = 4},
                            view_string("x"), out, &size),
              CKR_ARGUMENTS_BAD);
    assert_true(operation_is_active(work.session, ENCRYPTS));
    end_both();
}

/* An IV that was used up for a length would be one too many. */
static void a_length_that_is_asked_makes_no_iv(UNUSED void **state)
{
    uint8_t out[8];
    CK_ULONG size = 0;
    begin_both();
    memset(iv, 7, sizeof(iv));
    assert_ok(message_crypt(work.session, ENCRYPTS, parameter, (struct view){0},
                            view_string("12345678"), NULL, &size));
    assert_int_equal(size, 8);
    size = 7;
    assert_rv(message_crypt(work.session, ENCRYPTS, parameter, (struct view){0},
                            view_string("12345678"), out, &size),
              CKR_BUFFER_TOO_SMALL);
    assert_int_equal(size, 8);
    assert_int_equal(iv[0], 7);
    assert_ok(message_crypt(work.session, ENCRYPTS, parameter, (struct view){0},
                            view_string("12345678"), out, &size));
    assert_int_equal(iv[0], 0);
    assert_int_equal(iv[11], 0);
    end_both();
}

static void a_message_in_pieces_is_that_in_one(UNUSED void **state)
{
    uint8_t whole[10], whole_tag[16], pieces[10];
    CK_ULONG size = 10;
    begin_both();
    assert_ok(message_crypt(work.session, ENCRYPTS, parameter, view_string("a"),
                            view_string("0123456789"), whole, &size));
    memcpy(whole_tag, tag, 16);
    gcm.ivGenerator = CKG_NO_GENERATE;
    assert_ok(message_crypt_begin(work.session, ENCRYPTS, parameter, view_string("a")));
    assert_rv(message_crypt_begin(work.session, ENCRYPTS, parameter, view_string("a")),
              CKR_OPERATION_ACTIVE);
    assert_rv(message_crypt(work.session, ENCRYPTS, parameter, view_string("a"),
                            view_string("0123456789"), whole, &size),
              CKR_OPERATION_ACTIVE);
    size = 3;
    assert_rv(message_crypt_next(work.session, ENCRYPTS, parameter, view_string("0123"), false,
                                 pieces, &size),
              CKR_BUFFER_TOO_SMALL);
    assert_ok(message_crypt_next(work.session, ENCRYPTS, parameter, view_string("0123"), false,
                                 pieces, &size));
    size = 6;
    assert_ok(message_crypt_next(work.session, ENCRYPTS, parameter, view_string("456789"), true,
                                 pieces + 4, &size));
    assert_memory_equal(pieces, whole, 10);
    assert_memory_equal(tag, whole_tag, 16);
    assert_rv(message_crypt_next(work.session, ENCRYPTS, parameter, view_string("x"), true, pieces,
                                 &size),
              CKR_OPERATION_NOT_INITIALIZED);
    gcm.ivGenerator = CKG_GENERATE_COUNTER;
    end_both();
}

/* Nothing comes out before the tag was checked; then all of it. */
static void decryption_gives_all_at_the_end(UNUSED void **state)
{
    uint8_t cipher[10], out[10];
    CK_ULONG size = 10;
    begin_both();
    assert_ok(message_crypt(work.session, ENCRYPTS, parameter, (struct view){0},
                            view_string("0123456789"), cipher, &size));
    for (int wrong = 1; wrong >= 0; wrong--) {
        assert_ok(message_crypt_begin(work.session, DECRYPTS, parameter, (struct view){0}));
        size = 10;
        assert_ok(message_crypt_next(work.session, DECRYPTS, parameter, view_of(cipher, 4), false,
                                     out, &size));
        assert_int_equal(size, 0);
        assert_rv(message_crypt_next(work.session, DECRYPTS, parameter, view_of(cipher + 4, 6),
                                     true, out, &size),
                  CKR_BUFFER_TOO_SMALL);
        assert_int_equal(size, 10);
        tag[5] ^= (uint8_t)wrong;
        assert_rv(message_crypt_next(work.session, DECRYPTS, parameter, view_of(cipher + 4, 6),
                                     true, out, &size),
                  wrong ? CKR_AEAD_DECRYPT_FAILED : CKR_OK);
        tag[5] ^= (uint8_t)wrong;
    }
    assert_view(view_of(out, 10), "0123456789");
    end_both();
}

static void sign_and_verify(CK_MECHANISM_TYPE type, CK_OBJECT_HANDLE signer,
                            CK_OBJECT_HANDLE verifier)
{
    uint8_t signature[256], pieces[256];
    CK_ULONG size = 0, whole = 0;
    assert_ok(begin_plain(SIGNS, type, signer));
    assert_ok(begin_plain(VERIFIES, type, verifier));
    for (int i = 0; i < 2; i++) {
        const char *text = i ? "second" : "first.";
        assert_ok(message_sign(work.session, none, view_string(text), NULL, &size));
        whole = size--;
        assert_rv(message_sign(work.session, none, view_string(text), signature, &size),
                  CKR_BUFFER_TOO_SMALL);
        assert_ok(message_sign(work.session, none, view_string(text), signature, &size));
        assert_int_equal(size, whole);
        assert_ok(message_verify(work.session, none, view_string(text), view_of(signature, size)));
        assert_rv(message_verify(work.session, none, view_string("x"), view_of(signature, size)),
                  CKR_SIGNATURE_INVALID);
    }
    assert_ok(message_part_begin(work.session, SIGNS, none));
    assert_ok(message_sign_next(work.session, none, view_string("sec"), NULL, NULL));
    assert_ok(message_sign_next(work.session, none, view_string("ond"), NULL, &size));
    assert_ok(message_sign_next(work.session, none, view_string("ond"), pieces, &size));
    assert_memory_equal(pieces, signature, size);
    assert_ok(message_part_begin(work.session, VERIFIES, none));
    assert_ok(message_verify_next(work.session, none, view_string("sec"), (struct view){0}));
    assert_ok(message_verify_next(work.session, none, view_string("ond"), view_of(pieces, size)));
    assert_ok(message_end(work.session, SIGNS));
    assert_ok(message_end(work.session, VERIFIES));
}

static void messages_are_signed_and_verified(UNUSED void **state)
{
    sign_and_verify(CKM_SHA256_HMAC, generic, generic);
    sign_and_verify(CKM_SHA256_RSA_PKCS, private_key, public_key);
    sign_and_verify(CKM_RSA_PKCS, private_key, public_key);
}

static void each_message_may_want_its_own_login(UNUSED void **state)
{
    uint8_t signature[256];
    CK_ULONG size = sizeof(signature);
    set_flag(private_key, CKA_ALWAYS_AUTHENTICATE, true);
    assert_ok(begin_plain(SIGNS, CKM_SHA256_RSA_PKCS, private_key));
    for (int i = 0; i < 2; i++) {
        assert_rv(message_sign(work.session, none, view_string("x"), signature, &size),
                  CKR_USER_NOT_LOGGED_IN);
        assert_ok(operation_context_login(work.session));
        assert_ok(message_sign(work.session, none, view_string("x"), signature, &size));
    }
    assert_ok(message_end(work.session, SIGNS));
    set_flag(private_key, CKA_ALWAYS_AUTHENTICATE, false);
}

static void signatures_have_rules_too(UNUSED void **state)
{
    uint8_t signature[256];
    CK_ULONG size = sizeof(signature);
    assert_rv(message_sign(work.session, none, view_string("x"), signature, &size),
              CKR_OPERATION_NOT_INITIALIZED);
    assert_rv(message_part_begin(work.session, SIGNS, none), CKR_OPERATION_NOT_INITIALIZED);
    assert_ok(begin_plain(SIGNS, CKM_SHA256_HMAC, generic));
    assert_rv(message_sign_next(work.session, none, view_string("x"), signature, &size),
              CKR_OPERATION_NOT_INITIALIZED);
    assert_rv(message_sign(work.session, parameter, view_string("x"), signature, &size),
              CKR_MECHANISM_PARAM_INVALID);
    assert_rv(message_part_begin(work.session, SIGNS, parameter), CKR_MECHANISM_PARAM_INVALID);
    assert_rv(message_sign(work.session, none, (struct view){.size = 2}, signature, &size),
              CKR_ARGUMENTS_BAD);
    assert_rv(message_sign(work.session, none, view_string("x"), signature, NULL),
              CKR_ARGUMENTS_BAD);
    assert_ok(message_part_begin(work.session, SIGNS, none));
    assert_rv(message_sign(work.session, none, view_string("x"), signature, &size),
              CKR_OPERATION_ACTIVE);
    assert_ok(message_end(work.session, SIGNS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_messages_go_through_one_operation),
        cmocka_unit_test(a_bad_message_ends_itself_alone),
        cmocka_unit_test(a_length_that_is_asked_makes_no_iv),
        cmocka_unit_test(a_message_in_pieces_is_that_in_one),
        cmocka_unit_test(decryption_gives_all_at_the_end),
        cmocka_unit_test(messages_are_signed_and_verified),
        cmocka_unit_test(each_message_may_want_its_own_login),
        cmocka_unit_test(signatures_have_rules_too),
    };
    return cmocka_run_group_tests(tests, begin_group, close_work);
}
