/* Digests and random numbers, in software. */
#ifndef SIGNET_CRYPTO_DIGEST_H
#define SIGNET_CRYPTO_DIGEST_H

#include "token/base/bytes.h"
#include "token/base/hash.h"

struct crypto_digest;

/* A running digest; the caller frees it. CKR_MECHANISM_INVALID for a hash that
 * OpenSSL lacks. */
CHECKED CK_RV crypto_digest_new(enum hash hash, struct crypto_digest **ret_digest);
CHECKED CK_RV crypto_digest_update(struct crypto_digest *digest, struct view data);

/* Writes hash_size() bytes to `out` and ends the digest (it can only be freed). */
CHECKED CK_RV crypto_digest_finish(struct crypto_digest *digest, uint8_t out[HASH_MAX_SIZE]);
void crypto_digest_free(struct crypto_digest *digest);

/* A second digest in the state of the first, to go on with on its own.
 * CKR_FUNCTION_FAILED for one that ended. */
CHECKED CK_RV crypto_digest_copy(const struct crypto_digest *digest,
                                 struct crypto_digest **ret_copy);

/* One call: hash_size(hash) bytes to `out`. */
CHECKED CK_RV crypto_hash(enum hash hash, struct view data, uint8_t out[HASH_MAX_SIZE]);

/* Random bytes of OpenSSL's generator; seeding only adds. */
CHECKED CK_RV crypto_random(uint8_t *out, size_t size);
CHECKED CK_RV crypto_random_seed(struct view seed);

#endif
