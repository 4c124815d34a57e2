#include "emulator/openssl_scope.h"

#include "emulator/error.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/provider.h>
#include <pthread.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static OSSL_LIB_CTX *private;

static void make_private(void)
{
    OSSL_LIB_CTX *made = OSSL_LIB_CTX_new();
    if (made && OSSL_PROVIDER_load(made, "default"))
    private = made;
    else OSSL_LIB_CTX_free(made);
}

OSSL_LIB_CTX *openssl_private(void)
{
    (void)pthread_once(&once, make_private);
    if (!private)
        error_set("OpenSSL gives no library context with its default provider");
    return private;
}

struct openssl_scope openssl_enter(OSSL_LIB_CTX *context)
{
    (void)ERR_set_mark();
    return (struct openssl_scope){OSSL_LIB_CTX_set0_default(context)};
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
