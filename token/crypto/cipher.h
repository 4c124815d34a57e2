/* AES in its modes of operation, and key wrapping. */
#ifndef SIGNET_CRYPTO_CIPHER_H
#define SIGNET_CRYPTO_CIPHER_H

#include "token/base/bytes.h"

enum cipher {
    CIPHER_AES_ECB,
    CIPHER_AES_CBC,
    CIPHER_AES_CBC_PAD,
    CIPHER_AES_CTR,
    CIPHER_AES_GCM,
};

/* Longer ones OpenSSL does not take. */
#define CIPHER_GCM_MAX_IV_SIZE 128

/* iv: the whole initial block (CBC, CTR) or nonce (GCM); associated and tag_size
 * (4 to 16 bytes) for GCM. All borrowed until crypto_cipher_new returns. */
struct cipher_parameters {
    struct view iv;
    struct view associated;
    size_t tag_size;
};

struct crypto_cipher;

/* CKR_KEY_SIZE_RANGE for a key of no AES size, CKR_MECHANISM_PARAM_INVALID. */
CHECKED CK_RV crypto_cipher_new(enum cipher cipher, bool encrypt, struct view key,
                                const struct cipher_parameters *parameters,
                                struct crypto_cipher **ret_cipher);
/* Appends to `out` what comes of the input, which may be nothing. GCM puts its tag
 * behind the ciphertext; its decryption gives nothing before the tag was checked. */
CHECKED CK_RV crypto_cipher_update(struct crypto_cipher *cipher, struct view in, struct bytes *out);
/* Appends the rest. CKR_DATA_LEN_RANGE or CKR_ENCRYPTED_DATA_LEN_RANGE for half a
 * block; CKR_ENCRYPTED_DATA_INVALID for a wrong tag or padding. */
CHECKED CK_RV crypto_cipher_finish(struct crypto_cipher *cipher, struct bytes *out);
/* Bytes that an update with `in_size` (and, with `last`, the end) would append: exact
 * but for the last of a padded decryption, where it is the most. */
size_t crypto_cipher_output_size(const struct crypto_cipher *cipher, size_t in_size, bool last);
/* NULL is fine. */
void crypto_cipher_free(struct crypto_cipher *cipher);

/* RFC 3394 (CKM_AES_KEY_WRAP), or with `pad` RFC 5649 (…_KWP). CKR_KEY_SIZE_RANGE,
 * CKR_DATA_LEN_RANGE; CKR_WRAPPED_KEY_INVALID, CKR_WRAPPED_KEY_LEN_RANGE. */
CHECKED CK_RV crypto_wrap(struct view key, bool pad, struct view plain, struct bytes *ret_wrapped);
CHECKED CK_RV crypto_unwrap(struct view key, bool pad, struct view wrapped,
                            struct bytes *ret_plain);

/* Authenticated encryption for files: AES-256-GCM with a random nonce in front and the
 * tag behind, bound to `associated`. CKR_DATA_INVALID for what does not verify. */
#define CRYPTO_SEAL_KEY_SIZE 32
CHECKED CK_RV crypto_seal(struct view key, struct view associated, struct view plain,
                          struct bytes *ret_sealed);
CHECKED CK_RV crypto_unseal(struct view key, struct view associated, struct view sealed,
                            struct bytes *ret_plain);

#endif
