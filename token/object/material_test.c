#include "token/object/material.h"

#include "token/object/curves.h"
#include "token/object/test_support.h"

static struct attributes built(enum schema_origin origin, const struct template *template)
{
    struct attributes attributes = {0};
    assert_ok(schema_build(origin, template->list, template->count, NULL, &attributes));
    return attributes;
}

static void begin(struct template *template, CK_OBJECT_CLASS class, CK_KEY_TYPE type)
{
    *template = (struct template){.count = 0};
    add_ulong(template, CKA_CLASS, class);
    add_ulong(template, CKA_KEY_TYPE, type);
}

static void set_part(struct bytes *part, const char *text)
{
    assert_ok(bytes_copy(part, view_string(text)));
}

static void an_rsa_template_says_bits_and_exponent(UNUSED void **state)
{
    static const struct {
        CK_ULONG bits;
        const char *exponent;
        CK_RV rv;
    } rows[] = {
        {2048, "\x01\x01", CKR_OK},
        {3072, "\x03", CKR_OK},
        {16384, "\x01\x01\x01\x01\x01\x01\x01\x01", CKR_OK},
        {0, "\x03", CKR_ATTRIBUTE_VALUE_INVALID},
        {16385, "\x03", CKR_ATTRIBUTE_VALUE_INVALID},
        {CK_UNAVAILABLE_INFORMATION, "\x03", CKR_ATTRIBUTE_VALUE_INVALID},
        {2048, "\x01", CKR_ATTRIBUTE_VALUE_INVALID},
        {2048, "\x04", CKR_ATTRIBUTE_VALUE_INVALID},
        {2048, "\x01\x01\x01\x01\x01\x01\x01\x01\x01", CKR_ATTRIBUTE_VALUE_INVALID},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct template template;
        struct key_spec spec;
        poison(spec);
        begin(&template, CKO_PUBLIC_KEY, CKK_RSA);
        add_ulong(&template, CKA_MODULUS_BITS, rows[i].bits);
        add_text(&template, CKA_PUBLIC_EXPONENT, rows[i].exponent);
        struct attributes attributes = built(SCHEMA_GENERATE, &template);
        if (rows[i].rv == CKR_OK)
            spec = (struct key_spec){0};
        assert_rv(material_spec(&attributes, &spec), rows[i].rv);
        if (rows[i].rv == CKR_OK) {
            assert_int_equal(spec.algorithm, KEY_ALGORITHM_RSA);
            assert_int_equal(spec.bits, rows[i].bits);
            assert_view(bytes_view(&spec.exponent), rows[i].exponent);
            key_spec_clear(&spec);
        } else {
            assert_poison(spec);
        }
        attributes_clear(&attributes);
    }
}

static void the_exponent_is_65537_by_default(UNUSED void **state)
{
    struct template template;
    struct key_spec spec = {0};
    begin(&template, CKO_PUBLIC_KEY, CKK_RSA);
    add_ulong(&template, CKA_MODULUS_BITS, 2048);
    struct attributes attributes = built(SCHEMA_GENERATE, &template);
    assert_ok(material_spec(&attributes, &spec));
    assert_true(view_equal(bytes_view(&spec.exponent), view_of("\1\0\1", 3)));
    attributes_clear(&attributes);
    /* Leading zeros, as big numbers of Java have them. */
    add_bytes(&template, CKA_PUBLIC_EXPONENT, "\0\1\0\1", 4);
    attributes = built(SCHEMA_GENERATE, &template);
    assert_ok(material_spec(&attributes, &spec));
    assert_true(view_equal(bytes_view(&spec.exponent), view_of("\1\0\1", 3)));
    key_spec_clear(&spec);
    attributes_clear(&attributes);
}

static void a_curve_template_says_the_curve(UNUSED void **state)
{
    static const struct {
        CK_KEY_TYPE type;
        const char *given, *curve;
        enum key_algorithm algorithm;
    } rows[] = {
        {CKK_EC, P256, P256, KEY_ALGORITHM_EC},
        {CKK_EC_EDWARDS,
         "\x13\x0c"
         "edwards25519",
         ED25519, KEY_ALGORITHM_EDWARDS},
        {CKK_EC_MONTGOMERY, X25519, X25519, KEY_ALGORITHM_MONTGOMERY},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct template template;
        struct key_spec spec = {0};
        begin(&template, CKO_PUBLIC_KEY, rows[i].type);
        add_text(&template, CKA_EC_PARAMS, rows[i].given);
        struct attributes attributes = built(SCHEMA_GENERATE, &template);
        assert_view(attributes_value(&attributes, CKA_EC_PARAMS), rows[i].curve);
        assert_ok(material_spec(&attributes, &spec));
        assert_int_equal(spec.algorithm, rows[i].algorithm);
        assert_view(bytes_view(&spec.curve), rows[i].curve);
        key_spec_clear(&spec);
        attributes_clear(&attributes);
    }
}

