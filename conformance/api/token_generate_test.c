/* PKCS#11 2.40 section 5.13: keys generated on a token and in a session, and used. */
#include "conformance/api/making.h"
#include "conformance/api/schemes.h"

/* Signs with every listed scheme of the key's type, and has OpenSSL verify. */
static void sign_with_all(struct token *token)
{
    unsigned done = 0;

    for (size_t i = 0; i < scheme_count; i++) {
        if (scheme_key_type(&schemes[i]) != token->key_type)
            continue;
        if (!mechanism_listed(token->slot, schemes[i].type))
            continue;
        if (expect_rv(sign_and_verify(token, schemes[i].type), CKR_OK) != CKR_OK)
            print_error("    %s\n", mechanism_name(schemes[i].type));
        done++;
    }
    assert_true(done > 0);
}

static void openssl_encrypts_and_it_decrypts(struct token *token)
{
    CK_MECHANISM mechanism = {CKM_RSA_PKCS, NULL, 0};
    unsigned char cipher[1024], plain[1024];
    size_t length = sizeof(cipher);
    CK_ULONG plain_length = sizeof(plain);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(token->key, NULL);

    assert_true(EVP_PKEY_encrypt_init(context) > 0);
    assert_true(EVP_PKEY_encrypt(context, cipher, &length, (const unsigned char *)"plain", 5) > 0);
    EVP_PKEY_CTX_free(context);
    expect_rv(p11->C_DecryptInit(token->session, &mechanism, token->private_key), CKR_OK);
    expect_rv(p11->C_Decrypt(token->session, cipher, length, plain, &plain_length), CKR_OK);
    expect_true(plain_length == 5 && memcmp(plain, "plain", 5) == 0);
}

static void use_rsa(CK_ULONG bits, bool on_token)
{
    CK_SESSION_HANDLE session = user_session();
    struct pair pair = new_rsa_pair(session, bits, on_token);
    struct token token = token_of_pair(session, pair);

    expect_true(EVP_PKEY_get_bits(token.key) == (int)bits);
    expect_true(get_ulong(session, pair.public_key, CKA_MODULUS_BITS) == bits);
    expect_true(get_bool(session, pair.private_key, CKA_TOKEN) == on_token);
    sign_with_all(&token);
    openssl_encrypts_and_it_decrypts(&token);
    EVP_PKEY_free(token.key);
    expectations_met();
}

static void rsa_2048_on_the_token_signs_and_decrypts(void **state)
{
    (void)state;
    use_rsa(2048, true);
}

static void rsa_2048_in_a_session_signs_and_decrypts(void **state)
{
    (void)state;
    use_rsa(2048, false);
}

static void rsa_3072_on_the_token_signs_and_decrypts(void **state)
{
    (void)state;
    use_rsa(3072, true);
}

static void use_ec(const char *params, size_t length, int bits, bool on_token)
{
    CK_SESSION_HANDLE session = user_session();
    struct pair pair = new_ec_pair(session, params, length, on_token);
    struct token token = token_of_pair(session, pair);

    expect_true(EVP_PKEY_get_bits(token.key) == bits);
    expect_true(get_bool(session, pair.private_key, CKA_TOKEN) == on_token);
    sign_with_all(&token);
    EVP_PKEY_free(token.key);
    expectations_met();
}

static void p256_on_the_token_signs(void **state)
{
    (void)state;
    use_ec(P256, 256, true);
}

static void p256_in_a_session_signs(void **state)
{
    (void)state;
    use_ec(P256, 256, false);
}

static void p384_on_the_token_signs(void **state)
{
    (void)state;
    use_ec(P384, 384, true);
}

static void p521_on_the_token_signs(void **state)
{
    (void)state;
    use_ec(P521, 521, true);
}

static void curves_are_also_known_by_name(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    struct pair pair;
    CK_RV rv =
        generate_pair(session, CKM_EC_KEY_PAIR_GEN,
                      LIST(BYTES(CKA_EC_PARAMS, "\x13\x0asecp256r1", 12), FLAG(CKA_TOKEN, false)),
                      LIST(FLAG(CKA_TOKEN, false), FLAG(CKA_SIGN, true)), &pair);

    (void)state;
    if (rv != CKR_OK)
        assert_rv(rv, CKR_CURVE_NOT_SUPPORTED, CKR_ATTRIBUTE_VALUE_INVALID,
                  CKR_DOMAIN_PARAMS_INVALID);
    else
        assert_ok(sign_simply(session, pair.private_key));
}

