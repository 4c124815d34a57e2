/* A file being decoded: collects what is found, and says what is wrong where. */
#ifndef SIGNET_CRYPTO_DECODER_H
#define SIGNET_CRYPTO_DECODER_H

#include "token/crypto/decode.h"
#include "token/crypto/pem.h"
#include "token/crypto/software_key.h"

#define DECODER_WHERE_MAX_SIZE 120

/* `where` names the part at hand in reasons, such as "the CERTIFICATE at line 3". */
struct decoder {
    struct view password;
    struct decoded found;
    struct reason *reason;
    char where[DECODER_WHERE_MAX_SIZE];
};

/* Sets the reason "… cannot be used: why" and passes rv through. */
CHECKED CK_RV decoder_fail(struct decoder *decoder, const struct reason *why, CK_RV rv);

/* Each takes one DER structure of its kind and adds what is in it. */
CHECKED CK_RV decoder_add_certificate(struct decoder *decoder, struct view der);
CHECKED CK_RV decoder_add_trusted_certificate(struct decoder *decoder, struct view der);
CHECKED CK_RV decoder_add_tpm_key(struct decoder *decoder, struct view der);
CHECKED CK_RV decoder_add_public_key(struct decoder *decoder, struct view der);
CHECKED CK_RV decoder_add_rsa_public_key(struct decoder *decoder, struct view der);
CHECKED CK_RV decoder_add_pkcs8(struct decoder *decoder, struct view der);
CHECKED CK_RV decoder_add_pkcs1(struct decoder *decoder, struct view der);
CHECKED CK_RV decoder_add_sec1(struct decoder *decoder, struct view der);
CHECKED CK_RV decoder_add_encrypted_pkcs8(struct decoder *decoder, struct view der);

/* The same for a key that was decrypted: what makes no sense came of a wrong
 * password. */
CHECKED CK_RV decoder_add_decrypted(struct decoder *decoder, enum software_key_form form,
                                    struct view der);

#endif
