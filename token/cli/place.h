/* Where keys are, in words. */
#ifndef SIGNET_CLI_PLACE_H
#define SIGNET_CLI_PLACE_H

#include "token/key/key.h"
#include "token/session/configuration.h"

#define PLACE_MAX_SIZE 300

/* "the embedded TPM" and the like. */
const char *place_name(enum key_place place);

/* "the embedded TPM (embedded:DIR), which …"; the section's word for the TPM is named,
 * and what `auto` takes at present. */
void place_describe(const struct configuration *configuration, const struct config_section *section,
                    enum key_place place, char *text, size_t size);

#endif
