#include "token/mechanism/rsa.h"
#include "token/crypto/padding.h"
#include "token/crypto/public.h"
#include "token/mechanism/running.h"

static size_t block(const struct job *job)
{
    return job->public_key.modulus.size;
}

/* PKCS #1 v1.5 takes 11 bytes, a plain block none; what is undone is one block. */
static size_t pkcs1_limit(const struct job *job)
{
    if (job->operation == CKF_DECRYPT || job->operation == CKF_VERIFY_RECOVER)
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
    static const enum hash hashes[] = {
        [CKG_MGF1_SHA1] = HASH_SHA1,         [CKG_MGF1_SHA224] = HASH_SHA224,
        [CKG_MGF1_SHA256] = HASH_SHA256,     [CKG_MGF1_SHA384] = HASH_SHA384,
        [CKG_MGF1_SHA512] = HASH_SHA512,     [CKG_MGF1_SHA3_224] = HASH_SHA3_224,
        [CKG_MGF1_SHA3_256] = HASH_SHA3_256, [CKG_MGF1_SHA3_384] = HASH_SHA3_384,
        [CKG_MGF1_SHA3_512] = HASH_SHA3_512,
    };
    return mgf < ARRAY_SIZE(hashes) ? hashes[mgf] : HASH_NONE;
}

static CK_RV pss_parameters(const struct mechanism *mechanism, const CK_MECHANISM *given,
                            struct scheme *scheme)
{
    const CK_RSA_PKCS_PSS_PARAMS *pss = mechanism_parameter(given, sizeof(*pss));
    if (!pss || pss->sLen > 2048)
        return CKR_MECHANISM_PARAM_INVALID;
    scheme->hash = mechanism_hash(pss->hashAlg);
    scheme->mgf_hash = mgf_hash(pss->mgf);
    scheme->salt_size = pss->sLen;
    bool other = mechanism->hash != HASH_NONE && mechanism->hash != scheme->hash;
    if (scheme->hash == HASH_NONE || scheme->mgf_hash == HASH_NONE || other)
        return CKR_MECHANISM_PARAM_INVALID;
    return CKR_OK;
}

CK_RV rsa_oaep_scheme(const CK_RSA_PKCS_OAEP_PARAMS *oaep, struct scheme *ret_scheme)
{
    const struct scheme scheme = {
        .kind = SCHEME_RSA_OAEP,
        .hash = mechanism_hash(oaep->hashAlg),
        .mgf_hash = mgf_hash(oaep->mgf),
        .label = view_of(oaep->pSourceData, oaep->ulSourceDataLen),
    };
    /* Some callers leave the source 0 when there is no label. */
    bool label = oaep->ulSourceDataLen != 0;
    if (scheme.hash == HASH_NONE || scheme.mgf_hash == HASH_NONE ||
        (label && (oaep->source != CKZ_DATA_SPECIFIED || !oaep->pSourceData ||
                   oaep->ulSourceDataLen > 1024)) ||
        oaep->source > CKZ_DATA_SPECIFIED)
        return CKR_MECHANISM_PARAM_INVALID;
    *ret_scheme = scheme;
    return CKR_OK;
}

static CK_RV oaep_parameters(const struct mechanism *mechanism UNUSED, const CK_MECHANISM *given,
                             struct scheme *scheme)
{
    const CK_RSA_PKCS_OAEP_PARAMS *oaep = mechanism_parameter(given, sizeof(*oaep));
    return oaep ? rsa_oaep_scheme(oaep, scheme) : CKR_MECHANISM_PARAM_INVALID;
}

static CK_RV wrapping_scheme(const CK_MECHANISM *given, struct scheme *ret_scheme)
{
    const struct mechanism *mechanism = mechanism_find(given->mechanism);
    struct scheme scheme = {.kind = mechanism->kind};
    CK_RV rv = mechanism->family->parameters(mechanism, given, &scheme);
    if (rv == CKR_OK)
        *ret_scheme = scheme;
    return rv;
}

static CK_RV rsa_wrap(const CK_MECHANISM *given, const struct public_key *public_key,
                      struct key *secret_key UNUSED, struct view plain, struct bytes *ret_wrapped)
{
    struct scheme scheme;
    if (!public_key)
        return CKR_WRAPPING_KEY_TYPE_INCONSISTENT;
    CK_RV rv = wrapping_scheme(given, &scheme);
    if (rv == CKR_OK)
        rv = crypto_encrypt(public_key, &scheme, plain, ret_wrapped);
    return rv == CKR_DATA_LEN_RANGE ? CKR_KEY_SIZE_RANGE : rv;
}

