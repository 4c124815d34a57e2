#include "token/tpm/protection.h"

#include "token/base/log.h"
#include "token/tpm/parent.h"

static TSS2_RC start_session(struct tpm *tpm, ESYS_TR parent)
{
    static const TPMT_SYM_DEF aes = {
        .algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB};
    return Esys_StartAuthSession(tpm->esys, parent, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                 ESYS_TR_NONE, NULL, TPM2_SE_HMAC, &aes, TPM2_ALG_SHA256,
                                 &tpm->session);
}

TSS2_RC protection_start(struct tpm *tpm, ESYS_TR parent, bool strict, const char **ret_command)
{
    if (tpm->session != ESYS_TR_NONE)
        return TSS2_RC_SUCCESS;
    struct parent primary = {.handle = ESYS_TR_NONE};
    bool absent = true;
    TSS2_RC rc = TSS2_RC_SUCCESS;
    for (unsigned way = 0; parent == ESYS_TR_NONE && absent && rc == TSS2_RC_SUCCESS; way++)
        rc = parent_open(tpm, TPM2_RH_OWNER, false, way, &primary, &absent, ret_command);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    *ret_command = "TPM2_StartAuthSession (bus protection)";
    rc = start_session(tpm, parent != ESYS_TR_NONE ? parent : primary.handle);
    if (rc == TSS2_ESYS_RC_GENERAL_FAILURE && !strict) {
        log_line(LOG_LEVEL_WARNING, "tpm",
                 "the PIN travels to the TPM in a session without salt, because this program's "
                 "OpenSSL cannot make one; who records the bus may guess at it. 'bus protection = "
                 "on' refuses that");
        rc = start_session(tpm, ESYS_TR_NONE);
    }
    parent_close(tpm, &primary);
    if (rc != TSS2_RC_SUCCESS)
        tpm->session = ESYS_TR_NONE;
    return rc;
}

TSS2_RC protection_use(struct tpm *tpm, bool encrypt_response)
{
    TPMA_SESSION attributes = TPMA_SESSION_CONTINUESESSION | TPMA_SESSION_DECRYPT |
                              (encrypt_response ? TPMA_SESSION_ENCRYPT : 0);
    return Esys_TRSess_SetAttributes(tpm->esys, tpm->session, attributes, 0xff);
}

void protection_end(struct tpm *tpm)
{
    if (tpm->esys && tpm->session != ESYS_TR_NONE &&
        Esys_FlushContext(tpm->esys, tpm->session) != TSS2_RC_SUCCESS)
        (void)Esys_TR_Close(tpm->esys, &tpm->session);
    tpm->session = ESYS_TR_NONE;
}
