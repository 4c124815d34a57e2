#include "emulator/libtpms.h"

#include "emulator/command.h"
#include "emulator/error.h"
#include "emulator/library_copy.h"
#include "emulator/openssl_scope.h"
#include "emulator/state_version.h"

#include <libtpms/tpm_error.h>
#include <libtpms/tpm_library.h>
#include <libtpms/tpm_memory.h>
#include <libtpms/tpm_nvfilename.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <tss2/tss2_tpm2_types.h>
#include <unistd.h>

#define LIBRARY "libtpms.so.0"

/* The functions of one loaded copy. */
struct library_functions {
    __typeof__(TPMLIB_ChooseTPMVersion) *choose_version;
    __typeof__(TPMLIB_RegisterCallbacks) *register_callbacks;
    __typeof__(TPMLIB_SetDebugFD) *set_debug_fd;
    __typeof__(TPMLIB_MainInit) *main_init;
    __typeof__(TPMLIB_Terminate) *terminate;
    __typeof__(TPMLIB_Process) *process;
    __typeof__(TPMLIB_VolatileAll_Store) *store_volatile;
    __typeof__(TPMLIB_GetVersion) *get_version;
};

static const struct {
    const char *name;
    size_t offset;
} functions[] = {
    {"TPMLIB_ChooseTPMVersion", offsetof(struct library_functions, choose_version)},
    {"TPMLIB_RegisterCallbacks", offsetof(struct library_functions, register_callbacks)},
    {"TPMLIB_SetDebugFD", offsetof(struct library_functions, set_debug_fd)},
    {"TPMLIB_MainInit", offsetof(struct library_functions, main_init)},
    {"TPMLIB_Terminate", offsetof(struct library_functions, terminate)},
    {"TPMLIB_Process", offsetof(struct library_functions, process)},
    {"TPMLIB_VolatileAll_Store", offsetof(struct library_functions, store_volatile)},
    {"TPMLIB_GetVersion", offsetof(struct library_functions, get_version)},
};

struct libtpms {
    struct tpm_backend backend;
    void *library;
    struct library_functions call;
    int messages; /* a file in memory */
    bool running;
    /* What start gives to the load callback. */
    const struct blob *load_permanent;
    const struct blob *load_running;
    /* What the store callback took. */
    bool has_stored;
    struct blob stored;
    uint8_t locality;
    /* libtpms' own response buffer, kept from call to call. */
    unsigned char *response;
    uint32_t response_room;
};

/* libtpms' callbacks have no argument for whose they are. */
static _Thread_local struct libtpms *current;

/* A call into libtpms: its OpenSSL context and its owner, both undone at the end. */
struct call_scope {
    struct openssl_scope openssl;
    struct libtpms *outer;
};

static struct call_scope call_enter(struct libtpms *tpm)
{
    struct call_scope scope = {openssl_enter(), current};

    current = tpm;
    return scope;
}

static void call_leave(struct call_scope *scope)
{
    current = scope->outer;
    openssl_leave(&scope->openssl);
}

#define CALL_SCOPE(tpm)                                                                            \
    __attribute__((cleanup(call_leave), unused)) struct call_scope scope = call_enter(tpm)

static struct libtpms *libtpms_of(struct tpm_backend *backend)
{
    return (struct libtpms *)(void *)((char *)backend - offsetof(struct libtpms, backend));
}

static TPM_RESULT nvram_init(void)
{
    return TPM_SUCCESS;
}

static TPM_RESULT nvram_load(unsigned char **data, uint32_t *length, uint32_t number,
                             const char *name)
{
    const struct blob *state = NULL;

    (void)number;
    /* Having manufactured, libtpms reads back what it stored. */
    if (strcmp(name, TPM_PERMANENT_ALL_NAME) == 0)
        state = current->stored.data ? &current->stored : current->load_permanent;
    else if (strcmp(name, TPM_VOLATILESTATE_NAME) == 0)
        state = current->load_running;
    if (!state || !state->data)
        return TPM_RETRY;
    *data = malloc(state->size);
    if (!*data)
        return TPM_FAIL;
    memcpy(*data, state->data, state->size);
    *length = (uint32_t)state->size;
    return TPM_SUCCESS;
}

/* Never fails, as libtpms would enter failure mode. Without memory the state is
 * noticed to be missing when it is taken. */
