/* Searching a token's objects. The guard's token lock is held. */
#ifndef SIGNET_SESSION_SEARCH_H
#define SIGNET_SESSION_SEARCH_H

#include "token/session/session.h"

/* Takes down the handles of all objects that match now and may be seen. */
CHECKED CK_RV search_begin(struct session *session, const CK_ATTRIBUTE *template, CK_ULONG count);

/* Gives the next ones, at most `room`. */
CHECKED CK_RV search_next(struct session *session, CK_OBJECT_HANDLE *handles, CK_ULONG room,
                          CK_ULONG *ret_count);

/* Harmless if none is running. */
void search_end(struct search *search);

#endif
