#include "token/object/text.h"

#include <stdio.h>
#include <string.h>

#include "token/object/text_bytes.h"
#include "token/object/text_words.h"

#define UNAVAILABLE "unavailable"

const char *attribute_name(CK_ATTRIBUTE_TYPE type)
{
    const struct schema_row *row = schema_any(type);
    return row ? row->name : NULL;
}

CK_ATTRIBUTE_TYPE attribute_of_name(struct view name)
{
    for (size_t i = 0; i < schema_row_count; i++)
        if (view_equal(view_string(schema_rows[i].name), name))
            return schema_rows[i].type;
    return CK_UNAVAILABLE_INFORMATION;
}

const char *class_name(CK_OBJECT_CLASS class)
{
    const struct schema_word *word = schema_word(schema_classes, class);
    return word ? word->name : NULL;
}

static const struct schema_word *by_name(const struct schema_word *words, struct view name)
{
    for (; words && words->name; words++)
        if (view_equal(view_string(words->name), name))
            return words;
    return NULL;
}

CK_OBJECT_CLASS class_of_name(struct view name)
{
    const struct schema_word *word = by_name(schema_classes, name);
    return word ? word->number : CK_UNAVAILABLE_INFORMATION;
}

/* The words of a kind of number; NULL for plain numbers. */
static const struct schema_word *words_of(enum schema_kind kind)
{
    static const struct schema_word *const words[] = {
        [KIND_CLASS] = schema_classes,
        [KIND_KEY_TYPE] = schema_key_types,
        [KIND_MECHANISM] = text_mechanisms,
        [KIND_MECHANISMS] = text_mechanisms,
        [KIND_CERTIFICATE_TYPE] = schema_certificate_types,
    };
    return (size_t)kind < ARRAY_SIZE(words) ? words[kind] : NULL;
}

static CK_RV append(struct bytes *text, const char *more)
{
    return bytes_append(text, view_string(more), SIZE_MAX);
}

static CK_RV write_number(enum schema_kind kind, const uint8_t *value, struct bytes *text)
{
    CK_ULONG number;
    char digits[32];
    memcpy(&number, value, sizeof(number));
    const struct schema_word *words = words_of(kind);
    const struct schema_word *word = words ? schema_word(words, number) : NULL;
    if (word)
        return append(text, word->name);
    if (number == CK_UNAVAILABLE_INFORMATION)
        return append(text, UNAVAILABLE);
    snprintf(digits, sizeof(digits), words ? "0x%lx" : "%lu", number);
    return append(text, digits);
}

static CK_RV write_numbers(struct view value, struct bytes *text)
{
    CK_RV rv = value.size ? CKR_OK : append(text, "none");
    for (size_t i = 0; i < value.size && rv == CKR_OK; i += sizeof(CK_ULONG)) {
        rv = i ? append(text, " ") : CKR_OK;
        if (rv == CKR_OK)
            rv = write_number(KIND_MECHANISMS, value.data + i, text);
    }
    return rv;
}

static CK_RV write_value(enum schema_kind kind, struct view value, struct bytes *text)
{
    switch (kind) {
    case KIND_BOOL:
        if (value.size != sizeof(CK_BBOOL) || value.data[0] > CK_TRUE)
            return CKR_DATA_INVALID;
        return append(text, value.data[0] ? "true" : "false");
    case KIND_BYTES:
    case KIND_CURVE:
        return text_of_bytes(value, text);
    case KIND_DATE:
        if (!schema_is_date(value))
            return CKR_DATA_INVALID;
        return value.size ? bytes_copy(text, value) : text_of_bytes(value, text);
    case KIND_MECHANISMS:
        return schema_is_list(value) ? write_numbers(value, text) : CKR_DATA_INVALID;
    default:
        return value.size != sizeof(CK_ULONG) ? CKR_DATA_INVALID
                                              : write_number(kind, value.data, text);
    }
}

CK_RV attribute_to_text(CK_ATTRIBUTE_TYPE type, struct view value, struct bytes *ret_text)
{
    const struct schema_row *row = schema_any(type);
    struct bytes text = {0};
    CK_RV rv = row ? write_value(row->kind, value, &text) : CKR_DATA_INVALID;
    if (rv != CKR_OK) {
        bytes_free(&text);
        return rv;
    }
    bytes_free(ret_text);
    *ret_text = text;
    return CKR_OK;
}

static bool is_word(struct view text, const char *word)
{
    return view_equal(text, view_string(word));
}

