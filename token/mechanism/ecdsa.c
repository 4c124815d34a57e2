#include "token/mechanism/running.h"

/* CKM_ECDSA takes a digest of any hash; there is none longer. */
static size_t input_limit(const struct job *job UNUSED)
{
    return HASH_MAX_SIZE;
}

static const struct family ecdsa = {
    ASYMMETRIC_OPERATIONS,
    .parameters = mechanism_no_parameters,
    .input_limit = input_limit,
};

#define ROW(mechanism, algorithm_of_hash)                                                          \
    {                                                                                              \
        .type = mechanism, .flags = MECHANISM_SIGNS | MECHANISM_CURVES,                            \
        .algorithm = KEY_ALGORITHM_EC, .min_size = MECHANISM_MIN_CURVE_BITS,                       \
        .max_size = MECHANISM_MAX_CURVE_BITS, .kind = SCHEME_ECDSA, .hash = algorithm_of_hash,     \
        .family = &ecdsa                                                                           \
    }

static const struct mechanism rows[] = {
    ROW(CKM_ECDSA, HASH_NONE),
    ROW(CKM_ECDSA_SHA1, HASH_SHA1),
    ROW(CKM_ECDSA_SHA224, HASH_SHA224),
    ROW(CKM_ECDSA_SHA256, HASH_SHA256),
    ROW(CKM_ECDSA_SHA384, HASH_SHA384),
    ROW(CKM_ECDSA_SHA512, HASH_SHA512),
    ROW(CKM_ECDSA_SHA3_224, HASH_SHA3_224),
    ROW(CKM_ECDSA_SHA3_256, HASH_SHA3_256),
    ROW(CKM_ECDSA_SHA3_384, HASH_SHA3_384),
    ROW(CKM_ECDSA_SHA3_512, HASH_SHA3_512),
};

const struct mechanism_rows mechanism_rows_ecdsa = {rows, ARRAY_SIZE(rows)};