static void a_secret_keys_size_belongs_to_its_type(UNUSED void **state)
{
    static const struct {
        CK_KEY_TYPE type;
        CK_ULONG size;
        CK_RV rv;
        unsigned bits;
        enum key_algorithm algorithm;
    } rows[] = {
        {CKK_AES, 16, CKR_OK, 128, KEY_ALGORITHM_AES},
        {CKK_AES, 24, CKR_OK, 192, KEY_ALGORITHM_AES},
        {CKK_AES, 32, CKR_OK, 256, KEY_ALGORITHM_AES},
        {CKK_AES, 17, CKR_ATTRIBUTE_VALUE_INVALID, 0, 0},
        {CKK_AES, 64, CKR_ATTRIBUTE_VALUE_INVALID, 0, 0},
        {CKK_GENERIC_SECRET, 1, CKR_OK, 8, KEY_ALGORITHM_SECRET},
        {CKK_GENERIC_SECRET, 4000, CKR_OK, 32000, KEY_ALGORITHM_SECRET},
        {CKK_GENERIC_SECRET, 0, CKR_ATTRIBUTE_VALUE_INVALID, 0, 0},
        {CKK_GENERIC_SECRET, 4001, CKR_ATTRIBUTE_VALUE_INVALID, 0, 0},
        {CKK_GENERIC_SECRET, CK_UNAVAILABLE_INFORMATION, CKR_ATTRIBUTE_VALUE_INVALID, 0, 0},
        {CKK_HKDF, 32, CKR_OK, 256, KEY_ALGORITHM_SECRET},
        {CKK_SHA256_HMAC, 20, CKR_OK, 160, KEY_ALGORITHM_SECRET},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct template template;
        struct key_spec spec = {0};
        begin(&template, CKO_SECRET_KEY, rows[i].type);
        add_ulong(&template, CKA_VALUE_LEN, rows[i].size);
        struct attributes attributes = built(SCHEMA_GENERATE, &template);
        assert_rv(material_spec(&attributes, &spec), rows[i].rv);
        assert_int_equal(spec.bits, rows[i].bits);
        assert_int_equal(spec.algorithm, rows[i].algorithm);
        attributes_clear(&attributes);
    }
}

static void an_hmac_key_is_as_long_as_its_digest_by_default(UNUSED void **state)
{
    static const struct {
        CK_KEY_TYPE type;
        unsigned bits;
    } rows[] = {
        {CKK_SHA_1_HMAC, 160},    {CKK_SHA224_HMAC, 224},   {CKK_SHA256_HMAC, 256},
        {CKK_SHA384_HMAC, 384},   {CKK_SHA512_HMAC, 512},   {CKK_SHA3_224_HMAC, 224},
        {CKK_SHA3_256_HMAC, 256}, {CKK_SHA3_384_HMAC, 384}, {CKK_SHA3_512_HMAC, 512},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct template template;
        struct key_spec spec = {0};
        begin(&template, CKO_SECRET_KEY, rows[i].type);
        struct attributes attributes = built(SCHEMA_GENERATE, &template);
        assert_ok(material_spec(&attributes, &spec));
        assert_int_equal(spec.bits, rows[i].bits);
        attributes_clear(&attributes);
    }
}

static void what_says_nothing_makes_no_key(UNUSED void **state)
{
    static const CK_KEY_TYPE types[] = {CKK_RSA, CKK_EC, CKK_AES, CKK_GENERIC_SECRET};
    struct key_spec spec;
    struct attributes attributes = {0};
    poison(spec);
    assert_rv(material_spec(&attributes, &spec), CKR_TEMPLATE_INCOMPLETE);
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        assert_ok(attributes_set_ulong(&attributes, CKA_KEY_TYPE, types[i]));
        assert_rv(material_spec(&attributes, &spec), CKR_TEMPLATE_INCOMPLETE);
    }
    assert_ok(attributes_set_ulong(&attributes, CKA_KEY_TYPE, CKK_DSA));
    assert_rv(material_spec(&attributes, &spec), CKR_ATTRIBUTE_VALUE_INVALID);
    assert_poison(spec);
    attributes_clear(&attributes);
}

