#include "token/object/schema.h"

#include <string.h>

#include "token/object/curves.h"
#include "token/object/material.h"
#include "token/object/schema_default.h"

static struct schema_task task_of(enum schema_origin origin)
{
    return (struct schema_task){.origin = origin & ~(unsigned)SCHEMA_BY_SO,
                                .so = origin & SCHEMA_BY_SO};
}

static bool value_fits(const struct schema_row *row, struct view value)
{
    CK_ULONG number;
    switch (row->kind) {
    case KIND_BOOL:
        return value.size == sizeof(CK_BBOOL) && value.data[0] <= CK_TRUE;
    case KIND_ULONG:
    case KIND_CLASS:
    case KIND_KEY_TYPE:
    case KIND_MECHANISM:
        return value.size == sizeof(CK_ULONG);
    case KIND_CERTIFICATE_TYPE:
        if (value.size != sizeof(number))
            return false;
        memcpy(&number, value.data, sizeof(number));
        return schema_word(schema_certificate_types, number) != NULL;
    case KIND_MECHANISMS:
        return schema_is_list(value);
    case KIND_DATE:
        return schema_is_date(value);
    default:
        return value.size > 0 || !(row->rules & NOT_EMPTY);
    }
}

/* The attribute's row and value, checked, curves in the one way of writing them. */
static CK_RV read_template(const CK_ATTRIBUTE *given, const struct schema_task *task,
                           CK_KEY_TYPE type, const struct schema_row **ret_row,
                           struct view *ret_value)
{
    *ret_row = schema_find(given->type, task->bits);
    if (!*ret_row)
        return schema_any(given->type) ? CKR_TEMPLATE_INCONSISTENT : CKR_ATTRIBUTE_TYPE_INVALID;
    if (given->ulValueLen == CK_UNAVAILABLE_INFORMATION || given->ulValueLen > ATTRIBUTE_MAX_SIZE ||
        (given->ulValueLen && !given->pValue))
        return CKR_ATTRIBUTE_VALUE_INVALID;
    *ret_value = view_of(given->pValue, given->ulValueLen);
    if (!value_fits(*ret_row, *ret_value))
        return CKR_ATTRIBUTE_VALUE_INVALID;
    return (*ret_row)->kind == KIND_CURVE ? curve_normalise(type, *ret_value, ret_value) : CKR_OK;
}

/* Class and key type come first: they say what the other attributes may be. */
static CK_RV take_identity(const CK_ATTRIBUTE *template, CK_ULONG count,
                           struct attributes *attributes)
{
    for (CK_ULONG i = 0; i < count; i++) {
        CK_ATTRIBUTE_TYPE type = template[i].type;
        if (type != CKA_CLASS && type != CKA_KEY_TYPE)
            continue;
        if (!template[i].pValue || template[i].ulValueLen != sizeof(CK_ULONG))
            return CKR_ATTRIBUTE_VALUE_INVALID;
        struct view value = view_of(template[i].pValue, sizeof(CK_ULONG));
        if (attributes_has(attributes, type) &&
            !view_equal(attributes_value(attributes, type), value))
            return CKR_TEMPLATE_INCONSISTENT;
        CK_RV rv = attributes_set(attributes, type, value);
        if (rv != CKR_OK)
            return rv;
    }
    return CKR_OK;
}

static CK_RV check_identity(const struct attributes *attributes, struct schema_task *task)
{
    static const unsigned classes[] = {
        [SCHEMA_CREATE] = ON_STORED,
        [SCHEMA_GENERATE] = ON_KEYS,
        [SCHEMA_UNWRAP] = ON_PRIVATE | ON_SECRET,
        [SCHEMA_DERIVE] = ON_SECRET | ON_DATA,
        [SCHEMA_OWN] = ON_ALL,
    };
    if (!attributes_has(attributes, CKA_CLASS))
        return CKR_TEMPLATE_INCOMPLETE;
    task->bits = schema_bits(attributes);
    if (!(task->bits & ON_ALL))
        return CKR_ATTRIBUTE_VALUE_INVALID;
    if (!(task->bits & classes[task->origin]))
        return CKR_TEMPLATE_INCONSISTENT;
    if (task->bits & ON_KEYS && !attributes_has(attributes, CKA_KEY_TYPE))
        return CKR_TEMPLATE_INCOMPLETE;
    return task->bits & ON_KEYS && !(task->bits & FOR_ANY) ? CKR_ATTRIBUTE_VALUE_INVALID : CKR_OK;
}

static CK_RV check_presets(const struct attributes *attributes, const struct schema_task *task)
{
    for (size_t i = 0; i < attributes->count; i++) {
        CK_ATTRIBUTE_TYPE type;
        (void)attributes_at(attributes, i, &type);
        if (!schema_find(type, task->bits))
            return CKR_TEMPLATE_INCONSISTENT;
    }
    return CKR_OK;
}

