/* PKCS#11 5.6: session management functions. */
#include "token/api/call.h"
#include "token/api/guard.h"
#include "token/session/operation.h"
#include "token/session/pin_login.h"
#include "token/session/search.h"
#include "token/session/state.h"

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
    else if (flags & CKF_ASYNC_SESSION)
        rv = CKR_SESSION_ASYNC_NOT_SUPPORTED;
    else if (!(flags & CKF_RW_SESSION) && token->login == TOKEN_SO)
        rv = CKR_SESSION_READ_WRITE_SO_EXISTS;
    /* Read/write sessions of a write-protected token open: OpenSSH insists. */
    if (rv == CKR_OK) {
        token_look(token);
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

CK_RV C_GetOperationState(CK_SESSION_HANDLE handle, unsigned char *state, unsigned long *state_len)
{
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    rv = state_save(session, state, state_len);
    guard_leave(session->token);
    return rv;
}

CK_RV C_SetOperationState(CK_SESSION_HANDLE handle, unsigned char *state, unsigned long state_len,
                          CK_OBJECT_HANDLE encryption_key, CK_OBJECT_HANDLE authentication_key)
{
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    if (!state || !state_len)
        rv = CKR_ARGUMENTS_BAD;
    else if (encryption_key || authentication_key)
        rv = CKR_KEY_NOT_NEEDED; /* only digests are saved */
    else
        rv = state_restore(session, call_input(state, state_len));
    guard_leave(session->token);
    return rv;
}

/* Instead of the application the token's own source of PINs is asked, without the
 * token's lock: a user takes his time. Leaves what was entered. */
static CK_RV login_from_source(CK_SESSION_HANDLE handle, CK_USER_TYPE user, struct session *session)
{
    struct secret *pin CLEANUP(secret_cleanup) = NULL;
    struct token *token = session->token;
    struct pin_request request;
    CK_RV rv = session_check_login(session, user);
    if (rv == CKR_OK)
        rv = pin_login_request(token, user, &request);
    if (rv != CKR_OK) {
        guard_leave(token);
        return rv;
    }
    guard_pause(token);
    CK_RV asked = pin_login_ask(&request, &pin);
    rv = guard_resume(handle, token, &session);
    if (rv != CKR_OK)
        return rv;
    rv = asked == CKR_OK ? pin_login(session, user, secret_view(pin)) : asked;
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
    if (user <= CKU_CONTEXT_SPECIFIC && !pin && !pin_len)
        return login_from_source(handle, user, session);
    rv = user > CKU_CONTEXT_SPECIFIC ? CKR_USER_TYPE_INVALID
         : pin                       ? session_login(session, user, view_of(pin, pin_len))
                                     : (CK_RV)CKR_ARGUMENTS_BAD;
    guard_leave(session->token);
    return rv;
}

CK_RV C_LoginUser(CK_SESSION_HANDLE session, CK_USER_TYPE user, unsigned char *pin,
                  unsigned long pin_len, unsigned char *username, unsigned long username_len)
{
    /* Users without names; who gives one means somebody else. */
    if (username_len)
        return call_without_mechanism(session,
                                      username ? CKR_USER_TYPE_INVALID : CKR_ARGUMENTS_BAD);
    return C_Login(session, user, pin, pin_len);
}

CK_RV C_Logout(CK_SESSION_HANDLE handle)
{
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    bool was_private = token_needs_login(session->token);
    rv = token_logout(session->token);
    if (rv == CKR_OK && was_private) {
        struct module *module = guard_registry_take();
        if (module)
            module_end_private(module, session->token);
        guard_registry_release();
    }
    guard_leave(session->token);
    return rv;
}

CK_RV C_SessionCancel(CK_SESSION_HANDLE handle, CK_FLAGS flags)
{
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    operation_cancel_flagged(session, flags);
    if (flags & CKF_FIND_OBJECTS)
        search_end(&session->search);
    guard_leave(session->token);
    return CKR_OK;
}

CK_RV C_GetSessionValidationFlags(CK_SESSION_HANDLE handle, CK_SESSION_VALIDATION_FLAGS_TYPE type,
                                  CK_FLAGS *flags)
{
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    if (type != CKS_LAST_VALIDATION_OK || !flags)
        rv = CKR_ARGUMENTS_BAD;
    else
        *flags = 0; /* there is no validation that an operation could have met */
    guard_leave(session->token);
    return rv;
}
