/* A running operation: its row, parameters, key, and the data so far. */
#ifndef SIGNET_MECHANISM_JOB_H
#define SIGNET_MECHANISM_JOB_H

#include "token/crypto/digest.h"
#include "token/mechanism/mechanism.h"

/* `operation` is one of CKF_SIGN, VERIFY, ENCRYPT, DECRYPT, DIGEST. */
struct job {
    const struct mechanism *mechanism;
    CK_FLAGS operation;
    struct scheme scheme;
    struct bytes label; /* what scheme.label points to */
    struct key *key;
    struct public_key public_key;
    struct crypto_digest *digest;
    struct bytes input;
};

/* Begins. `given` is read now and not kept; a reference of `key` (NULL for public
 * operations) and a copy of public_key (NULL for digests) are. The caller has
 * checked that the mechanism allows the operation with this key. */
CHECKED CK_RV job_new(const struct mechanism *mechanism, CK_FLAGS operation,
                      const CK_MECHANISM *given, struct key *key,
                      const struct public_key *public_key, struct job **ret_job);

/* NULL is fine. */
void job_free(struct job *job);

/* Takes more input. CKR_DATA_LEN_RANGE (or the ENCRYPTED_ one) when it is more
 * than the mechanism can take. */
CHECKED CK_RV job_update(struct job *job, struct view input);

/* The size of the output, at most; *ret_exact if it is always that. No work is
 * done, whatever the key. */
size_t job_output_size(const struct job *job, bool *ret_exact);

/* Ends: signature, digest, cipher- or plaintext. The caller frees the result. */
CHECKED CK_RV job_finish(struct job *job, struct bytes *ret_output);

/* Ends a verification: CKR_OK, CKR_SIGNATURE_INVALID, CKR_SIGNATURE_LEN_RANGE. */
CHECKED CK_RV job_verify(struct job *job, struct view signature);

#endif
