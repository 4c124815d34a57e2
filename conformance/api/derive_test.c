/* PKCS#11 2.40 mechanisms, section 2.3.6: CKM_ECDH1_DERIVE. */
#include <openssl/core_names.h>
#include <openssl/ec.h>

#include "conformance/api/objects.h"

#define POINT_SIZE 65
#define SECRET_SIZE 32

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
static CK_OBJECT_CLASS secret_class = CKO_SECRET_KEY;
static CK_KEY_TYPE generic = CKK_GENERIC_SECRET;

struct peer {
    unsigned char point[POINT_SIZE];
    unsigned char secret[SECRET_SIZE]; /* shared with the token, by OpenSSL */
};

static struct token *ec_token_or_skip(void)
{
    struct token *token = token_or_skip("PKCS11_TOKEN_EC");

    mechanism_or_skip(token->slot, CKM_ECDH1_DERIVE);
    if (!get_bool(token->session, token->private_key, CKA_DERIVE))
        skip_because("the key does not derive");
    return token;
}

/* A new key of the same curve and what it shares with the token. */
static struct peer make_peer(const struct token *token)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
    struct peer peer;
    size_t point_length = 0, secret_length = sizeof(peer.secret);
    bool good = EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, peer.point,
                                                sizeof(peer.point), &point_length) > 0 &&
                EVP_PKEY_derive_init(context) > 0 &&
                EVP_PKEY_derive_set_peer(context, token->key) > 0 &&
                EVP_PKEY_derive(context, peer.secret, &secret_length) > 0;

    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(key);
    assert_true(good);
    return peer;
}

static CK_RV derive_with(struct token *token, CK_ECDH1_DERIVE_PARAMS *params,
                         CK_ATTRIBUTE *template, CK_ULONG count, CK_OBJECT_HANDLE *ret_key)
{
    CK_MECHANISM mechanism = {CKM_ECDH1_DERIVE, params, sizeof(*params)};

    *ret_key = POISON_ULONG;
    return p11->C_DeriveKey(token->session, &mechanism, token->private_key, template, count,
                            ret_key);
}

static CK_RV derive(struct token *token, unsigned char *point, size_t length, CK_ULONG value_length,
                    CK_OBJECT_HANDLE *ret_key)
{
    CK_ECDH1_DERIVE_PARAMS params = {CKD_NULL, 0, NULL, length, point};
    CK_ATTRIBUTE template[] = {{CKA_CLASS, &secret_class, sizeof(secret_class)},
                               {CKA_KEY_TYPE, &generic, sizeof(generic)},
                               {CKA_TOKEN, &no, sizeof(no)},
                               {CKA_SENSITIVE, &no, sizeof(no)},
                               {CKA_EXTRACTABLE, &yes, sizeof(yes)},
                               {CKA_VALUE_LEN, &value_length, sizeof(value_length)}};

    return derive_with(token, &params, template, COUNT_OF(template) - (value_length == 0), ret_key);
}

static void assert_value(struct token *token, CK_OBJECT_HANDLE key, const unsigned char *expected,
                         size_t length)
{
    unsigned char value[MAX_VALUE];

    assert_int_equal(get_bytes(token->session, key, CKA_VALUE, value), length);
    assert_memory_equal(value, expected, length);
}

static void the_shared_secret_is_openssls(void **state)
{
    struct token *token = ec_token_or_skip();

    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        struct peer peer = make_peer(token);
        CK_OBJECT_HANDLE key;

        assert_ok(derive(token, peer.point, sizeof(peer.point), SECRET_SIZE, &key));
        assert_value(token, key, peer.secret, SECRET_SIZE);
        assert_ok(p11->C_DestroyObject(token->session, key));
    }
}

static void the_point_may_be_wrapped_in_der(void **state)
{
    struct token *token = ec_token_or_skip();
    struct peer peer = make_peer(token);
    unsigned char der[POINT_SIZE + 2] = {0x04, POINT_SIZE};
    CK_OBJECT_HANDLE key;

    (void)state;
    memcpy(der + 2, peer.point, sizeof(peer.point));
    assert_ok(derive(token, der, sizeof(der), SECRET_SIZE, &key));
    assert_value(token, key, peer.secret, SECRET_SIZE);
}

