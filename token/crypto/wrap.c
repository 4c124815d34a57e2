#include <stdlib.h>

#include "token/crypto/cipher.h"
#include "token/crypto/digest.h"
#include "token/crypto/openssl.h"

#define WRAP_BLOCK_SIZE 8
#define WRAP_MAX_SIZE (1024 * 1024)
#define SEAL_NONCE_SIZE 12
#define SEAL_TAG_SIZE 16

static CK_RV fetch(bool pad, size_t key_size, EVP_CIPHER **ret_method)
{
    static const char *const names[2][3] = {
        {"AES-128-WRAP", "AES-192-WRAP", "AES-256-WRAP"},
        {"AES-128-WRAP-PAD", "AES-192-WRAP-PAD", "AES-256-WRAP-PAD"},
    };
    if (key_size != 16 && key_size != 24 && key_size != 32)
        return CKR_KEY_SIZE_RANGE;
    if (!crypto_context())
        return CKR_HOST_MEMORY;
    EVP_CIPHER *method = EVP_CIPHER_fetch(crypto_context(), names[pad][key_size / 8 - 2], NULL);
    if (!method)
        return CKR_MECHANISM_INVALID;
    *ret_method = method;
    return CKR_OK;
}

/* `refused` is the answer when OpenSSL refuses the input. */
static CK_RV run(struct view key, bool pad, bool wrap, struct view in, CK_RV refused,
                 struct bytes *ret_out)
{
    CLEANUP(EVP_CIPHER_drop) EVP_CIPHER *method = NULL;
    CLEANUP(bytes_free) struct bytes out = {0};
    int size = 0, rest = 0;
    CK_RV rv = fetch(pad, key.size, &method);
    if (rv == CKR_OK)
        rv = bytes_alloc(&out, in.size + 3 * WRAP_BLOCK_SIZE);
    if (rv != CKR_OK)
        return rv;
    CLEANUP(EVP_CIPHER_CTX_drop) EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    if (!context)
        return CKR_HOST_MEMORY;
    EVP_CIPHER_CTX_set_flags(context, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    if (EVP_CipherInit_ex2(context, method, key.data, NULL, wrap, NULL) != 1)
        return CKR_FUNCTION_FAILED;
    if (EVP_CipherUpdate(context, out.data, &size, in.data, (int)in.size) != 1 || size <= 0 ||
        EVP_CipherFinal_ex(context, out.data + size, &rest) != 1)
        return refused;
    struct bytes exact = {0};
    rv = bytes_copy(&exact, view_of(out.data, (size_t)size + (size_t)rest));
    if (rv == CKR_OK)
        *ret_out = exact;
    return rv;
}

CK_RV crypto_wrap(struct view key, bool pad, struct view plain, struct bytes *ret_wrapped)
{
    KEEP_ERROR_QUEUE;
    size_t least = pad ? 1 : 2 * WRAP_BLOCK_SIZE;
    if (plain.size < least || plain.size > WRAP_MAX_SIZE ||
        (!pad && plain.size % WRAP_BLOCK_SIZE != 0))
        return CKR_DATA_LEN_RANGE;
    return run(key, pad, true, plain, CKR_FUNCTION_FAILED, ret_wrapped);
}

CK_RV crypto_unwrap(struct view key, bool pad, struct view wrapped, struct bytes *ret_plain)
{
    KEEP_ERROR_QUEUE;
    size_t least = pad ? 2 * WRAP_BLOCK_SIZE : 3 * WRAP_BLOCK_SIZE;
    if (wrapped.size < least || wrapped.size > WRAP_MAX_SIZE + 2 * WRAP_BLOCK_SIZE ||
        wrapped.size % WRAP_BLOCK_SIZE != 0)
        return CKR_WRAPPED_KEY_LEN_RANGE;
    return run(key, pad, false, wrapped, CKR_WRAPPED_KEY_INVALID, ret_plain);
}

/* Runs the whole of `in` through AES-256-GCM, behind what `out` has. */
static CK_RV run_seal(bool encrypt, struct view key, struct view nonce, struct view associated,
                      struct view in, struct bytes *out)
{
    const struct cipher_parameters parameters = {
        .iv = nonce, .associated = associated, .tag_size = SEAL_TAG_SIZE};
    struct crypto_cipher *cipher = NULL;
    if (key.size != CRYPTO_SEAL_KEY_SIZE)
        return CKR_KEY_SIZE_RANGE;
    CK_RV rv = crypto_cipher_new(CIPHER_AES_GCM, encrypt, key, &parameters, &cipher);
    if (rv == CKR_OK)
        rv = crypto_cipher_update(cipher, in, out);
    if (rv == CKR_OK)
        rv = crypto_cipher_finish(cipher, out);
    crypto_cipher_free(cipher);
    return rv;
}

CK_RV crypto_seal(struct view key, struct view associated, struct view plain,
                  struct bytes *ret_sealed)
{
    uint8_t nonce[SEAL_NONCE_SIZE];
    CLEANUP(bytes_free) struct bytes sealed = {0};
    CK_RV rv = crypto_random(nonce, sizeof(nonce));
    if (rv == CKR_OK)
        rv = bytes_copy(&sealed, view_of(nonce, sizeof(nonce)));
    if (rv == CKR_OK)
        rv = run_seal(true, key, view_of(nonce, sizeof(nonce)), associated, plain, &sealed);
    if (rv != CKR_OK)
        return rv;
    *ret_sealed = sealed;
    sealed = (struct bytes){0};
    return CKR_OK;
}

CK_RV crypto_unseal(struct view key, struct view associated, struct view sealed,
                    struct bytes *ret_plain)
{
    if (sealed.size < SEAL_NONCE_SIZE + SEAL_TAG_SIZE)
        return CKR_DATA_INVALID;
    CLEANUP(bytes_free) struct bytes plain = {0};
    const struct view nonce = view_of(sealed.data, SEAL_NONCE_SIZE);
    const struct view rest = view_of(sealed.data + nonce.size, sealed.size - nonce.size);
    CK_RV rv = run_seal(false, key, nonce, associated, rest, &plain);
    if (rv == CKR_ENCRYPTED_DATA_INVALID || rv == CKR_ENCRYPTED_DATA_LEN_RANGE)
        return CKR_DATA_INVALID;
    if (rv != CKR_OK)
        return rv;
    *ret_plain = plain;
    plain = (struct bytes){0};
    return CKR_OK;
}
