#include "token/object/build.h"
#include "token/object/test_support.h"

static const struct object_names names = {
    .label = {(const uint8_t *)"label", 5},
    .id = {(const uint8_t *)"id", 2},
    .subject = {(const uint8_t *)"subject", 7},
    .unique = {(const uint8_t *)"0123456789abcdef", 16},
    .login = true,
};

static void set_part(struct bytes *part, const char *text)
{
    assert_ok(bytes_copy(part, view_string(text)));
}

static struct public_key rsa_key(void)
{
    struct public_key key = {.algorithm = KEY_ALGORITHM_RSA, .bits = 2048};
    set_part(&key.modulus, "modulus");
    set_part(&key.exponent, "\x01\x01");
    set_part(&key.spki, "spki");
    return key;
}

static struct public_key ec_key(void)
{
    struct public_key key = {.algorithm = KEY_ALGORITHM_EC, .bits = 256};
    set_part(&key.curve, P256);
    set_part(&key.point, "\x04xy");
    set_part(&key.spki, "spki");
    return key;
}

static void assert_text(const struct object *object, CK_ATTRIBUTE_TYPE type, const char *text)
{
    assert_true(attributes_has(&object->attributes, type));
    assert_view(attributes_value(&object->attributes, type), text);
}

static void assert_ulong(const struct object *object, CK_ATTRIBUTE_TYPE type, CK_ULONG value)
{
    assert_int_equal(attributes_ulong(&object->attributes, type, ~value), value);
}

static void assert_flag(const struct object *object, CK_ATTRIBUTE_TYPE type, bool value)
{
    if (attributes_bool(&object->attributes, type, !value) != value)
        fail_msg("attribute 0x%lx is not %d", type, value);
}

static void assert_common(const struct object *object, CK_OBJECT_CLASS class, const char *unique)
{
    assert_int_equal(object_class(object), class);
    assert_flag(object, CKA_TOKEN, true);
    assert_flag(object, CKA_MODIFIABLE, false);
    assert_flag(object, CKA_DESTROYABLE, false);
    assert_text(object, CKA_LABEL, "label");
    assert_text(object, CKA_UNIQUE_ID, unique);
}

/* What NSS, GnuTLS and OpenSC ask of a private key (they fail without it). */
static void assert_private(const struct object *object, bool in_tpm)
{
    static const CK_ATTRIBUTE_TYPE off[] = {CKA_EXTRACTABLE, CKA_UNWRAP, CKA_SIGN_RECOVER,
                                            CKA_WRAP_WITH_TRUSTED, CKA_ALWAYS_AUTHENTICATE};
    static const CK_ATTRIBUTE_TYPE tpm[] = {CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE, CKA_LOCAL};
    assert_common(object, CKO_PRIVATE_KEY, "0123456789abcdef-private");
    assert_text(object, CKA_ID, "id");
    assert_text(object, CKA_SUBJECT, "subject");
    assert_text(object, CKA_PUBLIC_KEY_INFO, "spki");
    assert_flag(object, CKA_SENSITIVE, true);
    for (size_t i = 0; i < ARRAY_SIZE(off); i++)
        assert_flag(object, off[i], false);
    for (size_t i = 0; i < ARRAY_SIZE(tpm); i++)
        assert_flag(object, tpm[i], in_tpm);
    assert_ulong(object, CKA_KEY_GEN_MECHANISM, CK_UNAVAILABLE_INFORMATION);
    assert_text(object, CKA_START_DATE, "");
}

static void an_rsa_private_key_has_what_clients_read(UNUSED void **state)
{
    struct public_key public_key = rsa_key();
    struct idle_key *idle = idle_key_new(&public_key);
    struct object *object = NULL;
    idle->sign = idle->decrypt = true;
    idle->place = KEY_IN_EMBEDDED;
    assert_ok(object_from_private_key(&names, &idle->key, &object));
    assert_private(object, true);
    assert_ulong(object, CKA_KEY_TYPE, CKK_RSA);
    assert_text(object, CKA_MODULUS, "modulus");
    assert_text(object, CKA_PUBLIC_EXPONENT, "\x01\x01");
    assert_flag(object, CKA_PRIVATE, true);
    assert_flag(object, CKA_SIGN, true);
    assert_flag(object, CKA_DECRYPT, true);
    assert_flag(object, CKA_DERIVE, false);
    assert_true(schema_is_hidden(&object->attributes, CKA_PRIVATE_EXPONENT));
    struct public_key described = {0};
    assert_ok(object_public_key(object, &described));
    assert_true(public_key_equal(&described, &public_key));
    public_key_clear(&described);
    assert_ptr_equal(object->key, &idle->key);
    key_unref(&idle->key);
    object_free(object);
    public_key_clear(&public_key);
}

