/* The attribute schema: which attributes each class of object has, of what kind,
 * who may set and change them, and which are secret. One table carries it. */
#ifndef SIGNET_OBJECT_SCHEMA_H
#define SIGNET_OBJECT_SCHEMA_H

#include "token/object/attributes.h"

/* How an object comes to be: which rules apply to its template. */
enum schema_origin {
    SCHEMA_CREATE,   /* C_CreateObject */
    SCHEMA_GENERATE, /* C_GenerateKey, C_GenerateKeyPair: the key comes from the mechanism */
    SCHEMA_UNWRAP,   /* C_UnwrapKey: the key comes out of the wrapping */
    SCHEMA_DERIVE,   /* C_DeriveKey: the value comes from the mechanism */
    SCHEMA_OWN,      /* the module itself, from files: may set everything */
};

/* Checks a template (borrowed) and makes the object's attributes of it, defaults
 * filled in. `preset` (may be NULL) are attributes that the origin fixes: a
 * template may repeat but not contradict them. CKR_ATTRIBUTE_TYPE_INVALID,
 * CKR_ATTRIBUTE_VALUE_INVALID, CKR_ATTRIBUTE_READ_ONLY, CKR_TEMPLATE_INCOMPLETE,
 * CKR_TEMPLATE_INCONSISTENT (PKCS#11 4.1.1). */
CHECKED CK_RV schema_build(enum schema_origin origin, const CK_ATTRIBUTE *template, CK_ULONG count,
                           const struct attributes *preset, struct attributes *ret_attributes);

/* Applies a template to existing attributes: all of it or nothing. `copying`
 * applies the rules of C_CopyObject, else those of C_SetAttributeValue. */
CHECKED CK_RV schema_change(struct attributes *attributes, const CK_ATTRIBUTE *template,
                            CK_ULONG count, bool copying);

/* True if C_GetAttributeValue must not reveal this attribute of this object. */
bool schema_is_hidden(const struct attributes *attributes, CK_ATTRIBUTE_TYPE type);

#endif
