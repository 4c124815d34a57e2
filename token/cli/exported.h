/* The part of the report about a section that is an exported key. */
#ifndef SIGNET_CLI_EXPORTED_H
#define SIGNET_CLI_EXPORTED_H

#include "token/cli/report.h"
#include "token/session/token.h"

/* A section that is served: key, certificates, PIN. No TPM command. */
void exported_report(struct report *report, const struct configuration *configuration,
                     const struct config_section *section, const struct token *token);

#endif
