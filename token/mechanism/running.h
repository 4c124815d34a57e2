/* The inside of struct job, and what families share. Inside the room only. */
#ifndef SIGNET_MECHANISM_RUNNING_H
#define SIGNET_MECHANISM_RUNNING_H

#include "token/crypto/digest.h"
#include "token/mechanism/aes.h"
#include "token/mechanism/code.h"
#include "token/mechanism/collect.h"
#include "token/mechanism/family.h"
#include "token/mechanism/job.h"

/* Each family uses what it needs. */
struct job {
    const struct mechanism *mechanism;
    CK_FLAGS operation;
    struct key *key;
    struct public_key public_key;
    struct scheme scheme;
    struct bytes label; /* what scheme.label points to */
    struct crypto_digest *digest;
    struct code *code;
    struct aes *aes;
    size_t mac_size;
    uint64_t bytes_left; /* that the counter of AES-CTR allows */
    struct collected input;
};

/* Operations of key pairs, by a family's parameters, input_limit and encode. */
CK_RV asymmetric_begin(struct job *job, const CK_MECHANISM *given);
CK_RV asymmetric_restart(struct job *job);
CK_RV asymmetric_update(struct job *job, struct view input, struct bytes *out);
CK_RV asymmetric_finish(struct job *job, struct bytes *out);
CK_RV asymmetric_verify(struct job *job, struct view signature);
size_t asymmetric_output_size(const struct job *job, size_t input_size, bool last, bool *ret_exact);

#define ASYMMETRIC_OPERATIONS                                                                      \
    .begin = asymmetric_begin, .restart = asymmetric_restart, .update = asymmetric_update,         \
    .finish = asymmetric_finish, .verify = asymmetric_verify,                                      \
    .output_size = asymmetric_output_size

/* Appends `result` to `out` and frees it. */
CK_RV job_give(struct bytes *out, struct bytes *result);

#endif
