#include "token/object/schema.h"

#include <string.h>

enum kind { KIND_BOOL, KIND_ULONG, KIND_BYTES, KIND_DATE };

/* Which objects have it. */
enum {
    ON_DATA = 1 << 0,
    ON_CERTIFICATE = 1 << 1,
    ON_PUBLIC = 1 << 2,
    ON_PRIVATE = 1 << 3,
    ON_SECRET = 1 << 4,
    ON_PROFILE = 1 << 5,
    ON_KEYS = ON_PUBLIC | ON_PRIVATE | ON_SECRET,
    ON_STORED = ON_DATA | ON_CERTIFICATE | ON_KEYS,
    ON_ALL = ON_STORED | ON_PROFILE,
    /* Only keys of this type: */
    FOR_RSA = 1 << 8,
    FOR_EC = 1 << 9,
};

/* What may be done with it. */
enum {
    REQUIRED_ON_CREATE = 1 << 0,
    SET_BY_MODULE = 1 << 1, /* read-only in every template */
    NOT_ON_DERIVE = 1 << 2, /* comes from the mechanism */
    CHANGEABLE = 1 << 3,    /* by C_SetAttributeValue and C_CopyObject */
    CHANGEABLE_ON_COPY = 1 << 4,
    ONLY_TO_TRUE = 1 << 5,
    ONLY_TO_FALSE = 1 << 6,
    HIDDEN_IF_SENSITIVE = 1 << 7,
    NEVER_GIVEN = 1 << 8, /* the module never has it, but the name is known */
};

enum fill { FILL_NOTHING, FILL_FALSE, FILL_TRUE, FILL_EMPTY, FILL_ZERO, FILL_UNAVAILABLE };

/* PKCS#11 3.1: 4.2 common, 4.4 storage, 4.5 data, 4.6 certificates, 4.7 keys,
 * 4.8 public, 4.9 private, 4.10 secret, 4.14 profile; 6.1 RSA, 6.3 EC. */
