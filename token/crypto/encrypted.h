/* Password-based encryption of key files: PKCS #5, PKCS #12, and the old one of
 * PEM headers. */
#ifndef SIGNET_CRYPTO_ENCRYPTED_H
#define SIGNET_CRYPTO_ENCRYPTED_H

#include <openssl/x509.h>

#include "token/base/bytes.h"
#include "token/base/reason.h"
#include "token/crypto/pem.h"

/* More rounds than this are refused: they would only keep the caller waiting. */
#define ENCRYPTED_MAX_ROUNDS 10000000

/* Whether the default provider can do it; CKR_DATA_INVALID with the reason. To
 * be asked first: OpenSSL would look for what is missing in the host's own
 * library context, and load the host's configuration for that. */
CHECKED CK_RV encrypted_check(const X509_ALGOR *algorithm, struct reason *reason);

/* The same for a PBMAC1 (RFC 9579). */
CHECKED CK_RV encrypted_check_pbmac1(const X509_ALGOR *algorithm, struct reason *reason);

/* Decrypts what passed the check. CKR_PIN_INCORRECT if the padding is wrong. A
 * password with data NULL differs from an empty one in PKCS #12. */
CHECKED CK_RV encrypted_open(const X509_ALGOR *algorithm, const ASN1_OCTET_STRING *cipher,
                             struct view password, struct bytes *ret_plain);

/* Takes an EncryptedPrivateKeyInfo apart and decrypts it. password.data NULL only
 * checks it, and leaves ret_plain empty. */
CHECKED CK_RV encrypted_pkcs8_open(struct view der, struct view password, struct bytes *ret_plain,
                                   struct reason *reason);

/* The same for a PEM block with an encryption header. */
CHECKED CK_RV encrypted_pem_open(const struct pem_encryption *encryption, struct view cipher,
                                 struct view password, struct bytes *ret_plain,
                                 struct reason *reason);

#endif
