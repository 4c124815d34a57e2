/* The NV indexes of seals: a counter of type PIN_FAIL and a plain counter, with a mark
 * of their token and role. Inside the room only; the connection's lock is held. */
#ifndef SIGNET_TPM_INDEX_H
#define SIGNET_TPM_INDEX_H

#include <tss2/tss2_esys.h>

#include "token/tpm/connection.h"
#include "token/tpm/seal.h"

/* The counter has an empty authValue, for reading (TPMA_NV_AUTHREAD): PolicyNV must be
 * satisfied before the secret is known, so that there is nothing to derive one from.
 * Only the owner can write either kind. Who could increment a counter could kill the
 * seal, and who has owner authorisation can delete it anyhow. */
enum index_kind { INDEX_PIN, INDEX_COUNTER };

struct index_owner {
    struct view token; /* TPM_SEAL_TOKEN_SIZE bytes */
    enum tpm_seal_role role;
};

/* Not a TSS code: every handle that the token could use has an index of others. */
#define INDEX_RC_NO_HANDLE 0xfffeffffu

/* Where owners define indexes (TCG Registry of Reserved TPM 2.0 Handles, 2.2.2). */
bool index_handle_valid(uint32_t handle);

/* An ESYS object for the index as it must be, without asking the TPM whether it is;
 * closed with index_close. */
TSS2_RC index_expect(struct tpm *tpm, uint32_t handle, enum index_kind kind,
                     const struct index_owner *owner, ESYS_TR *ret_index);
void index_close(struct tpm *tpm, ESYS_TR *index);

/* Reads the index's public area: is it the owner's and of this kind, written or not?
 * Absent and foreign ones are not. */
TSS2_RC index_find(struct tpm *tpm, uint32_t handle, enum index_kind kind,
                   const struct index_owner *owner, bool *ret_own, ESYS_TR *ret_index);

/* Defines one at a free handle other than `avoid` (0: none). An own index that is in
 * the way is an orphan and removed. `session`: the authorisation is encrypted in the
 * connection's. TPM2_RC_NV_SPACE, INDEX_RC_NO_HANDLE, … */
TSS2_RC index_define(struct tpm *tpm, enum index_kind kind, const struct index_owner *owner,
                     struct view auth, uint32_t avoid, bool session, uint32_t *ret_handle,
                     ESYS_TR *ret_index, const char **ret_command);

/* Removes the index if it is there and the owner's. */
TSS2_RC index_remove(struct tpm *tpm, uint32_t handle, enum index_kind kind,
                     const struct index_owner *owner, const char **ret_command);

/* Removes all of them, wherever index_define could have put them. */
TSS2_RC index_remove_all(struct tpm *tpm, const struct index_owner *owner,
                         const char **ret_command);

/* The number that a counter holds. */
TSS2_RC index_read_counter(struct tpm *tpm, ESYS_TR index, uint64_t *ret_value,
                           const char **ret_command);

/* Sets and reads (by owner authorisation) what a PIN index counts. */
TSS2_RC index_write_limit(struct tpm *tpm, ESYS_TR index, uint32_t limit, const char **ret_command);
TSS2_RC index_read_tries(struct tpm *tpm, ESYS_TR index, uint32_t *ret_failed, uint32_t *ret_limit);

#endif
