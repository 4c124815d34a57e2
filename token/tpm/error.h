/* What a TSS return code means: one table for the whole tree. */
#ifndef SIGNET_TPM_ERROR_H
#define SIGNET_TPM_ERROR_H

#include <stdbool.h>
#include <tss2/tss2_common.h>

#include "token/base/pkcs11.h"

/* What the code asks the caller to do before giving up. */
enum tpm_remedy {
    TPM_REMEDY_NONE,
    TPM_REMEDY_WAIT,      /* the TPM is busy: send it again, a little later */
    TPM_REMEDY_EVICT,     /* no room: flush one of our own objects, then again */
    TPM_REMEDY_RELOAD,    /* our handle is gone: load the key again, then again */
    TPM_REMEDY_RECONNECT, /* the connection is gone: connect, load, then again */
};

CK_RV tpm_error_rv(TSS2_RC rc);
enum tpm_remedy tpm_error_remedy(TSS2_RC rc);

/* True for the TPM's own code `code` (TPM2_RC_…), whatever handle, parameter or
 * session it names. */
bool tpm_error_is(TSS2_RC rc, TSS2_RC code);

/* An empty authorisation was sent, and another is wanted. */
bool tpm_error_wants_auth(TSS2_RC rc);

/* The TPM lacks the algorithm, size or curve that a public area or template names. */
bool tpm_error_lacks(TSS2_RC rc);

/* Logs one line: the command, the code's text, what it means and what to do;
 * answers tpm_error_rv(rc). */
CK_RV tpm_error(const char *command, TSS2_RC rc);

#endif
