#include "token/key/secret_key.h"

#include <stdlib.h>

#include "token/crypto/digest.h"
#include "token/crypto/pem.h"
#include "token/key/make.h"
#include "token/key/vault_inside.h"

#define PURPOSE "secret"
#define MAX_GENERATED_SIZE 4096

/* vault NULL: content is the value, else what encrypts it. */
struct secret_key {
    struct key key;
    struct vault *vault;
    struct bytes unique;
    struct bytes content;
};

static struct secret_key *secret(struct key *key)
{
    return (struct secret_key *)key;
}

static CK_RV secret_value(struct key *key, struct bytes *ret_value)
{
    struct secret_key *self = secret(key);
    struct bytes value = {0};
    CK_RV rv = self->vault ? vault_decrypt_key(self->vault, PURPOSE, bytes_view(&self->unique),
                                               bytes_view(&self->content), &value)
                           : bytes_copy(&value, bytes_view(&self->content));
    if (rv == CKR_OK)
        *ret_value = value;
    return rv;
}

static CK_RV bind(struct key *key, struct vault *vault, struct view unique, struct key **ret_key)
{
    struct bytes value CLEANUP(bytes_free) = {0};
    if (!secret(key)->vault || view_equal(bytes_view(&secret(key)->unique), unique)) {
        *ret_key = key_ref(key);
        return CKR_OK;
    }
    CK_RV rv = secret_value(key, &value);
    return rv != CKR_OK ? rv : key_secret_in_vault(vault, bytes_view(&value), unique, ret_key);
}

static CK_RV write_file(struct key *key, struct bytes *ret_pem)
{
    struct bytes pem CLEANUP(bytes_free) = {0};
    if (!secret(key)->vault)
        return CKR_KEY_FUNCTION_NOT_PERMITTED;
    CK_RV rv = pem_write(&pem, SECRET_KEY_LABEL, bytes_view(&secret(key)->content));
    if (rv != CKR_OK)
        return rv;
    *ret_pem = pem;
    pem = (struct bytes){0};
    return CKR_OK;
}

static void free_secret(struct key *key)
{
    struct secret_key *self = secret(key);
    vault_unref(self->vault);
    bytes_free(&self->unique);
    bytes_free(&self->content);
}

static const struct key_ops secret_key_ops = {
    .write = write_file,
    .bind = bind,
    .secret_value = secret_value,
    .free = free_secret,
};

static CK_RV new_secret(struct vault *vault, struct view content, struct view unique,
                        struct key **ret_key)
{
    struct secret_key *self = calloc(1, sizeof(*self));
    if (!self)
        return CKR_HOST_MEMORY;
    self->key = (struct key){.ops = &secret_key_ops, .references = 1, .in_token = vault};
    self->key.public_key.algorithm = KEY_ALGORITHM_SECRET;
    self->vault = vault ? vault_ref(vault) : NULL;
    CK_RV rv = bytes_copy(&self->content, content);
    if (rv == CKR_OK)
        rv = bytes_copy(&self->unique, unique);
    if (rv != CKR_OK) {
        key_unref(&self->key);
        return rv;
    }
    *ret_key = &self->key;
    return CKR_OK;
}

CK_RV key_secret_new(struct view value, struct key **ret_key)
{
    return new_secret(NULL, value, (struct view){0}, ret_key);
}

CK_RV key_secret_in_vault(struct vault *vault, struct view value, struct view unique,
                          struct key **ret_key)
{
    struct bytes cipher CLEANUP(bytes_free) = {0};
    if (!vault)
        return key_secret_new(value, ret_key);
    CK_RV rv = vault_encrypt(vault, PURPOSE, unique, value, &cipher);
    return rv != CKR_OK ? rv : new_secret(vault, bytes_view(&cipher), unique, ret_key);
}

CK_RV secret_key_read(struct vault *vault, struct view cipher, struct view unique,
                      struct key **ret_key)
{
    return new_secret(vault, cipher, unique, ret_key);
}

CK_RV secret_key_generate(struct vault *vault, const struct key_spec *spec, struct view unique,
                          struct key **ret_key)
{
    unsigned bits = spec->bits;
    bool aes = spec->algorithm == KEY_ALGORITHM_AES;
    if (aes ? bits != 128 && bits != 192 && bits != 256
            : !bits || bits % 8 || bits > 8 * MAX_GENERATED_SIZE)
        return CKR_KEY_SIZE_RANGE;
    struct bytes value CLEANUP(bytes_free) = {0};
    CK_RV rv = bytes_alloc(&value, bits / 8);
    if (rv == CKR_OK)
        rv = crypto_random(value.data, value.size);
    return rv != CKR_OK ? rv : key_secret_in_vault(vault, bytes_view(&value), unique, ret_key);
}
