#include "token/tpm/tpm.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "token/base/log.h"
#include "token/tpm/connection.h"
#include "token/tpm/error.h"
#include "token/tpm/loaded.h"
#include "token/tpm/protection.h"
#include "token/tpm/tcti.h"

/* All TPMs of the process; changed at C_Initialize and C_Finalize only, under
 * the registry lock of the guard. */
static struct tpm *all;

/* `auto` is decided here, once: a device that appears later must not take the place
 * of the TPM that the keys were opened for. */
static const char *normal_choice(const char *choice)
{
    if (strcmp(choice, "auto") == 0)
        choice = tcti_kind(choice) == TPM_KIND_DEVICE ? "device" : "embedded";
    return strcmp(choice, "device") == 0 ? "device:/dev/tpmrm0" : choice;
}

CK_RV tpm_acquire(const char *choice, struct tpm **ret_tpm)
{
    choice = normal_choice(choice);
    for (struct tpm *tpm = all; tpm; tpm = tpm->next) {
        if (strcmp(tpm->choice, choice) == 0) {
            tpm->references++;
            *ret_tpm = tpm;
            return CKR_OK;
        }
    }
    struct tpm *tpm = calloc(1, sizeof(*tpm));
    if (!tpm)
        return CKR_HOST_MEMORY;
    tpm->choice = strdup(choice);
    CK_RV rv = tpm->choice ? lock_new(&tpm->lock) : CKR_HOST_MEMORY;
    if (rv != CKR_OK) {
        free(tpm->choice);
        free(tpm);
        return rv;
    }
    tpm->references = 1;
    tpm->session = ESYS_TR_NONE;
    tpm->next = all;
    all = tpm;
    *ret_tpm = tpm;
    return CKR_OK;
}

void tpm_release(struct tpm *tpm)
{
    if (!tpm || --tpm->references > 0)
        return;
    struct tpm **link = &all;
    while (*link != tpm)
        link = &(*link)->next;
    *link = tpm->next;
    protection_end(tpm);
    tpm_disconnect(tpm);
    lock_free(tpm->lock);
    free(tpm->choice);
    free(tpm);
}

/* Another thread may have been inside ESYS or malloc'ed data when the process
 * forked: only the TCTI is closed, the rest is left where it is. */
void tpm_abandon_all(void)
{
    for (struct tpm *tpm = all; tpm; tpm = tpm->next)
        if (tcti_closes_silently(tpm->choice))
            tcti_close(&tpm->tcti);
    all = NULL;
}

enum tpm_kind tpm_kind(const struct tpm *tpm)
{
    return tcti_kind(tpm->choice);
}

/* A TPM without a resource manager keeps what a program that ends without
 * C_Finalize leaves loaded, and soon has no room for others. */
static void flush_at_exit(void)
{
    for (struct tpm *tpm = all; tpm; tpm = tpm->next) {
        if (tcti_has_manager(tpm->choice) || tpm->pid != getpid() || !lock_try(tpm->lock))
            continue;
        if (tpm->esys)
            tpm_key_flush_all(tpm);
        lock_release(tpm->lock);
    }
}

static void register_at_exit(void)
{
    (void)atexit(flush_at_exit);
}

CK_RV tpm_connect(struct tpm *tpm)
{
    static const char *const kinds[] = {
        [TPM_KIND_DEVICE] = "a chip",
        [TPM_KIND_SWTPM] = "swtpm",
        [TPM_KIND_EMBEDDED] = "the embedded TPM",
        [TPM_KIND_OTHER] = "by TCTI",
    };
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (tpm->esys)
        return CKR_OK;
    CK_RV rv = tcti_open(tpm->choice, &tpm->tcti);
    if (rv != CKR_OK)
        return rv;
    TSS2_RC rc = Esys_Initialize(&tpm->esys, tpm->tcti, NULL);
    if (rc != TSS2_RC_SUCCESS) {
        tpm->esys = NULL;
        tcti_close(&tpm->tcti);
        return tpm_error("Esys_Initialize", rc);
    }
    tpm->pid = getpid();
    tpm->connection++;
    (void)pthread_once(&once, register_at_exit);
    log_line(LOG_LEVEL_INFO, "tpm", "connected to '%s' (%s)", tpm->choice, kinds[tpm_kind(tpm)]);
    return CKR_OK;
}

void tpm_disconnect(struct tpm *tpm)
{
    tpm_key_forget_all(tpm);
    tpm->no_persistent_parent = false;
    tpm->standard_root_size = 0;
    tpm->session = ESYS_TR_NONE;
    if (tpm->esys)
        Esys_Finalize(&tpm->esys);
    tpm->esys = NULL;
    tcti_close(&tpm->tcti);
}

CK_RV tpm_enter(struct tpm *tpm)
{
    lock_take(tpm->lock);
    CK_RV rv = tpm_connect(tpm);
    if (rv != CKR_OK)
        lock_release(tpm->lock);
    return rv;
}

void tpm_leave(struct tpm *tpm)
{
    lock_release(tpm->lock);
}
