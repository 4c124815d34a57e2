/* What objects are found by: hashes of some attributes. Inside the room only. */
#ifndef SIGNET_OBJECT_FINDER_TAGS_H
#define SIGNET_OBJECT_FINDER_TAGS_H

#include "token/object/object.h"

#define FINDER_MAX_TAGS 12

/* A hash of an attribute and its value. */
uint32_t finder_tag(CK_ATTRIBUTE_TYPE type, struct view value);

/* Those that the object is looked up by; answers how many. Empty values are not: they
 * are too common. */
size_t finder_tags(const struct object *object, uint32_t tags[FINDER_MAX_TAGS]);

/* Is every object of this class (CK_UNAVAILABLE_INFORMATION: of any) that has this
 * value found by it? */
bool finder_can_look_up(const CK_ATTRIBUTE *wanted, CK_OBJECT_CLASS class);

#endif
