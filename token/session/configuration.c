#include "token/session/configuration.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "token/base/log.h"
#include "token/store/file.h"

#define INLINE_NAME "C_Initialize"

enum { IN_GLOBAL = 1, IN_SECTION = 2, IN_BOTH = IN_GLOBAL | IN_SECTION };

static const struct {
    const char *key;
    unsigned where;
} keywords[] = {
    {"manufacturer id", IN_BOTH},
    {"library description", IN_GLOBAL},
    {"tpm", IN_BOTH},
    {"log", IN_GLOBAL},
    {"log level", IN_GLOBAL},
    {"model", IN_BOTH},
    {"certificate", IN_SECTION},
    {"private key", IN_SECTION},
    {"public key", IN_SECTION},
    {"engine", IN_BOTH},
    {"provider", IN_BOTH},
    {"label", IN_SECTION},
    {"id", IN_SECTION},
    {"serial number", IN_SECTION},
    {"slot description", IN_SECTION},
    {"pin", IN_SECTION},
    {"pin source", IN_BOTH},
    {"so pin source", IN_BOTH},
    {"token directory", IN_SECTION},
    {"sealed keys", IN_SECTION},
    {"secret keys", IN_SECTION},
    {"user tries", IN_SECTION},
    {"so tries", IN_SECTION},
    {"bus protection", IN_BOTH},
};

static void free_string(char **string)
{
    free(*string);
}

/* In the order in which they are tried; the first two name a file that must be
 * there, the others are taken if they are. */
static const struct {
    const char *variable;
    const char *path;
    const char *shown;
} places[] = {
    {"SIGNET_CONF", NULL, "$SIGNET_CONF"},
    {"OPENSSL_PKCS11_CONF", NULL, "$OPENSSL_PKCS11_CONF"},
    {"XDG_CONFIG_HOME", "/signet/signet.conf", "$XDG_CONFIG_HOME/signet/signet.conf"},
    {NULL, "~/.config/signet/signet.conf", "~/.config/signet/signet.conf"},
    {NULL, "~/.config/openssl-pkcs11/openssl-pkcs11.conf",
     "~/.config/openssl-pkcs11/openssl-pkcs11.conf"},
    {NULL, "/etc/signet/signet.conf", "/etc/signet/signet.conf"},
};

static CK_RV place_path(size_t place, char **ret_path)
{
    const char *value = places[place].variable ? secure_getenv(places[place].variable) : NULL;
    if (places[place].variable && (!value || !*value))
        return CKR_OK;
    char *path = NULL;
    if (places[place].variable) {
        if (asprintf(&path, "%s%s", value, places[place].path ? places[place].path : "") < 0)
            return CKR_HOST_MEMORY;
    } else {
        CK_RV rv = store_expand(places[place].path, NULL, &path, NULL);
        if (rv != CKR_OK)
            return rv == CKR_HOST_MEMORY ? rv : CKR_OK;
    }
    bool named = places[place].variable && !places[place].path;
    if (named || store_exists(path)) {
        *ret_path = path;
        return CKR_OK;
    }
    free(path);
    return CKR_OK;
}

static CK_RV find_file(struct configuration *configuration)
{
    CK_RV rv = CKR_OK;
    for (size_t i = 0; i < ARRAY_SIZE(places) && rv == CKR_OK && !configuration->path; i++) {
        rv = place_path(i, &configuration->path);
        configuration->named_by = configuration->path ? places[i].variable : NULL;
    }
    return rv;
}

const char *configuration_place(size_t index)
{
    return index < ARRAY_SIZE(places) ? places[index].shown : NULL;
}

static void check_keywords(struct config *config, size_t number)
{
    const struct config_section *section = &config->sections[number];
    unsigned here = number == 0 ? IN_GLOBAL : IN_SECTION;
    for (size_t i = 0; i < section->entry_count; i++) {
        const struct config_entry *entry = &section->entries[i];
        unsigned where = 0;
        for (size_t j = 0; j < ARRAY_SIZE(keywords); j++)
            if (strcmp(keywords[j].key, entry->key) == 0)
                where = keywords[j].where;
        if (!where)
            config_problem_add(config, entry->line, 1, "unknown keyword '%s' is ignored",
                               entry->key);
        else if (!(where & here))
            config_problem_add(config, entry->line, 1, "'%s' belongs %s and is ignored here",
                               entry->key,
                               here == IN_GLOBAL ? "into a [section]" : "before the first section");
    }
}

