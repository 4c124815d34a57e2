/* Keys that the module itself makes, and their public halves for OpenSSL. */
#ifndef CONFORMANCE_API_MAKING_H
#define CONFORMANCE_API_MAKING_H

#include "conformance/api/fresh.h"
#include "conformance/api/samples.h"

struct pair {
    CK_OBJECT_HANDLE public_key;
    CK_OBJECT_HANDLE private_key;
};

/* C_GenerateKeyPair with LISTs of attributes. */
CK_RV generate_pair(CK_SESSION_HANDLE session, CK_MECHANISM_TYPE type, CK_ATTRIBUTE *public_list,
                    CK_ULONG public_count, CK_ATTRIBUTE *private_list, CK_ULONG private_count,
                    struct pair *ret_pair);
/* On the token or in the session, with every use that the key type has; skips where the
 * module does not list the mechanism. */
struct pair new_rsa_pair(CK_SESSION_HANDLE session, CK_ULONG bits, bool token);
struct pair new_ec_pair(CK_SESSION_HANDLE session, const char *params, size_t length, bool token);

/* C_GenerateKey of an AES key, or a generic secret, for every use; `more` are further
 * attributes. */
CK_OBJECT_HANDLE new_aes_key(CK_SESSION_HANDLE session, CK_ULONG bytes, bool token);
CK_RV generate_secret(CK_SESSION_HANDLE session, CK_MECHANISM_TYPE type, CK_ULONG bytes,
                      CK_ATTRIBUTE *more, CK_ULONG count, CK_OBJECT_HANDLE *ret_key);
/* C_CreateObject of a session secret key with this value, readable, for every use; or with
 * secrets_in_tpm() of a token's, which nobody can read, for what a TPM can do. */
CK_OBJECT_HANDLE known_secret(CK_SESSION_HANDLE session, CK_KEY_TYPE type, const void *value,
                              size_t length);

/* The public key as OpenSSL sees it; the caller frees it. */
EVP_PKEY *openssl_public(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE public_key);
/* A pair as the checks of schemes.h want it. Free .key. */
struct token token_of_pair(CK_SESSION_HANDLE session, struct pair pair);
/* Signs with the mechanism of the scheme, and has OpenSSL and C_Verify verify it. */
CK_RV sign_and_verify(struct token *token, CK_MECHANISM_TYPE type);
/* One signature by a P-256 or RSA key with CKM_ECDSA or CKM_SHA256_RSA_PKCS. */
CK_RV sign_simply(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key);

#endif
