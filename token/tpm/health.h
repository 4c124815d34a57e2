/* How a TPM is: what `signet doctor --tpm` tells. */
#ifndef SIGNET_TPM_HEALTH_H
#define SIGNET_TPM_HEALTH_H

#include "token/tpm/tpm.h"

/* TPM 2.0 Library, part 2, 6.13. failed_tries: wrong authorisations that the
 * dictionary-attack logic counts now, of max_tries; one is forgiven each
 * forgive_seconds. in_lockout: it refuses all that it protects. */
struct tpm_health {
    uint32_t failed_tries;
    uint32_t max_tries;
    uint32_t forgive_seconds;
    bool in_lockout;
    bool owner_has_auth;
    bool lockout_has_auth;
};

/* A few commands, none of which changes anything. CKR_DEVICE_ERROR, in the log. */
CHECKED CK_RV tpm_health_read(struct tpm *tpm, struct tpm_health *ret_health);

/* Is the NV index there? */
CHECKED CK_RV tpm_health_index(struct tpm *tpm, uint32_t index, bool *ret_there);

#endif
