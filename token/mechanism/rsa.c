#include "token/crypto/padding.h"
#include "token/mechanism/family.h"
#include "token/mechanism/job.h"

static size_t block(const struct job *job)
{
    return job->public_key.modulus.size;
}

/* PKCS #1 v1.5 takes 11 bytes, a plain block none; decryption takes one block. */
static size_t pkcs1_limit(const struct job *job)
{
    if (job->operation == CKF_DECRYPT)
        return block(job);
    return block(job) > 11 ? block(job) - 11 : 0;
}

static size_t raw_limit(const struct job *job)
{
    return block(job);
}

static size_t pss_limit(const struct job *job)
{
    return hash_size(job->scheme.hash);
}

static size_t oaep_limit(const struct job *job)
{
    size_t overhead = 2 * hash_size(job->scheme.hash) + 2;
    if (job->operation == CKF_DECRYPT)
        return block(job);
    return block(job) > overhead ? block(job) - overhead : 0;
}

static CK_RV digest_info(const struct job *job, struct view input, struct bytes *ret_encoded)
{
    if (job->mechanism->hash == HASH_NONE)
        return bytes_copy(ret_encoded, input);
    return crypto_digest_info(job->mechanism->hash, input, ret_encoded);
}

static CK_RV whole_digest(const struct job *job, struct view input, struct bytes *ret_encoded)
{
    if (input.size != hash_size(job->scheme.hash))
        return CKR_DATA_LEN_RANGE;
    return bytes_copy(ret_encoded, input);
}

static enum hash mgf_hash(CK_RSA_PKCS_MGF_TYPE mgf)
{
    switch (mgf) {
    case CKG_MGF1_SHA1:
        return HASH_SHA1;
    case CKG_MGF1_SHA224:
        return HASH_SHA224;
    case CKG_MGF1_SHA256:
        return HASH_SHA256;
    case CKG_MGF1_SHA384:
        return HASH_SHA384;
    case CKG_MGF1_SHA512:
        return HASH_SHA512;
    default:
        return HASH_NONE;
    }
}

static CK_RV pss_parameters(const struct mechanism *mechanism, const CK_MECHANISM *given,
                            struct scheme *scheme)
{
    const CK_RSA_PKCS_PSS_PARAMS *pss = given->pParameter;
    if (!pss || given->ulParameterLen != sizeof(*pss) || pss->sLen > 2048)
        return CKR_MECHANISM_PARAM_INVALID;
    scheme->hash = mechanism_hash(pss->hashAlg);
    scheme->mgf_hash = mgf_hash(pss->mgf);
    scheme->salt_size = pss->sLen;
    bool other = mechanism->hash != HASH_NONE && mechanism->hash != scheme->hash;
    if (scheme->hash == HASH_NONE || scheme->mgf_hash == HASH_NONE || other)
        return CKR_MECHANISM_PARAM_INVALID;
    return CKR_OK;
}

static CK_RV oaep_parameters(const struct mechanism *mechanism UNUSED, const CK_MECHANISM *given,
                             struct scheme *scheme)
{
    const CK_RSA_PKCS_OAEP_PARAMS *oaep = given->pParameter;
    if (!oaep || given->ulParameterLen != sizeof(*oaep))
        return CKR_MECHANISM_PARAM_INVALID;
    scheme->hash = mechanism_hash(oaep->hashAlg);
    scheme->mgf_hash = mgf_hash(oaep->mgf);
    /* Some callers leave the source 0 when there is no label. */
    bool label = oaep->ulSourceDataLen != 0;
    if (scheme->hash == HASH_NONE || scheme->mgf_hash == HASH_NONE ||
        (label && (oaep->source != CKZ_DATA_SPECIFIED || !oaep->pSourceData ||
                   oaep->ulSourceDataLen > 1024)) ||
        oaep->source > CKZ_DATA_SPECIFIED)
        return CKR_MECHANISM_PARAM_INVALID;
    scheme->label = view_of(oaep->pSourceData, oaep->ulSourceDataLen);
    return CKR_OK;
}

static const struct family pkcs1 = {
    .parameters = mechanism_no_parameters,
    .input_limit = pkcs1_limit,
    .encode = digest_info,
};

static const struct family pss = {
    .parameters = pss_parameters,
    .input_limit = pss_limit,
    .encode = whole_digest,
};

static const struct family oaep = {
    .parameters = oaep_parameters,
    .input_limit = oaep_limit,
};

static const struct family plain = {
    .parameters = mechanism_no_parameters,
    .input_limit = raw_limit,
};

#define ROW(mechanism, operations, scheme, algorithm_of_hash, its_family)                          \
    {                                                                                              \
        .type = mechanism, .flags = operations, .algorithm = KEY_ALGORITHM_RSA, .min_size = 1024,  \
        .max_size = 16384, .kind = scheme, .hash = algorithm_of_hash, .family = its_family         \
    }
#define SIGNS (CKF_SIGN | CKF_VERIFY)
#define CRYPTS (CKF_ENCRYPT | CKF_DECRYPT)

static const struct mechanism rows[] = {
    ROW(CKM_RSA_PKCS, SIGNS | CRYPTS, SCHEME_RSA_PKCS1, HASH_NONE, &pkcs1),
    ROW(CKM_SHA1_RSA_PKCS, SIGNS, SCHEME_RSA_PKCS1, HASH_SHA1, &pkcs1),
    ROW(CKM_SHA224_RSA_PKCS, SIGNS, SCHEME_RSA_PKCS1, HASH_SHA224, &pkcs1),
    ROW(CKM_SHA256_RSA_PKCS, SIGNS, SCHEME_RSA_PKCS1, HASH_SHA256, &pkcs1),
    ROW(CKM_SHA384_RSA_PKCS, SIGNS, SCHEME_RSA_PKCS1, HASH_SHA384, &pkcs1),
    ROW(CKM_SHA512_RSA_PKCS, SIGNS, SCHEME_RSA_PKCS1, HASH_SHA512, &pkcs1),
    ROW(CKM_RSA_PKCS_PSS, SIGNS, SCHEME_RSA_PSS, HASH_NONE, &pss),
    ROW(CKM_SHA1_RSA_PKCS_PSS, SIGNS, SCHEME_RSA_PSS, HASH_SHA1, &pss),
    ROW(CKM_SHA224_RSA_PKCS_PSS, SIGNS, SCHEME_RSA_PSS, HASH_SHA224, &pss),
    ROW(CKM_SHA256_RSA_PKCS_PSS, SIGNS, SCHEME_RSA_PSS, HASH_SHA256, &pss),
    ROW(CKM_SHA384_RSA_PKCS_PSS, SIGNS, SCHEME_RSA_PSS, HASH_SHA384, &pss),
    ROW(CKM_SHA512_RSA_PKCS_PSS, SIGNS, SCHEME_RSA_PSS, HASH_SHA512, &pss),
    ROW(CKM_RSA_PKCS_OAEP, CRYPTS, SCHEME_RSA_OAEP, HASH_NONE, &oaep),
    ROW(CKM_RSA_X_509, SIGNS | CRYPTS, SCHEME_RSA_RAW, HASH_NONE, &plain),
};

const struct mechanism_rows mechanism_rows_rsa = {rows, ARRAY_SIZE(rows)};
