#include "token/crypto/cipher.h"

#include <stdlib.h>
#include <string.h>

#include "token/crypto/library.h"
#include "token/crypto/openssl.h"

#define BLOCK_SIZE 16
#define TAG_MIN_SIZE 4
#define TAG_MAX_SIZE 16
#define COLLECTED_MAX_SIZE (64 * 1024 * 1024)
#define INPUT_MAX_SIZE (1024 * 1024 * 1024)

/* held: bytes of the input that have not come out yet. collected: all the input of a GCM
 * decryption, whose last bytes are the tag; its memory has room for more. */
struct crypto_cipher {
    EVP_CIPHER_CTX *context;
    enum cipher cipher;
    bool encrypt;
    bool finished;
    size_t tag_size;
    size_t held;
    struct bytes collected;
    size_t collected_size;
};

static const char *const names[][3] = {
    [CIPHER_AES_ECB] = {"AES-128-ECB", "AES-192-ECB", "AES-256-ECB"},
    [CIPHER_AES_CBC] = {"AES-128-CBC", "AES-192-CBC", "AES-256-CBC"},
    [CIPHER_AES_CBC_PAD] = {"AES-128-CBC", "AES-192-CBC", "AES-256-CBC"},
    [CIPHER_AES_CTR] = {"AES-128-CTR", "AES-192-CTR", "AES-256-CTR"},
    [CIPHER_AES_GCM] = {"AES-128-GCM", "AES-192-GCM", "AES-256-GCM"},
};

static void cipher_cleanup(struct crypto_cipher **cipher)
{
    crypto_cipher_free(*cipher);
    *cipher = NULL;
}

static bool in_blocks(const struct crypto_cipher *cipher)
{
    return cipher->cipher == CIPHER_AES_ECB || cipher->cipher == CIPHER_AES_CBC ||
           cipher->cipher == CIPHER_AES_CBC_PAD;
}

static bool collects(const struct crypto_cipher *cipher)
{
    return cipher->cipher == CIPHER_AES_GCM && !cipher->encrypt;
}

static bool parameters_fit(enum cipher cipher, const struct cipher_parameters *parameters)
{
    switch (cipher) {
    case CIPHER_AES_ECB:
        return parameters->iv.size == 0;
    case CIPHER_AES_GCM:
        return parameters->iv.size >= 1 && parameters->iv.size <= CIPHER_GCM_MAX_IV_SIZE &&
               parameters->associated.size <= INPUT_MAX_SIZE &&
               parameters->tag_size >= TAG_MIN_SIZE && parameters->tag_size <= TAG_MAX_SIZE;
    default:
        return parameters->iv.size == BLOCK_SIZE;
    }
}

static CK_RV fetch(const char *const sizes[3], size_t key_size, EVP_CIPHER **ret_method)
{
    if (key_size != 16 && key_size != 24 && key_size != 32)
        return CKR_KEY_SIZE_RANGE;
    if (!crypto_context())
        return CKR_HOST_MEMORY;
    EVP_CIPHER *method = EVP_CIPHER_fetch(crypto_context(), sizes[key_size / 8 - 2], NULL);
    if (!method)
        return CKR_MECHANISM_INVALID;
    *ret_method = method;
    return CKR_OK;
}

static CK_RV start_gcm(struct crypto_cipher *cipher, struct view key,
                       const struct cipher_parameters *parameters)
{
    int ignored = 0;
    if (EVP_CIPHER_CTX_ctrl(cipher->context, EVP_CTRL_AEAD_SET_IVLEN, (int)parameters->iv.size,
                            NULL) != 1)
        return CKR_MECHANISM_PARAM_INVALID;
    if (EVP_CipherInit_ex2(cipher->context, NULL, key.data, parameters->iv.data, cipher->encrypt,
                           NULL) != 1)
        return CKR_FUNCTION_FAILED;
    if (parameters->associated.size &&
        EVP_CipherUpdate(cipher->context, NULL, &ignored, parameters->associated.data,
                         (int)parameters->associated.size) != 1)
        return CKR_FUNCTION_FAILED;
    cipher->tag_size = parameters->tag_size;
    return CKR_OK;
}

