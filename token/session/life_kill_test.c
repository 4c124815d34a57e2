/* The process is killed at every point of a token's life: between any two of its commands
 * to the TPM, and between any two of its changes of the disk. */
#include <signal.h>
#include <sys/syscall.h>
#include <tss2/tss2_tcti.h>

#include "token/session/writable_support.h"
#include "token/tpm/connection.h"

/* Steps until the process dies in place of one; 0: it does not. */
static unsigned steps_left;

static void step(void)
{
    if (steps_left && --steps_left == 0)
        kill(getpid(), SIGKILL);
}

/* In place of libc's, for this program. */
int fsync(int file)
{
    step();
    return (int)syscall(SYS_fsync, file);
}

int renameat(int from_directory, const char *from, int to_directory, const char *to)
{
    step();
    return (int)syscall(SYS_renameat2, from_directory, from, to_directory, to, 0);
}

int unlinkat(int directory, const char *name, int flags)
{
    step();
    return (int)syscall(SYS_unlinkat, directory, name, flags);
}

static TSS2_RC (*transmit)(TSS2_TCTI_CONTEXT *context, size_t size, const uint8_t *command);

static TSS2_RC transmit_or_die(TSS2_TCTI_CONTEXT *context, size_t size, const uint8_t *command)
{
    step();
    return transmit(context, size, command);
}

/* The connection that the token uses steps from now on. */
static void watch(struct parts *parts)
{
    struct vault_identity identity = {0};
    struct tpm *tpm = NULL;
    char choice[PATH_MAX + 128];
    snprintf(choice, sizeof(choice), "%s,ek=off", emulator_choice());
    assert_ok(vault_identify(parts->token->writable->vault, &identity));
    vault_identity_clear(&identity);
    assert_ok(tpm_acquire(choice, &tpm));
    assert_non_null(tpm->tcti);
    transmit = TSS2_TCTI_TRANSMIT(tpm->tcti);
    TSS2_TCTI_TRANSMIT(tpm->tcti) = transmit_or_die;
    tpm_release(tpm);
}

static void save(const char *name)
{
    char command[256];
    snprintf(command, sizeof(command), "rm -rf %s; mkdir %s; cp -a work tpm %s", name, name, name);
    run(command);
}

static void restore(const char *name)
{
    char command[256];
    snprintf(command, sizeof(command), "rm -rf work tpm; cp -a %s/. .", name);
    run(command);
}

/* One change of a token's life, as a process of its own does it. */
struct change {
    CK_RV (*make)(struct parts *parts);
    unsigned steps;
};

static int body(void *argument)
{
    const struct change *change = argument;
    struct parts parts = {0};
    if (module_new("conf=c.conf", &parts.module) != CKR_OK)
        return 1;
    parts.token = module_token_at(parts.module, 0);
    watch(&parts);
    steps_left = change->steps;
    return change->make(&parts) == CKR_OK ? 0 : 2;
}

#define DIED (128 + SIGKILL)

/* False when it had less than so many steps. */
static bool dies(CK_RV (*make)(struct parts *parts), unsigned steps)
{
    struct change change = {make, steps};
    int status = in_child(body, &change);
    if (status != 0)
        assert_int_equal(status, DIED);
    return status != 0;
}

static CK_RV set_pin(struct parts *parts)
{
    open_session(parts);
    return session_set_pin(parts->session, view_string("1234"), view_string("new"));
}

static CK_RV init_pin(struct parts *parts)
{
    open_session(parts);
    CK_RV rv = login(parts, CKU_SO, "so-pin");
    return rv != CKR_OK ? rv : session_init_pin(parts->session, view_string("given"));
}

static CK_RV set_so_pin(struct parts *parts)
{
    open_session(parts);
    CK_RV rv = login(parts, CKU_SO, "so-pin");
    return rv != CKR_OK
               ? rv
               : session_set_pin(parts->session, view_string("so-pin"), view_string("so-new"));
}

static CK_RV initialise_again(struct parts *parts)
{
    return token_initialise(parts->token, view_string("so-pin"), view_of(label, 32));
}

static void make_token(void)
{
    struct parts parts = open_directory("");
    CK_OBJECT_HANDLE keys[2];
    initialise(&parts);
    assert_ok(login(&parts, CKU_USER, "1234"));
    generate(&parts, &keys[0], &keys[1]);
    close_parts(&parts);
    save("before");
}

