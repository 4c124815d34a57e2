#include "token/mechanism/aes.h"

#include <stdlib.h>
#include <string.h>

#include "token/key/make.h"

#define SIZE BLOCK_MODE_SIZE
#define MAX_PART ((size_t)1 << 30)

/* software: all of it. Otherwise of the key: held are bytes that make no whole block yet,
 * or the last one of a padded text; stream is what the last block of CTR has left over, at
 * its end. */
struct aes {
    struct crypto_cipher *software;
    struct key *key;
    enum cipher cipher;
    bool encrypt;
    uint8_t chain[SIZE];
    uint8_t held[SIZE];
    size_t held_size;
    uint8_t stream[SIZE];
    size_t stream_left;
};

static CK_RV new_software(struct aes *aes, const struct cipher_parameters *parameters)
{
    struct bytes value CLEANUP(bytes_free) = {0};
    CK_RV rv = key_secret_value(aes->key, &value);
    return rv != CKR_OK ? rv
                        : crypto_cipher_new(aes->cipher, aes->encrypt, bytes_view(&value),
                                            parameters, &aes->software);
}

static CK_RV new_kept(struct aes *aes, const struct cipher_parameters *parameters)
{
    struct bytes none CLEANUP(bytes_free) = {0};
    size_t iv_size = aes->cipher == CIPHER_AES_ECB ? 0 : SIZE;
    /* It says in the log why there is no value. */
    if (aes->cipher == CIPHER_AES_GCM)
        return key_secret_value(aes->key, &none);
    if (key_public(aes->key)->algorithm != KEY_ALGORITHM_AES)
        return CKR_KEY_TYPE_INCONSISTENT;
    if (parameters->iv.size != iv_size)
        return CKR_MECHANISM_PARAM_INVALID;
    if (iv_size)
        memcpy(aes->chain, parameters->iv.data, iv_size);
    return CKR_OK;
}

CK_RV aes_new(enum cipher cipher, bool encrypt, struct key *key,
              const struct cipher_parameters *parameters, struct aes **ret_aes)
{
    if (!key)
        return CKR_KEY_TYPE_INCONSISTENT;
    struct aes *aes = calloc(1, sizeof(*aes));
    if (!aes)
        return CKR_HOST_MEMORY;
    aes->cipher = cipher;
    aes->encrypt = encrypt;
    aes->key = key_ref(key);
    CK_RV rv = key_keeps_value(key) ? new_kept(aes, parameters) : new_software(aes, parameters);
    if (rv != CKR_OK) {
        aes_free(aes);
        return rv;
    }
    *ret_aes = aes;
    return CKR_OK;
}

void aes_free(struct aes *aes)
{
    if (!aes)
        return;
    crypto_cipher_free(aes->software);
    key_unref(aes->key);
    explicit_bzero(aes, sizeof(*aes));
    free(aes);
}

static enum block_mode mode_of(const struct aes *aes)
{
    return aes->cipher == CIPHER_AES_ECB   ? BLOCK_MODE_ECB
           : aes->cipher == CIPHER_AES_CTR ? BLOCK_MODE_CTR
                                           : BLOCK_MODE_CBC;
}

static bool keeps_last(const struct aes *aes)
{
    return aes->cipher == CIPHER_AES_CBC_PAD && !aes->encrypt;
}

static CK_RV length_error(const struct aes *aes)
{
    return aes->encrypt ? CKR_DATA_LEN_RANGE : CKR_ENCRYPTED_DATA_LEN_RANGE;
}

static size_t update_size(const struct aes *aes, size_t in_size)
{
    if (aes->cipher == CIPHER_AES_CTR)
        return in_size;
    size_t total = aes->held_size + in_size;
    size_t whole = total - total % SIZE;
    return keeps_last(aes) && whole && whole == total ? whole - SIZE : whole;
}

size_t aes_output_size(const struct aes *aes, size_t in_size, bool last)
{
    if (aes->software)
        return crypto_cipher_output_size(aes->software, in_size, last);
    if (in_size > MAX_PART)
        in_size = MAX_PART;
    size_t total = aes->held_size + in_size;
    if (!last || aes->cipher != CIPHER_AES_CBC_PAD)
        return update_size(aes, in_size);
    return aes->encrypt ? total - total % SIZE + SIZE : total ? total - 1 : 0;
}

static CK_RV run(struct aes *aes, struct bytes *blocks)
{
    return key_cipher(aes->key, mode_of(aes), aes->encrypt, aes->chain, bytes_view(blocks),
                      blocks->data);
}

