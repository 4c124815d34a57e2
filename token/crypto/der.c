#include "token/crypto/der.h"

#define DER_MAX_SIZE (16 * 1024 * 1024)

static struct view view_after(struct view view, size_t size)
{
    return view_of(view.data + size, view.size - size);
}

/* Reads tag and length; 0 if they are incomplete or not DER. */
static size_t read_header(struct view in, size_t *ret_content_size)
{
    if (in.size < 2 || (in.data[0] & 0x1f) == 0x1f || in.data[0] == 0)
        return 0;
    size_t size = in.data[1];
    if (size < 0x80) {
        *ret_content_size = size;
        return 2;
    }
    size_t count = size & 0x7f;
    if (count == 0 || count > 3 || in.size < 2 + count || in.data[2] == 0)
        return 0;
    size = 0;
    for (size_t i = 0; i < count; i++)
        size = size << 8 | in.data[2 + i];
    if (size < 0x80)
        return 0;
    *ret_content_size = size;
    return 2 + count;
}

size_t der_size_needed(struct view in)
{
    size_t content = 0, header = read_header(in, &content);
    return header ? header + content : 0;
}

bool der_next(struct view *in, struct der *ret_element)
{
    size_t size = 0, header = read_header(*in, &size);
    if (header == 0 || size > in->size - header)
        return false;
    ret_element->tag = in->data[0];
    ret_element->content = view_of(in->data + header, size);
    ret_element->whole = view_of(in->data, header + size);
    *in = view_after(*in, header + size);
    return true;
}

unsigned der_peek(struct view in)
{
    return in.size ? in.data[0] : 0;
}

bool der_take(struct view *in, unsigned tag, struct view *ret_content)
{
    struct der element;
    if (der_peek(*in) != tag || !der_next(in, &element))
        return false;
    *ret_content = element.content;
    return true;
}

bool der_only(struct view whole, unsigned tag, struct view *ret_content)
{
    return der_take(&whole, tag, ret_content) && whole.size == 0;
}

struct view der_strip_zeros(struct view value)
{
    while (value.size && value.data[0] == 0)
        value = view_after(value, 1);
    return value;
}

bool der_take_unsigned(struct view *in, struct view *ret_magnitude)
{
    struct view rest = *in, content;
    if (!der_take(&rest, DER_INTEGER, &content) || content.size == 0 || content.data[0] & 0x80)
        return false;
    *ret_magnitude = der_strip_zeros(content);
    *in = rest;
    return true;
}

bool der_take_bits(struct view *in, struct view *ret_octets)
{
    struct view rest = *in, content;
    if (!der_take(&rest, DER_BIT_STRING, &content) || content.size == 0 || content.data[0] != 0)
        return false;
    *ret_octets = view_after(content, 1);
    *in = rest;
    return true;
}

static size_t write_header(uint8_t out[5], unsigned tag, size_t size)
{
    size_t used = 0;
    out[used++] = (uint8_t)tag;
    if (size >= 0x10000) {
        out[used++] = 0x83;
        out[used++] = (uint8_t)(size >> 16);
        out[used++] = (uint8_t)(size >> 8);
    } else if (size >= 0x100) {
        out[used++] = 0x82;
        out[used++] = (uint8_t)(size >> 8);
    } else if (size >= 0x80) {
        out[used++] = 0x81;
    }
    out[used++] = (uint8_t)size;
    return used;
}

CK_RV der_append(struct bytes *out, unsigned tag, struct view content)
{
    if (content.size >= DER_MAX_SIZE)
        return CKR_DATA_LEN_RANGE;
    uint8_t header[5];
    size_t size = write_header(header, tag, content.size);
    CK_RV rv = bytes_append(out, view_of(header, size), DER_MAX_SIZE);
    if (rv != CKR_OK)
        return rv;
    return bytes_append(out, content, DER_MAX_SIZE);
}

CK_RV der_append_unsigned(struct bytes *out, struct view magnitude)
{
    static const uint8_t zero[1];
    CLEANUP(bytes_free) struct bytes content = {0};
    magnitude = der_strip_zeros(magnitude);
    CK_RV rv = CKR_OK;
    if (magnitude.size == 0 || magnitude.data[0] & 0x80)
        rv = bytes_append(&content, view_of(zero, 1), DER_MAX_SIZE);
    if (rv == CKR_OK)
        rv = bytes_append(&content, magnitude, DER_MAX_SIZE);
    if (rv == CKR_OK)
        rv = der_append(out, DER_INTEGER, bytes_view(&content));
    return rv;
}
