#include "token/key/key.h"

#include <stdlib.h>

#include "token/base/log.h"
#include "token/key/make.h"
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

static bool rsa_can(enum key_use use, enum scheme_kind kind)
{
    if (kind == SCHEME_RSA_PKCS1 || kind == SCHEME_RSA_RAW)
        return true;
    return kind == (use == KEY_USE_SIGN ? SCHEME_RSA_PSS : SCHEME_RSA_OAEP);
}

bool key_can_by_algorithm(const struct key *key, enum key_use use, const struct scheme *scheme)
{
    switch (key->public_key.algorithm) {
    case KEY_ALGORITHM_NONE:
        return true;
    case KEY_ALGORITHM_RSA:
        return use != KEY_USE_DERIVE && rsa_can(use, scheme->kind);
    case KEY_ALGORITHM_EC:
        return use == KEY_USE_DERIVE || (use == KEY_USE_SIGN && scheme->kind == SCHEME_ECDSA);
    case KEY_ALGORITHM_EDWARDS:
        return use == KEY_USE_SIGN && scheme->kind == SCHEME_EDDSA;
    case KEY_ALGORITHM_MONTGOMERY:
        return use == KEY_USE_DERIVE;
    case KEY_ALGORITHM_SECRET:
        return use == KEY_USE_MAC;
    default:
        return false;
    }
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
    if (open && !key->refused)
        return CKR_OK;
    return key->in_token ? CKR_DEVICE_ERROR : CKR_USER_NOT_LOGGED_IN;
}

/* What was refused once is not sent again: a client that tries for ever would lock
 * the whole TPM. */
static CK_RV done(struct key *key, CK_RV rv)
{
    if (rv != CKR_PIN_INCORRECT)
        return rv;
    key_logout(key);
    key->refused = true;
    if (key->in_token) {
        log_line(LOG_LEVEL_ERROR, "key",
                 "the key refuses the authorisation that its token has for it and is not asked "
                 "again: its file or its unique id was changed, or it was not made for this token");
        return CKR_DEVICE_ERROR;
    }
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

CK_RV key_write(struct key *key, struct bytes *ret_pem)
{
    return key->ops->write ? key->ops->write(key, ret_pem) : CKR_KEY_FUNCTION_NOT_PERMITTED;
}

CK_RV key_export_parts(struct key *key, struct private_parts *ret_parts)
{
    return key->ops->export_parts ? key->ops->export_parts(key, ret_parts) : CKR_KEY_UNEXTRACTABLE;
}

bool key_keeps_value(const struct key *key)
{
    return key->ops->mac || key->ops->cipher;
}

CK_RV key_mac(struct key *key, enum hash hash, struct view data, struct bytes *ret_code)
{
    CK_RV rv = check(key, key->ops->mac);
    return rv != CKR_OK ? rv : done(key, key->ops->mac(key, hash, data, ret_code));
}

CK_RV key_cipher(struct key *key, enum block_mode mode, bool encrypt,
                 uint8_t chain[BLOCK_MODE_SIZE], struct view in, uint8_t *out)
{
    CK_RV rv = check(key, key->ops->cipher);
    return rv != CKR_OK ? rv : done(key, key->ops->cipher(key, mode, encrypt, chain, in, out));
}

CK_RV key_secret_value(struct key *key, struct bytes *ret_value)
{
    if (key->ops->secret_value)
        return key->ops->secret_value(key, ret_value);
    if (key_keeps_value(key))
        log_line(LOG_LEVEL_ERROR, "key",
                 "the TPM does HMAC, and AES in ECB, CBC and CTR; what else needs the key's value, "
                 "which stays in it: 'secret keys = software' makes keys for that");
    return CKR_KEY_FUNCTION_NOT_PERMITTED;
}

CK_RV key_bind(struct vault *vault, struct key *key, struct view unique, struct key **ret_key)
{
    if (key->ops->bind)
        return key->ops->bind(key, vault, unique, ret_key);
    *ret_key = key_ref(key);
    return CKR_OK;
}
