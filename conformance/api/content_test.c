/* What the attributes of keys and certificates hold: all that clients read,
 * and as the certificate has it. */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>

#include "conformance/api/objects.h"

/* Attributes that some client reads without a second plan. */
struct wanted {
    CK_ATTRIBUTE_TYPE type;
    const char *name;
};

#define WANTED(type)                                                                               \
    {                                                                                              \
        type, #type                                                                                \
    }

static const struct wanted of_every_object[] = {WANTED(CKA_CLASS), WANTED(CKA_TOKEN),
                                                WANTED(CKA_PRIVATE), WANTED(CKA_LABEL),
                                                WANTED(CKA_MODIFIABLE)};
static const struct wanted of_every_key[] = {WANTED(CKA_KEY_TYPE),   WANTED(CKA_ID),
                                             WANTED(CKA_DERIVE),     WANTED(CKA_LOCAL),
                                             WANTED(CKA_START_DATE), WANTED(CKA_END_DATE)};
static const struct wanted of_private_keys[] = {
    WANTED(CKA_SUBJECT),           WANTED(CKA_SENSITIVE),
    WANTED(CKA_DECRYPT),           WANTED(CKA_SIGN),
    WANTED(CKA_SIGN_RECOVER),      WANTED(CKA_UNWRAP),
    WANTED(CKA_EXTRACTABLE),       WANTED(CKA_ALWAYS_SENSITIVE),
    WANTED(CKA_NEVER_EXTRACTABLE), WANTED(CKA_ALWAYS_AUTHENTICATE),
};
static const struct wanted of_public_keys[] = {
    WANTED(CKA_SUBJECT),        WANTED(CKA_ENCRYPT), WANTED(CKA_VERIFY),
    WANTED(CKA_VERIFY_RECOVER), WANTED(CKA_WRAP),    WANTED(CKA_TRUSTED),
};
static const struct wanted of_certificates[] = {
    WANTED(CKA_CERTIFICATE_TYPE),
    WANTED(CKA_TRUSTED),
    WANTED(CKA_SUBJECT),
    WANTED(CKA_ID),
    WANTED(CKA_ISSUER),
    WANTED(CKA_SERIAL_NUMBER),
    WANTED(CKA_VALUE),
    WANTED(CKA_CERTIFICATE_CATEGORY),
};
static const struct wanted of_rsa_keys[] = {WANTED(CKA_MODULUS), WANTED(CKA_PUBLIC_EXPONENT)};
static const struct wanted of_ec_keys[] = {WANTED(CKA_EC_PARAMS)};

#define HAS(token, object, list) has(token, object, list, COUNT_OF(list))

static struct token *any_token_or_skip(void)
{
    struct token *tokens[2];

    key_tokens(tokens);
    return tokens[0];
}

static void has(struct token *token, CK_OBJECT_HANDLE object, const struct wanted *wanted,
                size_t count)
{
    for (size_t i = 0; i < count; i++) {
        CK_RV rv = attribute_rv(token->session, object, wanted[i].type);

        if (rv == CKR_OK)
            continue;
        print_error("%s cannot be read: %s\n", wanted[i].name, rv_name(rv));
        expectation_failed(__FILE__, __LINE__, "every attribute that clients read is there");
    }
}

static void every_attribute_that_clients_read_is_there(void **state)
{
    struct token *tokens[2];
    size_t count = key_tokens(tokens);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        CK_OBJECT_HANDLE keys[] = {tokens[i]->private_key, tokens[i]->public_key};

        for (size_t j = 0; j < COUNT_OF(keys); j++) {
            HAS(tokens[i], keys[j], of_every_object);
            HAS(tokens[i], keys[j], of_every_key);
            if (tokens[i]->key_type == CKK_RSA)
                HAS(tokens[i], keys[j], of_rsa_keys);
            else
                HAS(tokens[i], keys[j], of_ec_keys);
        }
        HAS(tokens[i], tokens[i]->private_key, of_private_keys);
        HAS(tokens[i], tokens[i]->public_key, of_public_keys);
        HAS(tokens[i], tokens[i]->certificate, of_every_object);
        HAS(tokens[i], tokens[i]->certificate, of_certificates);
    }
    expectations_met();
}

