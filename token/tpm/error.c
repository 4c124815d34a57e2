#include "token/tpm/error.h"

#include <tss2/tss2_esys.h>
#include <tss2/tss2_rc.h>
#include <tss2/tss2_tpm2_types.h>

#include "token/base/compiler.h"
#include "token/base/log.h"

/* `code` is compared after the numbers of handle, parameter and session were
 * taken out. Without an entry: CKR_DEVICE_ERROR. */
static const struct error {
    TSS2_RC code;
    CK_RV rv;
    enum tpm_remedy remedy;
    const char *advice;
} errors[] = {
    {TPM2_RC_AUTH_FAIL, CKR_PIN_INCORRECT, TPM_REMEDY_NONE, "wrong PIN"},
    {TPM2_RC_BAD_AUTH, CKR_PIN_INCORRECT, TPM_REMEDY_NONE, "wrong PIN"},
    {TPM2_RC_LOCKOUT, CKR_PIN_LOCKED, TPM_REMEDY_NONE, "too many wrong PINs"},
    {TPM2_RC_RETRY, CKR_DEVICE_ERROR, TPM_REMEDY_WAIT, "the TPM stayed busy"},
    {TPM2_RC_YIELDED, CKR_DEVICE_ERROR, TPM_REMEDY_WAIT, "the TPM stayed busy"},
    {TPM2_RC_TESTING, CKR_DEVICE_ERROR, TPM_REMEDY_WAIT, "the TPM stayed busy with its self-test"},
    {TPM2_RC_NV_RATE, CKR_DEVICE_ERROR, TPM_REMEDY_WAIT, "the TPM limits writes to its memory"},
    {TPM2_RC_OBJECT_MEMORY, CKR_DEVICE_MEMORY, TPM_REMEDY_EVICT,
     "no room for another key: other programs keep theirs loaded; without a resource manager (as "
     "/dev/tpmrm0 has one) 'tpm2_flushcontext -t' removes what they left"},
    {TPM2_RC_OBJECT_HANDLES, CKR_DEVICE_MEMORY, TPM_REMEDY_EVICT, "no free object handle"},
    {TPM2_RC_MEMORY, CKR_DEVICE_MEMORY, TPM_REMEDY_EVICT, "the TPM is out of memory"},
    {TPM2_RC_SESSION_MEMORY, CKR_DEVICE_MEMORY, TPM_REMEDY_NONE,
     "no room for another session: another program keeps its sessions loaded"},
    {TPM2_RC_SESSION_HANDLES, CKR_DEVICE_MEMORY, TPM_REMEDY_NONE, "no free session handle"},
    {TPM2_RC_CONTEXT_GAP, CKR_DEVICE_ERROR, TPM_REMEDY_NONE, "an old session blocks new ones"},
    {TPM2_RC_REFERENCE_H0, CKR_DEVICE_ERROR, TPM_REMEDY_RELOAD, "the loaded key vanished"},
    {TPM2_RC_HANDLE, CKR_DEVICE_ERROR, TPM_REMEDY_RELOAD, "no such object in the TPM"},
    {TPM2_RC_INTEGRITY, CKR_DEVICE_ERROR, TPM_REMEDY_NONE,
     "the key file belongs to another TPM, or this TPM was cleared since"},
    {TPM2_RC_HIERARCHY, CKR_DEVICE_ERROR, TPM_REMEDY_NONE, "the owner hierarchy is switched off"},
    {TPM2_RC_FAILURE, CKR_DEVICE_ERROR, TPM_REMEDY_NONE, "the TPM is in failure mode: reset it"},
    {TPM2_RC_INITIALIZE, CKR_DEVICE_ERROR, TPM_REMEDY_NONE, "the TPM was not started"},
    {TPM2_RC_NV_UNAVAILABLE, CKR_DEVICE_ERROR, TPM_REMEDY_NONE,
     "the TPM's memory cannot be written"},
    {TPM2_RC_NV_SPACE, CKR_DEVICE_MEMORY, TPM_REMEDY_NONE, "the TPM's memory is full"},
    {TPM2_RC_NV_DEFINED, CKR_DEVICE_ERROR, TPM_REMEDY_NONE, "the NV index exists already"},
    {TPM2_RC_NV_AUTHORIZATION, CKR_DEVICE_ERROR, TPM_REMEDY_NONE,
     "the NV index does not allow this access"},
    {TPM2_RC_NV_LOCKED, CKR_DEVICE_ERROR, TPM_REMEDY_NONE, "the NV index is locked"},
    {TPM2_RC_NV_RANGE, CKR_DEVICE_ERROR, TPM_REMEDY_NONE, "the NV index is smaller than expected"},
    {TPM2_RC_NV_SIZE, CKR_DEVICE_ERROR, TPM_REMEDY_NONE, "the TPM has no NV indexes of this size"},
    {TPM2_RC_NV_UNINITIALIZED, CKR_DEVICE_ERROR, TPM_REMEDY_NONE, "the NV index was never written"},
    {TPM2_RC_POLICY, CKR_DEVICE_ERROR, TPM_REMEDY_NONE, "a condition of the policy is not met"},
    {TPM2_RC_KEY_SIZE, CKR_KEY_SIZE_RANGE, TPM_REMEDY_NONE, "this TPM lacks the key size"},
    {TPM2_RC_RANGE, CKR_DATA_INVALID, TPM_REMEDY_NONE, "the TPM refused a number"},
    {TPM2_RC_VALUE, CKR_DATA_INVALID, TPM_REMEDY_NONE, "the TPM refused the data"},
    {TPM2_RC_SIZE, CKR_DATA_LEN_RANGE, TPM_REMEDY_NONE, "the TPM refused the data's length"},
    {TPM2_RC_ECC_POINT, CKR_MECHANISM_PARAM_INVALID, TPM_REMEDY_NONE,
     "the other side's point is not on the curve"},
    {TPM2_RC_CURVE, CKR_KEY_FUNCTION_NOT_PERMITTED, TPM_REMEDY_NONE, "this TPM lacks the curve"},
    {TPM2_RC_SCHEME, CKR_KEY_FUNCTION_NOT_PERMITTED, TPM_REMEDY_NONE,
     "the key does not allow this signature scheme"},
    {TPM2_RC_HASH, CKR_KEY_FUNCTION_NOT_PERMITTED, TPM_REMEDY_NONE,
     "the key or the TPM does not allow this hash"},
    {TPM2_RC_ATTRIBUTES, CKR_KEY_FUNCTION_NOT_PERMITTED, TPM_REMEDY_NONE,
     "the key's attributes forbid this"},
    {TPM2_RC_KEY, CKR_KEY_FUNCTION_NOT_PERMITTED, TPM_REMEDY_NONE, "the key cannot do this"},
    {TPM2_RC_AUTH_UNAVAILABLE, CKR_KEY_FUNCTION_NOT_PERMITTED, TPM_REMEDY_NONE,
     "the key can be used by its policy only"},
    {TPM2_RC_POLICY_FAIL, CKR_KEY_FUNCTION_NOT_PERMITTED, TPM_REMEDY_NONE,
     "the key's policy is not met"},
    {TPM2_RC_COMMAND_CODE, CKR_FUNCTION_NOT_SUPPORTED, TPM_REMEDY_NONE,
     "this TPM lacks the command"},
    {TPM2_RC_COMMAND_SIZE, CKR_DEVICE_ERROR, TPM_REMEDY_NONE, "the command was damaged on its way"},
};

