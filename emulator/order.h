#ifndef EMULATOR_ORDER_H
#define EMULATOR_ORDER_H

#include "emulator/identity/ek.h"

#include <stdint.h>

/* TPM2_DictionaryAttackParameters. */
struct lockout_parameters {
    uint32_t max_tries;
    uint32_t recovery_seconds;
    uint32_t lockout_recovery_seconds;
};

/* How a TPM that has to be manufactured is wanted. All zero: as power.h says. */
struct tpm_order {
    struct ek_order endorsement;
    struct lockout_parameters lockout; /* max_tries 0: none in particular */
};

#endif
