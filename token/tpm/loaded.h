/* Which keys are loaded, and how they get there. Inside the room only; all but
 * tpm_key_unload want the connection's lock held. */
#ifndef SIGNET_TPM_LOADED_H
#define SIGNET_TPM_LOADED_H

#include <tss2/tss2_esys.h>

#include "token/tpm/connection.h"
#include "token/tpm/key.h"

/* What a key is and where it is loaded. */
struct tpm_key {
    struct tpm *tpm;
    uint32_t handle;
    uint32_t parent;
    bool rsa_parent;
    bool protected;
    bool strict; /* protected, and nothing less will do */
    TPM2B_PUBLIC public;
    TPM2B_PRIVATE private;
    struct public_key public_key;
    struct tpm_key_abilities abilities;
    unsigned way;        /* of finding the parent: the one that fitted */
    unsigned foreign;    /* the connection on which no parent fitted; 0: none */
    bool parent_refused; /* its parent wants an authorisation: not asked again */
    ESYS_TR esys;        /* ESYS_TR_NONE: not loaded */
    struct tpm_key *next;
};

/* Loads the key unless it is, and makes it the most recently used. `session`: the
 * connection's protected session is wanted too. */
TSS2_RC tpm_key_load(struct tpm_key *key, bool session, const char **ret_command);

/* Flushes the key that was not used for longest, but not `keep` (or NULL); false if
 * there is none. */
bool tpm_key_evict_oldest(struct tpm *tpm, const struct tpm_key *keep);

/* Flushes all keys and the session, as far as they are there: for when the TPM seems to have lost
 * one. */
void tpm_key_flush_all(struct tpm *tpm);

/* Flushes the key if it is loaded; takes the lock itself. */
void tpm_key_unload(struct tpm_key *key);

#endif
