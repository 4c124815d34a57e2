/* Where a token keeps a secret key. The guard's token lock is held. */
#ifndef SIGNET_SESSION_SECRET_PLACE_H
#define SIGNET_SESSION_SECRET_PLACE_H

#include "token/session/made.h"

/* Whether a key with these attributes is to be in the TPM: the configuration wants it, nobody
 * is to read the key back, and a TPM can do what the key is for. */
bool secret_place_is_tpm(const struct token *token, const struct attributes *attributes);

/* Makes it there, bound to `unique`, with made->value or new. CKR_FUNCTION_NOT_SUPPORTED, told in
 * the log, if this TPM has no such. */
CHECKED CK_RV secret_place_in_tpm(struct vault *vault, struct made *made, struct view unique);

#endif
