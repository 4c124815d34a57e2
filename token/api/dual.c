/* PKCS#11 5.17: dual-function cryptographic functions. */
#include "token/session/dual.h"
#include "token/api/call.h"
#include "token/api/guard.h"

typedef CK_RV dual_function(struct session *session, enum operation_kind with, struct view in,
                            CK_BYTE *out, CK_ULONG *out_size);

static CK_RV call(dual_function *function, CK_SESSION_HANDLE handle, enum operation_kind with,
                  struct view in, CK_BYTE *out, CK_ULONG *out_size)
{
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    rv = function(session, with, in, out, out_size);
    guard_leave(session->token);
    return rv;
}

CK_RV C_DigestEncryptUpdate(CK_SESSION_HANDLE handle, unsigned char *in, unsigned long in_len,
                            unsigned char *out, unsigned long *out_len)
{
    return call(dual_encrypt, handle, OPERATION_DIGEST, call_input(in, in_len), out, out_len);
}

CK_RV C_DecryptDigestUpdate(CK_SESSION_HANDLE handle, unsigned char *in, unsigned long in_len,
                            unsigned char *out, unsigned long *out_len)
{
    return call(dual_decrypt, handle, OPERATION_DIGEST, call_input(in, in_len), out, out_len);
}

CK_RV C_SignEncryptUpdate(CK_SESSION_HANDLE handle, unsigned char *in, unsigned long in_len,
                          unsigned char *out, unsigned long *out_len)
{
    return call(dual_encrypt, handle, OPERATION_SIGN, call_input(in, in_len), out, out_len);
}

CK_RV C_DecryptVerifyUpdate(CK_SESSION_HANDLE handle, unsigned char *in, unsigned long in_len,
                            unsigned char *out, unsigned long *out_len)
{
    return call(dual_decrypt, handle, OPERATION_VERIFY, call_input(in, in_len), out, out_len);
}
