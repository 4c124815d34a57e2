#include "token/base/test_support.h"

#include "token/object/attributes.h"

static struct attributes sample(void)
{
    struct attributes attributes = {0};
    assert_ok(attributes_set(&attributes, CKA_LABEL, view_string("label")));
    assert_ok(attributes_set_ulong(&attributes, CKA_CLASS, CKO_SECRET_KEY));
    assert_ok(attributes_set_bool(&attributes, CKA_TOKEN, true));
    assert_ok(attributes_set(&attributes, CKA_ID, (struct view){0}));
    assert_ok(attributes_set(&attributes, CKA_VALUE, view_string("secret")));
    return attributes;
}

static void assert_sample(const struct attributes *attributes)
{
    assert_int_equal(attributes->count, 5);
    assert_view(attributes_value(attributes, CKA_LABEL), "label");
    assert_view(attributes_value(attributes, CKA_VALUE), "secret");
    assert_int_equal(attributes_ulong(attributes, CKA_CLASS, 0), CKO_SECRET_KEY);
    assert_true(attributes_bool(attributes, CKA_TOKEN, false));
    assert_true(attributes_has(attributes, CKA_ID));
    assert_int_equal(attributes_value(attributes, CKA_ID).size, 0);
    assert_false(attributes_has(attributes, CKA_MODULUS));
}

static void attributes_are_found_in_whatever_order_they_came(UNUSED void **state)
{
    static const CK_ATTRIBUTE_TYPE order[] = {CKA_CLASS, CKA_TOKEN, CKA_LABEL, CKA_VALUE, CKA_ID};
    struct attributes attributes = sample();
    assert_sample(&attributes);
    for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
        CK_ATTRIBUTE_TYPE type;
        struct view value = attributes_at(&attributes, i, &type);
        assert_int_equal(type, order[i]);
        assert_true(view_equal(value, attributes_value(&attributes, type)));
    }
    attributes_clear(&attributes);
    assert_false(attributes_has(&attributes, CKA_CLASS));
    attributes_clear(&attributes);
}

static void a_value_is_replaced_by_one_of_any_size(UNUSED void **state)
{
    static const char *const values[] = {"l", "", "a much longer label", "lebal", "label"};
    struct attributes attributes = sample();
    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        assert_ok(attributes_set(&attributes, CKA_LABEL, view_string(values[i])));
        assert_view(attributes_value(&attributes, CKA_LABEL), values[i]);
    }
    assert_sample(&attributes);
    /* From the set itself. */
    assert_ok(attributes_set(&attributes, CKA_ID, attributes_value(&attributes, CKA_VALUE)));
    assert_ok(attributes_set(&attributes, CKA_LABEL, attributes_value(&attributes, CKA_VALUE)));
    assert_view(attributes_value(&attributes, CKA_ID), "secret");
    assert_view(attributes_value(&attributes, CKA_LABEL), "secret");
    attributes_clear(&attributes);
}

static void types_of_more_than_32_bits_are_refused(UNUSED void **state)
{
    struct attributes attributes = sample();
    if (sizeof(CK_ATTRIBUTE_TYPE) > 4) {
        CK_ATTRIBUTE_TYPE type = ((CK_ATTRIBUTE_TYPE)1 << 31 << 1) + CKA_LABEL;
        assert_rv(attributes_set_bool(&attributes, type, true), CKR_ATTRIBUTE_TYPE_INVALID);
        assert_false(attributes_has(&attributes, type));
    }
    assert_ok(attributes_set_bool(&attributes, UINT32_MAX, true));
    assert_true(attributes_bool(&attributes, UINT32_MAX, false));
    attributes_clear(&attributes);
}

static void each_attribute_can_be_taken_out(UNUSED void **state)
{
    struct attributes whole = sample();
    for (size_t i = 0; i < whole.count; i++) {
        struct attributes part = {0};
        CK_ATTRIBUTE_TYPE gone, type;
        (void)attributes_at(&whole, i, &gone);
        assert_ok(attributes_copy(&part, &whole));
        attributes_remove(&part, gone);
        attributes_remove(&part, gone);
        attributes_remove(&part, CKA_MODULUS);
        assert_int_equal(part.count, whole.count - 1);
        for (size_t j = 0; j < whole.count; j++) {
            struct view value = attributes_at(&whole, j, &type);
            assert_int_equal(attributes_has(&part, type), type != gone);
            if (type != gone)
                assert_true(view_equal(attributes_value(&part, type), value));
        }
        attributes_clear(&part);
    }
    assert_sample(&whole);
    attributes_clear(&whole);
}

static bool holds(const uint8_t *memory, size_t size, const char *text)
{
    return memmem(memory, size, text, strlen(text)) != NULL;
}

