#include "token/session/section.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "token/session/section_values.h"
#include "token/session/writable.h"
#include "token/store/file.h"

#define MAX_CERTIFICATE_FILES 32

/* The files of a section while they are being read. */
struct files {
    char *paths[MAX_CERTIFICATE_FILES + 2];
    struct bytes contents[MAX_CERTIFICATE_FILES + 2];
    size_t count;
    struct key_file certificates[MAX_CERTIFICATE_FILES];
};

static void files_clear(struct files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        free(files->paths[i]);
        bytes_free(&files->contents[i]);
    }
}

static CK_RV read_file(const struct configuration *configuration, const struct config_entry *entry,
                       struct files *files, struct key_file *ret_file, struct reason *reason)
{
    reason->line = entry->line;
    if (files->count >= ARRAY_SIZE(files->paths)) {
        reason_set(reason, "more than %d certificate files", MAX_CERTIFICATE_FILES);
        return CKR_DATA_INVALID;
    }
    size_t at = files->count;
    if (!*entry->value) {
        reason_set(reason, "'%s' names no file", entry->key);
        return CKR_DATA_INVALID;
    }
    CK_RV rv = store_expand(entry->value, configuration->directory, &files->paths[at], reason);
    if (rv != CKR_OK)
        return rv;
    files->count++;
    rv = store_read(files->paths[at], KEY_FILE_MAX_SIZE, &files->contents[at], reason);
    if (rv != CKR_OK)
        return rv;
    *ret_file = (struct key_file){
        .path = files->paths[at],
        .line = entry->line,
        .content = bytes_view(&files->contents[at]),
    };
    return CKR_OK;
}

static CK_RV read_handle(const char *value, struct key_description *description,
                         struct reason *reason)
{
    char *end = NULL;
    errno = 0;
    unsigned long handle = strtoul(value, &end, 0);
    if (errno || end == value || *end || handle == 0 || handle > 0xffffffffUL) {
        reason_set(reason, "'handle:%s' is not a handle like handle:0x81000010", value);
        return CKR_DATA_INVALID;
    }
    description->handle = (uint32_t)handle;
    return CKR_OK;
}

static CK_RV read_private_key(const struct configuration *configuration,
                              const struct config_entry *entry, struct files *files,
                              struct key_description *description, struct reason *reason)
{
    const char *value = entry->value;
    description->private_key = (struct key_file){.path = value, .line = entry->line};
    reason->line = entry->line;
    if (strncmp(value, "handle:", 7) == 0)
        return read_handle(value + 7, description, reason);
    bool other = description->provider || description->engine;
    CK_RV rv = read_file(configuration, entry, files, &description->private_key, reason);
    /* What is no file may be a name that the provider understands. */
    if (rv == CKR_FUNCTION_FAILED && other && strchr(value, ':')) {
        description->private_key = (struct key_file){.path = value, .line = entry->line};
        return CKR_OK;
    }
    return rv;
}

static CK_RV read_certificates(const struct configuration *configuration,
                               const struct config_section *section, struct files *files,
                               struct key_description *description, struct reason *reason)
{
    description->certificates = files->certificates;
    for (size_t i = 0; i < section->entry_count; i++) {
        if (strcmp(section->entries[i].key, "certificate") != 0)
            continue;
        if (description->certificate_count >= MAX_CERTIFICATE_FILES) {
            reason_set(reason, "more than %d certificate files", MAX_CERTIFICATE_FILES);
            return CKR_DATA_INVALID;
        }
        CK_RV rv = read_file(configuration, &section->entries[i], files,
                             &files->certificates[description->certificate_count], reason);
        if (rv != CKR_OK)
            return rv;
        description->certificate_count++;
    }
    return CKR_OK;
}

static CK_RV read_pin(const struct config_entry *entry, enum key_pin *ret_pin,
                      struct reason *reason)
{
    if (!entry)
        return CKR_OK;
    const char *value = entry->value;
    reason->line = entry->line;
    if (strcmp(value, "required") != 0 && strcmp(value, "none") != 0) {
        reason_set(reason, "'pin = %s' is neither 'required' nor 'none'", value);
        return CKR_DATA_INVALID;
    }
    *ret_pin = *value == 'r' ? KEY_PIN_REQUIRED : KEY_PIN_NONE;
    return CKR_OK;
}

static CK_RV read_description(const struct configuration *configuration,
                              const struct config_section *section, struct files *files,
                              struct key_description *description, struct reason *reason)
{
    const struct config_entry *private_key = config_find(section, "private key");
    const struct config_entry *public_key = config_find(section, "public key");
    CK_RV rv = read_pin(config_find(section, "pin"), &description->pin, reason);
    if (rv == CKR_OK)
        rv = section_read_protection(configuration, section, &description->protection, reason);
    if (rv == CKR_OK)
        rv = read_certificates(configuration, section, files, description, reason);
    if (rv == CKR_OK && public_key)
        rv = read_file(configuration, public_key, files, &description->public_key, reason);
    if (rv == CKR_OK && private_key)
        rv = read_private_key(configuration, private_key, files, description, reason);
    if (rv == CKR_OK)
        reason->line = 0;
    if (rv == CKR_OK && !private_key && !public_key && !description->certificate_count) {
        reason_set(reason, "names neither a 'private key' nor a 'certificate' nor a 'token "
                           "directory'");
        rv = CKR_DATA_INVALID;
    }
    return rv;
}

