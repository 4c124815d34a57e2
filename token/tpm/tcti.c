#include "token/tpm/tcti.h"

#include <dlfcn.h>
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <tss2/tss2_rc.h>
#include <tss2/tss2_tctildr.h>
#include <unistd.h>

#include "token/base/log.h"

#define DEVICE "/dev/tpmrm0"
#define EMBEDDED_LIBRARY "libtss2-tcti-signet.so.0"

static void free_string(char **string)
{
    free(*string);
}

/* "word" or "word:rest"; the rest ("" if none), or NULL if it is another word. */
static const char *after_word(const char *choice, const char *word)
{
    size_t size = strlen(word);
    if (strncmp(choice, word, size) != 0)
        return NULL;
    if (choice[size] == ':')
        return choice + size + 1;
    return choice[size] ? NULL : choice + size;
}

enum tpm_kind tcti_kind(const char *choice)
{
    if (strcmp(choice, "auto") == 0)
        return access(DEVICE, F_OK) == 0 ? TPM_KIND_DEVICE : TPM_KIND_EMBEDDED;
    if (after_word(choice, "device"))
        return TPM_KIND_DEVICE;
    if (after_word(choice, "embedded") || after_word(choice, "signet"))
        return TPM_KIND_EMBEDDED;
    if (after_word(choice, "swtpm"))
        return TPM_KIND_SWTPM;
    return TPM_KIND_OTHER;
}

bool tcti_has_manager(const char *choice)
{
    switch (tcti_kind(choice)) {
    case TPM_KIND_EMBEDDED:
        return !strstr(choice, "rm=off");
    case TPM_KIND_DEVICE:
        /* `auto` and a bare `device` are DEVICE; /dev/tpm0 is the bare chip. */
        return !strchr(choice, '/') || strstr(choice, "tpmrm");
    default:
        return false;
    }
}

bool tcti_closes_silently(const char *choice)
{
    return tcti_kind(choice) != TPM_KIND_OTHER;
}

static CK_RV open_by_name(const char *name, const char *conf, TSS2_TCTI_CONTEXT **ret_tcti,
                          const char *choice)
{
    TSS2_TCTI_CONTEXT *tcti = NULL;
    errno = 0;
    TSS2_RC rc = Tss2_TctiLdr_Initialize_Ex(name, *conf ? conf : NULL, &tcti);
    if (rc == TSS2_RC_SUCCESS) {
        *ret_tcti = tcti;
        return CKR_OK;
    }
    log_line(LOG_LEVEL_ERROR, "tpm", "no connection to the TPM at '%s': %s%s (0x%x)", choice,
             errno == EBUSY ? "another program has it open: use /dev/tpmrm0; " : "",
             Tss2_RC_Decode(rc), (unsigned)rc);
    return CKR_DEVICE_ERROR;
}

/* Who may use a device that we may not. */
static void log_not_permitted(const char *path)
{
    struct stat status;
    struct group entry;
    struct group *group = NULL;
    char buffer[4096];
    bool by_group = stat(path, &status) == 0 && (status.st_mode & 060) == 060 && status.st_gid;
    if (by_group)
        (void)getgrgid_r(status.st_gid, &entry, buffer, sizeof(buffer), &group);
    log_line(LOG_LEVEL_ERROR, "tpm",
             "%s: not permitted for this user: %s '%s' and log in again; no other TPM is taken "
             "instead",
             path,
             by_group
                 ? "join the group"
                 : "let the udev rule of the package tpm-udev give it to a group, join the group",
             group ? group->gr_name : "tss");
}

static CK_RV open_device(const char *path, TSS2_TCTI_CONTEXT **ret_tcti)
{
    if (!*path)
        path = DEVICE;
    if (access(path, R_OK | W_OK) != 0) {
        if (errno == EACCES || errno == EPERM)
            log_not_permitted(path);
        else
            log_line(LOG_LEVEL_ERROR, "tpm", "%s: %s", path, strerror(errno));
        return CKR_DEVICE_ERROR;
    }
    return open_by_name("device", path, ret_tcti, path);
}

