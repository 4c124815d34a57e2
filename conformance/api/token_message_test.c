/* PKCS#11 3.0 sections 5.9 and 5.14: one key for many messages, each with its own
 * parameters. */
#include "conformance/api/making.h"

static CK_BYTE plain[40] = "a message that is longer than one block";

static CK_SESSION_HANDLE session_or_skip(CK_MECHANISM_TYPE type, CK_FLAGS flag)
{
    CK_SESSION_HANDLE session;
    CK_MECHANISM_INFO info;

    if (!p11_v3)
        skip_because("the module has no 3.0 interface");
    session = user_session();
    if (p11->C_GetMechanismInfo(common_slot(), type, &info) != CKR_OK || !(info.flags & flag))
        skip_because("%s is not listed for messages", mechanism_name(type));
    return session;
}

static CK_GCM_MESSAGE_PARAMS gcm_of(CK_BYTE iv[12], CK_BYTE tag[16])
{
    return (CK_GCM_MESSAGE_PARAMS){iv, 12, 0, CKG_NO_GENERATE, tag, 128};
}

static void each_message_has_its_own_iv_and_tag(void **state)
{
    CK_SESSION_HANDLE session = session_or_skip(CKM_AES_GCM, CKF_MESSAGE_ENCRYPT);
    CK_OBJECT_HANDLE key = new_aes_key(session, 32, true);
    CK_MECHANISM mechanism = {CKM_AES_GCM, NULL, 0};
    CK_BYTE iv[3][12] = {{1}, {2}, {3}}, tags[3][16], cipher[3][64], back[64];
    CK_ULONG lengths[3], length;

    (void)state;
    assert_ok(p11_v3->C_MessageEncryptInit(session, &mechanism, key));
    for (unsigned i = 0; i < 3; i++) {
        CK_GCM_MESSAGE_PARAMS params = gcm_of(iv[i], tags[i]);

        lengths[i] = sizeof(cipher[i]);
        assert_ok(p11_v3->C_EncryptMessage(session, &params, sizeof(params), (CK_BYTE *)"ad", 2,
                                           plain, sizeof(plain), cipher[i], &lengths[i]));
        assert_int_equal(lengths[i], sizeof(plain));
        assert_true(i == 0 || memcmp(cipher[i], cipher[i - 1], sizeof(plain)) != 0);
    }
    assert_ok(p11_v3->C_MessageEncryptFinal(session));
    assert_ok(p11_v3->C_MessageDecryptInit(session, &mechanism, key));
    for (unsigned i = 0; i < 3; i++) {
        CK_GCM_MESSAGE_PARAMS params = gcm_of(iv[i], tags[i]);

        length = sizeof(back);
        assert_ok(p11_v3->C_DecryptMessage(session, &params, sizeof(params), (CK_BYTE *)"ad", 2,
                                           cipher[i], lengths[i], back, &length));
        assert_int_equal(length, sizeof(plain));
        assert_memory_equal(back, plain, sizeof(plain));
    }
    assert_ok(p11_v3->C_MessageDecryptFinal(session));
}

static void the_token_may_choose_the_iv(void **state)
{
    CK_SESSION_HANDLE session = session_or_skip(CKM_AES_GCM, CKF_MESSAGE_ENCRYPT);
    CK_OBJECT_HANDLE key = new_aes_key(session, 16, true);
    CK_MECHANISM mechanism = {CKM_AES_GCM, NULL, 0};
    CK_BYTE iv[2][12] = {{0}}, tag[16], cipher[64];

    (void)state;
    assert_ok(p11_v3->C_MessageEncryptInit(session, &mechanism, key));
    for (unsigned i = 0; i < 2; i++) {
        CK_GCM_MESSAGE_PARAMS params = {iv[i], 12, 0, CKG_GENERATE_RANDOM, tag, 128};
        CK_ULONG length = sizeof(cipher);

        assert_ok(p11_v3->C_EncryptMessage(session, &params, sizeof(params), NULL, 0, plain,
                                           sizeof(plain), cipher, &length));
    }
    assert_memory_not_equal(iv[0], iv[1], 12);
    assert_ok(p11_v3->C_MessageEncryptFinal(session));
}

