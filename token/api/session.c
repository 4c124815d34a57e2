/* PKCS#11 5.6: session management functions. */
#include "token/api/call.h"
#include "token/api/guard.h"
#include "token/session/operation.h"
#include "token/session/pin_login.h"
#include "token/session/search.h"

CK_RV C_OpenSession(CK_SLOT_ID slot, CK_FLAGS flags, void *application, CK_NOTIFY notify,
                    CK_SESSION_HANDLE *session)
{
    (void)application;
    (void)notify;
    struct token *token;
    CK_RV rv = guard_enter_slot(slot, &token);
    if (rv != CKR_OK)
        return rv;
    if (!session)
        rv = CKR_ARGUMENTS_BAD;
    else if (!(flags & CKF_SERIAL_SESSION))
        rv = CKR_SESSION_PARALLEL_NOT_SUPPORTED;
    /* Read/write sessions of a write-protected token open: OpenSSH insists. */
    if (rv == CKR_OK) {
        struct module *module = guard_registry_take();
        rv = module ? module_open_session(module, token, flags & CKF_RW_SESSION, session)
                    : CKR_CRYPTOKI_NOT_INITIALIZED;
        guard_registry_release();
    }
    guard_leave(token);
    return rv;
}

/* With the token's lock held. */
static void close_session(struct session *session)
{
    struct module *module = guard_registry_take();
    if (module)
        module_remove_session(module, session);
    guard_registry_release();
    if (module)
        session_free(session);
}

CK_RV C_CloseSession(CK_SESSION_HANDLE handle)
{
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    struct token *token = session->token;
    close_session(session);
    guard_leave(token);
    return CKR_OK;
}

CK_RV C_CloseAllSessions(CK_SLOT_ID slot)
{
    struct token *token;
    CK_RV rv = guard_enter_slot(slot, &token);
    if (rv != CKR_OK)
        return rv;
    for (;;) {
        struct module *module = guard_registry_take();
        struct session *session =
            module ? module_session(module, module_session_of(module, token)) : NULL;
        guard_registry_release();
        if (!session)
            break;
        close_session(session);
    }
    guard_leave(token);
    return CKR_OK;
}

CK_RV C_GetSessionInfo(CK_SESSION_HANDLE handle, CK_SESSION_INFO *info)
{
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    if (info)
        *info = (CK_SESSION_INFO){
            .slotID = session->token->slot,
            .state = session_state(session),
            .flags = CKF_SERIAL_SESSION | (session->rw ? CKF_RW_SESSION : 0),
        };
    guard_leave(session->token);
    return info ? CKR_OK : CKR_ARGUMENTS_BAD;
}

/* Digests run in the library; their state has no form outside yet. */
CK_RV C_GetOperationState(CK_SESSION_HANDLE handle, unsigned char *state, unsigned long *state_len)
{
    (void)state;
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    bool active = false;
    for (enum operation_kind kind = 0; kind < OPERATION_KINDS; kind++)
        active |= operation_is_active(session, kind);
    guard_leave(session->token);
    if (!state_len)
        return CKR_ARGUMENTS_BAD;
    return active ? CKR_STATE_UNSAVEABLE : CKR_OPERATION_NOT_INITIALIZED;
}

CK_RV C_SetOperationState(CK_SESSION_HANDLE handle, unsigned char *state, unsigned long state_len,
                          CK_OBJECT_HANDLE encryption_key, CK_OBJECT_HANDLE authentication_key)
{
    (void)encryption_key;
    (void)authentication_key;
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    guard_leave(session->token);
    return state && state_len ? CKR_SAVED_STATE_INVALID : CKR_ARGUMENTS_BAD;
}

/* Instead of the application the token's own source of PINs is asked, without the
 * token's lock: a user takes his time. Leaves what was entered. */
static CK_RV login_from_source(CK_SESSION_HANDLE handle, CK_USER_TYPE user, struct session *session)
{
    struct secret *pin CLEANUP(secret_cleanup) = NULL;
    struct token *token = session->token;
    struct pin_request request;
    CK_RV rv = pin_login_request(token, user, &request);
    if (rv != CKR_OK) {
        guard_leave(token);
        return rv;
    }
    guard_pause(token);
    CK_RV asked = pin_login_ask(&request, &pin);
    rv = guard_resume(handle, token, &session);
    if (rv != CKR_OK)
        return rv;
    rv = asked == CKR_OK ? pin_login(token, user, secret_view(pin)) : asked;
    guard_leave(token);
    return rv;
}

CK_RV C_Login(CK_SESSION_HANDLE handle, CK_USER_TYPE user, unsigned char *pin,
              unsigned long pin_len)
{
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    if (user <= CKU_CONTEXT_SPECIFIC && !pin)
        return login_from_source(handle, user, session);
    rv = user > CKU_CONTEXT_SPECIFIC ? CKR_USER_TYPE_INVALID
                                     : token_login(session->token, user, view_of(pin, pin_len));
    guard_leave(session->token);
    return rv;
}

CK_RV C_LoginUser(CK_SESSION_HANDLE session, CK_USER_TYPE user, unsigned char *pin,
                  unsigned long pin_len, unsigned char *username, unsigned long username_len)
{
    /* One user, without a name. */
    if (!username && username_len)
        return call_without_mechanism(session, CKR_ARGUMENTS_BAD);
    return C_Login(session, user, pin, pin_len);
}

CK_RV C_Logout(CK_SESSION_HANDLE handle)
{
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    rv = token_logout(session->token);
    guard_leave(session->token);
    return rv;
}

CK_RV C_SessionCancel(CK_SESSION_HANDLE handle, CK_FLAGS flags)
{
    static const CK_FLAGS flag_of[OPERATION_KINDS] = {
        [OPERATION_ENCRYPT] = CKF_ENCRYPT, [OPERATION_DECRYPT] = CKF_DECRYPT,
        [OPERATION_DIGEST] = CKF_DIGEST,   [OPERATION_SIGN] = CKF_SIGN,
        [OPERATION_VERIFY] = CKF_VERIFY,
    };
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    for (enum operation_kind kind = 0; kind < OPERATION_KINDS; kind++)
        if (flags & flag_of[kind])
            operation_cancel(session, kind);
    if (flags & CKF_FIND_OBJECTS)
        search_end(&session->search);
    guard_leave(session->token);
    return CKR_OK;
}
