#include "token/tpm/health.h"

#include "token/tpm/connection.h"
#include "token/tpm/error.h"

static CK_RV get_capability(struct tpm *tpm, TPM2_CAP capability, uint32_t first, uint32_t count,
                            TPMS_CAPABILITY_DATA **ret_data)
{
    TPMI_YES_NO more = TPM2_NO;
    TSS2_RC rc = Esys_GetCapability(tpm->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, capability,
                                    first, count, &more, ret_data);
    return rc == TSS2_RC_SUCCESS ? CKR_OK : tpm_error("TPM2_GetCapability", rc);
}

static void take_property(struct tpm_health *health, const TPMS_TAGGED_PROPERTY *property)
{
    switch (property->property) {
    case TPM2_PT_PERMANENT:
        health->in_lockout = property->value & TPMA_PERMANENT_INLOCKOUT;
        health->owner_has_auth = property->value & TPMA_PERMANENT_OWNERAUTHSET;
        health->lockout_has_auth = property->value & TPMA_PERMANENT_LOCKOUTAUTHSET;
        break;
    case TPM2_PT_LOCKOUT_COUNTER:
        health->failed_tries = property->value;
        break;
    case TPM2_PT_MAX_AUTH_FAIL:
        health->max_tries = property->value;
        break;
    case TPM2_PT_LOCKOUT_INTERVAL:
        health->forgive_seconds = property->value;
        break;
    default:
        break;
    }
}

static CK_RV read_properties(struct tpm *tpm, uint32_t first, uint32_t count,
                             struct tpm_health *health)
{
    TPMS_CAPABILITY_DATA *data = NULL;
    CK_RV rv = get_capability(tpm, TPM2_CAP_TPM_PROPERTIES, first, count, &data);
    if (rv != CKR_OK)
        return rv;
    for (uint32_t i = 0; i < data->data.tpmProperties.count; i++)
        take_property(health, &data->data.tpmProperties.tpmProperty[i]);
    Esys_Free(data);
    return CKR_OK;
}

CK_RV tpm_health_read(struct tpm *tpm, struct tpm_health *ret_health)
{
    struct tpm_health health = {0};
    CK_RV rv = tpm_enter(tpm);
    if (rv != CKR_OK)
        return rv;
    rv = read_properties(tpm, TPM2_PT_PERMANENT, 1, &health);
    if (rv == CKR_OK)
        rv = read_properties(tpm, TPM2_PT_LOCKOUT_COUNTER, 4, &health);
    tpm_leave(tpm);
    if (rv == CKR_OK)
        *ret_health = health;
    return rv;
}

CK_RV tpm_health_index(struct tpm *tpm, uint32_t index, bool *ret_there)
{
    TPMS_CAPABILITY_DATA *data = NULL;
    CK_RV rv = tpm_enter(tpm);
    if (rv != CKR_OK)
        return rv;
    rv = get_capability(tpm, TPM2_CAP_HANDLES, index, 1, &data);
    if (rv == CKR_OK) {
        *ret_there = data->data.handles.count > 0 && data->data.handles.handle[0] == index;
        Esys_Free(data);
    }
    tpm_leave(tpm);
    return rv;
}
