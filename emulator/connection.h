#ifndef EMULATOR_CONNECTION_H
#define EMULATOR_CONNECTION_H

#include "emulator/conf.h"
#include "emulator/instance.h"
#include "emulator/power.h"

/* Connects to the TPM of a state directory; powers it on if need be. */
TSS2_RC connection_open(const struct conf *conf, struct connection **ret);

/* Flushes what the connection made and left loaded, and frees it. */
void connection_close(struct connection *connection);

/* Runs a command in the turn of this process. There is always a response: what
 * keeps a state from being read or stored is TPM_RC_NV_UNAVAILABLE, with the
 * reason as error text, and the command has then had no effect. */
void connection_run(struct connection *connection, const struct message *command,
                    struct message *response);

/* Does that to the power of the TPM that all processes share. Objects and saved
 * sessions of a resource manager outlast what their TPM lets them outlast, as
 * with the kernel's. Fails with an error text; the TPM then goes on as before. */
TSS2_RC connection_reset(struct connection *connection, enum tpm_reset how);

#endif
