#include "token/mechanism/gcm_iv.h"

#include <string.h>

#include "token/crypto/digest.h"

/* 8.2.2: of a random IV at least 96 bits are random, and one key sees at most 2^32 of
 * them; 8.2.1: a counter of at least 32 bits. */
#define RANDOM_MIN_BITS 96
#define RANDOM_MAX_COUNT ((uint64_t)1 << 32)
#define COUNTER_MIN_BITS 32

/* Sets the last `bits` bits of the IV to those of `value`. */
static void set_bits(uint8_t *iv, size_t iv_size, CK_ULONG bits, const uint8_t *value)
{
    size_t whole = bits / 8, rest = bits % 8;
    memcpy(iv + iv_size - whole, value + iv_size - whole, whole);
    if (!rest)
        return;
    uint8_t mask = (uint8_t)((1u << rest) - 1);
    size_t at = iv_size - whole - 1;
    iv[at] = (uint8_t)((iv[at] & ~mask) | (value[at] & mask));
}

static CK_RV random_iv(CK_ULONG bits, uint64_t made, uint8_t *iv, size_t iv_size)
{
    uint8_t value[GCM_IV_MAX_SIZE];
    if (bits < RANDOM_MIN_BITS)
        return CKR_MECHANISM_PARAM_INVALID;
    if (made >= RANDOM_MAX_COUNT)
        return CKR_TOKEN_RESOURCE_EXCEEDED;
    CK_RV rv = crypto_random(value, iv_size);
    if (rv == CKR_OK)
        set_bits(iv, iv_size, bits, value);
    return rv;
}

static CK_RV counted_iv(CK_ULONG bits, uint64_t made, uint8_t *iv, size_t iv_size)
{
    uint8_t value[GCM_IV_MAX_SIZE] = {0};
    if (bits < COUNTER_MIN_BITS)
        return CKR_MECHANISM_PARAM_INVALID;
    if (bits < 64 && made >> bits)
        return CKR_TOKEN_RESOURCE_EXCEEDED;
    for (size_t i = 0; i < sizeof(made) && i < iv_size; i++)
        value[iv_size - 1 - i] = (uint8_t)(made >> 8 * i);
    set_bits(iv, iv_size, bits, value);
    return CKR_OK;
}

CK_RV gcm_iv_generate(CK_GENERATOR_FUNCTION generator, CK_ULONG fixed_bits, uint64_t made,
                      uint8_t *iv, size_t iv_size)
{
    if (iv_size > GCM_IV_MAX_SIZE || fixed_bits > 8 * iv_size)
        return CKR_MECHANISM_PARAM_INVALID;
    CK_ULONG bits = 8 * iv_size - fixed_bits;
    switch (generator) {
    case CKG_NO_GENERATE:
        return CKR_OK;
    case CKG_GENERATE:
    case CKG_GENERATE_RANDOM:
        return random_iv(bits, made, iv, iv_size);
    case CKG_GENERATE_COUNTER:
        return counted_iv(bits, made, iv, iv_size);
    default:
        return CKR_MECHANISM_PARAM_INVALID;
    }
}
