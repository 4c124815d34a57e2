#include <string.h>

#include "token/crypto/cipher.h"
#include "token/crypto/digest.h"
#include "token/crypto/public.h"
#include "token/key/make.h"
#include "token/mechanism/family.h"
#include "token/mechanism/rsa.h"

#define WRAP_BLOCK 8

/* What a row is: RFC 3394, or RFC 5649 with its padding. */
enum { PLAIN, PADDED };

/* The initial value may be given, if it is the one of the standard. */
static CK_RV check_parameter(const CK_MECHANISM *given, bool padded)
{
    static const uint8_t plain_value[] = {0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6};
    static const uint8_t padded_value[] = {0xa6, 0x59, 0x59, 0xa6};
    struct view standard = padded ? view_of(padded_value, sizeof(padded_value))
                                  : view_of(plain_value, sizeof(plain_value));
    if (!given->ulParameterLen)
        return CKR_OK;
    return view_equal(view_of(given->pParameter, given->ulParameterLen), standard)
               ? CKR_OK
               : CKR_MECHANISM_PARAM_INVALID;
}

static bool is_padded(const CK_MECHANISM *given)
{
    return mechanism_find(given->mechanism)->variant == PADDED;
}

static size_t padded_size(size_t plain_size)
{
    return (plain_size + WRAP_BLOCK - 1) / WRAP_BLOCK * WRAP_BLOCK + WRAP_BLOCK;
}

static CK_RV aes_wrap(const CK_MECHANISM *given, const struct public_key *public_key UNUSED,
                      struct key *secret_key, struct view plain, struct bytes *ret_wrapped)
{
    struct bytes value CLEANUP(bytes_free) = {0};
    if (!secret_key)
        return CKR_WRAPPING_KEY_TYPE_INCONSISTENT;
    CK_RV rv = check_parameter(given, is_padded(given));
    if (rv == CKR_OK)
        rv = key_secret_value(secret_key, &value);
    if (rv != CKR_OK)
        return rv;
    rv = crypto_wrap(bytes_view(&value), is_padded(given), plain, ret_wrapped);
    return rv == CKR_DATA_LEN_RANGE ? CKR_KEY_SIZE_RANGE : rv;
}

static CK_RV aes_wrapped_size(const CK_MECHANISM *given, const struct public_key *public_key UNUSED,
                              size_t plain_size, size_t *ret_size)
{
    bool padded = is_padded(given);
    CK_RV rv = check_parameter(given, padded);
    if (rv != CKR_OK)
        return rv;
    if (!plain_size || (!padded && (plain_size % WRAP_BLOCK || plain_size < 2 * WRAP_BLOCK)))
        return CKR_KEY_SIZE_RANGE;
    *ret_size = padded_size(plain_size);
    return CKR_OK;
}

static CK_RV aes_unwrap(const CK_MECHANISM *given, struct key *key, struct view wrapped,
                        struct bytes *ret_plain)
{
    struct bytes value CLEANUP(bytes_free) = {0};
    CK_RV rv = check_parameter(given, is_padded(given));
    if (rv == CKR_OK)
        rv = key_secret_value(key, &value);
    return rv != CKR_OK ? rv
                        : crypto_unwrap(bytes_view(&value), is_padded(given), wrapped, ret_plain);
}

/* CK_RSA_AES_KEY_WRAP_PARAMS (PKCS#11 6.1.24), which older headers lack. */
struct rsa_aes_parameters {
    CK_ULONG aes_key_bits;
    CK_RSA_PKCS_OAEP_PARAMS *oaep;
};

static CK_RV rsa_aes_read(const CK_MECHANISM *given, size_t *ret_key_size,
                          struct scheme *ret_scheme)
{
    const struct rsa_aes_parameters *parameters = mechanism_parameter(given, sizeof(*parameters));
    if (!parameters || !parameters->oaep)
        return CKR_MECHANISM_PARAM_INVALID;
    CK_ULONG bits = parameters->aes_key_bits;
    if (bits != 128 && bits != 192 && bits != 256)
        return CKR_MECHANISM_PARAM_INVALID;
    CK_RV rv = rsa_oaep_scheme(parameters->oaep, ret_scheme);
    if (rv == CKR_OK)
        *ret_key_size = bits / 8;
    return rv;
}

