/* From a section's keywords to what a token is made of. */
#ifndef SIGNET_SESSION_SECTION_H
#define SIGNET_SESSION_SECTION_H

#include "token/session/token.h"

/* Fills the token's names and key material from the section and the files that
 * it names. On failure the reason says why; the token is still to be freed. */
CHECKED CK_RV section_read(const struct configuration *configuration,
                           const struct config_section *section, struct token *token,
                           struct reason *reason);

/* The section's word for its TPM, or the global one, with its path made whole; "auto"
 * without either. The caller frees it. */
CHECKED CK_RV section_tpm(const struct configuration *configuration,
                          const struct config_section *section, char **ret_tpm,
                          struct reason *reason);

/* Another serial number, for a second token of the same key. */
CHECKED CK_RV section_change_serial(struct token *token, const char *name);

#endif
