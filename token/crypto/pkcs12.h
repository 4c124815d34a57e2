/* PKCS #12 (RFC 7292): keys and certificates under one password. */
#ifndef SIGNET_CRYPTO_PKCS12_H
#define SIGNET_CRYPTO_PKCS12_H

#include "token/crypto/decoder.h"

/* Adds the key and the certificates. Without a password it opens what has none
 * or an empty one, and marks the rest as encrypted. */
CHECKED CK_RV decoder_add_pkcs12(struct decoder *decoder, struct view der);

#endif
