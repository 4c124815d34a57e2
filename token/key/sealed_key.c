#include "token/key/sealed_key.h"

#include <stdlib.h>

#include "token/base/log.h"
#include "token/crypto/pem.h"
#include "token/crypto/software_key.h"
#include "token/key/make.h"
#include "token/key/vault_inside.h"

#define PURPOSE "key"

struct sealed_key {
    struct key key;
    struct vault *vault;
    struct bytes unique;
    struct bytes cipher;
};

static struct sealed_key *sealed(struct key *key)
{
    return (struct sealed_key *)key;
}

static void drop(struct crypto_key **private_key)
{
    crypto_key_free(*private_key);
    *private_key = NULL;
}

/* Whoever can write the file can put another public key into it. */
static CK_RV check_public(const struct sealed_key *self, const struct crypto_key *private_key)
{
    struct public_key public_key CLEANUP(public_key_clear) = {0};
    CK_RV rv = crypto_key_public(private_key, &public_key);
    if (rv != CKR_OK || public_key_equal(&public_key, &self->key.public_key))
        return rv;
    log_line(LOG_LEVEL_ERROR, "key", "the sealed key is not that of the public key beside it");
    return CKR_DEVICE_ERROR;
}

static CK_RV unseal(struct key *key, struct crypto_key **ret_private_key)
{
    struct sealed_key *self = sealed(key);
    struct crypto_key *private_key CLEANUP(drop) = NULL;
    struct bytes plain CLEANUP(bytes_free) = {0};
    struct reason reason = {0};
    CK_RV rv = vault_decrypt_key(self->vault, PURPOSE, bytes_view(&self->unique),
                                 bytes_view(&self->cipher), &plain);
    if (rv != CKR_OK)
        return rv;
    rv = software_key_decode(SOFTWARE_KEY_PKCS8, bytes_view(&plain), &private_key, &reason);
    if (rv == CKR_DATA_INVALID) {
        log_line(LOG_LEVEL_ERROR, "key", "a sealed key cannot be used: %s", reason.text);
        rv = CKR_DEVICE_ERROR;
    }
    if (rv == CKR_OK)
        rv = check_public(self, private_key);
    if (rv != CKR_OK)
        return rv;
    *ret_private_key = private_key;
    private_key = NULL;
    return CKR_OK;
}

static CK_RV sign(struct key *key, const struct scheme *scheme, struct view input,
                  struct bytes *ret_signature)
{
    struct crypto_key *private_key CLEANUP(drop) = NULL;
    CK_RV rv = unseal(key, &private_key);
    return rv != CKR_OK ? rv : crypto_key_sign(private_key, scheme, input, ret_signature);
}

static CK_RV decrypt(struct key *key, const struct scheme *scheme, struct view cipher,
                     struct bytes *ret_plain)
{
    struct crypto_key *private_key CLEANUP(drop) = NULL;
    CK_RV rv = unseal(key, &private_key);
    return rv != CKR_OK ? rv : crypto_key_decrypt(private_key, scheme, cipher, ret_plain);
}

static CK_RV derive(struct key *key, struct view point, struct bytes *ret_secret)
{
    struct crypto_key *private_key CLEANUP(drop) = NULL;
    CK_RV rv = unseal(key, &private_key);
    return rv != CKR_OK ? rv : crypto_key_derive(private_key, point, ret_secret);
}

static CK_RV export_parts(struct key *key, struct private_parts *ret_parts)
{
    struct crypto_key *private_key CLEANUP(drop) = NULL;
    CK_RV rv = unseal(key, &private_key);
    return rv != CKR_OK ? rv : crypto_key_to_parts(private_key, ret_parts);
}

static CK_RV bind(struct key *key, struct vault *vault, struct view unique, struct key **ret_key)
{
    struct crypto_key *private_key CLEANUP(drop) = NULL;
    if (view_equal(bytes_view(&sealed(key)->unique), unique)) {
        *ret_key = key_ref(key);
        return CKR_OK;
    }
    CK_RV rv = unseal(key, &private_key);
    return rv != CKR_OK ? rv : sealed_key_make(vault, private_key, unique, ret_key);
}

/* The public half stands beside it, for listings and for other programs. */
static CK_RV write_file(struct key *key, struct bytes *ret_pem)
{
    struct bytes pem CLEANUP(bytes_free) = {0};
    CK_RV rv = key_write_public(&key->public_key, &pem);
    if (rv == CKR_OK)
        rv = pem_write(&pem, SEALED_KEY_LABEL, bytes_view(&sealed(key)->cipher));
    if (rv != CKR_OK)
        return rv;
    *ret_pem = pem;
    pem = (struct bytes){0};
    return CKR_OK;
}

static void free_sealed(struct key *key)
{
    struct sealed_key *self = sealed(key);
    vault_unref(self->vault);
    bytes_free(&self->unique);
    bytes_free(&self->cipher);
}

static const struct key_ops sealed_key_ops = {
    .sign = sign,
    .decrypt = decrypt,
    .derive = derive,
    .export_parts = export_parts,
    .bind = bind,
    .write = write_file,
    .free = free_sealed,
};

CK_RV sealed_key_new(struct vault *vault, const struct public_key *public_key, struct view cipher,
                     struct view unique, struct key **ret_key)
{
    struct sealed_key *self = calloc(1, sizeof(*self));
    if (!self)
        return CKR_HOST_MEMORY;
    self->key = (struct key){.ops = &sealed_key_ops, .references = 1, .in_token = true};
    self->vault = vault_ref(vault);
    CK_RV rv = public_key_copy(&self->key.public_key, public_key);
    if (rv == CKR_OK)
        rv = bytes_copy(&self->unique, unique);
    if (rv == CKR_OK)
        rv = bytes_copy(&self->cipher, cipher);
    if (rv != CKR_OK) {
        key_unref(&self->key);
        return rv;
    }
    *ret_key = &self->key;
    return CKR_OK;
}

CK_RV sealed_key_make(struct vault *vault, const struct crypto_key *private_key, struct view unique,
                      struct key **ret_key)
{
    struct bytes plain CLEANUP(bytes_free) = {0};
    struct bytes cipher CLEANUP(bytes_free) = {0};
    struct public_key public_key CLEANUP(public_key_clear) = {0};
    CK_RV rv = crypto_key_to_pkcs8(private_key, &plain);
    if (rv == CKR_OK)
        rv = vault_encrypt(vault, PURPOSE, unique, bytes_view(&plain), &cipher);
    if (rv == CKR_OK)
        rv = crypto_key_public(private_key, &public_key);
    return rv != CKR_OK ? rv
                        : sealed_key_new(vault, &public_key, bytes_view(&cipher), unique, ret_key);
}
