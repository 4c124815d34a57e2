#include "token/object/schema_table.h"
#include "token/object/test_support.h"

/* Who may give what in a template, by what is done with it. */

static void begin_key(struct template *template, CK_OBJECT_CLASS class, CK_KEY_TYPE type)
{
    *template = (struct template){.count = 0};
    add_ulong(template, CKA_CLASS, class);
    add_ulong(template, CKA_KEY_TYPE, type);
}

/* What C_Generate… needs for this type, in the half of this class. */
static void begin_generate(struct template *template, CK_OBJECT_CLASS class, CK_KEY_TYPE type)
{
    begin_key(template, class, type);
    if (class == CKO_SECRET_KEY)
        add_ulong(template, CKA_VALUE_LEN, 32);
    if (class == CKO_PUBLIC_KEY && type == CKK_RSA)
        add_ulong(template, CKA_MODULUS_BITS, 2048);
    if (class == CKO_PUBLIC_KEY && type == CKK_EC)
        add_text(template, CKA_EC_PARAMS, P256);
}

static CK_RV answer(enum schema_origin origin, const struct template *template)
{
    struct attributes attributes = {0};
    CK_RV rv = schema_build(origin, template->list, template->count, NULL, &attributes);
    attributes_clear(&attributes);
    return rv;
}

static struct attributes built(enum schema_origin origin, const struct template *template)
{
    struct attributes attributes = {0};
    assert_ok(schema_build(origin, template->list, template->count, NULL, &attributes));
    return attributes;
}

static void each_origin_makes_its_classes(UNUSED void **state)
{
    static const struct {
        CK_OBJECT_CLASS class;
        CK_RV create, generate, unwrap, derive;
    } rows[] = {
        {CKO_DATA, CKR_OK, CKR_TEMPLATE_INCONSISTENT, CKR_TEMPLATE_INCONSISTENT, CKR_OK},
        {CKO_PROFILE, CKR_TEMPLATE_INCONSISTENT, CKR_TEMPLATE_INCONSISTENT,
         CKR_TEMPLATE_INCONSISTENT, CKR_TEMPLATE_INCONSISTENT},
        {CKO_TRUST, CKR_ATTRIBUTE_VALUE_INVALID, CKR_ATTRIBUTE_VALUE_INVALID,
         CKR_ATTRIBUTE_VALUE_INVALID, CKR_ATTRIBUTE_VALUE_INVALID},
        {0xce534353UL, CKR_ATTRIBUTE_VALUE_INVALID, CKR_ATTRIBUTE_VALUE_INVALID,
         CKR_ATTRIBUTE_VALUE_INVALID, CKR_ATTRIBUTE_VALUE_INVALID}, /* NSS trust */
        {CKO_DOMAIN_PARAMETERS, CKR_ATTRIBUTE_VALUE_INVALID, CKR_ATTRIBUTE_VALUE_INVALID,
         CKR_ATTRIBUTE_VALUE_INVALID, CKR_ATTRIBUTE_VALUE_INVALID},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct template template = {.count = 0};
        add_ulong(&template, CKA_CLASS, rows[i].class);
        assert_rv(answer(SCHEMA_CREATE, &template), rows[i].create);
        assert_rv(answer(SCHEMA_GENERATE, &template), rows[i].generate);
        assert_rv(answer(SCHEMA_UNWRAP, &template), rows[i].unwrap);
        assert_rv(answer(SCHEMA_DERIVE, &template), rows[i].derive);
    }
    struct template template;
    begin_key(&template, CKO_PUBLIC_KEY, CKK_RSA);
    assert_rv(answer(SCHEMA_UNWRAP, &template), CKR_TEMPLATE_INCONSISTENT);
    begin_key(&template, CKO_PRIVATE_KEY, CKK_RSA);
    assert_rv(answer(SCHEMA_UNWRAP, &template), CKR_OK);
    assert_rv(answer(SCHEMA_DERIVE, &template), CKR_TEMPLATE_INCONSISTENT);
}