static TPM_RESULT nvram_store(const unsigned char *data, uint32_t length, uint32_t number,
                              const char *name)
{
    (void)number;
    if (strcmp(name, TPM_PERMANENT_ALL_NAME) != 0)
        return TPM_SUCCESS;
    blob_free(&current->stored);
    (void)blob_copy(data, length, &current->stored);
    current->has_stored = true;
    return TPM_SUCCESS;
}

static TPM_RESULT nvram_delete(uint32_t number, const char *name, TPM_BOOL must_exist)
{
    (void)number;
    (void)name;
    (void)must_exist;
    return TPM_SUCCESS;
}

static TPM_RESULT io_init(void)
{
    return TPM_SUCCESS;
}

static TPM_RESULT io_locality(TPM_MODIFIER_INDICATOR *ret, uint32_t number)
{
    (void)number;
    *ret = current->locality;
    return TPM_SUCCESS;
}

static TPM_RESULT io_presence(TPM_BOOL *ret, uint32_t number)
{
    (void)number;
    *ret = 0;
    return TPM_SUCCESS;
}

static TPM_RESULT register_and_init(struct libtpms *tpm)
{
    struct libtpms_callbacks callbacks = {
        .sizeOfStruct = sizeof(callbacks),
        .tpm_nvram_init = nvram_init,
        .tpm_nvram_loaddata = nvram_load,
        .tpm_nvram_storedata = nvram_store,
        .tpm_nvram_deletename = nvram_delete,
        .tpm_io_init = io_init,
        .tpm_io_getlocality = io_locality,
        .tpm_io_getphysicalpresence = io_presence,
    };
    TPM_RESULT result = tpm->call.register_callbacks(&callbacks);

    if (result == TPM_SUCCESS)
        result = tpm->call.choose_version(TPMLIB_TPM_VERSION_2);
    if (result == TPM_SUCCESS)
        result = tpm->call.main_init();
    if (result != TPM_SUCCESS)
        tpm->call.terminate();
    return result;
}

