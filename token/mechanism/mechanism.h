/* The mechanism table: what C_GetMechanismList, C_GetMechanismInfo, the init
 * checks and the dispatch all read. A row belongs to a family, a file each. */
#ifndef SIGNET_MECHANISM_MECHANISM_H
#define SIGNET_MECHANISM_MECHANISM_H

#include "token/base/public_key.h"
#include "token/base/scheme.h"
#include "token/key/key.h"

struct job;
struct mechanism;

/* What the rows of a family share. A NULL slot means that the family has none. */
struct family {
    /* Checks the mechanism's parameter and completes the scheme. */
    CK_RV(*parameters)
    (const struct mechanism *mechanism, const CK_MECHANISM *given, struct scheme *scheme);
    /* The most input that raw (unhashed) data may have, for this operation. */
    size_t (*input_limit)(const struct job *job);
    /* From the collected input, or its digest, to what the key is given. */
    CK_RV (*encode)(const struct job *job, struct view input, struct bytes *ret_encoded);
};

/* One row. `flags` are the operations, as in CK_MECHANISM_INFO; sizes are in
 * bits. `hash` is applied to the input first; HASH_NONE takes it as it is. */
struct mechanism {
    CK_MECHANISM_TYPE type;
    CK_FLAGS flags;
    enum key_algorithm algorithm;
    CK_ULONG min_size;
    CK_ULONG max_size;
    enum scheme_kind kind;
    enum hash hash;
    const struct family *family;
};

/* The row, or NULL. */
const struct mechanism *mechanism_find(CK_MECHANISM_TYPE type);

/* The rows in the table's order, NULL behind the last. */
const struct mechanism *mechanism_at(size_t index);

/* The operations of the row that can be had with this key (NULL: no private key)
 * and public key (algorithm NONE: not known yet); 0: do not list it. */
CK_FLAGS mechanism_flags(const struct mechanism *mechanism, const struct key *key,
                         const struct public_key *public_key);

/* CKK_ value of the keys that the row works on. */
CK_KEY_TYPE mechanism_key_type(const struct mechanism *mechanism);

/* The hash of CKM_SHA256 and the like; HASH_NONE for any other mechanism. */
enum hash mechanism_hash(CK_MECHANISM_TYPE type);

#endif
