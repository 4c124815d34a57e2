/* Where a PIN comes from when the application does not ask for it: the kernel's keys
 * (keyrings(7)), or a pinentry program over libassuan. Files are the store's. */
#ifndef SIGNET_PIN_PIN_H
#define SIGNET_PIN_PIN_H

#include "token/base/reason.h"
#include "token/base/secret.h"

/* The payload of the "user" key of this description, as request_key(2) finds it.
 * CKR_FUNCTION_FAILED with the reason when there is none. */
CHECKED CK_RV pin_from_keyring(const char *description, struct secret **ret_pin,
                               struct reason *reason);

/* Asks by pinentry. program: a path, or NULL for the first of the usual names. `retry`
 * is the text about the last try, or NULL. CKR_FUNCTION_CANCELED when the user says
 * no, CKR_FUNCTION_FAILED with the reason. */
struct pin_question {
    const char *program;
    const char *title;
    const char *description;
    const char *prompt;
    const char *retry;
};
CHECKED CK_RV pin_from_pinentry(const struct pin_question *question, struct secret **ret_pin,
                                struct reason *reason);

#endif
