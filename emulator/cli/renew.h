#ifndef EMULATOR_CLI_RENEW_H
#define EMULATOR_CLI_RENEW_H

#include "emulator/identity/ek.h"
#include "emulator/query.h"

/* What belonged to the old seeds. */
struct left_behind {
    struct handle_list persistent;
    struct handle_list nv;
};

/* Makes another TPM of a permanent state that was shut down in order: new seeds
 * in all hierarchies (TPM2_ChangePPS, TPM2_ChangeEPS, TPM2_Clear), new
 * endorsement certificates if it had some or a CA is given (order->none says if
 * not), whose CA's certificate goes to the directory. PCR banks, lockout parameters and what the
 * platform has in NV stay. Failures have an error text. */
TSS2_RC renew(const struct blob *permanent, const struct directory *directory,
              struct ek_order *order, struct blob *ret_permanent, struct left_behind *ret);

#endif
