/* Between templates and keys: what a template says of a key to make or take in, and
 * what a key that was made says of its objects. Pure. */
#ifndef SIGNET_OBJECT_MATERIAL_H
#define SIGNET_OBJECT_MATERIAL_H

#include "token/base/key_spec.h"
#include "token/object/attributes.h"

/* What key pair or secret key to generate, from the attributes that schema_build made
 * of the public (or the secret key's) template. CKR_TEMPLATE_INCOMPLETE,
 * CKR_ATTRIBUTE_VALUE_INVALID, CKR_CURVE_NOT_SUPPORTED. */
CHECKED CK_RV material_spec(const struct attributes *attributes, struct key_spec *ret_spec);

/* The private parts of a C_CreateObject or C_UnwrapKey of a private key; they are taken out of
 * the attributes, so that no copy stays. CKR_TEMPLATE_INCOMPLETE if they do not make a key. */
CHECKED CK_RV material_take_private(struct attributes *attributes, struct private_parts *ret_parts);
/* Puts the parts back, for objects whose values may be read (extractable, not sensitive). */
CHECKED CK_RV material_put_private(struct attributes *attributes,
                                   const struct private_parts *parts);

/* Adds what follows from the public half: CKA_KEY_TYPE, CKA_MODULUS, CKA_EC_POINT,
 * CKA_PUBLIC_KEY_INFO, …, for a public or private key. What is there and differs is
 * CKR_TEMPLATE_INCONSISTENT. */
CHECKED CK_RV material_set_public(struct attributes *attributes,
                                  const struct public_key *public_key);
/* And back; spki from CKA_PUBLIC_KEY_INFO if it is there. */
CHECKED CK_RV material_public(const struct attributes *attributes, struct public_key *ret_key);

/* Can a secret key with these attributes have a value of this size? Checks the key
 * type and a CKA_VALUE_LEN that was asked for: CKR_ATTRIBUTE_VALUE_INVALID,
 * CKR_TEMPLATE_INCONSISTENT. */
CHECKED CK_RV material_check_secret(const struct attributes *attributes, size_t size);

/* Adds what follows from a certificate: subject, issuer, serial number, dates. Only
 * attributes that are missing or empty are set. */
CHECKED CK_RV material_set_certificate(struct attributes *attributes,
                                       const struct certificate *certificate);

#endif
