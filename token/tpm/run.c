#include "token/tpm/run.h"

#include <string.h>
#include <time.h>

#include "token/base/log.h"
#include "token/tpm/error.h"
#include "token/tpm/loaded.h"

struct tries {
    unsigned waited;
    unsigned reloaded;
    unsigned reconnected;
};

/* Waits between two tries of a busy TPM: 20 ms, then twice as long each time. */
static bool wait_a_little(unsigned *waited, unsigned most)
{
    if (*waited >= most)
        return false;
    struct timespec pause = {.tv_sec = 0, .tv_nsec = 20000000L};
    for (unsigned i = 0; i < *waited && pause.tv_nsec < 500000000L; i++)
        pause.tv_nsec *= 2;
    nanosleep(&pause, NULL);
    (*waited)++;
    return true;
}

/* How long until the TPM allows another try, in the one line that says it. */
static CK_RV locked_out(struct tpm *tpm, const char *command, TSS2_RC lockout)
{
    TPMS_CAPABILITY_DATA *data = NULL;
    TPMI_YES_NO more;
    TSS2_RC rc =
        Esys_GetCapability(tpm->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                           TPM2_CAP_TPM_PROPERTIES, TPM2_PT_LOCKOUT_COUNTER, 4, &more, &data);
    uint32_t values[4] = {0};
    for (uint32_t i = 0; rc == TSS2_RC_SUCCESS && i < data->data.tpmProperties.count; i++) {
        const TPMS_TAGGED_PROPERTY *property = &data->data.tpmProperties.tpmProperty[i];
        uint32_t index = property->property - TPM2_PT_LOCKOUT_COUNTER;
        if (index < 4)
            values[index] = property->value;
    }
    Esys_Free(data);
    if (rc != TSS2_RC_SUCCESS)
        return tpm_error(command, lockout);
    log_line(
        LOG_LEVEL_ERROR, "tpm",
        "%s: the TPM is locked after %u of %u wrong authorisations: it allows another try in at "
        "most %u seconds; its owner can end that with 'tpm2_dictionarylockout -c'",
        command, (unsigned)values[0], (unsigned)values[1], (unsigned)values[2]);
    return tpm_error_rv(lockout);
}

/* What to do about a failure: true to try again. Each remedy is bounded. */
static bool remedy(struct tpm *tpm, const struct tpm_key *keep, TSS2_RC rc, struct tries *tries)
{
    switch (tpm_error_remedy(rc)) {
    case TPM_REMEDY_WAIT:
        return wait_a_little(&tries->waited, 8);
    case TPM_REMEDY_EVICT:
        /* With nothing of ours to give up, another program may let go of its own. */
        return tpm_key_evict_oldest(tpm, keep) || wait_a_little(&tries->waited, 3);
    case TPM_REMEDY_RELOAD:
        if (tries->reloaded++)
            return false;
        tpm_key_flush_all(tpm);
        return true;
    case TPM_REMEDY_RECONNECT:
        tpm_disconnect(tpm);
        /* The TPM may have counted a wrong PIN whose answer was lost: not again. */
        return !tpm->unproven_sent && !tries->reconnected++ && tpm_connect(tpm) == CKR_OK;
    default:
        return false;
    }
}

static CK_RV answer(struct tpm *tpm, const char *command, TSS2_RC rc)
{
    if (rc == TSS2_RC_SUCCESS)
        return CKR_OK;
    if ((rc & TPM_RC_TOLD(0)) == TPM_RC_TOLD(0))
        return rc & ~TPM_RC_TOLD(0);
    if (tpm_error_is(rc, TPM2_RC_LOCKOUT) && tpm->esys)
        return locked_out(tpm, command, rc);
    return tpm_error(command, rc);
}

CK_RV tpm_run(struct tpm *tpm, const struct tpm_key *keep, tpm_work work, void *request)
{
    CK_RV rv = tpm_enter(tpm);
    if (rv != CKR_OK)
        return rv;
    const char *command = "";
    struct tries tries = {0};
    tpm->unproven_sent = false;
    TSS2_RC rc;
    do {
        rc = work(tpm, request, &command);
    } while (rc != TSS2_RC_SUCCESS && remedy(tpm, keep, rc, &tries));
    rv = answer(tpm, command, rc);
    tpm_leave(tpm);
    return rv;
}

TSS2_RC tpm_set_auth(struct tpm *tpm, ESYS_TR object, struct view auth)
{
    /* NULL would only set the size to 0. */
    TPM2B_AUTH value = {.size = (UINT16)auth.size};
    if (auth.size)
        memcpy(value.buffer, auth.data, auth.size);
    TSS2_RC rc = Esys_TR_SetAuth(tpm->esys, object, &value);
    explicit_bzero(&value, sizeof(value));
    return rc;
}
