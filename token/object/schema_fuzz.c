#include <stdlib.h>
#include <string.h>

#include "token/object/finder.h"
#include "token/object/material.h"
#include "token/object/object.h"
#include "token/object/schema.h"

/* The input is a list of attributes: origin, then for each its type (an index or
 * itself), a length, and the value. The last ones are the change and the search. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_COUNT 24

static const CK_ATTRIBUTE_TYPE types[] = {
    CKA_CLASS,
    CKA_KEY_TYPE,
    CKA_TOKEN,
    CKA_PRIVATE,
    CKA_MODIFIABLE,
    CKA_LABEL,
    CKA_VALUE,
    CKA_VALUE_LEN,
    CKA_SENSITIVE,
    CKA_EXTRACTABLE,
    CKA_ID,
    CKA_MODULUS,
    CKA_MODULUS_BITS,
    CKA_PUBLIC_EXPONENT,
    CKA_EC_PARAMS,
    CKA_EC_POINT,
    CKA_SUBJECT,
    CKA_START_DATE,
    CKA_CERTIFICATE_TYPE,
    CKA_COPYABLE,
    CKA_DESTROYABLE,
    CKA_TRUSTED,
    CKA_LOCAL,
    CKA_PRIVATE_EXPONENT,
    CKA_UNIQUE_ID,
    CKA_PROFILE_ID,
    CKA_CHECK_VALUE,
    CKA_DERIVE,
    CKA_VENDOR_DEFINED,
    CKA_PRIME_1,
    CKA_PRIME_2,
    CKA_SIGN,
    CKA_UNWRAP,
    CKA_ALWAYS_AUTHENTICATE,
    CKA_ALLOWED_MECHANISMS,
    CKA_WRAP_TEMPLATE,
    CKA_PUBLIC_KEY_INFO,
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

static void use_material(const struct attributes *attributes)
{
    struct public_key key = {0};
    struct key_spec spec = {0};
    struct private_parts parts = {0};
    struct attributes copy = {0};
    if (material_spec(attributes, &spec) == CKR_OK)
        check(spec.algorithm != KEY_ALGORITHM_NONE);
    if (material_public(attributes, &key) == CKR_OK) {
        check(key.algorithm != KEY_ALGORITHM_NONE && key.bits > 0);
        check(attributes_copy(&copy, attributes) == CKR_OK);
        check(material_set_public(&copy, &key) == CKR_OK);
    }
    attributes_clear(&copy);
    check(attributes_copy(&copy, attributes) == CKR_OK);
    if (material_take_private(&copy, &parts) == CKR_OK) {
        check(!attributes_has(&copy, CKA_VALUE) && !attributes_has(&copy, CKA_PRIVATE_EXPONENT));
        check(material_put_private(&copy, &parts) == CKR_OK);
    }
    attributes_clear(&copy);
    private_parts_clear(&parts);
    key_spec_clear(&spec);
    public_key_clear(&key);
}

/* What matches is among the candidates. */
static void find(struct object *object, const CK_ATTRIBUTE *template, CK_ULONG count)
{
    struct finder *finder = NULL;
    struct finder_hits hits;
    bool found = false;
    if (finder_new(&finder) != CKR_OK || finder_add(finder, object) != CKR_OK)
        exit(1);
    finder_find(finder, template, count, &hits);
    for (size_t i = 0; i < hits.count; i++)
        found = found || finder_hit(finder, &hits, i) == object;
    check(!hits.indexed || found || !object_matches(object, template, count));
    finder_remove(finder, object);
    finder_free(finder);
}

static void complete(struct object *object, enum schema_origin origin)
{
    check(schema_complete_key(&object->attributes, origin, CKM_ECDSA, NULL) == CKR_OK);
    if (object_bool(object, CKA_ALWAYS_SENSITIVE))
        check(object_bool(object, CKA_SENSITIVE));
    if (object_bool(object, CKA_NEVER_EXTRACTABLE))
        check(!object_bool(object, CKA_EXTRACTABLE));
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
    use_material(&object->attributes);
    find(object, template, count);
    complete(object, origin == SCHEMA_COPY ? SCHEMA_COPY : SCHEMA_GENERATE);
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
