/* One operation on a loaded key, and how often it may be tried. Inside the room
 * only. */
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

struct tpm_tries {
    unsigned waited;
    unsigned reloaded;
    unsigned reconnected;
};

/* Loads the key, runs the operation, applies what remedies there are, logs what
 * is left, and translates it. */
CK_RV tpm_key_run(struct tpm_key *key, struct view auth, tpm_operation operation, void *request);

#endif
