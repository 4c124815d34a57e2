/* PKCS#11 5.12: message digesting functions. */
#include "token/api/call.h"
#include "token/api/guard.h"
#include "token/session/operation.h"

CK_RV C_DigestInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism)
{
    return call_init(session, OPERATION_DIGEST, mechanism, CK_INVALID_HANDLE);
}

CK_RV C_Digest(CK_SESSION_HANDLE session, unsigned char *data, unsigned long data_len,
               unsigned char *digest, unsigned long *digest_len)
{
    return call_once(session, OPERATION_DIGEST, data, data_len, digest, digest_len);
}

CK_RV C_DigestUpdate(CK_SESSION_HANDLE session, unsigned char *part, unsigned long part_len)
{
    return call_update(session, OPERATION_DIGEST, part, part_len);
}

CK_RV C_DigestKey(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE key)
{
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    rv = operation_digest_key(session, key);
    guard_leave(session->token);
    return rv;
}

CK_RV C_DigestFinal(CK_SESSION_HANDLE session, unsigned char *digest, unsigned long *digest_len)
{
    return call_final(session, OPERATION_DIGEST, digest, digest_len);
}