static void every_key_type_belongs_to_pairs_or_secrets(UNUSED void **state)
{
    static const CK_KEY_TYPE others[] = {
        CKK_DSA, CKK_DH, CKK_DES3, CKK_SEED, CKK_VENDOR_DEFINED, CK_UNAVAILABLE_INFORMATION};
    for (const struct schema_word *word = schema_key_types; word->name; word++) {
        struct template template;
        bool pair = word->bit & FOR_PAIR;
        begin_key(&template, CKO_PRIVATE_KEY, word->number);
        assert_rv(answer(SCHEMA_GENERATE, &template), pair ? CKR_OK : CKR_ATTRIBUTE_VALUE_INVALID);
        begin_generate(&template, CKO_SECRET_KEY, word->number);
        assert_rv(answer(SCHEMA_GENERATE, &template), pair ? CKR_ATTRIBUTE_VALUE_INVALID : CKR_OK);
    }
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        struct template template;
        begin_key(&template, CKO_SECRET_KEY, others[i]);
        assert_rv(answer(SCHEMA_UNWRAP, &template), CKR_ATTRIBUTE_VALUE_INVALID);
        begin_key(&template, CKO_PRIVATE_KEY, others[i]);
        assert_rv(answer(SCHEMA_UNWRAP, &template), CKR_ATTRIBUTE_VALUE_INVALID);
    }
}

static void what_the_mechanism_needs_is_required(UNUSED void **state)
{
    static const struct {
        CK_OBJECT_CLASS class;
        CK_KEY_TYPE type;
        CK_RV rv;
    } rows[] = {
        {CKO_PUBLIC_KEY, CKK_RSA, CKR_TEMPLATE_INCOMPLETE},
        {CKO_PUBLIC_KEY, CKK_EC, CKR_TEMPLATE_INCOMPLETE},
        {CKO_PUBLIC_KEY, CKK_EC_EDWARDS, CKR_TEMPLATE_INCOMPLETE},
        {CKO_PUBLIC_KEY, CKK_EC_MONTGOMERY, CKR_TEMPLATE_INCOMPLETE},
        {CKO_PRIVATE_KEY, CKK_RSA, CKR_OK},
        {CKO_PRIVATE_KEY, CKK_EC, CKR_OK},
        {CKO_SECRET_KEY, CKK_AES, CKR_TEMPLATE_INCOMPLETE},
        {CKO_SECRET_KEY, CKK_GENERIC_SECRET, CKR_TEMPLATE_INCOMPLETE},
        {CKO_SECRET_KEY, CKK_HKDF, CKR_TEMPLATE_INCOMPLETE},
        {CKO_SECRET_KEY, CKK_SHA256_HMAC, CKR_OK},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct template template;
        begin_key(&template, rows[i].class, rows[i].type);
        if (answer(SCHEMA_GENERATE, &template) != rows[i].rv)
            fail_msg("row %zu", i);
    }
    struct template template;
    begin_key(&template, CKO_SECRET_KEY, CKK_AES);
    assert_rv(answer(SCHEMA_UNWRAP, &template), CKR_OK);
    assert_rv(answer(SCHEMA_DERIVE, &template), CKR_OK);
    template = (struct template){.count = 0};
    add_ulong(&template, CKA_CLASS, CKO_SECRET_KEY);
    assert_rv(answer(SCHEMA_UNWRAP, &template), CKR_TEMPLATE_INCOMPLETE);
    assert_rv(answer(SCHEMA_GENERATE, &template), CKR_TEMPLATE_INCOMPLETE);
}

