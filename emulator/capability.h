#ifndef EMULATOR_CAPABILITY_H
#define EMULATOR_CAPABILITY_H

#include "emulator/instance.h"

/* TPM2_GetCapability(TPM_CAP_HANDLES) as one connection may see it; otherwise
 * "flush all that is loaded" would flush what belongs to others. */

/* Answers for the connection's own objects, loaded or not, and for the sessions
 * that are its own or nobody's: loaded ones, also those that are saved to make
 * room, and saved ones without these. False if the command asks for something
 * else, or the TPM does not answer. */
bool capability_answer(const struct connection *connection, const struct command *command,
                       const struct message *message, struct message *response);

#endif
