#include "token/object/text_bytes.h"

#include <string.h>

/* Longer ones become Base64. */
#define MAX_HEX_SIZE 64

static const char hex_digits[] = "0123456789abcdef";
static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Bytes of the character that the text begins with: 0 if it is no UTF-8 (RFC 3629)
 * or a control character. */
static size_t character_size(struct view text)
{
    const uint8_t *data = text.data;
    size_t size = data[0] < 0x80   ? 1
                  : data[0] < 0xc2 ? 0
                  : data[0] < 0xe0 ? 2
                  : data[0] < 0xf0 ? 3
                                   : 4;
    if (size > text.size || data[0] > 0xf4 || data[0] < 0x20 || data[0] == 0x7f)
        return 0;
    for (size_t i = 1; i < size; i++)
        if ((data[i] & 0xc0) != 0x80)
            return 0;
    bool wrong = (data[0] == 0xc2 && data[1] < 0xa0) || /* C1 controls */
                 (data[0] == 0xe0 && data[1] < 0xa0) || /* overlong */
                 (data[0] == 0xed && data[1] > 0x9f) || /* surrogates */
                 (data[0] == 0xf0 && data[1] < 0x90) || (data[0] == 0xf4 && data[1] > 0x8f);
    return wrong ? 0 : size;
}

static bool is_text(struct view value)
{
    size_t size;
    for (; value.size; value = view_of(value.data + size, value.size - size)) {
        size = character_size(value);
        if (!size)
            return false;
    }
    return true;
}

static CK_RV write_quoted(struct view value, struct bytes *text)
{
    CK_RV rv = bytes_alloc(text, 2 * value.size + 2);
    if (rv != CKR_OK)
        return rv;
    uint8_t *out = text->data;
    *out++ = '"';
    for (size_t i = 0; i < value.size; i++) {
        if (value.data[i] == '"' || value.data[i] == '\\')
            *out++ = '\\';
        *out++ = value.data[i];
    }
    *out++ = '"';
    text->size = (size_t)(out - text->data);
    return CKR_OK;
}

static CK_RV write_hex(struct view value, struct bytes *text)
{
    CK_RV rv = bytes_alloc(text, 4 + 2 * value.size);
    if (rv != CKR_OK)
        return rv;
    memcpy(text->data, "hex:", 4);
    for (size_t i = 0; i < value.size; i++) {
        text->data[4 + 2 * i] = (uint8_t)hex_digits[value.data[i] >> 4];
        text->data[5 + 2 * i] = (uint8_t)hex_digits[value.data[i] & 15];
    }
    return CKR_OK;
}

static CK_RV write_base64(struct view value, struct bytes *text)
{
    CK_RV rv = bytes_alloc(text, 7 + (value.size + 2) / 3 * 4);
    if (rv != CKR_OK)
        return rv;
    memcpy(text->data, "base64:", 7);
    uint8_t *out = text->data + 7;
    for (size_t i = 0; i < value.size; i += 3) {
        size_t left = value.size - i;
        uint32_t group = (uint32_t)value.data[i] << 16;
        group |= left > 1 ? (uint32_t)value.data[i + 1] << 8 : 0;
        group |= left > 2 ? value.data[i + 2] : 0;
        for (unsigned j = 0; j < 4; j++)
            *out++ = (uint8_t)(j <= left ? base64_digits[group >> (18 - 6 * j) & 63] : '=');
    }
    return CKR_OK;
}

CK_RV text_of_bytes(struct view value, struct bytes *ret_text)
{
    struct bytes text = {0};
    CK_RV rv = is_text(value)               ? write_quoted(value, &text)
               : value.size <= MAX_HEX_SIZE ? write_hex(value, &text)
                                            : write_base64(value, &text);
    if (rv != CKR_OK)
        return rv;
    bytes_free(ret_text);
    *ret_text = text;
    return CKR_OK;
}