static void what_the_mechanism_brings_is_not_given(UNUSED void **state)
{
    static const struct {
        CK_OBJECT_CLASS class;
        CK_KEY_TYPE type;
        CK_ATTRIBUTE_TYPE attribute;
        CK_RV generate, unwrap;
    } rows[] = {
        {CKO_PUBLIC_KEY, CKK_RSA, CKA_MODULUS, CKR_TEMPLATE_INCONSISTENT, 0},
        {CKO_PUBLIC_KEY, CKK_RSA, CKA_PUBLIC_EXPONENT, CKR_OK, 0},
        {CKO_PUBLIC_KEY, CKK_RSA, CKA_PUBLIC_KEY_INFO, CKR_TEMPLATE_INCONSISTENT, 0},
        {CKO_PUBLIC_KEY, CKK_EC, CKA_EC_POINT, CKR_TEMPLATE_INCONSISTENT, 0},
        {CKO_PRIVATE_KEY, CKK_RSA, CKA_MODULUS, CKR_TEMPLATE_INCONSISTENT,
         CKR_TEMPLATE_INCONSISTENT},
        {CKO_PRIVATE_KEY, CKK_RSA, CKA_PUBLIC_EXPONENT, CKR_TEMPLATE_INCONSISTENT,
         CKR_TEMPLATE_INCONSISTENT},
        {CKO_PRIVATE_KEY, CKK_RSA, CKA_PRIVATE_EXPONENT, CKR_TEMPLATE_INCONSISTENT,
         CKR_TEMPLATE_INCONSISTENT},
        {CKO_PRIVATE_KEY, CKK_RSA, CKA_PRIME_1, CKR_TEMPLATE_INCONSISTENT,
         CKR_TEMPLATE_INCONSISTENT},
        {CKO_PRIVATE_KEY, CKK_RSA, CKA_PRIME_2, CKR_TEMPLATE_INCONSISTENT,
         CKR_TEMPLATE_INCONSISTENT},
        {CKO_PRIVATE_KEY, CKK_RSA, CKA_EXPONENT_1, CKR_TEMPLATE_INCONSISTENT,
         CKR_TEMPLATE_INCONSISTENT},
        {CKO_PRIVATE_KEY, CKK_RSA, CKA_EXPONENT_2, CKR_TEMPLATE_INCONSISTENT,
         CKR_TEMPLATE_INCONSISTENT},
        {CKO_PRIVATE_KEY, CKK_RSA, CKA_COEFFICIENT, CKR_TEMPLATE_INCONSISTENT,
         CKR_TEMPLATE_INCONSISTENT},
        {CKO_PRIVATE_KEY, CKK_EC, CKA_VALUE, CKR_TEMPLATE_INCONSISTENT, CKR_TEMPLATE_INCONSISTENT},
        {CKO_PRIVATE_KEY, CKK_EC, CKA_EC_POINT, CKR_TEMPLATE_INCONSISTENT,
         CKR_TEMPLATE_INCONSISTENT},
        {CKO_PRIVATE_KEY, CKK_EC, CKA_SUBJECT, CKR_OK, CKR_OK},
        {CKO_SECRET_KEY, CKK_AES, CKA_VALUE, CKR_TEMPLATE_INCONSISTENT, CKR_TEMPLATE_INCONSISTENT},
        {CKO_SECRET_KEY, CKK_AES, CKA_CHECK_VALUE, CKR_OK, CKR_OK},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct template template;
        begin_generate(&template, rows[i].class, rows[i].type);
        add_text(&template, rows[i].attribute, "value");
        if (answer(SCHEMA_GENERATE, &template) != rows[i].generate)
            fail_msg("row %zu", i);
        if (rows[i].class != CKO_PUBLIC_KEY && answer(SCHEMA_UNWRAP, &template) != rows[i].unwrap)
            fail_msg("row %zu", i);
    }
    struct template template;
    begin_key(&template, CKO_PRIVATE_KEY, CKK_EC);
    add_text(&template, CKA_EC_PARAMS, P256);
    assert_rv(answer(SCHEMA_GENERATE, &template), CKR_TEMPLATE_INCONSISTENT);
    assert_rv(answer(SCHEMA_UNWRAP, &template), CKR_TEMPLATE_INCONSISTENT);
    /* But what is preset may be repeated. */
    struct attributes preset = {0}, attributes = {0};
    assert_ok(attributes_set(&preset, CKA_EC_PARAMS, view_string(P256)));
    assert_ok(schema_build(SCHEMA_GENERATE, template.list, template.count, &preset, &attributes));
    attributes_clear(&preset);
    attributes_clear(&attributes);
}

static void a_private_key_is_created_with_enough_of_it(UNUSED void **state)
{
    static const struct {
        CK_ATTRIBUTE_TYPE given[3];
        CK_RV rv;
    } rows[] = {
        {{CKA_PRIVATE_EXPONENT}, CKR_OK},
        {{CKA_PRIME_1, CKA_PRIME_2}, CKR_OK},
        {{CKA_PRIME_1}, CKR_TEMPLATE_INCOMPLETE},
        {{CKA_PRIME_2, CKA_EXPONENT_1, CKA_COEFFICIENT}, CKR_TEMPLATE_INCOMPLETE},
        {{0}, CKR_TEMPLATE_INCOMPLETE},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct template template;
        begin_private_rsa(&template);
        template.count--;
        for (size_t j = 0; j < 3 && rows[i].given[j]; j++)
            add_text(&template, rows[i].given[j], "number");
        assert_rv(answer(SCHEMA_CREATE, &template), rows[i].rv);
    }
    struct template template;
    begin_private_ec(&template);
    add_text(&template, CKA_EC_POINT, "\x04\x03\x04xy");
    assert_rv(answer(SCHEMA_CREATE, &template), CKR_OK);
}

