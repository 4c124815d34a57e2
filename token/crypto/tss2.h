/* TSS2 PRIVATE KEY (draft-bottomley-tpm2-keys, 3): the ASN.1 around a TPM key. */
#ifndef SIGNET_CRYPTO_TSS2_H
#define SIGNET_CRYPTO_TSS2_H

#include "token/crypto/decode.h"

#define TSS2_MAX_FIELD_SIZE 4096

/* The caller frees the key with tss2_free. CKR_DATA_INVALID with the reason for
 * what is malformed or cannot be understood. */
CHECKED CK_RV tss2_decode(struct view der, struct tpm_key_file **ret_key, struct reason *reason);

/* The DER of a key. Policies cannot be written: they, and what tss2_decode would not
 * read, are CKR_DATA_INVALID. */
CHECKED CK_RV tss2_encode(const struct tpm_key_file *key, struct bytes *ret_der);

/* NULL is fine. */
void tss2_free(struct tpm_key_file *key);

/* For CLEANUP(). */
void tss2_cleanup(struct tpm_key_file **key);

#endif
