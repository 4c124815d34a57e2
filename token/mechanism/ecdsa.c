#include "token/mechanism/family.h"
#include "token/mechanism/job.h"

/* CKM_ECDSA takes a digest of any hash; there is none longer. */
static size_t input_limit(const struct job *job UNUSED)
{
    return HASH_MAX_SIZE;
}

static const struct family ecdsa = {
    .parameters = mechanism_no_parameters,
    .input_limit = input_limit,
};

#define ROW(mechanism, algorithm_of_hash)                                                          \
    {                                                                                              \
        .type = mechanism,                                                                         \
        .flags = CKF_SIGN | CKF_VERIFY | CKF_EC_F_P | CKF_EC_NAMEDCURVE | CKF_EC_UNCOMPRESS,       \
        .algorithm = KEY_ALGORITHM_EC, .min_size = 192, .max_size = 521, .kind = SCHEME_ECDSA,     \
        .hash = algorithm_of_hash, .family = &ecdsa                                                \
    }

static const struct mechanism rows[] = {
    ROW(CKM_ECDSA, HASH_NONE),          ROW(CKM_ECDSA_SHA1, HASH_SHA1),
    ROW(CKM_ECDSA_SHA224, HASH_SHA224), ROW(CKM_ECDSA_SHA256, HASH_SHA256),
    ROW(CKM_ECDSA_SHA384, HASH_SHA384), ROW(CKM_ECDSA_SHA512, HASH_SHA512),
};

const struct mechanism_rows mechanism_rows_ecdsa = {rows, ARRAY_SIZE(rows)};