/* The first line that libtpms wrote tells the cause. */
static void read_message(const struct libtpms *tpm, char *text, size_t room)
{
    ssize_t length = pread(tpm->messages, text, room - 1, 0);

    text[length > 0 ? length : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
}

/* Names the versions: of the states, and of the library that does not read them. */
static void explain_failure(const struct libtpms *tpm, TPM_RESULT result)
{
    uint32_t version = tpm->call.get_version();
    char message[160], permanent[64], running[80] = "", part[64];

    read_message(tpm, message, sizeof(message));
    if (!tpm->load_permanent) {
        error_set("libtpms %u.%u.%u makes no TPM (0x%x): %s", version >> 16, version >> 8 & 0xff,
                  version & 0xff, result, message);
        return;
    }
    (void)state_version_describe(tpm->load_permanent, STATE_MAGIC_PERMANENT, permanent,
                                 sizeof(permanent));
    if (tpm->load_running && tpm->load_running->data)
        (void)snprintf(
            running, sizeof(running), "; the running state: %s",
            state_version_describe(tpm->load_running, STATE_MAGIC_VOLATILE, part, sizeof(part)));
    error_set("libtpms %u.%u.%u does not read this state (0x%x): %s%s%s%s", version >> 16,
              version >> 8 & 0xff, version & 0xff, result, permanent, running,
              message[0] ? "; " : "", message);
}

/* libtpms would write its messages to stderr. */
static void catch_messages(const struct libtpms *tpm)
{
    if (ftruncate(tpm->messages, 0) == 0)
        (void)lseek(tpm->messages, 0, SEEK_SET);
    tpm->call.set_debug_fd(tpm->messages);
}

static void libtpms_stop(struct tpm_backend *backend)
{
    struct libtpms *tpm = libtpms_of(backend);
    CALL_SCOPE(tpm);

    if (tpm->running)
        tpm->call.terminate();
    tpm->running = false;
    tpm->has_stored = false;
    blob_free(&tpm->stored);
}

static TSS2_RC libtpms_start(struct tpm_backend *backend, const struct blob *permanent,
                             const struct blob *running)
{
    struct libtpms *tpm = libtpms_of(backend);
    TPM_RESULT result;

    libtpms_stop(backend);
    CALL_SCOPE(tpm);
    catch_messages(tpm);
    tpm->load_permanent = permanent;
    tpm->load_running = running;
    result = register_and_init(tpm);
    if (result != TPM_SUCCESS)
        explain_failure(tpm, result);
    tpm->load_permanent = NULL;
    tpm->load_running = NULL;
    tpm->running = result == TPM_SUCCESS;
    return tpm->running ? TSS2_RC_SUCCESS : TSS2_TCTI_RC_GENERAL_FAILURE;
}

static void libtpms_process(struct tpm_backend *backend, uint8_t locality,
                            const struct message *command, struct message *response)
{
    struct libtpms *tpm = libtpms_of(backend);
    struct message scratch;
    uint32_t size = 0;
    TPM_RESULT result;
    CALL_SCOPE(tpm);

    /* libtpms' interface lets it write to the command. */
    memcpy(scratch.bytes, command->bytes, command->size);
    tpm->locality = locality;
    result = tpm->call.process(&tpm->response, &size, &tpm->response_room, scratch.bytes,
                               (uint32_t)command->size);
    /* Both can hold an authorization value, or what was sealed. */
    explicit_bzero(scratch.bytes, command->size);
    if (result != TPM_SUCCESS || size < 10 || size > sizeof(response->bytes)) {
        respond_code(TPM2_RC_FAILURE, response);
        return;
    }
    memcpy(response->bytes, tpm->response, size);
    explicit_bzero(tpm->response, size);
    response->size = size;
}

static TSS2_RC libtpms_running_state(struct tpm_backend *backend, struct blob *ret)
{
    struct libtpms *tpm = libtpms_of(backend);
    unsigned char *buffer = NULL;
    uint32_t size = 0;
    CALL_SCOPE(tpm);

    if (tpm->call.store_volatile(&buffer, &size) != TPM_SUCCESS) {
        error_set("libtpms does not give its volatile state");
        return TSS2_TCTI_RC_GENERAL_FAILURE;
    }
    *ret = (struct blob){buffer, size};
    return TSS2_RC_SUCCESS;
}

static bool libtpms_has_stored(const struct tpm_backend *backend)
{
    return ((const struct libtpms *)(const void *)((const char *)backend -
                                                   offsetof(struct libtpms, backend)))
        ->has_stored;
}

static TSS2_RC libtpms_take_stored(struct tpm_backend *backend, struct blob *ret)
{
    struct libtpms *tpm = libtpms_of(backend);

    tpm->has_stored = false;
    if (!tpm->stored.data) {
        error_set("no memory to keep the permanent state");
        return TSS2_TCTI_RC_MEMORY;
    }
    *ret = tpm->stored;
    tpm->stored = (struct blob){NULL, 0};
    return TSS2_RC_SUCCESS;
}

static void libtpms_close(struct tpm_backend *backend)
{
    struct libtpms *tpm = libtpms_of(backend);

    libtpms_stop(backend);
    free(tpm->response);
    library_copy_close(tpm->library);
    if (tpm->messages >= 0)
        (void)close(tpm->messages);
    free(tpm);
}

uint32_t libtpms_version(struct tpm_backend *tpm)
{
    return libtpms_of(tpm)->call.get_version();
}

static const struct tpm_backend_operations operations = {
    .start = libtpms_start,
    .stop = libtpms_stop,
    .process = libtpms_process,
    .running_state = libtpms_running_state,
    .has_stored = libtpms_has_stored,
    .take_stored = libtpms_take_stored,
    .close = libtpms_close,
};

static TSS2_RC bind_functions(struct libtpms *tpm)
{
    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
        void *function = library_copy_function(tpm->library, functions[i].name);

        if (!function) {
            error_set("%s has no %s", LIBRARY, functions[i].name);
            return TSS2_TCTI_RC_GENERAL_FAILURE;
        }
        memcpy((char *)&tpm->call + functions[i].offset, &function, sizeof(function));
    }
    return TSS2_RC_SUCCESS;
}

TSS2_RC libtpms_open(struct tpm_backend **ret)
{
    struct libtpms *tpm = calloc(1, sizeof(*tpm));

    if (!tpm)
        return TSS2_TCTI_RC_MEMORY;
    tpm->backend.operations = &operations;
    tpm->messages = memfd_create("messages", MFD_CLOEXEC);
    if (tpm->messages < 0)
        error_set("no memory for libtpms' messages");
    else
        tpm->library = library_copy_open(LIBRARY);
    if (!tpm->library || !openssl_private() || bind_functions(tpm) != TSS2_RC_SUCCESS) {
        libtpms_close(&tpm->backend);
        return TSS2_TCTI_RC_GENERAL_FAILURE;
    }
    *ret = &tpm->backend;
    return TSS2_RC_SUCCESS;
}
