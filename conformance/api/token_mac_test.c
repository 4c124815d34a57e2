/* HMAC and CMAC: published vectors, OpenSSL's answers, in pieces; and what a MAC key
 * may not do. The digests of SHA-3 and SHA-224 are with it, as HMAC is made of them. */
#include <openssl/hmac.h>

#include "conformance/api/making.h"

struct hash {
    CK_MECHANISM_TYPE hmac, general, digest;
    CK_KEY_TYPE key_type;
    const char *name;
};

static const struct hash hashes[] = {
    {CKM_SHA_1_HMAC, CKM_SHA_1_HMAC_GENERAL, CKM_SHA_1, CKK_SHA_1_HMAC, "SHA1"},
    {CKM_SHA224_HMAC, CKM_SHA224_HMAC_GENERAL, CKM_SHA224, CKK_SHA224_HMAC, "SHA224"},
    {CKM_SHA256_HMAC, CKM_SHA256_HMAC_GENERAL, CKM_SHA256, CKK_SHA256_HMAC, "SHA256"},
    {CKM_SHA384_HMAC, CKM_SHA384_HMAC_GENERAL, CKM_SHA384, CKK_SHA384_HMAC, "SHA384"},
    {CKM_SHA512_HMAC, CKM_SHA512_HMAC_GENERAL, CKM_SHA512, CKK_SHA512_HMAC, "SHA512"},
    {CKM_SHA3_224_HMAC, CKM_SHA3_224_HMAC_GENERAL, CKM_SHA3_224, CKK_SHA3_224_HMAC, "SHA3-224"},
    {CKM_SHA3_256_HMAC, CKM_SHA3_256_HMAC_GENERAL, CKM_SHA3_256, CKK_SHA3_256_HMAC, "SHA3-256"},
    {CKM_SHA3_384_HMAC, CKM_SHA3_384_HMAC_GENERAL, CKM_SHA3_384, CKK_SHA3_384_HMAC, "SHA3-384"},
    {CKM_SHA3_512_HMAC, CKM_SHA3_512_HMAC_GENERAL, CKM_SHA3_512, CKK_SHA3_512_HMAC, "SHA3-512"},
};

static unsigned char secret[100], message[2100];

static int fill(void **state)
{
    for (size_t i = 0; i < sizeof(secret); i++)
        secret[i] = (unsigned char)(i * 13 + 5);
    for (size_t i = 0; i < sizeof(message); i++)
        message[i] = (unsigned char)(i * 29 + 3);
    return initialised_setup(state);
}

static CK_RV sign(CK_SESSION_HANDLE session, CK_MECHANISM mechanism, CK_OBJECT_HANDLE key,
                  CK_ULONG length, unsigned char ret_mac[64], CK_ULONG *ret_length)
{
    CK_RV rv = p11->C_SignInit(session, &mechanism, key);

    *ret_length = 64;
    return rv == CKR_OK ? p11->C_Sign(session, message, length, ret_mac, ret_length) : rv;
}

static CK_RV verify(CK_SESSION_HANDLE session, CK_MECHANISM mechanism, CK_OBJECT_HANDLE key,
                    CK_ULONG length, unsigned char *mac, CK_ULONG mac_length)
{
    CK_RV rv = p11->C_VerifyInit(session, &mechanism, key);

    return rv == CKR_OK ? p11->C_Verify(session, message, length, mac, mac_length) : rv;
}