/* May a template of this origin give it? */
static CK_RV check_given(const struct schema_row *row, const struct schema_task *task,
                         struct view value)
{
    static const unsigned misplaced[] = {
        [SCHEMA_CREATE] = 0,
        [SCHEMA_GENERATE] = NOT_ON_GENERATE,
        [SCHEMA_UNWRAP] = NOT_ON_UNWRAP,
        [SCHEMA_DERIVE] = NOT_ON_DERIVE,
        [SCHEMA_OWN] = 0,
    };
    if (task->origin == SCHEMA_OWN)
        return CKR_OK;
    if (row->rules & SET_BY_MODULE || (row->rules & NOT_ON_CREATE && task->origin == SCHEMA_CREATE))
        return CKR_ATTRIBUTE_READ_ONLY;
    if (row->rules & ONLY_BY_SO && !task->so && value.data[0] != CK_FALSE)
        return CKR_ATTRIBUTE_READ_ONLY;
    return row->rules & misplaced[task->origin] ? CKR_TEMPLATE_INCONSISTENT : CKR_OK;
}

static CK_RV take_attribute(const CK_ATTRIBUTE *given, const struct schema_task *task,
                            struct attributes *attributes)
{
    const struct schema_row *row = NULL;
    struct view value;
    CK_KEY_TYPE type = attributes_ulong(attributes, CKA_KEY_TYPE, CK_UNAVAILABLE_INFORMATION);
    CK_RV rv = read_template(given, task, type, &row, &value);
    if (rv != CKR_OK)
        return rv;
    if (attributes_has(attributes, row->type))
        return view_equal(attributes_value(attributes, row->type), value)
                   ? CKR_OK
                   : CKR_TEMPLATE_INCONSISTENT;
    rv = check_given(row, task, value);
    return rv != CKR_OK ? rv : attributes_set(attributes, row->type, value);
}

static bool is_required(const struct schema_row *row, const struct schema_task *task)
{
    if (task->origin == SCHEMA_CREATE)
        return row->rules & (REQUIRED | REQUIRED_ON_CREATE);
    if (task->origin == SCHEMA_GENERATE)
        return row->rules & (REQUIRED | REQUIRED_ON_GENERATE);
    return row->rules & REQUIRED;
}

static CK_RV fill_in(const struct schema_task *task, struct attributes *attributes)
{
    bool use = !schema_names_a_use(attributes);
    for (size_t i = 0; i < schema_row_count; i++) {
        const struct schema_row *row = &schema_rows[i];
        if (!schema_applies(row, task->bits) || attributes_has(attributes, row->type))
            continue;
        if (is_required(row, task))
            return CKR_TEMPLATE_INCOMPLETE;
        CK_RV rv = schema_fill(row, task, use, attributes);
        if (rv != CKR_OK)
            return rv;
    }
    return CKR_OK;
}

/* What no single attribute shows. */
static CK_RV check_whole(const struct schema_task *task, const struct attributes *attributes)
{
    if (task->origin == SCHEMA_OWN)
        return CKR_OK;
    if (attributes_bool(attributes, CKA_ALWAYS_AUTHENTICATE, false) &&
        !attributes_bool(attributes, CKA_PRIVATE, false))
        return CKR_TEMPLATE_INCONSISTENT;
    if (task->origin != SCHEMA_CREATE)
        return CKR_OK;
    if (task->bits & ON_SECRET)
        return material_check_secret(attributes, attributes_value(attributes, CKA_VALUE).size);
    if (task->bits & ON_PRIVATE && task->bits & FOR_RSA &&
        !attributes_has(attributes, CKA_PRIVATE_EXPONENT) &&
        !(attributes_has(attributes, CKA_PRIME_1) && attributes_has(attributes, CKA_PRIME_2)))
        return CKR_TEMPLATE_INCOMPLETE;
    return CKR_OK;
}

static CK_RV build(struct schema_task *task, const CK_ATTRIBUTE *template, CK_ULONG count,
                   struct attributes *attributes)
{
    CK_RV rv = take_identity(template, count, attributes);
    if (rv == CKR_OK)
        rv = check_identity(attributes, task);
    if (rv == CKR_OK)
        rv = check_presets(attributes, task);
    for (CK_ULONG i = 0; i < count && rv == CKR_OK; i++)
        if (template[i].type != CKA_CLASS && template[i].type != CKA_KEY_TYPE)
            rv = take_attribute(&template[i], task, attributes);
    if (rv == CKR_OK)
        rv = fill_in(task, attributes);
    return rv != CKR_OK ? rv : check_whole(task, attributes);
}

