#include "token/session/secret_place.h"

#include "token/base/log.h"
#include "token/mechanism/mechanism.h"
#include "token/session/writable.h"

static CK_KEY_TYPE type_of(const struct attributes *attributes)
{
    return attributes_ulong(attributes, CKA_KEY_TYPE, CK_UNAVAILABLE_INFORMATION);
}

/* Wrapping is mostly AES key wrap, which like derivation needs the key's value. */
static bool needs_value(const struct attributes *attributes)
{
    static const CK_ATTRIBUTE_TYPE uses[] = {CKA_WRAP, CKA_UNWRAP, CKA_DERIVE};
    for (size_t i = 0; i < ARRAY_SIZE(uses); i++)
        if (attributes_bool(attributes, uses[i], false))
            return true;
    return false;
}

static bool makes_codes(const struct attributes *attributes)
{
    CK_KEY_TYPE type = type_of(attributes);
    bool for_codes = attributes_bool(attributes, CKA_SIGN, false) ||
                     attributes_bool(attributes, CKA_VERIFY, false);
    return for_codes && (type == CKK_GENERIC_SECRET || mechanism_hash_of_key(type) != HASH_NONE);
}

bool secret_place_is_tpm(const struct token *token, const struct attributes *attributes)
{
    if (!token->writable->secrets_in_tpm || !attributes_bool(attributes, CKA_SENSITIVE, false) ||
        attributes_bool(attributes, CKA_EXTRACTABLE, true))
        return false;
    if (!needs_value(attributes) && (type_of(attributes) == CKK_AES || makes_codes(attributes)))
        return true;
    log_line(LOG_LEVEL_INFO, "session",
             "a secret key is kept encrypted instead of in the TPM, which cannot wrap, unwrap and "
             "derive with it");
    return false;
}

CK_RV secret_place_in_tpm(struct vault *vault, struct made *made, struct view unique)
{
    CK_KEY_TYPE type = type_of(&made->attributes);
    const struct key_spec spec = {
        .algorithm = type == CKK_AES ? KEY_ALGORITHM_AES : KEY_ALGORITHM_SECRET,
        .bits = (unsigned)attributes_ulong(&made->attributes, CKA_VALUE_LEN, 0) * 8,
    };
    return key_secret_in_tpm(vault, &spec, mechanism_hash_of_key(type), bytes_view(&made->value),
                             unique, &made->key);
}
