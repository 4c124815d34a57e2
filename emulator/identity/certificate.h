#ifndef EMULATOR_IDENTITY_CERTIFICATE_H
#define EMULATOR_IDENTITY_CERTIFICATE_H

#include "emulator/bytes.h"

#include <openssl/types.h>
#include <tss2/tss2_common.h>

/* X.509 v3 certificates, made in OpenSSL's private context. Functions that give
 * a TSS2_RC set the error text. */

/* A certificate to be signed. The extensions are the section `extensions` of an
 * OpenSSL configuration text (x509v3_config(5)). An empty subject is an empty
 * name; `common_name` NULL leaves it so. Without an issuer it is self-signed. */
struct certificate_plan {
    const char *common_name;
    EVP_PKEY *public;
    const char *extensions;
    X509 *issuer;
    EVP_PKEY *issuer_key;
};

/* Valid from a day ago, for clocks that are behind, without an end. The serial
 * number is random. Freed by the caller. */
TSS2_RC certificate_make(const struct certificate_plan *plan, X509 **ret);

TSS2_RC certificate_der(X509 *certificate, struct blob *ret);

/* What OpenSSL says was wrong is added to the text "what: why". */
TSS2_RC certificate_failed(const char *what);

#endif
