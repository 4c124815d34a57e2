#include "token/object/finder_tags.h"

#include <string.h>

/* Longer values are hashed by their two ends and size. */
#define HASHED_END 64

static bool is_indexed(CK_ATTRIBUTE_TYPE type)
{
    switch (type) {
    case CKA_ID:
    case CKA_LABEL:
    case CKA_SUBJECT:
    case CKA_ISSUER:
    case CKA_SERIAL_NUMBER:
    case CKA_VALUE:
    case CKA_MODULUS:
    case CKA_EC_POINT:
    case CKA_PUBLIC_KEY_INFO:
    case CKA_UNIQUE_ID:
    case CKA_APPLICATION:
    case CKA_OBJECT_ID:
        return true;
    default:
        return false;
    }
}

/* That of keys is none of ours to look at. */
static bool has_public_value(CK_OBJECT_CLASS class)
{
    return class == CKO_CERTIFICATE || class == CKO_DATA;
}

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 32;
}

static uint64_t mix_bytes(uint64_t hash, const uint8_t *data, size_t size)
{
    uint64_t word;
    for (; size >= sizeof(word); data += sizeof(word), size -= sizeof(word)) {
        memcpy(&word, data, sizeof(word));
        hash = mix(hash, word);
    }
    word = 0;
    if (size)
        memcpy(&word, data, size);
    return mix(hash, word);
}

uint32_t finder_tag(CK_ATTRIBUTE_TYPE type, struct view value)
{
    uint64_t hash = mix(type + 1, value.size);
    if (value.size <= 2 * HASHED_END)
        hash = mix_bytes(hash, value.data, value.size);
    else {
        hash = mix_bytes(hash, value.data, HASHED_END);
        hash = mix_bytes(hash, value.data + value.size - HASHED_END, HASHED_END);
    }
    return (uint32_t)(mix(hash, type) >> 32);
}

size_t finder_tags(const struct object *object, uint32_t tags[FINDER_MAX_TAGS])
{
    const struct attributes *attributes = &object->attributes;
    bool public = has_public_value(object_class(object));
    size_t count = 0;
    for (size_t i = 0; i < attributes->count; i++) {
        CK_ATTRIBUTE_TYPE type;
        struct view value = attributes_at(attributes, i, &type);
        if (value.size && is_indexed(type) && (public || type != CKA_VALUE))
            tags[count++] = finder_tag(type, value);
    }
    return count;
}

bool finder_can_look_up(const CK_ATTRIBUTE *wanted, CK_OBJECT_CLASS class)
{
    if (!is_indexed(wanted->type) || !wanted->pValue || !wanted->ulValueLen ||
        wanted->ulValueLen > ATTRIBUTE_MAX_SIZE)
        return false;
    return wanted->type != CKA_VALUE || has_public_value(class);
}
