/* The parts of a key among its attributes. Inside the room only. */
#ifndef SIGNET_OBJECT_PARTS_H
#define SIGNET_OBJECT_PARTS_H

#include "token/base/public_key.h"
#include "token/object/attributes.h"

/* CKA_KEY_TYPE, CK_UNAVAILABLE_INFORMATION without one; the algorithm behind it, NONE
 * for others; and back, for key pairs. */
CK_KEY_TYPE part_key_type(const struct attributes *attributes);
enum key_algorithm part_algorithm(CK_KEY_TYPE type);
CK_KEY_TYPE part_type_of(enum key_algorithm algorithm);
bool part_has_curve(enum key_algorithm algorithm);

/* A number without leading zeros; empty if it is missing. */
struct view part_number(struct view number);
struct view part_number_of(const struct attributes *attributes, CK_ATTRIBUTE_TYPE type);

/* CKR_ATTRIBUTE_VALUE_INVALID if the number is there and is 0. */
CHECKED CK_RV part_copy_number(const struct attributes *attributes, CK_ATTRIBUTE_TYPE type,
                               struct bytes *number);

/* The OID of CKA_EC_PARAMS (see curves.h; CKR_TEMPLATE_INCOMPLETE without), and the
 * point of CKA_EC_POINT without its OCTET STRING; empty if it is missing,
 * CKR_ATTRIBUTE_VALUE_INVALID if its size is not the curve's. */
CHECKED CK_RV part_copy_curve(const struct attributes *attributes, struct bytes *curve);
CHECKED CK_RV part_copy_point(const struct attributes *attributes, struct view oid,
                              struct bytes *point);

#endif
