#include "emulator/openssl_scope.h"

#include "emulator/error.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/provider.h>
#include <pthread.h>
#include <stdatomic.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static OSSL_LIB_CTX *of_process;

static atomic_bool over;

static void note_end(void)
{
    atomic_store(&over, true);
}

bool openssl_is_over(void)
{
    return atomic_load(&over);
}

static void make_context(void)
{
    OSSL_LIB_CTX *made = OSSL_LIB_CTX_new();

    if (made && OSSL_PROVIDER_load(made, "default") && OPENSSL_atexit(note_end))
        of_process = made;
    else
        OSSL_LIB_CTX_free(made);
}

OSSL_LIB_CTX *openssl_private(void)
{
    (void)pthread_once(&once, make_context);
    if (!of_process)
        error_set("OpenSSL gives no library context with its default provider");
    return of_process;
}

void openssl_abandon(void)
{
    once = (pthread_once_t)PTHREAD_ONCE_INIT;
    of_process = NULL;
}

/* OpenSSL keeps 15 errors, and one command of libtpms 0.10 makes as many: a mark
 * among them is pushed out. Since 3.2 the host's can be put aside. */
#if OPENSSL_VERSION_PREREQ(3, 2)
static struct err_state_st *errors_put_aside(void)
{
    struct err_state_st *errors = ERR_peek_error() ? OSSL_ERR_STATE_new() : NULL;

    if (errors)
        OSSL_ERR_STATE_save(errors);
    return errors;
}

static void errors_put_back(struct err_state_st *errors)
{
    ERR_clear_error();
    OSSL_ERR_STATE_restore(errors);
    OSSL_ERR_STATE_free(errors);
}
#else
static struct err_state_st *errors_put_aside(void)
{
    return NULL;
}

static void errors_put_back(struct err_state_st *errors)
{
    (void)errors;
}
#endif

struct openssl_scope openssl_enter(void)
{
    struct err_state_st *errors = errors_put_aside();

    if (!errors)
        (void)ERR_set_mark();
    return (struct openssl_scope){OSSL_LIB_CTX_set0_default(openssl_private()), errors};
}

void openssl_leave(struct openssl_scope *scope)
{
    (void)OSSL_LIB_CTX_set0_default(scope->outer);
    if (scope->errors)
        errors_put_back(scope->errors);
    else
        (void)ERR_pop_to_mark();
}

void openssl_read_host_configuration(void)
{
    (void)ERR_set_mark();
    (void)OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL);
    (void)ERR_pop_to_mark();
}
