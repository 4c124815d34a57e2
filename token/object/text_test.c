#include "token/base/test_support.h"

#include "token/object/schema_table.h"
#include "token/object/text.h"

static void assert_text_of(CK_ATTRIBUTE_TYPE type, const void *value, size_t size, const char *text)
{
    struct bytes written = {0}, back = {0};
    assert_ok(attribute_to_text(type, view_of(value, size), &written));
    assert_view(bytes_view(&written), text);
    assert_ok(attribute_from_text(type, view_string(text), &back, NULL));
    assert_int_equal(back.size, size);
    assert_memory_equal(back.data, value, size);
    bytes_free(&written);
    bytes_free(&back);
}

static void assert_number(CK_ATTRIBUTE_TYPE type, CK_ULONG number, const char *text)
{
    assert_text_of(type, &number, sizeof(number), text);
}

static void each_kind_has_its_form(UNUSED void **state)
{
    const CK_MECHANISM_TYPE mechanisms[] = {CKM_ECDSA, CKM_ECDSA_SHA256, 0x80001234};
    assert_text_of(CKA_LABEL, "web server", 10, "\"web server\"");
    assert_text_of(CKA_LABEL, "", 0, "\"\"");
    assert_text_of(CKA_LABEL, "a \"b\" \\", 7, "\"a \\\"b\\\" \\\\\"");
    assert_text_of(CKA_LABEL, "h\xc3\xb6he \xe2\x82\xac \xf0\x9f\x98\x80", 14,
                   "\"h\xc3\xb6he \xe2\x82\xac \xf0\x9f\x98\x80\"");
    assert_text_of(CKA_ID, "\x0a\x0b", 2, "hex:0a0b");
    assert_text_of(CKA_ID, "\0", 1, "hex:00");
    assert_text_of(CKA_LABEL, "two\nlines", 9, "hex:74776f0a6c696e6573");
    assert_text_of(CKA_SIGN, "\1", 1, "true");
    assert_text_of(CKA_PRIVATE, "\0", 1, "false");
    assert_text_of(CKA_START_DATE, "20261122", 8, "20261122");
    assert_text_of(CKA_END_DATE, "", 0, "\"\"");
    assert_number(CKA_CLASS, CKO_PRIVATE_KEY, "private key");
    assert_number(CKA_KEY_TYPE, CKK_EC, "ec");
    assert_number(CKA_KEY_TYPE, 0x99, "0x99");
    assert_number(CKA_CERTIFICATE_TYPE, CKC_X_509, "x.509");
    assert_number(CKA_MODULUS_BITS, 2048, "2048");
    assert_number(CKA_KEY_GEN_MECHANISM, CKM_EC_KEY_PAIR_GEN, "CKM_EC_KEY_PAIR_GEN");
    assert_number(CKA_KEY_GEN_MECHANISM, CK_UNAVAILABLE_INFORMATION, "unavailable");
    assert_text_of(CKA_ALLOWED_MECHANISMS, mechanisms, sizeof(mechanisms),
                   "CKM_ECDSA CKM_ECDSA_SHA256 0x80001234");
    assert_text_of(CKA_ALLOWED_MECHANISMS, "", 0, "none");
}

static void long_bytes_become_base64(UNUSED void **state)
{
    uint8_t bytes[70];
    struct bytes text = {0}, back = {0};
    memset(bytes, 0xff, sizeof(bytes));
    for (size_t size = 60; size <= sizeof(bytes); size++) {
        assert_ok(attribute_to_text(CKA_VALUE, view_of(bytes, size), &text));
        assert_memory_equal(text.data, size > 64 ? "base64:" : "hex:", 4);
        assert_ok(attribute_from_text(CKA_VALUE, bytes_view(&text), &back, NULL));
        assert_true(view_equal(bytes_view(&back), view_of(bytes, size)));
    }
    bytes_free(&text);
    bytes_free(&back);
    assert_ok(attribute_from_text(CKA_VALUE, view_string("base64:Zm9vYg=="), &back, NULL));
    assert_view(bytes_view(&back), "foob");
    assert_ok(attribute_from_text(CKA_VALUE, view_string("base64:Zm9vYmE="), &back, NULL));
    assert_view(bytes_view(&back), "fooba");
    assert_ok(attribute_from_text(CKA_VALUE, view_string("base64:+/+/"), &back, NULL));
    assert_true(view_equal(bytes_view(&back), view_of("\xfb\xff\xbf", 3)));
    bytes_free(&back);
}

