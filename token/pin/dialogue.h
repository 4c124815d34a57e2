/* The Assuan protocol with a pinentry program. Nothing of it reaches a log or stays in
 * memory; the application's signals are left alone. */
#ifndef SIGNET_PIN_DIALOGUE_H
#define SIGNET_PIN_DIALOGUE_H

#include "token/base/bytes.h"
#include "token/base/reason.h"

struct dialogue;

/* Takes the socket over, whatever comes of it, and waits for the program's greeting.
 * CKR_FUNCTION_FAILED with the reason. */
CHECKED CK_RV dialogue_new(int file_take, struct dialogue **ret_dialogue, struct reason *reason);

/* Says goodbye; NULL is fine. For CLEANUP(). */
void dialogue_cleanup(struct dialogue **dialogue);

/* COMMAND TEXT, the text escaped, and cut if it is too long; NULL: nothing is said.
 * A program that does not know the command makes do without. */
void dialogue_tell(struct dialogue *dialogue, const char *command, const char *text);

/* OPTION NAME=VALUE; nothing for NULL, "", or a value that fits into no line. */
void dialogue_option(struct dialogue *dialogue, const char *name, const char *value);

/* GETPIN; *ret_repeated tells that the program has asked twice. CKR_FUNCTION_CANCELED,
 * CKR_FUNCTION_FAILED with the reason. The caller frees ret_pin. */
CHECKED CK_RV dialogue_get_pin(struct dialogue *dialogue, struct bytes *ret_pin, bool *ret_repeated,
                               struct reason *reason);

#endif
