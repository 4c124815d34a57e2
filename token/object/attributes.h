/* A set of PKCS#11 attributes with their values, owned. */
#ifndef SIGNET_OBJECT_ATTRIBUTES_H
#define SIGNET_OBJECT_ATTRIBUTES_H

#include "token/base/bytes.h"

#define ATTRIBUTE_MAX_SIZE (1024 * 1024)
#define ATTRIBUTES_MAX_COUNT 128

/* One piece of memory, which attributes_unpack may borrow: a header, an entry of type
 * and end for each attribute in the order of the types, then the values. A zeroed
 * struct is the empty set. */
struct attributes {
    uint8_t *block;
    uint32_t size;
    uint16_t count;
    bool borrowed;
};

bool attributes_has(const struct attributes *attributes, CK_ATTRIBUTE_TYPE type);

/* One after the other, by index from 0 to count - 1, in the order of their types. The
 * view is borrowed until the set changes. */
struct view attributes_at(const struct attributes *attributes, size_t index,
                          CK_ATTRIBUTE_TYPE *ret_type);

/* Adds or replaces a value, which may be one of this very set. CKR_HOST_MEMORY leaves
 * the set as it was; more than the maxima above are CKR_TEMPLATE_INCONSISTENT and
 * CKR_ATTRIBUTE_VALUE_INVALID, a type of more than 32 bits CKR_ATTRIBUTE_TYPE_INVALID.
 * Memory that is given up is wiped: values may be secret. */
CHECKED CK_RV attributes_set(struct attributes *attributes, CK_ATTRIBUTE_TYPE type,
                             struct view value);
CHECKED CK_RV attributes_set_bool(struct attributes *attributes, CK_ATTRIBUTE_TYPE type,
                                  bool value);
CHECKED CK_RV attributes_set_ulong(struct attributes *attributes, CK_ATTRIBUTE_TYPE type,
                                   CK_ULONG value);

/* The value as its type; `fallback` if it is missing or of another size. */
bool attributes_bool(const struct attributes *attributes, CK_ATTRIBUTE_TYPE type, bool fallback);
CK_ULONG attributes_ulong(const struct attributes *attributes, CK_ATTRIBUTE_TYPE type,
                          CK_ULONG fallback);

/* The value, empty if it is missing; and both in one: has it, and its value. */
struct view attributes_value(const struct attributes *attributes, CK_ATTRIBUTE_TYPE type);

bool attributes_get(const struct attributes *attributes, CK_ATTRIBUTE_TYPE type,
                    struct view *ret_value);

CHECKED CK_RV attributes_copy(struct attributes *attributes, const struct attributes *from);

/* Replaces a set by another, which is empty then. */
void attributes_move(struct attributes *attributes, struct attributes *from);

/* All of a set as one piece of bytes, and a set that borrows it (until it is changed:
 * then it is copied). CKR_DATA_INVALID for bytes that are no such piece, or one of a
 * machine with other numbers. */
CHECKED CK_RV attributes_pack(const struct attributes *attributes, struct bytes *ret_packed);
CHECKED CK_RV attributes_unpack(struct view packed, struct attributes *ret_attributes);

/* Takes one out, wiping its value; harmless if it is not there. A borrowed set that
 * cannot be copied for want of memory is emptied instead: never is it left in. */
void attributes_remove(struct attributes *attributes, CK_ATTRIBUTE_TYPE type);

/* Wipes and frees the contents, not the struct. */
void attributes_clear(struct attributes *attributes);

#endif