CK_RV schema_build(enum schema_origin origin, const CK_ATTRIBUTE *template, CK_ULONG count,
                   const struct attributes *preset, struct attributes *ret_attributes)
{
    struct schema_task task = task_of(origin);
    if (count > ATTRIBUTES_MAX_COUNT)
        return CKR_TEMPLATE_INCONSISTENT;
    struct attributes attributes CLEANUP(attributes_clear) = {0};
    CK_RV rv = preset ? attributes_copy(&attributes, preset) : CKR_OK;
    if (rv == CKR_OK)
        rv = build(&task, template, count, &attributes);
    if (rv != CKR_OK)
        return rv;
    attributes_move(ret_attributes, &attributes);
    return CKR_OK;
}

static CK_RV change_one(struct attributes *attributes, const CK_ATTRIBUTE *change,
                        const struct schema_task *task)
{
    const struct schema_row *row = NULL;
    struct view value;
    CK_KEY_TYPE type = attributes_ulong(attributes, CKA_KEY_TYPE, CK_UNAVAILABLE_INFORMATION);
    CK_RV rv = read_template(change, task, type, &row, &value);
    if (!row)
        return rv;
    bool changeable =
        row->rules & CHANGEABLE || (task->origin == SCHEMA_COPY && row->rules & CHANGEABLE_ON_COPY);
    if (rv != CKR_OK)
        return changeable ? rv : CKR_ATTRIBUTE_READ_ONLY;
    /* Of a hidden value not even a right guess is confirmed. */
    if (!schema_is_hidden(attributes, row->type) && attributes_has(attributes, row->type) &&
        view_equal(attributes_value(attributes, row->type), value))
        return CKR_OK;
    if (!changeable)
        return CKR_ATTRIBUTE_READ_ONLY;
    if (row->rules & ONLY_TO_TRUE && value.data[0] != CK_TRUE)
        return CKR_ATTRIBUTE_READ_ONLY;
    if (row->rules & ONLY_TO_FALSE && value.data[0] != CK_FALSE)
        return CKR_ATTRIBUTE_READ_ONLY;
    if (row->rules & ONLY_BY_SO && !task->so)
        return CKR_ATTRIBUTE_READ_ONLY;
    return attributes_set(attributes, row->type, value);
}

CK_RV schema_change(struct attributes *attributes, const CK_ATTRIBUTE *template, CK_ULONG count,
                    enum schema_origin origin)
{
    struct schema_task task = task_of(origin);
    if (count > ATTRIBUTES_MAX_COUNT)
        return CKR_TEMPLATE_INCONSISTENT;
    struct attributes changed CLEANUP(attributes_clear) = {0};
    CK_RV rv = attributes_copy(&changed, attributes);
    task.bits = schema_bits(attributes);
    for (CK_ULONG i = 0; i < count && rv == CKR_OK; i++)
        rv = change_one(&changed, &template[i], &task);
    if (rv != CKR_OK)
        return rv;
    attributes_move(attributes, &changed);
    return CKR_OK;
}

bool schema_is_hidden(const struct attributes *attributes, CK_ATTRIBUTE_TYPE type)
{
    if (!schema_may_hide(type))
        return false;
    if (!attributes_bool(attributes, CKA_SENSITIVE, false) &&
        attributes_bool(attributes, CKA_EXTRACTABLE, true))
        return false;
    const struct schema_row *row = schema_find(type, schema_bits(attributes));
    return row && row->rules & HIDDEN_IF_SENSITIVE;
}

static CK_RV set_history(struct attributes *attributes, bool sensitive, bool unextractable)
{
    if (!(schema_bits(attributes) & (ON_PRIVATE | ON_SECRET)))
        return CKR_OK;
    sensitive = sensitive && attributes_bool(attributes, CKA_SENSITIVE, false);
    unextractable = unextractable && !attributes_bool(attributes, CKA_EXTRACTABLE, true);
    CK_RV rv = attributes_set_bool(attributes, CKA_ALWAYS_SENSITIVE, sensitive);
    return rv != CKR_OK ? rv
                        : attributes_set_bool(attributes, CKA_NEVER_EXTRACTABLE, unextractable);
}

CK_RV schema_complete_key(struct attributes *attributes, enum schema_origin origin,
                          CK_MECHANISM_TYPE mechanism, const struct attributes *base)
{
    if (!(schema_bits(attributes) & ON_KEYS))
        return CKR_OK;
    bool generated = task_of(origin).origin == SCHEMA_GENERATE;
    bool copied = task_of(origin).origin == SCHEMA_COPY;
    const struct attributes *from = copied ? attributes : base;
    bool sensitive = from && attributes_bool(from, CKA_ALWAYS_SENSITIVE, false);
    bool unextractable = from && attributes_bool(from, CKA_NEVER_EXTRACTABLE, false);
    CK_RV rv = set_history(attributes, generated || sensitive, generated || unextractable);
    if (rv != CKR_OK || copied)
        return rv;
    rv = attributes_set_bool(attributes, CKA_LOCAL, generated);
    return rv != CKR_OK ? rv
                        : attributes_set_ulong(attributes, CKA_KEY_GEN_MECHANISM,
                                               generated ? mechanism : CK_UNAVAILABLE_INFORMATION);
}
