#include "token/pin/pin.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__linux__) && defined(SYS_request_key) && defined(SYS_keyctl)

#include <linux/keyctl.h>

static const char *explain(int error)
{
    switch (error) {
    case ENOKEY:
        return "there is none: keyctl add user DESCRIPTION PIN @u makes one";
    case EKEYEXPIRED:
        return "it has expired";
    case EKEYREVOKED:
        return "it was revoked";
    case EKEYREJECTED:
        return "it was rejected";
    case EACCES:
        return "it may not be read by this process: it does not possess the key, as when the "
               "user's keyring is not linked into the session's (keyctl link @u @s)";
    case ENOSYS:
    case EPERM:
        return "the kernel or a sandbox does not let this process use the kernel's keyrings";
    default:
        return strerror(error);
    }
}

static CK_RV refused(const char *description, int error, struct reason *reason)
{
    reason_set(reason, "key '%s' of the kernel's keyring: %s", description, explain(error));
    return CKR_FUNCTION_FAILED;
}

CK_RV pin_from_keyring(const char *description, struct secret **ret_pin, struct reason *reason)
{
    /* Without a callout the kernel starts no program to make a key. */
    long key = syscall(SYS_request_key, "user", description, NULL, 0);
    if (key < 0)
        return refused(description, errno, reason);
    uint8_t value[PIN_MAX_SIZE];
    long size = syscall(SYS_keyctl, KEYCTL_READ, key, value, sizeof(value));
    if (size < 0)
        return refused(description, errno, reason);
    if ((size_t)size > sizeof(value)) {
        /* What fitted may have been copied. */
        explicit_bzero(value, sizeof(value));
        reason_set(reason, "key '%s' of the kernel's keyring: is longer than %d bytes", description,
                   PIN_MAX_SIZE);
        return CKR_FUNCTION_FAILED;
    }
    CK_RV rv = secret_new(view_of(value, (size_t)size), ret_pin);
    explicit_bzero(value, sizeof(value));
    return rv;
}

#else

CK_RV pin_from_keyring(const char *description, struct secret **ret_pin, struct reason *reason)
{
    (void)ret_pin;
    reason_set(reason, "key '%s': this system has no keyrings in its kernel", description);
    return CKR_FUNCTION_FAILED;
}

#endif
