#include "token/base/hash.h"

static const size_t sizes[] = {
    [HASH_NONE] = 0,      [HASH_SHA1] = 20,     [HASH_SHA224] = 28,   [HASH_SHA256] = 32,
    [HASH_SHA384] = 48,   [HASH_SHA512] = 64,   [HASH_SHA3_224] = 28, [HASH_SHA3_256] = 32,
    [HASH_SHA3_384] = 48, [HASH_SHA3_512] = 64,
};

size_t hash_size(enum hash hash)
{
    return (size_t)hash < sizeof(sizes) / sizeof(sizes[0]) ? sizes[hash] : 0;
}

enum hash hash_of_size(size_t size)
{
    for (enum hash hash = HASH_SHA1; hash <= HASH_SHA512; hash++)
        if (sizes[hash] == size)
            return hash;
    return HASH_NONE;
}
