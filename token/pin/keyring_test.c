#include "token/base/test_support.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "token/pin/pin.h"

static char name[64];

/* In a session keyring of our own, which ends with this process; skipped where the
 * kernel has no keys for us. */
static int enter_session_keyring(void **state)
{
    (void)state;
    snprintf(name, sizeof(name), "signet-test-%ld", (long)getpid());
    (void)syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
    return 0;
}

static long add_key(const char *value, size_t size)
{
    long key = syscall(SYS_add_key, "user", name, value, size, KEY_SPEC_SESSION_KEYRING);
    if (key < 0 && (errno == ENOSYS || errno == EPERM || errno == EACCES || errno == EDQUOT))
        skip();
    assert_true(key > 0);
    return key;
}

static void a_key_of_the_kernel_is_the_pin(void **state)
{
    struct secret *pin CLEANUP(secret_cleanup) = NULL;
    struct reason reason = {0};
    (void)state;
    add_key("12\n34", 5);
    assert_ok(pin_from_keyring(name, &pin, &reason));
    assert_view(secret_view(pin), "12\n34");
}

static void a_key_that_is_not_there_is_told_by_its_name(void **state)
{
    struct secret *pin = NULL;
    struct reason reason = {0};
    (void)state;
    add_key("1", 1);
    assert_rv(pin_from_keyring("signet-no-such-key", &pin, &reason), CKR_FUNCTION_FAILED);
    assert_contains(reason.text, "signet-no-such-key");
    assert_contains(reason.text, "keyctl add user");
    assert_null(pin);
}

static void a_key_of_255_bytes_is_taken_and_one_more_is_not(void **state)
{
    char value[257];
    struct secret *pin CLEANUP(secret_cleanup) = NULL;
    struct secret *none = NULL;
    struct reason reason = {0};
    (void)state;
    memset(value, 'x', sizeof(value));
    add_key(value, 255);
    assert_ok(pin_from_keyring(name, &pin, &reason));
    assert_int_equal(secret_view(pin).size, 255);
    add_key(value, 256);
    assert_rv(pin_from_keyring(name, &none, &reason), CKR_FUNCTION_FAILED);
    assert_contains(reason.text, "longer than 255");
    assert_null(none);
}

static void a_revoked_key_is_none(void **state)
{
    struct secret *pin = NULL;
    struct reason reason = {0};
    (void)state;
    long key = add_key("1", 1);
    assert_int_equal(syscall(SYS_keyctl, KEYCTL_REVOKE, key), 0);
    assert_rv(pin_from_keyring(name, &pin, &reason), CKR_FUNCTION_FAILED);
    assert_contains(reason.text, "revoked");
}

static void a_key_that_may_not_be_read_says_so(void **state)
{
    struct secret *pin = NULL;
    struct reason reason = {0};
    (void)state;
    long key = add_key("1", 1);
    /* It may be looked at and linked, and not found or read. */
    assert_int_equal(syscall(SYS_keyctl, KEYCTL_SETPERM, key, 0x11111111), 0);
    assert_rv(pin_from_keyring(name, &pin, &reason), CKR_FUNCTION_FAILED);
    assert_contains(reason.text, "may not be read");
}

/* A sandbox as containers have it: both calls fail with this error. */
static void forbid_keys(unsigned error)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_request_key, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_keyctl, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {ARRAY_SIZE(filter), filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        _exit(77);
}

static int ask_in_sandbox(void *error)
{
    struct secret *pin = NULL;
    struct reason reason = {0};
    forbid_keys(*(const unsigned *)error);
    if (pin_from_keyring(name, &pin, &reason) != CKR_FUNCTION_FAILED || pin)
        return 1;
    return strstr(reason.text, "sandbox") ? 0 : 2;
}

static void a_sandbox_that_forbids_the_calls_is_told(void **state)
{
    unsigned errors[] = {EPERM, ENOSYS};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
        int status = in_child(ask_in_sandbox, &errors[i]);
        if (status == 77)
            skip();
        assert_int_equal(status, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_of_the_kernel_is_the_pin),
        cmocka_unit_test(a_key_that_is_not_there_is_told_by_its_name),
        cmocka_unit_test(a_key_of_255_bytes_is_taken_and_one_more_is_not),
        cmocka_unit_test(a_revoked_key_is_none),
        cmocka_unit_test(a_key_that_may_not_be_read_says_so),
        cmocka_unit_test(a_sandbox_that_forbids_the_calls_is_told),
    };
    return cmocka_run_group_tests(tests, enter_session_keyring, NULL);
}
