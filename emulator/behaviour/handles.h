#ifndef EMULATOR_BEHAVIOUR_HANDLES_H
#define EMULATOR_BEHAVIOUR_HANDLES_H

#include "emulator/stage.h"

/* Has the next stage flush all transient objects that it shows: those of the
 * connection, or without a resource manager those of the TPM. */
void handles_flush(struct stage *next);

#endif
