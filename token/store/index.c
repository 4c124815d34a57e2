#include "token/store/index.h"

#include <endian.h>
#include <string.h>

#define VERSION 1
#define WORDS 4 /* that are hashed beside each other */

static const uint8_t magic[8] = "SIGNETIX";

/* Little-endian numbers of 4 or 8 bytes. */
static void put(uint8_t *at, size_t size, uint64_t value)
{
    for (size_t i = 0; i < size; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get(const uint8_t *at, size_t size)
{
    uint64_t eight = 0;
    uint32_t four = 0;
    memcpy(size == 8 ? (void *)&eight : (void *)&four, at, size);
    return size == 8 ? le64toh(eight) : le32toh(four);
}

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 29;
}

/* Fast, and not against forgery. */
static uint64_t checksum(struct view text)
{
    uint64_t lanes[WORDS] = {1, 2, 3, 4}, hash = text.size;
    while (text.size >= 8 * WORDS) {
        for (size_t i = 0; i < WORDS; i++)
            lanes[i] = mix(lanes[i], get(text.data + 8 * i, 8));
        text = view_of(text.data + 8 * WORDS, text.size - 8 * WORDS);
    }
    for (size_t i = 0; i < text.size; i++)
        hash = mix(hash, text.data[i]);
    for (size_t i = 0; i < WORDS; i++)
        hash = mix(hash, lanes[i]);
    return hash;
}

/* magic, version, reserved, checksum of what follows */
bool index_open(struct view index, struct index_reader *ret_reader)
{
    if (index.size < INDEX_HEADER_SIZE || memcmp(index.data, magic, sizeof(magic)) != 0 ||
        get(index.data + 8, 8) != VERSION)
        return false;
    struct view rest = view_of(index.data + INDEX_HEADER_SIZE, index.size - INDEX_HEADER_SIZE);
    if (get(index.data + 16, 8) != checksum(rest))
        return false;
    ret_reader->rest = rest;
    return true;
}

void index_finish(struct bytes *index)
{
    struct view rest = view_of(index->data + INDEX_HEADER_SIZE, index->size - INDEX_HEADER_SIZE);
    memcpy(index->data, magic, sizeof(magic));
    put(index->data + 8, 8, VERSION);
    put(index->data + 16, 8, checksum(rest));
}

static uint64_t padded(uint64_t size)
{
    return (size + 7) & ~UINT64_C(7);
}

/* device, inode, size, times: 8 bytes each; sizes of name and content: 4 each; then
 * both, filled up with zeros */
bool index_next(struct index_reader *reader, struct index_part *ret_part)
{
    struct view rest = reader->rest;
    if (rest.size < INDEX_PART_SIZE)
        return false;
    const uint8_t *at = rest.data;
    uint64_t name = get(at + 40, 4), content = get(at + 44, 4);
    uint64_t size = padded(name) + padded(content);
    rest = view_of(at + INDEX_PART_SIZE, rest.size - INDEX_PART_SIZE);
    if (size > rest.size)
        return false;
    *ret_part = (struct index_part){
        .name = view_of(rest.data, (size_t)name),
        .stamp = {.device = get(at, 8),
                  .inode = get(at + 8, 8),
                  .size = get(at + 16, 8),
                  .modified = (int64_t)get(at + 24, 8),
                  .changed = (int64_t)get(at + 32, 8)},
        .content = view_of(rest.data + padded(name), (size_t)content),
    };
    reader->rest = view_of(rest.data + size, rest.size - (size_t)size);
    return true;
}

size_t index_part_size(const struct index_part *part)
{
    return INDEX_PART_SIZE + (size_t)(padded(part->name.size) + padded(part->content.size));
}

size_t index_put(uint8_t *at, const struct index_part *part)
{
    size_t size = index_part_size(part);
    memset(at, 0, size);
    put(at, 8, part->stamp.device);
    put(at + 8, 8, part->stamp.inode);
    put(at + 16, 8, part->stamp.size);
    put(at + 24, 8, (uint64_t)part->stamp.modified);
    put(at + 32, 8, (uint64_t)part->stamp.changed);
    put(at + 40, 4, part->name.size);
    put(at + 44, 4, part->content.size);
    memcpy(at + INDEX_PART_SIZE, part->name.data, part->name.size);
    if (part->content.size)
        memcpy(at + INDEX_PART_SIZE + padded(part->name.size), part->content.data,
               part->content.size);
    return size;
}
