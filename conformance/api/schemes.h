/* Signature schemes: how PKCS#11 names them, and OpenSSL's own verification
 * of what they gave. */
#ifndef CONFORMANCE_API_SCHEMES_H
#define CONFORMANCE_API_SCHEMES_H

#include "conformance/api/objects.h"

enum padding { PADDING_PKCS1, PADDING_PSS, PADDING_NONE, PADDING_ECDSA };

struct scheme {
    CK_MECHANISM_TYPE type;
    enum padding padding;
    const char *hash; /* of the message; NULL where the data is signed as it is */
};

/* Every signing mechanism that these tests know. */
extern const struct scheme schemes[];
extern const size_t scheme_count;

const struct scheme *scheme_of(CK_MECHANISM_TYPE type);
CK_KEY_TYPE scheme_key_type(const struct scheme *scheme);

/* Parameters of a PSS mechanism over this hash, MGF1 with the same. */
CK_RSA_PKCS_PSS_PARAMS pss_params(const char *hash, CK_ULONG salt_length);
/* The mechanism with the parameters it needs: PSS hashes with the scheme's
 * hash, or SHA-256 where it has none, and a salt as long as the hash. */
CK_MECHANISM scheme_mechanism(const struct scheme *scheme, CK_RSA_PKCS_PSS_PARAMS *ret_params);

/* Data that the scheme can sign: a message, a DigestInfo, a hash or a block
 * of the modulus' size. Returns its length. */
size_t scheme_data(const struct scheme *scheme, const struct token *token,
                   unsigned char ret_data[MAX_VALUE]);

/* True when OpenSSL accepts the signature with the certificate's key. */
bool openssl_verifies(const struct token *token, const CK_MECHANISM *mechanism,
                      const unsigned char *data, size_t data_length, const unsigned char *signature,
                      size_t signature_length);

size_t hash_bytes(const char *hash, const void *data, size_t length,
                  unsigned char ret_hash[EVP_MAX_MD_SIZE]);

#endif