static void every_generated_key_is_another(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    unsigned char points[4][MAX_VALUE];

    (void)state;
    for (unsigned i = 0; i < COUNT_OF(points); i++) {
        struct pair pair = new_ec_pair(session, P256, i & 1);

        assert_int_equal(get_bytes(session, pair.public_key, CKA_EC_POINT, points[i]), 67);
        for (unsigned j = 0; j < i; j++)
            assert_memory_not_equal(points[i], points[j], 67);
    }
}

static void aes_and_generic_keys_have_their_length(void **state)
{
    static const struct {
        CK_MECHANISM_TYPE mechanism;
        CK_ULONG bytes;
    } rows[] = {{CKM_AES_KEY_GEN, 16},
                {CKM_AES_KEY_GEN, 24},
                {CKM_AES_KEY_GEN, 32},
                {CKM_GENERIC_SECRET_KEY_GEN, 1},
                {CKM_GENERIC_SECRET_KEY_GEN, 20},
                {CKM_GENERIC_SECRET_KEY_GEN, 64},
                {CKM_GENERIC_SECRET_KEY_GEN, 500}};
    CK_SESSION_HANDLE session = user_session();
    unsigned char value[MAX_VALUE];

    (void)state;
    for (size_t i = 0; i < 2 * COUNT_OF(rows); i++) {
        CK_ULONG bytes = rows[i / 2].bytes;
        CK_OBJECT_HANDLE key = POISON_ULONG;

        assert_ok(generate_secret(
            session, rows[i / 2].mechanism, bytes,
            LIST(FLAG(CKA_TOKEN, i & 1), FLAG(CKA_SENSITIVE, false), FLAG(CKA_EXTRACTABLE, true)),
            &key));
        assert_int_equal(get_bytes(session, key, CKA_VALUE, value), bytes);
        assert_int_equal(get_ulong(session, key, CKA_VALUE_LEN), bytes);
    }
}

static void what_a_key_must_have_is_demanded(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    CK_MECHANISM aes = {CKM_AES_KEY_GEN, NULL, 0};
    CK_OBJECT_HANDLE key = POISON_ULONG;
    struct pair pair;

    (void)state;
    expect_rv(generate_pair(session, CKM_RSA_PKCS_KEY_PAIR_GEN, LIST(FLAG(CKA_TOKEN, false)),
                            LIST(FLAG(CKA_TOKEN, false)), &pair),
              CKR_TEMPLATE_INCOMPLETE);
    expect_rv(generate_pair(session, CKM_EC_KEY_PAIR_GEN, LIST(FLAG(CKA_TOKEN, false)),
                            LIST(FLAG(CKA_TOKEN, false)), &pair),
              CKR_TEMPLATE_INCOMPLETE);
    expect_rv(p11->C_GenerateKey(session, &aes, LIST(FLAG(CKA_TOKEN, false)), &key),
              CKR_TEMPLATE_INCOMPLETE);
    expect_true(key == POISON_ULONG || key == CK_INVALID_HANDLE);
    expectations_met();
}

