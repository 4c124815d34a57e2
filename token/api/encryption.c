/* PKCS#11 5.8: encryption functions. */
#include "token/api/call.h"

CK_RV C_EncryptInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    return call_init(session, OPERATION_ENCRYPT, mechanism, key);
}

CK_RV C_Encrypt(CK_SESSION_HANDLE session, unsigned char *in, unsigned long in_len,
                unsigned char *out, unsigned long *out_len)
{
    return call_once(session, OPERATION_ENCRYPT, in, in_len, out, out_len);
}

CK_RV C_EncryptUpdate(CK_SESSION_HANDLE session, unsigned char *in, unsigned long in_len,
                      unsigned char *out, unsigned long *out_len)
{
    return call_update_out(session, OPERATION_ENCRYPT, in, in_len, out, out_len);
}

CK_RV C_EncryptFinal(CK_SESSION_HANDLE session, unsigned char *out, unsigned long *out_len)
{
    return call_final(session, OPERATION_ENCRYPT, out, out_len);
}