static void the_numbers_of_an_rsa_key_are_taken_out(UNUSED void **state)
{
    static const CK_ATTRIBUTE_TYPE secret[] = {CKA_PRIVATE_EXPONENT, CKA_PRIME_1,
                                               CKA_PRIME_2,          CKA_EXPONENT_1,
                                               CKA_EXPONENT_2,       CKA_COEFFICIENT};
    struct template template;
    struct private_parts parts = {0};
    begin_private_rsa(&template);
    add_bytes(&template, CKA_PRIME_1, "\0\0prime 1", 9);
    add_text(&template, CKA_PRIME_2, "prime 2");
    add_text(&template, CKA_EXPONENT_1, "exponent 1");
    add_text(&template, CKA_EXPONENT_2, "exponent 2");
    add_text(&template, CKA_COEFFICIENT, "coefficient");
    struct attributes attributes = built(SCHEMA_CREATE, &template);
    assert_ok(material_take_private(&attributes, &parts));
    assert_int_equal(parts.algorithm, KEY_ALGORITHM_RSA);
    assert_view(bytes_view(&parts.modulus), "modulus");
    assert_view(bytes_view(&parts.public_exponent), "\x01\x01");
    assert_view(bytes_view(&parts.private_exponent), "exponent");
    assert_view(bytes_view(&parts.prime_1), "prime 1");
    assert_view(bytes_view(&parts.prime_2), "prime 2");
    assert_view(bytes_view(&parts.exponent_1), "exponent 1");
    assert_view(bytes_view(&parts.exponent_2), "exponent 2");
    assert_view(bytes_view(&parts.coefficient), "coefficient");
    for (size_t i = 0; i < ARRAY_SIZE(secret); i++)
        assert_false(attributes_has(&attributes, secret[i]));
    assert_view(attributes_value(&attributes, CKA_MODULUS), "modulus");
    assert_rv(material_take_private(&attributes, &parts), CKR_TEMPLATE_INCOMPLETE);
    assert_view(bytes_view(&parts.prime_1), "prime 1");
    assert_ok(material_put_private(&attributes, &parts));
    for (size_t i = 0; i < ARRAY_SIZE(secret); i++)
        assert_true(attributes_value(&attributes, secret[i]).size > 6);
    assert_ok(material_take_private(&attributes, &parts));
    private_parts_clear(&parts);
    attributes_clear(&attributes);
}

static void numbers_that_are_zero_are_invalid(UNUSED void **state)
{
    static const struct {
        void (*begin)(struct template *template);
        CK_ATTRIBUTE_TYPE type;
    } rows[] = {{begin_private_ec, CKA_VALUE},
                {begin_private_rsa, CKA_MODULUS},
                {begin_private_rsa, CKA_PRIVATE_EXPONENT}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct template template;
        struct private_parts parts;
        poison(parts);
        rows[i].begin(&template);
        struct attributes attributes = built(SCHEMA_CREATE, &template);
        assert_ok(attributes_set(&attributes, rows[i].type, view_of("\0\0", 2)));
        assert_rv(material_take_private(&attributes, &parts), CKR_ATTRIBUTE_VALUE_INVALID);
        assert_poison(parts);
        attributes_clear(&attributes);
    }
}

static void two_primes_are_an_rsa_key_too(UNUSED void **state)
{
    struct template template;
    struct private_parts parts = {0};
    begin_private_rsa(&template);
    template.count--;
    add_text(&template, CKA_PRIME_1, "prime 1");
    add_text(&template, CKA_PRIME_2, "prime 2");
    struct attributes attributes = built(SCHEMA_CREATE, &template);
    assert_ok(material_take_private(&attributes, &parts));
    assert_int_equal(parts.private_exponent.size, 0);
    private_parts_clear(&parts);
    attributes_clear(&attributes);
}

