#include "token/key/key.h"

#include <stdlib.h>

#include "token/base/log.h"
#include "token/key/ops.h"

struct key *key_ref(struct key *key)
{
    key->references++;
    return key;
}

void key_unref(struct key *key)
{
    if (!key || --key->references > 0)
        return;
    if (key->ops->free)
        key->ops->free(key);
    public_key_clear(&key->public_key);
    for (size_t i = 0; i < key->certificate_count; i++)
        certificate_clear(&key->certificates[i]);
    free(key->certificates);
    free(key);
}

const struct public_key *key_public(const struct key *key)
{
    return &key->public_key;
}

const struct certificate *key_certificates(const struct key *key, size_t *ret_count)
{
    *ret_count = key->certificate_count;
    return key->certificates;
}

void key_take_certificates(struct key *key, struct certificate **certificates, size_t *count)
{
    if (key->certificates)
        return;
    key->certificates = *certificates;
    key->certificate_count = *count;
    *certificates = NULL;
    *count = 0;
}

bool key_needs_login(const struct key *key)
{
    return key->needs_login;
}

enum key_place key_place(const struct key *key)
{
    return key->ops->place ? key->ops->place(key) : KEY_IN_SOFTWARE;
}

bool key_in_tpm(const struct key *key)
{
    return key_place(key) != KEY_IN_SOFTWARE;
}

bool key_can_by_algorithm(const struct key *key, enum key_use use, const struct scheme *scheme)
{
    enum key_algorithm algorithm = key->public_key.algorithm;
    if (algorithm == KEY_ALGORITHM_NONE)
        return true;
    if (use == KEY_USE_DERIVE)
        return algorithm == KEY_ALGORITHM_EC;
    return (algorithm == KEY_ALGORITHM_EC) == (scheme->kind == SCHEME_ECDSA);
}

bool key_can(const struct key *key, enum key_use use, const struct scheme *scheme)
{
    return key_can_by_algorithm(key, use, scheme) &&
           (!key->ops->can || key->ops->can(key, use, scheme));
}

CK_RV key_login(struct key *key, struct view pin)
{
    key_logout(key);
    CK_RV rv = key->ops->login ? key->ops->login(key, pin) : CKR_OK;
    key->logged_in = rv == CKR_OK;
    if (rv == CKR_OK)
        key->refused = false;
    return rv;
}

void key_logout(struct key *key)
{
    key->logged_in = false;
    if (key->ops->logout)
        key->ops->logout(key);
}

/* Without its PIN a key is not asked: each wrong try would count in the TPM. */
static CK_RV check(const struct key *key, bool supported)
{
    if (!supported)
        return CKR_KEY_FUNCTION_NOT_PERMITTED;
    bool open = key->logged_in || !key->needs_login;
    return open && !key->refused ? CKR_OK : CKR_USER_NOT_LOGGED_IN;
}

/* What was refused once is not sent again: a client that tries for ever would lock
 * the whole TPM. */
static CK_RV done(struct key *key, CK_RV rv)
{
    if (rv != CKR_PIN_INCORRECT)
        return rv;
    key_logout(key);
    key->refused = true;
    log_line(LOG_LEVEL_ERROR, "key",
             "the key refuses its authorisation and is not asked again before a login: if it has "
             "a PIN, say 'pin = required'");
    return CKR_USER_NOT_LOGGED_IN;
}

CK_RV key_sign(struct key *key, const struct scheme *scheme, struct view input,
               struct bytes *ret_signature)
{
    CK_RV rv = check(key, key->ops->sign);
    return rv != CKR_OK ? rv : done(key, key->ops->sign(key, scheme, input, ret_signature));
}

CK_RV key_decrypt(struct key *key, const struct scheme *scheme, struct view cipher,
                  struct bytes *ret_plain)
{
    CK_RV rv = check(key, key->ops->decrypt);
    return rv != CKR_OK ? rv : done(key, key->ops->decrypt(key, scheme, cipher, ret_plain));
}

CK_RV key_derive(struct key *key, struct view point, struct bytes *ret_secret)
{
    CK_RV rv = check(key, key->ops->derive);
    return rv != CKR_OK ? rv : done(key, key->ops->derive(key, point, ret_secret));
}
