#include "token/key/openssl_key.h"

#include <stdlib.h>
#include <string.h>

#include "token/base/log.h"

struct openssl_key {
    struct key key;
    struct crypto_key *private_key; /* NULL until it is opened */
    struct bytes file;              /* an encrypted file's content */
    char *provider;
    char *uri;
    bool engine;
};

static struct openssl_key *openssl(struct key *key)
{
    return (struct openssl_key *)key;
}

/* Keeps the opened key if it is the one that the certificate promised. */
static CK_RV adopt(struct openssl_key *self, struct crypto_key *private_key)
{
    struct public_key public_key CLEANUP(public_key_clear) = {0};
    CK_RV rv = crypto_key_public(private_key, &public_key);
    if (rv == CKR_OK && self->key.public_key.algorithm == KEY_ALGORITHM_NONE)
        rv = public_key_copy(&self->key.public_key, &public_key);
    if (rv == CKR_OK && !public_key_equal(&self->key.public_key, &public_key)) {
        log_line(LOG_LEVEL_ERROR, "key", "the private key is not the certificate's");
        rv = CKR_DEVICE_ERROR;
    }
    if (rv == CKR_OK)
        self->private_key = private_key;
    return rv;
}

static CK_RV open_file(struct openssl_key *self, struct view pin)
{
    struct reason reason = {0};
    struct decoded decoded = {0};
    CK_RV rv = crypto_decode(bytes_view(&self->file),
                             view_of(pin.size ? pin.data : (const uint8_t *)"", pin.size), &decoded,
                             &reason);
    if (rv == CKR_OK && !decoded.private_key)
        rv = CKR_PIN_INCORRECT;
    if (rv == CKR_OK)
        rv = adopt(self, decoded.private_key);
    if (rv == CKR_OK) {
        decoded.private_key = NULL;
        key_take_certificates(&self->key, &decoded.certificates, &decoded.certificate_count);
    } else if (rv != CKR_PIN_INCORRECT) {
        log_line(LOG_LEVEL_ERROR, "key", "the private key cannot be opened: %s", reason.text);
    }
    decoded_clear(&decoded);
    return rv;
}

static CK_RV open_provider(struct openssl_key *self, struct view pin)
{
    struct reason reason = {0};
    struct crypto_key *private_key = NULL;
    CK_RV rv =
        self->engine
            ? crypto_key_from_engine(self->provider, self->uri, pin, &private_key, &reason)
            : crypto_key_from_provider(self->provider, self->uri, pin, &private_key, &reason);
    if (rv == CKR_OK)
        rv = adopt(self, private_key);
    else
        log_line(LOG_LEVEL_ERROR, "key", "%s '%s': %s", self->engine ? "engine" : "provider",
                 self->provider, reason.text);
    if (rv != CKR_OK)
        crypto_key_free(private_key);
    return rv;
}

static CK_RV login(struct key *key, struct view pin)
{
    struct openssl_key *self = openssl(key);
    if (self->provider)
        return open_provider(self, pin);
    return self->file.size ? open_file(self, pin) : CKR_OK;
}

static void logout(struct key *key)
{
    struct openssl_key *self = openssl(key);
    if (!self->provider && !self->file.size)
        return;
    crypto_key_free(self->private_key);
    self->private_key = NULL;
}

static void free_openssl(struct key *key)
{
    struct openssl_key *self = openssl(key);
    crypto_key_free(self->private_key);
    bytes_free(&self->file);
    free(self->provider);
    free(self->uri);
}

static CK_RV opened(struct openssl_key *self)
{
    if (self->private_key)
        return CKR_OK;
    if (self->key.needs_login || !self->provider)
        return CKR_USER_NOT_LOGGED_IN;
    return open_provider(self, (struct view){0});
}

static CK_RV sign(struct key *key, const struct scheme *scheme, struct view input,
                  struct bytes *ret_signature)
{
    CK_RV rv = opened(openssl(key));
    if (rv != CKR_OK)
        return rv;
    return crypto_key_sign(openssl(key)->private_key, scheme, input, ret_signature);
}

static CK_RV decrypt(struct key *key, const struct scheme *scheme, struct view cipher,
                     struct bytes *ret_plain)
{
    CK_RV rv = opened(openssl(key));
    if (rv != CKR_OK)
        return rv;
    return crypto_key_decrypt(openssl(key)->private_key, scheme, cipher, ret_plain);
}

static CK_RV derive(struct key *key, struct view point, struct bytes *ret_secret)
{
    CK_RV rv = opened(openssl(key));
    return rv != CKR_OK ? rv : crypto_key_derive(openssl(key)->private_key, point, ret_secret);
}

/* One in clear; an encrypted file's owner did not ask for that. */
static CK_RV export_parts(struct key *key, struct private_parts *ret_parts)
{
    struct openssl_key *self = openssl(key);
    if (self->provider || self->file.size)
        return CKR_KEY_UNEXTRACTABLE;
    return crypto_key_to_parts(self->private_key, ret_parts);
}

static const struct key_ops openssl_key_ops = {
    .login = login,
    .logout = logout,
    .sign = sign,
    .decrypt = decrypt,
    .derive = derive,
    .export_parts = export_parts,
    .free = free_openssl,
};

static CK_RV new_openssl(const struct public_key *public_key, struct openssl_key **ret_self)
{
    struct openssl_key *self = calloc(1, sizeof(*self));
    if (!self)
        return CKR_HOST_MEMORY;
    self->key = (struct key){.ops = &openssl_key_ops, .references = 1};
    if (public_key) {
        CK_RV rv = public_key_copy(&self->key.public_key, public_key);
        if (rv != CKR_OK) {
            key_unref(&self->key);
            return rv;
        }
    }
    *ret_self = self;
    return CKR_OK;
}

CK_RV software_key_new(struct crypto_key *private_key, struct key **ret_key)
{
    struct openssl_key *self = NULL;
    CK_RV rv = new_openssl(NULL, &self);
    if (rv == CKR_OK)
        rv = adopt(self, private_key);
    if (rv != CKR_OK) {
        crypto_key_free(private_key);
        if (self)
            key_unref(&self->key);
        return rv;
    }
    *ret_key = &self->key;
    return CKR_OK;
}

CK_RV software_key_encrypted(struct view file, const struct public_key *public_key,
                             struct key **ret_key)
{
    struct openssl_key *self = NULL;
    CK_RV rv = new_openssl(public_key, &self);
    if (rv != CKR_OK)
        return rv;
    rv = bytes_copy(&self->file, file);
    if (rv != CKR_OK) {
        key_unref(&self->key);
        return rv;
    }
    self->key.needs_login = true;
    *ret_key = &self->key;
    return CKR_OK;
}

CK_RV provider_key_new(const char *provider, bool engine, const char *uri,
                       const struct public_key *public_key, struct key **ret_key)
{
    struct openssl_key *self = NULL;
    CK_RV rv = new_openssl(public_key, &self);
    if (rv != CKR_OK)
        return rv;
    self->provider = strdup(provider);
    self->uri = strdup(uri);
    self->engine = engine;
    if (!self->provider || !self->uri) {
        key_unref(&self->key);
        return CKR_HOST_MEMORY;
    }
    *ret_key = &self->key;
    return CKR_OK;
}
