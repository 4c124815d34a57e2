#ifndef EMULATOR_CLI_CONTENTS_H
#define EMULATOR_CLI_CONTENTS_H

#include "emulator/backend.h"
#include "emulator/cli/report.h"

/* What is in a TPM, as lists of a report. Failures have an error text; the
 * report is then cut short, but balanced. */
TSS2_RC contents_report_pcr_banks(struct report *report, struct tpm_backend *tpm);
TSS2_RC contents_report_persistent(struct report *report, struct tpm_backend *tpm);
TSS2_RC contents_report_nv(struct report *report, struct tpm_backend *tpm);

/* Those of the endorsement keys: whom they are for, who vouches, SHA-256 of all. */
TSS2_RC contents_report_certificates(struct report *report, struct tpm_backend *tpm);

#endif
