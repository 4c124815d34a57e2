#include "token/crypto/library.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <openssl/provider.h>

#include "token/crypto/openssl.h"

#define HASH_COUNT (HASH_SHA3_512 + 1)

struct library {
    OSSL_LIB_CTX *context;
    OSSL_PROVIDER *provider;
    _Atomic(EVP_MD *) digests[HASH_COUNT];
};

static const char *const hash_names[HASH_COUNT] = {
    [HASH_SHA1] = "SHA1",         [HASH_SHA224] = "SHA2-224",   [HASH_SHA256] = "SHA2-256",
    [HASH_SHA384] = "SHA2-384",   [HASH_SHA512] = "SHA2-512",   [HASH_SHA3_224] = "SHA3-224",
    [HASH_SHA3_256] = "SHA3-256", [HASH_SHA3_384] = "SHA3-384", [HASH_SHA3_512] = "SHA3-512",
};

/* Never freed: a thread that used the context and ends after it was freed would
 * crash inside OpenSSL 3.0; and a host that loads the module again finds it warm.
 * No lock guards it: a lock that another thread held would stay locked in a
 * forked child. Threads that make one at once keep the first. */
static _Atomic(struct library *) current;

static atomic_bool exiting;
static pthread_once_t started = PTHREAD_ONCE_INIT;

static void on_exit_begin(void)
{
    atomic_store(&exiting, true);
}

/* Handlers run newest first, so ours precedes OpenSSL's own clean-up. The host's
 * configuration is left alone: OPENSSL_INIT_NO_LOAD_CONFIG would take it from the
 * host for good, and loading it here, once, would be no place to come back to. */
static void start(void)
{
    if (OPENSSL_init_crypto(0, NULL) != 1 || atexit(on_exit_begin) != 0)
        atomic_store(&exiting, true);
}

void crypto_start(void)
{
#ifndef OPENSSL_NO_ENGINE
    KEEP_ERROR_QUEUE;
    if (crypto_alive())
        (void)OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL);
#endif
}

bool crypto_alive(void)
{
    return !atomic_load(&exiting);
}

static void library_free(struct library *library)
{
    if (!library)
        return;
    for (size_t i = 0; i < HASH_COUNT; i++)
        EVP_MD_free(atomic_load(&library->digests[i]));
    if (library->provider)
        OSSL_PROVIDER_unload(library->provider);
    OSSL_LIB_CTX_free(library->context);
    free(library);
}

static struct library *library_new(void)
{
    KEEP_ERROR_QUEUE;
    struct library *library = calloc(1, sizeof(*library));
    if (!library)
        return NULL;
    library->context = OSSL_LIB_CTX_new();
    if (library->context)
        library->provider = OSSL_PROVIDER_load(library->context, "default");
    if (!library->provider) {
        library_free(library);
        return NULL;
    }
    return library;
}

static struct library *library_get(void)
{
    struct library *library = atomic_load(&current);
    if (library)
        return crypto_alive() ? library : NULL;
    pthread_once(&started, start);
    if (!crypto_alive())
        return NULL;
    struct library *made = library_new();
    if (!made)
        return NULL;
    if (atomic_compare_exchange_strong(&current, &library, made))
        return made;
    library_free(made);
    return library;
}

OSSL_LIB_CTX *crypto_context(void)
{
    struct library *library = library_get();
    return library ? library->context : NULL;
}

const EVP_MD *crypto_md(enum hash hash)
{
    struct library *library = library_get();
    if (!library || (size_t)hash >= HASH_COUNT || !hash_names[hash])
        return NULL;
    EVP_MD *md = atomic_load(&library->digests[hash]);
    if (md)
        return md;
    KEEP_ERROR_QUEUE;
    EVP_MD *fetched = EVP_MD_fetch(library->context, hash_names[hash], NULL);
    if (!fetched || atomic_compare_exchange_strong(&library->digests[hash], &md, fetched))
        return fetched;
    EVP_MD_free(fetched);
    return md;
}

const char *crypto_error_text(void)
{
    const char *text = ERR_reason_error_string(ERR_peek_last_error());
    return text ? text : "no reason given";
}

/* Touches OpenSSL first of all, and so must see to the order of the handlers. */
int crypto_push_errors(void)
{
    pthread_once(&started, start);
    return crypto_alive() ? ERR_set_mark() : 0;
}

void crypto_pop_errors(UNUSED const int *mark)
{
    if (crypto_alive())
        ERR_pop_to_mark();
}
