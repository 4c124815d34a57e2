#include "token/mechanism/cipher.h"

#include <string.h>

#include "token/mechanism/running.h"

#define BLOCK_SIZE 16
#define ASSOCIATED_MAX_SIZE (64 * 1024 * 1024)

/* PKCS#11 6.11: the low `bits` bits count blocks and may not overflow. The bytes
 * until then, UINT64_MAX for more than can ever come. */
static uint64_t bytes_left(const CK_AES_CTR_PARAMS *ctr)
{
    uint64_t low = 0, high = 0;
    for (int i = 0; i < 8; i++) {
        high = high << 8 | ctr->cb[i];
        low = low << 8 | ctr->cb[8 + i];
    }
    CK_ULONG bits = ctr->ulCounterBits;
    uint64_t mask = bits % 64 ? ((uint64_t)1 << bits % 64) - 1 : UINT64_MAX;
    if (bits < 64)
        low |= ~mask;
    /* A carry into the higher half is none as long as there is room in it. */
    bool carries = bits > 64 && (high & mask) != mask;
    uint64_t blocks_less_one = UINT64_MAX - low;
    if (carries || blocks_less_one >= UINT64_MAX / BLOCK_SIZE - 1)
        return UINT64_MAX;
    return (blocks_less_one + 1) * BLOCK_SIZE;
}

static CK_RV read_ctr(struct job *job, const CK_MECHANISM *given,
                      struct cipher_parameters *parameters)
{
    const CK_AES_CTR_PARAMS *ctr = mechanism_parameter(given, sizeof(*ctr));
    if (!ctr || ctr->ulCounterBits < 1 || ctr->ulCounterBits > 128)
        return CKR_MECHANISM_PARAM_INVALID;
    parameters->iv = view_of(ctr->cb, sizeof(ctr->cb));
    job->bytes_left = bytes_left(ctr);
    return CKR_OK;
}

/* The structure before ulIvBits was put into it (PKCS#11 2.40 as first published). */
struct old_gcm_params {
    CK_BYTE *iv;
    CK_ULONG iv_size;
    CK_BYTE *associated;
    CK_ULONG associated_size;
    CK_ULONG tag_bits;
};

CK_RV cipher_gcm_parameters(const CK_MECHANISM *given, struct cipher_parameters *parameters)
{
    const CK_GCM_PARAMS *gcm = mechanism_parameter(given, sizeof(*gcm));
    const struct old_gcm_params *old = mechanism_parameter(given, sizeof(*old));
    struct old_gcm_params got;
    if (gcm)
        got = (struct old_gcm_params){gcm->pIv, gcm->ulIvLen, gcm->pAAD, gcm->ulAADLen,
                                      gcm->ulTagBits};
    else if (old)
        got = *old;
    else
        return CKR_MECHANISM_PARAM_INVALID;
    if (!got.iv || (got.associated_size && !got.associated) ||
        got.associated_size > ASSOCIATED_MAX_SIZE || got.tag_bits % 8 || got.tag_bits > 128)
        return CKR_MECHANISM_PARAM_INVALID;
    *parameters = (struct cipher_parameters){
        .iv = view_of(got.iv, got.iv_size),
        .associated = view_of(got.associated, got.associated_size),
        .tag_size = got.tag_bits / 8,
    };
    return CKR_OK;
}

static CK_RV read_parameters(struct job *job, const CK_MECHANISM *given,
                             struct cipher_parameters *parameters)
{
    switch (job->mechanism->variant) {
    case CIPHER_AES_ECB:
        return given->ulParameterLen ? CKR_MECHANISM_PARAM_INVALID : CKR_OK;
    case CIPHER_AES_CTR:
        return read_ctr(job, given, parameters);
    case CIPHER_AES_GCM:
        return cipher_gcm_parameters(given, parameters);
    default:
        return cipher_initial_block(given, &parameters->iv);
    }
}

CK_RV cipher_initial_block(const CK_MECHANISM *given, struct view *ret_block)
{
    const uint8_t *block = mechanism_parameter(given, BLOCK_SIZE);
    if (!block)
        return CKR_MECHANISM_PARAM_INVALID;
    *ret_block = view_of(block, BLOCK_SIZE);
    return CKR_OK;
}

static CK_RV begin(struct job *job, const CK_MECHANISM *given)
{
    struct cipher_parameters parameters = {0};
    job->bytes_left = UINT64_MAX;
    CK_RV rv = read_parameters(job, given, &parameters);
    if (rv != CKR_OK)
        return rv;
    return aes_new((enum cipher)job->mechanism->variant, job->operation == CKF_ENCRYPT, job->key,
                   &parameters, &job->aes);
}