static void what_is_taken_out_is_wiped(UNUSED void **state)
{
    struct attributes attributes = sample();
    const uint8_t *block = attributes.block;
    size_t size = attributes.size;
    assert_true(holds(block, size, "secret"));
    attributes_remove(&attributes, CKA_VALUE);
    assert_ptr_equal(attributes.block, block);
    assert_false(holds(block, size, "secret"));
    attributes_clear(&attributes);
}

static void a_packed_set_is_unpacked_without_a_copy(UNUSED void **state)
{
    struct attributes attributes = sample(), unpacked = {0};
    struct bytes packed = {0};
    uint8_t moved[512];
    assert_ok(attributes_pack(&attributes, &packed));
    for (size_t shift = 0; shift < 8; shift++) {
        memcpy(moved + shift, packed.data, packed.size);
        assert_ok(attributes_unpack(view_of(moved + shift, packed.size), &unpacked));
        assert_sample(&unpacked);
        assert_true(attributes_value(&unpacked, CKA_VALUE).data > moved &&
                    attributes_value(&unpacked, CKA_VALUE).data < moved + sizeof(moved));
    }
    attributes_clear(&unpacked);
    assert_true(holds(moved, sizeof(moved), "secret"));
    bytes_free(&packed);
    attributes_clear(&attributes);
    assert_ok(attributes_pack(&attributes, &packed));
    assert_ok(attributes_unpack(bytes_view(&packed), &unpacked));
    assert_int_equal(unpacked.count, 0);
    bytes_free(&packed);
}

/* Every way of changing it copies it first. */
static void a_borrowed_set_never_writes_to_what_it_borrows(UNUSED void **state)
{
    struct attributes attributes = sample();
    struct bytes packed = {0}, before = {0};
    assert_ok(attributes_pack(&attributes, &packed));
    assert_ok(attributes_pack(&attributes, &before));
    for (unsigned way = 0; way < 4; way++) {
        struct attributes borrowed = {0}, copy = {0};
        assert_ok(attributes_unpack(bytes_view(&packed), &borrowed));
        if (way == 0)
            assert_ok(attributes_set(&borrowed, CKA_LABEL, view_string("LABEL")));
        if (way == 1)
            assert_ok(attributes_set(&borrowed, CKA_LABEL, view_string("longer label")));
        if (way == 2)
            assert_ok(attributes_set_bool(&borrowed, CKA_PRIVATE, true));
        if (way == 3)
            attributes_remove(&borrowed, CKA_LABEL);
        assert_false(borrowed.borrowed);
        assert_view(attributes_value(&borrowed, CKA_VALUE), "secret");
        assert_ok(attributes_copy(&copy, &borrowed));
        attributes_clear(&borrowed);
        assert_view(attributes_value(&copy, CKA_VALUE), "secret");
        attributes_clear(&copy);
        assert_memory_equal(packed.data, before.data, before.size);
    }
    bytes_free(&packed);
    bytes_free(&before);
    attributes_clear(&attributes);
}

static void what_is_no_packed_set_is_refused(UNUSED void **state)
{
    struct attributes attributes = sample(), unpacked;
    struct bytes packed = {0};
    poison(unpacked);
    assert_ok(attributes_pack(&attributes, &packed));
    for (size_t size = 0; size < packed.size; size++)
        assert_rv(attributes_unpack(view_of(packed.data, size), &unpacked), CKR_DATA_INVALID);
    assert_poison(unpacked);
    /* Its head: magic, count, then type and end of each; no bit of it is free but those
     * of types that keep the order. */
    static const size_t fixed[] = {0, 1, 2, 3, 4, 5, 6, 7};
    for (size_t i = 0; i < ARRAY_SIZE(fixed); i++) {
        packed.data[fixed[i]] ^= 1;
        assert_rv(attributes_unpack(bytes_view(&packed), &unpacked), CKR_DATA_INVALID);
        packed.data[fixed[i]] ^= 1;
    }
    uint32_t *first = (uint32_t *)(void *)(packed.data + 8);
    const uint32_t wrong[][2] = {{0, 3}, {0, 1}, {1, 1000}, {1, UINT32_MAX}, {3, 7}, {9, 1000}};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        uint32_t right = first[wrong[i][0]];
        first[wrong[i][0]] = wrong[i][1];
        assert_rv(attributes_unpack(bytes_view(&packed), &unpacked), CKR_DATA_INVALID);
        first[wrong[i][0]] = right;
    }
    assert_poison(unpacked);
    bytes_free(&packed);
    attributes_clear(&attributes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attributes_are_found_in_whatever_order_they_came),
        cmocka_unit_test(a_value_is_replaced_by_one_of_any_size),
        cmocka_unit_test(types_of_more_than_32_bits_are_refused),
        cmocka_unit_test(each_attribute_can_be_taken_out),
        cmocka_unit_test(what_is_taken_out_is_wiped),
        cmocka_unit_test(a_packed_set_is_unpacked_without_a_copy),
        cmocka_unit_test(a_borrowed_set_never_writes_to_what_it_borrows),
        cmocka_unit_test(what_is_no_packed_set_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
