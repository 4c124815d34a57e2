#include "token/crypto/mac.h"
#include "token/crypto/public.h"
#include "token/key/make.h"
#include "token/mechanism/family.h"

#define SHARED_MAX_SIZE 4096
#define POINT_MAX_SIZE 512

/* The hash of a CKD_ value; CKD_NULL has none. */
static CK_RV kdf_hash(const CK_ECDH1_DERIVE_PARAMS *params, enum hash *ret_hash)
{
    static const enum hash hashes[] = {
        [CKD_SHA1_KDF] = HASH_SHA1,         [CKD_SHA224_KDF] = HASH_SHA224,
        [CKD_SHA256_KDF] = HASH_SHA256,     [CKD_SHA384_KDF] = HASH_SHA384,
        [CKD_SHA512_KDF] = HASH_SHA512,     [CKD_SHA3_224_KDF] = HASH_SHA3_224,
        [CKD_SHA3_256_KDF] = HASH_SHA3_256, [CKD_SHA3_384_KDF] = HASH_SHA3_384,
        [CKD_SHA3_512_KDF] = HASH_SHA3_512,
    };
    enum hash hash = params->kdf < ARRAY_SIZE(hashes) ? hashes[params->kdf] : HASH_NONE;
    bool shared = params->ulSharedDataLen != 0;
    if ((params->kdf != CKD_NULL && hash == HASH_NONE) || (params->kdf == CKD_NULL && shared) ||
        (shared && !params->pSharedData) || params->ulSharedDataLen > SHARED_MAX_SIZE)
        return CKR_MECHANISM_PARAM_INVALID;
    *ret_hash = hash;
    return CKR_OK;
}

/* The other party's point is in the parameter, or (encapsulation) it must not be. */
static CK_RV read_parameter(const CK_MECHANISM *given, bool with_point,
                            const CK_ECDH1_DERIVE_PARAMS **ret_params, enum hash *ret_hash)
{
    const CK_ECDH1_DERIVE_PARAMS *params = mechanism_parameter(given, sizeof(*params));
    if (!params || with_point != (params->pPublicData != NULL) ||
        (!with_point && params->ulPublicDataLen))
        return CKR_MECHANISM_PARAM_INVALID;
    CK_RV rv = kdf_hash(params, ret_hash);
    if (rv == CKR_OK)
        *ret_params = params;
    return rv;
}

static CK_RV shared_secret(struct key *key, struct view other, struct bytes *ret_secret)
{
    struct bytes point CLEANUP(bytes_free) = {0};
    if (other.size > POINT_MAX_SIZE)
        return CKR_MECHANISM_PARAM_INVALID;
    CK_RV rv = crypto_point_decode(key_public(key), other, &point);
    return rv != CKR_OK ? rv : key_derive(key, bytes_view(&point), ret_secret);
}

/* Takes the leading bytes away, as PKCS#11 6.3.19 says. */
static CK_RV truncate_secret(struct bytes *secret, size_t size)
{
    if (size > secret->size)
        return CKR_TEMPLATE_INCONSISTENT;
    struct bytes tail = {0};
    CK_RV rv = bytes_copy(&tail, view_of(secret->data + secret->size - size, size));
    if (rv != CKR_OK)
        return rv;
    bytes_free(secret);
    *secret = tail;
    return CKR_OK;
}

static CK_RV agree(const CK_ECDH1_DERIVE_PARAMS *params, enum hash hash, struct key *key,
                   struct view other, size_t size, struct bytes *ret_secret)
{
    struct bytes secret CLEANUP(bytes_free) = {0};
    CK_RV rv = shared_secret(key, other, &secret);
    if (rv != CKR_OK)
        return rv;
    if (hash != HASH_NONE)
        return crypto_x963_kdf(hash, bytes_view(&secret),
                               view_of(params->pSharedData, params->ulSharedDataLen),
                               size ? size : hash_size(hash), ret_secret);
    if (size)
        rv = truncate_secret(&secret, size);
    if (rv != CKR_OK)
        return rv;
    *ret_secret = secret;
    secret = (struct bytes){0};
    return CKR_OK;
}

