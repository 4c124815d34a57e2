/* The objects that a key and its certificates appear as. Pure: what the files
 * said goes in, objects come out. */
#ifndef SIGNET_OBJECT_BUILD_H
#define SIGNET_OBJECT_BUILD_H

#include "token/object/object.h"

/* What the objects of one key have in common. All borrowed; `subject` may be
 * empty; `unique` begins their CKA_UNIQUE_ID. `login` makes the private key a
 * private object. modifiable and destroyable: for files that can be changed. */
struct object_names {
    struct view label;
    struct view id;
    struct view subject;
    struct view unique;
    bool login;
    bool modifiable;
    bool destroyable;
};

/* A reference of `key` is taken. Its public half must be known. */
CHECKED CK_RV object_from_private_key(const struct object_names *names, struct key *key,
                                      struct object **ret_object);
CHECKED CK_RV object_from_public_key(const struct object_names *names,
                                     const struct public_key *public_key,
                                     struct object **ret_object);
CHECKED CK_RV object_from_certificate(const struct object_names *names,
                                      const struct certificate *certificate,
                                      struct object **ret_object);

/* CKO_PROFILE saying that certificates can be seen without login (PKCS#11 3.0
 * profiles, 4.14): without it NSS would ask for the PIN to list them. */
CHECKED CK_RV object_public_certificates_profile(const struct object_names *names,
                                                 struct object **ret_object);

#endif