static const struct row {
    CK_ATTRIBUTE_TYPE type;
    unsigned objects;
    enum kind kind;
    unsigned rules;
    enum fill fill;
} rows[] = {
    {CKA_CLASS, ON_ALL, KIND_ULONG, REQUIRED_ON_CREATE, FILL_NOTHING},
    {CKA_TOKEN, ON_ALL, KIND_BOOL, CHANGEABLE_ON_COPY, FILL_FALSE},
    {CKA_PRIVATE, ON_ALL, KIND_BOOL, CHANGEABLE_ON_COPY, FILL_FALSE},
    {CKA_MODIFIABLE, ON_ALL, KIND_BOOL, CHANGEABLE_ON_COPY, FILL_TRUE},
    {CKA_COPYABLE, ON_ALL, KIND_BOOL, CHANGEABLE | ONLY_TO_FALSE, FILL_TRUE},
    {CKA_DESTROYABLE, ON_ALL, KIND_BOOL, CHANGEABLE, FILL_TRUE},
    {CKA_LABEL, ON_ALL, KIND_BYTES, CHANGEABLE, FILL_EMPTY},
    {CKA_UNIQUE_ID, ON_ALL, KIND_BYTES, SET_BY_MODULE, FILL_NOTHING},
    {CKA_PROFILE_ID, ON_PROFILE, KIND_ULONG, REQUIRED_ON_CREATE, FILL_NOTHING},

    {CKA_APPLICATION, ON_DATA, KIND_BYTES, CHANGEABLE, FILL_EMPTY},
    {CKA_OBJECT_ID, ON_DATA, KIND_BYTES, CHANGEABLE, FILL_EMPTY},
    {CKA_VALUE, ON_DATA, KIND_BYTES, CHANGEABLE, FILL_EMPTY},

    {CKA_CERTIFICATE_TYPE, ON_CERTIFICATE, KIND_ULONG, REQUIRED_ON_CREATE, FILL_NOTHING},
    {CKA_TRUSTED, ON_CERTIFICATE, KIND_BOOL, SET_BY_MODULE, FILL_FALSE},
    {CKA_CERTIFICATE_CATEGORY, ON_CERTIFICATE, KIND_ULONG, 0, FILL_ZERO},
    {CKA_CHECK_VALUE, ON_CERTIFICATE | ON_SECRET, KIND_BYTES, 0, FILL_NOTHING},
    {CKA_START_DATE, ON_CERTIFICATE | ON_KEYS, KIND_DATE, CHANGEABLE, FILL_EMPTY},
    {CKA_END_DATE, ON_CERTIFICATE | ON_KEYS, KIND_DATE, CHANGEABLE, FILL_EMPTY},
    {CKA_SUBJECT, ON_CERTIFICATE, KIND_BYTES, REQUIRED_ON_CREATE, FILL_NOTHING},
    {CKA_SUBJECT, ON_PUBLIC | ON_PRIVATE, KIND_BYTES, CHANGEABLE, FILL_EMPTY},
    {CKA_ISSUER, ON_CERTIFICATE, KIND_BYTES, CHANGEABLE, FILL_EMPTY},
    {CKA_SERIAL_NUMBER, ON_CERTIFICATE, KIND_BYTES, CHANGEABLE, FILL_EMPTY},
    {CKA_VALUE, ON_CERTIFICATE, KIND_BYTES, REQUIRED_ON_CREATE, FILL_NOTHING},
    {CKA_URL, ON_CERTIFICATE, KIND_BYTES, 0, FILL_EMPTY},
    {CKA_HASH_OF_SUBJECT_PUBLIC_KEY, ON_CERTIFICATE, KIND_BYTES, 0, FILL_EMPTY},
    {CKA_HASH_OF_ISSUER_PUBLIC_KEY, ON_CERTIFICATE, KIND_BYTES, 0, FILL_EMPTY},
    {CKA_JAVA_MIDP_SECURITY_DOMAIN, ON_CERTIFICATE, KIND_ULONG, 0, FILL_ZERO},
    {CKA_PUBLIC_KEY_INFO, ON_CERTIFICATE | ON_PUBLIC | ON_PRIVATE, KIND_BYTES, 0, FILL_EMPTY},

    {CKA_ID, ON_CERTIFICATE | ON_KEYS, KIND_BYTES, CHANGEABLE, FILL_EMPTY},
    {CKA_KEY_TYPE, ON_KEYS, KIND_ULONG, REQUIRED_ON_CREATE, FILL_NOTHING},
    {CKA_DERIVE, ON_KEYS, KIND_BOOL, CHANGEABLE, FILL_FALSE},
    {CKA_LOCAL, ON_KEYS, KIND_BOOL, SET_BY_MODULE, FILL_FALSE},
    {CKA_KEY_GEN_MECHANISM, ON_KEYS, KIND_ULONG, SET_BY_MODULE, FILL_UNAVAILABLE},

    {CKA_ENCRYPT, ON_PUBLIC | ON_SECRET, KIND_BOOL, CHANGEABLE, FILL_FALSE},
    {CKA_VERIFY, ON_PUBLIC | ON_SECRET, KIND_BOOL, CHANGEABLE, FILL_FALSE},
    {CKA_VERIFY_RECOVER, ON_PUBLIC, KIND_BOOL, CHANGEABLE, FILL_FALSE},
    {CKA_WRAP, ON_PUBLIC | ON_SECRET, KIND_BOOL, CHANGEABLE, FILL_FALSE},
    {CKA_TRUSTED, ON_PUBLIC | ON_SECRET, KIND_BOOL, SET_BY_MODULE, FILL_FALSE},

    {CKA_SENSITIVE, ON_PRIVATE | ON_SECRET, KIND_BOOL, CHANGEABLE | ONLY_TO_TRUE, FILL_FALSE},
    {CKA_EXTRACTABLE, ON_PRIVATE | ON_SECRET, KIND_BOOL, CHANGEABLE | ONLY_TO_FALSE, FILL_TRUE},
    {CKA_ALWAYS_SENSITIVE, ON_PRIVATE | ON_SECRET, KIND_BOOL, SET_BY_MODULE, FILL_FALSE},
    {CKA_NEVER_EXTRACTABLE, ON_PRIVATE | ON_SECRET, KIND_BOOL, SET_BY_MODULE, FILL_FALSE},
    {CKA_DECRYPT, ON_PRIVATE | ON_SECRET, KIND_BOOL, CHANGEABLE, FILL_FALSE},
    {CKA_SIGN, ON_PRIVATE | ON_SECRET, KIND_BOOL, CHANGEABLE, FILL_FALSE},
    {CKA_SIGN_RECOVER, ON_PRIVATE, KIND_BOOL, CHANGEABLE, FILL_FALSE},
    {CKA_UNWRAP, ON_PRIVATE | ON_SECRET, KIND_BOOL, CHANGEABLE, FILL_FALSE},
    {CKA_WRAP_WITH_TRUSTED, ON_PRIVATE | ON_SECRET, KIND_BOOL, CHANGEABLE | ONLY_TO_TRUE,
     FILL_FALSE},
    {CKA_ALWAYS_AUTHENTICATE, ON_PRIVATE, KIND_BOOL, 0, FILL_FALSE},

    {CKA_VALUE, ON_SECRET, KIND_BYTES, REQUIRED_ON_CREATE | NOT_ON_DERIVE | HIDDEN_IF_SENSITIVE,
     FILL_NOTHING},
    {CKA_VALUE_LEN, ON_SECRET, KIND_ULONG, SET_BY_MODULE, FILL_NOTHING},

    {CKA_MODULUS, ON_PUBLIC | FOR_RSA, KIND_BYTES, REQUIRED_ON_CREATE, FILL_NOTHING},
    {CKA_MODULUS_BITS, ON_PUBLIC | FOR_RSA, KIND_ULONG, SET_BY_MODULE, FILL_NOTHING},
    {CKA_PUBLIC_EXPONENT, ON_PUBLIC | FOR_RSA, KIND_BYTES, REQUIRED_ON_CREATE, FILL_NOTHING},
    {CKA_MODULUS, ON_PRIVATE | FOR_RSA, KIND_BYTES, REQUIRED_ON_CREATE, FILL_NOTHING},
    {CKA_PUBLIC_EXPONENT, ON_PRIVATE | FOR_RSA, KIND_BYTES, 0, FILL_NOTHING},
    {CKA_PRIVATE_EXPONENT, ON_PRIVATE | FOR_RSA, KIND_BYTES, NEVER_GIVEN | HIDDEN_IF_SENSITIVE,
     FILL_NOTHING},
    {CKA_PRIME_1, ON_PRIVATE | FOR_RSA, KIND_BYTES, NEVER_GIVEN | HIDDEN_IF_SENSITIVE,
     FILL_NOTHING},
    {CKA_PRIME_2, ON_PRIVATE | FOR_RSA, KIND_BYTES, NEVER_GIVEN | HIDDEN_IF_SENSITIVE,
     FILL_NOTHING},
    {CKA_EXPONENT_1, ON_PRIVATE | FOR_RSA, KIND_BYTES, NEVER_GIVEN | HIDDEN_IF_SENSITIVE,
     FILL_NOTHING},
    {CKA_EXPONENT_2, ON_PRIVATE | FOR_RSA, KIND_BYTES, NEVER_GIVEN | HIDDEN_IF_SENSITIVE,
     FILL_NOTHING},
    {CKA_COEFFICIENT, ON_PRIVATE | FOR_RSA, KIND_BYTES, NEVER_GIVEN | HIDDEN_IF_SENSITIVE,
     FILL_NOTHING},

    {CKA_EC_PARAMS, ON_PUBLIC | ON_PRIVATE | FOR_EC, KIND_BYTES, REQUIRED_ON_CREATE, FILL_NOTHING},
    {CKA_EC_POINT, ON_PUBLIC | FOR_EC, KIND_BYTES, REQUIRED_ON_CREATE, FILL_NOTHING},
    /* Not in the specification for private keys, but several clients ask. */
    {CKA_EC_POINT, ON_PRIVATE | FOR_EC, KIND_BYTES, SET_BY_MODULE, FILL_NOTHING},
    {CKA_VALUE, ON_PRIVATE | FOR_EC, KIND_BYTES, NEVER_GIVEN | HIDDEN_IF_SENSITIVE, FILL_NOTHING},
};

