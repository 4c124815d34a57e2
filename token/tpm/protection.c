#include "token/tpm/protection.h"

#include "token/base/log.h"
#include "token/tpm/root.h"

bool protection_wanted(const struct tpm *tpm, enum tpm_protection protection)
{
    return protection == TPM_PROTECTION_ON ||
           (protection == TPM_PROTECTION_AUTO && tpm_kind(tpm) == TPM_KIND_DEVICE);
}

static TSS2_RC start_session(struct tpm *tpm, ESYS_TR parent, TPM2_SE type, ESYS_TR *ret_session)
{
    static const TPMT_SYM_DEF aes = {
        .algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB};
    return Esys_StartAuthSession(tpm->esys, parent, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                 ESYS_TR_NONE, NULL, type, &aes, TPM2_ALG_SHA256, ret_session);
}

TSS2_RC protection_session(struct tpm *tpm, ESYS_TR parent, TPM2_SE type, bool strict,
                           ESYS_TR *ret_session)
{
    ESYS_TR session = ESYS_TR_NONE;
    TSS2_RC rc = start_session(tpm, parent, type, &session);
    if (rc == TSS2_ESYS_RC_GENERAL_FAILURE && !strict) {
        log_line(LOG_LEVEL_WARNING, "tpm",
                 "the PIN travels to the TPM in a session without salt, because this program's "
                 "OpenSSL cannot make one; who records the bus may guess at it. 'bus protection = "
                 "on' refuses that");
        rc = start_session(tpm, ESYS_TR_NONE, type, &session);
    }
    if (rc == TSS2_RC_SUCCESS)
        *ret_session = session;
    return rc;
}

/* The session that is to be started under a root made for it. */
static TSS2_RC start_under(struct tpm *tpm, const struct root *root, void *strict,
                           const char **ret_command)
{
    return protection_start(tpm, root->handle, *(const bool *)strict, ret_command);
}

TSS2_RC protection_start(struct tpm *tpm, ESYS_TR parent, bool strict, const char **ret_command)
{
    if (tpm->session != ESYS_TR_NONE)
        return TSS2_RC_SUCCESS;
    if (parent == ESYS_TR_NONE)
        return root_use(tpm, ROOT_FOR_OLD, (struct view){0}, start_under, &strict, ret_command);
    *ret_command = "TPM2_StartAuthSession (bus protection)";
    return protection_session(tpm, parent, TPM2_SE_HMAC, strict, &tpm->session);
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
