#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/provider.h>
#include <openssl/store.h>
#include <openssl/ui.h>

#include "token/crypto/key.h"
#include "token/crypto/library.h"

#define NAME_MAX_SIZE 64
#define MAX_STORE_OBJECTS 64

OPENSSL_DROP(OSSL_STORE_INFO, OSSL_STORE_INFO_free)
OPENSSL_DROP(UI_METHOD, UI_destroy_method)

struct provider_home {
    struct key_home home;
    OSSL_LIB_CTX *context;
    OSSL_PROVIDER *provider;
    OSSL_PROVIDER *standard;
    char properties[NAME_MAX_SIZE + 16];
};

static void provider_home_free(struct key_home *home)
{
    struct provider_home *self = (struct provider_home *)home;
    if (self->provider)
        OSSL_PROVIDER_unload(self->provider);
    if (self->standard)
        OSSL_PROVIDER_unload(self->standard);
    OSSL_LIB_CTX_free(self->context);
    free(self);
}

static void provider_home_cleanup(struct provider_home **self)
{
    if (*self)
        provider_home_free(&(*self)->home);
}

static void store_close(OSSL_STORE_CTX **store)
{
    (void)OSSL_STORE_close(*store);
}

/* The name becomes part of a property query. */
static bool name_is_plain(const char *name)
{
    size_t size = strlen(name);
    for (size_t i = 0; i < size; i++)
        if (!isalnum((unsigned char)name[i]) && !strchr("-_.", name[i]))
            return false;
    return size > 0 && size <= NAME_MAX_SIZE;
}

static CK_RV home_new(const char *provider, struct provider_home **ret_home, struct reason *reason)
{
    if (!name_is_plain(provider)) {
        reason_set(reason, "%s is no name of an OpenSSL provider", provider);
        return CKR_DEVICE_ERROR;
    }
    CLEANUP(provider_home_cleanup) struct provider_home *self = calloc(1, sizeof(*self));
    if (!self)
        return CKR_HOST_MEMORY;
    self->home.free = provider_home_free;
    snprintf(self->properties, sizeof(self->properties), "?provider=%s", provider);
    self->context = OSSL_LIB_CTX_new();
    if (!self->context)
        return CKR_HOST_MEMORY;
    self->standard = OSSL_PROVIDER_load(self->context, "default");
    self->provider = OSSL_PROVIDER_load(self->context, provider);
    if (!self->provider || !self->standard) {
        reason_set(reason, "the OpenSSL provider %s cannot be loaded: %s", provider,
                   crypto_error_text());
        return CKR_DEVICE_ERROR;
    }
    *ret_home = self;
    self = NULL;
    return CKR_OK;
}

static EVP_PKEY *load(const struct provider_home *home, const char *uri, struct key_pin *pin)
{
    CLEANUP(UI_METHOD_drop) UI_METHOD *method = UI_UTIL_wrap_read_pem_callback(crypto_key_pin, 0);
    if (!method)
        return NULL;
    CLEANUP(store_close)
    OSSL_STORE_CTX *store =
        OSSL_STORE_open_ex(uri, home->context, home->properties, method, pin, NULL, NULL, NULL);
    if (!store || OSSL_STORE_expect(store, OSSL_STORE_INFO_PKEY) != 1)
        return NULL;
    for (int i = 0; i < MAX_STORE_OBJECTS && !OSSL_STORE_eof(store); i++) {
        CLEANUP(OSSL_STORE_INFO_drop) OSSL_STORE_INFO *info = OSSL_STORE_load(store);
        if (info && OSSL_STORE_INFO_get_type(info) == OSSL_STORE_INFO_PKEY)
            return OSSL_STORE_INFO_get1_PKEY(info);
        if (!info && OSSL_STORE_error(store))
            return NULL;
    }
    return NULL;
}

CK_RV crypto_key_from_provider(const char *provider, const char *uri, struct view pin,
                               struct crypto_key **ret_key, struct reason *reason)
{
    KEEP_ERROR_QUEUE;
    struct key_pin source = {.pin = pin};
    CLEANUP(provider_home_cleanup) struct provider_home *home = NULL;
    /* Declared after its home, so that it goes first. */
    CLEANUP(EVP_PKEY_drop) EVP_PKEY *pkey = NULL;
    struct crypto_key *key = NULL;

    if (!crypto_context())
        return CKR_HOST_MEMORY;
    CK_RV rv = home_new(provider, &home, reason);
    if (rv != CKR_OK)
        return rv;
    pkey = load(home, uri, &source);
    if (!pkey) {
        reason_set(reason, "the OpenSSL provider %s cannot load the key: %s", provider,
                   source.asked ? "the PIN is missing or wrong" : crypto_error_text());
        return source.asked ? CKR_PIN_INCORRECT : CKR_DEVICE_ERROR;
    }
    rv = crypto_key_take(home->context, pkey, true, &key);
    if (rv == CKR_KEY_TYPE_INCONSISTENT) {
        reason_set(reason, "the key of the OpenSSL provider %s is neither RSA nor on a known curve",
                   provider);
        return CKR_DEVICE_ERROR;
    }
    if (rv != CKR_OK)
        return rv;
    key->properties = home->properties;
    key->home = &home->home;
    home = NULL;
    pkey = NULL;
    *ret_key = key;
    return CKR_OK;
}
