#include "token/object/attributes.h"

#include <stdlib.h>
#include <string.h>

static struct attribute *find(const struct attributes *attributes, CK_ATTRIBUTE_TYPE type)
{
    for (size_t i = 0; i < attributes->count; i++)
        if (attributes->list[i].type == type)
            return &attributes->list[i];
    return NULL;
}

const struct attribute *attributes_find(const struct attributes *attributes, CK_ATTRIBUTE_TYPE type)
{
    return find(attributes, type);
}

CK_RV attributes_set(struct attributes *attributes, CK_ATTRIBUTE_TYPE type, struct view value)
{
    if (value.size > ATTRIBUTE_MAX_SIZE)
        return CKR_ATTRIBUTE_VALUE_INVALID;
    struct attribute *present = find(attributes, type);
    if (present)
        return bytes_copy(&present->value, value);
    if (attributes->count >= ATTRIBUTES_MAX_COUNT)
        return CKR_TEMPLATE_INCONSISTENT;
    struct bytes copy = {0};
    CK_RV rv = bytes_copy(&copy, value);
    if (rv != CKR_OK)
        return rv;
    struct attribute *list =
        realloc(attributes->list, (attributes->count + 1) * sizeof(*attributes->list));
    if (!list) {
        bytes_free(&copy);
        return CKR_HOST_MEMORY;
    }
    attributes->list = list;
    list[attributes->count++] = (struct attribute){.type = type, .value = copy};
    return CKR_OK;
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
    const struct attribute *attribute = find(attributes, type);
    if (!attribute || attribute->value.size != sizeof(CK_BBOOL))
        return fallback;
    return attribute->value.data[0] != CK_FALSE;
}

CK_ULONG attributes_ulong(const struct attributes *attributes, CK_ATTRIBUTE_TYPE type,
                          CK_ULONG fallback)
{
    const struct attribute *attribute = find(attributes, type);
    CK_ULONG value;
    if (!attribute || attribute->value.size != sizeof(value))
        return fallback;
    memcpy(&value, attribute->value.data, sizeof(value));
    return value;
}

struct view attributes_value(const struct attributes *attributes, CK_ATTRIBUTE_TYPE type)
{
    const struct attribute *attribute = find(attributes, type);
    return attribute ? bytes_view(&attribute->value) : (struct view){0};
}

CK_RV attributes_copy(struct attributes *attributes, const struct attributes *from)
{
    struct attributes copy = {0};
    for (size_t i = 0; i < from->count; i++) {
        CK_RV rv = attributes_set(&copy, from->list[i].type, bytes_view(&from->list[i].value));
        if (rv != CKR_OK) {
            attributes_clear(&copy);
            return rv;
        }
    }
    attributes_clear(attributes);
    *attributes = copy;
    return CKR_OK;
}

void attributes_clear(struct attributes *attributes)
{
    for (size_t i = 0; i < attributes->count; i++)
        bytes_free(&attributes->list[i].value);
    free(attributes->list);
    *attributes = (struct attributes){0};
}
