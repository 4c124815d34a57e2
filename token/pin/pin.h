/* Where a PIN comes from when the application does not ask for it: the kernel's keys
 * (keyrings(7)), or a pinentry program over libassuan. Files are the store's. */
#ifndef SIGNET_PIN_PIN_H
#define SIGNET_PIN_PIN_H

#include "token/base/reason.h"
#include "token/base/secret.h"

#define PIN_MAX_SIZE 255

/* The payload of the "user" key of this description, as request_key(2) finds it.
 * CKR_FUNCTION_FAILED with the reason when there is none. */
CHECKED CK_RV pin_from_keyring(const char *description, struct secret **ret_pin,
                               struct reason *reason);

/* Asks by pinentry, for as long as the user takes. program: a path, a name to be found
 * in PATH, or NULL for the first of the usual names. `retry` is the text about the last
 * try, or NULL. `repeat`: the prompt at which a new PIN is typed again, until both are
 * the same; NULL: once is enough. CKR_FUNCTION_CANCELED when the user says no,
 * CKR_FUNCTION_FAILED with the reason: no such program, it ended, or this process has
 * more rights than its user. Texts may have lines. */
struct pin_question {
    const char *program;
    const char *title;
    const char *description;
    const char *prompt;
    const char *repeat;
    const char *retry;
};
CHECKED CK_RV pin_from_pinentry(const struct pin_question *question, struct secret **ret_pin,
                                struct reason *reason);

#endif
