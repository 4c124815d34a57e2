/* PKCS#11 5.15: functions for verifying signatures and MACs. */
#include "token/api/call.h"
#include "token/api/guard.h"
#include "token/session/operation.h"

CK_RV C_VerifyInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    return call_init(session, OPERATION_VERIFY, mechanism, key);
}

CK_RV C_Verify(CK_SESSION_HANDLE handle, unsigned char *data, unsigned long data_len,
               unsigned char *signature, unsigned long signature_len)
{
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    rv = operation_verify(session, (struct view){data, data_len},
                          (struct view){signature, signature_len});
    guard_leave(session->token);
    return rv;
}

CK_RV C_VerifyUpdate(CK_SESSION_HANDLE session, unsigned char *part, unsigned long part_len)
{
    return call_update(session, OPERATION_VERIFY, part, part_len);
}

CK_RV C_VerifyFinal(CK_SESSION_HANDLE handle, unsigned char *signature, unsigned long signature_len)
{
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    rv = operation_verify_finish(session, (struct view){signature, signature_len});
    guard_leave(session->token);
    return rv;
}

CK_RV C_VerifyRecoverInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    (void)key;
    return call_without_mechanism(session, mechanism ? CKR_MECHANISM_INVALID : CKR_ARGUMENTS_BAD);
}

CK_RV C_VerifyRecover(CK_SESSION_HANDLE session, unsigned char *signature,
                      unsigned long signature_len, unsigned char *data, unsigned long *data_len)
{
    (void)signature;
    (void)signature_len;
    (void)data;
    (void)data_len;
    return call_without_mechanism(session, CKR_OPERATION_NOT_INITIALIZED);
}
