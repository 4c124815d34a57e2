/* From the configuration's word for a TPM to a TCTI context. */
#ifndef SIGNET_TPM_TCTI_H
#define SIGNET_TPM_TCTI_H

#include <tss2/tss2_tcti.h>

#include "token/tpm/tpm.h"

enum tpm_kind tcti_kind(const char *choice);

/* Opens it; failures are logged with what to do about them: CKR_DEVICE_ERROR.
 * Closed with tcti_close. */
CHECKED CK_RV tcti_open(const char *choice, TSS2_TCTI_CONTEXT **ret_tcti);

/* NULL is fine; the pointer is nulled. */
void tcti_close(TSS2_TCTI_CONTEXT **tcti);

/* True if somebody else flushes what a connection leaves loaded: the kernel's
 * resource manager, or the embedded TPM's own. */
bool tcti_has_manager(const char *choice);

/* True if closing it in a forked child sends nothing through what the parent
 * still uses. */
bool tcti_closes_silently(const char *choice);

#endif
