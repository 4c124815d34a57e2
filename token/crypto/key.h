/* The inside of struct crypto_key, for the files that make one. */
#ifndef SIGNET_CRYPTO_KEY_H
#define SIGNET_CRYPTO_KEY_H

#include "token/crypto/openssl.h"
#include "token/crypto/private.h"

/* What must outlive a key's EVP_PKEY and goes with it: a library context and its
 * providers, or an engine. */
struct key_home {
    void (*free)(struct key_home *home);
};

/* context and properties choose the implementations of the key's operations;
 * foreign tells that they are not OpenSSL's own and must be told the hash. */
struct crypto_key {
    EVP_PKEY *pkey;
    struct public_key public;
    OSSL_LIB_CTX *context;
    const char *properties;
    bool foreign;
    struct key_home *home;
};

/* A key around `pkey`, which is taken over on success. CKR_KEY_TYPE_INCONSISTENT
 * for what is neither RSA nor on a curve of curve.h. */
CHECKED CK_RV crypto_key_take(OSSL_LIB_CTX *context, EVP_PKEY *pkey, bool foreign,
                              struct crypto_key **ret_key);

/* For CLEANUP(). */
void crypto_key_cleanup(struct crypto_key **key);

/* The password callback of OpenSSL: hands out the PIN, and notes that it was
 * asked for. Never prompts. */
struct key_pin {
    struct view pin;
    bool asked;
};
int crypto_key_pin(char *buffer, int size, int writing, void *key_pin);

#endif
