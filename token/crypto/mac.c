#include "token/crypto/mac.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/params.h>

#include "token/crypto/digest.h"
#include "token/crypto/library.h"
#include "token/crypto/openssl.h"

#define CMAC_SIZE 16
#define KDF_MAX_SIZE (1024 * 1024)

struct crypto_mac {
    EVP_MAC_CTX *context;
    size_t size;
    bool finished;
};

OPENSSL_DROP(EVP_MAC_CTX, EVP_MAC_CTX_free)

static void mac_cleanup(struct crypto_mac **mac)
{
    crypto_mac_free(*mac);
    *mac = NULL;
}

/* OpenSSL copies what the parameter points to, though its type knows no const. */
static OSSL_PARAM name_parameter(const char *key, const char *name)
{
    return OSSL_PARAM_construct_utf8_string(key, (char *)(uintptr_t)name, 0);
}

static CK_RV start(const char *algorithm, OSSL_PARAM parameter, struct view key,
                   EVP_MAC_CTX **ret_context)
{
    static const uint8_t nothing[1];
    const OSSL_PARAM parameters[] = {parameter, OSSL_PARAM_construct_end()};
    if (!crypto_context())
        return CKR_HOST_MEMORY;
    CLEANUP(EVP_MAC_drop) EVP_MAC *method = EVP_MAC_fetch(crypto_context(), algorithm, NULL);
    if (!method)
        return CKR_MECHANISM_INVALID;
    CLEANUP(EVP_MAC_CTX_drop) EVP_MAC_CTX *context = EVP_MAC_CTX_new(method);
    if (!context)
        return CKR_HOST_MEMORY;
    if (EVP_MAC_init(context, key.size ? key.data : nothing, key.size, parameters) != 1)
        return CKR_FUNCTION_FAILED;
    *ret_context = context;
    context = NULL;
    return CKR_OK;
}

static CK_RV start_hmac(enum hash hash, struct view key, EVP_MAC_CTX **ret_context)
{
    const EVP_MD *md = crypto_md(hash);
    if (!md)
        return CKR_MECHANISM_INVALID;
    return start("HMAC", name_parameter(OSSL_MAC_PARAM_DIGEST, EVP_MD_get0_name(md)), key,
                 ret_context);
}

static CK_RV start_cmac(struct view key, EVP_MAC_CTX **ret_context)
{
    const char *cipher = key.size == 16   ? "AES-128-CBC"
                         : key.size == 24 ? "AES-192-CBC"
                         : key.size == 32 ? "AES-256-CBC"
                                          : NULL;
    if (!cipher)
        return CKR_KEY_SIZE_RANGE;
    return start("CMAC", name_parameter(OSSL_MAC_PARAM_CIPHER, cipher), key, ret_context);
}

CK_RV crypto_mac_new(enum hash hash, struct view key, struct crypto_mac **ret_mac)
{
    KEEP_ERROR_QUEUE;
    CLEANUP(mac_cleanup) struct crypto_mac *mac = calloc(1, sizeof(*mac));
    if (!mac)
        return CKR_HOST_MEMORY;
    mac->size = hash == HASH_NONE ? CMAC_SIZE : hash_size(hash);
    CK_RV rv =
        hash == HASH_NONE ? start_cmac(key, &mac->context) : start_hmac(hash, key, &mac->context);
    if (rv != CKR_OK)
        return rv;
    *ret_mac = mac;
    mac = NULL;
    return CKR_OK;
}

CK_RV crypto_mac_update(struct crypto_mac *mac, struct view data)
{
    KEEP_ERROR_QUEUE;
    if (mac->finished)
        return CKR_FUNCTION_FAILED;
    if (data.size && EVP_MAC_update(mac->context, data.data, data.size) != 1)
        return CKR_FUNCTION_FAILED;
    return CKR_OK;
}

static CK_RV finish(struct crypto_mac *mac, uint8_t out[HASH_MAX_SIZE])
{
    size_t size = 0;
    if (mac->finished)
        return CKR_FUNCTION_FAILED;
    mac->finished = true;
    if (EVP_MAC_final(mac->context, out, &size, HASH_MAX_SIZE) != 1 || size != mac->size)
        return CKR_FUNCTION_FAILED;
    return CKR_OK;
}

CK_RV crypto_mac_finish(struct crypto_mac *mac, struct bytes *ret_code)
{
    KEEP_ERROR_QUEUE;
    uint8_t code[HASH_MAX_SIZE];
    struct bytes copy = {0};
    CK_RV rv = finish(mac, code);
    if (rv == CKR_OK)
        rv = bytes_copy(&copy, view_of(code, mac->size));
    OPENSSL_cleanse(code, sizeof(code));
    if (rv == CKR_OK)
        *ret_code = copy;
    return rv;
}

void crypto_mac_free(struct crypto_mac *mac)
{
    if (!mac || !crypto_alive())
        return;
    EVP_MAC_CTX_free(mac->context);
    free(mac);
}

