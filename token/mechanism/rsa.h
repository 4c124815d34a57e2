/* Parts of RSA mechanisms that wrapping needs too. Inside the room only. */
#ifndef SIGNET_MECHANISM_RSA_H
#define SIGNET_MECHANISM_RSA_H

#include "token/mechanism/mechanism.h"

/* The scheme of OAEP parameters; its label is borrowed. CKR_MECHANISM_PARAM_INVALID. */
CHECKED CK_RV rsa_oaep_scheme(const CK_RSA_PKCS_OAEP_PARAMS *oaep, struct scheme *ret_scheme);

/* Decrypts one block of wrapped key. CKR_WRAPPED_KEY_INVALID, CKR_WRAPPED_KEY_LEN_RANGE,
 * CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT. The caller wipes the result. */
CHECKED CK_RV rsa_unwrap_block(const struct scheme *scheme, struct key *key, struct view wrapped,
                               struct bytes *ret_plain);

#endif
