#include "token/session/dual.h"
#include "token/session/operation_test_support.h"

/* One piece of data through two operations. */

static CK_OBJECT_HANDLE aes, generic;

static int begin_group(void **state)
{
    if (open_work(state) != 0)
        return -1;
    aes = make_secret(CKK_AES);
    generic = make_secret(CKK_GENERIC_SECRET);
    return 0;
}

static const char text[] = "thirty-two bytes of plain text..";

static void digest_of(enum operation_kind kind, uint8_t out[32])
{
    CK_ULONG size = 32;
    assert_ok(operation_finish(work.session, kind, out, &size));
    assert_int_equal(size, 32);
}

static void begin_hash(enum operation_kind kind)
{
    assert_ok(kind == OPERATION_DIGEST ? begin_plain(kind, CKM_SHA256, 0)
                                       : begin_plain(kind, CKM_SHA256_HMAC, generic));
}

static void expected_of(enum operation_kind kind, uint8_t out[32])
{
    CK_ULONG size = 32;
    begin_hash(kind);
    assert_ok(operation_once(work.session, kind, view_string(text), out, &size));
}

/* In place, in two pieces, and the plaintext is what is hashed both ways. */
static void both_operations_see_the_plaintext(UNUSED void **state)
{
    static const enum operation_kind kinds[] = {OPERATION_DIGEST, OPERATION_SIGN};
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        uint8_t memory[32], cipher[32], hash[32], expected[32];
        CK_ULONG size = 32;
        expected_of(kinds[i], expected);
        assert_ok(begin_with_iv(OPERATION_ENCRYPT, CKM_AES_CBC, aes));
        assert_ok(
            operation_once(work.session, OPERATION_ENCRYPT, view_string(text), cipher, &size));
        memcpy(memory, text, 32);
        assert_ok(begin_with_iv(OPERATION_ENCRYPT, CKM_AES_CBC, aes));
        begin_hash(kinds[i]);
        for (size_t at = 0; at < 32; at += 16) {
            size = 16;
            assert_ok(
                dual_encrypt(work.session, kinds[i], view_of(memory + at, 16), memory + at, &size));
            assert_int_equal(size, 16);
        }
        digest_of(kinds[i], hash);
        assert_memory_equal(hash, expected, 32);
        assert_memory_equal(memory, cipher, 32);
        size = 0;
        assert_ok(operation_finish(work.session, OPERATION_ENCRYPT, memory, &size));
    }
}

static void what_is_decrypted_is_digested_and_verified(UNUSED void **state)
{
    uint8_t memory[32], code[32], hash[32], expected[32];
    CK_ULONG size = 32;
    expected_of(OPERATION_DIGEST, expected);
    expected_of(OPERATION_SIGN, code);
    for (int i = 0; i < 3; i++) {
        enum operation_kind kind = i ? OPERATION_VERIFY : OPERATION_DIGEST;
        assert_ok(begin_with_iv(OPERATION_ENCRYPT, CKM_AES_CBC, aes));
        size = 32;
        assert_ok(
            operation_once(work.session, OPERATION_ENCRYPT, view_string(text), memory, &size));
        assert_ok(begin_with_iv(OPERATION_DECRYPT, CKM_AES_CBC, aes));
        begin_hash(kind);
        assert_ok(dual_decrypt(work.session, kind, view_of(memory, 32), memory, &size));
        assert_memory_equal(memory, text, 32);
        code[0] ^= i == 2;
        if (i)
            assert_rv(operation_verify_finish(work.session, view_of(code, 32)),
                      i == 2 ? CKR_SIGNATURE_INVALID : CKR_OK);
        else
            digest_of(kind, hash);
        operation_cancel(work.session, OPERATION_DECRYPT);
    }
    assert_memory_equal(hash, expected, 32);
}

static void a_piece_that_does_not_fit_goes_to_neither(UNUSED void **state)
{
    uint8_t out[32], hash[32], expected[32];
    CK_ULONG size = 31;
    expected_of(OPERATION_DIGEST, expected);
    assert_ok(begin_with_iv(OPERATION_ENCRYPT, CKM_AES_CBC, aes));
    begin_hash(OPERATION_DIGEST);
    assert_rv(dual_encrypt(work.session, OPERATION_DIGEST, view_string(text), out, &size),
              CKR_BUFFER_TOO_SMALL);
    assert_int_equal(size, 32);
    size = 0;
    assert_ok(dual_encrypt(work.session, OPERATION_DIGEST, view_string(text), NULL, &size));
    assert_int_equal(size, 32);
    assert_ok(dual_encrypt(work.session, OPERATION_DIGEST, view_string(text), out, &size));
    digest_of(OPERATION_DIGEST, hash);
    assert_memory_equal(hash, expected, 32);
    operation_cancel(work.session, OPERATION_ENCRYPT);
}

static void both_have_to_be_active_and_both_end(UNUSED void **state)
{
    const struct view nowhere = {.data = NULL, .size = 4};
    uint8_t out[32];
    CK_ULONG size = sizeof(out);
    begin_hash(OPERATION_DIGEST);
    assert_rv(dual_encrypt(work.session, OPERATION_DIGEST, view_string(text), out, &size),
              CKR_OPERATION_NOT_INITIALIZED);
    assert_rv(dual_decrypt(work.session, OPERATION_DIGEST, view_string(text), out, &size),
              CKR_OPERATION_NOT_INITIALIZED);
    assert_ok(begin_with_iv(OPERATION_ENCRYPT, CKM_AES_CBC, aes));
    assert_rv(dual_encrypt(work.session, OPERATION_SIGN, view_string(text), out, &size),
              CKR_OPERATION_NOT_INITIALIZED);
    assert_rv(dual_encrypt(work.session, OPERATION_DIGEST, nowhere, out, &size), CKR_ARGUMENTS_BAD);
    assert_false(operation_is_active(work.session, OPERATION_DIGEST));
    assert_false(operation_is_active(work.session, OPERATION_ENCRYPT));
    begin_hash(OPERATION_DIGEST);
    assert_ok(begin_with_iv(OPERATION_ENCRYPT, CKM_AES_CBC, aes));
    assert_rv(dual_encrypt(work.session, OPERATION_DIGEST, view_string(text), out, NULL),
              CKR_ARGUMENTS_BAD);
    assert_false(operation_is_active(work.session, OPERATION_DIGEST));
    assert_false(operation_is_active(work.session, OPERATION_ENCRYPT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_operations_see_the_plaintext),
        cmocka_unit_test(what_is_decrypted_is_digested_and_verified),
        cmocka_unit_test(a_piece_that_does_not_fit_goes_to_neither),
        cmocka_unit_test(both_have_to_be_active_and_both_end),
    };
    return cmocka_run_group_tests(tests, begin_group, close_work);
}
