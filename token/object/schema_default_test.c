#include "token/object/test_support.h"

/* What becomes of attributes that are not given, and what the module says of a key. */

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

static void keys_are_as_careful_as_their_kind_by_default(UNUSED void **state)
{
    static const struct {
        enum schema_origin origin;
        CK_OBJECT_CLASS class;
        bool token, private, sensitive, extractable;
    } rows[] = {
        {SCHEMA_GENERATE, CKO_PRIVATE_KEY, true, true, true, false},
        {SCHEMA_GENERATE, CKO_PRIVATE_KEY, false, true, true, false},
        {SCHEMA_UNWRAP, CKO_PRIVATE_KEY, true, true, true, false},
        {SCHEMA_OWN, CKO_PRIVATE_KEY, true, true, true, false},
        {SCHEMA_GENERATE, CKO_SECRET_KEY, true, true, true, true},
        {SCHEMA_GENERATE, CKO_SECRET_KEY, false, false, false, true},
        {SCHEMA_UNWRAP, CKO_SECRET_KEY, true, true, false, true},
        {SCHEMA_DERIVE, CKO_SECRET_KEY, false, false, false, true},
        {SCHEMA_OWN, CKO_SECRET_KEY, true, true, true, true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct template template;
        bool secret = rows[i].class == CKO_SECRET_KEY;
        begin_key(&template, rows[i].class, secret ? CKK_AES : CKK_RSA);
        if (secret)
            add_ulong(&template, CKA_VALUE_LEN, 32);
        add_bool(&template, CKA_TOKEN, rows[i].token);
        struct attributes attributes = built(rows[i].origin, &template);
        bool same =
            attributes_bool(&attributes, CKA_PRIVATE, !rows[i].private) == rows[i].private &&
            attributes_bool(&attributes, CKA_SENSITIVE, !rows[i].sensitive) == rows[i].sensitive &&
            attributes_bool(&attributes, CKA_EXTRACTABLE, !rows[i].extractable) ==
                rows[i].extractable;
        if (!same)
            fail_msg("row %zu", i);
        attributes_clear(&attributes);
    }
    struct template template;
    begin_generate(&template, CKO_PUBLIC_KEY, CKK_RSA);
    add_bool(&template, CKA_TOKEN, true);
    struct attributes attributes = built(SCHEMA_GENERATE, &template);
    assert_false(attributes_bool(&attributes, CKA_PRIVATE, true));
    assert_true(
        view_equal(attributes_value(&attributes, CKA_PUBLIC_EXPONENT), view_of("\1\0\1", 3)));
    attributes_clear(&attributes);
}

static void a_key_has_the_uses_of_its_type_unless_some_are_named(UNUSED void **state)
{
    static const struct {
        CK_OBJECT_CLASS class;
        CK_KEY_TYPE type;
        CK_ATTRIBUTE_TYPE on[4], off[4];
    } rows[] = {
        {CKO_PUBLIC_KEY,
         CKK_RSA,
         {CKA_ENCRYPT, CKA_VERIFY, CKA_WRAP, CKA_VERIFY_RECOVER},
         {CKA_DERIVE}},
        {CKO_PRIVATE_KEY,
         CKK_RSA,
         {CKA_DECRYPT, CKA_SIGN, CKA_UNWRAP, CKA_SIGN_RECOVER},
         {CKA_DERIVE}},
        {CKO_PUBLIC_KEY, CKK_EC, {CKA_VERIFY}, {CKA_ENCRYPT, CKA_WRAP, CKA_VERIFY_RECOVER}},
        {CKO_PRIVATE_KEY, CKK_EC, {CKA_SIGN}, {CKA_DECRYPT, CKA_UNWRAP, CKA_DERIVE}},
        {CKO_PRIVATE_KEY, CKK_EC_EDWARDS, {CKA_SIGN}, {CKA_DECRYPT, CKA_DERIVE}},
        {CKO_PRIVATE_KEY, CKK_EC_MONTGOMERY, {0}, {CKA_SIGN, CKA_DECRYPT}},
        {CKO_SECRET_KEY,
         CKK_AES,
         {CKA_ENCRYPT, CKA_DECRYPT, CKA_SIGN, CKA_VERIFY},
         {CKA_WRAP, CKA_UNWRAP, CKA_DERIVE}},
        {CKO_SECRET_KEY, CKK_SHA256_HMAC, {CKA_SIGN, CKA_VERIFY}, {CKA_ENCRYPT, CKA_WRAP}},
        {CKO_SECRET_KEY, CKK_HKDF, {0}, {CKA_SIGN, CKA_ENCRYPT}},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct template template;
        begin_generate(&template, rows[i].class, rows[i].type);
        if (rows[i].class == CKO_PRIVATE_KEY)
            begin_key(&template, rows[i].class, rows[i].type);
        struct attributes attributes = built(SCHEMA_GENERATE, &template);
        for (size_t j = 0; j < 4 && rows[i].on[j]; j++)
            assert_true(attributes_bool(&attributes, rows[i].on[j], false));
        for (size_t j = 0; j < 4 && rows[i].off[j]; j++)
            assert_false(attributes_bool(&attributes, rows[i].off[j], true));
        attributes_clear(&attributes);
        /* Nothing of its own accord for what files say. */
        attributes = built(SCHEMA_OWN, &template);
        for (size_t j = 0; j < 4 && rows[i].on[j]; j++)
            assert_false(attributes_bool(&attributes, rows[i].on[j], true));
        attributes_clear(&attributes);
    }
    struct template template;
    begin_key(&template, CKO_PRIVATE_KEY, CKK_RSA);
    add_bool(&template, CKA_DERIVE, true);
    add_bool(&template, CKA_DECRYPT, false);
    struct attributes attributes = built(SCHEMA_GENERATE, &template);
    assert_true(attributes_bool(&attributes, CKA_SIGN, false));
    assert_false(attributes_bool(&attributes, CKA_DECRYPT, true));
    attributes_clear(&attributes);
    add_bool(&template, CKA_UNWRAP, true);
    attributes = built(SCHEMA_GENERATE, &template);
    assert_false(attributes_bool(&attributes, CKA_SIGN, true));
    attributes_clear(&attributes);
}

static void a_value_brings_its_length(UNUSED void **state)
{
    struct template template;
    begin_secret(&template);
    struct attributes attributes = built(SCHEMA_CREATE, &template);
    assert_int_equal(attributes_ulong(&attributes, CKA_VALUE_LEN, 0), 16);
    attributes_clear(&attributes);
    template.numbers[1] = CKK_AES;
    assert_rv(answer(SCHEMA_CREATE, &template), CKR_OK);
    template.list[2].ulValueLen = 15;
    assert_rv(answer(SCHEMA_CREATE, &template), CKR_ATTRIBUTE_VALUE_INVALID);
    /* A wish, where the value comes later. */
    begin_key(&template, CKO_SECRET_KEY, CKK_AES);
    attributes = built(SCHEMA_DERIVE, &template);
    assert_false(attributes_has(&attributes, CKA_VALUE_LEN));
    attributes_clear(&attributes);
    add_ulong(&template, CKA_VALUE_LEN, 16);
    assert_rv(answer(SCHEMA_DERIVE, &template), CKR_OK);
    assert_rv(answer(SCHEMA_UNWRAP, &template), CKR_OK);
}

static struct attributes key_with(bool sensitive, bool extractable, bool always, bool never)
{
    struct attributes key = {0};
    assert_ok(attributes_set_ulong(&key, CKA_CLASS, CKO_SECRET_KEY));
    assert_ok(attributes_set_ulong(&key, CKA_KEY_TYPE, CKK_AES));
    assert_ok(attributes_set_bool(&key, CKA_SENSITIVE, sensitive));
    assert_ok(attributes_set_bool(&key, CKA_EXTRACTABLE, extractable));
    assert_ok(attributes_set_bool(&key, CKA_ALWAYS_SENSITIVE, always));
    assert_ok(attributes_set_bool(&key, CKA_NEVER_EXTRACTABLE, never));
    assert_ok(attributes_set_bool(&key, CKA_LOCAL, true));
    assert_ok(attributes_set_ulong(&key, CKA_KEY_GEN_MECHANISM, CKM_AES_KEY_GEN));
    return key;
}

/* Of a key and the one it comes from, in all combinations. */
static void a_keys_history_is_told_truthfully(UNUSED void **state)
{
    for (unsigned bits = 0; bits < 16; bits++) {
        bool sensitive = bits & 1, extractable = bits & 2, always = bits & 4, never = bits & 8;
        const struct {
            enum schema_origin origin;
            bool always, never, local, based;
        } rows[] = {
            {SCHEMA_GENERATE, sensitive, !extractable, true, false},
            {SCHEMA_CREATE, false, false, false, false},
            {SCHEMA_CREATE | SCHEMA_BY_SO, false, false, false, false},
            {SCHEMA_UNWRAP, false, false, false, false},
            {SCHEMA_DERIVE, false, false, false, false},
            {SCHEMA_DERIVE, sensitive && always, !extractable && never, false, true},
            {SCHEMA_COPY, sensitive && always, !extractable && never, true, false},
        };
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
            struct attributes key = key_with(sensitive, extractable, always, never);
            struct attributes base = key_with(true, false, always, never);
            assert_ok(
                schema_complete_key(&key, rows[i].origin, CKM_ECDSA, rows[i].based ? &base : NULL));
            CK_ULONG mechanism = rows[i].origin == SCHEMA_GENERATE ? CKM_ECDSA
                                 : rows[i].origin == SCHEMA_COPY   ? CKM_AES_KEY_GEN
                                                                   : CK_UNAVAILABLE_INFORMATION;
            bool same =
                attributes_bool(&key, CKA_ALWAYS_SENSITIVE, !rows[i].always) == rows[i].always &&
                attributes_bool(&key, CKA_NEVER_EXTRACTABLE, !rows[i].never) == rows[i].never &&
                attributes_bool(&key, CKA_LOCAL, !rows[i].local) == rows[i].local &&
                attributes_ulong(&key, CKA_KEY_GEN_MECHANISM, 0) == mechanism;
            if (!same)
                fail_msg("bits %u row %zu", bits, i);
            attributes_clear(&key);
            attributes_clear(&base);
        }
    }
}

