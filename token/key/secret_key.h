/* The kind of key that is a value: of AES, HMAC and derivation. Inside the room only;
 * what makes them is in make.h. */
#ifndef SIGNET_KEY_SECRET_KEY_H
#define SIGNET_KEY_SECRET_KEY_H

#include "token/key/ops.h"

#define SECRET_KEY_LABEL "SIGNET SEALED SECRET"

struct vault;

/* One that was encrypted before. */
CHECKED CK_RV secret_key_read(struct vault *vault, struct view cipher, struct view unique,
                              struct key **ret_key);

/* A random value of spec's size; vault may be NULL. CKR_KEY_SIZE_RANGE. */
CHECKED CK_RV secret_key_generate(struct vault *vault, const struct key_spec *spec,
                                  struct view unique, struct key **ret_key);

#endif
