/* PKCS#11 2.40 sections 5.9 to 5.12: signatures that give back what was signed, two
 * operations in one, and the state of a digest in another session. */
#include "conformance/api/making.h"
#include "conformance/api/schemes.h"

static CK_BYTE iv[16] = {1};
static CK_MECHANISM cbc = {CKM_AES_CBC, iv, sizeof(iv)};
static CK_MECHANISM sha256 = {CKM_SHA256, NULL, 0}, hmac = {CKM_SHA256_HMAC, NULL, 0};
static CK_BYTE message[64] = "a message of two pieces, each of which is as long as two blocks";

static void unsupported_or_ok(CK_RV rv)
{
    if (rv == CKR_FUNCTION_NOT_SUPPORTED)
        skip_because("the module does not have this function");
    assert_ok(rv);
}

static void what_was_signed_is_recovered(CK_MECHANISM_TYPE type)
{
    CK_SESSION_HANDLE session = user_session();
    struct pair pair = new_rsa_pair(session, 2048, true);
    CK_MECHANISM mechanism = {type, NULL, 0};
    CK_BYTE data[256] = {0}, signature[256], recovered[256];
    CK_ULONG data_length = type == CKM_RSA_X_509 ? 256 : 40, length = sizeof(signature);
    CK_ULONG recovered_length = sizeof(recovered);

    memset(data + 1, 0x5A, data_length - 1);
    unsupported_or_ok(p11->C_SignRecoverInit(session, &mechanism, pair.private_key));
    assert_ok(p11->C_SignRecover(session, data, data_length, signature, &length));
    assert_int_equal(length, 256);
    assert_ok(p11->C_VerifyRecoverInit(session, &mechanism, pair.public_key));
    assert_ok(p11->C_VerifyRecover(session, signature, length, recovered, &recovered_length));
    assert_int_equal(recovered_length, data_length);
    assert_memory_equal(recovered, data, data_length);
}

static void pkcs1_signatures_give_back_what_was_signed(void **state)
{
    (void)state;
    what_was_signed_is_recovered(CKM_RSA_PKCS);
}

static void raw_signatures_give_back_what_was_signed(void **state)
{
    (void)state;
    what_was_signed_is_recovered(CKM_RSA_X_509);
}

static void recovery_checks_keys_and_order(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    struct pair rsa = new_rsa_pair(session, 2048, true), ec = new_ec_pair(session, P256, true);
    CK_MECHANISM mechanism = {CKM_RSA_PKCS, NULL, 0}, ecdsa = {CKM_ECDSA, NULL, 0};
    CK_BYTE data[300] = {0}, out[256];
    CK_ULONG length = sizeof(out);
    CK_RV rv = p11->C_SignRecoverInit(session, &ecdsa, ec.private_key);

    (void)state;
    if (rv == CKR_FUNCTION_NOT_SUPPORTED)
        skip_because("the module does not have this function");
    expect_rv(rv, CKR_MECHANISM_INVALID, CKR_KEY_FUNCTION_NOT_PERMITTED);
    expect_rv(p11->C_SignRecover(session, data, 10, out, &length), CKR_OPERATION_NOT_INITIALIZED);
    expect_rv(p11->C_SignRecoverInit(session, &mechanism, rsa.public_key),
              CKR_KEY_FUNCTION_NOT_PERMITTED, CKR_KEY_TYPE_INCONSISTENT, CKR_KEY_HANDLE_INVALID);
    expect_rv(p11->C_SignRecoverInit(session, &mechanism, rsa.private_key), CKR_OK);
    expect_rv(p11->C_SignRecover(session, data, 246, out, &length), CKR_DATA_LEN_RANGE);
    expect_rv(p11->C_VerifyRecoverInit(session, &mechanism, rsa.public_key), CKR_OK);
    expect_rv(p11->C_VerifyRecover(session, data, 256, out, &length), CKR_SIGNATURE_INVALID);
    expect_rv(p11->C_VerifyRecoverInit(session, &mechanism, rsa.public_key), CKR_OK);
    expect_rv(p11->C_VerifyRecover(session, data, 255, out, &length), CKR_SIGNATURE_LEN_RANGE);
    expectations_met();
}