static void every_hmac_is_openssls(void **state)
{
    static const CK_ULONG lengths[] = {0, 1, 64, 300, 1024, 1025, 2100}, keys[] = {1, 20, 64, 100};
    CK_SESSION_HANDLE session = user_session();
    unsigned char expected[64], mac[64];
    unsigned expected_length, done = 0;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(hashes) * COUNT_OF(lengths) * COUNT_OF(keys); i++) {
        const struct hash *hash = &hashes[i % COUNT_OF(hashes)];
        CK_ULONG length = lengths[i / COUNT_OF(hashes) % COUNT_OF(lengths)], mac_length;
        CK_ULONG bytes = keys[i / COUNT_OF(hashes) / COUNT_OF(lengths)];
        CK_MECHANISM mechanism = {hash->hmac, NULL, 0};
        CK_MECHANISM_INFO info;
        CK_OBJECT_HANDLE key;

        if (p11->C_GetMechanismInfo(common_slot(), hash->hmac, &info) != CKR_OK)
            continue;
        if (!module_is_signet() && bytes < info.ulMinKeySize)
            continue; /* RFC 2104 has no such limit */
        /* Not every TPM has every hash: a key for one that it lacks is elsewhere. */
        key = known_secret(session, secrets_in_tpm() ? hash->key_type : CKK_GENERIC_SECRET, secret,
                           bytes);
        HMAC(EVP_get_digestbyname(hash->name), secret, (int)bytes, message, length, expected,
             &expected_length);
        expect_rv(sign(session, mechanism, key, length, mac, &mac_length), CKR_OK);
        expect_true(mac_length == expected_length && memcmp(mac, expected, mac_length) == 0);
        expect_rv(verify(session, mechanism, key, length, expected, expected_length), CKR_OK);
        expected[3] ^= 1;
        expect_rv(verify(session, mechanism, key, length, expected, expected_length),
                  CKR_SIGNATURE_INVALID);
        assert_ok(p11->C_DestroyObject(session, key));
        done++;
    }
    expect_true(done > 0);
    expectations_met();
}

static void sha3_and_sha224_are_openssls(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    unsigned char expected[EVP_MAX_MD_SIZE], digest[64];
    unsigned expected_length, done = 0;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(hashes); i++) {
        CK_MECHANISM mechanism = {hashes[i].digest, NULL, 0};
        CK_ULONG length = sizeof(digest);

        if (!mechanism_listed(common_slot(), hashes[i].digest))
            continue;
        EVP_Digest(message, sizeof(message), expected, &expected_length,
                   EVP_get_digestbyname(hashes[i].name), NULL);
        expect_rv(p11->C_DigestInit(session, &mechanism), CKR_OK);
        expect_rv(p11->C_Digest(session, message, sizeof(message), digest, &length), CKR_OK);
        expect_true(length == expected_length && memcmp(digest, expected, length) == 0);
        done++;
    }
    expect_true(done >= 5);
    expectations_met();
}

/* RFC 4231, test case 6. */
static void the_published_hmac_comes_out(void **state)
{
    static const unsigned char expected[] = {0x60, 0xe4, 0x31, 0x59, 0x1e, 0xe0, 0xb6, 0x7f,
                                             0x0d, 0x8a, 0x26, 0xaa, 0xcb, 0xf5, 0xb7, 0x7f,
                                             0x8e, 0x0b, 0xc6, 0x21, 0x37, 0x28, 0xc5, 0x14,
                                             0x05, 0x46, 0x04, 0x0f, 0x0e, 0xe3, 0x7f, 0x54};
    static const char text[] = "Test Using Larger Than Block-Size Key - Hash Key First";
    CK_SESSION_HANDLE session = user_session();
    CK_MECHANISM mechanism = {CKM_SHA256_HMAC, NULL, 0};
    CK_ULONG length = 64;
    unsigned char key_bytes[131], mac[64];
    CK_OBJECT_HANDLE key;

    (void)state;
    memset(key_bytes, 0xaa, sizeof(key_bytes));
    key = known_secret(session, CKK_GENERIC_SECRET, key_bytes, sizeof(key_bytes));
    assert_ok(p11->C_SignInit(session, &mechanism, key));
    assert_ok(p11->C_Sign(session, (CK_BYTE *)(uintptr_t)text, strlen(text), mac, &length));
    assert_int_equal(length, sizeof(expected));
    assert_memory_equal(mac, expected, length);
}

