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
    rv =
        operation_verify(session, call_input(data, data_len), call_input(signature, signature_len));
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
    rv = operation_verify_finish(session, call_input(signature, signature_len));
    guard_leave(session->token);
    return rv;
}

CK_RV C_VerifyRecoverInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    return call_init(session, OPERATION_VERIFY_RECOVER, mechanism, key);
}

CK_RV C_VerifyRecover(CK_SESSION_HANDLE session, unsigned char *signature,
                      unsigned long signature_len, unsigned char *data, unsigned long *data_len)
{
    return call_once(session, OPERATION_VERIFY_RECOVER, signature, signature_len, data, data_len);
}

CK_RV C_VerifySignatureInit(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key,
                            unsigned char *signature, unsigned long signature_len)
{
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    rv = operation_begin_verify_signature(session, mechanism, key,
                                          call_input(signature, signature_len));
    guard_leave(session->token);
    return rv;
}

CK_RV C_VerifySignature(CK_SESSION_HANDLE handle, unsigned char *data, unsigned long data_len)
{
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    rv = operation_verify_signature(session, call_input(data, data_len));
    guard_leave(session->token);
    return rv;
}

CK_RV C_VerifySignatureUpdate(CK_SESSION_HANDLE session, unsigned char *part,
                              unsigned long part_len)
{
    return call_update(session, OPERATION_VERIFY_SIGNATURE, part, part_len);
}

CK_RV C_VerifySignatureFinal(CK_SESSION_HANDLE handle)
{
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    rv = operation_verify_signature_finish(session);
    guard_leave(session->token);
    return rv;
}
