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

CK_RV session_check_login(const struct session *session, CK_USER_TYPE user)
{
    const struct token *token = session->token;
    enum token_login wanted = user == CKU_SO ? TOKEN_SO : TOKEN_USER;
    bool read_only = token->session_count > token->rw_session_count;
    if (user == CKU_CONTEXT_SPECIFIC)
        return operation_waits_for_login(session) ? CKR_OK : CKR_OPERATION_NOT_INITIALIZED;
    if (user == CKU_SO && !token->writable)
        return CKR_USER_TYPE_INVALID;
    if (token->login != TOKEN_PUBLIC)
        return token->login == wanted ? CKR_USER_ALREADY_LOGGED_IN
                                      : CKR_USER_ANOTHER_ALREADY_LOGGED_IN;
    return user == CKU_SO && read_only ? CKR_SESSION_READ_ONLY_EXISTS : CKR_OK;
}

CK_RV session_login(struct session *session, CK_USER_TYPE user, struct view pin)
{
    CK_RV rv = session_check_login(session, user);
    if (rv != CKR_OK)
        return rv;
    if (user != CKU_CONTEXT_SPECIFIC)
        return token_login(session->token, user, pin);
    rv = token_check_pin(session->token, pin);
    return rv != CKR_OK ? rv : operation_context_login(session);
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
