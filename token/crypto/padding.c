#include "token/crypto/padding.h"

#include <string.h>

#include "token/crypto/digest.h"
#include "token/crypto/openssl.h"

#define DIGEST_INFO_PREFIX_MAX 19

/* SEQUENCE { SEQUENCE { hash OID, NULL }, OCTET STRING } up to the digest. */
static const struct {
    uint8_t size;
    uint8_t data[DIGEST_INFO_PREFIX_MAX];
} prefixes[] = {
    [HASH_SHA1] = {15,
                   {0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00,
                    0x04, 0x14}},
    [HASH_SHA224] = {19,
                     {0x30, 0x2d, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04,
                      0x02, 0x04, 0x05, 0x00, 0x04, 0x1c}},
    [HASH_SHA256] = {19,
                     {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04,
                      0x02, 0x01, 0x05, 0x00, 0x04, 0x20}},
    [HASH_SHA384] = {19,
                     {0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04,
                      0x02, 0x02, 0x05, 0x00, 0x04, 0x30}},
    [HASH_SHA512] = {19,
                     {0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04,
                      0x02, 0x03, 0x05, 0x00, 0x04, 0x40}},
    [HASH_SHA3_224] = {19,
                       {0x30, 0x2d, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03,
                        0x04, 0x02, 0x07, 0x05, 0x00, 0x04, 0x1c}},
    [HASH_SHA3_256] = {19,
                       {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03,
                        0x04, 0x02, 0x08, 0x05, 0x00, 0x04, 0x20}},
    [HASH_SHA3_384] = {19,
                       {0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03,
                        0x04, 0x02, 0x09, 0x05, 0x00, 0x04, 0x30}},
    [HASH_SHA3_512] = {19,
                       {0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03,
                        0x04, 0x02, 0x0a, 0x05, 0x00, 0x04, 0x40}},
};

CK_RV crypto_digest_info(enum hash hash, struct view digest, struct bytes *ret_info)
{
    if (hash == HASH_NONE || hash_size(hash) == 0)
        return CKR_MECHANISM_PARAM_INVALID;
    if (digest.size != hash_size(hash))
        return CKR_DATA_LEN_RANGE;
    struct bytes info = {0};
    CK_RV rv = bytes_alloc(&info, prefixes[hash].size + digest.size);
    if (rv != CKR_OK)
        return rv;
    memcpy(info.data, prefixes[hash].data, prefixes[hash].size);
    memcpy(info.data + prefixes[hash].size, digest.data, digest.size);
    *ret_info = info;
    return CKR_OK;
}

bool crypto_digest_info_parse(struct view info, enum hash *ret_hash, struct view *ret_digest)
{
    for (enum hash hash = HASH_SHA1; hash < ARRAY_SIZE(prefixes); hash++) {
        size_t prefix = prefixes[hash].size;
        if (info.size != prefix + hash_size(hash) ||
            memcmp(info.data, prefixes[hash].data, prefix) != 0)
            continue;
        *ret_hash = hash;
        *ret_digest = view_of(info.data + prefix, hash_size(hash));
        return true;
    }
    return false;
}

CK_RV crypto_pad_pkcs1(struct view input, size_t size, struct bytes *ret_block)
{
    if (size < 11 || input.size > size - 11)
        return CKR_DATA_LEN_RANGE;
    struct bytes block = {0};
    CK_RV rv = bytes_alloc(&block, size);
    if (rv != CKR_OK)
        return rv;
    memset(block.data, 0xff, size);
    block.data[0] = 0;
    block.data[1] = 1;
    block.data[size - input.size - 1] = 0;
    if (input.size)
        memcpy(block.data + size - input.size, input.data, input.size);
    *ret_block = block;
    return CKR_OK;
}

CK_RV crypto_pad_raw(struct view input, size_t size, struct bytes *ret_block)
{
    if (input.size > size)
        return CKR_DATA_LEN_RANGE;
    struct bytes block = {0};
    CK_RV rv = bytes_alloc(&block, size);
    if (rv != CKR_OK)
        return rv;
    if (input.size)
        memcpy(block.data + size - input.size, input.data, input.size);
    *ret_block = block;
    return CKR_OK;
}

/* Hashes up to three parts, one after the other. */
static CK_RV hash_parts(enum hash hash, const struct view parts[3], uint8_t out[HASH_MAX_SIZE])
{
    const EVP_MD *md = crypto_md(hash);
    if (!md)
        return CKR_MECHANISM_PARAM_INVALID;
    CLEANUP(EVP_MD_CTX_drop) EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (!context || EVP_DigestInit_ex2(context, md, NULL) != 1)
        return CKR_HOST_MEMORY;
    for (size_t i = 0; i < 3; i++)
        if (parts[i].size && EVP_DigestUpdate(context, parts[i].data, parts[i].size) != 1)
            return CKR_FUNCTION_FAILED;
    return EVP_DigestFinal_ex(context, out, NULL) == 1 ? CKR_OK : CKR_FUNCTION_FAILED;
}

/* XORs MGF1 of the seed (B.2.1) into the data. */
static CK_RV mask(enum hash hash, struct view seed, uint8_t *data, size_t size)
{
    uint8_t block[HASH_MAX_SIZE];
    size_t step = hash_size(hash), done = 0;
    CK_RV rv = CKR_OK;
    for (uint32_t counter = 0; rv == CKR_OK && done < size; counter++) {
        const uint8_t number[4] = {(uint8_t)(counter >> 24), (uint8_t)(counter >> 16),
                                   (uint8_t)(counter >> 8), (uint8_t)counter};
        const struct view parts[3] = {seed, view_of(number, sizeof(number))};
        rv = hash_parts(hash, parts, block);
        for (size_t i = 0; rv == CKR_OK && i < step && done < size; i++, done++)
            data[done] ^= block[i];
    }
    OPENSSL_cleanse(block, sizeof(block));
    return rv;
}

