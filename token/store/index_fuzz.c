#include <string.h>

#include "token/store/index.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        __builtin_trap();
}

static void check_within(struct view part, struct view index)
{
    check(part.data >= index.data && part.data + part.size <= index.data + index.size);
}

static void check_same(const uint8_t *copy, const struct index_part *part)
{
    check(memcmp(copy, part->name.data - INDEX_PART_SIZE, INDEX_PART_SIZE) == 0);
    check(memcmp(copy + INDEX_PART_SIZE, part->name.data, part->name.size) == 0);
}

static void check_parts(struct view index, struct index_reader reader)
{
    struct index_part part;
    uint8_t copy[65536];
    while (index_next(&reader, &part)) {
        size_t size = index_part_size(&part);
        check_within(part.name, index);
        check_within(part.content, index);
        check(size <= sizeof(copy) && index_put(copy, &part) == size);
        check((uintptr_t)part.content.data % 8 == (uintptr_t)index.data % 8);
        check_same(copy, &part);
    }
}

/* As it is, and with the header that it would have. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct index_reader reader;
    struct bytes index = {0};
    if (size > 60000)
        return 0;
    if (index_open(view_of(data, size), &reader))
        check_parts(view_of(data, size), reader);
    if (bytes_alloc(&index, INDEX_HEADER_SIZE + size) != CKR_OK)
        return 0;
    memcpy(index.data + INDEX_HEADER_SIZE, data, size);
    index_finish(&index);
    check(index_open(bytes_view(&index), &reader));
    check_parts(bytes_view(&index), reader);
    bytes_free(&index);
    return 0;
}