static unsigned class_bit(CK_OBJECT_CLASS class)
{
    static const struct {
        CK_OBJECT_CLASS class;
        unsigned bit;
    } bits[] = {
        {CKO_DATA, ON_DATA},         {CKO_CERTIFICATE, ON_CERTIFICATE},
        {CKO_PUBLIC_KEY, ON_PUBLIC}, {CKO_PRIVATE_KEY, ON_PRIVATE},
        {CKO_SECRET_KEY, ON_SECRET}, {CKO_PROFILE, ON_PROFILE},
    };
    for (size_t i = 0; i < ARRAY_SIZE(bits); i++)
        if (bits[i].class == class)
            return bits[i].bit;
    return 0;
}

/* What the object is, in the bits of the table's second column. */
static unsigned object_bits(const struct attributes *attributes)
{
    unsigned bits = class_bit(attributes_ulong(attributes, CKA_CLASS, CK_UNAVAILABLE_INFORMATION));
    CK_KEY_TYPE type = attributes_ulong(attributes, CKA_KEY_TYPE, CK_UNAVAILABLE_INFORMATION);
    if (bits & (ON_PUBLIC | ON_PRIVATE) && type == CKK_RSA)
        bits |= FOR_RSA;
    if (bits & (ON_PUBLIC | ON_PRIVATE) && type == CKK_EC)
        bits |= FOR_EC;
    return bits;
}