static void a_changed_message_is_refused_and_the_next_is_not(void **state)
{
    CK_SESSION_HANDLE session = session_or_skip(CKM_AES_GCM, CKF_MESSAGE_DECRYPT);
    CK_OBJECT_HANDLE key = new_aes_key(session, 16, true);
    CK_MECHANISM mechanism = {CKM_AES_GCM, NULL, 0};
    CK_BYTE iv[12] = {9}, tag[16], cipher[64], back[64];
    CK_GCM_MESSAGE_PARAMS params = gcm_of(iv, tag);
    CK_ULONG length = sizeof(cipher), back_length = sizeof(back);

    (void)state;
    assert_ok(p11_v3->C_MessageEncryptInit(session, &mechanism, key));
    assert_ok(p11_v3->C_EncryptMessage(session, &params, sizeof(params), NULL, 0, plain,
                                       sizeof(plain), cipher, &length));
    assert_ok(p11_v3->C_MessageEncryptFinal(session));
    assert_ok(p11_v3->C_MessageDecryptInit(session, &mechanism, key));
    tag[3] ^= 1;
    assert_rv(p11_v3->C_DecryptMessage(session, &params, sizeof(params), NULL, 0, cipher, length,
                                       back, &back_length),
              CKR_AEAD_DECRYPT_FAILED, CKR_ENCRYPTED_DATA_INVALID);
    tag[3] ^= 1;
    back_length = sizeof(back);
    assert_ok(p11_v3->C_DecryptMessage(session, &params, sizeof(params), NULL, 0, cipher, length,
                                       back, &back_length));
    assert_memory_equal(back, plain, sizeof(plain));
    assert_ok(p11_v3->C_MessageDecryptFinal(session));
}

static void a_message_may_come_in_pieces(void **state)
{
    CK_SESSION_HANDLE session = session_or_skip(CKM_AES_GCM, CKF_MESSAGE_ENCRYPT);
    CK_OBJECT_HANDLE key = new_aes_key(session, 16, true);
    CK_MECHANISM mechanism = {CKM_AES_GCM, NULL, 0};
    CK_BYTE iv[12] = {7}, tags[2][16], whole[64], pieces[64];
    CK_GCM_MESSAGE_PARAMS one = gcm_of(iv, tags[0]), other = gcm_of(iv, tags[1]);
    CK_ULONG length = sizeof(whole), first = sizeof(pieces), rest;

    (void)state;
    assert_ok(p11_v3->C_MessageEncryptInit(session, &mechanism, key));
    assert_ok(p11_v3->C_EncryptMessage(session, &one, sizeof(one), NULL, 0, plain, sizeof(plain),
                                       whole, &length));
    if (p11_v3->C_EncryptMessageBegin(session, &other, sizeof(other), NULL, 0) ==
        CKR_FUNCTION_NOT_SUPPORTED)
        skip_because("messages do not come in pieces");
    assert_ok(
        p11_v3->C_EncryptMessageNext(session, &other, sizeof(other), plain, 17, pieces, &first, 0));
    rest = sizeof(pieces) - first;
    assert_ok(p11_v3->C_EncryptMessageNext(session, &other, sizeof(other), plain + 17,
                                           sizeof(plain) - 17, pieces + first, &rest,
                                           CKF_END_OF_MESSAGE));
    assert_int_equal(first + rest, length);
    assert_memory_equal(whole, pieces, length);
    assert_memory_equal(tags[0], tags[1], 16);
    assert_ok(p11_v3->C_MessageEncryptFinal(session));
}

static void many_messages_are_signed_after_one_init(void **state)
{
    CK_SESSION_HANDLE session = session_or_skip(CKM_ECDSA, CKF_MESSAGE_SIGN);
    struct pair pair = new_ec_pair(session, P256, true);
    CK_MECHANISM mechanism = {CKM_ECDSA, NULL, 0};
    CK_BYTE hash[32] = {1}, signatures[3][64];

    (void)state;
    assert_ok(p11_v3->C_MessageSignInit(session, &mechanism, pair.private_key));
    for (unsigned i = 0; i < 3; i++) {
        CK_ULONG length = sizeof(signatures[i]);

        hash[0] = (CK_BYTE)i;
        assert_ok(
            p11_v3->C_SignMessage(session, NULL, 0, hash, sizeof(hash), signatures[i], &length));
    }
    assert_ok(p11_v3->C_MessageSignFinal(session));
    assert_ok(p11_v3->C_MessageVerifyInit(session, &mechanism, pair.public_key));
    for (unsigned i = 0; i < 3; i++) {
        hash[0] = (CK_BYTE)i;
        assert_ok(p11_v3->C_VerifyMessage(session, NULL, 0, hash, sizeof(hash), signatures[i], 64));
        assert_rv(p11_v3->C_VerifyMessage(session, NULL, 0, hash, sizeof(hash),
                                          signatures[(i + 1) % 3], 64),
                  CKR_SIGNATURE_INVALID);
    }
    assert_ok(p11_v3->C_MessageVerifyFinal(session));
}

#define test(function) cmocka_unit_test_teardown(function, destroy_everything)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(each_message_has_its_own_iv_and_tag),
        test(the_token_may_choose_the_iv),
        test(a_changed_message_is_refused_and_the_next_is_not),
        test(a_message_may_come_in_pieces),
        test(many_messages_are_signed_after_one_init),
    };

    return cmocka_run_group_tests(tests, initialised_setup, initialised_teardown);
}
