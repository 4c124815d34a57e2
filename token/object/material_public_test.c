#include "token/object/curves.h"
#include "token/object/material.h"
#include "token/object/test_support.h"

static void set_part(struct bytes *part, const char *text)
{
    assert_ok(bytes_copy(part, view_string(text)));
}

static struct public_key rsa_key(void)
{
    struct public_key key = {.algorithm = KEY_ALGORITHM_RSA, .bits = 55};
    set_part(&key.modulus, "modulus");
    set_part(&key.exponent, "\x01\x01");
    set_part(&key.spki, "spki");
    return key;
}

static struct public_key curve_key(enum key_algorithm algorithm, const char *curve, size_t size)
{
    uint8_t point[133] = {0};
    struct public_key key = {.algorithm = algorithm};
    memset(point, 'p', size);
    point[0] = algorithm == KEY_ALGORITHM_EC ? 4 : 'p';
    key.bits = algorithm == KEY_ALGORITHM_EC ? (unsigned)(size - 1) * 4 : 255;
    set_part(&key.curve, curve);
    set_part(&key.spki, "spki");
    assert_ok(bytes_copy(&key.point, view_of(point, size)));
    return key;
}

static void the_public_half_is_added(UNUSED void **state)
{
    struct public_key keys[] = {rsa_key(), curve_key(KEY_ALGORITHM_EC, P256, 65),
                                curve_key(KEY_ALGORITHM_EDWARDS, ED25519, 32),
                                curve_key(KEY_ALGORITHM_MONTGOMERY, X25519, 32)};
    static const CK_KEY_TYPE types[] = {CKK_RSA, CKK_EC, CKK_EC_EDWARDS, CKK_EC_MONTGOMERY};
    static const CK_OBJECT_CLASS classes[] = {CKO_PUBLIC_KEY, CKO_PRIVATE_KEY};
    for (size_t i = 0; i < 2 * ARRAY_SIZE(keys); i++) {
        struct attributes attributes = {0};
        struct public_key back = {0};
        const struct public_key *key = &keys[i / 2];
        assert_ok(attributes_set_ulong(&attributes, CKA_CLASS, classes[i % 2]));
        assert_ok(material_set_public(&attributes, key));
        assert_int_equal(attributes_ulong(&attributes, CKA_KEY_TYPE, 99), types[i / 2]);
        assert_view(attributes_value(&attributes, CKA_PUBLIC_KEY_INFO), "spki");
        assert_int_equal(attributes_has(&attributes, CKA_MODULUS_BITS), i == 0);
        if (i / 2)
            assert_memory_equal(attributes_value(&attributes, CKA_EC_POINT).data, "\x04", 1);
        assert_ok(material_public(&attributes, &back));
        assert_true(public_key_equal(&back, key));
        assert_int_equal(back.bits, key->bits);
        assert_view(bytes_view(&back.spki), "spki");
        /* Once more changes nothing. */
        uint32_t size = attributes.size;
        assert_ok(material_set_public(&attributes, key));
        assert_int_equal(attributes.size, size);
        public_key_clear(&back);
        attributes_clear(&attributes);
    }
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        public_key_clear(&keys[i]);
}

static void what_a_template_says_of_it_must_be_true(UNUSED void **state)
{
    static const struct {
        CK_ATTRIBUTE_TYPE type;
        const char *value;
        CK_ULONG number;
    } wrong[] = {
        {CKA_KEY_TYPE, NULL, CKK_EC},      {CKA_MODULUS, "other", 0},
        {CKA_PUBLIC_EXPONENT, "\x03", 0},  {CKA_MODULUS_BITS, NULL, 56},
        {CKA_PUBLIC_KEY_INFO, "other", 0},
    };
    struct public_key key = rsa_key();
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct attributes attributes = {0};
        assert_ok(attributes_set_ulong(&attributes, CKA_CLASS, CKO_PUBLIC_KEY));
        if (wrong[i].value)
            assert_ok(attributes_set(&attributes, wrong[i].type, view_string(wrong[i].value)));
        else
            assert_ok(attributes_set_ulong(&attributes, wrong[i].type, wrong[i].number));
        assert_rv(material_set_public(&attributes, &key), CKR_TEMPLATE_INCONSISTENT);
        assert_int_equal(attributes.count, 2);
        attributes_clear(&attributes);
    }
    struct attributes attributes = {0};
    assert_ok(attributes_set_ulong(&attributes, CKA_CLASS, CKO_PUBLIC_KEY));
    assert_ok(attributes_set(&attributes, CKA_MODULUS, view_of("\0modulus", 8)));
    assert_ok(attributes_set(&attributes, CKA_PUBLIC_KEY_INFO, (struct view){0}));
    assert_ok(material_set_public(&attributes, &key));
    assert_view(attributes_value(&attributes, CKA_MODULUS), "modulus");
    attributes_clear(&attributes);
    public_key_clear(&key);
}

