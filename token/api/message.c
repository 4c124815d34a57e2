/* PKCS#11 5.9, 5.11, 5.14, 5.16: message-based functions of version 3.0. */
#include "token/session/message.h"

#include "token/api/call.h"
#include "token/api/guard.h"

static struct message_parameter as_parameter(void *parameter, CK_ULONG size)
{
    return (struct message_parameter){.data = parameter, .size = size};
}

static CK_RV crypt(CK_SESSION_HANDLE handle, enum operation_kind kind,
                   struct message_parameter parameter, struct view associated, struct view in,
                   CK_BYTE *out, CK_ULONG *out_size)
{
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    rv = message_crypt(session, kind, parameter, associated, in, out, out_size);
    guard_leave(session->token);
    return rv;
}

static CK_RV crypt_begin(CK_SESSION_HANDLE handle, enum operation_kind kind,
                         struct message_parameter parameter, struct view associated)
{
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    rv = message_crypt_begin(session, kind, parameter, associated);
    guard_leave(session->token);
    return rv;
}

static CK_RV crypt_next(CK_SESSION_HANDLE handle, enum operation_kind kind,
                        struct message_parameter parameter, struct view in, CK_FLAGS flags,
                        CK_BYTE *out, CK_ULONG *out_size)
{
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    rv =
        message_crypt_next(session, kind, parameter, in, flags & CKF_END_OF_MESSAGE, out, out_size);
    guard_leave(session->token);
    return rv;
}

static CK_RV part_begin(CK_SESSION_HANDLE handle, enum operation_kind kind,
                        struct message_parameter parameter)
{
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    rv = message_part_begin(session, kind, parameter);
    guard_leave(session->token);
    return rv;
}

static CK_RV end(CK_SESSION_HANDLE handle, enum operation_kind kind)
{
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    rv = message_end(session, kind);
    guard_leave(session->token);
    return rv;
}

CK_RV C_MessageEncryptInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    return call_init(session, OPERATION_MESSAGE_ENCRYPT, mechanism, key);
}

CK_RV C_EncryptMessage(CK_SESSION_HANDLE session, void *parameter, unsigned long parameter_len,
                       unsigned char *associated, unsigned long associated_len, unsigned char *in,
                       unsigned long in_len, unsigned char *out, unsigned long *out_len)
{
    return crypt(session, OPERATION_MESSAGE_ENCRYPT, as_parameter(parameter, parameter_len),
                 call_input(associated, associated_len), call_input(in, in_len), out, out_len);
}

CK_RV C_EncryptMessageBegin(CK_SESSION_HANDLE session, void *parameter, unsigned long parameter_len,
                            unsigned char *associated, unsigned long associated_len)
{
    return crypt_begin(session, OPERATION_MESSAGE_ENCRYPT, as_parameter(parameter, parameter_len),
                       call_input(associated, associated_len));
}

CK_RV C_EncryptMessageNext(CK_SESSION_HANDLE session, void *parameter, unsigned long parameter_len,
                           unsigned char *in, unsigned long in_len, unsigned char *out,
                           unsigned long *out_len, CK_FLAGS flags)
{
    return crypt_next(session, OPERATION_MESSAGE_ENCRYPT, as_parameter(parameter, parameter_len),
                      call_input(in, in_len), flags, out, out_len);
}

CK_RV C_MessageEncryptFinal(CK_SESSION_HANDLE session)
{
    return end(session, OPERATION_MESSAGE_ENCRYPT);
}

CK_RV C_MessageDecryptInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    return call_init(session, OPERATION_MESSAGE_DECRYPT, mechanism, key);
}

CK_RV C_DecryptMessage(CK_SESSION_HANDLE session, void *parameter, unsigned long parameter_len,
                       unsigned char *associated, unsigned long associated_len, unsigned char *in,
                       unsigned long in_len, unsigned char *out, unsigned long *out_len)
{
    return crypt(session, OPERATION_MESSAGE_DECRYPT, as_parameter(parameter, parameter_len),
                 call_input(associated, associated_len), call_input(in, in_len), out, out_len);
}

