/* What public and private key operations have in common: keys, padding and
 * hashes as OpenSSL wants them, and the checks of a scheme's input. */
#ifndef SIGNET_CRYPTO_OPERATION_H
#define SIGNET_CRYPTO_OPERATION_H

#include <openssl/param_build.h>

#include "token/base/public_key.h"
#include "token/base/scheme.h"
#include "token/crypto/openssl.h"

/* Room for any ECDSA signature in DER. */
#define ECDSA_MAX_DER_SIZE 160

OPENSSL_DROP(OSSL_PARAM_BLD, OSSL_PARAM_BLD_free)

/* A key of this type from its numbers, with `selection` EVP_PKEY_PUBLIC_KEY or
 * EVP_PKEY_KEYPAIR. CKR_FUNCTION_FAILED if OpenSSL refuses them. */
CHECKED CK_RV operation_build(const char *type, int selection, OSSL_PARAM_BLD *builder,
                              EVP_PKEY **ret_pkey);

/* The key as OpenSSL's object; CKR_FUNCTION_FAILED if OpenSSL refuses it, such as
 * a point that is not on the curve. */
CHECKED CK_RV operation_key(const struct public_key *key, EVP_PKEY **ret_pkey);

/* Begins an operation, with `init` one of EVP_PKEY_sign_init and its like. */
CHECKED CK_RV operation_start(OSSL_LIB_CTX *context, EVP_PKEY *pkey, const char *properties,
                              int (*init)(EVP_PKEY_CTX *), EVP_PKEY_CTX **ret_operation);

/* Sets padding, hashes, salt and label of an RSA scheme. */
CHECKED CK_RV operation_set_scheme(EVP_PKEY_CTX *operation, const struct scheme *scheme);

/* Whether `input` can be signed or verified with the key and scheme. */
CHECKED CK_RV operation_check_signed(const struct public_key *key, const struct scheme *scheme,
                                     struct view input);

/* Whether the scheme is an RSA encryption with usable parameters, and the
 * largest plaintext that fits. */
CHECKED CK_RV operation_check_cipher(const struct public_key *key, const struct scheme *scheme,
                                     size_t *ret_max_plain);

/* `block` of the modulus's size, as a number, is below the modulus. */
bool operation_below_modulus(const struct public_key *key, struct view block);

/* ECDSA signatures between r || s and DER. */
CHECKED CK_RV operation_ecdsa_to_der(struct view plain, uint8_t der[ECDSA_MAX_DER_SIZE],
                                     size_t *ret_size);
CHECKED CK_RV operation_ecdsa_from_der(struct view der, size_t coordinate_size,
                                       struct bytes *ret_plain);

#endif
