#ifndef EMULATOR_IDENTITY_ISSUER_H
#define EMULATOR_IDENTITY_ISSUER_H

#include "emulator/bytes.h"

#include <openssl/types.h>
#include <tss2/tss2_common.h>

/* Who signs the certificates of endorsement keys. All of it works in OpenSSL's
 * private context; failures have an error text. */
struct issuer {
    EVP_PKEY *key;
    X509 *certificate;
};

/* A new CA on P-256 with a self-signed certificate. */
TSS2_RC issuer_make(struct issuer *ret);

/* The CA of a key and a certificate in PEM files. The key must not be encrypted;
 * the certificate must be one of a CA with a subject key identifier, as those
 * that it signs refer to it. */
TSS2_RC issuer_read(const char *key_path, const char *certificate_path, struct issuer *ret);

/* The certificate in PEM. */
TSS2_RC issuer_pem(const struct issuer *issuer, struct blob *ret);

/* Wipes and frees; the private key is gone. */
void issuer_free(struct issuer *issuer);

#define ISSUER_SCOPE __attribute__((cleanup(issuer_free)))

#endif
