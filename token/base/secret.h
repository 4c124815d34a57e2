/* A PIN or an authorisation value: memory of its own that is locked, left out
 * of core dumps, emptied in forked children and wiped when freed. */
#ifndef SIGNET_BASE_SECRET_H
#define SIGNET_BASE_SECRET_H

#include "token/base/bytes.h"

#define SECRET_MAX_SIZE 4000

struct secret;

/* Copies `value` (at most SECRET_MAX_SIZE bytes, else CKR_PIN_LEN_RANGE). The
 * caller frees it with secret_free. CKR_HOST_MEMORY without memory. */
CHECKED CK_RV secret_new(struct view value, struct secret **ret_secret);

/* Borrowed; empty for NULL. */
struct view secret_view(const struct secret *secret);

/* Same content, compared in a time that tells the length alone. */
bool secret_views_equal(struct view a, struct view b);

/* NULL is fine. */
void secret_free(struct secret *secret);

/* For CLEANUP(). */
void secret_cleanup(struct secret **secret);

#endif
