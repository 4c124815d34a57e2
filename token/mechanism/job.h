/* A running operation: its row, parameters, key, and the data so far. */
#ifndef SIGNET_MECHANISM_JOB_H
#define SIGNET_MECHANISM_JOB_H

#include "token/mechanism/mechanism.h"

/* `operation` is one of CKF_SIGN, VERIFY, SIGN_RECOVER, VERIFY_RECOVER, ENCRYPT,
 * DECRYPT, DIGEST. */
struct job;

/* Begins. `given` is read now and not kept; a reference of `key` (NULL for public
 * operations) and a copy of public_key (NULL for digests and secret keys) are. The
 * caller has checked that the mechanism allows the operation with this key. */
CHECKED CK_RV job_new(const struct mechanism *mechanism, CK_FLAGS operation,
                      const CK_MECHANISM *given, struct key *key,
                      const struct public_key *public_key, struct job **ret_job);

/* NULL is fine. */
void job_free(struct job *job);

/* Takes more input and appends to `out` what comes of it. CKR_DATA_LEN_RANGE (or the
 * ENCRYPTED_ one) when it is more than the mechanism can take. */
CHECKED CK_RV job_update(struct job *job, struct view input, struct bytes *out);

/* The bytes that an update with so much input (and, with `last`, the end) would
 * append, at most; *ret_exact if it is always that. No work is done. */
size_t job_output_size(const struct job *job, size_t input_size, bool last, bool *ret_exact);

/* Ends, and appends the rest: signature, digest, cipher- or plaintext. */
CHECKED CK_RV job_finish(struct job *job, struct bytes *out);

/* Ends a verification: CKR_OK, CKR_SIGNATURE_INVALID, CKR_SIGNATURE_LEN_RANGE. */
CHECKED CK_RV job_verify(struct job *job, struct view signature);

/* As it was after job_new, for the next message. CKR_OPERATION_ACTIVE for ciphers,
 * whose initial block may be used only once. */
CHECKED CK_RV job_restart(struct job *job);

/* A second job in the same state; CKR_STATE_UNSAVEABLE for all but digests. */
CHECKED CK_RV job_copy(const struct job *job, struct job **ret_copy);

#endif
