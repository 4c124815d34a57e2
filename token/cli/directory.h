/* The part of the report about a section that is a token directory. */
#ifndef SIGNET_CLI_DIRECTORY_H
#define SIGNET_CLI_DIRECTORY_H

#include "token/cli/report.h"
#include "token/session/token.h"

struct tpm;

/* What is there, what is left out, and what guards the PINs. No TPM command. */
void directory_report(struct report *report, const struct configuration *configuration,
                      const struct config_section *section, struct token *token);

/* Is this the TPM that the token was made on, and has it what the token needs there? */
void directory_report_tpm(struct report *report, const struct config_section *section,
                          struct token *token, struct tpm *tpm);

#endif