static void without_a_length_the_whole_secret_is_taken(void **state)
{
    struct token *token = ec_token_or_skip();
    struct peer peer = make_peer(token);
    CK_OBJECT_HANDLE key;

    (void)state;
    assert_ok(derive(token, peer.point, sizeof(peer.point), 0, &key));
    assert_value(token, key, peer.secret, SECRET_SIZE);
    assert_int_equal(get_ulong(token->session, key, CKA_VALUE_LEN), SECRET_SIZE);
}

/* "The truncation removes bytes from the leading end of the secret value." */
static void a_shorter_length_keeps_the_trailing_bytes(void **state)
{
    struct token *token = ec_token_or_skip();
    struct peer peer = make_peer(token);
    CK_OBJECT_HANDLE key;

    (void)state;
    assert_ok(derive(token, peer.point, sizeof(peer.point), 16, &key));
    assert_value(token, key, peer.secret + SECRET_SIZE - 16, 16);
}

static void more_than_the_secret_has_cannot_be_asked_for(void **state)
{
    struct token *token = ec_token_or_skip();
    struct peer peer = make_peer(token);
    CK_ULONG lengths[] = {SECRET_SIZE + 1, 1UL << 20, ~0UL};
    CK_OBJECT_HANDLE key;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        expect_rv(derive(token, peer.point, sizeof(peer.point), lengths[i], &key),
                  CKR_KEY_SIZE_RANGE, CKR_TEMPLATE_INCONSISTENT, CKR_ATTRIBUTE_VALUE_INVALID);
        expect_true(key == POISON_ULONG || key == CK_INVALID_HANDLE);
    }
    expectations_met();
}

static void a_derived_key_can_be_an_aes_key(void **state)
{
    struct token *token = ec_token_or_skip();
    struct peer peer = make_peer(token);
    CK_KEY_TYPE aes = CKK_AES;
    CK_ULONG length = 32;
    CK_ECDH1_DERIVE_PARAMS params = {CKD_NULL, 0, NULL, sizeof(peer.point), peer.point};
    CK_ATTRIBUTE template[] = {{CKA_CLASS, &secret_class, sizeof(secret_class)},
                               {CKA_KEY_TYPE, &aes, sizeof(aes)},
                               {CKA_TOKEN, &no, sizeof(no)},
                               {CKA_SENSITIVE, &no, sizeof(no)},
                               {CKA_EXTRACTABLE, &yes, sizeof(yes)},
                               {CKA_VALUE_LEN, &length, sizeof(length)}};
    CK_OBJECT_HANDLE key;
    CK_RV rv = derive_with(token, &params, template, COUNT_OF(template), &key);

    (void)state;
    assert_rv(rv, CKR_OK, CKR_TEMPLATE_INCONSISTENT, CKR_ATTRIBUTE_VALUE_INVALID);
    if (rv == CKR_OK)
        assert_value(token, key, peer.secret, SECRET_SIZE);
}

static void the_derived_key_tells_where_it_comes_from(void **state)
{
    struct token *token = ec_token_or_skip();
    struct peer peer = make_peer(token);
    CK_OBJECT_HANDLE key;

    (void)state;
    assert_ok(derive(token, peer.point, sizeof(peer.point), SECRET_SIZE, &key));
    assert_int_equal(get_ulong(token->session, key, CKA_CLASS), CKO_SECRET_KEY);
    assert_int_equal(get_ulong(token->session, key, CKA_KEY_TYPE), CKK_GENERIC_SECRET);
    assert_false(get_bool(token->session, key, CKA_TOKEN));
    assert_false(get_bool(token->session, key, CKA_LOCAL));
    assert_false(get_bool(token->session, key, CKA_ALWAYS_SENSITIVE));
    assert_false(get_bool(token->session, key, CKA_NEVER_EXTRACTABLE));
}

