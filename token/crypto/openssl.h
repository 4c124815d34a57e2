/* What the files of this room share of OpenSSL; included by no other room. */
#ifndef SIGNET_CRYPTO_OPENSSL_H
#define SIGNET_CRYPTO_OPENSSL_H

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "token/base/compiler.h"
#include "token/base/hash.h"

/* The library context of everything here, made when first asked for. NULL
 * without memory, and once the process exits. */
OSSL_LIB_CTX *crypto_context(void);

/* Borrowed for good; NULL for HASH_NONE and what OpenSSL lacks. */
const EVP_MD *crypto_md(enum hash hash);

/* The newest error that OpenSSL queued, as text; never NULL. */
const char *crypto_error_text(void);

/* Keeps the host's OpenSSL error queue as it was until the end of the scope. */
#define KEEP_ERROR_QUEUE                                                                           \
    CLEANUP(crypto_pop_errors) UNUSED const int error_mark = crypto_push_errors()
int crypto_push_errors(void);
void crypto_pop_errors(const int *mark);

#define OPENSSL_DROP(type, free_function)                                                          \
    static inline void type##_drop(type **object)                                                  \
    {                                                                                              \
        free_function(*object);                                                                    \
        *object = NULL;                                                                            \
    }

OPENSSL_DROP(BIGNUM, BN_clear_free)
OPENSSL_DROP(BIO, BIO_free_all)
OPENSSL_DROP(EVP_CIPHER, EVP_CIPHER_free)
OPENSSL_DROP(EVP_CIPHER_CTX, EVP_CIPHER_CTX_free)
OPENSSL_DROP(EVP_MAC, EVP_MAC_free)
OPENSSL_DROP(EVP_MD, EVP_MD_free)
OPENSSL_DROP(EVP_MD_CTX, EVP_MD_CTX_free)
OPENSSL_DROP(EVP_PKEY, EVP_PKEY_free)
OPENSSL_DROP(EVP_PKEY_CTX, EVP_PKEY_CTX_free)

#endif