/* RFC 4493, examples 2 and 3: 16 and 40 bytes. */
static void the_published_cmacs_come_out(void **state)
{
    static const unsigned char key_bytes[] = {0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6,
                                              0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f, 0x3c};
    static const unsigned char text[] = {
        0x6b, 0xc1, 0xbe, 0xe2, 0x2e, 0x40, 0x9f, 0x96, 0xe9, 0x3d, 0x7e, 0x11, 0x73, 0x93,
        0x17, 0x2a, 0xae, 0x2d, 0x8a, 0x57, 0x1e, 0x03, 0xac, 0x9c, 0x9e, 0xb7, 0x6f, 0xac,
        0x45, 0xaf, 0x8e, 0x51, 0x30, 0xc8, 0x1c, 0x46, 0xa3, 0x5c, 0xe4, 0x11};
    static const unsigned char macs[2][16] = {{0x07, 0x0a, 0x16, 0xb4, 0x6b, 0x4d, 0x41, 0x44, 0xf7,
                                               0x9b, 0xdd, 0x9d, 0xd0, 0x4a, 0x28, 0x7c},
                                              {0xdf, 0xa6, 0x67, 0x47, 0xde, 0x9a, 0xe6, 0x30, 0x30,
                                               0xca, 0x32, 0x61, 0x14, 0x97, 0xc8, 0x27}};
    CK_SESSION_HANDLE session = user_session();
    CK_OBJECT_HANDLE key = known_secret(session, CKK_AES, key_bytes, sizeof(key_bytes));
    CK_MECHANISM mechanism = {CKM_AES_CMAC, NULL, 0};

    (void)state;
    mechanism_or_skip(common_slot(), CKM_AES_CMAC);
    for (unsigned i = 0; i < 2; i++) {
        CK_ULONG length = 64;
        unsigned char mac[64];

        assert_ok(p11->C_SignInit(session, &mechanism, key));
        assert_ok(p11->C_Sign(session, (CK_BYTE *)(uintptr_t)text, i ? 40 : 16, mac, &length));
        assert_int_equal(length, 16);
        assert_memory_equal(mac, macs[i], 16);
        assert_ok(p11->C_VerifyInit(session, &mechanism, key));
        assert_ok(p11->C_Verify(session, (CK_BYTE *)(uintptr_t)text, i ? 40 : 16, mac, length));
    }
}

static CK_RV sign_in_pieces(CK_SESSION_HANDLE session, CK_MECHANISM mechanism, CK_OBJECT_HANDLE key,
                            CK_ULONG piece, unsigned char ret_mac[64], CK_ULONG *ret_length)
{
    CK_RV rv = p11->C_SignInit(session, &mechanism, key);

    for (CK_ULONG at = 0; rv == CKR_OK && at < sizeof(message); at += piece)
        rv = p11->C_SignUpdate(session, message + at,
                               sizeof(message) - at < piece ? sizeof(message) - at : piece);
    *ret_length = 64;
    return rv == CKR_OK ? p11->C_SignFinal(session, ret_mac, ret_length) : rv;
}

static void macs_are_made_and_verified_in_pieces(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    CK_MECHANISM mechanisms[] = {{CKM_SHA256_HMAC, NULL, 0}, {CKM_AES_CMAC, NULL, 0}};
    CK_OBJECT_HANDLE keys[] = {known_secret(session, CKK_GENERIC_SECRET, secret, 32),
                               known_secret(session, CKK_AES, secret, 16)};
    unsigned char whole[64], mac[64];
    CK_ULONG whole_length, length;

    (void)state;
    for (size_t i = 0; i < 2; i++)
        for (CK_ULONG piece = 1; piece < 70; piece += 23) {
            assert_ok(sign(session, mechanisms[i], keys[i], sizeof(message), whole, &whole_length));
            assert_ok(sign_in_pieces(session, mechanisms[i], keys[i], piece, mac, &length));
            assert_int_equal(length, whole_length);
            assert_memory_equal(mac, whole, length);
            assert_ok(p11->C_VerifyInit(session, &mechanisms[i], keys[i]));
            assert_ok(p11->C_VerifyUpdate(session, message, 10));
            assert_ok(p11->C_VerifyUpdate(session, message + 10, sizeof(message) - 10));
            assert_ok(p11->C_VerifyFinal(session, mac, length));
        }
}

