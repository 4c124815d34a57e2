/* One PKCS#11 object: attributes, and for private keys the key behind them. */
#ifndef SIGNET_OBJECT_OBJECT_H
#define SIGNET_OBJECT_OBJECT_H

#include "token/base/public_key.h"
#include "token/key/key.h"
#include "token/object/attributes.h"

/* `owner` is the session whose end is the object's end; CK_INVALID_HANDLE for
 * token objects. */
struct object {
    CK_OBJECT_HANDLE handle;
    CK_SESSION_HANDLE owner;
    struct attributes attributes;
    struct key *key;
    uint32_t place;      /* of finder.c; 0 if it is in none */
    struct bytes key_id; /* what a token key is bound to; known when it was used */
    void *home;          /* a token object's file, of the session room */
    bool revealed;       /* attributes hold a value that is kept encrypted */
};

/* An object that takes `attributes` over (emptying it) on success. */
CHECKED CK_RV object_new(struct attributes *attributes, struct object **ret_object);
void object_free(struct object *object);

/* PKCS#11 5.7.5: fills each entry of the template by the five cases there, and
 * answers the one code that applies. */
CK_RV object_get(const struct object *object, CK_ATTRIBUTE *template, CK_ULONG count);

/* True if every attribute of the template is there with that very value. Values
 * that may not be read cannot be searched for. */
bool object_matches(const struct object *object, const CK_ATTRIBUTE *template, CK_ULONG count);

/* About how many bytes it takes, for C_GetObjectSize. */
CK_ULONG object_size(const struct object *object);

/* The public half of a key object: the field above or, if it is empty, what the
 * attributes say. CKR_TEMPLATE_INCOMPLETE for objects without one. The caller clears it. */
CHECKED CK_RV object_public_key(const struct object *object, struct public_key *ret_key);

CK_OBJECT_CLASS object_class(const struct object *object);
bool object_bool(const struct object *object, CK_ATTRIBUTE_TYPE type);

#endif
