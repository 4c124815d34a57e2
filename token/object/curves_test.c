#include "token/object/curves.h"
#include "token/object/test_support.h"

#define NAME(text) "\x13" text

static CK_RV normalise(CK_KEY_TYPE type, const char *given, struct view *ret_oid)
{
    return curve_normalise(type, view_string(given), ret_oid);
}

static void every_way_to_name_a_curve_becomes_its_oid(UNUSED void **state)
{
    static const struct {
        CK_KEY_TYPE type;
        const char *given, *oid;
    } rows[] = {
        {CKK_EC, P256, P256},
        {CKK_EC, NAME("\x09") "secp256r1", P256},
        {CKK_EC, NAME("\x0a") "prime256v1", P256},
        {CKK_EC, "\x06\x05\x2b\x81\x04\x00\x22", "\x06\x05\x2b\x81\x04\x00\x22"},
        {CKK_EC, NAME("\x09") "secp384r1", "\x06\x05\x2b\x81\x04\x00\x22"},
        {CKK_EC, NAME("\x09") "secp521r1", "\x06\x05\x2b\x81\x04\x00\x23"},
        {CKK_EC_EDWARDS, ED25519, ED25519},
        {CKK_EC_EDWARDS, NAME("\x0c") "edwards25519", ED25519},
        {CKK_EC_EDWARDS, "\x06\x09\x2b\x06\x01\x04\x01\xda\x47\x0f\x01", ED25519},
        {CKK_EC_EDWARDS, NAME("\x0a") "edwards448", "\x06\x03\x2b\x65\x71"},
        {CKK_EC_MONTGOMERY, X25519, X25519},
        {CKK_EC_MONTGOMERY, NAME("\x0a") "curve25519", X25519},
        {CKK_EC_MONTGOMERY, "\x06\x0a\x2b\x06\x01\x04\x01\x97\x55\x01\x05\x01", X25519},
        {CKK_EC_MONTGOMERY, NAME("\x08") "curve448", "\x06\x03\x2b\x65\x6f"},
        /* Unknown here; who makes the key decides. */
        {CKK_EC, "\x06\x02\x2a\x03", "\x06\x02\x2a\x03"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct view oid, expected;
        size_t size = rows[i].oid[1] + 2u;
        /* P-384 and P-521 have a zero inside. */
        struct view given = rows[i].given[0] == 0x06 ? view_of(rows[i].given, rows[i].given[1] + 2u)
                                                     : view_string(rows[i].given);
        expected = view_of(rows[i].oid, size);
        assert_ok(curve_normalise(rows[i].type, given, &oid));
        assert_true(view_equal(oid, expected));
    }
}

static void other_curves_are_refused(UNUSED void **state)
{
    static const struct {
        CK_KEY_TYPE type;
        const char *given;
        CK_RV rv;
    } rows[] = {
        {CKK_EC, "", CKR_DOMAIN_PARAMS_INVALID},
        {CKK_EC, "\x06", CKR_DOMAIN_PARAMS_INVALID},
        {CKK_EC, "\x06\x02\x2a", CKR_DOMAIN_PARAMS_INVALID},
        {CKK_EC, P256 "x", CKR_DOMAIN_PARAMS_INVALID},
        {CKK_EC, "\x06\x80\x2a\x03", CKR_DOMAIN_PARAMS_INVALID},
        {CKK_EC, "\x06\x84\x01\x01\x01\x01", CKR_DOMAIN_PARAMS_INVALID},
        {CKK_EC, "\x06\x82\x01", CKR_DOMAIN_PARAMS_INVALID},
        {CKK_EC, "secp256r1", CKR_DOMAIN_PARAMS_INVALID},
        {CKK_EC, NAME("\x08") "secp256r1", CKR_DOMAIN_PARAMS_INVALID},
        {CKK_EC, "\x30\x03\x02\x01\x01", CKR_CURVE_NOT_SUPPORTED},
        {CKK_EC, "\x30\x04\x02\x01\x01", CKR_DOMAIN_PARAMS_INVALID},
        {CKK_EC, NAME("\x07") "unknown", CKR_CURVE_NOT_SUPPORTED},
        {CKK_EC, NAME("\x0c") "edwards25519", CKR_CURVE_NOT_SUPPORTED},
        {CKK_EC, ED25519, CKR_CURVE_NOT_SUPPORTED},
        {CKK_EC, X25519, CKR_CURVE_NOT_SUPPORTED},
        {CKK_EC_EDWARDS, X25519, CKR_CURVE_NOT_SUPPORTED},
        {CKK_EC_EDWARDS, P256, CKR_CURVE_NOT_SUPPORTED},
        {CKK_EC_EDWARDS, NAME("\x0a") "curve25519", CKR_CURVE_NOT_SUPPORTED},
        {CKK_EC_MONTGOMERY, ED25519, CKR_CURVE_NOT_SUPPORTED},
        {CKK_EC_MONTGOMERY, "\x06\x02\x2a\x03", CKR_CURVE_NOT_SUPPORTED},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct view oid;
        poison(oid);
        if (normalise(rows[i].type, rows[i].given, &oid) != rows[i].rv)
            fail_msg("row %zu", i);
        assert_poison(oid);
    }
    struct view oid;
    assert_rv(curve_normalise(CKK_EC, view_of("\x05\x00", 2), &oid), CKR_CURVE_NOT_SUPPORTED);
    assert_rv(curve_normalise(CKK_EC, view_of("\x06\x00", 2), &oid), CKR_DOMAIN_PARAMS_INVALID);
}

static void points_are_wrapped_with_short_and_long_lengths(UNUSED void **state)
{
    static const struct {
        size_t size, head_size;
        uint8_t head[3];
    } rows[] = {
        {0, 2, {0x04, 0}},           {65, 2, {0x04, 65}},         {127, 2, {0x04, 127}},
        {128, 3, {0x04, 0x81, 128}}, {133, 3, {0x04, 0x81, 133}}, {255, 3, {0x04, 0x81, 255}},
    };
    uint8_t point[256];
    struct bytes der = {0};
    memset(point, 7, sizeof(point));
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_ok(curve_wrap_point(view_of(point, rows[i].size), &der));
        assert_int_equal(der.size, rows[i].head_size + rows[i].size);
        assert_memory_equal(der.data, rows[i].head, rows[i].head_size);
        assert_memory_equal(der.data + rows[i].head_size, point, rows[i].size);
    }
    bytes_free(&der);
    poison(der);
    assert_rv(curve_wrap_point(view_of(point, 256), &der), CKR_ATTRIBUTE_VALUE_INVALID);
    assert_poison(der);
}