/* OAEP of a fresh AES key, and the target wrapped with that key behind it. */
static CK_RV rsa_aes_wrap(const CK_MECHANISM *given, const struct public_key *public_key,
                          struct key *secret_key UNUSED, struct view plain,
                          struct bytes *ret_wrapped)
{
    uint8_t fresh[32];
    struct bytes first CLEANUP(bytes_free) = {0};
    struct bytes second CLEANUP(bytes_free) = {0};
    struct scheme scheme;
    size_t size = 0;
    if (!public_key)
        return CKR_WRAPPING_KEY_TYPE_INCONSISTENT;
    CK_RV rv = rsa_aes_read(given, &size, &scheme);
    if (rv == CKR_OK)
        rv = crypto_random(fresh, size);
    if (rv == CKR_OK)
        rv = crypto_encrypt(public_key, &scheme, view_of(fresh, size), &first);
    if (rv == CKR_OK)
        rv = crypto_wrap(view_of(fresh, size), true, plain, &second);
    if (rv == CKR_OK)
        rv = bytes_append(&first, bytes_view(&second), SIZE_MAX);
    explicit_bzero(fresh, sizeof(fresh));
    if (rv != CKR_OK)
        return rv == CKR_DATA_LEN_RANGE ? CKR_KEY_SIZE_RANGE : rv;
    *ret_wrapped = first;
    first = (struct bytes){0};
    return CKR_OK;
}

static CK_RV rsa_aes_wrapped_size(const CK_MECHANISM *given, const struct public_key *public_key,
                                  size_t plain_size, size_t *ret_size)
{
    struct scheme scheme;
    size_t size = 0;
    if (!public_key)
        return CKR_WRAPPING_KEY_TYPE_INCONSISTENT;
    CK_RV rv = rsa_aes_read(given, &size, &scheme);
    if (rv == CKR_OK)
        *ret_size = public_key->modulus.size + padded_size(plain_size);
    return rv;
}

static CK_RV rsa_aes_unwrap(const CK_MECHANISM *given, struct key *key, struct view wrapped,
                            struct bytes *ret_plain)
{
    struct bytes fresh CLEANUP(bytes_free) = {0};
    struct scheme scheme;
    size_t size = 0, block = key_public(key)->modulus.size;
    CK_RV rv = rsa_aes_read(given, &size, &scheme);
    if (rv != CKR_OK)
        return rv;
    if (wrapped.size < block)
        return CKR_WRAPPED_KEY_LEN_RANGE;
    rv = rsa_unwrap_block(&scheme, key, view_of(wrapped.data, block), &fresh);
    if (rv != CKR_OK)
        return rv;
    if (fresh.size != size)
        return CKR_WRAPPED_KEY_INVALID;
    return crypto_unwrap(bytes_view(&fresh), true,
                         view_of(wrapped.data + block, wrapped.size - block), ret_plain);
}

static const struct family aes = {
    .wrap = aes_wrap,
    .wrapped_size = aes_wrapped_size,
    .unwrap = aes_unwrap,
};

static const struct family rsa_aes = {
    .wrap = rsa_aes_wrap,
    .wrapped_size = rsa_aes_wrapped_size,
    .unwrap = rsa_aes_unwrap,
};

#define ROW(mechanism, algorithm_of_key, least, most, form, its_family)                            \
    {                                                                                              \
        .type = mechanism, .flags = CKF_WRAP | CKF_UNWRAP, .algorithm = algorithm_of_key,          \
        .min_size = least, .max_size = most, .variant = form, .family = its_family                 \
    }

/* CKM_AES_KEY_WRAP_PAD was RFC 5649 to most, and became CKM_AES_KEY_WRAP_KWP. */
static const struct mechanism rows[] = {
    ROW(CKM_AES_KEY_WRAP, KEY_ALGORITHM_AES, 16, 32, PLAIN, &aes),
    ROW(CKM_AES_KEY_WRAP_PAD, KEY_ALGORITHM_AES, 16, 32, PADDED, &aes),
    ROW(CKM_AES_KEY_WRAP_KWP, KEY_ALGORITHM_AES, 16, 32, PADDED, &aes),
    ROW(CKM_RSA_AES_KEY_WRAP, KEY_ALGORITHM_RSA, 1024, 16384, PADDED, &rsa_aes),
};

const struct mechanism_rows mechanism_rows_wrap = {rows, ARRAY_SIZE(rows)};
