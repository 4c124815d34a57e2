#include "emulator/cli/renew.h"

#include "emulator/build.h"
#include "emulator/cli/snapshot.h"
#include "emulator/command.h"
#include "emulator/error.h"
#include "emulator/names.h"
#include "emulator/tpm.h"

#include <tss2/tss2_tpm2_types.h>

/* TCG Registry of Reserved TPM 2.0 Handles: endorsement certificates, their
 * templates, nonces and chains. */
#define EK_INDEX_FIRST 0x01C00000u
#define EK_INDEX_LAST 0x01C07FFFu

#define NV_FIRST 0x01000000u

static TSS2_RC failed(uint32_t code, uint32_t rc)
{
    const char *name = response_code_name(rc);

    error_set("a copy of the TPM fails in TPM2_%s with 0x%x%s%s", command_name(code), rc,
              name ? " TPM_RC_" : "", name ? name : "");
    return TSS2_TCTI_RC_GENERAL_FAILURE;
}

/* After Startup(CLEAR) the platform has the empty authorization. */
static uint32_t run_as_platform(struct tpm_backend *tpm, uint32_t code, uint32_t second_handle)
{
    struct message command, response;

    build_begin(&command, TPM2_ST_SESSIONS, code);
    build_u32(&command, TPM2_RH_PLATFORM);
    if (second_handle)
        build_u32(&command, second_handle);
    build_empty_password(&command);
    return tpm_run(tpm, &command, &response);
}

static uint32_t set_clear_control(struct tpm_backend *tpm, bool disable)
{
    struct message command, response;

    build_begin(&command, TPM2_ST_SESSIONS, TPM2_CC_ClearControl);
    build_u32(&command, TPM2_RH_PLATFORM);
    build_empty_password(&command);
    build_u8(&command, disable);
    return tpm_run(tpm, &command, &response);
}

struct lockout {
    uint32_t tries;
    uint32_t interval;
    uint32_t recovery;
    uint32_t permanent; /* TPMA_PERMANENT */
};

static TSS2_RC read_lockout(struct tpm_backend *tpm, struct lockout *ret)
{
    uint32_t rc = tpm_read_property(tpm, TPM2_PT_MAX_AUTH_FAIL, &ret->tries);

    if (rc == TPM2_RC_SUCCESS)
        rc = tpm_read_property(tpm, TPM2_PT_LOCKOUT_INTERVAL, &ret->interval);
    if (rc == TPM2_RC_SUCCESS)
        rc = tpm_read_property(tpm, TPM2_PT_LOCKOUT_RECOVERY, &ret->recovery);
    if (rc == TPM2_RC_SUCCESS)
        rc = tpm_read_property(tpm, TPM2_PT_PERMANENT, &ret->permanent);
    return rc == TPM2_RC_SUCCESS ? TSS2_RC_SUCCESS : failed(TPM2_CC_GetCapability, rc);
}

static TSS2_RC change_seeds(struct tpm_backend *tpm)
{
    static const uint32_t codes[] = {TPM2_CC_ChangePPS, TPM2_CC_ChangeEPS, TPM2_CC_Clear};
    uint32_t rc = set_clear_control(tpm, false);

    if (rc != TPM2_RC_SUCCESS)
        return failed(TPM2_CC_ClearControl, rc);
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        rc = run_as_platform(tpm, codes[i], 0);
        if (rc != TPM2_RC_SUCCESS)
            return failed(codes[i], rc);
    }
    return TSS2_RC_SUCCESS;
}

/* Certificates of keys that are no more would mislead. */
static TSS2_RC remove_certificates(struct tpm_backend *tpm)
{
    struct handle_list list;
    uint32_t rc = query_handles(tpm, EK_INDEX_FIRST, &list);

    if (rc != TPM2_RC_SUCCESS)
        return failed(TPM2_CC_GetCapability, rc);
    for (size_t i = 0; i < list.count && list.handles[i] <= EK_INDEX_LAST; i++) {
        rc = run_as_platform(tpm, TPM2_CC_NV_UndefineSpace, list.handles[i]);
        if (rc != TPM2_RC_SUCCESS)
            return failed(TPM2_CC_NV_UndefineSpace, rc);
    }
    return TSS2_RC_SUCCESS;
}

static TSS2_RC restore_lockout(struct tpm_backend *tpm, const struct lockout *lockout)
{
    uint32_t rc = tpm_set_lockout(tpm, lockout->tries, lockout->interval, lockout->recovery);

    if (rc != TPM2_RC_SUCCESS)
        return failed(TPM2_CC_DictionaryAttackParameters, rc);
    if (lockout->permanent & TPMA_PERMANENT_DISABLECLEAR)
        rc = set_clear_control(tpm, true);
    return rc == TPM2_RC_SUCCESS ? TSS2_RC_SUCCESS : failed(TPM2_CC_ClearControl, rc);
}

static bool holds(const struct handle_list *list, uint32_t handle)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->handles[i] == handle)
            return true;
    return false;
}

/* Takes those that are still there out of the list. */
static TSS2_RC subtract(struct tpm_backend *tpm, uint32_t first, struct handle_list *list)
{
    struct handle_list now;
    uint32_t rc = query_handles(tpm, first, &now);
    size_t kept = 0;

    if (rc != TPM2_RC_SUCCESS)
        return failed(TPM2_CC_GetCapability, rc);
    for (size_t i = 0; i < list->count; i++)
        if (!holds(&now, list->handles[i]))
            list->handles[kept++] = list->handles[i];
    list->count = kept;
    return TSS2_RC_SUCCESS;
}

static TSS2_RC renew_running(struct tpm_backend *tpm, struct left_behind *left)
{
    struct lockout lockout;
    TSS2_RC rc = read_lockout(tpm, &lockout);

    if (rc == TSS2_RC_SUCCESS)
        rc = change_seeds(tpm);
    if (rc == TSS2_RC_SUCCESS)
        rc = remove_certificates(tpm);
    if (rc == TSS2_RC_SUCCESS)
        rc = restore_lockout(tpm, &lockout);
    if (rc == TSS2_RC_SUCCESS)
        rc = subtract(tpm, PERSISTENT_FIRST, &left->persistent);
    return rc == TSS2_RC_SUCCESS ? subtract(tpm, NV_FIRST, &left->nv) : rc;
}

TSS2_RC renew(const struct blob *permanent, const struct directory *directory,
              struct ek_order *order, struct blob *ret_permanent, struct left_behind *ret)
{
    SCRATCH_SCOPE struct tpm_backend *tpm = NULL;
    TSS2_RC rc = scratch_start(permanent, &tpm);
    uint32_t answer;

    if (rc != TSS2_RC_SUCCESS)
        return rc;
    answer = query_handles(tpm, PERSISTENT_FIRST, &ret->persistent);
    if (answer == TPM2_RC_SUCCESS)
        answer = query_handles(tpm, NV_FIRST, &ret->nv);
    if (answer != TPM2_RC_SUCCESS)
        return failed(TPM2_CC_GetCapability, answer);
    order->none =
        !order->ca_key && !holds(&ret->nv, EK_RSA_INDEX) && !holds(&ret->nv, EK_ECC_INDEX);
    rc = renew_running(tpm, ret);
    if (rc == TSS2_RC_SUCCESS)
        rc = ek_certify(tpm, directory, order);
    return rc == TSS2_RC_SUCCESS ? scratch_shut_down(tpm, permanent, ret_permanent) : rc;
}
