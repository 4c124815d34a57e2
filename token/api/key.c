/* PKCS#11 5.18: key management functions. */
#include "token/api/call.h"
#include "token/api/guard.h"
#include "token/session/manage.h"

CK_RV C_GenerateKey(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_ATTRIBUTE *template,
                    unsigned long count, CK_OBJECT_HANDLE *key)
{
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    rv = !mechanism || !key || (!template && count)
             ? CKR_ARGUMENTS_BAD
             : manage_generate(session, mechanism, template, count, key);
    guard_leave(session->token);
    return rv;
}

CK_RV C_GenerateKeyPair(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism,
                        CK_ATTRIBUTE *public_template, unsigned long public_count,
                        CK_ATTRIBUTE *private_template, unsigned long private_count,
                        CK_OBJECT_HANDLE *public_key, CK_OBJECT_HANDLE *private_key)
{
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    rv = !mechanism || !public_key || !private_key || (!public_template && public_count) ||
                 (!private_template && private_count)
             ? CKR_ARGUMENTS_BAD
             : manage_generate_pair(session, mechanism,
                                    (struct manage_template){public_template, public_count},
                                    (struct manage_template){private_template, private_count},
                                    public_key, private_key);
    guard_leave(session->token);
    return rv;
}

CK_RV C_WrapKey(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE wrapping_key,
                CK_OBJECT_HANDLE key, unsigned char *wrapped_key, unsigned long *wrapped_key_len)
{
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    rv = !mechanism || !wrapped_key_len
             ? CKR_ARGUMENTS_BAD
             : manage_wrap(session, mechanism, wrapping_key, key, wrapped_key, wrapped_key_len);
    guard_leave(session->token);
    return rv;
}

CK_RV C_UnwrapKey(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism,
                  CK_OBJECT_HANDLE unwrapping_key, unsigned char *wrapped_key,
                  unsigned long wrapped_key_len, CK_ATTRIBUTE *template, unsigned long count,
                  CK_OBJECT_HANDLE *key)
{
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    rv = !mechanism || !wrapped_key || !key || (!template && count)
             ? CKR_ARGUMENTS_BAD
             : manage_unwrap(session, mechanism, unwrapping_key,
                             view_of(wrapped_key, wrapped_key_len),
                             (struct manage_template){template, count}, key);
    guard_leave(session->token);
    return rv;
}

CK_RV C_DeriveKey(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE base_key,
                  CK_ATTRIBUTE *template, unsigned long count, CK_OBJECT_HANDLE *key)
{
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    rv = !mechanism || !key || (!template && count)
             ? CKR_ARGUMENTS_BAD
             : manage_derive(session, mechanism, base_key,
                             (struct manage_template){template, count}, key);
    guard_leave(session->token);
    return rv;
}

CK_RV C_WrapKeyAuthenticated(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism,
                             CK_OBJECT_HANDLE wrapping_key, CK_OBJECT_HANDLE key,
                             unsigned char *associated, unsigned long associated_len,
                             unsigned char *wrapped_key, unsigned long *wrapped_key_len)
{
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    rv = !mechanism || !wrapped_key_len || (!associated && associated_len)
             ? CKR_ARGUMENTS_BAD
             : manage_wrap_authenticated(session, mechanism, wrapping_key, key,
                                         call_input(associated, associated_len), wrapped_key,
                                         wrapped_key_len);
    guard_leave(session->token);
    return rv;
}

CK_RV C_UnwrapKeyAuthenticated(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism,
                               CK_OBJECT_HANDLE unwrapping_key, unsigned char *wrapped_key,
                               unsigned long wrapped_key_len, CK_ATTRIBUTE *template,
                               unsigned long count, unsigned char *associated,
                               unsigned long associated_len, CK_OBJECT_HANDLE *key)
{
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    rv = !mechanism || !wrapped_key || !key || (!template && count) ||
                 (!associated && associated_len)
             ? CKR_ARGUMENTS_BAD
             : manage_unwrap_authenticated(session, mechanism, unwrapping_key,
                                           call_input(wrapped_key, wrapped_key_len),
                                           (struct manage_template){template, count},
                                           call_input(associated, associated_len), key);
    guard_leave(session->token);
    return rv;
}

CK_RV C_EncapsulateKey(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism,
                       CK_OBJECT_HANDLE public_key, CK_ATTRIBUTE *template, unsigned long count,
                       unsigned char *ciphertext, unsigned long *ciphertext_len,
                       CK_OBJECT_HANDLE *key)
{
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    /* Who asks for the length alone needs no place for the key. */
    rv = !mechanism || !ciphertext_len || (ciphertext && !key) || (!template && count)
             ? CKR_ARGUMENTS_BAD
             : manage_encapsulate(session, mechanism, public_key,
                                  (struct manage_template){template, count}, ciphertext,
                                  ciphertext_len, key);
    guard_leave(session->token);
    return rv;
}

CK_RV C_DecapsulateKey(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism,
                       CK_OBJECT_HANDLE private_key, CK_ATTRIBUTE *template, unsigned long count,
                       unsigned char *ciphertext, unsigned long ciphertext_len,
                       CK_OBJECT_HANDLE *key)
{
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    rv = !mechanism || !ciphertext || !key || (!template && count)
             ? CKR_ARGUMENTS_BAD
             : manage_decapsulate(session, mechanism, private_key,
                                  (struct manage_template){template, count},
                                  call_input(ciphertext, ciphertext_len), key);
    guard_leave(session->token);
    return rv;
}
