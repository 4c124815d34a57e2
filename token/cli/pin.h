/* The part of the report about where a PIN comes from. */
#ifndef SIGNET_CLI_PIN_H
#define SIGNET_CLI_PIN_H

#include "token/cli/report.h"
#include "token/session/pin_source.h"

/* keyword: the one that names it. A source that can be looked at without a person is; what
 * it says is not sent anywhere. */
void pin_report(struct report *report, const struct config_section *section, const char *keyword,
                const struct pin_source *source);

#endif
