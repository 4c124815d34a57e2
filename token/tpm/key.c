#include "token/tpm/key.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <tss2/tss2_mu.h>

#include "token/base/log.h"
#include "token/tpm/connection.h"
#include "token/tpm/error.h"
#include "token/tpm/loaded.h"
#include "token/tpm/operation.h"
#include "token/tpm/public.h"

CK_RV tpm_key_expect(struct tpm_key *key, const struct public_key *public_key)
{
    return public_key_copy(&key->public_key, public_key);
}

const struct public_key *tpm_key_public(const struct tpm_key *key)
{
    return &key->public_key;
}

struct tpm_key_abilities tpm_key_abilities(const struct tpm_key *key)
{
    return key->abilities;
}

enum tpm_kind tpm_key_kind(const struct tpm_key *key)
{
    return tpm_kind(key->tpm);
}

static CK_RV decode_blobs(struct tpm_key *key, const struct tpm_key_source *source,
                          struct reason *reason)
{
    size_t offset = 0;
    CK_RV rv = tpm_public_decode(source->public, &key->public, reason);
    if (rv != CKR_OK)
        return rv;
    if (!source->private.size ||
        Tss2_MU_TPM2B_PRIVATE_Unmarshal(source->private.data, source->private.size, &offset,
                                        &key->private) != TSS2_RC_SUCCESS ||
        offset != source->private.size) {
        reason_set(reason, "the TPM key's private area is malformed");
        return CKR_DATA_INVALID;
    }
    key->abilities = tpm_public_abilities(&key->public.publicArea);
    return tpm_public_key(&key->public.publicArea, &key->public_key, reason);
}

static bool known_parent(uint32_t parent)
{
    return parent >> 24 == TPM2_HT_PERSISTENT || parent == TPM2_RH_OWNER ||
           parent == TPM2_RH_ENDORSEMENT || parent == TPM2_RH_PLATFORM || parent == TPM2_RH_NULL;
}

CK_RV tpm_key_new(struct tpm *tpm, const struct tpm_key_source *source, struct tpm_key **ret_key,
                  struct reason *reason)
{
    if (source->handle ? source->handle >> 24 != TPM2_HT_PERSISTENT
                       : !known_parent(source->parent)) {
        reason_set(reason,
                   source->handle ? "0x%08x is not a persistent handle (0x81…)"
                                  : "the key's parent 0x%08x is neither a persistent handle nor a "
                                    "hierarchy",
                   source->handle ? source->handle : source->parent);
        return CKR_DATA_INVALID;
    }
    struct tpm_key *key = calloc(1, sizeof(*key));
    if (!key)
        return CKR_HOST_MEMORY;
    key->esys = ESYS_TR_NONE;
    key->handle = source->handle;
    key->parent = source->parent;
    key->rsa_parent = source->rsa_parent;
    key->strict = source->protection == TPM_PROTECTION_ON;
    key->protected =
        source->protection == TPM_PROTECTION_ON ||
        (source->protection == TPM_PROTECTION_AUTO && tpm_kind(tpm) == TPM_KIND_DEVICE);
    key->abilities = (struct tpm_key_abilities){.sign = true, .decrypt = true};
    CK_RV rv = source->handle ? CKR_OK : decode_blobs(key, source, reason);
    if (rv != CKR_OK) {
        public_key_clear(&key->public_key);
        free(key);
        return rv;
    }
    key->tpm = tpm;
    tpm->references++;
    *ret_key = key;
    return CKR_OK;
}

void tpm_key_free(struct tpm_key *key)
{
    if (!key)
        return;
    tpm_key_unload(key);
    tpm_release(key->tpm);
    public_key_clear(&key->public_key);
    explicit_bzero(&key->private, sizeof(key->private));
    free(key);
}

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
static bool remedy(struct tpm_key *key, TSS2_RC rc, struct tpm_tries *tries)
{
    switch (tpm_error_remedy(rc)) {
    case TPM_REMEDY_WAIT:
        return wait_a_little(&tries->waited, 8);
    case TPM_REMEDY_EVICT:
        /* With nothing of ours to give up, another program may let go of its own. */
        return tpm_key_evict_oldest(key) || wait_a_little(&tries->waited, 3);
    case TPM_REMEDY_RELOAD:
        if (tries->reloaded++)
            return false;
        tpm_key_flush_all(key->tpm);
        return true;
    case TPM_REMEDY_RECONNECT:
        tpm_disconnect(key->tpm);
        /* The TPM may have counted a wrong PIN whose answer was lost: not again. */
        return !key->tpm->unproven_sent && !tries->reconnected++ && tpm_connect(key->tpm) == CKR_OK;
    default:
        return false;
    }
}

static TSS2_RC run_once(struct tpm_key *key, struct view auth, tpm_operation operation,
                        void *request, const char **command)
{
    bool session = key->protected && auth.size;
    TSS2_RC rc = tpm_key_load(key, session, command);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    TPM2B_AUTH value = {.size = (UINT16)auth.size};
    if (auth.size)
        memcpy(value.buffer, auth.data, auth.size);
    rc = Esys_TR_SetAuth(key->tpm->esys, key->esys, &value);
    explicit_bzero(&value, sizeof(value));
    if (rc == TSS2_RC_SUCCESS)
        rc = operation(key->tpm, &(struct tpm_target){key->esys, session}, request, command);
    /* NULL would only set the size to 0. */
    static const TPM2B_AUTH none;
    if (key->tpm->esys && auth.size)
        (void)Esys_TR_SetAuth(key->tpm->esys, key->esys, &none);
    return rc;
}

CK_RV tpm_key_run(struct tpm_key *key, struct view auth, tpm_operation operation, void *request)
{
    /* An authorisation is never longer than the key's name algorithm's digest. */
    if (auth.size > sizeof(((TPM2B_AUTH *)0)->buffer))
        return CKR_PIN_INCORRECT;
    CK_RV rv = tpm_enter(key->tpm);
    if (rv != CKR_OK)
        return rv;
    const char *command = "";
    struct tpm_tries tries = {0};
    key->tpm->unproven_sent = false;
    TSS2_RC rc;
    do {
        rc = run_once(key, auth, operation, request, &command);
    } while (rc != TSS2_RC_SUCCESS && remedy(key, rc, &tries));
    if (rc == TPM_RC_OTHER_KEY || rc == TPM_RC_PARENT_AUTH || rc == TPM_RC_KEY_KIND)
        rv = CKR_DEVICE_ERROR;
    else if (tpm_error_is(rc, TPM2_RC_LOCKOUT) && key->tpm->esys)
        rv = locked_out(key->tpm, command, rc);
    else if (rc != TSS2_RC_SUCCESS)
        rv = tpm_error(command, rc);
    tpm_leave(key->tpm);
    return rv;
}