static void a_sensitive_derived_key_hides_its_value(void **state)
{
    struct token *token = ec_token_or_skip();
    struct peer peer = make_peer(token);
    CK_ECDH1_DERIVE_PARAMS params = {CKD_NULL, 0, NULL, sizeof(peer.point), peer.point};
    CK_ATTRIBUTE template[] = {{CKA_CLASS, &secret_class, sizeof(secret_class)},
                               {CKA_KEY_TYPE, &generic, sizeof(generic)},
                               {CKA_TOKEN, &no, sizeof(no)},
                               {CKA_SENSITIVE, &yes, sizeof(yes)}};
    CK_OBJECT_HANDLE key;
    CK_ULONG length = SECRET_SIZE;
    CK_ATTRIBUTE with_length[5];

    (void)state;
    memcpy(with_length, template, sizeof(template));
    with_length[4] = (CK_ATTRIBUTE){CKA_VALUE_LEN, &length, sizeof(length)};
    assert_ok(derive_with(token, &params, with_length, COUNT_OF(with_length), &key));
    assert_rv(attribute_rv(token->session, key, CKA_VALUE), CKR_ATTRIBUTE_SENSITIVE);
}

static void refused(struct token *token, unsigned char *point, size_t length)
{
    CK_OBJECT_HANDLE key, objects[MAX_FOUND];
    CK_ULONG before = find_class(token->session, CKO_SECRET_KEY, objects);

    expect_rv(derive(token, point, length, SECRET_SIZE, &key), CKR_MECHANISM_PARAM_INVALID,
              CKR_PUBLIC_KEY_INVALID, CKR_ARGUMENTS_BAD);
    expect_true(key == POISON_ULONG || key == CK_INVALID_HANDLE);
    expect_true(find_class(token->session, CKO_SECRET_KEY, objects) == before);
}

static void bad_points_are_refused(void **state)
{
    struct token *token = ec_token_or_skip();
    struct peer peer = make_peer(token), off_curve = peer, beyond_field = peer;
    unsigned char infinity[] = {0}, der_infinity[] = {0x04, 0x01, 0x00};
    unsigned char odd_prefix[POINT_SIZE], zeros[POINT_SIZE] = {0x04};
    unsigned char broken_der[POINT_SIZE + 2] = {0x04, POINT_SIZE + 1};

    (void)state;
    signet_only("one code for points that are none");
    off_curve.point[POINT_SIZE - 1] ^= 1;
    memset(beyond_field.point + 1, 0xFF, 32);
    memcpy(odd_prefix, peer.point, sizeof(odd_prefix));
    odd_prefix[0] = 0x05;
    memcpy(broken_der + 2, peer.point, sizeof(peer.point));
    refused(token, off_curve.point, sizeof(off_curve.point));
    refused(token, beyond_field.point, sizeof(beyond_field.point));
    refused(token, peer.point, sizeof(peer.point) - 1);
    refused(token, peer.point, sizeof(peer.point) - 33);
    refused(token, peer.point, 0);
    refused(token, infinity, sizeof(infinity));
    refused(token, der_infinity, sizeof(der_infinity));
    refused(token, odd_prefix, sizeof(odd_prefix));
    refused(token, zeros, sizeof(zeros));
    refused(token, broken_der, sizeof(broken_der));
    refused(token, NULL, POINT_SIZE);
    refused(token, NULL, 0);
    expectations_met();
}

static void a_point_of_another_curve_is_refused(void **state)
{
    struct token *token = ec_token_or_skip();
    EVP_PKEY *key;
    unsigned char point[256];
    size_t length = 0;

    (void)state;
    signet_only("one code for points that are none");
    key = EVP_EC_gen("P-384");
    assert_int_equal(EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point,
                                                     sizeof(point), &length),
                     1);
    EVP_PKEY_free(key);
    refused(token, point, length);
    expectations_met();
}

