/* PKCS#11 5.9, 5.11, 5.14, 5.16: message-based functions of version 3.0. No
 * mechanism has a CKF_MESSAGE_ flag yet; so none can be begun. */
#include "token/api/call.h"

static CK_RV init(CK_SESSION_HANDLE session, const CK_MECHANISM *mechanism)
{
    return call_without_mechanism(session, mechanism ? CKR_MECHANISM_INVALID : CKR_ARGUMENTS_BAD);
}

static CK_RV not_begun(CK_SESSION_HANDLE session)
{
    return call_without_mechanism(session, CKR_OPERATION_NOT_INITIALIZED);
}

/* The parameters that are never looked at. */
#define IGNORE2(a, b) ((void)(a), (void)(b))
#define IGNORE4(a, b, c, d) (IGNORE2(a, b), IGNORE2(c, d))

CK_RV C_MessageEncryptInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    (void)key;
    return init(session, mechanism);
}

CK_RV C_EncryptMessage(CK_SESSION_HANDLE session, void *parameter, unsigned long parameter_len,
                       unsigned char *associated, unsigned long associated_len, unsigned char *in,
                       unsigned long in_len, unsigned char *out, unsigned long *out_len)
{
    IGNORE4(parameter, parameter_len, associated, associated_len);
    IGNORE4(in, in_len, out, out_len);
    return not_begun(session);
}

CK_RV C_EncryptMessageBegin(CK_SESSION_HANDLE session, void *parameter, unsigned long parameter_len,
                            unsigned char *associated, unsigned long associated_len)
{
    IGNORE4(parameter, parameter_len, associated, associated_len);
    return not_begun(session);
}

CK_RV C_EncryptMessageNext(CK_SESSION_HANDLE session, void *parameter, unsigned long parameter_len,
                           unsigned char *in, unsigned long in_len, unsigned char *out,
                           unsigned long *out_len, CK_FLAGS flags)
{
    IGNORE4(parameter, parameter_len, in, in_len);
    IGNORE2(out, out_len);
    (void)flags;
    return not_begun(session);
}

CK_RV C_MessageEncryptFinal(CK_SESSION_HANDLE session)
{
    return not_begun(session);
}

CK_RV C_MessageDecryptInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    (void)key;
    return init(session, mechanism);
}

CK_RV C_DecryptMessage(CK_SESSION_HANDLE session, void *parameter, unsigned long parameter_len,
                       unsigned char *associated, unsigned long associated_len, unsigned char *in,
                       unsigned long in_len, unsigned char *out, unsigned long *out_len)
{
    IGNORE4(parameter, parameter_len, associated, associated_len);
    IGNORE4(in, in_len, out, out_len);
    return not_begun(session);
}

CK_RV C_DecryptMessageBegin(CK_SESSION_HANDLE session, void *parameter, unsigned long parameter_len,
                            unsigned char *associated, unsigned long associated_len)
{
    IGNORE4(parameter, parameter_len, associated, associated_len);
    return not_begun(session);
}

CK_RV C_DecryptMessageNext(CK_SESSION_HANDLE session, void *parameter, unsigned long parameter_len,
                           unsigned char *in, unsigned long in_len, unsigned char *out,
                           unsigned long *out_len, CK_FLAGS flags)
{
    IGNORE4(parameter, parameter_len, in, in_len);
    IGNORE2(out, out_len);
    (void)flags;
    return not_begun(session);
}

CK_RV C_MessageDecryptFinal(CK_SESSION_HANDLE session)
{
    return not_begun(session);
}

CK_RV C_MessageSignInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    (void)key;
    return init(session, mechanism);
}

CK_RV C_SignMessage(CK_SESSION_HANDLE session, void *parameter, unsigned long parameter_len,
                    unsigned char *data, unsigned long data_len, unsigned char *signature,
                    unsigned long *signature_len)
{
    IGNORE4(parameter, parameter_len, data, data_len);
    IGNORE2(signature, signature_len);
    return not_begun(session);
}

CK_RV C_SignMessageBegin(CK_SESSION_HANDLE session, void *parameter, unsigned long parameter_len)
{
    IGNORE2(parameter, parameter_len);
    return not_begun(session);
}

CK_RV C_SignMessageNext(CK_SESSION_HANDLE session, void *parameter, unsigned long parameter_len,
                        unsigned char *data, unsigned long data_len, unsigned char *signature,
                        unsigned long *signature_len)
{
    IGNORE4(parameter, parameter_len, data, data_len);
    IGNORE2(signature, signature_len);
    return not_begun(session);
}

CK_RV C_MessageSignFinal(CK_SESSION_HANDLE session)
{
    return not_begun(session);
}

CK_RV C_MessageVerifyInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    (void)key;
    return init(session, mechanism);
}

CK_RV C_VerifyMessage(CK_SESSION_HANDLE session, void *parameter, unsigned long parameter_len,
                      unsigned char *data, unsigned long data_len, unsigned char *signature,
                      unsigned long signature_len)
{
    IGNORE4(parameter, parameter_len, data, data_len);
    IGNORE2(signature, signature_len);
    return not_begun(session);
}

CK_RV C_VerifyMessageBegin(CK_SESSION_HANDLE session, void *parameter, unsigned long parameter_len)
{
    IGNORE2(parameter, parameter_len);
    return not_begun(session);
}

CK_RV C_VerifyMessageNext(CK_SESSION_HANDLE session, void *parameter, unsigned long parameter_len,
                          unsigned char *data, unsigned long data_len, unsigned char *signature,
                          unsigned long signature_len)
{
    IGNORE4(parameter, parameter_len, data, data_len);
    IGNORE2(signature, signature_len);
    return not_begun(session);
}

CK_RV C_MessageVerifyFinal(CK_SESSION_HANDLE session)
{
    return not_begun(session);
}
