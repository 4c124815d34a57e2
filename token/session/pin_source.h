/* Where a token's PIN comes from: `pin source = application | file:PATH |
 * credential:NAME | keyring:DESCRIPTION | pinentry[:PROGRAM]`, and `so pin source` for
 * the security officer's. */
#ifndef SIGNET_SESSION_PIN_SOURCE_H
#define SIGNET_SESSION_PIN_SOURCE_H

#include "token/base/secret.h"
#include "token/session/configuration.h"

enum pin_source_kind {
    PIN_SOURCE_APPLICATION,
    PIN_SOURCE_FILE,
    PIN_SOURCE_CREDENTIAL,
    PIN_SOURCE_KEYRING,
    PIN_SOURCE_PINENTRY,
};

/* value: path, name, description or program; NULL if there is none. refused: what the
 * source said last that was wrong. Zeroed: the application asks. */
struct pin_source {
    enum pin_source_kind kind;
    char *value;
    struct secret *refused;
};

/* Paths are relative to `directory`. CKR_DATA_INVALID with the reason, which never has
 * the value in it: somebody may have written his PIN there. Cleared by the caller. */
CHECKED CK_RV pin_source_parse(const char *value, const char *directory,
                               struct pin_source *ret_source, struct reason *reason);

/* The same for a keyword ("pin source", "so pin source") of the section, or else the
 * global one; without either the application asks. The reason has the line. */
CHECKED CK_RV pin_source_read(const struct configuration *configuration,
                              const struct config_section *section, const char *keyword,
                              struct pin_source *ret_source, struct reason *reason);

void pin_source_clear(struct pin_source *source);

/* For CKF_PROTECTED_AUTHENTICATION_PATH: not the application. */
bool pin_source_is_protected(const struct pin_source *source);

/* What for: it decides what the user is asked. A new PIN is typed twice. */
enum pin_use { PIN_TO_LOG_IN, PIN_TO_REPLACE, PIN_TO_SET };

#define PIN_LABEL_SIZE 65

/* All that asking needs, so that it can be done without the token's lock: the source is
 * read but for `refused`. flags: those of the token's info, of which
 * CKF_(SO|USER)_PIN_COUNT_LOW and FINAL_TRY count. */
struct pin_request {
    const struct pin_source *source;
    CK_USER_TYPE user;
    enum pin_use use;
    CK_FLAGS flags;
    char label[PIN_LABEL_SIZE];
};

/* Asks the source; a user may take minutes. CKR_ARGUMENTS_BAD where the application has
 * to say the PIN; CKR_FUNCTION_CANCELED; else CKR_FUNCTION_FAILED with the reason: no
 * such file, everybody may read it, or this is the last try, which no source but
 * pinentry is given. */
CHECKED CK_RV pin_source_get(const struct pin_request *request, struct secret **ret_pin,
                             struct reason *reason);

/* With the token's lock. What the source said and the token refused is not sent again
 * before the source says another PIN: it would lock the token. To be forgotten whenever
 * the token's PIN may have become another one. A user of pinentry may err as he likes. */
bool pin_source_knows_wrong(const struct pin_source *source, struct view pin);
void pin_source_was_wrong(struct pin_source *source, struct view pin);
void pin_source_forget(struct pin_source *source);

#endif
