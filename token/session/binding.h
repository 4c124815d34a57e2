/* What a token key is bound to, so that who can write its file cannot loosen it. The
 * encryption of a sealed or secret key, and the authorisation of one in the TPM, hold
 * for this alone. */
#ifndef SIGNET_SESSION_BINDING_H
#define SIGNET_SESSION_BINDING_H

#include "token/key/make.h"
#include "token/object/attributes.h"

/* The `unique` of key/make.h: the key id, and what of the attributes protects the key's
 * value (token/store/FORMAT.md). For keys in a TPM none of that can change;
 * of a secret one CKA_TRUSTED could, which is refused when it is bound anew. */
CHECKED CK_RV binding_of(const struct attributes *attributes, struct view key_id,
                         struct bytes *ret_unique);

/* *key as a key bound to these attributes, with the vault open where that differs from
 * what it is bound to. The reference in *key is replaced. CKR_ATTRIBUTE_READ_ONLY for a
 * key in the TPM, which cannot be bound anew. */
CHECKED CK_RV binding_renew(struct vault *vault, const struct attributes *attributes,
                            struct view key_id, struct key **key);

/* The same for a key as its file keeps it, whose attributes were `before`. */
CHECKED CK_RV binding_renew_pem(struct vault *vault, const struct attributes *before,
                                const struct attributes *after, struct view key_id,
                                struct bytes *pem);

#endif
