/* One operation on a loaded key. Inside the room only. */
#ifndef SIGNET_TPM_OPERATION_H
#define SIGNET_TPM_OPERATION_H

#include <tss2/tss2_esys.h>

#include "token/tpm/key.h"

/* A loaded key whose authorisation is set, and how that is to travel. */
struct tpm_target {
    ESYS_TR key;
    bool session;
};

/* Sends the command for the key and names it for the log. Answers may be written
 * into the request. */
typedef TSS2_RC (*tpm_operation)(struct tpm *tpm, const struct tpm_target *target, void *request,
                                 const char **ret_command);

/* The session argument of the next command: never a password where a protected
 * session was asked for. */
TSS2_RC tpm_target_session(struct tpm *tpm, const struct tpm_target *target, bool encrypt_response,
                           ESYS_TR *ret_session);

/* Loads the key and runs the operation on it, as tpm_run does. */
CHECKED CK_RV tpm_key_run(struct tpm_key *key, struct view auth, tpm_operation operation,
                          void *request);

#endif
