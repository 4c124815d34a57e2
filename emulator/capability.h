#ifndef EMULATOR_CAPABILITY_H
#define EMULATOR_CAPABILITY_H

#include "emulator/connection.h"

/* TPM2_GetCapability(TPM_CAP_HANDLES) as one connection may see it; otherwise
 * "flush all that is loaded" would flush what belongs to others. */

/* Answers for the transient objects: the connection's own, loaded or not. False
 * if the command asks for something else. */
bool capability_answer_objects(const struct connection *connection, const struct command *command,
                               const struct message *message, struct message *response);

/* Takes other connections' sessions out of the TPM's answer. */
void capability_hide_foreign_sessions(const struct connection *connection,
                                      const struct command *command, const struct message *message,
                                      struct message *response);

#endif
