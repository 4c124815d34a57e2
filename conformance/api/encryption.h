/* RSA encryption in the tests: the mechanisms, and OpenSSL's own part. */
#ifndef CONFORMANCE_API_ENCRYPTION_H
#define CONFORMANCE_API_ENCRYPTION_H

#include "conformance/api/objects.h"

#define MAX_BLOCK 1024

struct block {
    unsigned char bytes[MAX_BLOCK];
    CK_ULONG length;
};

/* PKCS#1, then OAEP with SHA-1, SHA-256, and both with a label. */
enum { PKCS1, OAEP_SHA1, OAEP_SHA256, OAEP_SHA256_LABEL, OAEP_SHA1_LABEL, MECHANISMS };
extern CK_MECHANISM mechanisms[MECHANISMS];

/* A short message, and the label of the encodings that have one. */
extern unsigned char plain[15];
extern unsigned char oaep_label[4];

struct token *rsa_token_or_skip(void);
/* False for what another module's OAEP leaves out; it may do with one hash. */
bool supported(struct token *token, CK_MECHANISM *mechanism);
struct block openssl_encrypt(const struct token *token, const CK_MECHANISM *mechanism,
                             const void *data, size_t length);
/* C_DecryptInit, which must succeed, and C_Decrypt. */
CK_RV decrypt(struct token *token, CK_MECHANISM *mechanism, struct block *in, struct block *out);

#endif