static void the_value_of_a_curve_key_is_taken_out(UNUSED void **state)
{
    uint8_t raw[34] = {4, 32, 'r'};
    uint8_t point[67] = {4, 65, 4, 'p'};
    struct template template;
    struct private_parts parts = {0};
    begin(&template, CKO_PRIVATE_KEY, CKK_EC);
    add_text(&template, CKA_EC_PARAMS, P256);
    add_bytes(&template, CKA_VALUE, "\0\0number", 8);
    add_bytes(&template, CKA_EC_POINT, point, sizeof(point));
    struct attributes attributes = built(SCHEMA_CREATE, &template);
    assert_ok(material_take_private(&attributes, &parts));
    assert_int_equal(parts.algorithm, KEY_ALGORITHM_EC);
    assert_view(bytes_view(&parts.curve), P256);
    assert_view(bytes_view(&parts.value), "number");
    assert_true(view_equal(bytes_view(&parts.point), view_of(point + 2, 65)));
    assert_false(attributes_has(&attributes, CKA_VALUE));
    assert_ok(material_put_private(&attributes, &parts));
    assert_view(attributes_value(&attributes, CKA_VALUE), "number");
    attributes_clear(&attributes);
    /* The bytes of an Ed25519 key, bare and as RFC 8410 wraps them. */
    for (size_t head = 0; head < 3; head++) {
        begin(&template, CKO_PRIVATE_KEY, CKK_EC_EDWARDS);
        add_text(&template, CKA_EC_PARAMS, ED25519);
        add_bytes(&template, CKA_VALUE, raw + head, sizeof(raw) - head);
        attributes = built(SCHEMA_CREATE, &template);
        assert_rv(material_take_private(&attributes, &parts),
                  head == 1 ? CKR_ATTRIBUTE_VALUE_INVALID : CKR_OK);
        assert_int_equal(attributes_has(&attributes, CKA_VALUE), head == 1);
        if (head != 1)
            assert_true(view_equal(bytes_view(&parts.value), view_of(raw + 2, 32)));
        attributes_clear(&attributes);
    }
    private_parts_clear(&parts);
}

static void the_number_0_is_no_curve_key(UNUSED void **state)
{
    struct template template;
    struct private_parts parts = {0};
    begin(&template, CKO_PRIVATE_KEY, CKK_EC);
    add_text(&template, CKA_EC_PARAMS, P256);
    add_bytes(&template, CKA_VALUE, "\0\0", 2);
    struct attributes attributes = built(SCHEMA_CREATE, &template);
    assert_rv(material_take_private(&attributes, &parts), CKR_ATTRIBUTE_VALUE_INVALID);
    attributes_clear(&attributes);
}

static void a_secret_value_fits_what_was_asked_for(UNUSED void **state)
{
    struct template template;
    begin(&template, CKO_SECRET_KEY, CKK_AES);
    struct attributes attributes = built(SCHEMA_UNWRAP, &template);
    assert_rv(material_check_secret(&attributes, 5), CKR_ATTRIBUTE_VALUE_INVALID);
    assert_ok(material_check_secret(&attributes, 16));
    assert_ok(attributes_set_ulong(&attributes, CKA_VALUE_LEN, 16));
    assert_ok(material_check_secret(&attributes, 16));
    assert_rv(material_check_secret(&attributes, 24), CKR_TEMPLATE_INCONSISTENT);
    attributes_clear(&attributes);
}

static void a_certificate_fills_in_what_is_missing(UNUSED void **state)
{
    struct certificate certificate = {.start_date = "20240102", .end_date = "20340102"};
    struct template template;
    set_part(&certificate.subject, "its subject");
    set_part(&certificate.issuer, "its issuer");
    set_part(&certificate.serial, "its serial");
    begin_certificate(&template);
    add_text(&template, CKA_START_DATE, "20250101");
    struct attributes attributes = built(SCHEMA_CREATE, &template);
    assert_ok(material_set_certificate(&attributes, &certificate));
    assert_view(attributes_value(&attributes, CKA_SUBJECT), "subject");
    assert_view(attributes_value(&attributes, CKA_VALUE), "certificate");
    assert_view(attributes_value(&attributes, CKA_ISSUER), "its issuer");
    assert_view(attributes_value(&attributes, CKA_SERIAL_NUMBER), "its serial");
    assert_view(attributes_value(&attributes, CKA_START_DATE), "20250101");
    assert_view(attributes_value(&attributes, CKA_END_DATE), "20340102");
    attributes_clear(&attributes);
    certificate_clear(&certificate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_rsa_template_says_bits_and_exponent),
        cmocka_unit_test(the_exponent_is_65537_by_default),
        cmocka_unit_test(a_curve_template_says_the_curve),
        cmocka_unit_test(a_secret_keys_size_belongs_to_its_type),
        cmocka_unit_test(an_hmac_key_is_as_long_as_its_digest_by_default),
        cmocka_unit_test(what_says_nothing_makes_no_key),
        cmocka_unit_test(the_numbers_of_an_rsa_key_are_taken_out),
        cmocka_unit_test(numbers_that_are_zero_are_invalid),
        cmocka_unit_test(two_primes_are_an_rsa_key_too),
        cmocka_unit_test(the_value_of_a_curve_key_is_taken_out),
        cmocka_unit_test(the_number_0_is_no_curve_key),
        cmocka_unit_test(a_secret_value_fits_what_was_asked_for),
        cmocka_unit_test(a_certificate_fills_in_what_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
