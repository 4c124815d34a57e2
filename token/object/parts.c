#include "token/object/parts.h"

#include "token/object/curves.h"
#include "token/object/schema_table.h"

CK_KEY_TYPE part_key_type(const struct attributes *attributes)
{
    return attributes_ulong(attributes, CKA_KEY_TYPE, CK_UNAVAILABLE_INFORMATION);
}

enum key_algorithm part_algorithm(CK_KEY_TYPE type)
{
    static const struct {
        unsigned bit;
        enum key_algorithm algorithm;
    } algorithms[] = {
        {FOR_RSA, KEY_ALGORITHM_RSA},
        {FOR_EC, KEY_ALGORITHM_EC},
        {FOR_EDWARDS, KEY_ALGORITHM_EDWARDS},
        {FOR_MONTGOMERY, KEY_ALGORITHM_MONTGOMERY},
        {FOR_AES, KEY_ALGORITHM_AES},
        {FOR_GENERIC | FOR_HMAC | FOR_HKDF, KEY_ALGORITHM_SECRET},
    };
    const struct schema_word *word = schema_word(schema_key_types, type);
    for (size_t i = 0; word && i < ARRAY_SIZE(algorithms); i++)
        if (word->bit & algorithms[i].bit)
            return algorithms[i].algorithm;
    return KEY_ALGORITHM_NONE;
}

CK_KEY_TYPE part_type_of(enum key_algorithm algorithm)
{
    static const CK_KEY_TYPE types[] = {CKK_RSA, CKK_EC, CKK_EC_EDWARDS, CKK_EC_MONTGOMERY};
    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        if (part_algorithm(types[i]) == algorithm)
            return types[i];
    return CK_UNAVAILABLE_INFORMATION;
}

bool part_has_curve(enum key_algorithm algorithm)
{
    return algorithm == KEY_ALGORITHM_EC || algorithm == KEY_ALGORITHM_EDWARDS ||
           algorithm == KEY_ALGORITHM_MONTGOMERY;
}

struct view part_number(struct view number)
{
    while (number.size && number.data[0] == 0)
        number = view_of(number.data + 1, number.size - 1);
    return number;
}

struct view part_number_of(const struct attributes *attributes, CK_ATTRIBUTE_TYPE type)
{
    return part_number(attributes_value(attributes, type));
}

CK_RV part_copy_number(const struct attributes *attributes, CK_ATTRIBUTE_TYPE type,
                       struct bytes *number)
{
    struct view value = part_number_of(attributes, type);
    if (!value.size && attributes_value(attributes, type).size)
        return CKR_ATTRIBUTE_VALUE_INVALID;
    return bytes_copy(number, value);
}

CK_RV part_copy_curve(const struct attributes *attributes, struct bytes *curve)
{
    struct view oid, given = attributes_value(attributes, CKA_EC_PARAMS);
    if (!given.size)
        return CKR_TEMPLATE_INCOMPLETE;
    CK_RV rv = curve_normalise(part_key_type(attributes), given, &oid);
    return rv != CKR_OK ? rv : bytes_copy(curve, oid);
}

CK_RV part_copy_point(const struct attributes *attributes, struct view oid, struct bytes *point)
{
    struct view given = attributes_value(attributes, CKA_EC_POINT);
    struct view plain = curve_unwrap_point(part_key_type(attributes), oid, given);
    size_t raw_size = curve_raw_size(oid);
    if (plain.size && raw_size && plain.size != raw_size)
        return CKR_ATTRIBUTE_VALUE_INVALID;
    return bytes_copy(point, plain);
}
