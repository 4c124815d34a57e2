/* What remains of a token in whose place another was made: its entries, and its NV
 * indexes in the TPM. It is dead; but nobody else would ever remove that. */
#ifndef SIGNET_SESSION_REMAINS_H
#define SIGNET_SESSION_REMAINS_H

#include "token/session/token.h"
#include "token/session/token_file.h"

/* Removes what is left of the previous token, which the token file names. `old` is its
 * file, as far as it is known. The directory's lock is held; the vault is closed. What
 * cannot be removed has a log line, and its turn the next time. */
void remains_remove(struct token *token, const struct token_file *old);

/* The same of what a killed C_InitToken left, if it did. The lock is not held. */
void remains_settle(struct token *token);

#endif
