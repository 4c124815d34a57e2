#include "emulator/openssl_scope.h"

#include "emulator/error.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/provider.h>
#include <stddef.h>

OSSL_LIB_CTX *openssl_private_context(void)
{
    OSSL_LIB_CTX *context = OSSL_LIB_CTX_new();

    /* The provider needs no handle: it goes with its context. */
    if (context && OSSL_PROVIDER_load(context, "default"))
        return context;
    OSSL_LIB_CTX_free(context);
    error_set("OpenSSL gives no library context with its default provider");
    return NULL;
}

struct openssl_scope openssl_enter(OSSL_LIB_CTX *private_context)
{
    (void)ERR_set_mark();
    return (struct openssl_scope){ OSSL_LIB_CTX_set0_default(private_context) };
}

void openssl_leave(struct openssl_scope *scope)
{
    (void)OSSL_LIB_CTX_set0_default(scope->outer);
    (void)ERR_pop_to_mark();
}

void openssl_read_host_configuration(void)
{
    (void)ERR_set_mark();
    (void)OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL);
    (void)ERR_pop_to_mark();
}
