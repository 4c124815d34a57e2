/* The part of the report that asks the TPMs themselves. */
#ifndef SIGNET_CLI_TPM_H
#define SIGNET_CLI_TPM_H

#include "token/cli/report.h"
#include "token/session/session.h"

/* Every TPM that a token of the module is on, once each. */
void tpm_report(struct report *report, const struct module *module);

#endif