static void a_text_is_digested_and_encrypted_at_once(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    CK_OBJECT_HANDLE key = new_aes_key(session, 16, true);
    CK_BYTE out[80], back[80], digest[32], expected[EVP_MAX_MD_SIZE];
    CK_ULONG part = sizeof(out), rest = sizeof(out), length = sizeof(digest);

    (void)state;
    assert_ok(p11->C_DigestInit(session, &sha256));
    assert_ok(p11->C_EncryptInit(session, &cbc, key));
    unsupported_or_ok(p11->C_DigestEncryptUpdate(session, message, 32, out, &part));
    assert_int_equal(part, 32);
    part = sizeof(out) - 32;
    assert_ok(p11->C_DigestEncryptUpdate(session, message + 32, 32, out + 32, &part));
    assert_ok(p11->C_DigestFinal(session, digest, &length));
    assert_ok(p11->C_EncryptFinal(session, out + 64, &rest));
    hash_bytes("SHA256", message, sizeof(message), expected);
    assert_memory_equal(digest, expected, 32);
    assert_ok(p11->C_DigestInit(session, &sha256));
    assert_ok(p11->C_DecryptInit(session, &cbc, key));
    part = sizeof(back);
    assert_ok(p11->C_DecryptDigestUpdate(session, out, 64, back, &part));
    length = sizeof(digest);
    assert_ok(p11->C_DigestFinal(session, digest, &length));
    rest = sizeof(back) - part;
    assert_ok(p11->C_DecryptFinal(session, back + part, &rest));
    assert_memory_equal(back, message, 64);
    assert_memory_equal(digest, expected, 32);
}

static void a_text_is_signed_and_encrypted_at_once(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    CK_OBJECT_HANDLE key = new_aes_key(session, 16, true);
    CK_OBJECT_HANDLE mac_key =
        known_secret(session, CKK_GENERIC_SECRET, "0123456789abcdef0123456789abcdef", 32);
    CK_BYTE out[80], back[80], mac[32];
    CK_ULONG part = sizeof(out), rest = sizeof(out), length = sizeof(mac);

    (void)state;
    assert_ok(p11->C_SignInit(session, &hmac, mac_key));
    assert_ok(p11->C_EncryptInit(session, &cbc, key));
    unsupported_or_ok(p11->C_SignEncryptUpdate(session, message, 64, out, &part));
    assert_ok(p11->C_SignFinal(session, mac, &length));
    assert_ok(p11->C_EncryptFinal(session, out + part, &rest));
    for (unsigned changed = 0; changed < 2; changed++) {
        assert_ok(p11->C_VerifyInit(session, &hmac, mac_key));
        assert_ok(p11->C_DecryptInit(session, &cbc, key));
        part = sizeof(back);
        assert_ok(p11->C_DecryptVerifyUpdate(session, out, 64, back, &part));
        rest = sizeof(back);
        assert_ok(p11->C_DecryptFinal(session, back + part, &rest));
        mac[0] ^= (CK_BYTE)changed;
        assert_rv(p11->C_VerifyFinal(session, mac, length),
                  changed ? CKR_SIGNATURE_INVALID : CKR_OK);
        assert_memory_equal(back, message, 64);
    }
}

static void two_at_once_need_both(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    CK_BYTE out[80];
    CK_ULONG part = sizeof(out);
    CK_RV rv;

    (void)state;
    assert_ok(p11->C_DigestInit(session, &sha256));
    rv = p11->C_DigestEncryptUpdate(session, message, 32, out, &part);
    if (rv == CKR_FUNCTION_NOT_SUPPORTED)
        skip_because("the module does not have this function");
    assert_rv(rv, CKR_OPERATION_NOT_INITIALIZED);
}

