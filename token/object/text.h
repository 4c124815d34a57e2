/* Attributes as the lines of an entry file, and back: `label = "web server"`. */
#ifndef SIGNET_OBJECT_TEXT_H
#define SIGNET_OBJECT_TEXT_H

#include "token/base/reason.h"
#include "token/object/attributes.h"

/* The word for an attribute ("label", "always authenticate"), and back; NULL and
 * CK_UNAVAILABLE_INFORMATION for what has none. */
const char *attribute_name(CK_ATTRIBUTE_TYPE type);
CK_ATTRIBUTE_TYPE attribute_of_name(struct view name);

/* The word for a class ("private key"), and back. */
const char *class_name(CK_OBJECT_CLASS class);
CK_OBJECT_CLASS class_of_name(struct view name);

/* A value as text: true and false, numbers (key types and mechanisms by name), "text"
 * in quotes if that is what it is, else hex:…, or base64:… if long; dates YYYYMMDD.
 * Any of these forms is understood where the kind allows it. CKR_DATA_INVALID with
 * the reason. */
CHECKED CK_RV attribute_to_text(CK_ATTRIBUTE_TYPE type, struct view value, struct bytes *ret_text);
CHECKED CK_RV attribute_from_text(CK_ATTRIBUTE_TYPE type, struct view text, struct bytes *ret_value,
                                  struct reason *reason);

#endif