static void an_ec_private_key_has_what_clients_read(UNUSED void **state)
{
    struct public_key public_key = ec_key();
    struct idle_key *idle = idle_key_new(&public_key);
    struct object_names open = names;
    struct object *object = NULL;
    open.login = false;
    idle->sign = idle->decrypt = idle->derive = true;
    assert_ok(object_from_private_key(&open, &idle->key, &object));
    assert_private(object, false);
    assert_ulong(object, CKA_KEY_TYPE, CKK_EC);
    assert_text(object, CKA_EC_PARAMS, P256);
    assert_text(object, CKA_EC_POINT, "\x04\x03\x04xy");
    assert_flag(object, CKA_PRIVATE, false);
    assert_flag(object, CKA_SIGN, true);
    assert_flag(object, CKA_DECRYPT, false);
    assert_flag(object, CKA_DERIVE, true);
    assert_true(schema_is_hidden(&object->attributes, CKA_VALUE));
    key_unref(&idle->key);
    object_free(object);
    public_key_clear(&public_key);
}

static void a_private_key_promises_only_what_its_key_can_do(UNUSED void **state)
{
    struct public_key public_key = rsa_key();
    for (unsigned can = 0; can < 4; can++) {
        struct idle_key *idle = idle_key_new(&public_key);
        struct object *object = NULL;
        idle->sign = can & 1;
        idle->decrypt = can & 2;
        assert_ok(object_from_private_key(&names, &idle->key, &object));
        assert_flag(object, CKA_SIGN, can & 1);
        assert_flag(object, CKA_DECRYPT, can & 2);
        key_unref(&idle->key);
        object_free(object);
    }
    public_key_clear(&public_key);
}

static void a_public_key_has_what_clients_read(UNUSED void **state)
{
    struct public_key keys[] = {rsa_key(), ec_key()};
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        bool rsa = keys[i].algorithm == KEY_ALGORITHM_RSA;
        struct object *object = NULL;
        assert_ok(object_from_public_key(&names, &keys[i], &object));
        assert_common(object, CKO_PUBLIC_KEY, "0123456789abcdef-public");
        assert_flag(object, CKA_PRIVATE, false);
        assert_text(object, CKA_ID, "id");
        assert_text(object, CKA_SUBJECT, "subject");
        assert_text(object, CKA_PUBLIC_KEY_INFO, "spki");
        assert_ulong(object, CKA_KEY_TYPE, rsa ? CKK_RSA : CKK_EC);
        assert_flag(object, CKA_VERIFY, true);
        assert_flag(object, CKA_ENCRYPT, rsa);
        assert_flag(object, CKA_WRAP, false);
        assert_flag(object, CKA_VERIFY_RECOVER, false);
        if (rsa)
            assert_ulong(object, CKA_MODULUS_BITS, 2048);
        else
            assert_text(object, CKA_EC_POINT, "\x04\x03\x04xy");
        assert_null(object->key);
        object_free(object);
        public_key_clear(&keys[i]);
    }
}

