#include "token/object/attributes.h"

#include <stdlib.h>
#include <string.h>

/* Also tells the byte order and the size of numbers, which are those of the machine. */
#define MAGIC (0x53410100u + (uint32_t)sizeof(CK_ULONG))

struct header {
    uint32_t magic;
    uint32_t count;
};

/* end: of the value, counted from the first one's begin. */
struct entry {
    uint32_t type;
    uint32_t end;
};

static size_t head_size(size_t count)
{
    return sizeof(struct header) + count * sizeof(struct entry);
}

/* Borrowed memory may be aligned in any way. */
static struct entry entry_at(const struct attributes *attributes, size_t index)
{
    struct entry entry;
    memcpy(&entry, attributes->block + head_size(index), sizeof(entry));
    return entry;
}

static size_t begin_of(const struct attributes *attributes, size_t index)
{
    return index ? entry_at(attributes, index - 1).end : 0;
}

/* The values of these entries, which lie one behind the other. */
static struct view values_of(const struct attributes *attributes, size_t index, size_t next)
{
    size_t begin = begin_of(attributes, index);
    if (index == next)
        return (struct view){0};
    return view_of(attributes->block + head_size(attributes->count) + begin,
                   begin_of(attributes, next) - begin);
}

static struct view value_at(const struct attributes *attributes, size_t index)
{
    return values_of(attributes, index, index + 1);
}

/* Where the type is, or where it belongs. */
static size_t place_of(const struct attributes *attributes, CK_ATTRIBUTE_TYPE type,
                       bool *ret_present)
{
    size_t low = 0, high = attributes->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (entry_at(attributes, middle).type < type)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_present = low < attributes->count && entry_at(attributes, low).type == type;
    return low;
}

bool attributes_get(const struct attributes *attributes, CK_ATTRIBUTE_TYPE type,
                    struct view *ret_value)
{
    bool present;
    size_t index = place_of(attributes, type, &present);
    if (present)
        *ret_value = value_at(attributes, index);
    return present;
}

bool attributes_has(const struct attributes *attributes, CK_ATTRIBUTE_TYPE type)
{
    bool present;
    (void)place_of(attributes, type, &present);
    return present;
}

struct view attributes_at(const struct attributes *attributes, size_t index,
                          CK_ATTRIBUTE_TYPE *ret_type)
{
    *ret_type = entry_at(attributes, index).type;
    return value_at(attributes, index);
}

static void put_header(uint8_t *block, size_t count)
{
    const struct header header = {MAGIC, (uint32_t)count};
    memcpy(block, &header, sizeof(header));
}

/* A block in which the entries from `index` to `next` are replaced by the one given,
 * or by none. */
struct splice {
    size_t index;
    size_t next;
    const CK_ATTRIBUTE_TYPE *type;
    struct view value;
};

static void put_entries(const struct attributes *from, const struct splice *splice, uint8_t *block)
{
    uint32_t end = 0;
    uint8_t *out = block + sizeof(struct header);
    for (size_t i = 0; i <= from->count; i++) {
        if (i == splice->index && splice->type) {
            end += (uint32_t)splice->value.size;
            const struct entry own = {(uint32_t)*splice->type, end};
            memcpy(out, &own, sizeof(own));
            out += sizeof(own);
        }
        if (i == from->count || (i >= splice->index && i < splice->next))
            continue;
        struct entry entry = entry_at(from, i);
        end += entry.end - (uint32_t)begin_of(from, i);
        entry.end = end;
        memcpy(out, &entry, sizeof(entry));
        out += sizeof(entry);
    }
}

static void put(uint8_t **out, struct view part)
{
    if (part.size)
        memcpy(*out, part.data, part.size);
    *out += part.size;
}

static CK_RV apply(struct attributes *attributes, const struct splice *splice)
{
    size_t count = attributes->count - (splice->next - splice->index) + (splice->type ? 1 : 0);
    struct view before = values_of(attributes, 0, splice->index);
    struct view behind = values_of(attributes, splice->next, attributes->count);
    size_t size = head_size(count) + before.size + splice->value.size + behind.size;
    uint8_t *block = malloc(size);
    if (!block)
        return CKR_HOST_MEMORY;
    put_header(block, count);
    put_entries(attributes, splice, block);
    uint8_t *out = block + head_size(count);
    put(&out, before);
    put(&out, splice->value);
    put(&out, behind);
    attributes_clear(attributes);
    *attributes =
        (struct attributes){.block = block, .size = (uint32_t)size, .count = (uint16_t)count};
    return CKR_OK;
}

CK_RV attributes_set(struct attributes *attributes, CK_ATTRIBUTE_TYPE type, struct view value)
{
    bool present;
    if (value.size > ATTRIBUTE_MAX_SIZE)
        return CKR_ATTRIBUTE_VALUE_INVALID;
    if (type > UINT32_MAX)
        return CKR_ATTRIBUTE_TYPE_INVALID;
    size_t index = place_of(attributes, type, &present);
    if (!present && attributes->count >= ATTRIBUTES_MAX_COUNT)
        return CKR_TEMPLATE_INCONSISTENT;
    if (present && !attributes->borrowed && value_at(attributes, index).size == value.size) {
        size_t offset = head_size(attributes->count) + begin_of(attributes, index);
        if (value.size)
            memmove(attributes->block + offset, value.data, value.size);
        return CKR_OK;
    }
    const struct splice splice = {index, index + present, &type, value};
    return apply(attributes, &splice);
}

