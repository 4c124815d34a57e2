/* X.509 certificates by a walk over their DER: OpenSSL's parser would decode
 * and set up the public key each time, which costs far more than all the rest. */
#ifndef SIGNET_CRYPTO_CERTIFICATE_H
#define SIGNET_CRYPTO_CERTIFICATE_H

#include "token/base/public_key.h"
#include "token/base/reason.h"

/* `der` is exactly one certificate. CKR_DATA_INVALID with the reason for what is
 * none (RFC 5280, 4.1); the signature is not looked at. */
CHECKED CK_RV certificate_decode(struct view der, struct certificate *ret_certificate,
                                 struct reason *reason);

#endif