/* One of the PINs works, can be changed, and opens the key; NULL ends them. */
static void assert_one_works(CK_USER_TYPE user, const char *const *pins, unsigned steps)
{
    struct parts parts = open_again();
    CK_RV rv = CKR_PIN_INCORRECT;
    const char *right = NULL;
    for (; *pins && rv == CKR_PIN_INCORRECT; pins++) {
        right = *pins;
        rv = login(&parts, user, right);
    }
    if (rv != CKR_OK)
        fail_msg("killed before step %u: no PIN works: 0x%lx", steps, rv);
    if (user == CKU_USER) {
        look(&parts);
        assert_ok(sign(&parts, find_class(parts.token, CKO_PRIVATE_KEY)));
    }
    assert_ok(session_set_pin(parts.session, view_string(right), view_string("last")));
    assert_ok(token_logout(parts.token));
    assert_rv(login(&parts, user, right), CKR_PIN_INCORRECT);
    assert_ok(login(&parts, user, "last"));
    close_parts(&parts);
}

static void a_killed_change_of_the_pin_leaves_one_that_works(UNUSED void **state)
{
    static const char *const pins[] = {"1234", "new", NULL};
    make_token();
    for (unsigned steps = 1; dies(set_pin, steps); steps++) {
        assert_one_works(CKU_USER, pins, steps);
        restore("before");
    }
}

static void a_killed_change_of_the_so_pin_leaves_one_that_works(UNUSED void **state)
{
    static const char *const pins[] = {"so-pin", "so-new", NULL};
    make_token();
    for (unsigned steps = 1; dies(set_so_pin, steps); steps++) {
        assert_one_works(CKU_SO, pins, steps);
        restore("before");
    }
}

/* The last point of a change at which the new PIN is still pending. */
static void leave_pending(void)
{
    unsigned last = 1;
    while (dies(set_pin, last)) {
        last++;
        restore("before");
    }
    /* Backwards from the end, to where the file says that something is pending. */
    for (; last > 1; last--) {
        restore("before");
        (void)dies(set_pin, last - 1);
        struct bytes file = read_file("work/token");
        bool pending = strstr((char *)file.data, "[user pending]") != NULL;
        bytes_free(&file);
        if (pending)
            break;
    }
    assert_true(last > 1);
    save("pending");
}

static void a_killed_init_pin_leaves_one_that_works(UNUSED void **state)
{
    static const char *const pins[] = {"given", "new", "1234", NULL};
    make_token();
    leave_pending();
    for (unsigned steps = 1; dies(init_pin, steps); steps++) {
        assert_one_works(CKU_USER, pins, steps);
        restore("pending");
    }
}

static void a_killed_initialisation_leaves_the_old_token_or_the_new_one(UNUSED void **state)
{
    static const char *const pins[] = {"1234", NULL};
    make_token();
    for (unsigned steps = 1; dies(initialise_again, steps); steps++) {
        struct parts parts = open_again();
        bool old = flags_of(&parts) & CKF_USER_PIN_INITIALIZED;
        CK_SESSION_HANDLE session = parts.session->handle;
        if (old)
            assert_one_works(CKU_USER, pins, steps);
        (void)session;
        module_remove_session(parts.module, parts.session);
        session_free(parts.session);
        assert_ok(token_initialise(parts.token, view_string("so-pin"), view_of(label, 32)));
        open_session(&parts);
        assert_int_equal(count(&parts, CKO_PRIVATE_KEY), 0);
        assert_ok(login(&parts, CKU_SO, "so-pin"));
        close_parts(&parts);
        restore("before");
    }
}

static CK_RV make_first(struct parts *parts)
{
    return token_initialise(parts->token, view_string("so-pin"), view_of(label, 32));
}

static void a_killed_first_initialisation_can_be_made_again(UNUSED void **state)
{
    struct parts parts = open_directory("");
    close_parts(&parts);
    run("mkdir work");
    run("true");
    assert_false(dies(make_first, 0));
    run("rm -rf work; mkdir work");
    save("nothing");
    for (unsigned steps = 1; dies(make_first, steps); steps++) {
        parts = open_again();
        module_remove_session(parts.module, parts.session);
        session_free(parts.session);
        assert_ok(token_initialise(parts.token, view_string("so-pin"), view_of(label, 32)));
        open_session(&parts);
        assert_ok(login(&parts, CKU_SO, "so-pin"));
        assert_ok(session_init_pin(parts.session, view_string("1234")));
        close_parts(&parts);
        restore("nothing");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_own_directory(a_killed_change_of_the_pin_leaves_one_that_works),
        in_own_directory(a_killed_change_of_the_so_pin_leaves_one_that_works),
        in_own_directory(a_killed_init_pin_leaves_one_that_works),
        in_own_directory(a_killed_initialisation_leaves_the_old_token_or_the_new_one),
        in_own_directory(a_killed_first_initialisation_can_be_made_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
