/* OpenSSL on a private library context with the default provider only. The host's
 * openssl.cnf configures the host's context alone; but engines are process-wide, and
 * one that the host makes the default serves private contexts too. */
#ifndef SIGNET_CRYPTO_LIBRARY_H
#define SIGNET_CRYPTO_LIBRARY_H

#include <stdbool.h>

/* False once OpenSSL has begun its clean-up at process exit: from then on
 * nothing of this room may be called but this, and nothing need be freed. */
bool crypto_alive(void);

/* Lets OpenSSL load the host's configuration into the host's own context now, if
 * that was not done yet. An OpenSSL with engines does it at the first digest or
 * key, whatever the context. The configuration may name this module: to be
 * called where it may be entered again, that is, without a lock. */
void crypto_start(void);

#endif
