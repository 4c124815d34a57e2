/* The keywords that sections of every kind have. Inside section.c and its like only; all
 * give CKR_DATA_INVALID with the reason and line for a value that makes no sense. */
#ifndef SIGNET_SESSION_SECTION_VALUES_H
#define SIGNET_SESSION_SECTION_VALUES_H

#include "token/session/token.h"

/* What is shown to users and clients is UTF-8 (PKCS#11 2.1). */
CHECKED CK_RV section_check_text(const struct config_section *section, struct reason *reason);

CHECKED CK_RV section_read_protection(const struct configuration *configuration,
                                      const struct config_section *section,
                                      enum key_protection *ret_protection, struct reason *reason);

/* Description, manufacturer, model and serial number; and label and id with them. */
CHECKED CK_RV section_read_shown(const struct configuration *configuration,
                                 const struct config_section *section, struct token *token);
CHECKED CK_RV section_read_names(const struct configuration *configuration,
                                 const struct config_section *section, struct token *token,
                                 struct reason *reason);

/* A whole number within its limits, and a choice of two words (false where it is not
 * made). */
CHECKED CK_RV section_read_number(const struct config_section *section, const char *key,
                                  unsigned least, unsigned most, unsigned fallback,
                                  unsigned *ret_number, struct reason *reason);
CHECKED CK_RV section_read_choice(const struct config_section *section, const char *key,
                                  const char *yes, const char *no, bool *ret_value,
                                  struct reason *reason);

#endif
