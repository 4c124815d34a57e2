#include "token/mechanism/running.h"

#define CMAC_SIZE 16

/* What a row is beside its hash: the _GENERAL form leaves the length to the caller. */
enum { WHOLE, GENERAL };

static size_t whole_size(const struct mechanism *mechanism)
{
    return mechanism->hash == HASH_NONE ? CMAC_SIZE : hash_size(mechanism->hash);
}

/* CK_MAC_GENERAL_PARAMS is a CK_ULONG, 1 to the whole size. */
static CK_RV read_size(struct job *job, const CK_MECHANISM *given)
{
    size_t whole = whole_size(job->mechanism);
    job->mac_size = whole;
    if (job->mechanism->variant == WHOLE)
        return given->ulParameterLen ? CKR_MECHANISM_PARAM_INVALID : CKR_OK;
    const CK_ULONG *size = mechanism_parameter(given, sizeof(*size));
    if (!size || *size < 1 || *size > whole)
        return CKR_MECHANISM_PARAM_INVALID;
    job->mac_size = *size;
    return CKR_OK;
}

static CK_RV restart(struct job *job)
{
    struct code *code = NULL;
    CK_RV rv = code_new(job->mechanism, job->key, &code);
    if (rv != CKR_OK)
        return rv;
    code_free(job->code);
    job->code = code;
    return CKR_OK;
}

static CK_RV begin(struct job *job, const CK_MECHANISM *given)
{
    CK_RV rv = read_size(job, given);
    if (rv != CKR_OK)
        return rv;
    return job->key ? restart(job) : CKR_KEY_TYPE_INCONSISTENT;
}

static CK_RV update(struct job *job, struct view input, struct bytes *out UNUSED)
{
    return code_update(job->code, input);
}

static CK_RV finish(struct job *job, struct bytes *out)
{
    struct bytes code CLEANUP(bytes_free) = {0};
    CK_RV rv = code_finish(job->code, &code);
    return rv != CKR_OK ? rv : bytes_append(out, view_of(code.data, job->mac_size), SIZE_MAX);
}

/* In constant time: how much of a guess is right must not show. */
static bool same(const uint8_t *a, const uint8_t *b, size_t size)
{
    volatile uint8_t difference = 0;
    for (size_t i = 0; i < size; i++)
        difference |= a[i] ^ b[i];
    return difference == 0;
}

static CK_RV verify(struct job *job, struct view signature)
{
    if (signature.size != job->mac_size)
        return CKR_SIGNATURE_LEN_RANGE;
    struct bytes code CLEANUP(bytes_free) = {0};
    CK_RV rv = code_finish(job->code, &code);
    if (rv != CKR_OK)
        return rv;
    return same(code.data, signature.data, signature.size) ? CKR_OK : CKR_SIGNATURE_INVALID;
}

static size_t output_size(const struct job *job, size_t input_size UNUSED, bool last,
                          bool *ret_exact UNUSED)
{
    return last ? job->mac_size : 0;
}

static const struct family mac = {
    .begin = begin,
    .restart = restart,
    .update = update,
    .finish = finish,
    .verify = verify,
    .output_size = output_size,
};

/* HMAC takes keys of any length (RFC 2104, 3); this is the longest made here. */
#define MAX_KEY_SIZE 4096

#define ROW(mechanism, form, algorithm_of_key, own_type, algorithm_of_hash, least, most)           \
    {                                                                                              \
        .type = mechanism, .flags = MECHANISM_SIGNS, .algorithm = algorithm_of_key,                \
        .other_key_type = own_type, .min_size = least, .max_size = most,                           \
        .hash = algorithm_of_hash, .variant = form, .family = &mac                                 \
    }
#define HMAC(mechanism, own_type, algorithm)                                                       \
    ROW(mechanism, WHOLE, KEY_ALGORITHM_SECRET, own_type, algorithm, 1, MAX_KEY_SIZE),             \
        ROW(mechanism##_GENERAL, GENERAL, KEY_ALGORITHM_SECRET, own_type, algorithm, 1,            \
            MAX_KEY_SIZE)

static const struct mechanism rows[] = {
    HMAC(CKM_SHA_1_HMAC, CKK_SHA_1_HMAC, HASH_SHA1),
    HMAC(CKM_SHA224_HMAC, CKK_SHA224_HMAC, HASH_SHA224),
    HMAC(CKM_SHA256_HMAC, CKK_SHA256_HMAC, HASH_SHA256),
    HMAC(CKM_SHA384_HMAC, CKK_SHA384_HMAC, HASH_SHA384),
    HMAC(CKM_SHA512_HMAC, CKK_SHA512_HMAC, HASH_SHA512),
    HMAC(CKM_SHA3_224_HMAC, CKK_SHA3_224_HMAC, HASH_SHA3_224),
    HMAC(CKM_SHA3_256_HMAC, CKK_SHA3_256_HMAC, HASH_SHA3_256),
    HMAC(CKM_SHA3_384_HMAC, CKK_SHA3_384_HMAC, HASH_SHA3_384),
    HMAC(CKM_SHA3_512_HMAC, CKK_SHA3_512_HMAC, HASH_SHA3_512),
    ROW(CKM_AES_CMAC, WHOLE, KEY_ALGORITHM_AES, 0, HASH_NONE, 16, 32),
    ROW(CKM_AES_CMAC_GENERAL, GENERAL, KEY_ALGORITHM_AES, 0, HASH_NONE, 16, 32),
};

const struct mechanism_rows mechanism_rows_mac = {rows, ARRAY_SIZE(rows)};
