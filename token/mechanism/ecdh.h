/* Elliptic-curve Diffie-Hellman (PKCS#11 6.3.19). */
#ifndef SIGNET_MECHANISM_ECDH_H
#define SIGNET_MECHANISM_ECDH_H

#include "token/mechanism/mechanism.h"

/* Derives the shared secret of `key` and the point in the mechanism's parameter,
 * whose KDF has to be CKD_NULL. CKR_MECHANISM_PARAM_INVALID. */
CHECKED CK_RV ecdh_derive(const CK_MECHANISM *given, struct key *key, struct bytes *ret_secret);

/* Cuts a secret to `size` bytes, taking away its leading bytes as 6.3.19 says.
 * CKR_TEMPLATE_INCONSISTENT if it is shorter than that. */
CHECKED CK_RV ecdh_truncate(struct bytes *secret, size_t size);

#endif
