/* Token objects: one call, one file, one atomic change. Every function takes the
 * directory's lock and looks first what others have changed. The guard's token lock
 * is held. */
#ifndef SIGNET_SESSION_STORED_H
#define SIGNET_SESSION_STORED_H

#include "token/session/entry_file.h"
#include "token/session/session.h"

/* A CKA_UNIQUE_ID that no other object has: 32 hex digits. */
#define STORED_UNIQUE_SIZE 32
CHECKED CK_RV stored_new_unique(uint8_t out[STORED_UNIQUE_SIZE]);

/* Writes the objects into one new entry file. They have their CKA_UNIQUE_ID, and a
 * secret value where it may be encrypted from; handles are given in their order. */
CHECKED CK_RV stored_add(struct token *token, struct entry_objects *objects,
                         CK_OBJECT_HANDLE *ret_handles);

/* C_SetAttributeValue and C_DestroyObject. `so`: the SO is logged in. */
CHECKED CK_RV stored_change(struct token *token, CK_OBJECT_HANDLE handle,
                            const CK_ATTRIBUTE *template, CK_ULONG count);
CHECKED CK_RV stored_remove(struct token *token, CK_OBJECT_HANDLE handle);

/* The value of a private data object goes out of, or comes into, its attributes. */
CHECKED CK_RV stored_encrypt_value(struct token *token, struct entry_object *object);
CHECKED CK_RV stored_decrypt_value(struct token *token, struct entry_object *object);

/* The attributes that hold what a file keeps encrypted, and all of them taken out. */
bool stored_may_be_secret(CK_ATTRIBUTE_TYPE type);
void stored_remove_secrets(struct attributes *attributes);

/* Takes a decrypted value out of the object again. */
void stored_conceal(struct token *token, struct object *object);

#endif
