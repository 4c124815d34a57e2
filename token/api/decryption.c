/* PKCS#11 5.10: decryption functions. */
#include "token/api/call.h"

CK_RV C_DecryptInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    return call_init(session, OPERATION_DECRYPT, mechanism, key);
}

CK_RV C_Decrypt(CK_SESSION_HANDLE session, unsigned char *in, unsigned long in_len,
                unsigned char *out, unsigned long *out_len)
{
    return call_once(session, OPERATION_DECRYPT, in, in_len, out, out_len);
}

CK_RV C_DecryptUpdate(CK_SESSION_HANDLE session, unsigned char *in, unsigned long in_len,
                      unsigned char *out, unsigned long *out_len)
{
    return call_update_out(session, OPERATION_DECRYPT, in, in_len, out, out_len);
}

CK_RV C_DecryptFinal(CK_SESSION_HANDLE session, unsigned char *out, unsigned long *out_len)
{
    return call_final(session, OPERATION_DECRYPT, out, out_len);
}