/* EM = maskedDB || H || 0xbc, where DB = zeros || 0x01 || salt. */
static CK_RV encode_pss(const struct scheme *scheme, struct view digest, unsigned em_bits,
                        uint8_t *em)
{
    static const uint8_t zeros[8];
    size_t em_size = (em_bits + 7) / 8, digest_size = digest.size;
    size_t db_size = em_size - digest_size - 1;
    uint8_t *salt = em + db_size - scheme->salt_size, hash[HASH_MAX_SIZE];

    CK_RV rv = crypto_random(salt, scheme->salt_size);
    if (rv != CKR_OK)
        return rv;
    const struct view parts[3] = {view_of(zeros, sizeof(zeros)), digest,
                                  view_of(salt, scheme->salt_size)};
    rv = hash_parts(scheme->hash, parts, hash);
    if (rv != CKR_OK)
        return rv;
    em[db_size - scheme->salt_size - 1] = 0x01;
    memcpy(em + db_size, hash, digest_size);
    em[em_size - 1] = 0xbc;
    rv = mask(scheme->mgf_hash, view_of(em + db_size, digest_size), em, db_size);
    em[0] &= (uint8_t)(0xff >> (8 * em_size - em_bits));
    return rv;
}

CK_RV crypto_pad_pss(const struct scheme *scheme, struct view digest, unsigned bits,
                     struct bytes *ret_block)
{
    KEEP_ERROR_QUEUE;
    size_t digest_size = hash_size(scheme->hash);
    if (digest_size == 0 || hash_size(scheme->mgf_hash) == 0)
        return CKR_MECHANISM_PARAM_INVALID;
    if (digest.size != digest_size)
        return CKR_DATA_LEN_RANGE;
    size_t size = (bits + 7) / 8, em_size = bits ? (bits - 1 + 7) / 8 : 0;
    if (em_size < digest_size + 2 || scheme->salt_size > em_size - digest_size - 2)
        return CKR_MECHANISM_PARAM_INVALID;
    CLEANUP(bytes_free) struct bytes block = {0};
    CK_RV rv = bytes_alloc(&block, size);
    if (rv != CKR_OK)
        return rv;
    rv = encode_pss(scheme, digest, bits - 1, block.data + size - em_size);
    if (rv != CKR_OK)
        return rv;
    *ret_block = block;
    block = (struct bytes){0};
    return CKR_OK;
}

/* Keeps the compiler from seeing that a mask is all ones or all zeros, from
 * which it could make a branch. */
static size_t opaque(size_t value)
{
    __asm__("" : "+r"(value));
    return value;
}

/* All ones if a equals b, else 0, without a branch. */
static size_t mask_equal(size_t a, size_t b)
{
    size_t difference = opaque(a ^ b);
    size_t top = (~difference & (difference - 1)) >> (8 * sizeof(size_t) - 1);
    return opaque((size_t)0 - top);
}

/* Where the message begins in DB = lHash || zeros || 0x01 || message; `good`
 * becomes 0 if DB is anything else. */
static size_t find_message(const uint8_t *db, size_t size, const uint8_t *label_hash,
                           size_t hash_bytes, size_t *good)
{
    size_t difference = 0, found = 0, start = 0;
    for (size_t i = 0; i < hash_bytes; i++)
        difference |= (size_t)(db[i] ^ label_hash[i]);
    *good &= mask_equal(difference, 0);
    for (size_t i = hash_bytes; i < size; i++) {
        size_t is_one = mask_equal(db[i], 1), is_zero = mask_equal(db[i], 0);
        start |= ~found & is_one & (i + 1);
        *good &= found | is_one | is_zero;
        found |= is_one;
    }
    *good &= found;
    return start;
}

CK_RV crypto_unpad_oaep(const struct scheme *scheme, struct view block, struct bytes *ret_plain)
{
    KEEP_ERROR_QUEUE;
    size_t hash_bytes = hash_size(scheme->hash);
    if (hash_bytes == 0 || hash_size(scheme->mgf_hash) == 0)
        return CKR_MECHANISM_PARAM_INVALID;
    if (block.size < 2 * hash_bytes + 2)
        return CKR_ENCRYPTED_DATA_INVALID;
    uint8_t label_hash[HASH_MAX_SIZE];
    CK_RV rv = crypto_hash(scheme->hash, scheme->label, label_hash);
    if (rv != CKR_OK)
        return rv;
    CLEANUP(bytes_free) struct bytes em = {0};
    rv = bytes_copy(&em, block);
    if (rv != CKR_OK)
        return rv;
    uint8_t *seed = em.data + 1, *db = seed + hash_bytes;
    size_t db_size = em.size - 1 - hash_bytes;
    rv = mask(scheme->mgf_hash, view_of(db, db_size), seed, hash_bytes);
    if (rv == CKR_OK)
        rv = mask(scheme->mgf_hash, view_of(seed, hash_bytes), db, db_size);
    if (rv != CKR_OK)
        return rv;
    size_t good = mask_equal(em.data[0], 0);
    size_t start = find_message(db, db_size, label_hash, hash_bytes, &good);
    if (!good)
        return CKR_ENCRYPTED_DATA_INVALID;
    struct bytes plain = {0};
    rv = bytes_copy(&plain, view_of(db + start, db_size - start));
    if (rv == CKR_OK)
        *ret_plain = plain;
    return rv;
}
