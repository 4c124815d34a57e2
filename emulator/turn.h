#ifndef EMULATOR_TURN_H
#define EMULATOR_TURN_H

#include "emulator/instance.h"

/* How processes work on one TPM: without the directory's lock as long as they
 * change nothing that is shared, else by turns. Under the instance's lock. */

/* The turn of this process to change what is shared; ends with directory_unlock.
 * What a killed process left half done comes first. */
TSS2_RC turn_take(struct instance *instance);

/* Runs a command on the state that it needs, and publishes what it changed. On
 * failure it had no effect. */
TSS2_RC turn_run(struct connection *connection, const struct message *message,
                 struct message *response);

#endif