static void same_bytes(struct token *token, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type,
                       const void *expected, size_t length)
{
    unsigned char value[MAX_VALUE];

    assert_int_equal(get_bytes(token->session, object, type, value), length);
    assert_memory_equal(value, expected, length);
}

static void the_certificate_attributes_are_those_of_its_value(void **state)
{
    struct token *token = any_token_or_skip();
    unsigned char der[MAX_VALUE], *end;

    (void)state;
    assert_int_equal(get_ulong(token->session, token->certificate, CKA_CERTIFICATE_TYPE),
                     CKC_X_509);
    end = der;
    i2d_X509_NAME(X509_get_subject_name(token->x509), &end);
    same_bytes(token, token->certificate, CKA_SUBJECT, der, (size_t)(end - der));
    end = der;
    i2d_X509_NAME(X509_get_issuer_name(token->x509), &end);
    same_bytes(token, token->certificate, CKA_ISSUER, der, (size_t)(end - der));
    end = der;
    i2d_ASN1_INTEGER(X509_get0_serialNumber(token->x509), &end);
    same_bytes(token, token->certificate, CKA_SERIAL_NUMBER, der, (size_t)(end - der));
}

static void key_pair_and_certificate_have_one_id_that_is_not_empty(void **state)
{
    struct token *tokens[2];
    size_t count = key_tokens(tokens);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        unsigned char id[MAX_VALUE];
        size_t length = get_bytes(tokens[i]->session, tokens[i]->certificate, CKA_ID, id);

        assert_true(length > 0);
        same_bytes(tokens[i], tokens[i]->private_key, CKA_ID, id, length);
        same_bytes(tokens[i], tokens[i]->public_key, CKA_ID, id, length);
    }
}

/* Clients that find the key by the certificate's subject read it. */
static void the_keys_subject_is_the_certificates_or_empty(void **state)
{
    struct token *tokens[2];
    size_t count = key_tokens(tokens);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        CK_OBJECT_HANDLE keys[] = {tokens[i]->private_key, tokens[i]->public_key};
        unsigned char subject[MAX_VALUE], value[MAX_VALUE];
        size_t length = get_bytes(tokens[i]->session, tokens[i]->certificate, CKA_SUBJECT, subject);

        for (size_t j = 0; j < COUNT_OF(keys); j++)
            if (get_bytes(tokens[i]->session, keys[j], CKA_SUBJECT, value) > 0)
                same_bytes(tokens[i], keys[j], CKA_SUBJECT, subject, length);
    }
}

static void compare_number(struct token *token, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type,
                           const char *parameter)
{
    unsigned char bytes[1024];
    BIGNUM *number = NULL;
    int length;

    assert_int_equal(EVP_PKEY_get_bn_param(token->key, parameter, &number), 1);
    length = BN_bn2bin(number, bytes);
    BN_free(number);
    same_bytes(token, object, type, bytes, (size_t)length);
}

static void the_rsa_key_is_the_certificates(void **state)
{
    struct token *token = token_or_skip("PKCS11_TOKEN_RSA");
    CK_OBJECT_HANDLE keys[] = {token->private_key, token->public_key};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        assert_int_equal(get_ulong(token->session, keys[i], CKA_KEY_TYPE), CKK_RSA);
        compare_number(token, keys[i], CKA_MODULUS, OSSL_PKEY_PARAM_RSA_N);
        compare_number(token, keys[i], CKA_PUBLIC_EXPONENT, OSSL_PKEY_PARAM_RSA_E);
    }
    assert_int_equal(get_ulong(token->session, token->public_key, CKA_MODULUS_BITS),
                     EVP_PKEY_get_bits(token->key));
}

static void the_ec_point_is_a_der_octet_string(void **state)
{
    struct token *token = token_or_skip("PKCS11_TOKEN_EC");
    static const unsigned char prime256v1[] = {0x06, 0x08, 0x2A, 0x86, 0x48,
                                               0xCE, 0x3D, 0x03, 0x01, 0x07};
    unsigned char point[256];
    size_t length = 0;

    (void)state;
    assert_int_equal(EVP_PKEY_get_octet_string_param(token->key, OSSL_PKEY_PARAM_PUB_KEY, point + 2,
                                                     sizeof(point) - 2, &length),
                     1);
    assert_int_equal(length, 65);
    point[0] = 0x04;
    point[1] = (unsigned char)length;
    same_bytes(token, token->public_key, CKA_EC_POINT, point, length + 2);
    same_bytes(token, token->public_key, CKA_EC_PARAMS, prime256v1, sizeof(prime256v1));
    same_bytes(token, token->private_key, CKA_EC_PARAMS, prime256v1, sizeof(prime256v1));
}

