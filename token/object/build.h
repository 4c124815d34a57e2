/* The objects that a key and its certificates appear as. Pure: what the files
 * said goes in, objects come out. */
#ifndef SIGNET_OBJECT_BUILD_H
#define SIGNET_OBJECT_BUILD_H

#include "token/object/object.h"

/* What the objects of one key have in common. All borrowed; `subject` may be
 * empty; `unique` begins their CKA_UNIQUE_ID. `login` makes the private key a
 * private object. */
struct object_names {
    struct view label;
    struct view id;
    struct view subject;
    struct view unique;
    bool login;
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

/* A DER OCTET STRING around an EC point, as CKA_EC_POINT wants it. */
CHECKED CK_RV object_wrap_point(struct view point, struct bytes *ret_der);

/* The public key that a template's attributes describe, spki and bits left out;
 * CKR_TEMPLATE_INCOMPLETE if they are not those of an RSA or EC public key. The
 * point may come with or without its OCTET STRING. */
CHECKED CK_RV object_describe_public_key(const struct attributes *attributes,
                                         struct public_key *ret_key);

#endif
