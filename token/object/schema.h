/* The attribute schema: which attributes each class of object has, of what kind,
 * who may set and change them, and which are secret. One table carries it. */
#ifndef SIGNET_OBJECT_SCHEMA_H
#define SIGNET_OBJECT_SCHEMA_H

#include "token/object/attributes.h"

/* What is done with an object: which rules apply to the template. The first two are
 * those of schema_change, the others those of schema_build. */
enum schema_origin {
    SCHEMA_SET,            /* C_SetAttributeValue */
    SCHEMA_COPY,           /* C_CopyObject */
    SCHEMA_CREATE,         /* C_CreateObject */
    SCHEMA_GENERATE,       /* C_GenerateKey, C_GenerateKeyPair: the key comes from the mechanism */
    SCHEMA_UNWRAP,         /* C_UnwrapKey: the key comes out of the wrapping */
    SCHEMA_DERIVE,         /* C_DeriveKey: the value comes from the mechanism */
    SCHEMA_OWN,            /* the module itself, from files: may set everything */
    SCHEMA_BY_SO = 1 << 8, /* added to one of them: the SO does it, who may set CKA_TRUSTED */
};

/* Checks a template (borrowed) and makes the object's attributes of it, defaults
 * filled in. `preset` (may be NULL) are attributes that the origin fixes: a
 * template may repeat but not contradict them. CKR_ATTRIBUTE_TYPE_INVALID,
 * CKR_ATTRIBUTE_VALUE_INVALID, CKR_ATTRIBUTE_READ_ONLY, CKR_TEMPLATE_INCOMPLETE,
 * CKR_TEMPLATE_INCONSISTENT (PKCS#11 4.1.1); CKR_DOMAIN_PARAMS_INVALID and
 * CKR_CURVE_NOT_SUPPORTED for CKA_EC_PARAMS, which becomes the DER of the OID. */
CHECKED CK_RV schema_build(enum schema_origin origin, const CK_ATTRIBUTE *template, CK_ULONG count,
                           const struct attributes *preset, struct attributes *ret_attributes);

/* Applies a template to existing attributes: all of it or nothing. SCHEMA_SET or
 * SCHEMA_COPY. */
CHECKED CK_RV schema_change(struct attributes *attributes, const CK_ATTRIBUTE *template,
                            CK_ULONG count, enum schema_origin origin);

/* What the module says of a key whose other attributes are final (nothing of what is
 * no key): CKA_LOCAL, CKA_KEY_GEN_MECHANISM, CKA_ALWAYS_SENSITIVE and
 * CKA_NEVER_EXTRACTABLE. mechanism: of SCHEMA_GENERATE alone; base: the key that one is
 * derived from, else NULL. */
CHECKED CK_RV schema_complete_key(struct attributes *attributes, enum schema_origin origin,
                                  CK_MECHANISM_TYPE mechanism, const struct attributes *base);

/* True if C_GetAttributeValue must not reveal this attribute of this object. */
bool schema_is_hidden(const struct attributes *attributes, CK_ATTRIBUTE_TYPE type);

#endif
