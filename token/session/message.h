/* Message-based operations of PKCS#11 3.0 (5.9, 5.11, 5.14, 5.16): one begun operation,
 * many messages. They are begun by operation_begin and ended by message_end. The guard's
 * token lock is held. */
#ifndef SIGNET_SESSION_MESSAGE_H
#define SIGNET_SESSION_MESSAGE_H

#include "token/session/session.h"

/* The caller's parameter of one message. */
struct message_parameter {
    void *data;
    CK_ULONG size;
};

/* C_EncryptMessage, C_DecryptMessage; kind is OPERATION_MESSAGE_ENCRYPT or _DECRYPT.
 * A failure ends the message, not the operation. Lengths as in operation_once. */
CHECKED CK_RV message_crypt(struct session *session, enum operation_kind kind,
                            struct message_parameter parameter, struct view associated,
                            struct view in, CK_BYTE *out, CK_ULONG *out_size);

/* C_XMessageBegin and C_XMessageNext; `last` is CKF_END_OF_MESSAGE. */
CHECKED CK_RV message_crypt_begin(struct session *session, enum operation_kind kind,
                                  struct message_parameter parameter, struct view associated);
CHECKED CK_RV message_crypt_next(struct session *session, enum operation_kind kind,
                                 struct message_parameter parameter, struct view in, bool last,
                                 CK_BYTE *out, CK_ULONG *out_size);

/* C_SignMessage and C_VerifyMessage. No mechanism has a parameter per message. */
CHECKED CK_RV message_sign(struct session *session, struct message_parameter parameter,
                           struct view in, CK_BYTE *out, CK_ULONG *out_size);
CHECKED CK_RV message_verify(struct session *session, struct message_parameter parameter,
                             struct view in, struct view signature);

/* C_XMessageBegin and C_XMessageNext of kind OPERATION_MESSAGE_SIGN or _VERIFY: out_size
 * NULL, and signature.data NULL, tell that more is to come. */
CHECKED CK_RV message_part_begin(struct session *session, enum operation_kind kind,
                                 struct message_parameter parameter);
CHECKED CK_RV message_sign_next(struct session *session, struct message_parameter parameter,
                                struct view in, CK_BYTE *out, CK_ULONG *out_size);
CHECKED CK_RV message_verify_next(struct session *session, struct message_parameter parameter,
                                  struct view in, struct view signature);

/* C_MessageXFinal. CKR_OPERATION_NOT_INITIALIZED. */
CHECKED CK_RV message_end(struct session *session, enum operation_kind kind);

#endif
