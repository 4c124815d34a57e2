/* PKCS#11 2.40 sections 5.10, 5.15 and 5.6: digests, random numbers, and the
 * state of an operation; all of it in software. */
#include "conformance/api/schemes.h"

struct digest {
    CK_MECHANISM_TYPE type;
    const char *name;
};

static const struct digest digests[] = {
    {CKM_MD5, "MD5"},           {CKM_SHA_1, "SHA1"},        {CKM_SHA224, "SHA224"},
    {CKM_SHA256, "SHA256"},     {CKM_SHA384, "SHA384"},     {CKM_SHA512, "SHA512"},
    {CKM_SHA3_224, "SHA3-224"}, {CKM_SHA3_256, "SHA3-256"}, {CKM_SHA3_384, "SHA3-384"},
    {CKM_SHA3_512, "SHA3-512"},
};

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
static unsigned char message[100000];

static struct token *any_token_or_skip(void)
{
    struct token *tokens[2];

    key_tokens(tokens);
    for (size_t i = 0; i < sizeof(message); i++)
        message[i] = (unsigned char)(i * 31 + i / 256);
    return tokens[0];
}

static struct token *token_with_sha256_or_skip(void)
{
    struct token *token = any_token_or_skip();

    mechanism_or_skip(token->slot, CKM_SHA256);
    return token;
}

static void check_digest(const struct digest *digest, size_t length, const unsigned char *got,
                         CK_ULONG got_length)
{
    unsigned char expected[EVP_MAX_MD_SIZE];

    assert_int_equal(hash_bytes(digest->name, message, length, expected), got_length);
    assert_memory_equal(expected, got, got_length);
}

static CK_RV begin(struct token *token, CK_MECHANISM_TYPE type)
{
    CK_MECHANISM mechanism = {type, NULL, 0};

    return p11->C_DigestInit(token->session, &mechanism);
}

static void every_listed_digest_is_openssls(void **state)
{
    struct token *token = any_token_or_skip();
    size_t lengths[] = {0, 1, 63, 64, 65, 1000, sizeof(message)};
    unsigned done = 0;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(digests); i++) {
        if (!mechanism_listed(token->slot, digests[i].type))
            continue;
        for (size_t j = 0; j < COUNT_OF(lengths); j++) {
            unsigned char got[64];
            CK_ULONG got_length = sizeof(got);

            assert_ok(begin(token, digests[i].type));
            assert_ok(p11->C_Digest(token->session, message, lengths[j], got, &got_length));
            check_digest(&digests[i], lengths[j], got, got_length);
        }
        done++;
    }
    assert_true(done > 0);
}

static void every_listed_digest_works_in_parts(void **state)
{
    struct token *token = any_token_or_skip();

    (void)state;
    for (size_t i = 0; i < COUNT_OF(digests); i++) {
        unsigned char got[64];
        CK_ULONG got_length = sizeof(got);
        size_t done = 0;

        if (!mechanism_listed(token->slot, digests[i].type))
            continue;
        assert_ok(begin(token, digests[i].type));
        for (size_t part = 1; done + part < sizeof(message); done += part, part = part * 2 + 1)
            assert_ok(p11->C_DigestUpdate(token->session, message + done, part));
        assert_ok(p11->C_DigestFinal(token->session, got, &got_length));
        check_digest(&digests[i], done, got, got_length);
    }
}

static void every_listed_digest_is_known_here(void **state)
{
    struct token *token = any_token_or_skip();
    CK_MECHANISM_TYPE types[256];
    CK_ULONG count = COUNT_OF(types);

    (void)state;
    signet_only("no digest is listed that nobody tests");
    assert_ok(p11->C_GetMechanismList(token->slot, types, &count));
    for (CK_ULONG i = 0; i < count; i++) {
        CK_MECHANISM_INFO info;
        bool known = false;

        assert_ok(p11->C_GetMechanismInfo(token->slot, types[i], &info));
        for (size_t j = 0; j < COUNT_OF(digests); j++)
            known = known || digests[j].type == types[i];
        if ((info.flags & CKF_DIGEST) && !known)
            fail_msg("%s is listed", mechanism_name(types[i]));
    }
}

