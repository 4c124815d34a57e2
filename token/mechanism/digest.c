#include "token/mechanism/running.h"

static CK_RV begin(struct job *job, const CK_MECHANISM *given)
{
    if (given->ulParameterLen)
        return CKR_MECHANISM_PARAM_INVALID;
    return crypto_digest_new(job->mechanism->hash, &job->digest);
}

static CK_RV restart(struct job *job)
{
    crypto_digest_free(job->digest);
    job->digest = NULL;
    return crypto_digest_new(job->mechanism->hash, &job->digest);
}

static CK_RV update(struct job *job, struct view input, struct bytes *out UNUSED)
{
    return crypto_digest_update(job->digest, input);
}

static CK_RV finish(struct job *job, struct bytes *out)
{
    uint8_t digest[HASH_MAX_SIZE];
    CK_RV rv = crypto_digest_finish(job->digest, digest);
    if (rv != CKR_OK)
        return rv;
    return bytes_append(out, view_of(digest, hash_size(job->mechanism->hash)), SIZE_MAX);
}

static size_t output_size(const struct job *job, size_t input_size UNUSED, bool last,
                          bool *ret_exact UNUSED)
{
    return last ? hash_size(job->mechanism->hash) : 0;
}

static const struct family digest = {
    .begin = begin,
    .restart = restart,
    .update = update,
    .finish = finish,
    .output_size = output_size,
};

#define ROW(mechanism, algorithm)                                                                  \
    {                                                                                              \
        .type = mechanism, .flags = CKF_DIGEST, .hash = algorithm, .family = &digest               \
    }

static const struct mechanism rows[] = {
    ROW(CKM_SHA_1, HASH_SHA1),        ROW(CKM_SHA224, HASH_SHA224),
    ROW(CKM_SHA256, HASH_SHA256),     ROW(CKM_SHA384, HASH_SHA384),
    ROW(CKM_SHA512, HASH_SHA512),     ROW(CKM_SHA3_224, HASH_SHA3_224),
    ROW(CKM_SHA3_256, HASH_SHA3_256), ROW(CKM_SHA3_384, HASH_SHA3_384),
    ROW(CKM_SHA3_512, HASH_SHA3_512),
};

const struct mechanism_rows mechanism_rows_digest = {rows, ARRAY_SIZE(rows)};