static CK_RV start(struct crypto_cipher *cipher, struct view key,
                   const struct cipher_parameters *parameters)
{
    CLEANUP(EVP_CIPHER_drop) EVP_CIPHER *method = NULL;
    CK_RV rv = fetch(names[cipher->cipher], key.size, &method);
    if (rv != CKR_OK)
        return rv;
    cipher->context = EVP_CIPHER_CTX_new();
    if (!cipher->context ||
        EVP_CipherInit_ex2(cipher->context, method, NULL, NULL, cipher->encrypt, NULL) != 1)
        return CKR_HOST_MEMORY;
    if (cipher->cipher == CIPHER_AES_GCM)
        return start_gcm(cipher, key, parameters);
    if (EVP_CipherInit_ex2(cipher->context, NULL, key.data, parameters->iv.data, cipher->encrypt,
                           NULL) != 1 ||
        EVP_CIPHER_CTX_set_padding(cipher->context, cipher->cipher == CIPHER_AES_CBC_PAD) != 1)
        return CKR_FUNCTION_FAILED;
    return CKR_OK;
}

CK_RV crypto_cipher_new(enum cipher cipher, bool encrypt, struct view key,
                        const struct cipher_parameters *parameters,
                        struct crypto_cipher **ret_cipher)
{
    KEEP_ERROR_QUEUE;
    if ((size_t)cipher >= ARRAY_SIZE(names))
        return CKR_MECHANISM_INVALID;
    if (!parameters_fit(cipher, parameters))
        return CKR_MECHANISM_PARAM_INVALID;
    CLEANUP(cipher_cleanup) struct crypto_cipher *made = calloc(1, sizeof(*made));
    if (!made)
        return CKR_HOST_MEMORY;
    made->cipher = cipher;
    made->encrypt = encrypt;
    CK_RV rv = start(made, key, parameters);
    if (rv != CKR_OK)
        return rv;
    *ret_cipher = made;
    made = NULL;
    return CKR_OK;
}

static CK_RV length_error(const struct crypto_cipher *cipher)
{
    return cipher->encrypt ? CKR_DATA_LEN_RANGE : CKR_ENCRYPTED_DATA_LEN_RANGE;
}

/* What an update with this much makes. A padded decryption holds the last whole block
 * back, since it may be the end. */
static size_t update_size(const struct crypto_cipher *cipher, size_t in_size)
{
    if (collects(cipher))
        return 0;
    if (!in_blocks(cipher))
        return in_size;
    size_t whole = (cipher->held + in_size) / BLOCK_SIZE * BLOCK_SIZE;
    if (cipher->cipher == CIPHER_AES_CBC_PAD && !cipher->encrypt && whole &&
        whole == cipher->held + in_size)
        whole -= BLOCK_SIZE;
    return whole;
}

size_t crypto_cipher_output_size(const struct crypto_cipher *cipher, size_t in_size, bool last)
{
    if (in_size > INPUT_MAX_SIZE)
        in_size = INPUT_MAX_SIZE;
    if (!last)
        return update_size(cipher, in_size);
    size_t total = cipher->held + in_size;
    if (collects(cipher)) {
        total = cipher->collected_size + in_size;
        return total > cipher->tag_size ? total - cipher->tag_size : 0;
    }
    if (cipher->cipher == CIPHER_AES_GCM)
        return in_size + cipher->tag_size;
    if (cipher->cipher != CIPHER_AES_CBC_PAD)
        return update_size(cipher, in_size);
    if (cipher->encrypt)
        return (total / BLOCK_SIZE + 1) * BLOCK_SIZE;
    return total ? total - 1 : 0;
}

/* Room for `size` more bytes behind `out`, whose own bytes stay the first. */
static CK_RV grow(struct bytes *out, size_t size)
{
    struct bytes grown = {0};
    CK_RV rv = bytes_alloc(&grown, out->size + size);
    if (rv != CKR_OK)
        return rv;
    if (out->size)
        memcpy(grown.data, out->data, out->size);
    bytes_free(out);
    *out = grown;
    return CKR_OK;
}

static void shrink(struct bytes *out, size_t size)
{
    OPENSSL_cleanse(out->data + size, out->size - size);
    out->size = size;
}

static CK_RV transform(struct crypto_cipher *cipher, struct view in, struct bytes *out)
{
    size_t before = out->size, expected = update_size(cipher, in.size);
    int made = 0;
    CK_RV rv = grow(out, in.size + BLOCK_SIZE);
    if (rv != CKR_OK)
        return rv;
    if (EVP_CipherUpdate(cipher->context, out->data + before, &made, in.data, (int)in.size) != 1 ||
        made < 0 || (size_t)made != expected) {
        shrink(out, before);
        return CKR_FUNCTION_FAILED;
    }
    shrink(out, before + expected);
    if (in_blocks(cipher))
        cipher->held += in.size - expected;
    return CKR_OK;
}

