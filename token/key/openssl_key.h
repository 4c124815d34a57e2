/* The kinds of key that OpenSSL holds: from a file, or behind a provider or an
 * engine. Inside the room only. */
#ifndef SIGNET_KEY_OPENSSL_KEY_H
#define SIGNET_KEY_OPENSSL_KEY_H

#include "token/crypto/decode.h"
#include "token/key/ops.h"

/* A key in clear; takes `private_key` over, also on failure. */
CHECKED CK_RV software_key_new(struct crypto_key *private_key, struct key **ret_key);

/* A key in an encrypted file: the PIN opens it at login. public_key may be NULL
 * or of algorithm NONE; it is then known after the first login. */
CHECKED CK_RV software_key_encrypted(struct view file, const struct public_key *public_key,
                                     struct key **ret_key);

/* A key that an OpenSSL provider (or engine) knows as `uri`; it is opened at the
 * first use, or at login when it needs one. */
CHECKED CK_RV provider_key_new(const char *provider, bool engine, const char *uri,
                               const struct public_key *public_key, struct key **ret_key);

#endif