static void what_makes_an_object_is_not_empty(UNUSED void **state)
{
    static const struct {
        void (*begin)(struct template *template);
        CK_ATTRIBUTE_TYPE type;
    } rows[] = {{begin_secret, CKA_VALUE},
                {begin_certificate, CKA_VALUE},
                {begin_public_rsa, CKA_MODULUS},
                {begin_public_rsa, CKA_PUBLIC_EXPONENT},
                {begin_private_rsa, CKA_PRIVATE_EXPONENT},
                {begin_public_ec, CKA_EC_POINT},
                {begin_private_ec, CKA_VALUE}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct template template;
        rows[i].begin(&template);
        for (CK_ULONG j = 0; j < template.count; j++)
            if (template.list[j].type == rows[i].type)
                template.list[j].ulValueLen = 0;
        assert_rv(answer(SCHEMA_CREATE, &template), CKR_ATTRIBUTE_VALUE_INVALID);
    }
}

static void curves_are_checked_and_written_in_one_way(UNUSED void **state)
{
    static const struct {
        const char *params;
        CK_RV rv;
    } rows[] = {
        {P256, CKR_OK},
        {"\x13\x09secp256r1", CKR_OK},
        {"curve", CKR_DOMAIN_PARAMS_INVALID},
        {"", CKR_DOMAIN_PARAMS_INVALID},
        {"\x30\x03\x02\x01\x01", CKR_CURVE_NOT_SUPPORTED},
        {ED25519, CKR_CURVE_NOT_SUPPORTED},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct attributes attributes = {0};
        struct template template;
        begin_key(&template, CKO_PUBLIC_KEY, CKK_EC);
        add_text(&template, CKA_EC_PARAMS, rows[i].params);
        add_text(&template, CKA_EC_POINT, "point");
        assert_rv(schema_build(SCHEMA_CREATE, template.list, template.count, NULL, &attributes),
                  rows[i].rv);
        if (rows[i].rv == CKR_OK) {
            assert_view(attributes_value(&attributes, CKA_EC_PARAMS), P256);
            /* The same in the other form is no change. */
            assert_ok(schema_change(&attributes, &template.list[2], 1, SCHEMA_SET));
        }
        attributes_clear(&attributes);
    }
}

static void only_x509_certificates_are_kept(UNUSED void **state)
{
    static const CK_CERTIFICATE_TYPE types[] = {CKC_X_509_ATTR_CERT, CKC_WTLS, CKC_OPENPGP};
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        struct template template;
        begin_certificate(&template);
        template.numbers[1] = types[i];
        assert_rv(answer(SCHEMA_CREATE, &template), CKR_ATTRIBUTE_VALUE_INVALID);
    }
    struct template template;
    begin_certificate(&template);
    add_text(&template, CKA_NSS_EMAIL, "someone@example.org");
    assert_rv(answer(SCHEMA_CREATE, &template), CKR_OK);
}

static void lists_are_whole_numbers_of_mechanisms(UNUSED void **state)
{
    static CK_MECHANISM_TYPE list[SCHEMA_MAX_LIST + 1];
    static const struct {
        size_t size;
        CK_RV rv;
    } rows[] = {
        {0, CKR_OK},
        {sizeof(list[0]), CKR_OK},
        {SCHEMA_MAX_LIST * sizeof(list[0]), CKR_OK},
        {sizeof(list), CKR_ATTRIBUTE_VALUE_INVALID},
        {sizeof(list[0]) - 1, CKR_ATTRIBUTE_VALUE_INVALID},
        {sizeof(list[0]) + 1, CKR_ATTRIBUTE_VALUE_INVALID},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct template template;
        begin_secret(&template);
        add_bytes(&template, CKA_ALLOWED_MECHANISMS, list, rows[i].size);
        assert_rv(answer(SCHEMA_CREATE, &template), rows[i].rv);
    }
    struct template template;
    begin_secret(&template);
    add_bytes(&template, CKA_ALLOWED_MECHANISMS, NULL, sizeof(list[0]));
    assert_rv(answer(SCHEMA_CREATE, &template), CKR_ATTRIBUTE_VALUE_INVALID);
    template.count--;
    struct attributes attributes = built(SCHEMA_CREATE, &template);
    assert_false(attributes_has(&attributes, CKA_ALLOWED_MECHANISMS));
    attributes_clear(&attributes);
}