static void templates_may_repeat_but_not_contradict_the_mechanism(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    CK_OBJECT_HANDLE key = POISON_ULONG;
    struct pair pair;

    (void)state;
    expect_rv(generate_pair(session, CKM_EC_KEY_PAIR_GEN,
                            LIST(NUMBER(CKA_CLASS, CKO_PUBLIC_KEY), NUMBER(CKA_KEY_TYPE, CKK_EC),
                                 BYTES(CKA_EC_PARAMS, P256), FLAG(CKA_TOKEN, false)),
                            LIST(NUMBER(CKA_CLASS, CKO_PRIVATE_KEY), NUMBER(CKA_KEY_TYPE, CKK_EC),
                                 FLAG(CKA_TOKEN, false)),
                            &pair),
              CKR_OK);
    expect_rv(generate_pair(session, CKM_EC_KEY_PAIR_GEN,
                            LIST(NUMBER(CKA_KEY_TYPE, CKK_RSA), BYTES(CKA_EC_PARAMS, P256)),
                            LIST(FLAG(CKA_TOKEN, false)), &pair),
              CKR_TEMPLATE_INCONSISTENT);
    expect_rv(generate_pair(session, CKM_EC_KEY_PAIR_GEN, LIST(BYTES(CKA_EC_PARAMS, P256)),
                            LIST(NUMBER(CKA_CLASS, CKO_PUBLIC_KEY), FLAG(CKA_TOKEN, false)), &pair),
              CKR_TEMPLATE_INCONSISTENT);
    expect_rv(generate_secret(session, CKM_AES_KEY_GEN, 16,
                              LIST(NUMBER(CKA_KEY_TYPE, CKK_GENERIC_SECRET)), &key),
              CKR_TEMPLATE_INCONSISTENT);
    expect_rv(generate_secret(session, CKM_AES_KEY_GEN, 16,
                              LIST(TEXT(CKA_VALUE, "0123456789abcdef")), &key),
              CKR_ATTRIBUTE_READ_ONLY, CKR_TEMPLATE_INCONSISTENT);
    expectations_met();
}

static void sizes_that_nobody_has_are_refused(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    CK_OBJECT_HANDLE key = POISON_ULONG;
    static const CK_ULONG bits[] = {0, 8, 511, 1000000};
    struct pair pair;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bits); i++)
        expect_rv(generate_pair(session, CKM_RSA_PKCS_KEY_PAIR_GEN,
                                LIST(NUMBER(CKA_MODULUS_BITS, bits[i]), FLAG(CKA_TOKEN, true),
                                     BYTES(CKA_PUBLIC_EXPONENT, "\1\0\1", 3)),
                                LIST(FLAG(CKA_TOKEN, true)), &pair),
                  CKR_KEY_SIZE_RANGE, CKR_ATTRIBUTE_VALUE_INVALID);
    expect_rv(generate_secret(session, CKM_AES_KEY_GEN, 17, LIST(FLAG(CKA_TOKEN, false)), &key),
              CKR_KEY_SIZE_RANGE, CKR_ATTRIBUTE_VALUE_INVALID);
    expect_rv(generate_secret(session, CKM_AES_KEY_GEN, 0, LIST(FLAG(CKA_TOKEN, false)), &key),
              CKR_KEY_SIZE_RANGE, CKR_ATTRIBUTE_VALUE_INVALID);
    expect_rv(
        generate_secret(session, CKM_GENERIC_SECRET_KEY_GEN, 0, LIST(FLAG(CKA_TOKEN, false)), &key),
        CKR_KEY_SIZE_RANGE, CKR_ATTRIBUTE_VALUE_INVALID);
    expect_rv(generate_secret(session, CKM_GENERIC_SECRET_KEY_GEN, 1UL << 40,
                              LIST(FLAG(CKA_TOKEN, false)), &key),
              CKR_KEY_SIZE_RANGE, CKR_ATTRIBUTE_VALUE_INVALID);
    expectations_met();
}

static void curves_that_nobody_has_are_refused(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    struct pair pair;

    (void)state;
    expect_rv(generate_pair(session, CKM_EC_KEY_PAIR_GEN,
                            LIST(BYTES(CKA_EC_PARAMS, "\x06\x03\x2a\x03\x04", 5)),
                            LIST(FLAG(CKA_TOKEN, false)), &pair),
              CKR_CURVE_NOT_SUPPORTED, CKR_DOMAIN_PARAMS_INVALID, CKR_ATTRIBUTE_VALUE_INVALID);
    expect_rv(generate_pair(session, CKM_EC_KEY_PAIR_GEN, LIST(BYTES(CKA_EC_PARAMS, "garbage", 7)),
                            LIST(FLAG(CKA_TOKEN, false)), &pair),
              CKR_CURVE_NOT_SUPPORTED, CKR_DOMAIN_PARAMS_INVALID, CKR_ATTRIBUTE_VALUE_INVALID);
    expectations_met();
}

