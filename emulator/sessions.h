#ifndef EMULATOR_SESSIONS_H
#define EMULATOR_SESSIONS_H

#include "emulator/connection.h"

/* HMAC and policy sessions stay loaded in the published state, where all
 * processes can use them by their handle. The table that is published along says
 * who is to clean them up: the connection that started or loaded one, until its
 * context is saved, as scripts do that pass it on. */

/* Follows what a successful command did to the sessions. */
void sessions_note(struct connection *connection, const struct command *command,
                   const struct message *message, const struct message *response);

/* Has the connection sessions loaded? */
bool sessions_any(const struct connection *connection);

/* Flushes what the connection has loaded. */
void sessions_flush(struct connection *connection);

/* Flushes what processes that are no more had loaded; false if there was nothing. */
bool sessions_reclaim(struct instance *instance);

/* A TPM that was started anew has no loaded sessions, and after Startup(CLEAR)
 * no saved ones either. */
void sessions_lost_power(struct instance *instance, bool clear);

/* Is the session another's, and that one alive? */
bool sessions_is_foreign(const struct connection *connection, uint32_t handle);

#endif