static CK_RV collect(struct crypto_cipher *cipher, struct view in)
{
    size_t needed = cipher->collected_size + in.size, room = cipher->collected.size;
    CK_RV rv = CKR_OK;
    if (needed > COLLECTED_MAX_SIZE)
        return CKR_ENCRYPTED_DATA_LEN_RANGE;
    if (needed > room)
        rv = grow(&cipher->collected, (needed > 2 * room ? needed : 2 * room) - room);
    if (rv != CKR_OK)
        return rv;
    memcpy(cipher->collected.data + cipher->collected_size, in.data, in.size);
    cipher->collected_size = needed;
    return CKR_OK;
}

CK_RV crypto_cipher_update(struct crypto_cipher *cipher, struct view in, struct bytes *out)
{
    KEEP_ERROR_QUEUE;
    if (cipher->finished)
        return CKR_FUNCTION_FAILED;
    if (in.size > INPUT_MAX_SIZE)
        return length_error(cipher);
    if (in.size == 0)
        return CKR_OK;
    return collects(cipher) ? collect(cipher, in) : transform(cipher, in, out);
}

static CK_RV finish_blocks(struct crypto_cipher *cipher, struct bytes *out)
{
    uint8_t rest[2 * BLOCK_SIZE];
    int made = 0;
    bool padded = cipher->cipher == CIPHER_AES_CBC_PAD;
    if (padded && !cipher->encrypt ? cipher->held != BLOCK_SIZE : !padded && cipher->held)
        return length_error(cipher);
    if (EVP_CipherFinal_ex(cipher->context, rest, &made) != 1)
        return cipher->encrypt ? CKR_FUNCTION_FAILED : CKR_ENCRYPTED_DATA_INVALID;
    CK_RV rv = bytes_append(out, view_of(rest, (size_t)made), SIZE_MAX);
    OPENSSL_cleanse(rest, sizeof(rest));
    return rv;
}

static CK_RV finish_gcm_encryption(struct crypto_cipher *cipher, struct bytes *out)
{
    uint8_t rest[BLOCK_SIZE], tag[TAG_MAX_SIZE];
    int made = 0;
    if (EVP_CipherFinal_ex(cipher->context, rest, &made) != 1 ||
        EVP_CIPHER_CTX_ctrl(cipher->context, EVP_CTRL_AEAD_GET_TAG, (int)cipher->tag_size, tag) !=
            1)
        return CKR_FUNCTION_FAILED;
    return bytes_append(out, view_of(tag, cipher->tag_size), SIZE_MAX);
}

static CK_RV finish_gcm_decryption(struct crypto_cipher *cipher, struct bytes *out)
{
    uint8_t rest[BLOCK_SIZE];
    int made = 0;
    if (cipher->collected_size < cipher->tag_size)
        return CKR_ENCRYPTED_DATA_LEN_RANGE;
    size_t size = cipher->collected_size - cipher->tag_size;
    CLEANUP(bytes_free) struct bytes plain = {0};
    CK_RV rv = bytes_alloc(&plain, size);
    if (rv != CKR_OK)
        return rv;
    if (size && EVP_CipherUpdate(cipher->context, plain.data, &made, cipher->collected.data,
                                 (int)size) != 1)
        return CKR_FUNCTION_FAILED;
    if (EVP_CIPHER_CTX_ctrl(cipher->context, EVP_CTRL_AEAD_SET_TAG, (int)cipher->tag_size,
                            cipher->collected.data + size) != 1)
        return CKR_FUNCTION_FAILED;
    if (EVP_CipherFinal_ex(cipher->context, rest, &made) != 1)
        return CKR_ENCRYPTED_DATA_INVALID;
    return bytes_append(out, bytes_view(&plain), SIZE_MAX);
}

CK_RV crypto_cipher_finish(struct crypto_cipher *cipher, struct bytes *out)
{
    KEEP_ERROR_QUEUE;
    if (cipher->finished)
        return CKR_FUNCTION_FAILED;
    cipher->finished = true;
    if (in_blocks(cipher))
        return finish_blocks(cipher, out);
    if (cipher->cipher != CIPHER_AES_GCM)
        return CKR_OK;
    return cipher->encrypt ? finish_gcm_encryption(cipher, out)
                           : finish_gcm_decryption(cipher, out);
}

void crypto_cipher_free(struct crypto_cipher *cipher)
{
    if (!cipher)
        return;
    bytes_free(&cipher->collected);
    if (!crypto_alive())
        return;
    EVP_CIPHER_CTX_free(cipher->context);
    free(cipher);
}
