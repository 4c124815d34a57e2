#include "token/api/call.h"

#include "token/api/guard.h"
#include "token/session/operation.h"

struct view call_input(const void *data, CK_ULONG size)
{
    return (struct view){.data = data, .size = size};
}

CK_RV call_init(CK_SESSION_HANDLE handle, enum operation_kind kind, const CK_MECHANISM *mechanism,
                CK_OBJECT_HANDLE key)
{
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    rv = operation_begin(session, kind, mechanism, key);
    guard_leave(session->token);
    return rv;
}

CK_RV call_once(CK_SESSION_HANDLE handle, enum operation_kind kind, const CK_BYTE *in,
                CK_ULONG in_size, CK_BYTE *out, CK_ULONG *out_size)
{
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    rv = operation_once(session, kind, call_input(in, in_size), out, out_size);
    guard_leave(session->token);
    return rv;
}

CK_RV call_update(CK_SESSION_HANDLE handle, enum operation_kind kind, const CK_BYTE *in,
                  CK_ULONG in_size)
{
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    rv = operation_update(session, kind, call_input(in, in_size));
    guard_leave(session->token);
    return rv;
}

CK_RV call_update_out(CK_SESSION_HANDLE handle, enum operation_kind kind, const CK_BYTE *in,
                      CK_ULONG in_size, CK_BYTE *out, CK_ULONG *out_size)
{
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    rv = operation_update_out(session, kind, call_input(in, in_size), out, out_size);
    guard_leave(session->token);
    return rv;
}

CK_RV call_final(CK_SESSION_HANDLE handle, enum operation_kind kind, CK_BYTE *out,
                 CK_ULONG *out_size)
{
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    rv = operation_finish(session, kind, out, out_size);
    guard_leave(session->token);
    return rv;
}

CK_RV call_without_mechanism(CK_SESSION_HANDLE handle, CK_RV answer)
{
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    guard_leave(session->token);
    return answer;
}
