/* The configuration's syntax: INI. This reader knows sections, keys and values;
 * what the keys mean is the business of who asks for them. */
#ifndef SIGNET_BASE_CONFIG_H
#define SIGNET_BASE_CONFIG_H

#include "token/base/bytes.h"
#include "token/base/reason.h"

#define CONFIG_MAX_SIZE (1024 * 1024)
#define CONFIG_MAX_LINE 4096
#define CONFIG_MAX_SECTIONS 4096

/* One `key = value`. The key is in lower case with single spaces; the value has
 * lost its quotes, surrounding blanks and comment. */
struct config_entry {
    char *key;
    char *value;
    unsigned line;
};

/* `broken` is set when a line of it could not be understood, or when its name
 * was used before: what its owner meant is unknown. */
struct config_section {
    char *name;
    unsigned line;
    bool broken;
    struct config_entry *entries;
    size_t entry_count;
};

/* One thing wrong, for the log and `signet doctor`; column 0: the whole line. */
struct config_problem {
    unsigned line;
    unsigned column;
    struct reason reason;
};

/* sections[0] is the global one: what stands before the first header or under
 * [global]. The others follow in the file's order. */
struct config {
    struct config_section *sections;
    size_t section_count;
    struct config_problem *problems;
    size_t problem_count;
};

/* Reads the text of a configuration. What is wrong in it becomes a problem, not
 * an error: CKR_OK but for CKR_HOST_MEMORY. Text over CONFIG_MAX_SIZE is one
 * problem and no sections but the global one. The caller clears ret_config. */
CHECKED CK_RV config_parse(struct view text, struct config *ret_config);

/* The last entry of `key` in the section, and its value; or NULL. Borrowed. */
const struct config_entry *config_find(const struct config_section *section, const char *key);
const char *config_value(const struct config_section *section, const char *key);

/* Adds a problem found by who reads the meaning; out of memory drops it. */
void config_problem_add(struct config *config, unsigned line, unsigned column, const char *format,
                        ...) PRINTF(4, 5);

/* Frees the contents, not the struct; zeroed is fine. */
void config_clear(struct config *config);

#endif