static void only_the_so_makes_an_object_trusted(UNUSED void **state)
{
    static const struct {
        void (*begin)(struct template *template);
    } rows[] = {{begin_certificate}, {begin_public_rsa}, {begin_secret}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct template template, yes = {.count = 0}, no = {.count = 0};
        rows[i].begin(&template);
        add_bool(&yes, CKA_TRUSTED, true);
        add_bool(&no, CKA_TRUSTED, false);
        struct attributes attributes = built(SCHEMA_CREATE, &template);
        assert_ok(schema_change(&attributes, no.list, 1, SCHEMA_SET));
        assert_rv(schema_change(&attributes, yes.list, 1, SCHEMA_SET), CKR_ATTRIBUTE_READ_ONLY);
        assert_rv(schema_change(&attributes, yes.list, 1, SCHEMA_COPY), CKR_ATTRIBUTE_READ_ONLY);
        assert_ok(schema_change(&attributes, yes.list, 1, SCHEMA_SET | SCHEMA_BY_SO));
        assert_true(attributes_bool(&attributes, CKA_TRUSTED, false));
        assert_rv(schema_change(&attributes, no.list, 1, SCHEMA_SET), CKR_ATTRIBUTE_READ_ONLY);
        assert_ok(schema_change(&attributes, no.list, 1, SCHEMA_SET | SCHEMA_BY_SO));
        attributes_clear(&attributes);
        add_bool(&template, CKA_TRUSTED, true);
        assert_rv(answer(SCHEMA_CREATE, &template), CKR_ATTRIBUTE_READ_ONLY);
        assert_rv(answer(SCHEMA_CREATE | SCHEMA_BY_SO, &template), CKR_OK);
        template.bools[template.count - 1] = CK_FALSE;
        assert_rv(answer(SCHEMA_CREATE, &template), CKR_OK);
    }
}

static void who_authenticates_always_is_private(UNUSED void **state)
{
    struct template template;
    begin_private_rsa(&template);
    add_bool(&template, CKA_ALWAYS_AUTHENTICATE, true);
    assert_rv(answer(SCHEMA_CREATE, &template), CKR_OK);
    add_bool(&template, CKA_PRIVATE, false);
    assert_rv(answer(SCHEMA_CREATE, &template), CKR_TEMPLATE_INCONSISTENT);
    assert_rv(answer(SCHEMA_OWN, &template), CKR_OK);
}

static void dates_are_digits(UNUSED void **state)
{
    static const struct {
        const char *date;
        CK_RV rv;
    } rows[] = {{"20261122", CKR_OK},
                {"", CKR_OK},
                {"2026112", CKR_ATTRIBUTE_VALUE_INVALID},
                {"2026 1 2", CKR_ATTRIBUTE_VALUE_INVALID},
                {"202611221", CKR_ATTRIBUTE_VALUE_INVALID}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct template template;
        begin_secret(&template);
        add_text(&template, CKA_START_DATE, rows[i].date);
        assert_rv(answer(SCHEMA_CREATE, &template), rows[i].rv);
    }
}

static void what_may_be_hidden_is_what_the_table_hides(UNUSED void **state)
{
    for (CK_ATTRIBUTE_TYPE type = 0; type < 0x1000; type++) {
        bool hides = false;
        for (size_t i = 0; i < schema_row_count; i++)
            hides = hides ||
                    (schema_rows[i].type == type && schema_rows[i].rules & HIDDEN_IF_SENSITIVE);
        assert_int_equal(schema_may_hide(type), hides);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_origin_makes_its_classes),
        cmocka_unit_test(every_key_type_belongs_to_pairs_or_secrets),
        cmocka_unit_test(what_the_mechanism_needs_is_required),
        cmocka_unit_test(what_the_mechanism_brings_is_not_given),
        cmocka_unit_test(a_private_key_is_created_with_enough_of_it),
        cmocka_unit_test(what_makes_an_object_is_not_empty),
        cmocka_unit_test(curves_are_checked_and_written_in_one_way),
        cmocka_unit_test(only_x509_certificates_are_kept),
        cmocka_unit_test(lists_are_whole_numbers_of_mechanisms),
        cmocka_unit_test(only_the_so_makes_an_object_trusted),
        cmocka_unit_test(who_authenticates_always_is_private),
        cmocka_unit_test(dates_are_digits),
        cmocka_unit_test(what_may_be_hidden_is_what_the_table_hides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
