#include "token/mechanism/software.h"

#include "token/crypto/digest.h"
#include "token/crypto/library.h"
#include "token/crypto/public.h"

CK_RV mechanism_digest(enum hash hash, struct view data, uint8_t out[HASH_MAX_SIZE])
{
    return crypto_hash(hash, data, out);
}

CK_RV mechanism_random(uint8_t *out, size_t size)
{
    return crypto_random(out, size);
}

CK_RV mechanism_random_seed(struct view seed)
{
    return crypto_random_seed(seed);
}

CK_RV mechanism_complete_public_key(struct public_key *key)
{
    return crypto_public_complete(key);
}

void mechanism_start(void)
{
    crypto_start();
}

bool mechanism_alive(void)
{
    return crypto_alive();
}
