/* The running operations of a session (PKCS#11 5.8 to 5.17). The guard's token lock is
 * held. */
#ifndef SIGNET_SESSION_OPERATION_H
#define SIGNET_SESSION_OPERATION_H

#include "token/session/session.h"

/* C_XInit. `key` is ignored for digests. A NULL mechanism ends a running
 * operation (PKCS#11 3.0). */
CHECKED CK_RV operation_begin(struct session *session, enum operation_kind kind,
                              const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key);

/* C_X: all the input at once. out NULL asks for the length and ends nothing;
 * CKR_BUFFER_TOO_SMALL sets *out_size and ends nothing; all else ends it. Here and below the output
 * may be written over the input. */
CHECKED CK_RV operation_once(struct session *session, enum operation_kind kind, struct view in,
                             CK_BYTE *out, CK_ULONG *out_size);

/* C_XUpdate: a piece of input. A failure ends the operation. */
CHECKED CK_RV operation_update(struct session *session, enum operation_kind kind, struct view in);

/* C_EncryptUpdate and C_DecryptUpdate, which have output; asked for the length or
 * with too little room they take no input. */
CHECKED CK_RV operation_update_out(struct session *session, enum operation_kind kind,
                                   struct view in, CK_BYTE *out, CK_ULONG *out_size);

/* C_XFinal; out and *out_size as in operation_once. */
CHECKED CK_RV operation_finish(struct session *session, enum operation_kind kind, CK_BYTE *out,
                               CK_ULONG *out_size);

/* C_Verify and C_VerifyFinal: always end it. */
CHECKED CK_RV operation_verify(struct session *session, struct view in, struct view signature);
CHECKED CK_RV operation_verify_finish(struct session *session, struct view signature);

/* C_VerifySignatureInit, which keeps the signature; its CKA_VERIFY and CKF_VERIFY are those
 * of OPERATION_VERIFY, beside which it may run. A NULL mechanism ends it, as above.
 * CKR_SIGNATURE_LEN_RANGE for one longer than any can be. */
CHECKED CK_RV operation_begin_verify_signature(struct session *session,
                                               const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key,
                                               struct view signature);

/* C_VerifySignature and C_VerifySignatureFinal: always end it. Between them
 * operation_update. */
CHECKED CK_RV operation_verify_signature(struct session *session, struct view in);
CHECKED CK_RV operation_verify_signature_finish(struct session *session);

/* C_DigestKey: the value of a secret key. */
CHECKED CK_RV operation_digest_key(struct session *session, CK_OBJECT_HANDLE key);

bool operation_is_active(const struct session *session, enum operation_kind kind);

/* Ends it without result; harmless if there is none. */
void operation_cancel(struct session *session, enum operation_kind kind);

/* C_SessionCancel: those that the flags (CKF_SIGN, …) name. */
void operation_cancel_flagged(struct session *session, CK_FLAGS flags);

/* At logout: those whose key is a private object. */
void operation_cancel_private(struct session *session);

/* Keys with CKA_ALWAYS_AUTHENTICATE: does an operation wait for C_Login of
 * CKU_CONTEXT_SPECIFIC; and, once its PIN was right, let those go on that do.
 * CKR_OPERATION_NOT_INITIALIZED if none waits. */
bool operation_waits_for_login(const struct session *session);
CHECKED CK_RV operation_context_login(struct session *session);

#endif
