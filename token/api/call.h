/* The shapes that the cryptographic entry points share: enter, run one function
 * of session/operation.h, leave. Inside the room only. */
#ifndef SIGNET_API_CALL_H
#define SIGNET_API_CALL_H

#include "token/session/session.h"

/* Keeps a NULL with a length apart from nothing: the rooms below refuse it. */
struct view call_input(const void *data, CK_ULONG size);

CK_RV call_init(CK_SESSION_HANDLE handle, enum operation_kind kind, const CK_MECHANISM *mechanism,
                CK_OBJECT_HANDLE key);
CK_RV call_once(CK_SESSION_HANDLE handle, enum operation_kind kind, const CK_BYTE *in,
                CK_ULONG in_size, CK_BYTE *out, CK_ULONG *out_size);
CK_RV call_update(CK_SESSION_HANDLE handle, enum operation_kind kind, const CK_BYTE *in,
                  CK_ULONG in_size);
CK_RV call_update_out(CK_SESSION_HANDLE handle, enum operation_kind kind, const CK_BYTE *in,
                      CK_ULONG in_size, CK_BYTE *out, CK_ULONG *out_size);
CK_RV call_final(CK_SESSION_HANDLE handle, enum operation_kind kind, CK_BYTE *out,
                 CK_ULONG *out_size);

/* For functions that this module has no mechanism for: CKR_SESSION_HANDLE_INVALID
 * and the like where they apply, else `answer`. */
CK_RV call_without_mechanism(CK_SESSION_HANDLE handle, CK_RV answer);

#endif
