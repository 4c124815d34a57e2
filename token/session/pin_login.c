#include "token/session/pin_login.h"

#include <string.h>

#include "token/base/log.h"

static void set_label(const struct token *token, char *field, size_t size)
{
    size_t length = token->label.size < size ? token->label.size : size - 1;
    while (length && length < token->label.size && (token->label.data[length] & 0xc0) == 0x80)
        length--;
    if (length)
        memcpy(field, token->label.data, length);
    field[length] = 0;
}

CK_RV pin_login_request(const struct token *token, CK_USER_TYPE user,
                        struct pin_request *ret_request)
{
    if (!pin_source_is_protected(&token->pin_source) || !token_needs_login(token))
        return CKR_ARGUMENTS_BAD;
    CK_RV rv = token_check_login(token, user);
    if (rv != CKR_OK)
        return rv;
    *ret_request = (struct pin_request){
        .source = &token->pin_source,
        .user = user,
        .use = PIN_TO_LOG_IN,
        .flags = token->pin_flags,
    };
    set_label(token, ret_request->label, sizeof(ret_request->label));
    return CKR_OK;
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

CK_RV pin_login(struct token *token, CK_USER_TYPE user, struct view pin)
{
    if (pin_source_knows_wrong(&token->pin_source, pin)) {
        log_line(LOG_LEVEL_ERROR, "session",
                 "[%.*s]: the PIN that the configuration names was wrong before and is the same "
                 "still; it is not tried again, so that it does not lock the token",
                 (int)token->label.size, (const char *)token->label.data);
        return CKR_PIN_INCORRECT;
    }
    CK_RV rv = token_login(token, user, pin);
    if (rv == CKR_PIN_INCORRECT)
        pin_source_was_wrong(&token->pin_source, pin);
    return rv;
}
