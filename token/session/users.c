/* Who may log in and change PINs in which session (PKCS#11 5.5, 5.6). */
#include "token/session/life.h"
#include "token/session/operation.h"
#include "token/session/pin_login.h"
#include "token/session/session.h"
#include "token/session/writable.h"

/* A PIN that the application gave, or that the token's source says: `asked` owns it then,
 * and `source` is to be told if it was wrong. */
struct given_pin {
    struct view pin;
    struct secret *asked;
    struct pin_source *source;
};

static void given_pin_clear(struct given_pin *given)
{
    secret_free(given->asked);
}

static CK_RV obtain(struct token *token, CK_USER_TYPE user, enum pin_use use,
                    struct given_pin *given)
{
    struct pin_request request;
    if (given->pin.data)
        return CKR_OK;
    CK_RV rv = pin_login_prepare(token, user, use, &request);
    if (rv == CKR_OK)
        rv = pin_login_ask(&request, &given->asked);
    if (rv != CKR_OK)
        return rv;
    given->pin = secret_view(given->asked);
    /* An empty PIN is one, too. */
    if (!given->pin.data)
        given->pin.data = (const uint8_t *)"";
    if (use == PIN_TO_SET)
        return CKR_OK;
    given->source = pin_login_source(token, user);
    return pin_source_knows_wrong(given->source, given->pin) ? CKR_PIN_INCORRECT : CKR_OK;
}

/* What a source says and was wrong is not sent again. */
static CK_RV tried(const struct given_pin *given, CK_RV rv)
{
    if (rv == CKR_PIN_INCORRECT && given->source)
        pin_source_was_wrong(given->source, given->pin);
    return rv;
}

CK_RV token_initialise(struct token *token, struct view pin, struct view label)
{
    struct given_pin given CLEANUP(given_pin_clear) = {.pin = pin};
    if (!token->writable)
        return CKR_TOKEN_WRITE_PROTECTED;
    writable_refresh(token);
    enum pin_use use = writable_is_initialised(token->writable) ? PIN_TO_LOG_IN : PIN_TO_SET;
    CK_RV rv = obtain(token, CKU_SO, use, &given);
    if (rv == CKR_ARGUMENTS_BAD && token->writable->pinless)
        rv = CKR_OK;
    return rv != CKR_OK ? rv : tried(&given, life_init_token(token, given.pin, label));
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
    struct given_pin given CLEANUP(given_pin_clear) = {.pin = pin};
    if (!session->token->writable)
        return CKR_TOKEN_WRITE_PROTECTED;
    if (session_state(session) != CKS_RW_SO_FUNCTIONS)
        return CKR_USER_NOT_LOGGED_IN;
    CK_RV rv = obtain(session->token, CKU_USER, PIN_TO_SET, &given);
    return rv != CKR_OK ? rv : life_init_pin(session->token, given.pin);
}

CK_RV session_set_pin(struct session *session, struct view old_pin, struct view new_pin)
{
    struct given_pin old CLEANUP(given_pin_clear) = {.pin = old_pin};
    struct given_pin new CLEANUP(given_pin_clear) = {.pin = new_pin};
    struct token *token = session->token;
    if (!token->writable)
        return CKR_TOKEN_WRITE_PROTECTED;
    if (!session->rw)
        return CKR_SESSION_READ_ONLY;
    CK_USER_TYPE user = token->login == TOKEN_SO ? CKU_SO : CKU_USER;
    CK_RV rv = obtain(token, user, PIN_TO_REPLACE, &old);
    if (rv == CKR_OK)
        rv = obtain(token, user, PIN_TO_SET, &new);
    return rv != CKR_OK ? rv : tried(&old, life_set_pin(token, old.pin, new.pin));
}
