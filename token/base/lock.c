#include "token/base/lock.h"

#include <pthread.h>
#include <stdlib.h>

/* The functions are kept per lock: one made under an earlier C_Initialize must
 * be freed by the functions that made it. */
struct lock {
    pthread_mutex_t system;
    void *theirs;
    CK_LOCKMUTEX take;
    CK_UNLOCKMUTEX release;
    CK_DESTROYMUTEX destroy;
};

static struct {
    CK_CREATEMUTEX create;
    CK_DESTROYMUTEX destroy;
    CK_LOCKMUTEX take;
    CK_UNLOCKMUTEX release;
} theirs;

void lock_configure(const CK_C_INITIALIZE_ARGS *functions)
{
    theirs.create = functions ? functions->CreateMutex : NULL;
    theirs.destroy = functions ? functions->DestroyMutex : NULL;
    theirs.take = functions ? functions->LockMutex : NULL;
    theirs.release = functions ? functions->UnlockMutex : NULL;
}

CK_RV lock_new(struct lock **ret_lock)
{
    struct lock *lock = calloc(1, sizeof(*lock));
    if (!lock)
        return CKR_HOST_MEMORY;
    pthread_mutex_init(&lock->system, NULL);
    if (theirs.create) {
        CK_RV rv = theirs.create(&lock->theirs);
        if (rv != CKR_OK) {
            pthread_mutex_destroy(&lock->system);
            free(lock);
            return rv;
        }
        lock->take = theirs.take;
        lock->release = theirs.release;
        lock->destroy = theirs.destroy;
    }
    *ret_lock = lock;
    return CKR_OK;
}

void lock_take(struct lock *lock)
{
    if (lock->take)
        (void)lock->take(lock->theirs);
    else
        pthread_mutex_lock(&lock->system);
}

bool lock_try(struct lock *lock)
{
    return !lock->take && pthread_mutex_trylock(&lock->system) == 0;
}

void lock_release(struct lock *lock)
{
    if (lock->release)
        (void)lock->release(lock->theirs);
    else
        pthread_mutex_unlock(&lock->system);
}

void lock_free(struct lock *lock)
{
    if (!lock)
        return;
    if (lock->destroy)
        (void)lock->destroy(lock->theirs);
    pthread_mutex_destroy(&lock->system);
    free(lock);
}
