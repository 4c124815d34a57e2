/* What needs only a public key: verify, encrypt, and checks of points. */
#ifndef SIGNET_CRYPTO_PUBLIC_H
#define SIGNET_CRYPTO_PUBLIC_H

#include "token/base/public_key.h"
#include "token/base/scheme.h"

/* Verifies `signature` over `input` (see scheme.h for what input is; ECDSA
 * signatures are r || s, RSA_RAW compares the recovered block with the input
 * padded by zeros in front). CKR_SIGNATURE_INVALID, or CKR_SIGNATURE_LEN_RANGE
 * when the length alone is wrong. */
CHECKED CK_RV crypto_verify(const struct public_key *key, const struct scheme *scheme,
                            struct view input, struct view signature);

/* RSA encryption with PKCS1, OAEP or RAW. CKR_DATA_LEN_RANGE for input too long. */
CHECKED CK_RV crypto_encrypt(const struct public_key *key, const struct scheme *scheme,
                             struct view plain, struct bytes *ret_cipher);

/* Another party's point on `key`'s curve, given as 04||x||y, compressed, or
 * either inside a DER OCTET STRING; returned as 04||x||y. Not on the curve,
 * infinity or malformed: CKR_MECHANISM_PARAM_INVALID. Edwards and Montgomery: the
 * bytes of RFC 8032 or 7748, or those inside an OCTET STRING; only counted. */
CHECKED CK_RV crypto_point_decode(const struct public_key *key, struct view point,
                                  struct bytes *ret_point);

/* Makes spki (and bits) from the other fields, for keys that came from a TPM or
 * a template; curve and point may be in any form that PKCS#11 has for them.
 * CKR_ATTRIBUTE_VALUE_INVALID if they are no key of a known curve. */
CHECKED CK_RV crypto_public_complete(struct public_key *key);

/* The same for many keys at once: an EC point is not checked against its curve, which
 * costs far more than the rest and is done when the key is used. */
CHECKED CK_RV crypto_public_spki(struct public_key *key);

/* A DER SubjectPublicKeyInfo to a public key. CKR_KEY_TYPE_INCONSISTENT for an
 * algorithm other than RSA, named-curve EC, Edwards and Montgomery; CKR_DATA_INVALID
 * if malformed. */
CHECKED CK_RV crypto_public_decode(struct view spki, struct public_key *ret_key);

#endif
