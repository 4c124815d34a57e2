#ifndef EMULATOR_BENCH_LIBTPMS_H
#define EMULATOR_BENCH_LIBTPMS_H

/* Bare libtpms behind a TCTI, without state: what the emulator is measured against. */

#include "emulator/bench_support.h"

#include <dlfcn.h>
#include <libtpms/tpm_error.h>
#include <libtpms/tpm_library.h>

static inline void give_up(const char *what, const char *why)
{
    fprintf(stderr, "tpm_bench: %s: %s\n", what, why);
    exit(1);
}

static struct direct {
    TSS2_TCTI_CONTEXT_COMMON_V1 common;
    TPM_RESULT (*process)(unsigned char **, uint32_t *, uint32_t *, unsigned char *, uint32_t);
    unsigned char *response;
    uint32_t size, room;
} direct;

static TSS2_RC direct_transmit(TSS2_TCTI_CONTEXT *context, size_t size, const uint8_t *command)
{
    static unsigned char copy[MESSAGE_MAX];

    (void)context;
    memcpy(copy, command, size);
    return direct.process(&direct.response, &direct.size, &direct.room, copy, (uint32_t)size) ==
                   TPM_SUCCESS
               ? TSS2_RC_SUCCESS
               : TSS2_TCTI_RC_IO_ERROR;
}

static TSS2_RC direct_receive(TSS2_TCTI_CONTEXT *context, size_t *size, uint8_t *response,
                              int32_t timeout)
{
    (void)context;
    (void)timeout;
    *size = direct.size;
    memcpy(response, direct.response, direct.size);
    return TSS2_RC_SUCCESS;
}

static TPM_RESULT keep_nothing(const unsigned char *data, uint32_t length, uint32_t number,
                               const char *name)
{
    (void)data;
    (void)length;
    (void)number;
    (void)name;
    return TPM_SUCCESS;
}

static TPM_RESULT find_nothing(unsigned char **data, uint32_t *length, uint32_t number,
                               const char *name)
{
    (void)data;
    (void)length;
    (void)number;
    (void)name;
    return TPM_RETRY;
}

static TPM_RESULT delete_nothing(uint32_t number, const char *name, TPM_BOOL must_exist)
{
    (void)number;
    (void)name;
    (void)must_exist;
    return TPM_SUCCESS;
}

static TPM_RESULT do_nothing(void)
{
    return TPM_SUCCESS;
}

static void *function_of(void *library, const char *name)
{
    void *function = dlsym(library, name);

    if (!function)
        give_up(name, dlerror());
    return function;
}

static TSS2_TCTI_CONTEXT *direct_open(void)
{
    struct libtpms_callbacks callbacks = {.sizeOfStruct = sizeof(callbacks),
                                          .tpm_nvram_init = do_nothing,
                                          .tpm_nvram_loaddata = find_nothing,
                                          .tpm_nvram_storedata = keep_nothing,
                                          .tpm_nvram_deletename = delete_nothing,
                                          .tpm_io_init = do_nothing};
    void *library = dlopen("libtpms.so.0", RTLD_NOW | RTLD_LOCAL);
    TPM_RESULT (*register_callbacks)(struct libtpms_callbacks *);
    TPM_RESULT (*choose_version)(TPMLIB_TPMVersion);
    TPM_RESULT (*main_init)(void);

    if (!library)
        give_up("libtpms", dlerror());
    *(void **)&register_callbacks = function_of(library, "TPMLIB_RegisterCallbacks");
    *(void **)&choose_version = function_of(library, "TPMLIB_ChooseTPMVersion");
    *(void **)&main_init = function_of(library, "TPMLIB_MainInit");
    *(void **)&direct.process = function_of(library, "TPMLIB_Process");
    if (register_callbacks(&callbacks) != TPM_SUCCESS ||
        choose_version(TPMLIB_TPM_VERSION_2) != TPM_SUCCESS || main_init() != TPM_SUCCESS)
        give_up("libtpms", "it does not start");
    direct.common.version = 1;
    direct.common.transmit = direct_transmit;
    direct.common.receive = direct_receive;
    return (TSS2_TCTI_CONTEXT *)(void *)&direct;
}

#endif
