#ifndef EMULATOR_BACKEND_H
#define EMULATOR_BACKEND_H

#include "emulator/message.h"

#include <stdbool.h>
#include <tss2/tss2_common.h>

/* A TPM without persistence, processes or handles of its own: what the sharing
 * is built on. libtpms.h has the one there is. Whatever shall act between the
 * sharing and the TPM (a fault schedule, a chip's limits and latency, a trace)
 * is another one of these that holds the next and passes calls on. Functions
 * that fail set the error text. Calls are serialised by the caller. */
struct tpm_backend {
    const struct tpm_backend_operations *operations;
};

struct tpm_backend_operations {
    /* _TPM_Init. No permanent state: manufactures one. With a volatile state to
     * run from the TPM goes on where that was taken; else TPM2_Startup must follow. */
    TSS2_RC (*start)(struct tpm_backend *tpm, const struct blob *permanent, const struct blob *run);

    /* Power off. What was not taken is lost. */
    void (*stop)(struct tpm_backend *backend);

    /* Runs one command; always gives a well-formed response. */
    void (*process)(struct tpm_backend *backend, uint8_t locality, const struct message *command,
                    struct message *response);

    /* The volatile state as of now. */
    TSS2_RC (*running_state)(struct tpm_backend *backend, struct blob *ret);

    /* Did the TPM ask for its permanent state to be stored since the last call? */
    bool (*has_stored)(const struct tpm_backend *backend);

    /* Moves that state out. Without one to move: an error. */
    TSS2_RC (*take_stored)(struct tpm_backend *backend, struct blob *ret);

    void (*close)(struct tpm_backend *backend);
};

#endif
