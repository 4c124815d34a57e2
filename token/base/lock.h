/* Locks made as the application asked at C_Initialize: its own four functions,
 * or the system's. */
#ifndef SIGNET_BASE_LOCK_H
#define SIGNET_BASE_LOCK_H

#include "token/base/bytes.h"

struct lock;

/* Chooses how locks are made from now on; NULL or all-NULL functions: the
 * system's. The functions are copied. */
void lock_configure(const CK_C_INITIALIZE_ARGS *functions);

CHECKED CK_RV lock_new(struct lock **ret_lock);
void lock_take(struct lock *lock);

/* True if it could be taken at once; never with the application's functions, which
 * have no such thing. */
bool lock_try(struct lock *lock);
void lock_release(struct lock *lock);

/* NULL is fine. */
void lock_free(struct lock *lock);

#endif
