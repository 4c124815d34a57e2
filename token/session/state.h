/* C_GetOperationState and C_SetOperationState (PKCS#11 5.6.5) of digests. OpenSSL gives
 * no digest's inner state away: what the application gets is the name of a copy that
 * the module keeps. It is good for any session of the same token in the same process,
 * as often as wanted, until SAVED_STATES_MAX younger ones are there. */
#ifndef SIGNET_SESSION_STATE_H
#define SIGNET_SESSION_STATE_H

#include "token/session/session.h"

#define SAVED_STATES_MAX 64

/* Saves the running digest. Lengths as in operation_once; only a call that gives the
 * state makes a copy. CKR_OPERATION_NOT_INITIALIZED; CKR_STATE_UNSAVEABLE beside any
 * operation that is no digest. */
CHECKED CK_RV state_save(struct session *session, CK_BYTE *out, CK_ULONG *out_size);

/* Replaces the session's operations by the saved digest. CKR_SAVED_STATE_INVALID. */
CHECKED CK_RV state_restore(struct session *session, struct view state);

/* NULL is fine. */
void saved_states_free(struct saved_states *saved);

#endif