static bool row_applies(const struct row *row, unsigned bits)
{
    unsigned types = FOR_RSA | FOR_EC;
    return (row->objects & bits & ON_ALL) &&
           (!(row->objects & types) || row->objects & bits & types);
}

static const struct row *find_row(CK_ATTRIBUTE_TYPE type, unsigned bits)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (rows[i].type == type && row_applies(&rows[i], bits))
            return &rows[i];
    return NULL;
}

/* Known for some object or another? Tells a wrong place from a wrong name. */
static bool is_known(CK_ATTRIBUTE_TYPE type)
{
    return find_row(type, ~0u) != NULL;
}

static bool value_fits(const struct row *row, const CK_ATTRIBUTE *attribute)
{
    if (attribute->ulValueLen == CK_UNAVAILABLE_INFORMATION ||
        attribute->ulValueLen > ATTRIBUTE_MAX_SIZE || (attribute->ulValueLen && !attribute->pValue))
        return false;
    const uint8_t *value = attribute->pValue;
    switch (row->kind) {
    case KIND_BOOL:
        return attribute->ulValueLen == sizeof(CK_BBOOL) && value[0] <= CK_TRUE;
    case KIND_ULONG:
        return attribute->ulValueLen == sizeof(CK_ULONG);
    case KIND_DATE:
        return attribute->ulValueLen == 0 || attribute->ulValueLen == sizeof(CK_DATE);
    default:
        return true;
    }
}

static struct view template_value(const CK_ATTRIBUTE *attribute)
{
    return view_of(attribute->pValue, attribute->ulValueLen);
}

