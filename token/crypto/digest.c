#include "token/crypto/digest.h"

#include <stdlib.h>

#include <openssl/rand.h>

#include "token/crypto/library.h"
#include "token/crypto/openssl.h"

struct crypto_digest {
    EVP_MD_CTX *context;
    bool finished;
};

CK_RV crypto_digest_new(enum hash hash, struct crypto_digest **ret_digest)
{
    KEEP_ERROR_QUEUE;
    const EVP_MD *md = crypto_md(hash);
    if (!md)
        return CKR_MECHANISM_INVALID;
    struct crypto_digest *digest = calloc(1, sizeof(*digest));
    if (!digest)
        return CKR_HOST_MEMORY;
    digest->context = EVP_MD_CTX_new();
    if (!digest->context || EVP_DigestInit_ex2(digest->context, md, NULL) != 1) {
        crypto_digest_free(digest);
        return CKR_HOST_MEMORY;
    }
    *ret_digest = digest;
    return CKR_OK;
}

CK_RV crypto_digest_update(struct crypto_digest *digest, struct view data)
{
    KEEP_ERROR_QUEUE;
    if (digest->finished)
        return CKR_FUNCTION_FAILED;
    if (data.size && EVP_DigestUpdate(digest->context, data.data, data.size) != 1)
        return CKR_FUNCTION_FAILED;
    return CKR_OK;
}

CK_RV crypto_digest_finish(struct crypto_digest *digest, uint8_t out[HASH_MAX_SIZE])
{
    KEEP_ERROR_QUEUE;
    if (digest->finished)
        return CKR_FUNCTION_FAILED;
    digest->finished = true;
    return EVP_DigestFinal_ex(digest->context, out, NULL) == 1 ? CKR_OK : CKR_FUNCTION_FAILED;
}

void crypto_digest_free(struct crypto_digest *digest)
{
    if (!digest || !crypto_alive())
        return;
    EVP_MD_CTX_free(digest->context);
    free(digest);
}

CK_RV crypto_digest_copy(const struct crypto_digest *digest, struct crypto_digest **ret_copy)
{
    KEEP_ERROR_QUEUE;
    if (digest->finished)
        return CKR_FUNCTION_FAILED;
    struct crypto_digest *copy = calloc(1, sizeof(*copy));
    if (!copy)
        return CKR_HOST_MEMORY;
    copy->context = EVP_MD_CTX_new();
    if (!copy->context || EVP_MD_CTX_copy_ex(copy->context, digest->context) != 1) {
        crypto_digest_free(copy);
        return CKR_HOST_MEMORY;
    }
    *ret_copy = copy;
    return CKR_OK;
}

CK_RV crypto_hash(enum hash hash, struct view data, uint8_t out[HASH_MAX_SIZE])
{
    KEEP_ERROR_QUEUE;
    const EVP_MD *md = crypto_md(hash);
    if (!md)
        return CKR_MECHANISM_INVALID;
    CLEANUP(EVP_MD_CTX_drop) EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (!context || EVP_DigestInit_ex2(context, md, NULL) != 1)
        return CKR_HOST_MEMORY;
    if (data.size && EVP_DigestUpdate(context, data.data, data.size) != 1)
        return CKR_FUNCTION_FAILED;
    return EVP_DigestFinal_ex(context, out, NULL) == 1 ? CKR_OK : CKR_FUNCTION_FAILED;
}

CK_RV crypto_random(uint8_t *out, size_t size)
{
    KEEP_ERROR_QUEUE;
    OSSL_LIB_CTX *context = crypto_context();
    if (!context)
        return CKR_HOST_MEMORY;
    if (size && RAND_bytes_ex(context, out, size, 0) != 1)
        return CKR_FUNCTION_FAILED;
    return CKR_OK;
}

/* RAND_seed would stir the host's generator. The generators of the threads take
 * fresh seed from the primary one as soon as that was reseeded. */
CK_RV crypto_random_seed(struct view seed)
{
    KEEP_ERROR_QUEUE;
    OSSL_LIB_CTX *context = crypto_context();
    if (!context)
        return CKR_HOST_MEMORY;
    if (seed.size == 0)
        return CKR_OK;
    EVP_RAND_CTX *primary = RAND_get0_primary(context);
    if (!primary || EVP_RAND_reseed(primary, 0, NULL, 0, seed.data, seed.size) != 1)
        return CKR_FUNCTION_FAILED;
    return CKR_OK;
}
