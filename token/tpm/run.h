/* What all uses of a TPM have in common: its lock and connection, remedies for what
 * can be remedied, one line in the log for what cannot. Inside the room only. */
#ifndef SIGNET_TPM_RUN_H
#define SIGNET_TPM_RUN_H

#include <tss2/tss2_esys.h>

#include "token/tpm/connection.h"

/* Not a TSS code: the work knows better than the error table what its failure means
 * (a CKR_… below 0x10000), and has logged it. No remedy is tried. */
#define TPM_RC_TOLD(rv) ((TSS2_RC)(0xffff0000u | (rv)))

/* Sends commands and names each for the log. May run again after a remedy, so that
 * it leaves nothing loaded when it fails. Answers may be written into the request. */
typedef TSS2_RC (*tpm_work)(struct tpm *tpm, void *request, const char **ret_command);

/* Enters, runs the work as often as remedies help, logs what is left and translates
 * it, leaves. `keep` (or NULL) is not evicted to make room. */
CHECKED CK_RV tpm_run(struct tpm *tpm, const struct tpm_key *keep, tpm_work work, void *request);

/* A view of at most the buffer's size for a TPM2B_AUTH, TPM2B_DIGEST, …. */
#define TPM_FITS(view, sized) ((view).size <= sizeof((sized).buffer))

/* Sets the authorisation that ESYS sends for the object; with an empty one it forgets
 * it. `auth` fits a TPM2B_AUTH. */
TSS2_RC tpm_set_auth(struct tpm *tpm, ESYS_TR object, struct view auth);

#endif
