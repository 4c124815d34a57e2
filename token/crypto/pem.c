#include "token/crypto/pem.h"

#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#define LABEL_MAX_SIZE 64
#define LINE_BYTES 48 /* 64 characters */
#define PEM_MAX_SIZE (16 * 1024 * 1024)

static const char begin_guard[] = "-----BEGIN ", end_guard[] = "-----END ", dashes[] = "-----";

struct pem_reader pem_reader_of(struct view text)
{
    static const uint8_t byte_order_mark[] = {0xef, 0xbb, 0xbf};
    if (text.size >= 3 && memcmp(text.data, byte_order_mark, 3) == 0)
        text = view_of(text.data + 3, text.size - 3);
    return (struct pem_reader){.rest = text, .line = 1};
}

/* The next line without its end and white space around it. */
static bool next_line(struct pem_reader *reader, struct view *ret_line)
{
    if (reader->rest.size == 0)
        return false;
    const uint8_t *start = reader->rest.data, *end = memchr(start, '\n', reader->rest.size);
    size_t size = end ? (size_t)(end - start) : reader->rest.size;
    size_t used = end ? size + 1 : size;
    reader->rest = view_of(start + used, reader->rest.size - used);
    reader->line++;
    while (size && (start[size - 1] == '\r' || start[size - 1] == ' ' || start[size - 1] == '\t'))
        size--;
    *ret_line = view_of(start, size);
    return true;
}

static bool starts_with(struct view line, const char *text)
{
    return line.size >= strlen(text) && memcmp(line.data, text, strlen(text)) == 0;
}

static bool read_guard(struct view line, const char *guard, struct view *ret_label)
{
    size_t front = strlen(guard), back = sizeof(dashes) - 1;
    if (!starts_with(line, guard) || line.size <= front + back ||
        line.size > front + back + LABEL_MAX_SIZE ||
        memcmp(line.data + line.size - back, dashes, back) != 0)
        return false;
    *ret_label = view_of(line.data + front, line.size - front - back);
    return true;
}

static CK_RV find_end(struct pem_reader *reader, struct pem_block *block, struct reason *reason)
{
    const int size = (int)block->label.size;
    const char *label = (const char *)block->label.data;
    const uint8_t *start = reader->rest.data;
    struct view line, other;
    while (next_line(reader, &line)) {
        if (read_guard(line, begin_guard, &other))
            break;
        if (!read_guard(line, end_guard, &other))
            continue;
        if (!view_equal(other, block->label)) {
            reason_set(reason, "is damaged: the PEM block %.*s that starts at line %u ends as %.*s",
                       size, label, block->line, (int)other.size, (const char *)other.data);
            return CKR_DATA_INVALID;
        }
        block->body = view_of(start, (size_t)(line.data - start));
        return CKR_OK;
    }
    reason_set(reason, "is truncated: the PEM block %.*s that starts at line %u has no end", size,
               label, block->line);
    return CKR_DATA_INVALID;
}

