/* Tokens with one key pair and its certificate, opened for a test, and the
 * reading of their objects. */
#ifndef CONFORMANCE_API_OBJECTS_H
#define CONFORMANCE_API_OBJECTS_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "conformance/api/client.h"

#define MAX_VALUE 8192
#define MAX_FOUND 64

struct token {
    CK_SLOT_ID slot;
    CK_SESSION_HANDLE session; /* logged in where the token asks for it */
    CK_OBJECT_HANDLE private_key;
    CK_OBJECT_HANDLE public_key;
    CK_OBJECT_HANDLE certificate;
    CK_KEY_TYPE key_type;
    size_t signature_size;
    X509 *x509;    /* what OpenSSL makes of the certificate's value */
    EVP_PKEY *key; /* its public key */
};

/* Opens the token named by the variable, or skips the test. The struct is
 * static: valid until the same token is opened again. */
struct token *token_or_skip(const char *variable);
/* The same without C_Login, public objects only where a PIN hides the key. */
struct token *token_without_login(const char *variable);
/* The tokens of PKCS11_TOKEN_EC and PKCS11_TOKEN_RSA that are configured. */
size_t key_tokens(struct token *ret_tokens[2]);

/* Finds up to MAX_FOUND objects; returns how many. */
CK_ULONG find_all(CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, CK_ULONG count,
                  CK_OBJECT_HANDLE *ret_objects);
CK_ULONG find_class(CK_SESSION_HANDLE session, CK_OBJECT_CLASS class,
                    CK_OBJECT_HANDLE *ret_objects);
/* The certificate's key pair partner: the object of this class with its id. */
CK_OBJECT_HANDLE find_partner(CK_SESSION_HANDLE session, CK_OBJECT_CLASS class,
                              CK_OBJECT_HANDLE certificate);

/* The attribute, which must be readable. get_bytes returns its length. */
size_t get_bytes(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type,
                 unsigned char ret_value[MAX_VALUE]);
CK_ULONG get_ulong(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type);
bool get_bool(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type);
/* What C_GetAttributeValue answers for one attribute. */
CK_RV attribute_rv(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type);

bool mechanism_listed(CK_SLOT_ID slot, CK_MECHANISM_TYPE type);
/* Ends the test as skipped where the slot does not list it. */
void mechanism_or_skip(CK_SLOT_ID slot, CK_MECHANISM_TYPE type);

#endif
