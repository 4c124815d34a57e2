/* Why something failed, as one sentence for the log and the user. */
#ifndef SIGNET_BASE_REASON_H
#define SIGNET_BASE_REASON_H

#include "token/base/compiler.h"

#define REASON_MAX_SIZE 400

/* line: of the configuration, 0 if it is about none in particular. */
struct reason {
    unsigned line;
    char text[REASON_MAX_SIZE];
};

/* Sets the text, cut to its room, control characters replaced by '?'. NULL is
 * allowed and ignored. Never pass a PIN, a key or an authorisation. */
void reason_set(struct reason *reason, const char *format, ...) PRINTF(2, 3);

#endif
