#include "token/session/pin_login.h"

#include <string.h>

#include "token/base/log.h"
#include "token/session/writable.h"

static void set_label(const struct token *token, char *field, size_t size)
{
    size_t length = token->label.size < size ? token->label.size : size - 1;
    while (length && length < token->label.size && (token->label.data[length] & 0xc0) == 0x80)
        length--;
    if (length)
        memcpy(field, token->label.data, length);
    field[length] = 0;
}

struct pin_source *pin_login_source(struct token *token, CK_USER_TYPE user)
{
    bool so = user == CKU_SO || (user == CKU_CONTEXT_SPECIFIC && token->login == TOKEN_SO);
    return so ? &token->so_pin_source : &token->pin_source;
}

CK_RV pin_login_prepare(struct token *token, CK_USER_TYPE user, enum pin_use use,
                        struct pin_request *ret_request)
{
    struct pin_source *source = pin_login_source(token, user);
    if (!pin_source_is_protected(source))
        return CKR_ARGUMENTS_BAD;
    *ret_request = (struct pin_request){
        .source = source, .user = user, .use = use, .flags = token_pin_flags(token)};
    set_label(token, ret_request->label, sizeof(ret_request->label));
    return CKR_OK;
}

CK_RV pin_login_request(struct token *token, CK_USER_TYPE user, struct pin_request *ret_request)
{
    /* Nobody may have looked at the directory yet. */
    if (token->writable)
        writable_refresh(token);
    if (user != CKU_SO && !token_needs_login(token))
        return CKR_ARGUMENTS_BAD;
    return pin_login_prepare(token, user, PIN_TO_LOG_IN, ret_request);
}

CK_RV pin_login_ask(const struct pin_request *request, struct secret **ret_pin)
{
    struct reason reason = {.text = ""};
    CK_RV rv = pin_source_get(request, ret_pin, &reason);
    if (rv != CKR_OK)
        log_line(rv == CKR_FUNCTION_CANCELED ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR, "session",
                 "[%s]: no PIN: %s", request->label, reason.text);
    return rv;
}

CK_RV pin_login(struct session *session, CK_USER_TYPE user, struct view pin)
{
    struct token *token = session->token;
    struct pin_source *source = pin_login_source(token, user);
    if (pin_source_knows_wrong(source, pin)) {
        log_line(LOG_LEVEL_ERROR, "session",
                 "[%.*s]: the PIN that the configuration names was wrong before and is the same "
                 "still; it is not tried again, so that it does not lock the token",
                 (int)token->label.size, (const char *)token->label.data);
        return CKR_PIN_INCORRECT;
    }
    CK_RV rv = session_login(session, user, pin);
    if (rv == CKR_PIN_INCORRECT)
        pin_source_was_wrong(source, pin);
    return rv;
}
