/* What a key is asked to do, in terms that neither PKCS#11 nor TSS owns. */
#ifndef SIGNET_BASE_SCHEME_H
#define SIGNET_BASE_SCHEME_H

#include "token/base/bytes.h"
#include "token/base/hash.h"

enum scheme_kind {
    SCHEME_RSA_PKCS1, /* sign: input is a DigestInfo (or any short string); decrypt: RSAES */
    SCHEME_RSA_PSS,   /* sign: input is a digest of `hash` */
    SCHEME_RSA_OAEP,  /* decrypt, encrypt */
    SCHEME_RSA_RAW,   /* input of up to the modulus' size, padded with zeros in front */
    SCHEME_ECDSA,     /* input is a digest, output r || s */
    SCHEME_EDDSA,     /* input is the whole message (RFC 8032, pure) */
};

/* hash, mgf_hash and salt_size belong to PSS; hash, mgf_hash and label to OAEP.
 * PKCS1 and ECDSA need none to sign or verify; where a key is asked what it can
 * do, hash is the only one that will come. label is borrowed. */
struct scheme {
    enum scheme_kind kind;
    enum hash hash;
    enum hash mgf_hash;
    size_t salt_size;
    struct view label;
};

#endif
