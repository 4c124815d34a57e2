/* The PINs' wrong tries, as the last login in any process saw them: a hint beside the
 * token that spares asking the TPM. The guard's token lock is held. */
#ifndef SIGNET_SESSION_TRIES_H
#define SIGNET_SESSION_TRIES_H

#include "token/session/writable.h"

/* What a login has seen, for this process and, if the directory can be written to, others. */
void tries_note(struct token *token, enum vault_user user, const struct vault_tries *tries);

/* With the directory's lock held: a new seal begins with no wrong tries; and all of them
 * written as they are known here. Failing to write them is no failure. */
void tries_forget(struct writable *writable, enum vault_user user);
void tries_write(struct writable *writable);

#endif
