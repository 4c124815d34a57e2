/* Keys as plain data, for the rooms that make, import and write them. */
#ifndef SIGNET_BASE_KEY_SPEC_H
#define SIGNET_BASE_KEY_SPEC_H

#include "token/base/public_key.h"

/* What key to generate. RSA: bits, and exponent (big-endian; empty: 65537). EC,
 * Edwards, Montgomery: curve, the DER of ECParameters. AES, SECRET: bits. */
struct key_spec {
    enum key_algorithm algorithm;
    unsigned bits;
    struct bytes curve;
    struct bytes exponent;
};

/* A private key in the clear. RSA: numbers, big-endian; modulus, public_exponent
 * and private_exponent or the two primes at least. EC: the number; Edwards and
 * Montgomery: the key's bytes (RFC 8410). point, if known: as in struct public_key. */
struct private_parts {
    enum key_algorithm algorithm;
    struct bytes modulus;
    struct bytes public_exponent;
    struct bytes private_exponent;
    struct bytes prime_1;
    struct bytes prime_2;
    struct bytes exponent_1;
    struct bytes exponent_2;
    struct bytes coefficient;
    struct bytes curve;
    struct bytes point;
    struct bytes value;
};

/* Wipe and free the contents, not the structs; zeroed ones are fine. */
void key_spec_clear(struct key_spec *spec);
void private_parts_clear(struct private_parts *parts);

#endif
