#include "token/mechanism/mechanism.h"

#include "token/mechanism/family.h"

static const struct mechanism_rows *const families[] = {
    &mechanism_rows_rsa,    &mechanism_rows_ecdsa,    &mechanism_rows_eddsa, &mechanism_rows_ecdh,
    &mechanism_rows_digest, &mechanism_rows_cipher,   &mechanism_rows_mac,   &mechanism_rows_wrap,
    &mechanism_rows_hkdf,   &mechanism_rows_generate,
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

const void *mechanism_parameter(const CK_MECHANISM *given, size_t size)
{
    return given->ulParameterLen == size ? given->pParameter : NULL;
}

static CK_KEY_TYPE key_type(enum key_algorithm algorithm)
{
    static const CK_KEY_TYPE types[] = {
        [KEY_ALGORITHM_NONE] = CK_UNAVAILABLE_INFORMATION,
        [KEY_ALGORITHM_RSA] = CKK_RSA,
        [KEY_ALGORITHM_EC] = CKK_EC,
        [KEY_ALGORITHM_EDWARDS] = CKK_EC_EDWARDS,
        [KEY_ALGORITHM_MONTGOMERY] = CKK_EC_MONTGOMERY,
        [KEY_ALGORITHM_AES] = CKK_AES,
        [KEY_ALGORITHM_SECRET] = CKK_GENERIC_SECRET,
    };
    return types[algorithm];
}

CK_KEY_TYPE mechanism_key_type(const struct mechanism *mechanism)
{
    return key_type(mechanism->algorithm);
}

bool mechanism_takes(const struct mechanism *mechanism, CK_KEY_TYPE type)
{
    if (mechanism->algorithm == KEY_ALGORITHM_NONE)
        return false;
    return type == mechanism_key_type(mechanism) ||
           (mechanism->other_key_type && type == mechanism->other_key_type);
}

bool mechanism_is_symmetric(const struct mechanism *mechanism)
{
    return mechanism->algorithm == KEY_ALGORITHM_AES ||
           mechanism->algorithm == KEY_ALGORITHM_SECRET;
}

CK_FLAGS mechanism_flags_of_directory(const struct mechanism *mechanism, bool sealing)
{
    bool in_software = mechanism->algorithm == KEY_ALGORITHM_EDWARDS ||
                       mechanism->algorithm == KEY_ALGORITHM_MONTGOMERY;
    if (mechanism->flags & CKF_GENERATE_KEY_PAIR && in_software && !sealing)
        return 0;
    return mechanism->flags;
}

/* What one key can do; the rest needs keys beside it. Public operations ask for the
 * algorithm only, private ones for the key's consent. */
static const struct {
    CK_FLAGS flag;
    enum key_use use;
} private_uses[] = {
    {CKF_SIGN, KEY_USE_SIGN},
    {CKF_MESSAGE_SIGN, KEY_USE_SIGN},
    {CKF_DECRYPT, KEY_USE_DECRYPT},
    {CKF_DERIVE, KEY_USE_DERIVE},
};
static const CK_FLAGS private_flags = CKF_SIGN | CKF_MESSAGE_SIGN | CKF_DECRYPT | CKF_DERIVE;
static const CK_FLAGS public_flags = CKF_VERIFY | CKF_MESSAGE_VERIFY | CKF_ENCRYPT;

/* An exported key is neither for recovery nor for encapsulation: its objects say so. */
static const CK_FLAGS directory_flags = CKF_ENCAPSULATE | CKF_DECAPSULATE | CKF_WRAP | CKF_UNWRAP |
                                        CKF_GENERATE | CKF_GENERATE_KEY_PAIR | CKF_SIGN_RECOVER |
                                        CKF_VERIFY_RECOVER;

CK_FLAGS mechanism_flags(const struct mechanism *mechanism, const struct key *key,
                         const struct public_key *public_key)
{
    if (mechanism->flags & CKF_DIGEST)
        return mechanism->flags;
    if (mechanism_is_symmetric(mechanism))
        return 0;
    if (public_key->algorithm == KEY_ALGORITHM_NONE
            ? !key
            : !mechanism_takes(mechanism, key_type(public_key->algorithm)))
        return 0;
    const struct scheme scheme = {.kind = mechanism->kind, .hash = mechanism->hash};
    CK_FLAGS flags = mechanism->flags & ~directory_flags;
    for (size_t i = 0; i < ARRAY_SIZE(private_uses); i++)
        if (flags & private_uses[i].flag && (!key || !key_can(key, private_uses[i].use, &scheme)))
            flags &= ~private_uses[i].flag;
    /* What says how, like CKF_EC_NAMEDCURVE, is nothing without an operation. */
    return flags & (private_flags | public_flags) ? flags : 0;
}

static bool is_hmac(const struct mechanism *mechanism)
{
    return mechanism->algorithm == KEY_ALGORITHM_SECRET && mechanism->hash != HASH_NONE;
}

enum hash mechanism_hash_of_key(CK_KEY_TYPE type)
{
    const struct mechanism *mechanism;
    for (size_t i = 0; (mechanism = mechanism_at(i)); i++)
        if (is_hmac(mechanism) && mechanism->other_key_type == type)
            return mechanism->hash;
    return HASH_NONE;
}

bool mechanism_keeps_value(const struct mechanism *mechanism)
{
    static const CK_MECHANISM_TYPE others[] = {
        CKM_AES_ECB,  CKM_AES_CBC,          CKM_AES_CBC_PAD, CKM_AES_CTR,
        CKM_AES_CMAC, CKM_AES_CMAC_GENERAL, CKM_AES_KEY_GEN, CKM_GENERIC_SECRET_KEY_GEN,
    };
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        if (others[i] == mechanism->type)
            return true;
    return is_hmac(mechanism);
}

enum hash mechanism_hash(CK_MECHANISM_TYPE type)
{
    const struct mechanism *mechanism = mechanism_find(type);
    return mechanism && mechanism->flags & CKF_DIGEST ? mechanism->hash : HASH_NONE;
}