static void the_state_of_a_digest_goes_on_in_another_session(void **state)
{
    CK_SESSION_HANDLE session = user_session(), other = open_session(common_slot());
    CK_BYTE saved[2048], digest[32], expected[EVP_MAX_MD_SIZE];
    CK_ULONG size = POISON_ULONG, length = sizeof(digest);
    CK_RV rv;

    (void)state;
    assert_ok(p11->C_DigestInit(session, &sha256));
    assert_ok(p11->C_DigestUpdate(session, message, 30));
    rv = p11->C_GetOperationState(session, NULL, &size);
    if (rv == CKR_FUNCTION_NOT_SUPPORTED || rv == CKR_STATE_UNSAVEABLE)
        skip_because("states cannot be saved: %s", rv_name(rv));
    assert_ok(rv);
    assert_true(size <= sizeof(saved));
    assert_ok(p11->C_GetOperationState(session, saved, &size));
    assert_ok(p11->C_DigestUpdate(session, (CK_BYTE *)"elsewhere", 9));
    assert_ok(p11->C_SetOperationState(other, saved, size, 0, 0));
    assert_ok(p11->C_DigestUpdate(other, message + 30, 34));
    assert_ok(p11->C_DigestFinal(other, digest, &length));
    hash_bytes("SHA256", message, sizeof(message), expected);
    assert_memory_equal(digest, expected, 32);
    saved[size / 2] ^= 1;
    rv = p11->C_SetOperationState(other, saved, size / 2, 0, 0);
    assert_rv(rv, CKR_SAVED_STATE_INVALID);
    assert_rv(p11->C_SetOperationState(other, message, sizeof(message), 0, 0),
              CKR_SAVED_STATE_INVALID);
}

static void states_that_cannot_be_saved_are_refused(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    CK_BYTE saved[2048];
    CK_ULONG size = sizeof(saved);
    CK_RV rv = p11->C_GetOperationState(session, saved, &size);

    (void)state;
    if (rv == CKR_FUNCTION_NOT_SUPPORTED)
        skip_because("states cannot be saved");
    assert_rv(rv, CKR_OPERATION_NOT_INITIALIZED);
    assert_ok(p11->C_EncryptInit(session, &cbc, new_aes_key(session, 16, true)));
    size = sizeof(saved);
    assert_rv(p11->C_GetOperationState(session, saved, &size), CKR_STATE_UNSAVEABLE, CKR_OK);
}

static void secret_keys_are_digested_and_others_are_not(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    CK_OBJECT_HANDLE seen = known_secret(session, CKK_GENERIC_SECRET, "0123456789abcdef", 16);
    struct pair pair = new_ec_pair(session, P256, true);
    CK_BYTE digest[32], expected[EVP_MAX_MD_SIZE];
    CK_ULONG length = sizeof(digest);

    (void)state;
    assert_ok(p11->C_DigestInit(session, &sha256));
    assert_ok(p11->C_DigestKey(session, seen));
    assert_ok(p11->C_DigestFinal(session, digest, &length));
    hash_bytes("SHA256", "0123456789abcdef", 16, expected);
    assert_memory_equal(digest, expected, 32);
    assert_ok(p11->C_DigestInit(session, &sha256));
    assert_rv(p11->C_DigestKey(session, pair.private_key), CKR_KEY_INDIGESTIBLE);
}

#define test(function) cmocka_unit_test_teardown(function, destroy_everything)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(pkcs1_signatures_give_back_what_was_signed),
        test(raw_signatures_give_back_what_was_signed),
        test(recovery_checks_keys_and_order),
        test(a_text_is_digested_and_encrypted_at_once),
        test(a_text_is_signed_and_encrypted_at_once),
        test(two_at_once_need_both),
        test(the_state_of_a_digest_goes_on_in_another_session),
        test(states_that_cannot_be_saved_are_refused),
        test(secret_keys_are_digested_and_others_are_not),
    };

    return cmocka_run_group_tests(tests, initialised_setup, initialised_teardown);
}
