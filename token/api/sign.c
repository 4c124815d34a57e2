/* PKCS#11 5.13: signing and MACing functions. */
#include "token/api/call.h"

CK_RV C_SignInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    return call_init(session, OPERATION_SIGN, mechanism, key);
}

CK_RV C_Sign(CK_SESSION_HANDLE session, unsigned char *data, unsigned long data_len,
             unsigned char *signature, unsigned long *signature_len)
{
    return call_once(session, OPERATION_SIGN, data, data_len, signature, signature_len);
}

CK_RV C_SignUpdate(CK_SESSION_HANDLE session, unsigned char *part, unsigned long part_len)
{
    return call_update(session, OPERATION_SIGN, part, part_len);
}

CK_RV C_SignFinal(CK_SESSION_HANDLE session, unsigned char *signature, unsigned long *signature_len)
{
    return call_final(session, OPERATION_SIGN, signature, signature_len);
}

CK_RV C_SignRecoverInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    return call_init(session, OPERATION_SIGN_RECOVER, mechanism, key);
}

CK_RV C_SignRecover(CK_SESSION_HANDLE session, unsigned char *data, unsigned long data_len,
                    unsigned char *signature, unsigned long *signature_len)
{
    return call_once(session, OPERATION_SIGN_RECOVER, data, data_len, signature, signature_len);
}