CK_RV C_DecryptMessageBegin(CK_SESSION_HANDLE session, void *parameter, unsigned long parameter_len,
                            unsigned char *associated, unsigned long associated_len)
{
    return crypt_begin(session, OPERATION_MESSAGE_DECRYPT, as_parameter(parameter, parameter_len),
                       call_input(associated, associated_len));
}

CK_RV C_DecryptMessageNext(CK_SESSION_HANDLE session, void *parameter, unsigned long parameter_len,
                           unsigned char *in, unsigned long in_len, unsigned char *out,
                           unsigned long *out_len, CK_FLAGS flags)
{
    return crypt_next(session, OPERATION_MESSAGE_DECRYPT, as_parameter(parameter, parameter_len),
                      call_input(in, in_len), flags, out, out_len);
}

CK_RV C_MessageDecryptFinal(CK_SESSION_HANDLE session)
{
    return end(session, OPERATION_MESSAGE_DECRYPT);
}

CK_RV C_MessageSignInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    return call_init(session, OPERATION_MESSAGE_SIGN, mechanism, key);
}

CK_RV C_SignMessage(CK_SESSION_HANDLE handle, void *parameter, unsigned long parameter_len,
                    unsigned char *data, unsigned long data_len, unsigned char *signature,
                    unsigned long *signature_len)
{
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    rv = message_sign(session, as_parameter(parameter, parameter_len), call_input(data, data_len),
                      signature, signature_len);
    guard_leave(session->token);
    return rv;
}

CK_RV C_SignMessageBegin(CK_SESSION_HANDLE session, void *parameter, unsigned long parameter_len)
{
    return part_begin(session, OPERATION_MESSAGE_SIGN, as_parameter(parameter, parameter_len));
}

CK_RV C_SignMessageNext(CK_SESSION_HANDLE handle, void *parameter, unsigned long parameter_len,
                        unsigned char *data, unsigned long data_len, unsigned char *signature,
                        unsigned long *signature_len)
{
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    rv = message_sign_next(session, as_parameter(parameter, parameter_len),
                           call_input(data, data_len), signature, signature_len);
    guard_leave(session->token);
    return rv;
}

CK_RV C_MessageSignFinal(CK_SESSION_HANDLE session)
{
    return end(session, OPERATION_MESSAGE_SIGN);
}

CK_RV C_MessageVerifyInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    return call_init(session, OPERATION_MESSAGE_VERIFY, mechanism, key);
}

CK_RV C_VerifyMessage(CK_SESSION_HANDLE handle, void *parameter, unsigned long parameter_len,
                      unsigned char *data, unsigned long data_len, unsigned char *signature,
                      unsigned long signature_len)
{
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    rv = message_verify(session, as_parameter(parameter, parameter_len), call_input(data, data_len),
                        call_input(signature, signature_len));
    guard_leave(session->token);
    return rv;
}

CK_RV C_VerifyMessageBegin(CK_SESSION_HANDLE session, void *parameter, unsigned long parameter_len)
{
    return part_begin(session, OPERATION_MESSAGE_VERIFY, as_parameter(parameter, parameter_len));
}

CK_RV C_VerifyMessageNext(CK_SESSION_HANDLE handle, void *parameter, unsigned long parameter_len,
                          unsigned char *data, unsigned long data_len, unsigned char *signature,
                          unsigned long signature_len)
{
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    rv = message_verify_next(session, as_parameter(parameter, parameter_len),
                             call_input(data, data_len), call_input(signature, signature_len));
    guard_leave(session->token);
    return rv;
}

CK_RV C_MessageVerifyFinal(CK_SESSION_HANDLE session)
{
    return end(session, OPERATION_MESSAGE_VERIFY);
}
