#include "token/session/mechanisms.h"

#include "token/session/writable.h"

CK_FLAGS token_mechanism_flags(const struct token *token, const struct mechanism *mechanism)
{
    if (!mechanism)
        return 0;
    if (token->writable)
        return mechanism_flags_of_directory(mechanism,
                                            token->writable->sealing == KEY_SEALING_ALLOWED);
    return mechanism_flags(mechanism, token->material.key, &token->material.public_key);
}

CK_RV list_room(const void *list, CK_ULONG *count, CK_ULONG found)
{
    bool fits = !list || *count >= found;
    *count = found;
    return fits ? CKR_OK : CKR_BUFFER_TOO_SMALL;
}

CK_RV token_mechanism_list(const struct token *token, CK_MECHANISM_TYPE *list, CK_ULONG *count)
{
    const struct mechanism *mechanism;
    CK_ULONG found = 0;
    for (size_t i = 0; (mechanism = mechanism_at(i)); i++)
        found += token_mechanism_flags(token, mechanism) != 0;
    CK_RV rv = list_room(list, count, found);
    if (rv != CKR_OK || !list)
        return rv;
    for (size_t i = 0; (mechanism = mechanism_at(i)); i++)
        if (token_mechanism_flags(token, mechanism))
            *list++ = mechanism->type;
    return CKR_OK;
}

/* Of secret keys, what the chip was seen to have when it was asked for one. */
static bool chip_has_secret(const struct token *token, const struct mechanism *mechanism)
{
    bool aes = mechanism->algorithm == KEY_ALGORITHM_AES;
    enum hash hash = mechanism->hash == HASH_NONE && !aes ? HASH_SHA256 : mechanism->hash;
    return token->writable && token->writable->secrets_in_tpm && mechanism_keeps_value(mechanism) &&
           key_secret_known_in_tpm(token->writable->vault, hash);
}

static bool chip_has(const struct token *token, const struct mechanism *mechanism, CK_FLAGS flags)
{
    if (token_place(token) != KEY_IN_DEVICE)
        return false;
    return mechanism_is_symmetric(mechanism)
               ? chip_has_secret(token, mechanism)
               : flags & (CKF_SIGN | CKF_DECRYPT | CKF_DERIVE | CKF_GENERATE_KEY_PAIR);
}

CK_RV token_mechanism_info(const struct token *token, CK_MECHANISM_TYPE type,
                           CK_MECHANISM_INFO *info)
{
    const struct mechanism *mechanism = mechanism_find(type);
    CK_FLAGS flags = token_mechanism_flags(token, mechanism);
    if (!flags)
        return CKR_MECHANISM_INVALID;
    if (!info)
        return CKR_ARGUMENTS_BAD;
    *info = (CK_MECHANISM_INFO){
        .ulMinKeySize = mechanism->min_size,
        .ulMaxKeySize = mechanism->max_size,
        .flags = flags | (chip_has(token, mechanism, flags) ? CKF_HW : 0),
    };
    return CKR_OK;
}
