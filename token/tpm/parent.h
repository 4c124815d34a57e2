/* The parents of key files: persistent handles, and the storage primaries that
 * are made on demand. Inside the room only; the connection's lock is held. */
#ifndef SIGNET_TPM_PARENT_H
#define SIGNET_TPM_PARENT_H

#include <tss2/tss2_esys.h>

#include "token/tpm/connection.h"

struct parent {
    ESYS_TR handle;
    bool transient; /* must be flushed by who asked for it */
};

/* How many ways there are to find the parent that a file means: the standard
 * one first, then what older tools used. A persistent parent has one. */
unsigned parent_ways(uint32_t parent);

/* Finds or makes the parent in the given way (0 is the standard's). *ret_absent
 * tells that this way does not exist here (no persistent object of that kind):
 * not an error, try the next. */
TSS2_RC parent_open(struct tpm *tpm, uint32_t parent, bool rsa, unsigned way,
                    struct parent *ret_parent, bool *ret_absent, const char **ret_command);

/* Flushes a transient parent, lets go of a persistent one. */
void parent_close(struct tpm *tpm, struct parent *parent);

#endif
