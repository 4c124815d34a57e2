/* Initialisation vectors of AES-GCM that are made here (NIST SP 800-38D, 8.2). Inside
 * the room only. */
#ifndef SIGNET_MECHANISM_GCM_IV_H
#define SIGNET_MECHANISM_GCM_IV_H

#include "token/crypto/cipher.h"

#define GCM_IV_MAX_SIZE CIPHER_GCM_MAX_IV_SIZE

/* Fills what is behind the fixed bits of `iv`, which are the caller's; `made` counts those
 * that this operation made before. CKR_MECHANISM_PARAM_INVALID for too few bits or an
 * unknown generator; CKR_TOKEN_RESOURCE_EXCEEDED when no more can be unique. */
CHECKED CK_RV gcm_iv_generate(CK_GENERATOR_FUNCTION generator, CK_ULONG fixed_bits, uint64_t made,
                              uint8_t *iv, size_t iv_size);

#endif
