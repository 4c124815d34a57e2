#include "emulator/openssl_scope.h"

#include "emulator/error.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/provider.h>

bool openssl_private_new(struct openssl_private *ret)
{
    struct openssl_private openssl = { .context = OSSL_LIB_CTX_new() };

    if (openssl.context)
        openssl.provider = OSSL_PROVIDER_load(openssl.context, "default");
    if (!openssl.provider) {
        openssl_private_free(&openssl);
        error_set("OpenSSL gives no library context with its default provider");
        return false;
    }
    *ret = openssl;
    return true;
}

void openssl_private_free(struct openssl_private *openssl)
{
    if (openssl->provider)
        (void)OSSL_PROVIDER_unload(openssl->provider);
    OSSL_LIB_CTX_free(openssl->context);
    *openssl = (struct openssl_private){ NULL, NULL };
}

struct openssl_scope openssl_enter(const struct openssl_private *openssl)
{
    (void)ERR_set_mark();
    return (struct openssl_scope){ OSSL_LIB_CTX_set0_default(openssl->context) };
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
