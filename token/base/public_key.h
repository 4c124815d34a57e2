/* A public key and a certificate as plain data, so that rooms with different
 * foreign libraries can speak of the same key. */
#ifndef SIGNET_BASE_PUBLIC_KEY_H
#define SIGNET_BASE_PUBLIC_KEY_H

#include "token/base/bytes.h"

enum key_algorithm {
    KEY_ALGORITHM_NONE,
    KEY_ALGORITHM_RSA,
    KEY_ALGORITHM_EC,
    KEY_ALGORITHM_EDWARDS,
    KEY_ALGORITHM_MONTGOMERY,
    KEY_ALGORITHM_AES,
    KEY_ALGORITHM_SECRET, /* bytes for HMAC and derivation */
};

/* RSA: modulus and exponent, big-endian without leading zeros. EC: curve is the
 * DER of ECParameters (a named curve's OID), point is 04 || x || y. Edwards and
 * Montgomery: the same, point being the bytes of RFC 8032 and 7748. spki is the
 * DER SubjectPublicKeyInfo. bits is the size of modulus or field. */
struct public_key {
    enum key_algorithm algorithm;
    unsigned bits;
    struct bytes modulus;
    struct bytes exponent;
    struct bytes curve;
    struct bytes point;
    struct bytes spki;
};

/* Names of one certificate, all DER; dates are YYYYMMDD, empty if unknown. */
struct certificate {
    struct bytes der;
    struct bytes subject;
    struct bytes issuer;
    struct bytes serial;
    struct bytes common_name; /* UTF-8 of the subject's last CN, may be empty */
    struct public_key public_key;
    char start_date[9];
    char end_date[9];
    bool authority; /* basicConstraints CA:TRUE */
};

/* Same algorithm and same key material. */
bool public_key_equal(const struct public_key *a, const struct public_key *b);

CHECKED CK_RV public_key_copy(struct public_key *key, const struct public_key *from);

/* Frees the contents, not the struct; NULL and zeroed structs are fine. */
void public_key_clear(struct public_key *key);
void certificate_clear(struct certificate *certificate);

/* Bytes of a signature by this key: the modulus, r and s, or R and S; also the
 * largest plaintext or ciphertext of one RSA block. 0 for keys that do not sign. */
size_t public_key_block_size(const struct public_key *key);

/* Bytes of one coordinate of an EC key's curve; 0 for other keys. */
size_t public_key_coordinate_size(const struct public_key *key);

#endif
