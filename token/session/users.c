/* Who may log in and change PINs in which session (PKCS#11 5.5, 5.6). */
#include "token/session/life.h"
#include "token/session/operation.h"
#include "token/session/session.h"
#include "token/session/writable.h"

CK_RV token_initialise(struct token *token, struct view pin, struct view label)
{
    if (!token->writable)
        return CKR_TOKEN_WRITE_PROTECTED;
    if (!pin.data && !token->writable->pinless)
        return CKR_ARGUMENTS_BAD;
    return life_init_token(token, pin, label);
}

CK_RV session_login(struct session *session, CK_USER_TYPE user, struct view pin)
{
    struct token *token = session->token;
    if (!pin.data)
        return CKR_ARGUMENTS_BAD;
    if (user == CKU_CONTEXT_SPECIFIC) {
        CK_RV rv = operation_waits_for_login(session) ? token_check_pin(token, pin)
                                                   : (CK_RV)CKR_OPERATION_NOT_INITIALIZED;
        return rv != CKR_OK ? rv : operation_context_login(session);
    }
    bool read_only = token->session_count > token->rw_session_count;
    if (user == CKU_SO && token->writable && read_only)
        return CKR_SESSION_READ_ONLY_EXISTS;
    return token_login(token, user, pin);
}

CK_RV session_init_pin(struct session *session, struct view pin)
{
    if (!session->token->writable)
        return CKR_TOKEN_WRITE_PROTECTED;
    if (session_state(session) != CKS_RW_SO_FUNCTIONS)
        return CKR_USER_NOT_LOGGED_IN;
    if (!pin.data)
        return CKR_ARGUMENTS_BAD;
    return life_init_pin(session->token, pin);
}

CK_RV session_set_pin(struct session *session, struct view old_pin, struct view new_pin)
{
    if (!session->token->writable)
        return CKR_TOKEN_WRITE_PROTECTED;
    if (!session->rw)
        return CKR_SESSION_READ_ONLY;
    if (!old_pin.data || !new_pin.data)
        return CKR_ARGUMENTS_BAD;
    return life_set_pin(session->token, old_pin, new_pin);
}
