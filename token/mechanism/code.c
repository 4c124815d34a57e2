#include "token/mechanism/code.h"

#include <stdlib.h>
#include <string.h>

#include "token/crypto/mac.h"
#include "token/key/make.h"
#include "token/mechanism/collect.h"

#define SIZE BLOCK_MODE_SIZE

/* software: all of it. Otherwise of the key. */
struct code {
    struct crypto_mac *software;
    struct key *key;
    enum hash hash;
    struct collected message;
};

static CK_RV new_software(struct code *code, const struct mechanism *mechanism)
{
    struct bytes value CLEANUP(bytes_free) = {0};
    CK_RV rv = key_secret_value(code->key, &value);
    if (rv == CKR_OK && (value.size < mechanism->min_size || value.size > mechanism->max_size))
        rv = CKR_KEY_SIZE_RANGE;
    return rv != CKR_OK ? rv : crypto_mac_new(mechanism->hash, bytes_view(&value), &code->software);
}

static CK_RV new_kept(struct code *code)
{
    struct bytes none CLEANUP(bytes_free) = {0};
    const struct scheme scheme = {.hash = code->hash};
    bool aes = key_public(code->key)->algorithm == KEY_ALGORITHM_AES;
    if (aes != (code->hash == HASH_NONE))
        return CKR_KEY_TYPE_INCONSISTENT;
    /* It says in the log why there is no value. */
    return aes || key_can(code->key, KEY_USE_MAC, &scheme) ? CKR_OK
                                                           : key_secret_value(code->key, &none);
}

CK_RV code_new(const struct mechanism *mechanism, struct key *key, struct code **ret_code)
{
    struct code *code = calloc(1, sizeof(*code));
    if (!code)
        return CKR_HOST_MEMORY;
    code->hash = mechanism->hash;
    code->key = key_ref(key);
    CK_RV rv = key_keeps_value(key) ? new_kept(code) : new_software(code, mechanism);
    if (rv != CKR_OK) {
        code_free(code);
        return rv;
    }
    *ret_code = code;
    return CKR_OK;
}

void code_free(struct code *code)
{
    if (!code)
        return;
    crypto_mac_free(code->software);
    key_unref(code->key);
    collected_free(&code->message);
    free(code);
}

CK_RV code_update(struct code *code, struct view data)
{
    return code->software ? crypto_mac_update(code->software, data)
                          : collect(&code->message, data, CODE_MAX_COLLECTED);
}

/* NIST SP 800-38B, 6.1: twice the block, as a polynomial. */
static void double_block(uint8_t block[SIZE])
{
    uint8_t carry = block[0] >> 7;
    for (size_t i = 0; i + 1 < SIZE; i++)
        block[i] = (uint8_t)(block[i] << 1 | block[i + 1] >> 7);
    block[SIZE - 1] = (uint8_t)(block[SIZE - 1] << 1 ^ carry * 0x87);
}

/* 6.2, with CBC from an initial block of zeros, whose last block is the code. */
static CK_RV cmac(struct code *code, struct bytes *ret_bytes)
{
    uint8_t subkey[SIZE] = {0}, chain[SIZE] = {0};
    struct bytes blocks CLEANUP(bytes_free) = {0};
    struct view message = collected_view(&code->message);
    bool whole = message.size && message.size % SIZE == 0;
    CK_RV rv =
        bytes_alloc(&blocks, whole ? message.size : message.size - message.size % SIZE + SIZE);
    if (rv == CKR_OK)
        rv = key_cipher(code->key, BLOCK_MODE_ECB, true, chain, view_of(subkey, SIZE), subkey);
    if (rv != CKR_OK)
        return rv;
    if (message.size)
        memcpy(blocks.data, message.data, message.size);
    if (!whole)
        blocks.data[message.size] = 0x80;
    for (unsigned i = 0; i < (whole ? 1 : 2); i++)
        double_block(subkey);
    for (size_t i = 0; i < SIZE; i++)
        blocks.data[blocks.size - SIZE + i] ^= subkey[i];
    explicit_bzero(subkey, sizeof(subkey));
    memset(chain, 0, sizeof(chain));
    rv = key_cipher(code->key, BLOCK_MODE_CBC, true, chain, bytes_view(&blocks), blocks.data);
    return rv != CKR_OK ? rv
                        : bytes_copy(ret_bytes, view_of(blocks.data + blocks.size - SIZE, SIZE));
}

CK_RV code_finish(struct code *code, struct bytes *ret_bytes)
{
    if (code->software)
        return crypto_mac_finish(code->software, ret_bytes);
    return code->hash == HASH_NONE
               ? cmac(code, ret_bytes)
               : key_mac(code->key, code->hash, collected_view(&code->message), ret_bytes);
}
