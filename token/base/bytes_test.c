#include "token/base/test_support.h"

#include "token/base/hash.h"

static void a_view_of_nothing_is_empty(UNUSED void **state)
{
    assert_int_equal(view_of(NULL, 17).size, 0);
    assert_int_equal(view_string(NULL).size, 0);
    assert_int_equal(view_string("").size, 0);
    assert_int_equal(bytes_view(&(struct bytes){0}).size, 0);
}

static void views_are_equal_by_length_and_content(UNUSED void **state)
{
    static const struct {
        const char *a;
        const char *b;
        bool equal;
    } rows[] = {
        {"", "", true},       {NULL, "", true},     {"a", "a", true},   {"a", "b", false},
        {"ab", "abc", false}, {"abc", "ab", false}, {"a", NULL, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        assert_int_equal(view_equal(view_string(rows[i].a), view_string(rows[i].b)), rows[i].equal);
}

static void new_bytes_are_zero(UNUSED void **state)
{
    struct bytes bytes = {0};
    assert_ok(bytes_alloc(&bytes, 100));
    assert_int_equal(bytes.size, 100);
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(bytes.data[i], 0);
    memset(bytes.data, POISON, 100);
    assert_ok(bytes_alloc(&bytes, 3));
    assert_int_equal(bytes.size, 3);
    assert_int_equal(bytes.data[0] | bytes.data[1] | bytes.data[2], 0);
    bytes_free(&bytes);
}

static void bytes_of_no_size_are_allowed(UNUSED void **state)
{
    struct bytes bytes = {0};
    assert_ok(bytes_alloc(&bytes, 0));
    assert_int_equal(bytes.size, 0);
    assert_ok(bytes_copy(&bytes, (struct view){0}));
    assert_int_equal(bytes.size, 0);
    bytes_free(&bytes);
    assert_null(bytes.data);
}

static void a_copy_replaces_what_was_there(UNUSED void **state)
{
    struct bytes bytes = {0};
    assert_ok(bytes_copy(&bytes, view_string("first")));
    assert_ok(bytes_copy(&bytes, view_string("second one")));
    assert_view(bytes_view(&bytes), "second one");
    bytes_free(&bytes);
}

static void bytes_may_be_copied_from_themselves(UNUSED void **state)
{
    struct bytes bytes = {0};
    assert_ok(bytes_copy(&bytes, view_string("0123456789")));
    assert_ok(bytes_copy(&bytes, view_of(bytes.data + 3, 4)));
    assert_view(bytes_view(&bytes), "3456");
    assert_ok(bytes_append(&bytes, bytes_view(&bytes), 100));
    assert_view(bytes_view(&bytes), "34563456");
    bytes_free(&bytes);
}

static void what_is_appended_comes_behind(UNUSED void **state)
{
    struct bytes bytes = {0};
    assert_ok(bytes_append(&bytes, view_string("one"), 8));
    assert_ok(bytes_append(&bytes, (struct view){0}, 8));
    assert_ok(bytes_append(&bytes, view_string(" two"), 8));
    assert_view(bytes_view(&bytes), "one two");
    bytes_free(&bytes);
}

static void appending_stops_at_the_maximum(UNUSED void **state)
{
    struct bytes bytes = {0};
    assert_ok(bytes_append(&bytes, view_string("12345678"), 8));
    const uint8_t *before = bytes.data;
    assert_rv(bytes_append(&bytes, view_string("9"), 8), CKR_DATA_LEN_RANGE);
    assert_rv(bytes_append(&bytes, (struct view){0}, 7), CKR_DATA_LEN_RANGE);
    assert_rv(bytes_append(&bytes, (struct view){(const uint8_t *)"", SIZE_MAX}, SIZE_MAX),
              CKR_DATA_LEN_RANGE);
    assert_ptr_equal(bytes.data, before);
    assert_view(bytes_view(&bytes), "12345678");
    bytes_free(&bytes);
}

static void freeing_leaves_an_empty_one(UNUSED void **state)
{
    struct bytes bytes = {0};
    assert_ok(bytes_copy(&bytes, view_string("x")));
    bytes_free(&bytes);
    assert_null(bytes.data);
    assert_int_equal(bytes.size, 0);
    bytes_free(&bytes);
    bytes_free(NULL);
}

static void each_hash_has_its_size_and_back(UNUSED void **state)
{
    static const struct {
        enum hash hash;
        size_t size;
    } rows[] = {{HASH_NONE, 0},    {HASH_SHA1, 20},   {HASH_SHA224, 28},
                {HASH_SHA256, 32}, {HASH_SHA384, 48}, {HASH_SHA512, 64}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_int_equal(hash_size(rows[i].hash), rows[i].size);
        assert_int_equal(hash_of_size(rows[i].size), rows[i].hash);
    }
    assert_int_equal(hash_size((enum hash)99), 0);
    assert_int_equal(hash_of_size(33), HASH_NONE);
}

static void fill_rsa(struct public_key *key)
{
    key->algorithm = KEY_ALGORITHM_RSA;
    key->bits = 1024;
    assert_ok(bytes_alloc(&key->modulus, 128));
    memset(key->modulus.data, 0xc1, 128);
    assert_ok(bytes_copy(&key->exponent, view_string("\x01\x01")));
    assert_ok(bytes_copy(&key->spki, view_string("spki")));
}

static void a_copied_public_key_is_equal_and_its_own(UNUSED void **state)
{
    struct public_key key = {0};
    struct public_key copy = {0};
    fill_rsa(&key);
    assert_ok(public_key_copy(&copy, &key));
    assert_true(public_key_equal(&key, &copy));
    assert_int_equal(copy.bits, 1024);
    assert_view(bytes_view(&copy.spki), "spki");
    assert_ptr_not_equal(copy.modulus.data, key.modulus.data);
    copy.modulus.data[127] ^= 1;
    assert_false(public_key_equal(&key, &copy));
    public_key_clear(&copy);
    public_key_clear(&copy);
    public_key_clear(NULL);
    assert_false(public_key_equal(&key, &copy));
    public_key_clear(&key);
    assert_true(public_key_equal(&key, &copy));
}

static void sizes_follow_from_modulus_or_curve(UNUSED void **state)
{
    static const struct {
        unsigned bits;
        size_t coordinate;
    } curves[] = {{192, 24}, {224, 28}, {256, 32}, {384, 48}, {521, 66}};
    for (size_t i = 0; i < ARRAY_SIZE(curves); i++) {
        const struct public_key key = {.algorithm = KEY_ALGORITHM_EC, .bits = curves[i].bits};
        assert_int_equal(public_key_coordinate_size(&key), curves[i].coordinate);
        assert_int_equal(public_key_block_size(&key), 2 * curves[i].coordinate);
    }
    struct public_key rsa = {0};
    fill_rsa(&rsa);
    assert_int_equal(public_key_block_size(&rsa), 128);
    assert_int_equal(public_key_coordinate_size(&rsa), 0);
    public_key_clear(&rsa);
}

static void a_zeroed_certificate_may_be_cleared(UNUSED void **state)
{
    struct certificate certificate = {0};
    certificate_clear(&certificate);
    certificate_clear(NULL);
    assert_ok(bytes_copy(&certificate.der, view_string("der")));
    fill_rsa(&certificate.public_key);
    certificate_clear(&certificate);
    assert_null(certificate.der.data);
    assert_null(certificate.public_key.modulus.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_view_of_nothing_is_empty),
        cmocka_unit_test(views_are_equal_by_length_and_content),
        cmocka_unit_test(new_bytes_are_zero),
        cmocka_unit_test(bytes_of_no_size_are_allowed),
        cmocka_unit_test(a_copy_replaces_what_was_there),
        cmocka_unit_test(bytes_may_be_copied_from_themselves),
        cmocka_unit_test(what_is_appended_comes_behind),
        cmocka_unit_test(appending_stops_at_the_maximum),
        cmocka_unit_test(freeing_leaves_an_empty_one),
        cmocka_unit_test(each_hash_has_its_size_and_back),
        cmocka_unit_test(a_copied_public_key_is_equal_and_its_own),
        cmocka_unit_test(sizes_follow_from_modulus_or_curve),
        cmocka_unit_test(a_zeroed_certificate_may_be_cleared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