static void neither_query_nor_small_buffer_ends_a_digest(void **state)
{
    struct token *token = token_with_sha256_or_skip();
    unsigned char got[64];
    CK_ULONG length = POISON_ULONG;

    (void)state;
    memset(got, POISON_BYTE, sizeof(got));
    assert_ok(begin(token, CKM_SHA256));
    assert_ok(p11->C_Digest(token->session, message, 10, NULL, &length));
    assert_int_equal(length, 32);
    length = 31;
    assert_rv(p11->C_Digest(token->session, message, 10, got, &length), CKR_BUFFER_TOO_SMALL);
    assert_int_equal(length, 32);
    assert_true(untouched(got, sizeof(got)));
    assert_ok(p11->C_Digest(token->session, message, 10, got, &length));
    check_digest(&digests[3], 10, got, length);
    assert_true(untouched(got + 32, sizeof(got) - 32));
}

static void neither_query_nor_small_buffer_ends_a_digest_in_parts(void **state)
{
    struct token *token = token_with_sha256_or_skip();
    unsigned char got[64];
    CK_ULONG length = POISON_ULONG;

    (void)state;
    assert_ok(begin(token, CKM_SHA256));
    assert_ok(p11->C_DigestUpdate(token->session, message, 10));
    assert_ok(p11->C_DigestFinal(token->session, NULL, &length));
    assert_int_equal(length, 32);
    length = 0;
    assert_rv(p11->C_DigestFinal(token->session, got, &length), CKR_BUFFER_TOO_SMALL);
    assert_int_equal(length, 32);
    assert_ok(p11->C_DigestFinal(token->session, got, &length));
    check_digest(&digests[3], 10, got, length);
}

static void digests_begin_and_end_in_order(void **state)
{
    struct token *token = token_with_sha256_or_skip();
    unsigned char got[64];
    CK_ULONG length = sizeof(got);

    (void)state;
    expect_rv(p11->C_Digest(token->session, message, 1, got, &length),
              CKR_OPERATION_NOT_INITIALIZED);
    expect_rv(p11->C_DigestUpdate(token->session, message, 1), CKR_OPERATION_NOT_INITIALIZED);
    expect_rv(p11->C_DigestFinal(token->session, got, &length), CKR_OPERATION_NOT_INITIALIZED);
    expect_rv(begin(token, CKM_SHA256), CKR_OK);
    expect_rv(begin(token, CKM_SHA256), CKR_OPERATION_ACTIVE);
    expect_rv(p11->C_DigestUpdate(token->session, message, 1), CKR_OK);
    expect_rv(p11->C_Digest(token->session, message, 1, got, &length), CKR_OPERATION_ACTIVE,
              CKR_OPERATION_NOT_INITIALIZED, CKR_FUNCTION_FAILED);
    expectations_met();
}

static void digests_check_mechanism_and_pointers(void **state)
{
    struct token *token = token_with_sha256_or_skip();
    unsigned char got[64];

    (void)state;
    expect_rv(begin(token, CKM_RSA_PKCS), CKR_MECHANISM_INVALID);
    expect_rv(begin(token, CKM_VENDOR_DEFINED | 0x5157UL), CKR_MECHANISM_INVALID);
    expect_rv(begin(token, CKM_SHA256), CKR_OK);
    expect_rv(p11->C_Digest(token->session, message, 1, got, NULL), CKR_ARGUMENTS_BAD);
    expectations_met();
}

