/* What the benchmarks share: a clock, medians, and a token of the module under
 * test. A benchmark that meets an error ends with a line on stderr. Only what a
 * program uses is in it: this header has no .c of its own. */
#ifndef CONFORMANCE_BENCH_BENCH_H
#define CONFORMANCE_BENCH_BENCH_H

#include <dlfcn.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "token/base/pkcs11.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define MAX_SLOTS 8
#define UNUSED_IS_FINE __attribute__((unused))

static void give_up(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

static void give_up(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

static inline double microseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int compare_times(const void *left, const void *right)
{
    double difference = *(const double *)left - *(const double *)right;

    return (difference > 0) - (difference < 0);
}

/* Sorts the times; their order is lost. */
UNUSED_IS_FINE static double median(double *times, size_t count)
{
    qsort(times, count, sizeof(*times), compare_times);
    return times[count / 2];
}

/* What PKCS#11's functions return, or the end. */
#define MUST(call) must((call), #call)

static void must(CK_RV rv, const char *call)
{
    if (rv != CKR_OK)
        give_up("%s: 0x%lx", call, rv);
}

static CK_FUNCTION_LIST *p11;

static void load_module(const char *path)
{
    CK_RV (*get_list)(CK_FUNCTION_LIST **);
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);

    if (!module)
        give_up("%s", dlerror());
    *(void **)&get_list = dlsym(module, "C_GetFunctionList");
    if (!get_list)
        give_up("%s has no C_GetFunctionList", path);
    MUST(get_list(&p11));
}

static CK_ULONG list_slots(CK_SLOT_ID slots[MAX_SLOTS])
{
    CK_ULONG count = MAX_SLOTS;

    MUST(p11->C_GetSlotList(CK_TRUE, slots, &count));
    return count;
}

static CK_SLOT_ID slot_of(const char *label)
{
    CK_SLOT_ID slots[MAX_SLOTS];
    CK_ULONG count = list_slots(slots);
    CK_TOKEN_INFO info;

    for (CK_ULONG i = 0; i < count; i++) {
        MUST(p11->C_GetTokenInfo(slots[i], &info));
        if (memcmp(info.label, label, strlen(label)) == 0 && info.label[strlen(label)] == ' ')
            return slots[i];
    }
    give_up("no token '%s'", label);
}

static CK_SESSION_HANDLE open_session(CK_SLOT_ID slot)
{
    CK_SESSION_HANDLE session;

    MUST(p11->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &session));
    return session;
}

/* A key of the benchmark: its token's label, `ec` or `rsa`, says what it is. */
struct signer {
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE key;
    CK_MECHANISM mechanism;
    CK_BYTE data[64];
    CK_ULONG data_size;
};

static int is_rsa(const char *label)
{
    return strncmp(label, "rsa", 3) == 0;
}

static CK_OBJECT_HANDLE private_key(CK_SESSION_HANDLE session)
{
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_ATTRIBUTE wanted = {CKA_CLASS, &class, sizeof(class)};
    CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
    CK_ULONG count = 0;

    MUST(p11->C_FindObjectsInit(session, &wanted, 1));
    MUST(p11->C_FindObjects(session, &key, 1, &count));
    MUST(p11->C_FindObjectsFinal(session));
    if (!count)
        give_up("the token has no private key");
    return key;
}

/* As TLS clients ask: a hash for ECDSA, a DigestInfo for RSA. */
UNUSED_IS_FINE static struct signer signer_open(const char *label)
{
    static const CK_BYTE sha256[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                     0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
    struct signer signer = {.session = open_session(slot_of(label)), .data_size = 32};

    signer.key = private_key(signer.session);
    signer.mechanism.mechanism = is_rsa(label) ? CKM_RSA_PKCS : CKM_ECDSA;
    memset(signer.data, 0x5A, sizeof(signer.data));
    if (is_rsa(label)) {
        memcpy(signer.data, sha256, sizeof(sha256));
        signer.data_size = sizeof(sha256) + 32;
    }
    return signer;
}

UNUSED_IS_FINE static void signer_sign(struct signer *signer)
{
    CK_BYTE signature[512];
    CK_ULONG size = sizeof(signature);

    MUST(p11->C_SignInit(signer->session, &signer->mechanism, signer->key));
    MUST(p11->C_Sign(signer->session, signer->data, signer->data_size, signature, &size));
}

#endif
