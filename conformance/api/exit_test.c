/* Calls at the very end of a process, when libraries are already gone: NSS
 * ends from exit handlers. Each case is a process of its own, which loads the
 * module after it has arranged its end. */
#include <unistd.h>

#include "conformance/api/children.h"
#include "conformance/api/workers.h"

static void (*at_the_end)(void);

static void finalise(void)
{
    child_rv(p11->C_Finalize(NULL), CKR_OK, CKR_CRYPTOKI_NOT_INITIALIZED);
    child_rv(p11->C_Finalize(NULL), CKR_CRYPTOKI_NOT_INITIALIZED);
}

static void close_sessions_and_finalise(void)
{
    CK_SLOT_ID slots[MAX_SLOTS];
    CK_ULONG count = MAX_SLOTS;
    CK_RV rv = p11->C_GetSlotList(CK_TRUE, slots, &count);

    child_rv(rv, CKR_OK, CKR_CRYPTOKI_NOT_INITIALIZED, CKR_GENERAL_ERROR);
    for (CK_ULONG i = 0; rv == CKR_OK && i < count; i++)
        child_rv(p11->C_CloseAllSessions(slots[i]), CKR_OK, CKR_CRYPTOKI_NOT_INITIALIZED);
    finalise();
}

/* A TPM without resource manager would keep the keys of these processes. */
static void use_the_module(void)
{
    client_load();
    child_rv(initialise(), CKR_OK);
    if (!setting("PKCS11_EXCLUSIVE"))
        child_rv(sign_once(getenv("PKCS11_TOKEN_EC")), CKR_OK);
}

/* Registered before the libraries register theirs, so it runs after them. */
static void leave_by_an_exit_handler(void)
{
    atexit(at_the_end);
    use_the_module();
    exit(0);
}

static ssize_t write_cookie(void *cookie, const char *buffer, size_t size)
{
    (void)cookie;
    (void)buffer;
    at_the_end();
    return (ssize_t)size;
}

/* The C library flushes its streams after every destructor has run. */
static void leave_by_the_last_flush(void)
{
    cookie_io_functions_t functions = {.write = write_cookie};
    FILE *stream = fopencookie(NULL, "w", functions);

    child_true(stream != NULL);
    setvbuf(stream, NULL, _IOFBF, 64);
    fputs("unwritten", stream);
    use_the_module();
    exit(0);
}

static void leave_without_finalising(void)
{
    use_the_module();
    exit(0);
}

static void load_initialise_and_leave(void)
{
    client_load();
    child_rv(initialise(), CKR_OK);
    exit(0);
}

static void end_in(void (*child)(void), void (*end)(void))
{
    if (!getenv("PKCS11_TOKEN_EC"))
        skip_because("PKCS11_TOKEN_EC is not set");
    at_the_end = end;
    fflush(NULL);
    run_child(child);
}

static void finalising_in_an_exit_handler_does_no_harm(void **state)
{
    (void)state;
    end_in(leave_by_an_exit_handler, finalise);
}

static void closing_sessions_in_an_exit_handler_does_no_harm(void **state)
{
    (void)state;
    end_in(leave_by_an_exit_handler, close_sessions_and_finalise);
}

static void finalising_after_every_destructor_does_no_harm(void **state)
{
    (void)state;
    end_in(leave_by_the_last_flush, finalise);
}

static void closing_sessions_after_every_destructor_does_no_harm(void **state)
{
    (void)state;
    end_in(leave_by_the_last_flush, close_sessions_and_finalise);
}

static void leaving_without_finalising_does_no_harm(void **state)
{
    (void)state;
    end_in(leave_without_finalising, NULL);
}

static void leaving_right_after_initialising_does_no_harm(void **state)
{
    (void)state;
    end_in(load_initialise_and_leave, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finalising_in_an_exit_handler_does_no_harm),
        cmocka_unit_test(closing_sessions_in_an_exit_handler_does_no_harm),
        cmocka_unit_test(finalising_after_every_destructor_does_no_harm),
        cmocka_unit_test(closing_sessions_after_every_destructor_does_no_harm),
        cmocka_unit_test(leaving_without_finalising_does_no_harm),
        cmocka_unit_test(leaving_right_after_initialising_does_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