/* HMAC over parts, one after the other. */
static CK_RV hmac_parts(enum hash hash, struct view key, const struct view *parts, size_t count,
                        uint8_t out[HASH_MAX_SIZE])
{
    CLEANUP(mac_cleanup) struct crypto_mac *mac = NULL;
    if (hash == HASH_NONE)
        return CKR_MECHANISM_INVALID;
    CK_RV rv = crypto_mac_new(hash, key, &mac);
    for (size_t i = 0; rv == CKR_OK && i < count; i++)
        rv = crypto_mac_update(mac, parts[i]);
    if (rv == CKR_OK)
        rv = finish(mac, out);
    return rv;
}

CK_RV crypto_hmac(enum hash hash, struct view key, struct view data, uint8_t out[HASH_MAX_SIZE])
{
    KEEP_ERROR_QUEUE;
    return hmac_parts(hash, key, &data, 1, out);
}

/* One block of a KDF that counts its blocks from 1; `previous` is the one before. */
typedef CK_RV kdf_block(const void *parameters, struct view secret, uint32_t counter,
                        struct view previous, uint8_t out[HASH_MAX_SIZE]);

static CK_RV run_kdf(kdf_block *block, const void *parameters, struct view secret, size_t step,
                     size_t size, struct bytes *ret_key)
{
    uint8_t part[HASH_MAX_SIZE];
    CLEANUP(bytes_free) struct bytes key = {0};
    CK_RV rv = size > KDF_MAX_SIZE ? CKR_MECHANISM_PARAM_INVALID : bytes_alloc(&key, size);
    struct view previous = {0};
    uint32_t counter = 1;
    for (size_t done = 0; rv == CKR_OK && done < size; done += step, counter++) {
        rv = block(parameters, secret, counter, previous, part);
        if (rv == CKR_OK)
            memcpy(key.data + done, part, size - done < step ? size - done : step);
        previous = view_of(key.data + done, step);
    }
    OPENSSL_cleanse(part, sizeof(part));
    if (rv != CKR_OK)
        return rv;
    *ret_key = key;
    key = (struct bytes){0};
    return CKR_OK;
}

/* RFC 5869, 2.3: T(i) = HMAC(PRK, T(i - 1) || info || i). */
static CK_RV hkdf_block(const void *parameters, struct view secret, uint32_t counter,
                        struct view previous, uint8_t out[HASH_MAX_SIZE])
{
    const struct hkdf *hkdf = parameters;
    const uint8_t number = (uint8_t)counter;
    const struct view parts[] = {previous, hkdf->info, view_of(&number, 1)};
    return hmac_parts(hkdf->hash, secret, parts, ARRAY_SIZE(parts), out);
}

CK_RV crypto_hkdf(const struct hkdf *hkdf, struct view key, size_t size, struct bytes *ret_key)
{
    KEEP_ERROR_QUEUE;
    size_t step = hash_size(hkdf->hash);
    if (step == 0 || (!hkdf->extract && !hkdf->expand))
        return CKR_MECHANISM_PARAM_INVALID;
    if (hkdf->expand ? size > 255 * step : size != step)
        return CKR_MECHANISM_PARAM_INVALID;
    uint8_t extracted[HASH_MAX_SIZE];
    struct bytes derived = {0};
    CK_RV rv = CKR_OK;
    if (hkdf->extract) {
        rv = crypto_hmac(hkdf->hash, hkdf->salt, key, extracted);
        key = view_of(extracted, step);
    }
    if (rv == CKR_OK)
        rv = hkdf->expand ? run_kdf(hkdf_block, hkdf, key, step, size, &derived)
                          : bytes_copy(&derived, key);
    OPENSSL_cleanse(extracted, sizeof(extracted));
    if (rv == CKR_OK)
        *ret_key = derived;
    return rv;
}

struct x963 {
    enum hash hash;
    struct view shared;
};

/* ANSI X9.63, 5.6.3: K(i) = Hash(Z || i || SharedInfo). */
static CK_RV x963_block(const void *parameters, struct view secret, uint32_t counter,
                        UNUSED struct view previous, uint8_t out[HASH_MAX_SIZE])
{
    const struct x963 *x963 = parameters;
    const uint8_t number[4] = {(uint8_t)(counter >> 24), (uint8_t)(counter >> 16),
                               (uint8_t)(counter >> 8), (uint8_t)counter};
    struct crypto_digest *digest = NULL;
    CK_RV rv = crypto_digest_new(x963->hash, &digest);
    if (rv == CKR_OK)
        rv = crypto_digest_update(digest, secret);
    if (rv == CKR_OK)
        rv = crypto_digest_update(digest, view_of(number, sizeof(number)));
    if (rv == CKR_OK)
        rv = crypto_digest_update(digest, x963->shared);
    if (rv == CKR_OK)
        rv = crypto_digest_finish(digest, out);
    crypto_digest_free(digest);
    return rv;
}

CK_RV crypto_x963_kdf(enum hash hash, struct view secret, struct view shared, size_t size,
                      struct bytes *ret_key)
{
    KEEP_ERROR_QUEUE;
    const struct x963 x963 = {.hash = hash, .shared = shared};
    if (hash_size(hash) == 0)
        return CKR_MECHANISM_PARAM_INVALID;
    return run_kdf(x963_block, &x963, secret, hash_size(hash), size, ret_key);
}