static enum log_level log_level_of(struct config *config)
{
    const struct config_entry *entry = config_find(&config->sections[0], "log level");
    enum log_level level = LOG_LEVEL_WARNING;
    if (entry && !log_level_parse(entry->value, &level))
        config_problem_add(config, entry->line, 1,
                           "log level '%s' is none of off, error, warning, info, debug; 'warning' "
                           "is taken",
                           entry->value);
    return level;
}

static void open_log(struct configuration *configuration)
{
    enum log_level level = log_level_of(&configuration->config);
    const char *target = secure_getenv("SIGNET_LOG");
    const char *word = secure_getenv("SIGNET_LOG_LEVEL");
    char *path CLEANUP(free_string) = NULL;
    if (!target || !*target) {
        target = config_value(&configuration->config.sections[0], "log");
        bool file =
            target && *target && strcmp(target, "stderr") != 0 && strcmp(target, "syslog") != 0;
        if (file && store_expand(target, configuration->directory, &path, NULL) == CKR_OK)
            target = path;
    }
    bool known = !word || !*word || log_level_parse(word, &level);
    log_open(target, level);
    if (!known)
        log_line(LOG_LEVEL_ERROR, "session",
                 "SIGNET_LOG_LEVEL '%s' is none of off, error, warning, info, debug", word);
}

void configuration_log(const struct configuration *configuration, unsigned line, const char *name,
                       const char *text)
{
    log_line(LOG_LEVEL_ERROR, "session", "%s:%u: %s%s%s%s", configuration->path, line,
             name ? "[" : "", name ? name : "", name ? "]: " : "", text);
}

static void log_problems(const struct configuration *configuration)
{
    for (size_t i = 0; i < configuration->config.problem_count; i++) {
        const struct config_problem *problem = &configuration->config.problems[i];
        log_line(LOG_LEVEL_ERROR, "session", "%s:%u:%u: %s", configuration->path, problem->line,
                 problem->column, problem->reason.text);
    }
}

static CK_RV read_file(struct configuration *configuration)
{
    struct reason reason = {0};
    struct bytes text CLEANUP(bytes_free) = {0};
    CK_RV rv = store_directory(configuration->path, &configuration->directory);
    if (rv != CKR_OK)
        return rv;
    CK_RV read_rv = store_read(configuration->path, CONFIG_MAX_SIZE, &text, &reason);
    if (read_rv == CKR_HOST_MEMORY)
        return read_rv;
    rv = config_parse(bytes_view(&text), &configuration->config);
    if (rv == CKR_OK && read_rv != CKR_OK)
        config_problem_add(&configuration->config, 0, 0, "no configuration: %s", reason.text);
    return rv;
}

/* `key=value; key=value`: the same words as in a file. They are read twice, as
 * global ones and as those of one section. */
static CK_RV read_inline(const char *string, struct configuration *configuration)
{
    char *pairs CLEANUP(free_string) = strdup(string);
    char *text CLEANUP(free_string) = NULL;
    if (!pairs)
        return CKR_HOST_MEMORY;
    bool quoted = false;
    for (char *c = pairs; *c; c++) {
        quoted ^= *c == '"';
        if (*c == ';' && !quoted)
            *c = '\n';
    }
    bool key = strstr(pairs, "private key") || strstr(pairs, "certificate") ||
               strstr(pairs, "public key") || strstr(pairs, "token directory");
    if (asprintf(&text, "%s\n%s\n%s\n", pairs, key ? "[signet]" : "", key ? pairs : "") < 0) {
        text = NULL;
        return CKR_HOST_MEMORY;
    }
    configuration->path = strdup(INLINE_NAME);
    if (!configuration->path || store_directory(INLINE_NAME, &configuration->directory) != CKR_OK)
        return CKR_HOST_MEMORY;
    return config_parse(view_string(text), &configuration->config);
}

static size_t trimmed_size(const char *string, size_t size)
{
    while (size && strchr(" \t\r\n", string[size - 1]))
        size--;
    return size;
}

/* Without surrounding blanks and the " verbose=yes" that p11-kit may add; NULL
 * without memory. */
