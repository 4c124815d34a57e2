#ifndef EMULATOR_OPENSSL_SCOPE_H
#define EMULATOR_OPENSSL_SCOPE_H

#include <openssl/types.h>
#include <stdbool.h>

/* libtpms uses OpenSSL's default library context. If that one can lead back to
 * a TPM provider, a TPM command would start another inside itself. So every call
 * into libtpms runs with a private context as the thread's default. */

/* A library context with nothing but OpenSSL's default provider, and without the
 * host's openssl.cnf. */
struct openssl_private {
    OSSL_LIB_CTX *context;
    OSSL_PROVIDER *provider;
};

/* False on failure, with an error text. */
bool openssl_private_new(struct openssl_private *ret);
void openssl_private_free(struct openssl_private *openssl);

struct openssl_scope {
    OSSL_LIB_CTX *outer;
};

/* Makes the private context the thread's default until openssl_leave, which also
 * forgets the errors queued in between. */
struct openssl_scope openssl_enter(const struct openssl_private *openssl);
void openssl_leave(struct openssl_scope *scope);

#define OPENSSL_SCOPE __attribute__((cleanup(openssl_leave)))

/* Has the host's configuration read now, outside all locks: it may load a
 * provider that opens a TPM through this library. */
void openssl_read_host_configuration(void);

#endif