static CK_RV update(struct job *job, struct view input, struct bytes *out)
{
    if (input.size > job->bytes_left)
        return job->operation == CKF_ENCRYPT ? CKR_DATA_LEN_RANGE : CKR_ENCRYPTED_DATA_LEN_RANGE;
    if (job->bytes_left != UINT64_MAX)
        job->bytes_left -= input.size;
    return aes_update(job->aes, input, out);
}

static CK_RV finish(struct job *job, struct bytes *out)
{
    return aes_finish(job->aes, out);
}

static size_t output_size(const struct job *job, size_t input_size, bool last, bool *ret_exact)
{
    *ret_exact =
        !(last && job->operation == CKF_DECRYPT && job->mechanism->variant == CIPHER_AES_CBC_PAD);
    return aes_output_size(job->aes, input_size, last);
}

static CK_RV cbc_wrap(const CK_MECHANISM *given, const struct public_key *public_key UNUSED,
                      struct key *secret_key, struct view plain, struct bytes *ret_wrapped)
{
    struct cipher_parameters parameters = {0};
    struct aes *aes = NULL;
    struct bytes wrapped = {0};
    CK_RV rv = cipher_initial_block(given, &parameters.iv);
    if (rv == CKR_OK)
        rv = aes_new(CIPHER_AES_CBC_PAD, true, secret_key, &parameters, &aes);
    if (rv == CKR_OK)
        rv = aes_update(aes, plain, &wrapped);
    if (rv == CKR_OK)
        rv = aes_finish(aes, &wrapped);
    aes_free(aes);
    if (rv != CKR_OK) {
        bytes_free(&wrapped);
        return rv;
    }
    *ret_wrapped = wrapped;
    return CKR_OK;
}

static CK_RV cbc_wrapped_size(const CK_MECHANISM *given UNUSED,
                              const struct public_key *public_key UNUSED, size_t plain_size,
                              size_t *ret_size)
{
    *ret_size = (plain_size / BLOCK_SIZE + 1) * BLOCK_SIZE;
    return CKR_OK;
}

static CK_RV cbc_unwrap(const CK_MECHANISM *given, struct key *key, struct view wrapped,
                        struct bytes *ret_plain)
{
    struct cipher_parameters parameters = {0};
    struct aes *aes = NULL;
    struct bytes plain = {0};
    CK_RV rv = cipher_initial_block(given, &parameters.iv);
    if (rv == CKR_OK)
        rv = aes_new(CIPHER_AES_CBC_PAD, false, key, &parameters, &aes);
    if (rv == CKR_OK)
        rv = aes_update(aes, wrapped, &plain);
    if (rv == CKR_OK)
        rv = aes_finish(aes, &plain);
    aes_free(aes);
    if (rv != CKR_OK) {
        bytes_free(&plain);
        return rv == CKR_ENCRYPTED_DATA_INVALID     ? CKR_WRAPPED_KEY_INVALID
               : rv == CKR_ENCRYPTED_DATA_LEN_RANGE ? CKR_WRAPPED_KEY_LEN_RANGE
                                                    : rv;
    }
    *ret_plain = plain;
    return CKR_OK;
}

#define OPERATIONS .begin = begin, .update = update, .finish = finish, .output_size = output_size

static const struct family cipher_family = {OPERATIONS};

static const struct family cbc_pad = {
    OPERATIONS,
    .wrap = cbc_wrap,
    .wrapped_size = cbc_wrapped_size,
    .unwrap = cbc_unwrap,
};

#define ROW(mechanism, operations, mode, its_family)                                               \
    {                                                                                              \
        .type = mechanism, .flags = CKF_ENCRYPT | CKF_DECRYPT | (operations),                      \
        .algorithm = KEY_ALGORITHM_AES, .min_size = 16, .max_size = 32, .variant = mode,           \
        .family = its_family                                                                       \
    }
#define MESSAGES (CKF_MESSAGE_ENCRYPT | CKF_MESSAGE_DECRYPT | CKF_MULTI_MESSAGE)

static const struct mechanism rows[] = {
    ROW(CKM_AES_ECB, 0, CIPHER_AES_ECB, &cipher_family),
    ROW(CKM_AES_CBC, 0, CIPHER_AES_CBC, &cipher_family),
    ROW(CKM_AES_CBC_PAD, CKF_WRAP | CKF_UNWRAP, CIPHER_AES_CBC_PAD, &cbc_pad),
    ROW(CKM_AES_CTR, 0, CIPHER_AES_CTR, &cipher_family),
    ROW(CKM_AES_GCM, MESSAGES, CIPHER_AES_GCM, &cipher_family),
};

const struct mechanism_rows mechanism_rows_cipher = {rows, ARRAY_SIZE(rows)};