CK_RV attributes_set_bool(struct attributes *attributes, CK_ATTRIBUTE_TYPE type, bool value)
{
    CK_BBOOL byte = value ? CK_TRUE : CK_FALSE;
    return attributes_set(attributes, type, view_of(&byte, sizeof(byte)));
}

CK_RV attributes_set_ulong(struct attributes *attributes, CK_ATTRIBUTE_TYPE type, CK_ULONG value)
{
    return attributes_set(attributes, type, view_of(&value, sizeof(value)));
}

bool attributes_bool(const struct attributes *attributes, CK_ATTRIBUTE_TYPE type, bool fallback)
{
    struct view value = attributes_value(attributes, type);
    return value.size == sizeof(CK_BBOOL) ? value.data[0] != CK_FALSE : fallback;
}

CK_ULONG attributes_ulong(const struct attributes *attributes, CK_ATTRIBUTE_TYPE type,
                          CK_ULONG fallback)
{
    struct view value = attributes_value(attributes, type);
    CK_ULONG number;
    if (value.size != sizeof(number))
        return fallback;
    memcpy(&number, value.data, sizeof(number));
    return number;
}

struct view attributes_value(const struct attributes *attributes, CK_ATTRIBUTE_TYPE type)
{
    struct view value = {0};
    (void)attributes_get(attributes, type, &value);
    return value;
}

CK_RV attributes_copy(struct attributes *attributes, const struct attributes *from)
{
    struct attributes copy = {.size = from->size, .count = from->count};
    if (from->block) {
        copy.block = malloc(from->size);
        if (!copy.block)
            return CKR_HOST_MEMORY;
        memcpy(copy.block, from->block, from->size);
    }
    attributes_move(attributes, &copy);
    return CKR_OK;
}

void attributes_move(struct attributes *attributes, struct attributes *from)
{
    attributes_clear(attributes);
    *attributes = *from;
    *from = (struct attributes){0};
}

CK_RV attributes_pack(const struct attributes *attributes, struct bytes *ret_packed)
{
    uint8_t empty[sizeof(struct header)];
    put_header(empty, 0);
    return bytes_copy(ret_packed, attributes->block ? view_of(attributes->block, attributes->size)
                                                    : view_of(empty, sizeof(empty)));
}

/* Types in ascending order, each once; values one behind the other up to the end. */
static bool is_sound(const struct attributes *attributes)
{
    uint64_t last_type = 0, last_end = 0;
    for (size_t i = 0; i < attributes->count; i++) {
        struct entry entry = entry_at(attributes, i);
        if ((i && entry.type <= last_type) || entry.end < last_end ||
            entry.end - last_end > ATTRIBUTE_MAX_SIZE)
            return false;
        last_type = entry.type;
        last_end = entry.end;
    }
    return head_size(attributes->count) + last_end == attributes->size;
}

CK_RV attributes_unpack(struct view packed, struct attributes *ret_attributes)
{
    struct header header;
    if (packed.size < sizeof(header) || packed.size > UINT32_MAX)
        return CKR_DATA_INVALID;
    memcpy(&header, packed.data, sizeof(header));
    if (header.magic != MAGIC || header.count > ATTRIBUTES_MAX_COUNT ||
        packed.size < head_size(header.count))
        return CKR_DATA_INVALID;
    const struct attributes attributes = {.block = (uint8_t *)(uintptr_t)packed.data,
                                          .size = (uint32_t)packed.size,
                                          .count = (uint16_t)header.count,
                                          .borrowed = true};
    if (!is_sound(&attributes))
        return CKR_DATA_INVALID;
    attributes_clear(ret_attributes);
    *ret_attributes = attributes;
    return CKR_OK;
}

/* Owned memory is closed up in place: first the entries, then the values, which move
 * by one entry more. */
static void close_up(struct attributes *attributes, size_t index)
{
    size_t gone = value_at(attributes, index).size;
    size_t before = begin_of(attributes, index);
    size_t behind = begin_of(attributes, attributes->count) - before - gone;
    uint8_t *old = attributes->block + head_size(attributes->count);
    uint8_t *new = attributes->block + head_size(attributes->count - 1u);
    for (size_t i = index + 1; i < attributes->count; i++) {
        struct entry entry = entry_at(attributes, i);
        entry.end -= (uint32_t)gone;
        memcpy(attributes->block + head_size(i - 1), &entry, sizeof(entry));
    }
    memmove(new, old, before);
    memmove(new + before, old + before + gone, behind);
    attributes->count--;
    attributes->size -= (uint32_t)(sizeof(struct entry) + gone);
    explicit_bzero(attributes->block + attributes->size, sizeof(struct entry) + gone);
    put_header(attributes->block, attributes->count);
}

void attributes_remove(struct attributes *attributes, CK_ATTRIBUTE_TYPE type)
{
    bool present;
    size_t index = place_of(attributes, type, &present);
    if (!present)
        return;
    const struct splice without = {.index = index, .next = index + 1};
    if (!attributes->borrowed)
        close_up(attributes, index);
    else if (apply(attributes, &without) != CKR_OK)
        attributes_clear(attributes);
}

void attributes_clear(struct attributes *attributes)
{
    if (attributes->block && !attributes->borrowed) {
        explicit_bzero(attributes->block, attributes->size);
        free(attributes->block);
    }
    *attributes = (struct attributes){0};
}