static const char *read_quoted(struct view text, uint8_t *out, size_t *ret_size)
{
    size_t size = 0;
    for (size_t i = 1; i + 1 < text.size; i++) {
        if (text.data[i] == '"')
            return "has a quotation mark inside without a backslash";
        if (text.data[i] == '\\') {
            i++;
            if (i + 1 >= text.size || (text.data[i] != '"' && text.data[i] != '\\'))
                return "has a backslash before something else than \" or \\";
        }
        out[size++] = text.data[i];
    }
    if (!is_text(view_of(out, size)))
        return "is no UTF-8 without control characters";
    *ret_size = size;
    return NULL;
}

static int hex_value(uint8_t digit)
{
    if (digit >= 'A' && digit <= 'F')
        digit = (uint8_t)(digit - 'A' + 'a');
    const char *at = digit ? strchr(hex_digits, digit) : NULL;
    return at ? (int)(at - hex_digits) : -1;
}

static const char *read_hex(struct view text, uint8_t *out, size_t *ret_size)
{
    if (text.size % 2)
        return "has an odd number of hexadecimal digits";
    for (size_t i = 0; i < text.size; i += 2) {
        int high = hex_value(text.data[i]), low = hex_value(text.data[i + 1]);
        if (high < 0 || low < 0)
            return "has something else than hexadecimal digits";
        out[i / 2] = (uint8_t)(high << 4 | low);
    }
    *ret_size = text.size / 2;
    return NULL;
}

/* The sizes of the end: no padding, "=" or "==". */
static const char *read_base64(struct view text, uint8_t *out, size_t *ret_size)
{
    static const char wrong[] = "is no Base64";
    size_t padding = 0, size = 0;
    if (text.size % 4)
        return wrong;
    while (padding < 2 && text.size > padding && text.data[text.size - 1 - padding] == '=')
        padding++;
    uint32_t group = 0;
    for (size_t i = 0; i < text.size; i++) {
        bool pad = i >= text.size - padding;
        const char *at = pad            ? base64_digits
                         : text.data[i] ? strchr(base64_digits, text.data[i])
                                        : NULL;
        if (!at)
            return wrong;
        group = group << 6 | (uint32_t)(at - base64_digits);
        if (i % 4 < 3)
            continue;
        for (unsigned j = 0; j < 3; j++, group <<= 8)
            out[size++] = (uint8_t)(group >> 16);
        group = 0;
    }
    for (size_t i = 0; i < padding; i++)
        if (out[--size])
            return "has bits behind its end";
    *ret_size = size;
    return NULL;
}

static bool begins(struct view text, const char *prefix)
{
    size_t size = strlen(prefix);
    return text.size >= size && memcmp(text.data, prefix, size) == 0;
}

static const char *read_any(struct view text, uint8_t *out, size_t *ret_size)
{
    if (text.size > 1 && text.data[0] == '"' && text.data[text.size - 1] == '"')
        return read_quoted(text, out, ret_size);
    if (begins(text, "hex:"))
        return read_hex(view_of(text.data + 4, text.size - 4), out, ret_size);
    if (begins(text, "base64:"))
        return read_base64(view_of(text.data + 7, text.size - 7), out, ret_size);
    return "is neither \"quoted text\" nor hex:… nor base64:…";
}

CK_RV text_to_bytes(struct view text, size_t max, struct bytes *ret_value, const char **ret_why)
{
    struct bytes value CLEANUP(bytes_free) = {0};
    size_t size = 0;
    *ret_why = "is too long";
    if (text.size > 2 * max + 16)
        return CKR_DATA_INVALID;
    CK_RV rv = bytes_alloc(&value, text.size);
    if (rv != CKR_OK)
        return rv;
    const char *why = read_any(text, value.data, &size);
    if (why)
        *ret_why = why;
    if (why || size > max)
        return CKR_DATA_INVALID;
    return bytes_copy(ret_value, view_of(value.data, size));
}
