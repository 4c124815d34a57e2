/* The arithmetic between the numbers of an RSA private key (RFC 8017, 3.2). */
#ifndef SIGNET_CRYPTO_RSA_PARTS_H
#define SIGNET_CRYPTO_RSA_PARTS_H

#include "token/base/key_spec.h"
#include "token/crypto/openssl.h"

struct rsa_numbers {
    BIGNUM *modulus;
    BIGNUM *public_exponent;
    BIGNUM *private_exponent;
    BIGNUM *prime_1;
    BIGNUM *prime_2;
    BIGNUM *exponent_1;
    BIGNUM *exponent_2;
    BIGNUM *coefficient;
};

/* All eight numbers of what parts has: checked against each other, and computed where
 * they are missing (the public exponent is then taken to be 65537). Needed are the
 * primes, or modulus and private exponent. CKR_ATTRIBUTE_VALUE_INVALID. The caller
 * clears ret_numbers. */
CHECKED CK_RV rsa_numbers_make(const struct private_parts *parts, struct rsa_numbers *ret_numbers);

/* Wipes and frees the numbers, not the struct; zeroed is fine. */
void rsa_numbers_clear(struct rsa_numbers *numbers);

#endif