static void free_string(char **string)
{
    free(*string);
}

static CK_RV read_exported(const struct configuration *configuration,
                           const struct config_section *section, struct token *token,
                           struct reason *reason)
{
    struct files files CLEANUP(files_clear) = {.count = 0};
    char *tpm CLEANUP(free_string) = NULL;
    struct key_description description = {
        .provider = configuration_value(configuration, section, "provider"),
        .engine = configuration_value(configuration, section, "engine"),
    };
    CK_RV rv = section_check_text(section, reason);
    if (rv == CKR_OK)
        rv = pin_source_read(configuration, section, "pin source", &token->pin_source, reason);
    if (rv == CKR_OK)
        rv = section_tpm(configuration, section, &tpm, reason);
    description.tpm = tpm;
    if (rv == CKR_OK)
        rv = read_description(configuration, section, &files, &description, reason);
    if (rv == CKR_OK)
        rv = key_material_open(&description, &token->material, reason);
    return rv != CKR_OK ? rv : section_read_names(configuration, section, token, reason);
}

/* A token directory holds its own keys: words about files of keys do not go with it. */
static CK_RV check_words(const struct config_section *section, struct reason *reason)
{
    static const char *const foreign[] = {"private key", "certificate", "public key", "engine",
                                          "provider",    "id",          "label"};
    for (size_t i = 0; i < ARRAY_SIZE(foreign); i++) {
        const struct config_entry *entry = config_find(section, foreign[i]);
        if (!entry)
            continue;
        reason->line = entry->line;
        reason_set(reason, "'%s' does not go with 'token directory'%s", entry->key,
                   strcmp(entry->key, "label") == 0
                       ? ": the label is given when the token is initialised"
                       : ": files are put into the directory");
        return CKR_DATA_INVALID;
    }
    return CKR_OK;
}

static CK_RV read_settings(const struct configuration *configuration,
                           const struct config_section *section, struct writable_settings *settings,
                           struct reason *reason)
{
    bool sealing = false;
    CK_RV rv = section_read_protection(configuration, section, &settings->protection, reason);
    if (rv == CKR_OK)
        rv = section_read_choice(section, "pin", "none", "required", &settings->pinless, reason);
    settings->pin_required = config_find(section, "pin") && !settings->pinless;
    if (rv == CKR_OK)
        rv = section_read_choice(section, "sealed keys", "yes", "no", &sealing, reason);
    if (rv == CKR_OK)
        rv = section_read_choice(section, "secret keys", "tpm", "software",
                                 &settings->secrets_in_tpm, reason);
    if (rv == CKR_OK)
        rv = section_read_number(section, "user tries", 1, 255, WRITABLE_DEFAULT_TRIES,
                                 &settings->try_limit[VAULT_USER], reason);
    if (rv == CKR_OK)
        rv = section_read_number(section, "so tries", 1, 255, WRITABLE_DEFAULT_TRIES,
                                 &settings->try_limit[VAULT_SO], reason);
    settings->sealing = sealing ? KEY_SEALING_ALLOWED : KEY_SEALING_REFUSED;
    return rv;
}

static CK_RV read_directory(const struct configuration *configuration,
                            const struct config_section *section, struct token *token,
                            struct reason *reason)
{
    const struct config_entry *entry = config_find(section, "token directory");
    char *path CLEANUP(free_string) = NULL;
    char *tpm CLEANUP(free_string) = NULL;
    struct writable_settings settings = {0};
    CK_RV rv = section_check_text(section, reason);
    if (rv == CKR_OK)
        rv = check_words(section, reason);
    if (rv == CKR_OK)
        rv = pin_source_read(configuration, section, "pin source", &token->pin_source, reason);
    if (rv == CKR_OK)
        rv =
            pin_source_read(configuration, section, "so pin source", &token->so_pin_source, reason);
    if (rv == CKR_OK)
        rv = section_tpm(configuration, section, &tpm, reason);
    if (rv == CKR_OK)
        rv = read_settings(configuration, section, &settings, reason);
    if (rv != CKR_OK)
        return rv;
    reason->line = entry->line;
    if (!*entry->value) {
        reason_set(reason, "'token directory' names no directory");
        return CKR_DATA_INVALID;
    }
    rv = store_expand(entry->value, configuration->directory, &path, reason);
    settings.path = path;
    settings.tpm = tpm;
    if (rv == CKR_OK)
        rv = writable_open(&settings, &token->writable);
    return rv != CKR_OK ? rv : section_read_shown(configuration, section, token);
}

CK_RV section_read(const struct configuration *configuration, const struct config_section *section,
                   struct token *token, struct reason *reason)
{
    return config_find(section, "token directory")
               ? read_directory(configuration, section, token, reason)
               : read_exported(configuration, section, token, reason);
}
