#include <string.h>

#include "token/crypto/public.h"
#include "token/mechanism/running.h"

/* What signs, encrypts and the like with a key pair: input is hashed or collected,
 * and the key is asked once, at the end. */

static CK_RV begin_hash(struct job *job)
{
    enum hash hash = job->mechanism->hash;
    return hash == HASH_NONE ? CKR_OK : crypto_digest_new(hash, &job->digest);
}

CK_RV asymmetric_begin(struct job *job, const CK_MECHANISM *given)
{
    const struct mechanism *mechanism = job->mechanism;
    job->scheme = (struct scheme){.kind = mechanism->kind};
    CK_RV rv = mechanism->family->parameters(mechanism, given, &job->scheme);
    if (rv == CKR_OK)
        rv = bytes_copy(&job->label, job->scheme.label);
    if (rv != CKR_OK)
        return rv;
    job->scheme.label = bytes_view(&job->label);
    if (mechanism->kind == SCHEME_RSA_PSS &&
        job->scheme.salt_size + hash_size(job->scheme.hash) + 2 > job->public_key.modulus.size)
        return CKR_MECHANISM_PARAM_INVALID;
    return begin_hash(job);
}

CK_RV asymmetric_restart(struct job *job)
{
    collected_free(&job->input);
    crypto_digest_free(job->digest);
    job->digest = NULL;
    return begin_hash(job);
}

static CK_RV too_long(const struct job *job)
{
    switch (job->operation) {
    case CKF_DECRYPT:
        return CKR_ENCRYPTED_DATA_LEN_RANGE;
    case CKF_VERIFY_RECOVER:
        return CKR_SIGNATURE_LEN_RANGE;
    default:
        return CKR_DATA_LEN_RANGE;
    }
}

CK_RV asymmetric_update(struct job *job, struct view input, struct bytes *out UNUSED)
{
    if (job->digest)
        return crypto_digest_update(job->digest, input);
    CK_RV rv = collect(&job->input, input, job->mechanism->family->input_limit(job));
    return rv == CKR_DATA_LEN_RANGE ? too_long(job) : rv;
}

/* What the key gets: the input or its digest, encoded as the family does. */
static CK_RV encoded_input(struct job *job, struct bytes *ret_encoded)
{
    uint8_t digest[HASH_MAX_SIZE];
    struct view input = collected_view(&job->input);
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

static CK_RV decrypt(struct job *job, struct view input, struct bytes *ret_plain)
{
    if (input.size != job->public_key.modulus.size)
        return CKR_ENCRYPTED_DATA_LEN_RANGE;
    return key_decrypt(job->key, &job->scheme, input, ret_plain);
}

/* EMSA-PKCS1-v1_5, block type 1 (RFC 8017, 9.2): 00 01 FF…FF 00 and the data. */
static bool unpad(struct view block, struct view *ret_data)
{
    size_t end = 2;
    if (block.size < 11 || block.data[0] != 0 || block.data[1] != 1)
        return false;
    while (end < block.size && block.data[end] == 0xff)
        end++;
    if (end < 10 || end == block.size || block.data[end] != 0)
        return false;
    *ret_data = (struct view){.data = block.data + end + 1, .size = block.size - end - 1};
    return true;
}

/* The public operation is the same as encryption without padding. */
static CK_RV recover(struct job *job, struct view signature, struct bytes *ret_data)
{
    static const struct scheme raw = {.kind = SCHEME_RSA_RAW};
    if (signature.size != job->public_key.modulus.size)
        return CKR_SIGNATURE_LEN_RANGE;
    struct bytes block CLEANUP(bytes_free) = {0};
    CK_RV rv = crypto_encrypt(&job->public_key, &raw, signature, &block);
    if (rv == CKR_DATA_INVALID)
        return CKR_SIGNATURE_INVALID; /* above the modulus */
    struct view data = bytes_view(&block);
    if (rv == CKR_OK && job->scheme.kind == SCHEME_RSA_PKCS1 && !unpad(data, &data))
        return CKR_SIGNATURE_INVALID;
    return rv != CKR_OK ? rv : bytes_copy(ret_data, data);
}

CK_RV asymmetric_finish(struct job *job, struct bytes *out)
{
    struct bytes input CLEANUP(bytes_free) = {0};
    struct bytes result = {0};
    CK_RV rv = encoded_input(job, &input);
    if (rv != CKR_OK)
        return rv;
    switch (job->operation) {
    case CKF_SIGN:
    case CKF_SIGN_RECOVER:
        rv = key_sign(job->key, &job->scheme, bytes_view(&input), &result);
        break;
    case CKF_DECRYPT:
        rv = decrypt(job, bytes_view(&input), &result);
        break;
    case CKF_ENCRYPT:
        rv = crypto_encrypt(&job->public_key, &job->scheme, bytes_view(&input), &result);
        break;
    case CKF_VERIFY_RECOVER:
        rv = recover(job, bytes_view(&input), &result);
        break;
    default:
        return CKR_MECHANISM_INVALID;
    }
    return rv != CKR_OK ? rv : job_give(out, &result);
}

/* RFC 8032: two numbers of the size of the encoded point. */
static size_t block_size(const struct job *job)
{
    return job->scheme.kind == SCHEME_EDDSA ? 2 * job->public_key.point.size
                                            : public_key_block_size(&job->public_key);
}

CK_RV asymmetric_verify(struct job *job, struct view signature)
{
    if (signature.size != block_size(job))
        return CKR_SIGNATURE_LEN_RANGE;
    struct bytes input CLEANUP(bytes_free) = {0};
    CK_RV rv = encoded_input(job, &input);
    if (rv != CKR_OK)
        return rv;
    return crypto_verify(&job->public_key, &job->scheme, bytes_view(&input), signature);
}

size_t asymmetric_output_size(const struct job *job, size_t input_size UNUSED, bool last,
                              bool *ret_exact)
{
    if (!last)
        return 0;
    bool unpadded = job->operation == CKF_DECRYPT || job->operation == CKF_VERIFY_RECOVER;
    *ret_exact = !unpadded || job->scheme.kind == SCHEME_RSA_RAW;
    return block_size(job);
}
