/* C_Login without a PIN: what to ask the token's source, and the login with what it
 * said. Between the two the token's lock may be let go. */
#ifndef SIGNET_SESSION_PIN_LOGIN_H
#define SIGNET_SESSION_PIN_LOGIN_H

#include "token/session/session.h"

/* CKR_ARGUMENTS_BAD where the application has to say the PIN. */
CHECKED CK_RV pin_login_prepare(struct token *token, CK_USER_TYPE user, enum pin_use use,
                                struct pin_request *ret_request);

/* The same for C_Login; also where there is nothing to log in to. */
CHECKED CK_RV pin_login_request(struct token *token, CK_USER_TYPE user,
                                struct pin_request *ret_request);

/* Which of the token's sources that is. */
struct pin_source *pin_login_source(struct token *token, CK_USER_TYPE user);

/* Needs no lock; a failure is in the log. The caller frees the PIN. */
CHECKED CK_RV pin_login_ask(const struct pin_request *request, struct secret **ret_pin);

/* session_login, but a PIN of a file or the like that was wrong is not tried twice. */
CHECKED CK_RV pin_login(struct session *session, CK_USER_TYPE user, struct view pin);

#endif
