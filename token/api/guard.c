#include "token/api/guard.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "token/base/lock.h"

/* `pid` is the process that initialised; `calls` counts those inside, so that
 * C_Finalize can wait for them; `string` is what C_Initialize was given last: a
 * child that initialises with nothing gets its parent's (libp11, pkcs11-helper). */
static struct {
    pthread_mutex_t registry;
    _Atomic pid_t pid;
    struct module *module;
    struct module *orphan; /* the parent's, in a child that was forked */
    bool finalizing;
    unsigned calls;
    char *string;
} guard = {.registry = PTHREAD_MUTEX_INITIALIZER};

/* This thread is inside the module: a key of an engine or provider that leads back
 * here is answered with an error instead of waiting for itself. */
static pthread_key_t inside_key; /* not _Thread_local: gcc's leak checker trips over it */

static bool is_inside(void)
{
    return pthread_getspecific(inside_key) != NULL;
}

static void set_inside(bool inside)
{
    (void)pthread_setspecific(inside_key, inside ? &inside_key : NULL);
}

#define STRING_MAX_SIZE 8192

/* Configures the locks as the caller asks; CKR_ARGUMENTS_BAD for half a set. */
static CK_RV use_locks(const CK_C_INITIALIZE_ARGS *arguments)
{
    if (!arguments) {
        lock_configure(NULL);
        return CKR_OK;
    }
    int given = !!arguments->CreateMutex + !!arguments->DestroyMutex + !!arguments->LockMutex +
                !!arguments->UnlockMutex;
    if (given != 0 && given != 4)
        return CKR_ARGUMENTS_BAD;
    bool system = given == 0 || arguments->flags & CKF_OS_LOCKING_OK;
    lock_configure(system ? NULL : arguments);
    return CKR_OK;
}

/* In a forked child, while it has one thread: the parent's threads are gone with
 * whatever they held. What they left is let go of by the next C_Initialize. */
static void after_fork(void)
{
    guard.registry = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    if (guard.module)
        guard.orphan = guard.module;
    guard.module = NULL;
    guard.finalizing = false;
    guard.calls = 0;
    guard.pid = 0;
    set_inside(false);
}

static void start_guard(void)
{
    (void)pthread_key_create(&inside_key, NULL);
    (void)pthread_atfork(NULL, NULL, after_fork);
}

/* The string to configure by, kept for children; NULL is fine. */
static CK_RV keep_string(const char *string, bool child)
{
    if (!string && child)
        return CKR_OK;
    char *copy = NULL;
    if (string) {
        size_t size = strnlen(string, STRING_MAX_SIZE);
        copy = size < STRING_MAX_SIZE ? strndup(string, size) : NULL;
        if (!copy)
            return size < STRING_MAX_SIZE ? CKR_HOST_MEMORY : CKR_ARGUMENTS_BAD;
    }
    free(guard.string);
    guard.string = copy;
    return CKR_OK;
}

static CK_RV initialize(const CK_C_INITIALIZE_ARGS *arguments)
{
    CK_RV rv = use_locks(arguments);
    if (rv == CKR_OK)
        rv = keep_string(arguments ? arguments->pReserved : NULL, guard.orphan != NULL);
    if (rv != CKR_OK)
        return rv;
    if (guard.orphan)
        module_abandon(guard.orphan);
    guard.orphan = NULL;
    if (rv == CKR_OK)
        rv = module_new(guard.string, &guard.module);
    if (rv == CKR_OK)
        guard.pid = getpid();
    return rv;
}

CK_RV guard_initialize(const CK_C_INITIALIZE_ARGS *arguments)
{
    if (!module_alive())
        return CKR_GENERAL_ERROR;
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, start_guard);
    if (is_inside())
        return CKR_FUNCTION_FAILED;
    module_prepare();
    pthread_mutex_lock(&guard.registry);
    set_inside(true);
    CK_RV rv =
        guard.module || guard.finalizing ? CKR_CRYPTOKI_ALREADY_INITIALIZED : initialize(arguments);
    set_inside(false);
    pthread_mutex_unlock(&guard.registry);
    return rv;
}