/* CKA_CLASS and CKA_KEY_TYPE decide which rows apply: they are taken first. */
static CK_RV take_identity(const CK_ATTRIBUTE *template, CK_ULONG count,
                           struct attributes *attributes)
{
    for (CK_ULONG i = 0; i < count; i++) {
        CK_ATTRIBUTE_TYPE type = template[i].type;
        if (type != CKA_CLASS && type != CKA_KEY_TYPE)
            continue;
        if (!template[i].pValue || template[i].ulValueLen != sizeof(CK_ULONG))
            return CKR_ATTRIBUTE_VALUE_INVALID;
        if (attributes_has(attributes, type) &&
            !view_equal(attributes_value(attributes, type), template_value(&template[i])))
            return CKR_TEMPLATE_INCONSISTENT;
        CK_RV rv = attributes_set(attributes, type, template_value(&template[i]));
        if (rv != CKR_OK)
            return rv;
    }
    return CKR_OK;
}

static CK_RV take_attribute(enum schema_origin origin, const CK_ATTRIBUTE *attribute, unsigned bits,
                            struct attributes *attributes)
{
    const struct row *row = find_row(attribute->type, bits);
    if (!row)
        return is_known(attribute->type) ? CKR_TEMPLATE_INCONSISTENT : CKR_ATTRIBUTE_TYPE_INVALID;
    if (!value_fits(row, attribute))
        return CKR_ATTRIBUTE_VALUE_INVALID;
    if (attributes_has(attributes, attribute->type))
        return view_equal(attributes_value(attributes, attribute->type), template_value(attribute))
                   ? CKR_OK
                   : CKR_TEMPLATE_INCONSISTENT;
    if (row->rules & NEVER_GIVEN)
        return CKR_TEMPLATE_INCONSISTENT;
    if (row->rules & SET_BY_MODULE && origin != SCHEMA_OWN)
        return CKR_ATTRIBUTE_READ_ONLY;
    if (row->rules & NOT_ON_DERIVE && origin == SCHEMA_DERIVE)
        return CKR_TEMPLATE_INCONSISTENT;
    return attributes_set(attributes, attribute->type, template_value(attribute));
}

static CK_RV fill_in(enum schema_origin origin, unsigned bits, struct attributes *attributes)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct row *row = &rows[i];
        if (!row_applies(row, bits) || attributes_has(attributes, row->type))
            continue;
        CK_RV rv = CKR_OK;
        if (row->rules & REQUIRED_ON_CREATE &&
            !(row->rules & NOT_ON_DERIVE && origin == SCHEMA_DERIVE))
            return CKR_TEMPLATE_INCOMPLETE;
        if (row->fill == FILL_FALSE || row->fill == FILL_TRUE)
            rv = attributes_set_bool(attributes, row->type, row->fill == FILL_TRUE);
        else if (row->fill == FILL_EMPTY)
            rv = attributes_set(attributes, row->type, (struct view){0});
        else if (row->fill == FILL_ZERO || row->fill == FILL_UNAVAILABLE)
            rv = attributes_set_ulong(attributes, row->type,
                                      row->fill == FILL_ZERO ? 0 : CK_UNAVAILABLE_INFORMATION);
        if (rv != CKR_OK)
            return rv;
    }
    return CKR_OK;
}

