/* Digests, random numbers and public keys for the rooms above, which do not see
 * the crypto room. */
#ifndef SIGNET_MECHANISM_SOFTWARE_H
#define SIGNET_MECHANISM_SOFTWARE_H

#include "token/base/hash.h"
#include "token/base/public_key.h"

CHECKED CK_RV mechanism_digest(enum hash hash, struct view data, uint8_t out[HASH_MAX_SIZE]);
CHECKED CK_RV mechanism_random(uint8_t *out, size_t size);
CHECKED CK_RV mechanism_random_seed(struct view seed);

/* Checks a public key made from a template and adds what follows from it. */
CHECKED CK_RV mechanism_complete_public_key(struct public_key *key);

/* Starts the libraries below. No lock may be held: OpenSSL may load the host's
 * configuration, which may name this very module. */
void mechanism_start(void);

/* False once the process is ending and the libraries below are gone. */
bool mechanism_alive(void);

#endif
