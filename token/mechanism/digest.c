#include "token/mechanism/family.h"

static const struct family digest = {.parameters = mechanism_no_parameters};

#define ROW(mechanism, algorithm)                                                                  \
    {                                                                                              \
        .type = mechanism, .flags = CKF_DIGEST, .hash = algorithm, .family = &digest               \
    }

static const struct mechanism rows[] = {
    ROW(CKM_SHA_1, HASH_SHA1),    ROW(CKM_SHA224, HASH_SHA224), ROW(CKM_SHA256, HASH_SHA256),
    ROW(CKM_SHA384, HASH_SHA384), ROW(CKM_SHA512, HASH_SHA512),
};

const struct mechanism_rows mechanism_rows_digest = {rows, ARRAY_SIZE(rows)};
