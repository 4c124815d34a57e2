/* Objects on their way into a session or a token: created, generated, unwrapped, derived
 * or copied. The guard's token lock is held. */
#ifndef SIGNET_SESSION_MADE_H
#define SIGNET_SESSION_MADE_H

#include "token/base/secret.h"
#include "token/key/make.h"
#include "token/object/schema.h"
#include "token/session/session.h"

/* attributes are whole but for CKA_UNIQUE_ID. Of a key there is one of: `key` (a
 * reference, with key_id if it is bound to a token), `parts` of a private key, or
 * `value` of a secret one. `generate`: none of them, but what to generate. */
struct made {
    struct attributes attributes;
    struct key *key;
    struct bytes key_id;
    struct private_parts parts;
    struct bytes value;
    struct key_spec generate;
};

/* The longest secret key, in bytes. */
#define MADE_MAX_SECRET SECRET_MAX_SIZE

/* Takes the CKA_VALUE of a secret key out of the attributes and says its length there.
 * CKR_ATTRIBUTE_VALUE_INVALID for a length that the key type has not. */
CHECKED CK_RV made_take_secret(struct made *made);

/* Takes CKA_VALUE_LEN, a wish where a mechanism gives the value, out of the attributes;
 * 0: none. CKR_ATTRIBUTE_VALUE_INVALID. */
CHECKED CK_RV made_take_wished_size(struct made *made, size_t *ret_size);

/* Wipes and frees the contents; zeroed is fine. */
void made_clear(struct made *made);

/* The rules for a template of this session: the SO may do a little more. */
enum schema_origin made_origin(const struct session *session, enum schema_origin origin);

/* May an object with these attributes be made in this session now (PKCS#11 table 6)? */
CHECKED CK_RV made_check_place(const struct session *session, const struct attributes *attributes);

/* Places one object, or the two of a key pair (private key first) that belong
 * together: both or none. */
CHECKED CK_RV made_place(struct session *session, struct made *made, size_t count,
                         CK_OBJECT_HANDLE *ret_handles);

#endif