/* Decimal, or hexadecimal behind 0x. */
static bool read_digits(struct view text, CK_ULONG *ret_number)
{
    bool hex = text.size > 2 && text.data[0] == '0' && text.data[1] == 'x';
    CK_ULONG base = hex ? 16 : 10, number = 0;
    if (!text.size)
        return false;
    for (size_t i = hex ? 2 : 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        CK_ULONG digit = c >= '0' && c <= '9'   ? (CK_ULONG)(c - '0')
                         : c >= 'a' && c <= 'f' ? (CK_ULONG)(c - 'a') + 10
                                                : base;
        if (digit >= base || number > ((CK_ULONG)-1 - digit) / base)
            return false;
        number = number * base + digit;
    }
    *ret_number = number;
    return true;
}

static CK_RV read_number(enum schema_kind kind, struct view text, struct bytes *value,
                         const char **ret_why)
{
    CK_ULONG number = CK_UNAVAILABLE_INFORMATION;
    const struct schema_word *word = by_name(words_of(kind), text);
    if (word)
        number = word->number;
    else if (!is_word(text, UNAVAILABLE) && !read_digits(text, &number)) {
        *ret_why = words_of(kind) ? "is neither a known name nor a number" : "is no number";
        return CKR_DATA_INVALID;
    }
    return bytes_append(value, view_of(&number, sizeof(number)), ATTRIBUTE_MAX_SIZE);
}

static CK_RV read_numbers(struct view text, struct bytes *value, const char **ret_why)
{
    if (is_word(text, "none"))
        return CKR_OK;
    for (size_t count = 0; count < SCHEMA_MAX_LIST; count++) {
        const uint8_t *blank = text.size ? memchr(text.data, ' ', text.size) : NULL;
        size_t size = blank ? (size_t)(blank - text.data) : text.size;
        CK_RV rv = read_number(KIND_MECHANISMS, view_of(text.data, size), value, ret_why);
        if (rv != CKR_OK || !blank)
            return rv;
        text = view_of(text.data + size + 1, text.size - size - 1);
    }
    *ret_why = "has too many mechanisms";
    return CKR_DATA_INVALID;
}

static CK_RV read_date(struct view text, struct bytes *value, const char **ret_why)
{
    if (text.size && schema_is_date(text))
        return bytes_copy(value, text);
    CK_RV rv = text_to_bytes(text, ATTRIBUTE_MAX_SIZE, value, ret_why);
    if (rv != CKR_OK || !schema_is_date(bytes_view(value))) {
        *ret_why = "is no date of the form YYYYMMDD";
        return rv != CKR_OK ? rv : CKR_DATA_INVALID;
    }
    return CKR_OK;
}

static CK_RV read_bool(struct view text, struct bytes *value, const char **ret_why)
{
    CK_BBOOL byte = is_word(text, "true") ? CK_TRUE : CK_FALSE;
    *ret_why = "is neither true nor false";
    if (!byte && !is_word(text, "false"))
        return CKR_DATA_INVALID;
    return bytes_copy(value, view_of(&byte, sizeof(byte)));
}

static CK_RV read_value(enum schema_kind kind, struct view text, struct bytes *value,
                        const char **ret_why)
{
    switch (kind) {
    case KIND_BOOL:
        return read_bool(text, value, ret_why);
    case KIND_BYTES:
    case KIND_CURVE:
        return text_to_bytes(text, ATTRIBUTE_MAX_SIZE, value, ret_why);
    case KIND_DATE:
        return read_date(text, value, ret_why);
    case KIND_MECHANISMS:
        return read_numbers(text, value, ret_why);
    default:
        return read_number(kind, text, value, ret_why);
    }
}

CK_RV attribute_from_text(CK_ATTRIBUTE_TYPE type, struct view text, struct bytes *ret_value,
                          struct reason *reason)
{
    const struct schema_row *row = schema_any(type);
    const char *why = "is too long";
    struct bytes value = {0};
    if (!row) {
        reason_set(reason, "attribute 0x%lx is none that this version knows", type);
        return CKR_DATA_INVALID;
    }
    CK_RV rv = read_value(row->kind, text, &value, &why);
    if (rv != CKR_OK) {
        bytes_free(&value);
        if (rv != CKR_HOST_MEMORY)
            reason_set(reason, "the value of \"%s\" %s", row->name, why);
        return rv == CKR_HOST_MEMORY ? rv : CKR_DATA_INVALID;
    }
    bytes_free(ret_value);
    *ret_value = value;
    return CKR_OK;
}
