/* Hash algorithms and their sizes, named once for every room. */
#ifndef SIGNET_BASE_HASH_H
#define SIGNET_BASE_HASH_H

#include <stddef.h>

enum hash {
    HASH_NONE,
    HASH_SHA1,
    HASH_SHA224,
    HASH_SHA256,
    HASH_SHA384,
    HASH_SHA512,
    HASH_SHA3_224,
    HASH_SHA3_256,
    HASH_SHA3_384,
    HASH_SHA3_512,
};

#define HASH_MAX_SIZE 64

/* Bytes in a digest; 0 for HASH_NONE. */
size_t hash_size(enum hash hash);

/* The hash of the SHA-1 and SHA-2 families with digests of this many bytes, or
 * HASH_NONE. */
enum hash hash_of_size(size_t size);

#endif