static void other_forms_are_understood_where_the_kind_allows(UNUSED void **state)
{
    static const struct {
        CK_ATTRIBUTE_TYPE type;
        const char *text, *value;
    } rows[] = {
        {CKA_LABEL, "hex:6C6162656c", "label"},
        {CKA_LABEL, "base64:bGFiZWw=", "label"},
        {CKA_LABEL, "hex:", ""},
        {CKA_LABEL, "base64:", ""},
        {CKA_START_DATE, "\"20261122\"", "20261122"},
        {CKA_START_DATE, "hex:", ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct bytes value = {0};
        assert_ok(attribute_from_text(rows[i].type, view_string(rows[i].text), &value, NULL));
        assert_view(bytes_view(&value), rows[i].value);
        bytes_free(&value);
    }
    struct bytes value = {0};
    CK_ULONG number = CKK_RSA;
    assert_ok(attribute_from_text(CKA_KEY_TYPE, view_string("0x0"), &value, NULL));
    assert_memory_equal(value.data, &number, sizeof(number));
    assert_ok(
        attribute_from_text(CKA_MODULUS_BITS, view_string("0xffffffffffffffff"), &value, NULL));
    bytes_free(&value);
}

static void malformed_values_are_refused_with_the_reason(UNUSED void **state)
{
    static const struct {
        CK_ATTRIBUTE_TYPE type;
        const char *text, *why;
    } rows[] = {
        {CKA_LABEL, "web server", "neither"},
        {CKA_LABEL, "", "neither"},
        {CKA_LABEL, "\"", "neither"},
        {CKA_LABEL, "\"a", "neither"},
        {CKA_LABEL, "\"a\"b\"", "quotation mark"},
        {CKA_LABEL, "\"a\\\"", "backslash"},
        {CKA_LABEL, "\"a\\n\"", "backslash"},
        {CKA_LABEL, "\"\xff\"", "UTF-8"},
        {CKA_LABEL, "\"\xc0\xaf\"", "UTF-8"},
        {CKA_LABEL, "\"\xe0\x80\xaf\"", "UTF-8"},
        {CKA_LABEL, "\"\xed\xa0\x80\"", "UTF-8"},
        {CKA_LABEL, "\"\xf0\x80\x80\x80\"", "UTF-8"},
        {CKA_LABEL, "\"\xf4\x90\x80\x80\"", "UTF-8"},
        {CKA_LABEL, "\"\xf5\x80\x80\x80\"", "UTF-8"},
        {CKA_LABEL, "\"\xe2\x82\"", "UTF-8"},
        {CKA_LABEL, "\"\xc2\x85\"", "control"},
        {CKA_LABEL, "\"\t\"", "control"},
        {CKA_LABEL, "\"\x7f\"", "control"},
        {CKA_ID, "hex:0", "odd"},
        {CKA_ID, "hex:0g", "hexadecimal"},
        {CKA_ID, "hex:0 ", "hexadecimal"},
        {CKA_ID, "HEX:00", "neither"},
        {CKA_ID, "base64:Zg=", "Base64"},
        {CKA_ID, "base64:Z===", "Base64"},
        {CKA_ID, "base64:=Zg=", "Base64"},
        {CKA_ID, "base64:Zg==Zg==", "Base64"},
        {CKA_ID, "base64:Zm9v\n", "Base64"},
        {CKA_ID, "base64:Zh==", "bits"},
        {CKA_SIGN, "yes", "true nor false"},
        {CKA_SIGN, "True", "true nor false"},
        {CKA_SIGN, "1", "true nor false"},
        {CKA_MODULUS_BITS, "", "number"},
        {CKA_MODULUS_BITS, "-1", "number"},
        {CKA_MODULUS_BITS, "0x", "number"},
        {CKA_MODULUS_BITS, "12a", "number"},
        {CKA_MODULUS_BITS, "18446744073709551616", "number"},
        {CKA_MODULUS_BITS, "CKM_ECDSA", "number"},
        {CKA_KEY_TYPE, "dsa", "known name"},
        {CKA_ALLOWED_MECHANISMS, "", "known name"},
        {CKA_ALLOWED_MECHANISMS, "CKM_ECDSA  CKM_ECDSA", "known name"},
        {CKA_ALLOWED_MECHANISMS, "CKM_ECDSA ", "known name"},
        {CKA_ALLOWED_MECHANISMS, "CKM_NOTHING", "known name"},
        {CKA_START_DATE, "2026112", "YYYYMMDD"},
        {CKA_START_DATE, "2026-1-2", "YYYYMMDD"},
        {CKA_START_DATE, "\"soon\"", "YYYYMMDD"},
        {CKA_VENDOR_DEFINED, "true", "0x80000000"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct reason reason = {0};
        struct bytes value;
        poison(value);
        if (attribute_from_text(rows[i].type, view_string(rows[i].text), &value, &reason) !=
            CKR_DATA_INVALID)
            fail_msg("%s is understood", rows[i].text);
        assert_poison(value);
        assert_contains(reason.text, rows[i].why);
    }
}

/* It would be work for who reads it. */
static void lists_and_values_have_a_largest_size(UNUSED void **state)
{
    struct bytes list = {0}, value = {0};
    assert_ok(bytes_alloc(&list, 2 * SCHEMA_MAX_LIST + 1));
    memset(list.data, '1', list.size);
    for (size_t i = 1; i < list.size; i += 2)
        list.data[i] = ' ';
    assert_ok(attribute_from_text(CKA_ALLOWED_MECHANISMS,
                                  view_of(list.data, 2 * SCHEMA_MAX_LIST - 1), &value, NULL));
    assert_int_equal(value.size, SCHEMA_MAX_LIST * sizeof(CK_ULONG));
    assert_rv(attribute_from_text(CKA_ALLOWED_MECHANISMS, bytes_view(&list), &value, NULL),
              CKR_DATA_INVALID);
    assert_ok(bytes_alloc(&list, 4 + 2 * (ATTRIBUTE_MAX_SIZE + 1)));
    memset(list.data, '0', list.size);
    memcpy(list.data, "hex:", 4);
    assert_rv(attribute_from_text(CKA_VALUE, bytes_view(&list), &value, NULL), CKR_DATA_INVALID);
    list.size -= 2;
    assert_ok(attribute_from_text(CKA_VALUE, bytes_view(&list), &value, NULL));
    assert_int_equal(value.size, ATTRIBUTE_MAX_SIZE);
    bytes_free(&list);
    bytes_free(&value);
}

static void names_stand_for_one_attribute_each(UNUSED void **state)
{
    for (size_t i = 0; i < schema_row_count; i++) {
        const struct schema_row *row = &schema_rows[i];
        assert_string_equal(attribute_name(row->type), row->name);
        assert_int_equal(attribute_of_name(view_string(row->name)), row->type);
        for (size_t j = 0; j < i; j++) {
            bool same = schema_rows[j].type == row->type;
            assert_int_equal(strcmp(schema_rows[j].name, row->name) == 0, same);
            assert_true(!same || schema_rows[j].kind == row->kind);
        }
    }
    assert_null(attribute_name(CKA_VENDOR_DEFINED));
    assert_int_equal(attribute_of_name(view_string("labels")), CK_UNAVAILABLE_INFORMATION);
    assert_int_equal(attribute_of_name(view_string("Label")), CK_UNAVAILABLE_INFORMATION);
    for (CK_OBJECT_CLASS class = 0; class < 20; class ++)
        if (class_name(class))
            assert_int_equal(class_of_name(view_string(class_name(class))), class);
    assert_string_equal(class_name(CKO_PRIVATE_KEY), "private key");
    assert_null(class_name(CKO_HW_FEATURE));
    assert_int_equal(class_of_name(view_string("")), CK_UNAVAILABLE_INFORMATION);
}

/* A value that the kind allows; `n` chooses. */
static size_t any_value(enum schema_kind kind, unsigned n, uint8_t value[1024])
{
    static const CK_ULONG numbers[] = {
        0, 1, 3, CKM_ECDSA, CKK_HKDF, 0x80000001, CK_UNAVAILABLE_INFORMATION};
    size_t size = n % 200;
    for (size_t i = 0; i < 1024; i++)
        value[i] = (uint8_t)(rand() >> 4);
    switch (kind) {
    case KIND_BOOL:
        value[0] = n & 1;
        return 1;
    case KIND_DATE:
        memcpy(value, "20260131", 8);
        return n & 1 ? 8 : 0;
    case KIND_MECHANISMS:
        for (size_t i = 0; i < n % 8; i++)
            memcpy(value + i * sizeof(CK_ULONG), &numbers[(n + i) % ARRAY_SIZE(numbers)],
                   sizeof(CK_ULONG));
        return n % 8 * sizeof(CK_ULONG);
    case KIND_BYTES:
    case KIND_CURVE:
        for (size_t i = 0; n & 1 && i < size; i++)
            value[i] = (uint8_t)(' ' + value[i] % 95);
        return size;
    default:
        memcpy(value, &numbers[n % ARRAY_SIZE(numbers)], sizeof(CK_ULONG));
        return sizeof(CK_ULONG);
    }
}

static void whatever_is_written_is_read_back(UNUSED void **state)
{
    uint8_t value[1024];
    srand(4);
    for (size_t i = 0; i < schema_row_count; i++) {
        for (unsigned n = 0; n < 300; n++) {
            struct bytes text = {0}, back = {0};
            struct view given = view_of(value, any_value(schema_rows[i].kind, n, value));
            assert_ok(attribute_to_text(schema_rows[i].type, given, &text));
            assert_null(memchr(text.data, '\n', text.size));
            assert_ok(attribute_from_text(schema_rows[i].type, bytes_view(&text), &back, NULL));
            assert_true(view_equal(bytes_view(&back), given));
            bytes_free(&text);
            bytes_free(&back);
        }
    }
}

static void values_of_the_wrong_kind_have_no_text(UNUSED void **state)
{
    static const struct {
        CK_ATTRIBUTE_TYPE type;
        const char *value;
        size_t size;
    } rows[] = {
        {CKA_SIGN, "\2", 1},
        {CKA_SIGN, "", 0},
        {CKA_CLASS, "\2", 1},
        {CKA_MODULUS_BITS, "", 0},
        {CKA_START_DATE, "soon", 4},
        {CKA_START_DATE, "2026 1 2", 8},
        {CKA_ALLOWED_MECHANISMS, "x", 1},
        {CKA_VENDOR_DEFINED, "x", 1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct bytes text;
        poison(text);
        assert_rv(attribute_to_text(rows[i].type, view_of(rows[i].value, rows[i].size), &text),
                  CKR_DATA_INVALID);
        assert_poison(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_has_its_form),
        cmocka_unit_test(long_bytes_become_base64),
        cmocka_unit_test(other_forms_are_understood_where_the_kind_allows),
        cmocka_unit_test(malformed_values_are_refused_with_the_reason),
        cmocka_unit_test(lists_and_values_have_a_largest_size),
        cmocka_unit_test(names_stand_for_one_attribute_each),
        cmocka_unit_test(whatever_is_written_is_read_back),
        cmocka_unit_test(values_of_the_wrong_kind_have_no_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