static CK_RV rsa_wrapped_size(const CK_MECHANISM *given, const struct public_key *public_key,
                              size_t plain_size UNUSED, size_t *ret_size)
{
    struct scheme scheme;
    if (!public_key)
        return CKR_WRAPPING_KEY_TYPE_INCONSISTENT;
    CK_RV rv = wrapping_scheme(given, &scheme);
    if (rv == CKR_OK)
        *ret_size = public_key->modulus.size;
    return rv;
}

CK_RV rsa_unwrap_block(const struct scheme *scheme, struct key *key, struct view wrapped,
                       struct bytes *ret_plain)
{
    const struct public_key *public_key = key_public(key);
    if (public_key->algorithm != KEY_ALGORITHM_RSA)
        return CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT;
    if (wrapped.size != public_key->modulus.size)
        return CKR_WRAPPED_KEY_LEN_RANGE;
    CK_RV rv = key_decrypt(key, scheme, wrapped, ret_plain);
    return rv == CKR_ENCRYPTED_DATA_INVALID || rv == CKR_DATA_INVALID ? CKR_WRAPPED_KEY_INVALID
                                                                      : rv;
}

static CK_RV rsa_unwrap(const CK_MECHANISM *given, struct key *key, struct view wrapped,
                        struct bytes *ret_plain)
{
    struct scheme scheme;
    CK_RV rv = wrapping_scheme(given, &scheme);
    return rv != CKR_OK ? rv : rsa_unwrap_block(&scheme, key, wrapped, ret_plain);
}

#define WRAPPING .wrap = rsa_wrap, .wrapped_size = rsa_wrapped_size, .unwrap = rsa_unwrap

static const struct family pkcs1 = {
    ASYMMETRIC_OPERATIONS,
    WRAPPING,
    .parameters = mechanism_no_parameters,
    .input_limit = pkcs1_limit,
    .encode = digest_info,
};

static const struct family pss = {
    ASYMMETRIC_OPERATIONS,
    .parameters = pss_parameters,
    .input_limit = pss_limit,
    .encode = whole_digest,
};

static const struct family oaep = {
    ASYMMETRIC_OPERATIONS,
    WRAPPING,
    .parameters = oaep_parameters,
    .input_limit = oaep_limit,
};

static const struct family plain = {
    ASYMMETRIC_OPERATIONS,
    .parameters = mechanism_no_parameters,
    .input_limit = raw_limit,
};

#define ROW(mechanism, operations, scheme, algorithm_of_hash, its_family)                          \
    {                                                                                              \
        .type = mechanism, .flags = operations, .algorithm = KEY_ALGORITHM_RSA, .min_size = 1024,  \
        .max_size = 16384, .kind = scheme, .hash = algorithm_of_hash, .family = its_family         \
    }
#define SIGNS MECHANISM_SIGNS
#define CRYPTS (CKF_ENCRYPT | CKF_DECRYPT)
#define RECOVERS (CKF_SIGN_RECOVER | CKF_VERIFY_RECOVER)
#define WRAPS (CKF_WRAP | CKF_UNWRAP)
#define HASHED(mechanism, algorithm)                                                               \
    ROW(mechanism##_RSA_PKCS, SIGNS, SCHEME_RSA_PKCS1, algorithm, &pkcs1),                         \
        ROW(mechanism##_RSA_PKCS_PSS, SIGNS, SCHEME_RSA_PSS, algorithm, &pss)

static const struct mechanism rows[] = {
    ROW(CKM_RSA_PKCS, SIGNS | CRYPTS | RECOVERS | WRAPS, SCHEME_RSA_PKCS1, HASH_NONE, &pkcs1),
    ROW(CKM_RSA_PKCS_PSS, SIGNS, SCHEME_RSA_PSS, HASH_NONE, &pss),
    HASHED(CKM_SHA1, HASH_SHA1),
    HASHED(CKM_SHA224, HASH_SHA224),
    HASHED(CKM_SHA256, HASH_SHA256),
    HASHED(CKM_SHA384, HASH_SHA384),
    HASHED(CKM_SHA512, HASH_SHA512),
    HASHED(CKM_SHA3_224, HASH_SHA3_224),
    HASHED(CKM_SHA3_256, HASH_SHA3_256),
    HASHED(CKM_SHA3_384, HASH_SHA3_384),
    HASHED(CKM_SHA3_512, HASH_SHA3_512),
    ROW(CKM_RSA_PKCS_OAEP, CRYPTS | WRAPS, SCHEME_RSA_OAEP, HASH_NONE, &oaep),
    ROW(CKM_RSA_X_509, SIGNS | CRYPTS | RECOVERS, SCHEME_RSA_RAW, HASH_NONE, &plain),
};

const struct mechanism_rows mechanism_rows_rsa = {rows, ARRAY_SIZE(rows)};