static void generation_obeys_session_and_login(void **state)
{
    CK_SESSION_HANDLE writing = user_session(), reading = open_session(common_slot());
    CK_OBJECT_HANDLE key = POISON_ULONG;

    (void)state;
    expect_rv(generate_secret(reading, CKM_AES_KEY_GEN, 16, LIST(FLAG(CKA_TOKEN, true)), &key),
              CKR_SESSION_READ_ONLY);
    expect_rv(generate_secret(reading, CKM_AES_KEY_GEN, 16, LIST(FLAG(CKA_TOKEN, false)), &key),
              CKR_OK);
    expect_rv(p11->C_Logout(writing), CKR_OK);
    expect_rv(generate_secret(writing, CKM_AES_KEY_GEN, 16,
                              LIST(FLAG(CKA_TOKEN, true), FLAG(CKA_PRIVATE, true)), &key),
              CKR_USER_NOT_LOGGED_IN);
    expect_rv(generate_secret(writing, CKM_AES_KEY_GEN, 16,
                              LIST(FLAG(CKA_TOKEN, false), FLAG(CKA_PRIVATE, false)), &key),
              CKR_OK);
    expectations_met();
}

static void other_mechanisms_generate_nothing(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    CK_MECHANISM with_parameter = {CKM_AES_KEY_GEN, "0123", 4};
    CK_OBJECT_HANDLE key = POISON_ULONG;
    struct pair pair;

    (void)state;
    expect_rv(generate_secret(session, CKM_SHA256, 16, LIST(FLAG(CKA_TOKEN, false)), &key),
              CKR_MECHANISM_INVALID);
    expect_rv(generate_secret(session, CKM_EC_KEY_PAIR_GEN, 16, LIST(FLAG(CKA_TOKEN, false)), &key),
              CKR_MECHANISM_INVALID);
    expect_rv(generate_pair(session, CKM_AES_KEY_GEN, LIST(FLAG(CKA_TOKEN, false)),
                            LIST(FLAG(CKA_TOKEN, false)), &pair),
              CKR_MECHANISM_INVALID);
    expect_rv(p11->C_GenerateKey(session, &with_parameter, LIST(NUMBER(CKA_VALUE_LEN, 16)), &key),
              CKR_MECHANISM_PARAM_INVALID);
    expect_rv(p11->C_GenerateKey(session, NULL, LIST(NUMBER(CKA_VALUE_LEN, 16)), &key),
              CKR_ARGUMENTS_BAD);
    expectations_met();
}

static void a_refused_pair_leaves_nothing(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    CK_OBJECT_HANDLE objects[MAX_FOUND];
    struct pair pair;

    (void)state;
    assert_rv(generate_pair(session, CKM_EC_KEY_PAIR_GEN,
                            LIST(BYTES(CKA_EC_PARAMS, P256), FLAG(CKA_TOKEN, true)),
                            LIST(FLAG(CKA_TOKEN, true), FLAG(CKA_VERIFY, true)), &pair),
              CKR_ATTRIBUTE_TYPE_INVALID, CKR_TEMPLATE_INCONSISTENT);
    assert_int_equal(find_class(session, CKO_PUBLIC_KEY, objects), 0);
    assert_int_equal(find_class(session, CKO_PRIVATE_KEY, objects), 0);
}

#define test(function) cmocka_unit_test_teardown(function, destroy_everything)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(rsa_2048_on_the_token_signs_and_decrypts),
        test(rsa_2048_in_a_session_signs_and_decrypts),
        test(rsa_3072_on_the_token_signs_and_decrypts),
        test(p256_on_the_token_signs),
        test(p256_in_a_session_signs),
        test(p384_on_the_token_signs),
        test(p521_on_the_token_signs),
        test(curves_are_also_known_by_name),
        test(every_generated_key_is_another),
        test(aes_and_generic_keys_have_their_length),
        test(what_a_key_must_have_is_demanded),
        test(templates_may_repeat_but_not_contradict_the_mechanism),
        test(sizes_that_nobody_has_are_refused),
        test(curves_that_nobody_has_are_refused),
        test(generation_obeys_session_and_login),
        test(other_mechanisms_generate_nothing),
        test(a_refused_pair_leaves_nothing),
    };

    return cmocka_run_group_tests(tests, initialised_setup, initialised_teardown);
}
