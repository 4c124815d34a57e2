/* The configuration's meaning: which file counts, what its keywords are, and the
 * log that it asks for. */
#ifndef SIGNET_SESSION_CONFIGURATION_H
#define SIGNET_SESSION_CONFIGURATION_H

#include "token/base/config.h"

/* path names the file for messages, NULL without any; relative paths in it start at
 * directory. named_by: the variable of the environment that has it, or NULL. */
struct configuration {
    struct config config;
    char *path;
    char *directory;
    const char *named_by;
};

/* Finds and reads the configuration: `string` from C_Initialize (may be NULL),
 * SIGNET_CONF, OPENSSL_PKCS11_CONF, then the usual files; the first one found
 * wins, none at all is an empty configuration. Opens the log and writes what is
 * wrong in the file to it. CKR_ARGUMENTS_BAD for a string that is none of ours,
 * else CKR_HOST_MEMORY at worst. The caller clears it. */
CHECKED CK_RV configuration_open(const char *string, struct configuration *ret_configuration);

void configuration_clear(struct configuration *configuration);

/* A section's value of a key, or else the global one, or else NULL. Borrowed. */
const char *configuration_value(const struct configuration *configuration,
                                const struct config_section *section, const char *key);

/* Where a configuration may be, in the order of the search, as a person would write
 * it; NULL behind the last. */
const char *configuration_place(size_t index);

/* One log line about a section: FILE:LINE: [NAME]: text. */
void configuration_log(const struct configuration *configuration, unsigned line, const char *name,
                       const char *text);

#endif
