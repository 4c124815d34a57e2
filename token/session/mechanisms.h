/* The mechanism table as one token has it: nothing is listed that its key cannot
 * do. */
#ifndef SIGNET_SESSION_MECHANISMS_H
#define SIGNET_SESSION_MECHANISMS_H

#include "token/mechanism/mechanism.h"
#include "token/session/token.h"

/* The operations that the token has of this row (NULL: none); 0: not listed. */
CK_FLAGS token_mechanism_flags(const struct token *token, const struct mechanism *mechanism);

/* The two-call rule for lists (PKCS#11 5.2): NULL asks for the count; too little
 * room is CKR_BUFFER_TOO_SMALL. *count is set to `found` in any case. */
CHECKED CK_RV list_room(const void *list, CK_ULONG *count, CK_ULONG found);

CHECKED CK_RV token_mechanism_list(const struct token *token, CK_MECHANISM_TYPE *list,
                                   CK_ULONG *count);

/* CKF_HW stands where a chip does the private operation. CKR_MECHANISM_INVALID for
 * one that is not listed. */
CHECKED CK_RV token_mechanism_info(const struct token *token, CK_MECHANISM_TYPE type,
                                   CK_MECHANISM_INFO *info);

#endif