static void macs_may_be_cut_short(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    CK_OBJECT_HANDLE key = known_secret(session, CKK_GENERIC_SECRET, secret, 32);
    CK_ULONG size = 10, too_long = 33, length;
    CK_MECHANISM whole = {CKM_SHA256_HMAC, NULL, 0};
    CK_MECHANISM part = {CKM_SHA256_HMAC_GENERAL, &size, sizeof(size)};
    CK_MECHANISM more = {CKM_SHA256_HMAC_GENERAL, &too_long, sizeof(too_long)};
    unsigned char one[64], other[64];

    (void)state;
    mechanism_or_skip(common_slot(), CKM_SHA256_HMAC_GENERAL);
    assert_ok(sign(session, whole, key, 100, one, &length));
    assert_ok(sign(session, part, key, 100, other, &length));
    assert_int_equal(length, 10);
    assert_memory_equal(one, other, 10);
    assert_ok(verify(session, part, key, 100, one, 10));
    assert_rv(verify(session, part, key, 100, one, 32), CKR_SIGNATURE_LEN_RANGE,
              CKR_SIGNATURE_INVALID);
    assert_rv(p11->C_SignInit(session, &more, key), CKR_MECHANISM_PARAM_INVALID);
}

static void a_mac_of_another_length_is_out_of_range(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    CK_OBJECT_HANDLE key = known_secret(session, CKK_GENERIC_SECRET, secret, 32);
    CK_MECHANISM mechanism = {CKM_SHA256_HMAC, NULL, 0};
    unsigned char mac[64];
    CK_ULONG length;

    (void)state;
    assert_ok(sign(session, mechanism, key, 100, mac, &length));
    assert_rv(verify(session, mechanism, key, 100, mac, 31), CKR_SIGNATURE_LEN_RANGE);
    assert_rv(verify(session, mechanism, key, 100, mac, 0), CKR_SIGNATURE_LEN_RANGE);
}

static void a_key_of_one_hash_serves_no_other(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    CK_MECHANISM own = {CKM_SHA256_HMAC, NULL, 0}, other = {CKM_SHA512_HMAC, NULL, 0};
    CK_MECHANISM cmac = {CKM_AES_CMAC, NULL, 0};
    CK_OBJECT_HANDLE key = known_secret(session, CKK_SHA256_HMAC, secret, 32);
    CK_OBJECT_HANDLE generic = known_secret(session, CKK_GENERIC_SECRET, secret, 16);

    (void)state;
    assert_rv(p11->C_SignInit(session, &other, key), CKR_KEY_TYPE_INCONSISTENT);
    assert_rv(p11->C_SignInit(session, &cmac, generic), CKR_KEY_TYPE_INCONSISTENT);
    assert_ok(p11->C_SignInit(session, &own, key));
}

static void a_generated_key_of_the_token_makes_macs(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    CK_MECHANISM mechanism = {CKM_SHA256_HMAC, NULL, 0};
    CK_OBJECT_HANDLE key = POISON_ULONG, objects[MAX_FOUND];
    unsigned char mac[64];
    CK_ULONG length;

    (void)state;
    assert_ok(generate_secret(session, CKM_GENERIC_SECRET_KEY_GEN, 32,
                              LIST(FLAG(CKA_TOKEN, true), FLAG(CKA_SENSITIVE, true),
                                   FLAG(CKA_SIGN, true), FLAG(CKA_VERIFY, true)),
                              &key));
    assert_ok(sign(session, mechanism, key, 100, mac, &length));
    new_start();
    session = user_session();
    assert_int_equal(find_class(session, CKO_SECRET_KEY, objects), 1);
    assert_ok(verify(session, mechanism, objects[0], 100, mac, length));
}

#define test(function) cmocka_unit_test_teardown(function, destroy_everything)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(every_hmac_is_openssls),
        test(sha3_and_sha224_are_openssls),
        test(the_published_hmac_comes_out),
        test(the_published_cmacs_come_out),
        test(macs_are_made_and_verified_in_pieces),
        test(macs_may_be_cut_short),
        test(a_mac_of_another_length_is_out_of_range),
        test(a_key_of_one_hash_serves_no_other),
        test(a_generated_key_of_the_token_makes_macs),
    };

    return cmocka_run_group_tests(tests, fill, initialised_teardown);
}