#define LAYER(rc) ((rc)&TSS2_RC_LAYER_MASK)

/* Resource managers put their own layer around the TPM's codes. */
static bool is_tpm_code(TSS2_RC rc)
{
    return LAYER(rc) == TSS2_TPM_RC_LAYER || LAYER(rc) == TSS2_RESMGR_TPM_RC_LAYER;
}

static TSS2_RC plain_code(TSS2_RC rc)
{
    rc &= 0xfff;
    if (rc & TPM2_RC_FMT1)
        return rc & (TPM2_RC_FMT1 | 0x3f);
    if (rc >= TPM2_RC_REFERENCE_H0 && rc <= TPM2_RC_REFERENCE_S6)
        return TPM2_RC_REFERENCE_H0;
    return rc;
}

static const struct error *find(TSS2_RC rc)
{
    if (!is_tpm_code(rc))
        return NULL;
    for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
        if (plain_code(errors[i].code) == plain_code(rc))
            return &errors[i];
    return NULL;
}

bool tpm_error_is(TSS2_RC rc, TSS2_RC code)
{
    return is_tpm_code(rc) && plain_code(rc) == plain_code(code);
}

bool tpm_error_wants_auth(TSS2_RC rc)
{
    return tpm_error_is(rc, TPM2_RC_AUTH_FAIL) || tpm_error_is(rc, TPM2_RC_BAD_AUTH);
}

bool tpm_error_lacks(TSS2_RC rc)
{
    static const TSS2_RC refusals[] = {TPM2_RC_VALUE,      TPM2_RC_CURVE, TPM2_RC_KEY_SIZE,
                                       TPM2_RC_SCHEME,     TPM2_RC_HASH,  TPM2_RC_SYMMETRIC,
                                       TPM2_RC_ASYMMETRIC, TPM2_RC_TYPE,  TPM2_RC_KDF};
    for (size_t i = 0; i < ARRAY_SIZE(refusals); i++)
        if (tpm_error_is(rc, refusals[i]))
            return true;
    return false;
}

CK_RV tpm_error_rv(TSS2_RC rc)
{
    if (rc == TSS2_RC_SUCCESS)
        return CKR_OK;
    if (!is_tpm_code(rc) && (rc & ~TSS2_RC_LAYER_MASK) == TSS2_BASE_RC_MEMORY)
        return CKR_HOST_MEMORY;
    const struct error *error = find(rc);
    return error ? error->rv : CKR_DEVICE_ERROR;
}

enum tpm_remedy tpm_error_remedy(TSS2_RC rc)
{
    /* ESYS that was left in the middle of a command is of no more use either. */
    if (LAYER(rc) == TSS2_TCTI_RC_LAYER || rc == TSS2_ESYS_RC_BAD_SEQUENCE ||
        rc == TSS2_ESYS_RC_RSP_AUTH_FAILED)
        return TPM_REMEDY_RECONNECT;
    const struct error *error = find(rc);
    return error ? error->remedy : TPM_REMEDY_NONE;
}

CK_RV tpm_error(const char *command, TSS2_RC rc)
{
    CK_RV rv = tpm_error_rv(rc);
    const struct error *error = find(rc);
    const char *advice = error                             ? error->advice
                         : LAYER(rc) == TSS2_TCTI_RC_LAYER ? "the TPM does not answer"
                                                           : "unexpected";
    log_line(LOG_LEVEL_ERROR, "tpm", "%s: %s (%s, 0x%x)", command, advice, Tss2_RC_Decode(rc),
             (unsigned)rc);
    return rv;
}
