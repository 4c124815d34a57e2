/* Finds objects by the attributes that clients search for: an index of hashes. */
#ifndef SIGNET_OBJECT_FINDER_H
#define SIGNET_OBJECT_FINDER_H

#include "token/object/object.h"

struct finder;

/* Freed with finder_free, NULL is fine; the objects stay the caller's. */
CHECKED CK_RV finder_new(struct finder **ret_finder);
void finder_free(struct finder *finder);

/* Takes in an object by what its attributes are now, and lets it go again: before
 * they change (then it is added anew) or it is freed. An object is in one finder at
 * most; removing one that is in none is harmless. CKR_HOST_MEMORY leaves it out. */
CHECKED CK_RV finder_add(struct finder *finder, struct object *object);
void finder_remove(struct finder *finder, struct object *object);

/* Those that a template may match: all that do, and hardly any others; each has still
 * to be compared (object_matches) and may be hidden. indexed false: the template has
 * nothing to look up, all objects have to be compared. Valid until the next change. */
struct finder_hits {
    bool indexed;
    size_t count;
    const uint32_t *numbers; /* of finder.c */
    uint32_t single;
};
void finder_find(const struct finder *finder, const CK_ATTRIBUTE *template, CK_ULONG count,
                 struct finder_hits *ret_hits);
struct object *finder_hit(const struct finder *finder, const struct finder_hits *hits,
                          size_t index);

/* Bytes that the index takes. */
size_t finder_memory(const struct finder *finder);

#endif