static void keys_of_the_other_curves_appear_too(UNUSED void **state)
{
    static const struct {
        enum key_algorithm algorithm;
        const char *curve;
        CK_KEY_TYPE type;
        bool sign;
    } rows[] = {{KEY_ALGORITHM_EDWARDS, ED25519, CKK_EC_EDWARDS, true},
                {KEY_ALGORITHM_MONTGOMERY, X25519, CKK_EC_MONTGOMERY, false}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct public_key key = {.algorithm = rows[i].algorithm, .bits = 255}, back = {0};
        struct object_names own = names;
        set_part(&key.curve, rows[i].curve);
        set_part(&key.point, "0123456789abcdef0123456789abcdef");
        struct idle_key *idle = idle_key_new(&key);
        struct object *private = NULL, *public = NULL;
        idle->sign = rows[i].sign;
        idle->derive = !rows[i].sign;
        own.modifiable = own.destroyable = true;
        assert_ok(object_from_private_key(&own, &idle->key, &private));
        assert_ok(object_from_public_key(&own, &key, &public));
        assert_ulong(private, CKA_KEY_TYPE, rows[i].type);
        assert_ulong(public, CKA_KEY_TYPE, rows[i].type);
        assert_flag(private, CKA_SIGN, rows[i].sign);
        assert_flag(private, CKA_DERIVE, !rows[i].sign);
        assert_flag(public, CKA_VERIFY, rows[i].sign);
        assert_flag(public, CKA_ENCRYPT, false);
        assert_flag(public, CKA_MODIFIABLE, true);
        assert_flag(public, CKA_DESTROYABLE, true);
        assert_text(private, CKA_EC_POINT,
                    "\x04\x20"
                    "0123456789abcdef0123456789abcdef");
        assert_ok(object_public_key(public, &back));
        assert_true(public_key_equal(&back, &key) && back.bits == 255);
        key_unref(&idle->key);
        object_free(private);
        object_free(public);
        public_key_clear(&key);
        public_key_clear(&back);
    }
}

static void a_certificate_has_what_clients_read(UNUSED void **state)
{
    enum { TOKEN_USER = 1, AUTHORITY = 2 };
    struct certificate certificate = {.start_date = "20240102", .end_date = "20340102"};
    set_part(&certificate.der, "der");
    set_part(&certificate.subject, "its subject");
    set_part(&certificate.issuer, "its issuer");
    set_part(&certificate.serial, "its serial");
    certificate.public_key = ec_key();
    for (int authority = 0; authority < 2; authority++) {
        struct object *object = NULL;
        certificate.authority = authority;
        assert_ok(object_from_certificate(&names, &certificate, &object));
        assert_common(object, CKO_CERTIFICATE, "0123456789abcdef-certificate");
        assert_flag(object, CKA_PRIVATE, false);
        assert_flag(object, CKA_TRUSTED, false);
        assert_ulong(object, CKA_CERTIFICATE_TYPE, CKC_X_509);
        assert_ulong(object, CKA_CERTIFICATE_CATEGORY, authority ? AUTHORITY : TOKEN_USER);
        assert_text(object, CKA_VALUE, "der");
        assert_text(object, CKA_ID, "id");
        assert_text(object, CKA_SUBJECT, "its subject");
        assert_text(object, CKA_ISSUER, "its issuer");
        assert_text(object, CKA_SERIAL_NUMBER, "its serial");
        assert_text(object, CKA_PUBLIC_KEY_INFO, "spki");
        assert_text(object, CKA_START_DATE, "20240102");
        assert_text(object, CKA_END_DATE, "20340102");
        object_free(object);
    }
    certificate_clear(&certificate);
}

static void the_profile_says_that_certificates_need_no_login(UNUSED void **state)
{
    struct object *object = NULL;
    assert_ok(object_public_certificates_profile(&names, &object));
    assert_common(object, CKO_PROFILE, "0123456789abcdef-profile");
    assert_ulong(object, CKA_PROFILE_ID, CKP_PUBLIC_CERTIFICATES_TOKEN);
    assert_flag(object, CKA_PRIVATE, false);
    object_free(object);
}

static void an_endless_unique_name_keeps_its_ending(UNUSED void **state)
{
    char text[300];
    struct object_names long_names = names;
    struct object *object = NULL;
    memset(text, 'u', sizeof(text));
    long_names.unique = view_of(text, sizeof(text));
    assert_ok(object_public_certificates_profile(&long_names, &object));
    struct view unique = attributes_value(&object->attributes, CKA_UNIQUE_ID);
    assert_int_equal(unique.size, 128);
    assert_memory_equal(unique.data + 128 - 8, "-profile", 8);
    object_free(object);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_rsa_private_key_has_what_clients_read),
        cmocka_unit_test(an_ec_private_key_has_what_clients_read),
        cmocka_unit_test(a_private_key_promises_only_what_its_key_can_do),
        cmocka_unit_test(a_public_key_has_what_clients_read),
        cmocka_unit_test(keys_of_the_other_curves_appear_too),
        cmocka_unit_test(a_certificate_has_what_clients_read),
        cmocka_unit_test(the_profile_says_that_certificates_need_no_login),
        cmocka_unit_test(an_endless_unique_name_keeps_its_ending),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