/* The module's file, or the program's, whose name may be its first argument only. */
static char *own_file(void)
{
    Dl_info info;
    if (!dladdr(tcti_open, &info) || !info.dli_fname)
        return NULL;
    return strchr(info.dli_fname, '/') ? strdup(info.dli_fname) : realpath("/proc/self/exe", NULL);
}

/* The emulator's library stands beside this module or the program in a build; one
 * folder up, or in lib beside bin, when installed; otherwise the loader's path
 * decides. */
static CK_RV embedded_library(char **ret_path)
{
    static const char *const places[] = {"%.*s/" EMBEDDED_LIBRARY, "%.*s/../" EMBEDDED_LIBRARY,
                                         "%.*s/../lib/" EMBEDDED_LIBRARY};
    char *own CLEANUP(free_string) = own_file();
    const char *slash = own ? strrchr(own, '/') : NULL;
    for (size_t i = 0; slash && i < ARRAY_SIZE(places); i++) {
        char *path = NULL;
        if (asprintf(&path, places[i], (int)(slash - own), own) < 0)
            return CKR_HOST_MEMORY;
        if (access(path, R_OK) == 0) {
            *ret_path = path;
            return CKR_OK;
        }
        free(path);
    }
    *ret_path = strdup(EMBEDDED_LIBRARY);
    return *ret_path ? CKR_OK : CKR_HOST_MEMORY;
}

static void close_library(void **library)
{
    if (*library)
        dlclose(*library);
}

/* The emulator tells more than a TCTI return code can. */
static void log_embedded(void *library, const char *directory)
{
    const char *(*last_error)(void) = NULL;
    *(void **)&last_error = library ? dlsym(library, "signet_tcti_last_error") : NULL;
    const char *text = last_error ? last_error() : NULL;
    log_line(LOG_LEVEL_ERROR, "tpm", "the embedded TPM%s%s: %s", *directory ? " in " : "",
             directory, text && *text ? text : "cannot be started");
}

static CK_RV open_embedded(const char *directory, TSS2_TCTI_CONTEXT **ret_tcti)
{
    char *path CLEANUP(free_string) = NULL;
    char *conf CLEANUP(free_string) = NULL;
    CK_RV rv = embedded_library(&path);
    if (rv != CKR_OK)
        return rv;
    /* `embedded:DIR`, or the emulator's own `key=value,…`. */
    bool whole = !*directory || strchr(directory, '=');
    if (asprintf(&conf, "%s%s", whole ? "" : "dir=", directory) < 0)
        return CKR_HOST_MEMORY;
    void *library CLEANUP(close_library) = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        log_line(LOG_LEVEL_ERROR, "tpm", "the embedded TPM is not installed: %s", dlerror());
        return CKR_DEVICE_ERROR;
    }
    TSS2_TCTI_CONTEXT *tcti = NULL;
    if (Tss2_TctiLdr_Initialize_Ex(path, *conf ? conf : NULL, &tcti) != TSS2_RC_SUCCESS) {
        log_embedded(library, directory);
        return CKR_DEVICE_ERROR;
    }
    *ret_tcti = tcti;
    return CKR_OK;
}

CK_RV tcti_open(const char *choice, TSS2_TCTI_CONTEXT **ret_tcti)
{
    enum tpm_kind kind = tcti_kind(choice);
    if (strcmp(choice, "auto") == 0)
        choice = kind == TPM_KIND_DEVICE ? "device" : "embedded";
    const char *rest = NULL;
    if ((rest = after_word(choice, "device")))
        return open_device(rest, ret_tcti);
    if ((rest = after_word(choice, "embedded")) || (rest = after_word(choice, "signet")))
        return open_embedded(rest, ret_tcti);
    const char *colon = strchr(choice, ':');
    char *name CLEANUP(free_string) =
        strndup(choice, colon ? (size_t)(colon - choice) : strlen(choice));
    if (!name)
        return CKR_HOST_MEMORY;
    return open_by_name(name, colon ? colon + 1 : "", ret_tcti, choice);
}

void tcti_close(TSS2_TCTI_CONTEXT **tcti)
{
    if (*tcti)
        Tss2_TctiLdr_Finalize(tcti);
    *tcti = NULL;
}
