/* The counting TCTI seen from a test: how many commands went to the TPM, and
 * errors put in its place. The module must be configured to use it, and
 * COUNT_TCTI_LOG and COUNT_TCTI_FAULTS must name its two files. */
#ifndef CONFORMANCE_API_COUNTING_H
#define CONFORMANCE_API_COUNTING_H

#include "conformance/api/schemes.h"

/* Skips the test where the commands are not counted. */
void counting_or_skip(void);

/* How many commands were sent since forget_commands. */
unsigned commands_sent(void);
void forget_commands(void);
/* "157 15d": the command codes since forget_commands, for messages. */
const char *command_codes(void);

/* Lines of the schedule: "CODE SKIP TIMES RC"; the counting starts anew. */
void inject(const char *lines);
void inject_nothing(void);

/* One signature of a mechanism, verified by OpenSSL. */
CK_RV sign_with(struct token *token, CK_MECHANISM_TYPE type);

/* Cold start of the module: nothing is loaded, no session is open. */
void start_anew(void);

#endif
