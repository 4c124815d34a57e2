/* An object of each kind, made by OpenSSL, as templates for C_CreateObject. */
#ifndef CONFORMANCE_API_SAMPLES_H
#define CONFORMANCE_API_SAMPLES_H

#include "conformance/api/objects.h"
#include "conformance/api/template.h"

enum kind {
    DATA,
    CERTIFICATE,
    RSA_PUBLIC,
    RSA_PRIVATE,
    EC_PUBLIC,
    EC_PRIVATE,
    AES_KEY,
    GENERIC_KEY,
    KINDS
};

/* DER of CKA_EC_PARAMS, with its length. */
#define P256 "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07", 10
#define P384 "\x06\x05\x2b\x81\x04\x00\x22", 7
#define P521 "\x06\x05\x2b\x81\x04\x00\x23", 7
#define SECP256K1 "\x06\x05\x2b\x81\x04\x00\x0a", 7
#define EDWARDS25519 "\x06\x03\x2b\x65\x70", 5
#define CURVE25519 "\x06\x03\x2b\x65\x6e", 5

#define MAX_ATTRIBUTES 32

struct template
{
    CK_ATTRIBUTE list[MAX_ATTRIBUTES];
    CK_ULONG count;
};

const char *kind_name(enum kind kind);
bool kind_is_key(enum kind kind);

/* All that C_CreateObject needs but CKA_TOKEN and CKA_PRIVATE; the label is the kind's
 * name. Public and private keys are halves of one pair, which the certificate is of. */
struct template sample(enum kind kind);
EVP_PKEY *sample_key(enum kind kind);
/* The same for any key pair of OpenSSL's; the values live until the process ends. */
struct template private_template(EVP_PKEY *key);
struct template public_template(EVP_PKEY *key);
EVP_PKEY *new_rsa(unsigned bits);
EVP_PKEY *new_ec(const char *curve);
EVP_PKEY *new_edwards(int type);

void template_set(struct template *template, CK_ATTRIBUTE attribute); /* adds or replaces */
void template_remove(struct template *template, CK_ATTRIBUTE_TYPE type);

/* C_CreateObject of a sample, which must succeed. */
CK_OBJECT_HANDLE create_sample(CK_SESSION_HANDLE session, enum kind kind, bool token, bool private);
CK_RV create_from(CK_SESSION_HANDLE session, struct template *template,
                  CK_OBJECT_HANDLE *ret_object);

#endif
