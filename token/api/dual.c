/* PKCS#11 5.17: dual-function cryptographic functions. The tokens do not have
 * CKF_DUAL_CRYPTO_OPERATIONS. */
#include "token/api/guard.h"
#include "token/session/operation.h"

static CK_RV dual(CK_SESSION_HANDLE handle, enum operation_kind first, enum operation_kind second)
{
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    rv = operation_is_active(session, first) && operation_is_active(session, second)
             ? CKR_FUNCTION_NOT_SUPPORTED
             : CKR_OPERATION_NOT_INITIALIZED;
    guard_leave(session->token);
    return rv;
}

CK_RV C_DigestEncryptUpdate(CK_SESSION_HANDLE session, unsigned char *in, unsigned long in_len,
                            unsigned char *out, unsigned long *out_len)
{
    (void)in;
    (void)in_len;
    (void)out;
    (void)out_len;
    return dual(session, OPERATION_DIGEST, OPERATION_ENCRYPT);
}

CK_RV C_DecryptDigestUpdate(CK_SESSION_HANDLE session, unsigned char *in, unsigned long in_len,
                            unsigned char *out, unsigned long *out_len)
{
    (void)in;
    (void)in_len;
    (void)out;
    (void)out_len;
    return dual(session, OPERATION_DECRYPT, OPERATION_DIGEST);
}

CK_RV C_SignEncryptUpdate(CK_SESSION_HANDLE session, unsigned char *in, unsigned long in_len,
                          unsigned char *out, unsigned long *out_len)
{
    (void)in;
    (void)in_len;
    (void)out;
    (void)out_len;
    return dual(session, OPERATION_SIGN, OPERATION_ENCRYPT);
}

CK_RV C_DecryptVerifyUpdate(CK_SESSION_HANDLE session, unsigned char *in, unsigned long in_len,
                            unsigned char *out, unsigned long *out_len)
{
    (void)in;
    (void)in_len;
    (void)out;
    (void)out_len;
    return dual(session, OPERATION_DECRYPT, OPERATION_VERIFY);
}
