/* Which key a handle names, and whether it may be used with a mechanism. */
#ifndef SIGNET_SESSION_KEY_USE_H
#define SIGNET_SESSION_KEY_USE_H

#include "token/mechanism/mechanism.h"
#include "token/session/token.h"

enum key_half { KEY_HALF_PUBLIC, KEY_HALF_PRIVATE };

/* The key, if it is of the kind that the row works on (a secret key where the row is
 * symmetric, else this half of a pair), has the permission (CKA_SIGN and the like), and
 * its CKA_ALLOWED_MECHANISMS names the row or nothing. CKR_KEY_HANDLE_INVALID,
 * CKR_USER_NOT_LOGGED_IN, CKR_KEY_TYPE_INCONSISTENT, CKR_KEY_FUNCTION_NOT_PERMITTED,
 * CKR_MECHANISM_INVALID. Borrowed. */
CHECKED CK_RV key_use_find(struct token *token, const struct mechanism *row,
                           CK_OBJECT_HANDLE handle, enum key_half half,
                           CK_ATTRIBUTE_TYPE permission, struct object **ret_key);

/* The key behind an object, referenced. CKR_KEY_HANDLE_INVALID if there is none. */
CHECKED CK_RV key_use_key(struct token *token, struct object *object, struct key **ret_key);

/* The public half of a key object; the caller clears it. */
CHECKED CK_RV key_use_public(const struct object *object, struct public_key *ret_public);

#endif
