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

/* For something new, the root must be the one that the standard's template makes, as
 * files name it by nothing else: one that the owner keeps is taken if it is known to be
 * the same, or if nothing else can be had. For what is there already, a kept root is
 * tried first (it saves CreatePrimary), and what does not fit shows. */
enum root_purpose { ROOT_FOR_NEW, ROOT_FOR_OLD };

/* Finds or makes the root, runs the work and flushes the root. name: what it must have,
 * or empty; of several roots the first counts that has it and that the work does not
 * find to be another's (TPM2_RC_INTEGRITY). */
TSS2_RC root_use(struct tpm *tpm, enum root_purpose purpose, struct view name, root_work work,
                 void *request, const char **ret_command);

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
