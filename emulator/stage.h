#ifndef EMULATOR_STAGE_H
#define EMULATOR_STAGE_H

#include "emulator/message.h"

#include <tss2/tss2_common.h>

/* A command goes from its client to the TPM through a chain of stages, and the
 * answer comes back through them: what watches (trace, counters), what misbehaves
 * (faults), what limits and delays (the profile of a chip), and last the
 * connection. Each has the next, and may change what goes or what comes. One
 * chain to a TCTI context; it is used by one thread at a time. */
struct exchange {
    struct message *command;
    struct message *response;
    /* Not TSS2_RC_SUCCESS: no answer will come, and Receive says this instead. A
     * client that cancels the command gets what is in response. */
    TSS2_RC lost;
    /* Microseconds until Receive has the answer, or says that it is lost. */
    uint64_t delay;
};

struct stage {
    const struct stage_operations *operations;
    struct stage *next;
};

struct stage_operations {
    void (*run)(struct stage *stage, struct exchange *exchange);
    /* Frees this stage alone. */
    void (*close)(struct stage *stage);
};

static inline void stage_run(struct stage *stage, struct exchange *exchange)
{
    stage->operations->run(stage, exchange);
}

#endif
