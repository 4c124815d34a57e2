/* The objects of an exported key: those that its files show, and those that its login
 * gives away. The guard's token lock is held. */
#ifndef SIGNET_SESSION_EXPORTED_H
#define SIGNET_SESSION_EXPORTED_H

#include "token/session/token.h"

/* The key pair, the certificates, and the profile that says they can be listed. */
CHECKED CK_RV exported_add_objects(struct token *token);

/* After a login: what the file gave away when it was opened. */
CHECKED CK_RV exported_reveal(struct token *token);

#endif
