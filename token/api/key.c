/* PKCS#11 5.18: key management functions. */
#include "token/api/call.h"
#include "token/api/guard.h"
#include "token/session/objects.h"

/* No token of this version makes keys: each serves the one it was given. */
static CK_RV no_mechanism(CK_SESSION_HANDLE session, bool arguments)
{
    return call_without_mechanism(session, arguments ? CKR_MECHANISM_INVALID : CKR_ARGUMENTS_BAD);
}

CK_RV C_GenerateKey(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_ATTRIBUTE *template,
                    unsigned long count, CK_OBJECT_HANDLE *key)
{
    return no_mechanism(session, mechanism && key && (template || !count));
}

CK_RV C_GenerateKeyPair(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
                        CK_ATTRIBUTE *public_template, unsigned long public_count,
                        CK_ATTRIBUTE *private_template, unsigned long private_count,
                        CK_OBJECT_HANDLE *public_key, CK_OBJECT_HANDLE *private_key)
{
    return no_mechanism(session, mechanism && public_key && private_key &&
                                     (public_template || !public_count) &&
                                     (private_template || !private_count));
}

CK_RV C_WrapKey(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE wrapping_key,
                CK_OBJECT_HANDLE key, unsigned char *wrapped_key, unsigned long *wrapped_key_len)
{
    (void)wrapping_key;
    (void)key;
    (void)wrapped_key;
    return no_mechanism(session, mechanism && wrapped_key_len);
}

CK_RV C_UnwrapKey(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
                  CK_OBJECT_HANDLE unwrapping_key, unsigned char *wrapped_key,
                  unsigned long wrapped_key_len, CK_ATTRIBUTE *template, unsigned long count,
                  CK_OBJECT_HANDLE *key)
{
    (void)unwrapping_key;
    (void)wrapped_key_len;
    return no_mechanism(session, mechanism && wrapped_key && key && (template || !count));
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
             : objects_derive(session, mechanism, base_key, template, count, key);
    guard_leave(session->token);
    return rv;
}
