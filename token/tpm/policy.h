/* The policy of a sealed secret with three gates. Inside the room only. */
#ifndef SIGNET_TPM_POLICY_H
#define SIGNET_TPM_POLICY_H

#include <tss2/tss2_esys.h>

#include "token/base/bytes.h"
#include "token/base/hash.h"

/* The gates, in the order in which they are asked: an old seal is told from a current
 * one before a try is counted, and only who passed the PIN index comes to where the
 * TPM's global counter is moved. */
struct policy_gates {
    ESYS_TR counter_index;
    uint64_t counter;
    ESYS_TR pin_index;
};

typedef CK_RV (*policy_hash)(enum hash hash, struct view data, uint8_t out[HASH_MAX_SIZE]);

/* The digest that a policy session has after the gates (TPM 2.0 Part 3, 23.4, 23.17,
 * 23.9); no command is sent. */
TSS2_RC policy_digest(ESYS_CONTEXT *esys, const struct policy_gates *gates, policy_hash hash,
                      TPM2B_DIGEST *ret_digest);

/* What PolicyNV compares the counter with. */
TPM2B_OPERAND policy_operand(uint64_t counter);

#endif
