/* The door that every entry point comes through: is the module initialised, in
 * this process; which token or session is meant; and the locks. Registry
 * lock (short) is taken under a token's lock, never the other way round; nothing below
 * this layer takes either. */
#ifndef SIGNET_API_GUARD_H
#define SIGNET_API_GUARD_H

#include "token/session/session.h"

CHECKED CK_RV guard_initialize(const CK_C_INITIALIZE_ARGS *arguments);

/* Waits until calls that are under way have left. */
CHECKED CK_RV guard_finalize(void);

/* Each of these answers CKR_CRYPTOKI_NOT_INITIALIZED where it applies, and after
 * CKR_OK is followed by the leave function beside it. */

/* With the registry lock held. */
CHECKED CK_RV guard_enter_module(struct module **ret_module);
void guard_leave_module(void);

/* With the token's lock held. CKR_SLOT_ID_INVALID, CKR_SESSION_HANDLE_INVALID. */
CHECKED CK_RV guard_enter_slot(CK_SLOT_ID slot, struct token **ret_token);
CHECKED CK_RV guard_enter_session(CK_SESSION_HANDLE handle, struct session **ret_session);
void guard_leave(struct token *token);

/* Between enter and leave of a session: lets go of the token's lock for what waits for
 * a person; the token stays. Resuming looks the session up again: what fails has left. */
void guard_pause(struct token *token);
CHECKED CK_RV guard_resume(CK_SESSION_HANDLE handle, struct token *token,
                           struct session **ret_session);

/* Between enter and leave of a slot or session: the registry lock too, for what
 * changes the table of sessions. */
struct module *guard_registry_take(void);
void guard_registry_release(void);

#endif
