/* The code of a message with a secret key, HMAC or AES-CMAC: in OpenSSL with the key's
 * value, or where the key keeps its value, by the key. This alone decides which. Inside the
 * room only. */
#ifndef SIGNET_MECHANISM_CODE_H
#define SIGNET_MECHANISM_CODE_H

#include "token/key/key.h"
#include "token/mechanism/mechanism.h"

/* The longest message for a key that keeps its value: such messages are collected. */
#define CODE_MAX_COLLECTED (16 * 1024 * 1024)

struct code;

/* By the row's hash and key sizes, otherwise as the functions of crypto/mac.h. A reference
 * of the key is kept. CKR_KEY_FUNCTION_NOT_PERMITTED, told in the log,
 * for a hash that such a key has not; CKR_DATA_LEN_RANGE for a message that is too long. */
CHECKED CK_RV code_new(const struct mechanism *mechanism, struct key *key, struct code **ret_code);
CHECKED CK_RV code_update(struct code *code, struct view data);
CHECKED CK_RV code_finish(struct code *code, struct bytes *ret_bytes);
void code_free(struct code *code);

#endif
