/* Message authentication codes and key derivation. */
#ifndef SIGNET_CRYPTO_MAC_H
#define SIGNET_CRYPTO_MAC_H

#include "token/base/bytes.h"
#include "token/base/hash.h"

struct crypto_mac;

/* HMAC of `hash`, or AES-CMAC with HASH_NONE. CKR_KEY_SIZE_RANGE for a key of no AES
 * size (CMAC). */
CHECKED CK_RV crypto_mac_new(enum hash hash, struct view key, struct crypto_mac **ret_mac);
CHECKED CK_RV crypto_mac_update(struct crypto_mac *mac, struct view data);
/* The whole code: hash_size(hash) or 16 bytes. */
CHECKED CK_RV crypto_mac_finish(struct crypto_mac *mac, struct bytes *ret_code);
void crypto_mac_free(struct crypto_mac *mac);

/* In one call. */
CHECKED CK_RV crypto_hmac(enum hash hash, struct view key, struct view data,
                          uint8_t out[HASH_MAX_SIZE]);

/* HKDF (RFC 5869): extract, expand or both. Without extraction `key` is the
 * pseudo-random key; without expansion `size` is that of the hash. At most 255
 * hashes: CKR_MECHANISM_PARAM_INVALID. */
struct hkdf {
    enum hash hash;
    bool extract;
    bool expand;
    struct view salt;
    struct view info;
};
CHECKED CK_RV crypto_hkdf(const struct hkdf *hkdf, struct view key, size_t size,
                          struct bytes *ret_key);

/* The X9.63 KDF of CKD_SHA1_KDF and its like (PKCS#11 6.3.17). */
CHECKED CK_RV crypto_x963_kdf(enum hash hash, struct view secret, struct view shared, size_t size,
                              struct bytes *ret_key);

/* KDFa and the outer wrapper of TPM2_Import (TPM 2.0 Part 1, 11.4.10 and 23.3): the
 * sensitive area for the parent with this public key (P-256 or RSA), whose name
 * algorithm is SHA-256 and symmetric AES-128-CFB. The results are a marshalled
 * TPM2B_PRIVATE and TPM2B_ENCRYPTED_SECRET. */
struct public_key;
CHECKED CK_RV crypto_tpm_duplicate(const struct public_key *parent, struct view name,
                                   struct view sensitive, struct bytes *ret_private,
                                   struct bytes *ret_secret);

#endif
