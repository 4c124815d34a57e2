/* The named curves that this room knows: for EC keys (ECDSA and ECDH), Edwards
 * (EdDSA) and Montgomery ones (X25519, X448). */
#ifndef SIGNET_CRYPTO_CURVE_H
#define SIGNET_CRYPTO_CURVE_H

#include "token/base/public_key.h"

struct curve {
    const char *name; /* as OpenSSL calls the group, or the kind of key without groups */
    enum key_algorithm algorithm;
    int nid;
    unsigned bits; /* of the field; of an EC curve's order alike */
    uint8_t oid_size;
    uint8_t oid[11]; /* DER, with tag and length: ECParameters */
};

/* By the DER of its OID; NULL if unknown, or not of this algorithm. */
const struct curve *curve_by_oid(enum key_algorithm algorithm, struct view oid);
/* The same for ECParameters, which can also be the name of PKCS#11 6.3.3 as a
 * PrintableString, or one of the OIDs that were in use before RFC 8410. */
const struct curve *curve_by_parameters(enum key_algorithm algorithm, struct view parameters);
/* By any name that OpenSSL has for it. */
const struct curve *curve_by_name(const char *name);
/* An Edwards or Montgomery curve by the content of an OID that names the algorithm
 * (RFC 8410). */
const struct curve *curve_by_algorithm(struct view oid);

struct view curve_oid(const struct curve *curve);
size_t curve_coordinate_size(const struct curve *curve);
/* Bytes of a public key: 04 || x || y, or those of RFC 8032 and 7748. */
size_t curve_point_size(const struct curve *curve);
/* Bytes of a private key: the number, or those of RFC 8032 and 7748. */
size_t curve_private_size(const struct curve *curve);

#endif