static void a_session_secret_key_is_digested(void **state)
{
    struct token *token = token_with_sha256_or_skip();
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_GENERIC_SECRET;
    CK_ATTRIBUTE template[] = {
        {CKA_CLASS, &class, sizeof(class)},   {CKA_KEY_TYPE, &type, sizeof(type)},
        {CKA_TOKEN, &no, sizeof(no)},         {CKA_SENSITIVE, &no, sizeof(no)},
        {CKA_EXTRACTABLE, &yes, sizeof(yes)}, {CKA_VALUE, message, 20},
    };
    CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
    unsigned char got[64];
    CK_ULONG length = sizeof(got);
    CK_RV rv;

    (void)state;
    if (p11->C_CreateObject(token->session, template, COUNT_OF(template), &key) != CKR_OK)
        skip_because("no session secret key can be made");
    assert_ok(begin(token, CKM_SHA256));
    rv = p11->C_DigestKey(token->session, key);
    assert_rv(rv, CKR_OK, CKR_KEY_INDIGESTIBLE, CKR_FUNCTION_NOT_SUPPORTED);
    if (rv != CKR_OK)
        return;
    assert_ok(p11->C_DigestUpdate(token->session, message + 20, 5));
    assert_ok(p11->C_DigestFinal(token->session, got, &length));
    check_digest(&digests[3], 25, got, length);
}

static void a_private_key_is_indigestible(void **state)
{
    struct token *token = token_with_sha256_or_skip();
    CK_OBJECT_HANDLE objects[] = {token->private_key, token->certificate, 0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(objects); i++) {
        CK_RV rv = begin(token, CKM_SHA256);

        expect_true(rv == CKR_OK || rv == CKR_OPERATION_ACTIVE);
        expect_rv(p11->C_DigestKey(token->session, objects[i]), CKR_KEY_INDIGESTIBLE,
                  CKR_KEY_HANDLE_INVALID, CKR_FUNCTION_NOT_SUPPORTED);
    }
    expectations_met();
}

static bool all_zero(const unsigned char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (bytes[i])
            return false;
    return true;
}

static void random_numbers_come_in_every_length(void **state)
{
    struct token *token = any_token_or_skip();
    size_t lengths[] = {0, 1, 32, 1000, 1 << 20};
    static unsigned char random[(1 << 20) + 16], again[1 << 20];

    (void)state;
    if (!(token_info(token->slot).flags & CKF_RNG))
        skip_because("the token has no random numbers");
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        memset(random, POISON_BYTE, sizeof(random));
        assert_ok(p11->C_GenerateRandom(token->session, random, lengths[i]));
        assert_true(untouched(random + lengths[i], 16));
        assert_ok(p11->C_GenerateRandom(token->session, again, lengths[i]));
        if (lengths[i] >= 32) {
            assert_memory_not_equal(random, again, lengths[i]);
            assert_false(all_zero(random + lengths[i] - 16, 16));
            assert_false(untouched(random + lengths[i] - 16, 16));
        }
    }
    assert_rv(p11->C_GenerateRandom(token->session, NULL, 8), CKR_ARGUMENTS_BAD);
}

static void a_seed_is_taken_or_refused_in_every_length(void **state)
{
    struct token *token = any_token_or_skip();
    static unsigned char seed[1 << 20];
    size_t lengths[] = {0, 1, 32, sizeof(seed)};
    unsigned char one[32], two[32];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(lengths); i++)
        assert_rv(p11->C_SeedRandom(token->session, seed, lengths[i]), CKR_OK,
                  CKR_RANDOM_SEED_NOT_SUPPORTED);
    assert_rv(p11->C_SeedRandom(token->session, NULL, 8), CKR_ARGUMENTS_BAD,
              CKR_RANDOM_SEED_NOT_SUPPORTED);
    assert_ok(p11->C_SeedRandom(token->session, seed, 32));
    assert_ok(p11->C_GenerateRandom(token->session, one, sizeof(one)));
    assert_ok(p11->C_SeedRandom(token->session, seed, 32));
    assert_ok(p11->C_GenerateRandom(token->session, two, sizeof(two)));
    assert_memory_not_equal(one, two, sizeof(one));
}

