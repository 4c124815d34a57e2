/* Parts of AES that wrapping and messages need too. Inside the room only. */
#ifndef SIGNET_MECHANISM_CIPHER_H
#define SIGNET_MECHANISM_CIPHER_H

#include "token/crypto/cipher.h"
#include "token/mechanism/mechanism.h"

/* The parameter of CBC: 16 bytes, borrowed. CKR_MECHANISM_PARAM_INVALID. */
CHECKED CK_RV cipher_initial_block(const CK_MECHANISM *given, struct view *ret_block);

/* The parameters of GCM (PKCS#11 6.13), borrowed. CKR_MECHANISM_PARAM_INVALID. */
CHECKED CK_RV cipher_gcm_parameters(const CK_MECHANISM *given,
                                    struct cipher_parameters *parameters);

#endif
