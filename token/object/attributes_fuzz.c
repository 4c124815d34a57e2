#include <stdlib.h>
#include <string.h>

#include "token/object/attributes.h"

/* The first two bytes say what to change in the set that the rest unpacks to. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        __builtin_trap();
}

static void read_all(const struct attributes *attributes)
{
    CK_ATTRIBUTE_TYPE last = 0, type;
    for (size_t i = 0; i < attributes->count; i++) {
        struct view value = attributes_at(attributes, i, &type);
        volatile uint8_t sum = 0;
        for (size_t j = 0; j < value.size; j++)
            sum ^= value.data[j];
        check(i == 0 || type > last);
        check(attributes_has(attributes, type));
        check(attributes_value(attributes, type).data == value.data);
        last = type;
    }
}

static void pack_again(const struct attributes *attributes)
{
    struct bytes packed = {0};
    struct attributes again = {0};
    if (attributes_pack(attributes, &packed) != CKR_OK)
        return;
    check(attributes_unpack(bytes_view(&packed), &again) == CKR_OK);
    check(again.count == attributes->count);
    read_all(&again);
    bytes_free(&packed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct attributes attributes = {0};
    if (size < 2)
        return 0;
    if (attributes_unpack(view_of(data + 2, size - 2), &attributes) != CKR_OK)
        return 0;
    read_all(&attributes);
    pack_again(&attributes);
    if (attributes_set(&attributes, data[0], view_of(data, data[1] % 3)) == CKR_OK) {
        read_all(&attributes);
        check(attributes_value(&attributes, data[0]).size == data[1] % 3);
    }
    attributes_remove(&attributes, data[1]);
    check(!attributes_has(&attributes, data[1]));
    read_all(&attributes);
    pack_again(&attributes);
    attributes_clear(&attributes);
    return 0;
}
