#include "token/object/object.h"

#include <stdlib.h>
#include <string.h>

#include "token/object/material.h"
#include "token/object/schema.h"

CK_RV object_new(struct attributes *attributes, struct object **ret_object)
{
    struct object *object = calloc(1, sizeof(*object));
    if (!object)
        return CKR_HOST_MEMORY;
    object->attributes = *attributes;
    *attributes = (struct attributes){0};
    *ret_object = object;
    return CKR_OK;
}

void object_free(struct object *object)
{
    if (!object)
        return;
    attributes_clear(&object->attributes);
    bytes_free(&object->key_id);
    key_unref(object->key);
    free(object);
}

static CK_RV get_one(const struct object *object, CK_ATTRIBUTE *wanted)
{
    CK_ULONG room = wanted->ulValueLen;
    wanted->ulValueLen = CK_UNAVAILABLE_INFORMATION;
    if (schema_is_hidden(&object->attributes, wanted->type))
        return CKR_ATTRIBUTE_SENSITIVE;
    struct view value;
    if (!attributes_get(&object->attributes, wanted->type, &value))
        return CKR_ATTRIBUTE_TYPE_INVALID;
    if (wanted->pValue && room < value.size)
        return CKR_BUFFER_TOO_SMALL;
    if (wanted->pValue && value.size)
        memcpy(wanted->pValue, value.data, value.size);
    wanted->ulValueLen = value.size;
    return CKR_OK;
}

CK_RV object_get(const struct object *object, CK_ATTRIBUTE *template, CK_ULONG count)
{
    CK_RV answer = CKR_OK;
    for (CK_ULONG i = 0; i < count; i++) {
        CK_RV rv = get_one(object, &template[i]);
        if (answer == CKR_OK)
            answer = rv;
    }
    return answer;
}

bool object_matches(const struct object *object, const CK_ATTRIBUTE *template, CK_ULONG count)
{
    for (CK_ULONG i = 0; i < count; i++) {
        struct view value;
        if (!attributes_get(&object->attributes, template[i].type, &value) ||
            schema_is_hidden(&object->attributes, template[i].type) ||
            !view_equal(value, view_of(template[i].pValue, template[i].ulValueLen)))
            return false;
    }
    return true;
}

CK_ULONG object_size(const struct object *object)
{
    return sizeof(*object) + object->attributes.size;
}

CK_RV object_public_key(const struct object *object, struct public_key *ret_key)
{
    return material_public(&object->attributes, ret_key);
}

CK_OBJECT_CLASS object_class(const struct object *object)
{
    return attributes_ulong(&object->attributes, CKA_CLASS, CK_UNAVAILABLE_INFORMATION);
}

bool object_bool(const struct object *object, CK_ATTRIBUTE_TYPE type)
{
    return attributes_bool(&object->attributes, type, false);
}