static char *trimmed(const char *string)
{
    static const char added[] = " verbose=yes";
    string += strspn(string, " \t\r\n");
    size_t size = trimmed_size(string, strlen(string));
    size_t kept = size > strlen(added) ? size - strlen(added) : size;
    if (strncmp(string + kept, added, size - kept) == 0)
        size = trimmed_size(string, kept);
    return strndup(string, size);
}

/* Without "conf=" and quotes. */
static CK_RV conf_path(const char *string, char **ret_path)
{
    const char *value = string + strlen("conf=");
    size_t size = strlen(value);
    if (size >= 2 && value[0] == '"' && value[size - 1] == '"') {
        value++;
        size -= 2;
    }
    char *copy CLEANUP(free_string) = strndup(value, size);
    if (!copy)
        return CKR_HOST_MEMORY;
    CK_RV rv = store_expand(copy, NULL, ret_path, NULL);
    return rv == CKR_FUNCTION_FAILED ? CKR_ARGUMENTS_BAD : rv;
}

static CK_RV read_string(const char *given, struct configuration *configuration, bool *ret_read)
{
    char *string CLEANUP(free_string) = trimmed(given ? given : "");
    if (!string)
        return CKR_HOST_MEMORY;
    *ret_read = *string;
    if (!*ret_read)
        return CKR_OK;
    if (!strchr(string, '='))
        return CKR_ARGUMENTS_BAD;
    if (strncmp(string, "conf=", 5) != 0)
        return read_inline(string, configuration);
    CK_RV rv = conf_path(string, &configuration->path);
    return rv != CKR_OK ? rv : read_file(configuration);
}

/* Without any configuration: the token directory at its usual place, if there is one. */
static CK_RV read_default(struct configuration *configuration)
{
    static const char usual[] = "/signet/token";
    const char *data = secure_getenv("XDG_DATA_HOME");
    char *word CLEANUP(free_string) = NULL;
    char *path CLEANUP(free_string) = NULL;
    char *text CLEANUP(free_string) = NULL;
    if (asprintf(&word, "%s%s", data && *data ? data : "~/.local/share", usual) < 0) {
        word = NULL;
        return CKR_HOST_MEMORY;
    }
    CK_RV rv = store_expand(word, NULL, &path, NULL);
    if (rv == CKR_HOST_MEMORY)
        return rv;
    if (rv != CKR_OK || !store_exists(path))
        return config_parse((struct view){0}, &configuration->config);
    if (asprintf(&text, "[signet]\ntoken directory = \"%s\"\n", path) < 0) {
        text = NULL;
        return CKR_HOST_MEMORY;
    }
    configuration->path = strdup(path);
    if (!configuration->path)
        return CKR_HOST_MEMORY;
    rv = store_directory(path, &configuration->directory);
    return rv != CKR_OK ? rv : config_parse(view_string(text), &configuration->config);
}

static CK_RV read_any(const char *string, struct configuration *configuration)
{
    bool read = false;
    CK_RV rv = read_string(string, configuration, &read);
    if (rv != CKR_OK || read)
        return rv;
    rv = find_file(configuration);
    if (rv != CKR_OK)
        return rv;
    if (configuration->path)
        return read_file(configuration);
    return read_default(configuration);
}

CK_RV configuration_open(const char *string, struct configuration *ret_configuration)
{
    struct configuration configuration = {0};
    CK_RV rv = read_any(string, &configuration);
    if (rv != CKR_OK) {
        configuration_clear(&configuration);
        return rv;
    }
    bool in_line = configuration.path && strcmp(configuration.path, INLINE_NAME) == 0;
    for (size_t i = in_line ? configuration.config.section_count : 0;
         i < configuration.config.section_count; i++)
        check_keywords(&configuration.config, i);
    open_log(&configuration);
    log_problems(&configuration);
    *ret_configuration = configuration;
    return CKR_OK;
}

void configuration_clear(struct configuration *configuration)
{
    config_clear(&configuration->config);
    free(configuration->path);
    free(configuration->directory);
    *configuration = (struct configuration){0};
}

const char *configuration_value(const struct configuration *configuration,
                                const struct config_section *section, const char *key)
{
    const char *value = config_value(section, key);
    return value ? value : config_value(&configuration->config.sections[0], key);
}