static CK_RV set_point(const struct public_key *key, const char *curve, const uint8_t *point,
                       size_t size)
{
    struct attributes attributes = {0};
    assert_ok(attributes_set_ulong(&attributes, CKA_CLASS, CKO_PUBLIC_KEY));
    assert_ok(attributes_set_ulong(&attributes, CKA_KEY_TYPE, CKK_EC));
    assert_ok(attributes_set(&attributes, CKA_EC_PARAMS, view_string(curve)));
    assert_ok(attributes_set(&attributes, CKA_EC_POINT, view_of(point, size)));
    CK_RV rv = material_set_public(&attributes, key);
    if (rv == CKR_OK) {
        assert_int_equal(attributes_value(&attributes, CKA_EC_POINT).size, 67);
        assert_view(attributes_value(&attributes, CKA_EC_PARAMS), P256);
    }
    attributes_clear(&attributes);
    return rv;
}

static void a_point_may_be_given_in_any_of_its_forms(UNUSED void **state)
{
    struct public_key key = curve_key(KEY_ALGORITHM_EC, P256, 65);
    struct bytes wrapped = {0};
    uint8_t compressed[33];
    memcpy(compressed, key.point.data, 33);
    compressed[0] = 2; /* 'p' is even */
    assert_ok(curve_wrap_point(bytes_view(&key.point), &wrapped));
    assert_ok(set_point(&key, P256, key.point.data, 65));
    assert_ok(set_point(&key, P256, wrapped.data, 67));
    assert_ok(set_point(&key, "\x13\x09secp256r1", wrapped.data, 67));
    assert_ok(set_point(&key, P256, compressed, 33));
    compressed[0] = 3;
    assert_rv(set_point(&key, P256, compressed, 33), CKR_TEMPLATE_INCONSISTENT);
    compressed[0] = 2;
    compressed[32]++;
    assert_rv(set_point(&key, P256, compressed, 33), CKR_TEMPLATE_INCONSISTENT);
    wrapped.data[66]++;
    assert_rv(set_point(&key, P256, wrapped.data, 67), CKR_TEMPLATE_INCONSISTENT);
    assert_rv(set_point(&key, ED25519, key.point.data, 65), CKR_TEMPLATE_INCONSISTENT);
    bytes_free(&wrapped);
    public_key_clear(&key);
}

static void an_rsa_key_is_described_without_leading_zeros(UNUSED void **state)
{
    struct attributes attributes = {0};
    struct public_key key = {0};
    assert_ok(attributes_set_ulong(&attributes, CKA_KEY_TYPE, CKK_RSA));
    assert_ok(attributes_set(&attributes, CKA_MODULUS, view_of("\0\0mod", 5)));
    assert_ok(attributes_set(&attributes, CKA_PUBLIC_EXPONENT, view_of("\0\1\0\1", 4)));
    assert_ok(material_public(&attributes, &key));
    assert_int_equal(key.algorithm, KEY_ALGORITHM_RSA);
    assert_view(bytes_view(&key.modulus), "mod");
    assert_true(view_equal(bytes_view(&key.exponent), view_of("\1\0\1", 3)));
    assert_int_equal(key.bits, 23);
    public_key_clear(&key);
    attributes_clear(&attributes);
}

static void the_bits_of_a_curve_follow_from_the_point(UNUSED void **state)
{
    static const struct {
        size_t size;
        unsigned bits;
    } rows[] = {{49, 192}, {57, 224}, {65, 256}, {97, 384}, {129, 512}, {133, 521}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct public_key given = curve_key(KEY_ALGORITHM_EC, P256, rows[i].size), key = {0};
        struct attributes attributes = {0};
        assert_ok(material_set_public(&attributes, &given));
        assert_ok(material_public(&attributes, &key));
        assert_int_equal(key.bits, rows[i].bits);
        public_key_clear(&key);
        public_key_clear(&given);
        attributes_clear(&attributes);
    }
}

static void what_describes_no_public_key_is_incomplete(UNUSED void **state)
{
    static const CK_ULONG types[] = {CKK_RSA, CKK_EC, CKK_AES, CK_UNAVAILABLE_INFORMATION};
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        struct attributes attributes = {0};
        struct public_key key;
        assert_ok(attributes_set_ulong(&attributes, CKA_KEY_TYPE, types[i]));
        assert_ok(attributes_set(&attributes, CKA_EC_PARAMS, view_string(P256)));
        assert_ok(attributes_set(&attributes, CKA_PUBLIC_EXPONENT, view_string("\1")));
        poison(key);
        assert_rv(material_public(&attributes, &key), CKR_TEMPLATE_INCOMPLETE);
        assert_poison(key);
        attributes_clear(&attributes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_public_half_is_added),
        cmocka_unit_test(what_a_template_says_of_it_must_be_true),
        cmocka_unit_test(a_point_may_be_given_in_any_of_its_forms),
        cmocka_unit_test(an_rsa_key_is_described_without_leading_zeros),
        cmocka_unit_test(the_bits_of_a_curve_follow_from_the_point),
        cmocka_unit_test(what_describes_no_public_key_is_incomplete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
