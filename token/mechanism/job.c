#include "token/mechanism/job.h"

#include <stdlib.h>

#include "token/crypto/public.h"

static CK_RV prepare(struct job *job, const CK_MECHANISM *given, struct key *key,
                     const struct public_key *public_key)
{
    const struct mechanism *mechanism = job->mechanism;
    CK_RV rv = public_key ? public_key_copy(&job->public_key, public_key) : CKR_OK;
    if (rv != CKR_OK)
        return rv;
    if (key)
        job->key = key_ref(key);
    job->scheme = (struct scheme){.kind = mechanism->kind};
    rv = mechanism->family->parameters(mechanism, given, &job->scheme);
    if (rv == CKR_OK)
        rv = bytes_copy(&job->label, job->scheme.label);
    if (rv != CKR_OK)
        return rv;
    job->scheme.label = bytes_view(&job->label);
    if (mechanism->kind == SCHEME_RSA_PSS &&
        job->scheme.salt_size + hash_size(job->scheme.hash) + 2 > job->public_key.modulus.size)
        return CKR_MECHANISM_PARAM_INVALID;
    return mechanism->hash == HASH_NONE ? CKR_OK : crypto_digest_new(mechanism->hash, &job->digest);
}

CK_RV job_new(const struct mechanism *mechanism, CK_FLAGS operation, const CK_MECHANISM *given,
              struct key *key, const struct public_key *public_key, struct job **ret_job)
{
    struct job *job = calloc(1, sizeof(*job));
    if (!job)
        return CKR_HOST_MEMORY;
    job->mechanism = mechanism;
    job->operation = operation;
    CK_RV rv = prepare(job, given, key, public_key);
    if (rv != CKR_OK) {
        job_free(job);
        return rv;
    }
    *ret_job = job;
    return CKR_OK;
}

void job_free(struct job *job)
{
    if (!job)
        return;
    crypto_digest_free(job->digest);
    bytes_free(&job->input);
    bytes_free(&job->label);
    public_key_clear(&job->public_key);
    key_unref(job->key);
    free(job);
}

CK_RV job_update(struct job *job, struct view input)
{
    if (job->digest)
        return crypto_digest_update(job->digest, input);
    CK_RV rv = bytes_append(&job->input, input, job->mechanism->family->input_limit(job));
    if (rv == CKR_DATA_LEN_RANGE && job->operation == CKF_DECRYPT)
        return CKR_ENCRYPTED_DATA_LEN_RANGE;
    return rv;
}

size_t job_output_size(const struct job *job, bool *ret_exact)
{
    *ret_exact = job->operation != CKF_DECRYPT || job->scheme.kind == SCHEME_RSA_RAW;
    if (job->operation == CKF_DIGEST)
        return hash_size(job->mechanism->hash);
    return public_key_block_size(&job->public_key);
}

/* What the key gets: the input or its digest, encoded as the family does. */
static CK_RV encoded_input(struct job *job, struct bytes *ret_encoded)
{
    uint8_t digest[HASH_MAX_SIZE];
    struct view input = bytes_view(&job->input);
    if (job->digest) {
        CK_RV rv = crypto_digest_finish(job->digest, digest);
        if (rv != CKR_OK)
            return rv;
        input = view_of(digest, hash_size(job->mechanism->hash));
    }
    if (job->mechanism->family->encode)
        return job->mechanism->family->encode(job, input, ret_encoded);
    return bytes_copy(ret_encoded, input);
}

CK_RV job_finish(struct job *job, struct bytes *ret_output)
{
    struct bytes input CLEANUP(bytes_free) = {0};
    CK_RV rv = encoded_input(job, &input);
    if (rv != CKR_OK)
        return rv;
    switch (job->operation) {
    case CKF_SIGN:
        return key_sign(job->key, &job->scheme, bytes_view(&input), ret_output);
    case CKF_DECRYPT:
        if (input.size != job->public_key.modulus.size)
            return CKR_ENCRYPTED_DATA_LEN_RANGE;
        return key_decrypt(job->key, &job->scheme, bytes_view(&input), ret_output);
    case CKF_ENCRYPT:
        return crypto_encrypt(&job->public_key, &job->scheme, bytes_view(&input), ret_output);
    default:
        return bytes_copy(ret_output, bytes_view(&input));
    }
}

CK_RV job_verify(struct job *job, struct view signature)
{
    if (signature.size != public_key_block_size(&job->public_key))
        return CKR_SIGNATURE_LEN_RANGE;
    struct bytes input CLEANUP(bytes_free) = {0};
    CK_RV rv = encoded_input(job, &input);
    if (rv != CKR_OK)
        return rv;
    return crypto_verify(&job->public_key, &job->scheme, bytes_view(&input), signature);
}
