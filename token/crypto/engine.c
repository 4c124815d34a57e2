/* OpenSSL 3 deprecates engines altogether; this file is the only one for them. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include <openssl/opensslconf.h>

#include "token/crypto/key.h"

#ifdef OPENSSL_NO_ENGINE

CK_RV crypto_key_from_engine(const char *engine, UNUSED const char *id, UNUSED struct view pin,
                             UNUSED struct crypto_key **ret_key, struct reason *reason)
{
    reason_set(reason, "the engine %s cannot be used: this OpenSSL was built without engines",
               engine);
    return CKR_FUNCTION_NOT_SUPPORTED;
}

#else

#include <stdlib.h>

#include <openssl/engine.h>
#include <openssl/ui.h>

OPENSSL_DROP(UI_METHOD, UI_destroy_method)

struct engine_home {
    struct key_home home;
    ENGINE *engine;
};

static void engine_home_free(struct key_home *home)
{
    struct engine_home *self = (struct engine_home *)home;
    if (self->engine) {
        ENGINE_finish(self->engine);
        ENGINE_free(self->engine);
    }
    free(self);
}

static void engine_home_cleanup(struct engine_home **self)
{
    if (*self)
        engine_home_free(&(*self)->home);
}

static CK_RV home_new(const char *name, struct engine_home **ret_home, struct reason *reason)
{
    struct engine_home *self = calloc(1, sizeof(*self));
    if (!self)
        return CKR_HOST_MEMORY;
    self->home.free = engine_home_free;
    ENGINE *engine = ENGINE_by_id(name);
    if (!engine || ENGINE_init(engine) != 1) {
        reason_set(reason, "the OpenSSL engine %s cannot be loaded: %s", name, crypto_error_text());
        ENGINE_free(engine);
        free(self);
        return CKR_DEVICE_ERROR;
    }
    self->engine = engine;
    *ret_home = self;
    return CKR_OK;
}

static CK_RV take(struct engine_home **home, EVP_PKEY **pkey, struct crypto_key **ret_key)
{
    struct crypto_key *key = NULL;
    CK_RV rv = crypto_key_take(NULL, *pkey, true, &key);
    if (rv != CKR_OK)
        return rv;
    key->home = &(*home)->home;
    *home = NULL;
    *pkey = NULL;
    *ret_key = key;
    return CKR_OK;
}

/* Engines know nothing of library contexts: they live in the host's. */
CK_RV crypto_key_from_engine(const char *engine, const char *id, struct view pin,
                             struct crypto_key **ret_key, struct reason *reason)
{
    KEEP_ERROR_QUEUE;
    struct key_pin source = {.pin = pin};
    if (!crypto_context())
        return CKR_HOST_MEMORY;
    CLEANUP(engine_home_cleanup) struct engine_home *home = NULL;
    CLEANUP(EVP_PKEY_drop) EVP_PKEY *pkey = NULL;
    CLEANUP(UI_METHOD_drop) UI_METHOD *method = UI_UTIL_wrap_read_pem_callback(crypto_key_pin, 0);
    if (!method)
        return CKR_HOST_MEMORY;
    CK_RV rv = home_new(engine, &home, reason);
    if (rv != CKR_OK)
        return rv;
    pkey = ENGINE_load_private_key(home->engine, id, method, &source);
    if (!pkey) {
        reason_set(reason, "the OpenSSL engine %s cannot load the key: %s", engine,
                   source.asked ? "the PIN is missing or wrong" : crypto_error_text());
        return source.asked ? CKR_PIN_INCORRECT : CKR_DEVICE_ERROR;
    }
    rv = take(&home, &pkey, ret_key);
    if (rv != CKR_KEY_TYPE_INCONSISTENT)
        return rv;
    reason_set(reason, "the key of the OpenSSL engine %s is neither RSA nor on a known curve",
               engine);
    return CKR_DEVICE_ERROR;
}

#endif