static CK_RV build(enum schema_origin origin, const CK_ATTRIBUTE *template, CK_ULONG count,
                   struct attributes *attributes)
{
    CK_RV rv = take_identity(template, count, attributes);
    if (rv != CKR_OK)
        return rv;
    if (!attributes_has(attributes, CKA_CLASS))
        return CKR_TEMPLATE_INCOMPLETE;
    unsigned bits = object_bits(attributes);
    if (!(bits & ON_ALL))
        return CKR_ATTRIBUTE_VALUE_INVALID;
    for (size_t i = 0; i < attributes->count; i++) {
        CK_ATTRIBUTE_TYPE type;
        (void)attributes_at(attributes, i, &type);
        if (!find_row(type, bits))
            return CKR_TEMPLATE_INCONSISTENT;
    }
    for (CK_ULONG i = 0; i < count && rv == CKR_OK; i++)
        if (template[i].type != CKA_CLASS && template[i].type != CKA_KEY_TYPE)
            rv = take_attribute(origin, &template[i], bits, attributes);
    if (rv == CKR_OK && bits & (ON_PUBLIC | ON_PRIVATE) && !(bits & (FOR_RSA | FOR_EC)) &&
        attributes_has(attributes, CKA_KEY_TYPE))
        return CKR_ATTRIBUTE_VALUE_INVALID;
    return rv != CKR_OK ? rv : fill_in(origin, bits, attributes);
}

CK_RV schema_build(enum schema_origin origin, const CK_ATTRIBUTE *template, CK_ULONG count,
                   const struct attributes *preset, struct attributes *ret_attributes)
{
    if (count > ATTRIBUTES_MAX_COUNT)
        return CKR_TEMPLATE_INCONSISTENT;
    struct attributes attributes CLEANUP(attributes_clear) = {0};
    CK_RV rv = preset ? attributes_copy(&attributes, preset) : CKR_OK;
    if (rv == CKR_OK)
        rv = build(origin, template, count, &attributes);
    if (rv != CKR_OK)
        return rv;
    attributes_clear(ret_attributes);
    *ret_attributes = attributes;
    attributes = (struct attributes){0};
    return CKR_OK;
}

static CK_RV change_one(struct attributes *attributes, const CK_ATTRIBUTE *change, unsigned bits,
                        bool copying)
{
    const struct row *row = find_row(change->type, bits);
    if (!row)
        return is_known(change->type) ? CKR_TEMPLATE_INCONSISTENT : CKR_ATTRIBUTE_TYPE_INVALID;
    if (!value_fits(row, change))
        return CKR_ATTRIBUTE_VALUE_INVALID;
    struct view value = template_value(change);
    /* Of a hidden value not even a right guess is confirmed. */
    if (!schema_is_hidden(attributes, change->type) &&
        view_equal(attributes_value(attributes, change->type), value))
        return CKR_OK;
    if (!(row->rules & CHANGEABLE) && !(copying && row->rules & CHANGEABLE_ON_COPY))
        return CKR_ATTRIBUTE_READ_ONLY;
    if (row->rules & ONLY_TO_TRUE && value.data[0] != CK_TRUE)
        return CKR_ATTRIBUTE_READ_ONLY;
    if (row->rules & ONLY_TO_FALSE && value.data[0] != CK_FALSE)
        return CKR_ATTRIBUTE_READ_ONLY;
    return attributes_set(attributes, change->type, value);
}

CK_RV schema_change(struct attributes *attributes, const CK_ATTRIBUTE *template, CK_ULONG count,
                    bool copying)
{
    if (count > ATTRIBUTES_MAX_COUNT)
        return CKR_TEMPLATE_INCONSISTENT;
    struct attributes changed CLEANUP(attributes_clear) = {0};
    CK_RV rv = attributes_copy(&changed, attributes);
    unsigned bits = object_bits(attributes);
    for (CK_ULONG i = 0; i < count && rv == CKR_OK; i++)
        rv = change_one(&changed, &template[i], bits, copying);
    if (rv != CKR_OK)
        return rv;
    attributes_clear(attributes);
    *attributes = changed;
    changed = (struct attributes){0};
    return CKR_OK;
}

bool schema_is_hidden(const struct attributes *attributes, CK_ATTRIBUTE_TYPE type)
{
    const struct row *row = find_row(type, object_bits(attributes));
    return row && row->rules & HIDDEN_IF_SENSITIVE &&
           (attributes_bool(attributes, CKA_SENSITIVE, false) ||
            !attributes_bool(attributes, CKA_EXTRACTABLE, true));
}
