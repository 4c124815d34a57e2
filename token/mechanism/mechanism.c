#include "token/mechanism/mechanism.h"

#include "token/mechanism/family.h"

static const struct mechanism_rows *const families[] = {
    &mechanism_rows_rsa,
    &mechanism_rows_ecdsa,
    &mechanism_rows_ecdh,
    &mechanism_rows_digest,
};

const struct mechanism *mechanism_at(size_t index)
{
    for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
        if (index < families[i]->count)
            return &families[i]->rows[index];
        index -= families[i]->count;
    }
    return NULL;
}

const struct mechanism *mechanism_find(CK_MECHANISM_TYPE type)
{
    const struct mechanism *mechanism;
    for (size_t i = 0; (mechanism = mechanism_at(i)); i++)
        if (mechanism->type == type)
            return mechanism;
    return NULL;
}

CK_RV mechanism_no_parameters(const struct mechanism *mechanism UNUSED, const CK_MECHANISM *given,
                              struct scheme *scheme UNUSED)
{
    return given->ulParameterLen ? CKR_MECHANISM_PARAM_INVALID : CKR_OK;
}

CK_KEY_TYPE mechanism_key_type(const struct mechanism *mechanism)
{
    return mechanism->algorithm == KEY_ALGORITHM_EC ? CKK_EC : CKK_RSA;
}

/* Public operations need the algorithm only; private ones the key's consent. */
CK_FLAGS mechanism_flags(const struct mechanism *mechanism, const struct key *key,
                         const struct public_key *public_key)
{
    if (mechanism->algorithm == KEY_ALGORITHM_NONE)
        return mechanism->flags;
    if (public_key->algorithm != KEY_ALGORITHM_NONE &&
        public_key->algorithm != mechanism->algorithm)
        return 0;
    if (public_key->algorithm == KEY_ALGORITHM_NONE && !key)
        return 0;
    const struct scheme scheme = {.kind = mechanism->kind, .hash = mechanism->hash};
    const CK_FLAGS operations =
        CKF_SIGN | CKF_VERIFY | CKF_ENCRYPT | CKF_DECRYPT | CKF_DERIVE | CKF_DIGEST;
    static const struct {
        CK_FLAGS flag;
        enum key_use use;
    } private_uses[] = {
        {CKF_SIGN, KEY_USE_SIGN},
        {CKF_DECRYPT, KEY_USE_DECRYPT},
        {CKF_DERIVE, KEY_USE_DERIVE},
    };
    CK_FLAGS flags = mechanism->flags;
    for (size_t i = 0; i < ARRAY_SIZE(private_uses); i++)
        if (flags & private_uses[i].flag && (!key || !key_can(key, private_uses[i].use, &scheme)))
            flags &= ~private_uses[i].flag;
    /* What says how, like CKF_EC_NAMEDCURVE, is nothing without an operation. */
    return flags & operations ? flags : 0;
}

enum hash mechanism_hash(CK_MECHANISM_TYPE type)
{
    const struct mechanism *mechanism = mechanism_find(type);
    return mechanism && mechanism->flags & CKF_DIGEST ? mechanism->hash : HASH_NONE;
}
