#include "token/object/schema_default.h"

/* The uses that a key has if its template names none. A secret key does not wrap and
 * unwrap by default: one that also decrypts would reveal whatever it wrapped. */
static const struct {
    CK_ATTRIBUTE_TYPE type;
    unsigned types;
} uses[] = {
    {CKA_ENCRYPT, FOR_RSA | FOR_AES},
    {CKA_DECRYPT, FOR_RSA | FOR_AES},
    {CKA_SIGN, FOR_RSA | FOR_EC | FOR_EDWARDS | FOR_AES | FOR_GENERIC | FOR_HMAC},
    {CKA_VERIFY, FOR_RSA | FOR_EC | FOR_EDWARDS | FOR_AES | FOR_GENERIC | FOR_HMAC},
    {CKA_SIGN_RECOVER, FOR_RSA},
    {CKA_VERIFY_RECOVER, FOR_RSA},
    {CKA_WRAP, FOR_RSA},
    {CKA_UNWRAP, FOR_RSA},
};

bool schema_names_a_use(const struct attributes *attributes)
{
    for (size_t i = 0; i < ARRAY_SIZE(uses); i++)
        if (attributes_bool(attributes, uses[i].type, false))
            return true;
    return false;
}

static bool default_use(CK_ATTRIBUTE_TYPE type, const struct schema_task *task)
{
    for (size_t i = 0; i < ARRAY_SIZE(uses); i++)
        if (uses[i].type == type)
            return task->origin != SCHEMA_OWN && uses[i].types & task->bits;
    return false;
}

/* Where PKCS#11 leaves the default to the token. Private keys are private, sensitive
 * and not extractable. Secret keys are extractable, so that they can be wrapped; those
 * on the token are private, and sensitive unless their value came from outside. Keys
 * have the uses of their type, or if the template names some, these. */
static bool default_of(const struct schema_row *row, const struct schema_task *task, bool use,
                       const struct attributes *attributes)
{
    bool token = attributes_bool(attributes, CKA_TOKEN, false);
    bool made_here = task->origin == SCHEMA_GENERATE || task->origin == SCHEMA_OWN;
    switch (row->fill) {
    case FILL_PRIVATE:
        return task->bits & ON_PRIVATE || (task->bits & ON_SECRET && token);
    case FILL_SENSITIVE:
        return task->bits & ON_PRIVATE || (token && made_here);
    case FILL_EXTRACTABLE:
        return task->bits & ON_SECRET;
    default:
        return use && default_use(row->type, task);
    }
}

static CK_RV fill_value_len(struct attributes *attributes)
{
    size_t size = attributes_value(attributes, CKA_VALUE).size;
    return size ? attributes_set_ulong(attributes, CKA_VALUE_LEN, size) : CKR_OK;
}

CK_RV schema_fill(const struct schema_row *row, const struct schema_task *task, bool use,
                  struct attributes *attributes)
{
    static const uint8_t exponent[] = {1, 0, 1};
    switch (row->fill) {
    case FILL_NOTHING:
        return CKR_OK;
    case FILL_FALSE:
    case FILL_TRUE:
        return attributes_set_bool(attributes, row->type, row->fill == FILL_TRUE);
    case FILL_EMPTY:
        return attributes_set(attributes, row->type, (struct view){0});
    case FILL_ZERO:
        return attributes_set_ulong(attributes, row->type, 0);
    case FILL_UNAVAILABLE:
        return attributes_set_ulong(attributes, row->type, CK_UNAVAILABLE_INFORMATION);
    case FILL_SHA1:
        return attributes_set_ulong(attributes, row->type, CKM_SHA_1);
    case FILL_EXPONENT:
        return task->origin == SCHEMA_GENERATE
                   ? attributes_set(attributes, row->type, view_of(exponent, sizeof(exponent)))
                   : CKR_OK;
    case FILL_VALUE_LEN:
        return fill_value_len(attributes);
    default:
        return attributes_set_bool(attributes, row->type, default_of(row, task, use, attributes));
    }
}