static void the_public_key_info_is_the_certificates(void **state)
{
    struct token *tokens[2];
    size_t count = key_tokens(tokens);

    (void)state;
    signet_only("CKA_PUBLIC_KEY_INFO of all three objects");
    for (size_t i = 0; i < count; i++) {
        unsigned char der[MAX_VALUE], *end = der;
        size_t length;

        assert_true(i2d_PUBKEY(tokens[i]->key, &end) > 0);
        length = (size_t)(end - der);
        same_bytes(tokens[i], tokens[i]->private_key, CKA_PUBLIC_KEY_INFO, der, length);
        same_bytes(tokens[i], tokens[i]->public_key, CKA_PUBLIC_KEY_INFO, der, length);
        same_bytes(tokens[i], tokens[i]->certificate, CKA_PUBLIC_KEY_INFO, der, length);
    }
}

static void the_private_key_never_leaves(void **state)
{
    struct token *tokens[2];
    size_t count = key_tokens(tokens);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        CK_SESSION_HANDLE session = tokens[i]->session;
        CK_OBJECT_HANDLE key = tokens[i]->private_key;

        assert_true(get_bool(session, key, CKA_SENSITIVE));
        assert_false(get_bool(session, key, CKA_EXTRACTABLE));
        assert_true(get_bool(session, key, CKA_TOKEN));
        assert_true(get_bool(session, key, CKA_SIGN));
        assert_false(get_bool(session, key, CKA_ALWAYS_AUTHENTICATE));
        assert_true(get_bool(session, tokens[i]->public_key, CKA_VERIFY));
        assert_false(get_bool(session, tokens[i]->public_key, CKA_PRIVATE));
        assert_false(get_bool(session, tokens[i]->certificate, CKA_PRIVATE));
    }
}

static void a_write_protected_tokens_objects_cannot_be_changed(void **state)
{
    struct token *token = any_token_or_skip();
    CK_ATTRIBUTE_TYPE types[] = {CKA_MODIFIABLE, CKA_DESTROYABLE};

    (void)state;
    signet_only("CKA_MODIFIABLE and CKA_DESTROYABLE tell what can be done");
    if (!write_protected(token->slot))
        skip_because("the token is not write-protected");
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        assert_false(get_bool(token->session, token->private_key, types[i]));
        assert_false(get_bool(token->session, token->certificate, types[i]));
    }
}

static void unique_ids_are_unique(void **state)
{
    struct token *token = any_token_or_skip();
    CK_OBJECT_HANDLE objects[MAX_FOUND];
    CK_ULONG count = find_all(token->session, NULL, 0, objects);

    (void)state;
    if (attribute_rv(token->session, objects[0], CKA_UNIQUE_ID) == CKR_ATTRIBUTE_TYPE_INVALID)
        skip_because("objects have no CKA_UNIQUE_ID");
    for (CK_ULONG i = 0; i < count; i++) {
        unsigned char one[MAX_VALUE], other[MAX_VALUE];
        size_t length = get_bytes(token->session, objects[i], CKA_UNIQUE_ID, one);

        for (CK_ULONG j = 0; j < i; j++)
            assert_false(get_bytes(token->session, objects[j], CKA_UNIQUE_ID, other) == length &&
                         memcmp(one, other, length) == 0);
    }
}

#define test(function) cmocka_unit_test_teardown(function, close_everything)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(every_attribute_that_clients_read_is_there),
        test(the_certificate_attributes_are_those_of_its_value),
        test(key_pair_and_certificate_have_one_id_that_is_not_empty),
        test(the_keys_subject_is_the_certificates_or_empty),
        test(the_rsa_key_is_the_certificates),
        test(the_ec_point_is_a_der_octet_string),
        test(the_public_key_info_is_the_certificates),
        test(the_private_key_never_leaves),
        test(a_write_protected_tokens_objects_cannot_be_changed),
        test(unique_ids_are_unique),
    };

    return cmocka_run_group_tests(tests, initialised_setup, initialised_teardown);
}
