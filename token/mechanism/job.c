#include "token/mechanism/job.h"

#include <stdlib.h>

#include "token/mechanism/running.h"

CK_RV job_give(struct bytes *out, struct bytes *result)
{
    CK_RV rv = CKR_OK;
    if (!out->size) {
        bytes_free(out);
        *out = *result;
        *result = (struct bytes){0};
    } else {
        rv = bytes_append(out, bytes_view(result), SIZE_MAX);
        bytes_free(result);
    }
    return rv;
}

static CK_RV prepare(struct job *job, const CK_MECHANISM *given, struct key *key,
                     const struct public_key *public_key)
{
    const struct family *family = job->mechanism->family;
    if (!family || !family->begin)
        return CKR_MECHANISM_INVALID;
    CK_RV rv = public_key ? public_key_copy(&job->public_key, public_key) : CKR_OK;
    if (rv != CKR_OK)
        return rv;
    if (key)
        job->key = key_ref(key);
    return family->begin(job, given);
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
    code_free(job->code);
    aes_free(job->aes);
    collected_free(&job->input);
    bytes_free(&job->label);
    public_key_clear(&job->public_key);
    key_unref(job->key);
    free(job);
}

CK_RV job_update(struct job *job, struct view input, struct bytes *out)
{
    return job->mechanism->family->update(job, input, out);
}

size_t job_output_size(const struct job *job, size_t input_size, bool last, bool *ret_exact)
{
    *ret_exact = true;
    return job->mechanism->family->output_size(job, input_size, last, ret_exact);
}

CK_RV job_finish(struct job *job, struct bytes *out)
{
    return job->mechanism->family->finish(job, out);
}

CK_RV job_verify(struct job *job, struct view signature)
{
    const struct family *family = job->mechanism->family;
    return family->verify ? family->verify(job, signature) : CKR_MECHANISM_INVALID;
}

CK_RV job_restart(struct job *job)
{
    const struct family *family = job->mechanism->family;
    return family->restart ? family->restart(job) : CKR_OPERATION_ACTIVE;
}

CK_RV job_copy(const struct job *job, struct job **ret_copy)
{
    if (job->operation != CKF_DIGEST)
        return CKR_STATE_UNSAVEABLE;
    struct job *copy = calloc(1, sizeof(*copy));
    if (!copy)
        return CKR_HOST_MEMORY;
    copy->mechanism = job->mechanism;
    copy->operation = job->operation;
    CK_RV rv = crypto_digest_copy(job->digest, &copy->digest);
    if (rv != CKR_OK) {
        job_free(copy);
        return rv;
    }
    *ret_copy = copy;
    return CKR_OK;
}
