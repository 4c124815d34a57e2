/* AES with a secret key: in OpenSSL with the key's value, or where the key keeps its value,
 * by the key. This alone decides which. Inside the room only. */
#ifndef SIGNET_MECHANISM_AES_H
#define SIGNET_MECHANISM_AES_H

#include "token/crypto/cipher.h"
#include "token/key/key.h"

struct aes;

/* All as the functions of crypto/cipher.h. A reference of the key is kept.
 * CKR_KEY_FUNCTION_NOT_PERMITTED, told in the log, for a mode that such a key has not (GCM). */
CHECKED CK_RV aes_new(enum cipher cipher, bool encrypt, struct key *key,
                      const struct cipher_parameters *parameters, struct aes **ret_aes);
CHECKED CK_RV aes_update(struct aes *aes, struct view in, struct bytes *out);
CHECKED CK_RV aes_finish(struct aes *aes, struct bytes *out);
size_t aes_output_size(const struct aes *aes, size_t in_size, bool last);
void aes_free(struct aes *aes);

#endif