static CK_RV derive(const CK_MECHANISM *given, struct key *key, struct view salt UNUSED,
                    size_t size, struct bytes *ret_secret)
{
    const CK_ECDH1_DERIVE_PARAMS *params = NULL;
    enum hash hash = HASH_NONE;
    CK_RV rv = read_parameter(given, true, &params, &hash);
    return rv != CKR_OK
               ? rv
               : agree(params, hash, key, view_of(params->pPublicData, params->ulPublicDataLen),
                       size, ret_secret);
}

/* The ciphertext is a point like the recipient's. */
static CK_RV encapsulated_size(const CK_MECHANISM *given, const struct public_key *public_key,
                               size_t *ret_size)
{
    const CK_ECDH1_DERIVE_PARAMS *params = NULL;
    enum hash hash = HASH_NONE;
    CK_RV rv = read_parameter(given, false, &params, &hash);
    if (rv == CKR_OK)
        *ret_size = public_key->point.size;
    return rv;
}

static CK_RV make_ephemeral(const struct public_key *public_key, struct key **ret_key)
{
    struct key_spec spec CLEANUP(key_spec_clear) = {.algorithm = public_key->algorithm};
    CK_RV rv = bytes_copy(&spec.curve, bytes_view(&public_key->curve));
    return rv != CKR_OK ? rv : key_generate_software(&spec, ret_key);
}

static CK_RV encapsulate(const CK_MECHANISM *given, const struct public_key *public_key,
                         size_t size, struct bytes *ret_ciphertext, struct bytes *ret_secret)
{
    const CK_ECDH1_DERIVE_PARAMS *params = NULL;
    struct bytes ciphertext CLEANUP(bytes_free) = {0};
    struct key *ephemeral = NULL;
    enum hash hash = HASH_NONE;
    CK_RV rv = read_parameter(given, false, &params, &hash);
    if (rv == CKR_OK)
        rv = make_ephemeral(public_key, &ephemeral);
    if (rv == CKR_OK)
        rv = bytes_copy(&ciphertext, bytes_view(&key_public(ephemeral)->point));
    if (rv == CKR_OK)
        rv = agree(params, hash, ephemeral, bytes_view(&public_key->point), size, ret_secret);
    key_unref(ephemeral);
    if (rv != CKR_OK)
        return rv == CKR_MECHANISM_PARAM_INVALID && params ? CKR_PUBLIC_KEY_INVALID : rv;
    *ret_ciphertext = ciphertext;
    ciphertext = (struct bytes){0};
    return CKR_OK;
}

static CK_RV decapsulate(const CK_MECHANISM *given, struct key *key, struct view ciphertext,
                         size_t size, struct bytes *ret_secret)
{
    const CK_ECDH1_DERIVE_PARAMS *params = NULL;
    enum hash hash = HASH_NONE;
    CK_RV rv = read_parameter(given, false, &params, &hash);
    if (rv != CKR_OK)
        return rv;
    rv = agree(params, hash, key, ciphertext, size, ret_secret);
    return rv == CKR_MECHANISM_PARAM_INVALID ? CKR_WRAPPED_KEY_INVALID : rv;
}

static const struct family ecdh = {
    .derive = derive,
    .encapsulated_size = encapsulated_size,
    .encapsulate = encapsulate,
    .decapsulate = decapsulate,
};

/* The cofactor of every curve here that has one to multiply with is 1. */
#define ROW(mechanism, other)                                                                      \
    {                                                                                              \
        .type = mechanism,                                                                         \
        .flags = CKF_DERIVE | CKF_ENCAPSULATE | CKF_DECAPSULATE | MECHANISM_CURVES,                \
        .algorithm = KEY_ALGORITHM_EC, .other_key_type = other,                                    \
        .min_size = MECHANISM_MIN_CURVE_BITS, .max_size = MECHANISM_MAX_CURVE_BITS,                \
        .kind = SCHEME_ECDSA, .family = &ecdh                                                      \
    }

static const struct mechanism rows[] = {
    ROW(CKM_ECDH1_DERIVE, CKK_EC_MONTGOMERY),
    ROW(CKM_ECDH1_COFACTOR_DERIVE, 0),
};

const struct mechanism_rows mechanism_rows_ecdh = {rows, ARRAY_SIZE(rows)};
