#ifndef EMULATOR_SESSIONS_H
#define EMULATOR_SESSIONS_H

#include "emulator/instance.h"

/* The resource manager for HMAC and policy sessions. They stay loaded in the
 * published state and keep the TPM's handles; the table that is published along
 * says whose each is: the connection's that started or loaded it, until its
 * context is saved, as scripts do that pass it on. When the TPM has no room, the
 * least recently used one is saved into the table until somebody names it. */

/* Makes the sessions that a command names ready: loads those that were saved to
 * make room. A response code if one is another's, or gone. */
uint32_t sessions_prepare(struct connection *connection, const struct command *command,
                          const struct message *message);

/* Follows what a successful command did to the sessions. */
void sessions_note(struct connection *connection, const struct command *command,
                   const struct message *message, const struct message *response);

/* Makes room for one more, but not of what the command names; false: cannot. */
bool sessions_make_room(struct instance *instance, const struct command *command);

/* Flushes what processes that are no more had loaded; false if there was nothing. */
bool sessions_reclaim(struct instance *instance);

/* Has the connection sessions loaded? */
bool sessions_any(const struct connection *connection);

/* Flushes what the connection has loaded. */
void sessions_flush(struct connection *connection);

/* Power is back: nothing is loaded any more, and what was saved is kept, or not. */
void sessions_lost_power(struct instance *instance, bool keeps_saved);

/* Is the session another's, and that one alive? */
bool sessions_is_foreign(const struct connection *connection, uint32_t handle);

/* Is it saved here, to make room? */
bool sessions_is_swapped(const struct instance *instance, uint32_t handle);

#endif
