/* A process that is killed at every point of a token's life: between any two of its
 * commands to the TPM, and between any two of its changes of the disk. */
#ifndef SIGNET_SESSION_KILL_SUPPORT_H
#define SIGNET_SESSION_KILL_SUPPORT_H

#include <signal.h>
#include <sys/syscall.h>
#include <tss2/tss2_tcti.h>

#include "token/session/writable_support.h"
#include "token/tpm/connection.h"

/* Steps until the process dies in place of one; 0: it does not. */
static unsigned steps_left;

static UNUSED void step(void)
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
static UNUSED void watch(struct parts *parts)
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

static UNUSED void save(const char *name)
{
    char command[256];
    snprintf(command, sizeof(command), "rm -rf %s; mkdir %s; cp -a work tpm %s", name, name, name);
    run(command);
}

static UNUSED void restore(const char *name)
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

static UNUSED int body(void *argument)
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
static UNUSED bool dies(CK_RV (*make)(struct parts *parts), unsigned steps)
{
    struct change change = {make, steps};
    int status = in_child(body, &change);
    if (status != 0)
        assert_int_equal(status, DIED);
    return status != 0;
}

static UNUSED void make_token(void)
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
static UNUSED void assert_one_works(CK_USER_TYPE user, const char *const *pins, unsigned steps)
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

#endif
