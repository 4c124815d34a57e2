/* What a kind of key implements. Inside the room only. */
#ifndef SIGNET_KEY_OPS_H
#define SIGNET_KEY_OPS_H

#include "token/base/key_spec.h"
#include "token/base/reason.h"
#include "token/key/key.h"

struct vault;

/* A NULL slot means "not supported" and is answered in key.c. `free` frees what
 * the kind added, not the struct key. */
struct key_ops {
    enum key_place (*place)(const struct key *key);
    bool (*can)(const struct key *key, enum key_use use, const struct scheme *scheme);
    CK_RV (*login)(struct key *key, struct view pin);
    void (*logout)(struct key *key);
    CK_RV(*sign)
    (struct key *key, const struct scheme *scheme, struct view input, struct bytes *ret_signature);
    CK_RV(*decrypt)
    (struct key *key, const struct scheme *scheme, struct view cipher, struct bytes *ret_plain);
    CK_RV (*derive)(struct key *key, struct view point, struct bytes *ret_secret);
    CK_RV (*mac)(struct key *key, enum hash hash, struct view data, struct bytes *ret_code);
    CK_RV(*cipher)
    (struct key *key, enum block_mode mode, bool encrypt, uint8_t chain[BLOCK_MODE_SIZE],
     struct view in, uint8_t *out);
    CK_RV (*write)(struct key *key, struct bytes *ret_pem);
    CK_RV (*export_parts)(struct key *key, struct private_parts *ret_parts);
    CK_RV(*bind)
    (struct key *key, struct vault *vault, struct view unique, struct key **ret_key);
    CK_RV (*secret_value)(struct key *key, struct bytes *ret_value);
    void (*free)(struct key *key);
};

/* The first member of each kind's own struct. */
struct key {
    const struct key_ops *ops;
    unsigned references;
    bool needs_login;
    bool logged_in;
    bool refused;  /* its authorisation was refused: it is not sent again */
    bool in_token; /* of a token directory: no login of its own */
    struct public_key public_key;
    struct certificate *certificates;
    size_t certificate_count;
};

/* What a software key of this algorithm can do; for kinds that add nothing. */
bool key_can_by_algorithm(const struct key *key, enum key_use use, const struct scheme *scheme);

/* Takes the certificates over and leaves the source empty. */
void key_take_certificates(struct key *key, struct certificate **certificates, size_t *count);

#endif
