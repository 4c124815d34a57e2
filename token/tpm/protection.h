/* Bus protection: authorisation in a salted HMAC session with parameter
 * encryption, so that neither the PIN nor a decrypted secret crosses a chip's bus
 * in the clear. It resists listening; who can change what is on the bus can pose as
 * the TPM, as the salting key is not known by name. One session for a connection. Inside the room
 * only; the connection's lock is held. */
#ifndef SIGNET_TPM_PROTECTION_H
#define SIGNET_TPM_PROTECTION_H

#include <tss2/tss2_esys.h>

#include "token/tpm/connection.h"
#include "token/tpm/key.h"

/* Whether it is asked for here: TPM_PROTECTION_AUTO does where the TPM is a chip. */
bool protection_wanted(const struct tpm *tpm, enum tpm_protection protection);

/* Starts a session of this type that is salted by `parent`, as below. */
TSS2_RC protection_session(struct tpm *tpm, ESYS_TR parent, TPM2_SE type, bool strict,
                           ESYS_TR *ret_session);

/* Starts the connection's session unless there is one, salted by `parent`, a
 * loaded storage key; ESYS_TR_NONE: the storage primary is made for it. Where the
 * host's OpenSSL cannot make a salt (an engine is its default for EC), an unsalted
 * session is taken and a warning logged, unless `strict`. */
TSS2_RC protection_start(struct tpm *tpm, ESYS_TR parent, bool strict, const char **ret_command);

/* Sets the session up for the next command: its first parameter encrypted, and
 * that of the response if `encrypt_response`. */
TSS2_RC protection_use(struct tpm *tpm, bool encrypt_response);

/* Ends the session in the TPM; harmless if there is none. */
void protection_end(struct tpm *tpm);

#endif