static void bad_parameters_are_refused(void **state)
{
    struct token *token = ec_token_or_skip();
    struct peer peer = make_peer(token);
    unsigned char shared[] = "shared";
    CK_ECDH1_DERIVE_PARAMS good = {CKD_NULL, 0, NULL, sizeof(peer.point), peer.point};
    CK_ECDH1_DERIVE_PARAMS with_data = good, unknown_kdf = good, no_kdf = good;
    CK_MECHANISM short_params = {CKM_ECDH1_DERIVE, &good, sizeof(good) - 1};
    CK_MECHANISM no_params = {CKM_ECDH1_DERIVE, NULL, 0};
    CK_OBJECT_HANDLE key;

    (void)state;
    signet_only("section 2.3.6: CKD_NULL takes no shared data");
    with_data.ulSharedDataLen = sizeof(shared);
    with_data.pSharedData = shared;
    unknown_kdf.kdf = 0x7FFFFFFF;
    no_kdf.kdf = 0;
    expect_rv(derive_with(token, &with_data, NULL, 0, &key), CKR_MECHANISM_PARAM_INVALID);
    expect_rv(derive_with(token, &unknown_kdf, NULL, 0, &key), CKR_MECHANISM_PARAM_INVALID);
    expect_rv(derive_with(token, &no_kdf, NULL, 0, &key), CKR_MECHANISM_PARAM_INVALID);
    expect_rv(p11->C_DeriveKey(token->session, &short_params, token->private_key, NULL, 0, &key),
              CKR_MECHANISM_PARAM_INVALID);
    expect_rv(p11->C_DeriveKey(token->session, &no_params, token->private_key, NULL, 0, &key),
              CKR_MECHANISM_PARAM_INVALID, CKR_ARGUMENTS_BAD);
    expectations_met();
}

static void handles_and_pointers_are_checked(void **state)
{
    struct token *token = ec_token_or_skip();
    struct peer peer = make_peer(token);
    CK_ECDH1_DERIVE_PARAMS params = {CKD_NULL, 0, NULL, sizeof(peer.point), peer.point};
    CK_MECHANISM mechanism = {CKM_ECDH1_DERIVE, &params, sizeof(params)};
    CK_OBJECT_HANDLE key;
    CK_SESSION_HANDLE session = token->session;

    (void)state;
    signet_only("codes for wrong handles");
    expect_rv(p11->C_DeriveKey(session, &mechanism, 0, NULL, 0, &key), CKR_KEY_HANDLE_INVALID);
    expect_rv(p11->C_DeriveKey(session, &mechanism, token->public_key, NULL, 0, &key),
              CKR_KEY_TYPE_INCONSISTENT, CKR_KEY_FUNCTION_NOT_PERMITTED, CKR_KEY_HANDLE_INVALID);
    expect_rv(p11->C_DeriveKey(session, NULL, token->private_key, NULL, 0, &key),
              CKR_ARGUMENTS_BAD);
    expect_rv(p11->C_DeriveKey(session, &mechanism, token->private_key, NULL, 1, &key),
              CKR_ARGUMENTS_BAD);
    expectations_met();
}

/* A token object of a write-protected token cannot be the result. */
static void a_write_protected_token_keeps_no_derived_key(void **state)
{
    struct token *token = ec_token_or_skip();
    struct peer peer = make_peer(token);
    CK_ECDH1_DERIVE_PARAMS params = {CKD_NULL, 0, NULL, sizeof(peer.point), peer.point};
    CK_ATTRIBUTE template[] = {{CKA_CLASS, &secret_class, sizeof(secret_class)},
                               {CKA_KEY_TYPE, &generic, sizeof(generic)},
                               {CKA_TOKEN, &yes, sizeof(yes)}};
    CK_OBJECT_HANDLE key;

    (void)state;
    if (!write_protected(token->slot))
        skip_because("the token is not write-protected");
    token->session = open_rw_session(token->slot);
    assert_rv(derive_with(token, &params, template, COUNT_OF(template), &key),
              CKR_TOKEN_WRITE_PROTECTED);
}

#define test(function) cmocka_unit_test_teardown(function, close_everything)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(the_shared_secret_is_openssls),
        test(the_point_may_be_wrapped_in_der),
        test(without_a_length_the_whole_secret_is_taken),
        test(a_shorter_length_keeps_the_trailing_bytes),
        test(more_than_the_secret_has_cannot_be_asked_for),
        test(a_derived_key_can_be_an_aes_key),
        test(the_derived_key_tells_where_it_comes_from),
        test(a_sensitive_derived_key_hides_its_value),
        test(bad_points_are_refused),
        test(a_point_of_another_curve_is_refused),
        test(bad_parameters_are_refused),
        test(handles_and_pointers_are_checked),
        test(a_write_protected_token_keeps_no_derived_key),
    };

    return cmocka_run_group_tests(tests, initialised_setup, initialised_teardown);
}
