/* Private keys in the clear: PKCS #8 (RFC 5958), PKCS #1 and SEC 1. */
#ifndef SIGNET_CRYPTO_SOFTWARE_KEY_H
#define SIGNET_CRYPTO_SOFTWARE_KEY_H

#include "token/crypto/private.h"

enum software_key_form { SOFTWARE_KEY_PKCS8, SOFTWARE_KEY_PKCS1, SOFTWARE_KEY_SEC1 };

/* CKR_DATA_INVALID with the reason for what is malformed, and for a key that is
 * neither RSA nor on a curve of curve.h (PKCS #8 alone can hold Edwards and
 * Montgomery ones, RFC 8410). The caller frees the key. */
CHECKED CK_RV software_key_decode(enum software_key_form form, struct view der,
                                  struct crypto_key **ret_key, struct reason *reason);

/* Whether it has the shape of this form at all: tells a wrong password. */
bool software_key_plausible(enum software_key_form form, struct view der);

#endif