/* pkcs11-provider asks for it; a module that cannot must say so and live. */
static void the_state_of_an_operation_is_answered(void **state)
{
    struct token *token = token_with_sha256_or_skip();
    unsigned char saved[4096];
    CK_ULONG length = sizeof(saved);
    CK_RV idle = p11->C_GetOperationState(token->session, saved, &length);

    (void)state;
    assert_rv(idle, CKR_OPERATION_NOT_INITIALIZED, CKR_STATE_UNSAVEABLE,
              CKR_FUNCTION_NOT_SUPPORTED);
    assert_ok(begin(token, CKM_SHA256));
    assert_ok(p11->C_DigestUpdate(token->session, message, 5));
    assert_rv(p11->C_GetOperationState(token->session, NULL, &length), CKR_OK, CKR_STATE_UNSAVEABLE,
              CKR_FUNCTION_NOT_SUPPORTED);
    assert_rv(p11->C_SetOperationState(token->session, saved, 16, 0, 0), CKR_SAVED_STATE_INVALID,
              CKR_FUNCTION_NOT_SUPPORTED);
}

/* After a refused state the running operation goes on. */
static void asking_for_the_state_does_not_end_the_operation(void **state)
{
    struct token *token = token_with_sha256_or_skip();
    unsigned char got[64];
    CK_ULONG length = 0;

    (void)state;
    assert_ok(begin(token, CKM_SHA256));
    assert_ok(p11->C_DigestUpdate(token->session, message, 5));
    p11->C_GetOperationState(token->session, NULL, &length);
    length = sizeof(got);
    assert_ok(p11->C_DigestFinal(token->session, got, &length));
    check_digest(&digests[3], 5, got, length);
}

static void functions_for_two_things_at_once_are_answered(void **state)
{
    struct token *token = any_token_or_skip();
    unsigned char out[64];
    CK_ULONG length = sizeof(out);
    CK_SESSION_HANDLE session = token->session;

    (void)state;
    expect_rv(p11->C_DigestEncryptUpdate(session, message, 4, out, &length),
              CKR_FUNCTION_NOT_SUPPORTED, CKR_OPERATION_NOT_INITIALIZED);
    expect_rv(p11->C_DecryptDigestUpdate(session, message, 4, out, &length),
              CKR_FUNCTION_NOT_SUPPORTED, CKR_OPERATION_NOT_INITIALIZED);
    expect_rv(p11->C_SignEncryptUpdate(session, message, 4, out, &length),
              CKR_FUNCTION_NOT_SUPPORTED, CKR_OPERATION_NOT_INITIALIZED);
    expect_rv(p11->C_DecryptVerifyUpdate(session, message, 4, out, &length),
              CKR_FUNCTION_NOT_SUPPORTED, CKR_OPERATION_NOT_INITIALIZED);
    expectations_met();
}

#define test(function) cmocka_unit_test_teardown(function, close_everything)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(every_listed_digest_is_openssls),
        test(every_listed_digest_works_in_parts),
        test(every_listed_digest_is_known_here),
        test(neither_query_nor_small_buffer_ends_a_digest),
        test(neither_query_nor_small_buffer_ends_a_digest_in_parts),
        test(digests_begin_and_end_in_order),
        test(digests_check_mechanism_and_pointers),
        test(a_session_secret_key_is_digested),
        test(a_private_key_is_indigestible),
        test(random_numbers_come_in_every_length),
        test(a_seed_is_taken_or_refused_in_every_length),
        test(the_state_of_an_operation_is_answered),
        test(asking_for_the_state_does_not_end_the_operation),
        test(functions_for_two_things_at_once_are_answered),
    };

    return cmocka_run_group_tests(tests, initialised_setup, initialised_teardown);
}
