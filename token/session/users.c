/* Who may log in and change PINs in which session (PKCS#11 5.5, 5.6). */
#include "token/session/life.h"
#include "token/session/operation.h"
#include "token/session/pin_login.h"
#include "token/session/session.h"
#include "token/session/writable.h"

/* The PIN that the application gave, or what the token's source says: `*asked` owns that. */
static CK_RV obtain(struct token *token, CK_USER_TYPE user, enum pin_use use, struct view *pin,
                    struct secret **asked)
{
    struct pin_request request;
    if (pin->data)
        return CKR_OK;
    CK_RV rv = pin_login_prepare(token, user, use, &request);
    if (rv == CKR_OK)
        rv = pin_login_ask(&request, asked);
    if (rv == CKR_OK)
        *pin = secret_view(*asked);
    /* An empty PIN is one, too. */
    if (rv == CKR_OK && !pin->data)
        pin->data = (const uint8_t *)"";
    return rv;
}

CK_RV token_initialise(struct token *token, struct view pin, struct view label)
{
    struct secret *asked CLEANUP(secret_cleanup) = NULL;
    if (!token->writable)
        return CKR_TOKEN_WRITE_PROTECTED;
    writable_refresh(token);
    enum pin_use use = writable_is_initialised(token->writable) ? PIN_TO_LOG_IN : PIN_TO_SET;
    CK_RV rv = obtain(token, CKU_SO, use, &pin, &asked);
    if (rv == CKR_ARGUMENTS_BAD && token->writable->pinless)
        rv = CKR_OK;
    return rv != CKR_OK ? rv : life_init_token(token, pin, label);
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
    struct secret *asked CLEANUP(secret_cleanup) = NULL;
    CK_RV rv = obtain(session->token, CKU_USER, PIN_TO_SET, &pin, &asked);
    return rv != CKR_OK ? rv : life_init_pin(session->token, pin);
}

CK_RV session_set_pin(struct session *session, struct view old_pin, struct view new_pin)
{
    if (!session->token->writable)
        return CKR_TOKEN_WRITE_PROTECTED;
    if (!session->rw)
        return CKR_SESSION_READ_ONLY;
    struct secret *old_asked CLEANUP(secret_cleanup) = NULL;
    struct secret *new_asked CLEANUP(secret_cleanup) = NULL;
    struct token *token = session->token;
    CK_USER_TYPE user = token->login == TOKEN_SO ? CKU_SO : CKU_USER;
    CK_RV rv = obtain(token, user, PIN_TO_REPLACE, &old_pin, &old_asked);
    if (rv == CKR_OK)
        rv = obtain(token, user, PIN_TO_SET, &new_pin, &new_asked);
    return rv != CKR_OK ? rv : life_set_pin(token, old_pin, new_pin);
}