static void what_is_no_key_has_no_history(UNUSED void **state)
{
    struct template template;
    begin_data(&template);
    struct attributes attributes = built(SCHEMA_CREATE, &template);
    size_t count = attributes.count;
    assert_ok(schema_complete_key(&attributes, SCHEMA_CREATE, 0, NULL));
    assert_int_equal(attributes.count, count);
    attributes_clear(&attributes);
    begin_generate(&template, CKO_PUBLIC_KEY, CKK_RSA);
    attributes = built(SCHEMA_GENERATE, &template);
    assert_ok(schema_complete_key(&attributes, SCHEMA_GENERATE, CKM_RSA_PKCS_KEY_PAIR_GEN, NULL));
    assert_true(attributes_bool(&attributes, CKA_LOCAL, false));
    assert_int_equal(attributes_ulong(&attributes, CKA_KEY_GEN_MECHANISM, 7),
                     CKM_RSA_PKCS_KEY_PAIR_GEN);
    assert_false(attributes_has(&attributes, CKA_ALWAYS_SENSITIVE));
    attributes_clear(&attributes);
}

static void every_secret_of_a_private_key_is_hidden(UNUSED void **state)
{
    static const CK_ATTRIBUTE_TYPE secret[] = {CKA_PRIVATE_EXPONENT, CKA_PRIME_1,
                                               CKA_PRIME_2,          CKA_EXPONENT_1,
                                               CKA_EXPONENT_2,       CKA_COEFFICIENT};
    static const CK_KEY_TYPE curves[] = {CKK_EC, CKK_EC_EDWARDS, CKK_EC_MONTGOMERY};
    for (unsigned bits = 0; bits < 4; bits++) {
        struct attributes key = {0};
        bool hidden = bits & 1 || !(bits & 2);
        assert_ok(attributes_set_ulong(&key, CKA_CLASS, CKO_PRIVATE_KEY));
        assert_ok(attributes_set_ulong(&key, CKA_KEY_TYPE, CKK_RSA));
        assert_ok(attributes_set_bool(&key, CKA_SENSITIVE, bits & 1));
        assert_ok(attributes_set_bool(&key, CKA_EXTRACTABLE, bits & 2));
        for (size_t i = 0; i < ARRAY_SIZE(secret); i++)
            assert_int_equal(schema_is_hidden(&key, secret[i]), hidden);
        assert_false(schema_is_hidden(&key, CKA_MODULUS));
        assert_false(schema_is_hidden(&key, CKA_PUBLIC_EXPONENT));
        for (size_t i = 0; i < ARRAY_SIZE(curves); i++) {
            assert_ok(attributes_set_ulong(&key, CKA_KEY_TYPE, curves[i]));
            assert_int_equal(schema_is_hidden(&key, CKA_VALUE), hidden);
            assert_false(schema_is_hidden(&key, CKA_EC_POINT));
        }
        attributes_clear(&key);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_as_careful_as_their_kind_by_default),
        cmocka_unit_test(a_key_has_the_uses_of_its_type_unless_some_are_named),
        cmocka_unit_test(a_value_brings_its_length),
        cmocka_unit_test(a_keys_history_is_told_truthfully),
        cmocka_unit_test(what_is_no_key_has_no_history),
        cmocka_unit_test(every_secret_of_a_private_key_is_hidden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
