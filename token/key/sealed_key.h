/* The kind of key that a TPM lacks: PKCS #8 encrypted under the vault's secret, in the
 * clear while it is used only. Inside the room only. */
#ifndef SIGNET_KEY_SEALED_KEY_H
#define SIGNET_KEY_SEALED_KEY_H

#include "token/crypto/private.h"
#include "token/key/ops.h"

#define SEALED_KEY_LABEL "SIGNET SEALED KEY"

struct vault;

/* Encrypts the key for the object `unique`. */
CHECKED CK_RV sealed_key_make(struct vault *vault, const struct crypto_key *private_key,
                              struct view unique, struct key **ret_key);

/* One that was encrypted before; that it belongs to public_key shows at its use. */
CHECKED CK_RV sealed_key_new(struct vault *vault, const struct public_key *public_key,
                             struct view cipher, struct view unique, struct key **ret_key);

#endif
