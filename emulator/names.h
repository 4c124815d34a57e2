#ifndef EMULATOR_NAMES_H
#define EMULATOR_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The names of command codes and response codes, as TPM 2.0 Library part 2 has
 * them after TPM_CC_ and TPM_RC_. NULL for what has none. */
const char *command_name(uint32_t code);
const char *response_code_name(uint32_t code);

/* The name, "unknown" without one, and what a format-1 code is about: "BAD_AUTH
 * session 1", "VALUE parameter 2". RESPONSE_CODE_TEXT_MAX bytes are enough. */
#define RESPONSE_CODE_TEXT_MAX 64
void response_code_describe(uint32_t code, char *text, size_t room);

/* The value of a name, with or without TPM_, TPM2_, CC_ and RC_ before it, or of
 * a number. False: neither; *ret is then untouched. */
bool command_from_name(const char *text, uint32_t *ret);
bool response_code_from_name(const char *text, uint32_t *ret);

#endif
