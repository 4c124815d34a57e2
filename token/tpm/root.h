/* The storage root that new keys and seals stand under: P-256, or RSA on a TPM
 * without that. Inside the room only; the connection's lock is held. */
#ifndef SIGNET_TPM_ROOT_H
#define SIGNET_TPM_ROOT_H

#include "token/tpm/create.h"
#include "token/tpm/parent.h"

struct root {
    ESYS_TR handle;
    bool rsa;
};

/* Sends commands while the root is there; what it loads may stay. */
typedef TSS2_RC (*root_work)(struct tpm *tpm, const struct root *root, void *request,
                             const char **ret_command);

/* Finds or makes the root, runs the work and flushes the root. Of several roots (one
 * kept by the owner, one made here) the first counts that has this Name (or any, if
 * empty) and that the work does not find to be another's. */
TSS2_RC root_use(struct tpm *tpm, struct view name, root_work work, void *request,
                 const char **ret_command);

/* What is to be created, and how it travels. */
struct root_create {
    TPM2B_SENSITIVE_CREATE sensitive; /* wiped by the caller */
    TPM2B_PUBLIC public;
    bool protected;
    bool strict;
    struct tpm_created created;
};

/* The root_work of TPM2_Create. */
TSS2_RC root_create(struct tpm *tpm, const struct root *root, void *request,
                    const char **ret_command);

/* Marshals the two halves; TSS2_ESYS_RC_MEMORY. */
TSS2_RC root_created(const struct root *root, const TPM2B_PUBLIC *public,
                     const TPM2B_PRIVATE *private, struct tpm_created *ret_created);

#endif