/* What is held and the beginning of the input make whole blocks; the rest is held. */
static CK_RV update_blocks(struct aes *aes, struct view in, struct bytes *out)
{
    struct bytes blocks CLEANUP(bytes_free) = {0};
    size_t size = update_size(aes, in.size);
    size_t taken = size > aes->held_size ? size - aes->held_size : 0;
    if (size) {
        CK_RV rv = bytes_alloc(&blocks, size);
        if (rv != CKR_OK)
            return rv;
        memcpy(blocks.data, aes->held, aes->held_size);
        memcpy(blocks.data + aes->held_size, in.data, taken);
        rv = run(aes, &blocks);
        if (rv == CKR_OK)
            rv = bytes_append(out, bytes_view(&blocks), SIZE_MAX);
        if (rv != CKR_OK)
            return rv;
        aes->held_size = 0;
    }
    memcpy(aes->held + aes->held_size, in.data + taken, in.size - taken);
    aes->held_size += in.size - taken;
    return CKR_OK;
}

/* Of a block that is not whole, the zeros behind it show what is left of the key stream. */
static CK_RV update_stream(struct aes *aes, struct view in, struct bytes *out)
{
    struct bytes blocks CLEANUP(bytes_free) = {0};
    uint8_t first[SIZE];
    size_t head = in.size < aes->stream_left ? in.size : aes->stream_left, rest = in.size - head;
    for (size_t i = 0; i < head; i++)
        first[i] = in.data[i] ^ aes->stream[SIZE - aes->stream_left + i];
    CK_RV rv = bytes_append(out, view_of(first, head), SIZE_MAX);
    explicit_bzero(first, sizeof(first));
    aes->stream_left -= head;
    if (rv != CKR_OK || !rest)
        return rv;
    rv = bytes_alloc(&blocks, (rest + SIZE - 1) / SIZE * SIZE);
    if (rv != CKR_OK)
        return rv;
    memcpy(blocks.data, in.data + head, rest);
    rv = run(aes, &blocks);
    if (rv == CKR_OK)
        rv = bytes_append(out, view_of(blocks.data, rest), SIZE_MAX);
    if (rv != CKR_OK)
        return rv;
    memcpy(aes->stream, blocks.data + blocks.size - SIZE, SIZE);
    aes->stream_left = blocks.size - rest;
    return CKR_OK;
}

CK_RV aes_update(struct aes *aes, struct view in, struct bytes *out)
{
    if (aes->software)
        return crypto_cipher_update(aes->software, in, out);
    if (in.size > MAX_PART)
        return length_error(aes);
    if (!in.size)
        return CKR_OK;
    return aes->cipher == CIPHER_AES_CTR ? update_stream(aes, in, out)
                                         : update_blocks(aes, in, out);
}

static CK_RV pad(struct aes *aes, struct bytes *out)
{
    uint8_t missing = (uint8_t)(SIZE - aes->held_size);
    memset(aes->held + aes->held_size, missing, missing);
    CK_RV rv =
        key_cipher(aes->key, BLOCK_MODE_CBC, true, aes->chain, view_of(aes->held, SIZE), aes->held);
    return rv != CKR_OK ? rv : bytes_append(out, view_of(aes->held, SIZE), SIZE_MAX);
}

/* PKCS #7, looked at without a branch: which byte is wrong must not show. */
static bool padding_fits(const uint8_t block[SIZE])
{
    unsigned size = block[SIZE - 1], wrong = (size - 1) >> 4;
    for (unsigned i = 0; i < SIZE; i++) {
        unsigned is_padding = ((SIZE - 1 - i) - size) >> 31;
        wrong |= is_padding * (block[i] ^ size);
    }
    return wrong == 0;
}

static CK_RV unpad(struct aes *aes, struct bytes *out)
{
    if (aes->held_size != SIZE)
        return CKR_ENCRYPTED_DATA_LEN_RANGE;
    CK_RV rv = key_cipher(aes->key, BLOCK_MODE_CBC, false, aes->chain, view_of(aes->held, SIZE),
                          aes->held);
    if (rv != CKR_OK)
        return rv;
    if (!padding_fits(aes->held))
        return CKR_ENCRYPTED_DATA_INVALID;
    return bytes_append(out, view_of(aes->held, SIZE - aes->held[SIZE - 1]), SIZE_MAX);
}

CK_RV aes_finish(struct aes *aes, struct bytes *out)
{
    if (aes->software)
        return crypto_cipher_finish(aes->software, out);
    if (aes->cipher == CIPHER_AES_CBC_PAD)
        return aes->encrypt ? pad(aes, out) : unpad(aes, out);
    return aes->held_size ? length_error(aes) : CKR_OK;
}
