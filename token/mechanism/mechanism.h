/* The mechanism table: what C_GetMechanismList, C_GetMechanismInfo, the init
 * checks and the dispatch all read. A row belongs to a family, a file each. */
#ifndef SIGNET_MECHANISM_MECHANISM_H
#define SIGNET_MECHANISM_MECHANISM_H

#include "token/base/key_spec.h"
#include "token/base/scheme.h"
#include "token/key/key.h"

struct family;

/* One row. `flags` are the operations, as in CK_MECHANISM_INFO; sizes are in bits,
 * of AES and HMAC keys in bytes. `hash` is applied to the input first; HASH_NONE
 * takes it as it is. `other_key_type` (0: none) is a second CKK_ value beside the
 * algorithm's; `variant` is for the family alone. */
struct mechanism {
    CK_MECHANISM_TYPE type;
    CK_FLAGS flags;
    enum key_algorithm algorithm;
    CK_KEY_TYPE other_key_type;
    CK_ULONG min_size;
    CK_ULONG max_size;
    enum scheme_kind kind;
    enum hash hash;
    unsigned variant;
    const struct family *family;
};

/* The row, or NULL. */
const struct mechanism *mechanism_find(CK_MECHANISM_TYPE type);

/* The rows in the table's order, NULL behind the last. */
const struct mechanism *mechanism_at(size_t index);

/* What a token has of the row; 0: do not list it. An exported token has digests and
 * what its one key (NULL: no private key) and public key (algorithm NONE: not known
 * yet) can do. */
CK_FLAGS mechanism_flags(const struct mechanism *mechanism, const struct key *key,
                         const struct public_key *public_key);

/* The same of a token directory: all of the table, but key pairs that no TPM has only
 * where such keys may be sealed. */
CK_FLAGS mechanism_flags_of_directory(const struct mechanism *mechanism, bool sealing);

/* The CKK_ value of the keys that the row works on, or makes; and whether it works
 * on keys of this type. HMACs take generic secrets and the type of their hash. */
CK_KEY_TYPE mechanism_key_type(const struct mechanism *mechanism);
bool mechanism_takes(const struct mechanism *mechanism, CK_KEY_TYPE type);

/* True if the keys are secret keys, not key pairs. */
bool mechanism_is_symmetric(const struct mechanism *mechanism);

/* The hash that keys of this type are for (CKK_SHA256_HMAC and the like), else HASH_NONE. */
enum hash mechanism_hash_of_key(CK_KEY_TYPE type);

/* True if the row is done, or the key made, by keys that keep their value. */
bool mechanism_keeps_value(const struct mechanism *mechanism);

/* The hash of CKM_SHA256 and the like; HASH_NONE for any other mechanism. */
enum hash mechanism_hash(CK_MECHANISM_TYPE type);

#endif
