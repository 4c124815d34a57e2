/* Dual-function updates (PKCS#11 5.17): one piece of data through two operations that
 * are active. A failure ends both. The guard's token lock is held. */
#ifndef SIGNET_SESSION_DUAL_H
#define SIGNET_SESSION_DUAL_H

#include "token/session/session.h"

/* The plaintext goes to `with` (OPERATION_DIGEST, SIGN) and is encrypted. Lengths as in
 * operation_update_out. */
CHECKED CK_RV dual_encrypt(struct session *session, enum operation_kind with, struct view in,
                           CK_BYTE *out, CK_ULONG *out_size);

/* What is decrypted goes to `with` (OPERATION_DIGEST, VERIFY). */
CHECKED CK_RV dual_decrypt(struct session *session, enum operation_kind with, struct view in,
                           CK_BYTE *out, CK_ULONG *out_size);

#endif