/* Whatever its coordinates are: the first may look like a length. */
static void a_point_is_read_with_and_without_its_octet_string(UNUSED void **state)
{
    static const size_t sizes[] = {49, 57, 65, 97, 129, 133};
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        for (unsigned first = 0; first < 256; first++) {
            uint8_t point[133] = {4, (uint8_t)first, (uint8_t)(sizes[i] - 3), 4};
            struct view plain = view_of(point, sizes[i]);
            struct bytes wrapped = {0};
            assert_true(view_equal(curve_unwrap_point(CKK_EC, view_string(P256), plain), plain));
            assert_ok(curve_wrap_point(plain, &wrapped));
            assert_true(view_equal(
                curve_unwrap_point(CKK_EC, view_string(P256), bytes_view(&wrapped)), plain));
            bytes_free(&wrapped);
        }
    }
}

static void raw_keys_are_known_by_their_size(UNUSED void **state)
{
    static const struct {
        CK_KEY_TYPE type;
        const char *oid;
        size_t size;
    } rows[] = {{CKK_EC_EDWARDS, ED25519, 32},
                {CKK_EC_EDWARDS, "\x06\x03\x2b\x65\x71", 57},
                {CKK_EC_MONTGOMERY, X25519, 32},
                {CKK_EC_MONTGOMERY, "\x06\x03\x2b\x65\x6f", 56}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        /* It looks like an OCTET STRING itself. */
        uint8_t key[57] = {4, (uint8_t)(rows[i].size - 2)};
        struct view plain = view_of(key, rows[i].size), oid = view_string(rows[i].oid);
        struct bytes wrapped = {0};
        assert_int_equal(curve_raw_size(oid), rows[i].size);
        assert_true(view_equal(curve_unwrap_point(rows[i].type, oid, plain), plain));
        assert_ok(curve_wrap_point(plain, &wrapped));
        assert_true(view_equal(curve_unwrap_point(rows[i].type, oid, bytes_view(&wrapped)), plain));
        bytes_free(&wrapped);
    }
    assert_int_equal(curve_raw_size(view_string(P256)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_to_name_a_curve_becomes_its_oid),
        cmocka_unit_test(other_curves_are_refused),
        cmocka_unit_test(points_are_wrapped_with_short_and_long_lengths),
        cmocka_unit_test(a_point_is_read_with_and_without_its_octet_string),
        cmocka_unit_test(raw_keys_are_known_by_their_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