CK_RV pem_next(struct pem_reader *reader, struct pem_block *ret_block, struct reason *reason)
{
    struct pem_block block = {0};
    struct view line;
    do {
        block.line = reader->line;
        if (!next_line(reader, &line)) {
            *ret_block = (struct pem_block){0};
            return CKR_OK;
        }
    } while (!read_guard(line, begin_guard, &block.label));
    CK_RV rv = find_end(reader, &block, reason);
    if (rv == CKR_OK)
        *ret_block = block;
    return rv;
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "DEK-Info: CIPHER,HEX" */
static bool read_encryption(struct view line, struct pem_encryption *encryption)
{
    size_t start = strlen("DEK-Info:");
    while (start < line.size && line.data[start] == ' ')
        start++;
    const uint8_t *name = line.data + start, *comma = memchr(name, ',', line.size - start);
    if (!comma || comma == name || (size_t)(comma - name) >= sizeof(encryption->cipher))
        return false;
    struct view hex = view_of(comma + 1, line.size - (size_t)(comma + 1 - line.data));
    if (hex.size % 2 || hex.size > 2 * sizeof(encryption->iv))
        return false;
    for (size_t i = 0; i < hex.size; i += 2) {
        int high = hex_digit(hex.data[i]), low = hex_digit(hex.data[i + 1]);
        if (high < 0 || low < 0)
            return false;
        encryption->iv[i / 2] = (uint8_t)(high << 4 | low);
    }
    encryption->iv_size = hex.size / 2;
    memcpy(encryption->cipher, name, (size_t)(comma - name));
    encryption->cipher[comma - name] = '\0';
    return true;
}

/* Headers are the lines with a colon at the front, up to an empty line. */
static bool read_headers(struct pem_reader *reader, struct pem_encryption *encryption)
{
    bool encrypted = false;
    struct pem_reader ahead = *reader;
    struct view line;
    if (!next_line(&ahead, &line) || !memchr(line.data, ':', line.size))
        return true;
    do {
        if (line.size == 0)
            break;
        if (starts_with(line, "Proc-Type:"))
            encrypted = true;
        if (starts_with(line, "DEK-Info:") && !read_encryption(line, encryption))
            return false;
    } while (next_line(&ahead, &line));
    *reader = ahead;
    return encrypted == (encryption->cipher[0] != '\0');
}

struct base64 {
    uint8_t *out;
    size_t used;
    uint32_t bits;
    unsigned digits; /* of the running group of four */
    unsigned padding;
};

static int base64_digit(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+')
        return 62;
    return c == '/' ? 63 : -1;
}

static bool base64_add(struct base64 *decoder, uint8_t c)
{
    int digit = 0;
    if (c == ' ' || c == '\t')
        return true;
    if (c == '=')
        decoder->padding++;
    else if (decoder->padding || (digit = base64_digit(c)) < 0)
        return false;
    if (decoder->padding > 2 || (decoder->padding && decoder->digits < 2))
        return false;
    decoder->bits = decoder->bits << 6 | (uint32_t)digit;
    if (++decoder->digits < 4)
        return true;
    for (unsigned i = 0; i < 3 - decoder->padding; i++)
        decoder->out[decoder->used++] = (uint8_t)(decoder->bits >> (16 - 8 * i));
    decoder->digits = 0;
    decoder->bits = 0;
    return true;
}

static CK_RV read_base64(struct pem_reader *reader, struct base64 *decoder, const char *where,
                         struct reason *reason)
{
    struct view line;
    for (unsigned number = reader->line; next_line(reader, &line); number = reader->line)
        for (size_t i = 0; i < line.size; i++)
            if (!base64_add(decoder, line.data[i])) {
                reason_set(reason, "is damaged: line %u, in %s, is not base64", number, where);
                return CKR_DATA_INVALID;
            }
    if (decoder->digits != 0) {
        reason_set(reason, "is damaged: the base64 of %s is cut off", where);
        return CKR_DATA_INVALID;
    }
    return CKR_OK;
}

CK_RV pem_decode(const struct pem_block *block, struct bytes *ret_content,
                 struct pem_encryption *ret_encryption, struct reason *reason)
{
    char where[LABEL_MAX_SIZE + 40];
    snprintf(where, sizeof(where), "the %.*s at line %u", (int)block->label.size,
             (const char *)block->label.data, block->line);
    struct pem_reader reader = {.rest = block->body, .line = block->line + 1};
    struct pem_encryption encryption = {0};
    if (!read_headers(&reader, &encryption)) {
        reason_set(reason, "is damaged: the headers of %s are not understood", where);
        return CKR_DATA_INVALID;
    }
    CLEANUP(bytes_free) struct bytes content = {0};
    size_t room = reader.rest.size / 4 * 3 + 3;
    CK_RV rv = bytes_alloc(&content, room);
    if (rv != CKR_OK)
        return rv;
    struct base64 decoder = {.out = content.data};
    rv = read_base64(&reader, &decoder, where, reason);
    OPENSSL_cleanse(&decoder.bits, sizeof(decoder.bits));
    if (rv == CKR_OK && decoder.used == 0) {
        reason_set(reason, "is damaged: %s is empty", where);
        rv = CKR_DATA_INVALID;
    }
    struct bytes exact = {0};
    if (rv == CKR_OK)
        rv = bytes_copy(&exact, view_of(content.data, decoder.used));
    if (rv != CKR_OK)
        return rv;
    *ret_content = exact;
    *ret_encryption = encryption;
    return CKR_OK;
}

/* Three bytes, or what is left of them, as four characters. */
static void base64_group(struct view in, char out[4])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0;
    for (size_t i = 0; i < 3; i++)
        bits = bits << 8 | (i < in.size ? in.data[i] : 0);
    for (size_t i = 0; i < 4; i++)
        out[i] = i <= in.size ? digits[bits >> (18 - 6 * i) & 0x3f] : '=';
}

static void add_text(struct bytes *out, const char *text)
{
    memcpy(out->data + out->size, text, strlen(text));
    out->size += strlen(text);
}

static void add_guard(struct bytes *out, const char *guard, const char *label)
{
    add_text(out, guard);
    add_text(out, label);
    add_text(out, dashes);
    add_text(out, "\n");
}

static void add_base64(struct bytes *out, struct view content)
{
    for (size_t at = 0; at < content.size; at += 3) {
        size_t left = content.size - at, group = left < 3 ? left : 3;
        base64_group(view_of(content.data + at, group), (char *)out->data + out->size);
        out->size += 4;
        if (left <= 3 || (at + 3) % LINE_BYTES == 0)
            out->data[out->size++] = '\n';
    }
}

CK_RV pem_write(struct bytes *text, const char *label, struct view content)
{
    CLEANUP(bytes_free) struct bytes block = {0};
    if (content.size == 0 || content.size > PEM_MAX_SIZE || strlen(label) > LABEL_MAX_SIZE)
        return CKR_DATA_LEN_RANGE;
    size_t guards = 2 * (sizeof(begin_guard) + LABEL_MAX_SIZE + sizeof(dashes) + 2);
    CK_RV rv = bytes_alloc(&block, guards + content.size / 3 * 4 + content.size / LINE_BYTES + 8);
    if (rv != CKR_OK)
        return rv;
    const size_t room = block.size;
    block.size = 0;
    if (text->size && text->data[text->size - 1] != '\n')
        add_text(&block, "\n");
    add_guard(&block, begin_guard, label);
    add_base64(&block, content);
    add_guard(&block, end_guard, label);
    rv = bytes_append(text, bytes_view(&block), SIZE_MAX);
    block.size = room;
    return rv;
}
