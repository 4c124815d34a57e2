#include <stdlib.h>
#include <string.h>

#include "token/object/material.h"
#include "token/object/object.h"
#include "token/object/schema.h"

/* The input is a list of attributes: origin, then for each its type (an index or
 * itself), a length, and the value. The last ones are the change and the search. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_COUNT 24

static const CK_ATTRIBUTE_TYPE types[] = {
    CKA_CLASS,       CKA_KEY_TYPE,    CKA_TOKEN,        CKA_PRIVATE,          CKA_MODIFIABLE,
    CKA_LABEL,       CKA_VALUE,       CKA_VALUE_LEN,    CKA_SENSITIVE,        CKA_EXTRACTABLE,
    CKA_ID,          CKA_MODULUS,     CKA_MODULUS_BITS, CKA_PUBLIC_EXPONENT,  CKA_EC_PARAMS,
    CKA_EC_POINT,    CKA_SUBJECT,     CKA_START_DATE,   CKA_CERTIFICATE_TYPE, CKA_COPYABLE,
    CKA_DESTROYABLE, CKA_TRUSTED,     CKA_LOCAL,        CKA_PRIVATE_EXPONENT, CKA_UNIQUE_ID,
    CKA_PROFILE_ID,  CKA_CHECK_VALUE, CKA_DERIVE,       CKA_VENDOR_DEFINED,
};

static const enum schema_origin origins[] = {SCHEMA_CREATE, SCHEMA_DERIVE, SCHEMA_OWN,
                                             SCHEMA_GENERATE};

struct input {
    const uint8_t *data;
    size_t size;
};

static void check(bool holds)
{
    if (!holds)
        __builtin_trap();
}

static uint8_t take(struct input *input)
{
    if (!input->size)
        return 0;
    input->size--;
    return *input->data++;
}

/* Values are copies of their exact size, so that reading past one is seen. */
static CK_ULONG take_template(struct input *input, CK_ATTRIBUTE *template, CK_ULONG max)
{
    CK_ULONG count = 0;
    while (input->size && count < max) {
        uint8_t type = take(input), length = take(input);
        size_t size = length & 0x3f;
        if (size > input->size)
            size = input->size;
        CK_ATTRIBUTE *attribute = &template[count++];
        *attribute = (CK_ATTRIBUTE){.type = type < ARRAY_SIZE(types) ? types[type] : type};
        attribute->ulValueLen = length & 0x80 ? CK_UNAVAILABLE_INFORMATION : size;
        if (length & 0x40)
            continue;
        attribute->pValue = malloc(size ? size : 1);
        if (!attribute->pValue)
            exit(1);
        memcpy(attribute->pValue, input->data, size);
        input->data += size;
        input->size -= size;
    }
    return count;
}

static void free_template(CK_ATTRIBUTE *template, CK_ULONG count)
{
    for (CK_ULONG i = 0; i < count; i++)
        free(template[i].pValue);
}

/* Reading gives back exactly what the set holds, and hides what is to be hidden. */
static void read_all(const struct object *object)
{
    for (size_t i = 0; i < object->attributes.count; i++) {
        CK_ATTRIBUTE ask = {0};
        struct view value = attributes_at(&object->attributes, i, &ask.type);
        CK_RV rv = object_get(object, &ask, 1);
        if (schema_is_hidden(&object->attributes, ask.type)) {
            check(rv == CKR_ATTRIBUTE_SENSITIVE && ask.ulValueLen == CK_UNAVAILABLE_INFORMATION);
            continue;
        }
        check(rv == CKR_OK && ask.ulValueLen == value.size);
        ask.pValue = (void *)(uintptr_t)value.data;
        check(object_matches(object, &ask, 1));
    }
}

static void describe(const struct object *object)
{
    struct public_key key = {0};
    if (object_class(object) == CKO_PUBLIC_KEY &&
        material_public(&object->attributes, &key) == CKR_OK)
        check(key.algorithm != KEY_ALGORITHM_NONE);
    public_key_clear(&key);
}

static void use(struct attributes *attributes, CK_ATTRIBUTE *template, CK_ULONG count,
                enum schema_origin origin)
{
    struct object *object = NULL;
    if (object_new(attributes, &object) != CKR_OK)
        return;
    CK_OBJECT_CLASS class = object_class(object);
    bool sensitive = object_bool(object, CKA_SENSITIVE);
    read_all(object);
    describe(object);
    (void)object_matches(object, template, count);
    if (schema_change(&object->attributes, template, count, origin) == CKR_OK) {
        check(object_class(object) == class);
        check(!sensitive || object_bool(object, CKA_SENSITIVE));
        read_all(object);
    }
    check(object_size(object) >= sizeof(*object));
    object_free(object);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    uint8_t flags = take(&input);
    CK_ATTRIBUTE template[MAX_COUNT], change[MAX_COUNT];
    CK_ULONG count = take_template(&input, template, flags >> 3 & 15);
    CK_ULONG change_count = take_template(&input, change, MAX_COUNT);
    struct attributes attributes = {0};
    enum schema_origin origin = origins[flags & 3];
    if (schema_build(origin, template, count, NULL, &attributes) == CKR_OK)
        use(&attributes, change, change_count, flags & 4 ? SCHEMA_COPY : SCHEMA_SET);
    attributes_clear(&attributes);
    free_template(template, count);
    free_template(change, change_count);
    return 0;
}