/* Takes the registry lock and counts the call in. */
static CK_RV enter(void)
{
    if (guard.pid != getpid())
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    if (is_inside())
        return CKR_FUNCTION_FAILED;
    pthread_mutex_lock(&guard.registry);
    if (guard.module && module_alive()) {
        set_inside(true);
        guard.calls++;
        return CKR_OK;
    }
    pthread_mutex_unlock(&guard.registry);
    return CKR_CRYPTOKI_NOT_INITIALIZED;
}

static void leave(void)
{
    set_inside(false);
    guard.calls--;
    pthread_mutex_unlock(&guard.registry);
}

/* At process exit calls that a killed thread was in never leave. */
static void wait_for_calls(void)
{
    const struct timespec pause = {.tv_sec = 0, .tv_nsec = 1000000};
    while (guard.calls > 0 && module_alive()) {
        pthread_mutex_unlock(&guard.registry);
        nanosleep(&pause, NULL);
        pthread_mutex_lock(&guard.registry);
    }
}

CK_RV guard_finalize(void)
{
    if (guard.pid != getpid())
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    if (is_inside())
        return CKR_FUNCTION_FAILED;
    pthread_mutex_lock(&guard.registry);
    struct module *module = guard.module;
    guard.module = NULL;
    if (module) {
        guard.finalizing = true;
        wait_for_calls();
        guard.finalizing = false;
        set_inside(true);
        module_free(module);
        set_inside(false);
        free(guard.string);
        guard.string = NULL;
    }
    pthread_mutex_unlock(&guard.registry);
    return module ? CKR_OK : CKR_CRYPTOKI_NOT_INITIALIZED;
}

CK_RV guard_enter_module(struct module **ret_module)
{
    CK_RV rv = enter();
    if (rv == CKR_OK)
        *ret_module = guard.module;
    return rv;
}

void guard_leave_module(void)
{
    leave();
}

CK_RV guard_enter_slot(CK_SLOT_ID slot, struct token **ret_token)
{
    CK_RV rv = enter();
    if (rv != CKR_OK)
        return rv;
    struct token *token = module_token(guard.module, slot);
    if (!token) {
        leave();
        return CKR_SLOT_ID_INVALID;
    }
    pthread_mutex_unlock(&guard.registry);
    lock_take(token->lock);
    *ret_token = token;
    return CKR_OK;
}

void guard_pause(struct token *token)
{
    lock_release(token->lock);
}

/* The session is looked up again under its token's lock: it may have been closed
 * while this thread waited. */
CK_RV guard_resume(CK_SESSION_HANDLE handle, struct token *token, struct session **ret_session)
{
    lock_take(token->lock);
    struct module *module = guard_registry_take();
    struct session *session = module ? module_session(module, handle) : NULL;
    guard_registry_release();
    if (!session || session->token != token) {
        guard_leave(token);
        return module ? CKR_SESSION_HANDLE_INVALID : CKR_CRYPTOKI_NOT_INITIALIZED;
    }
    *ret_session = session;
    return CKR_OK;
}

CK_RV guard_enter_session(CK_SESSION_HANDLE handle, struct session **ret_session)
{
    CK_RV rv = enter();
    if (rv != CKR_OK)
        return rv;
    struct session *session = module_session(guard.module, handle);
    if (!session) {
        leave();
        return CKR_SESSION_HANDLE_INVALID;
    }
    struct token *token = session->token;
    pthread_mutex_unlock(&guard.registry);
    return guard_resume(handle, token, ret_session);
}

void guard_leave(struct token *token)
{
    lock_release(token->lock);
    pthread_mutex_lock(&guard.registry);
    leave();
}

struct module *guard_registry_take(void)
{
    pthread_mutex_lock(&guard.registry);
    return guard.module;
}

void guard_registry_release(void)
{
    pthread_mutex_unlock(&guard.registry);
}
