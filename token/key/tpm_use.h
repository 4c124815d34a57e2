/* How a TPM's commands make the signatures and plain texts of PKCS #11: what is encoded
 * here and what there. Inside the room only. */
#ifndef SIGNET_KEY_TPM_USE_H
#define SIGNET_KEY_TPM_USE_H

#include "token/key/key.h"
#include "token/tpm/key.h"

/* A key and its authorisation for one operation; all borrowed. */
struct tpm_use {
    struct tpm_key *tpm_key;
    const struct public_key *public_key;
    struct view auth;
};

/* Whether a key with these abilities can do it. */
bool tpm_use_possible(struct tpm_key_abilities abilities, enum key_use use,
                      const struct scheme *scheme);

/* As key_sign and key_decrypt. */
CHECKED CK_RV tpm_use_sign(const struct tpm_use *use, const struct scheme *scheme,
                           struct view input, struct bytes *ret_signature);
CHECKED CK_RV tpm_use_decrypt(const struct tpm_use *use, const struct scheme *scheme,
                              struct view cipher, struct bytes *ret_plain);

#endif
