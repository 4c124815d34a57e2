#include "token/session/section_values.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "token/mechanism/software.h"
#include "token/session/section.h"
#include "token/store/file.h"

CK_RV section_read_protection(const struct configuration *configuration,
                              const struct config_section *section,
                              enum key_protection *ret_protection, struct reason *reason)
{
    static const struct {
        const char *word;
        enum key_protection protection;
    } words[] = {
        {"auto", KEY_PROTECTION_AUTO}, {"on", KEY_PROTECTION_ON}, {"off", KEY_PROTECTION_OFF}};
    const struct config_entry *entry = config_find(section, "bus protection");
    if (!entry)
        entry = config_find(&configuration->config.sections[0], "bus protection");
    if (!entry)
        return CKR_OK;
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (strcmp(words[i].word, entry->value) == 0) {
            *ret_protection = words[i].protection;
            return CKR_OK;
        }
    }
    reason->line = entry->line;
    reason_set(reason, "'bus protection = %s' is none of 'auto', 'on', 'off'", entry->value);
    return CKR_DATA_INVALID;
}

/* RFC 3629, but for surrogates and overlong forms, which harm nobody here. */
static bool is_utf8(const char *text)
{
    while (*text) {
        unsigned char c = (unsigned char)*text++;
        int more = c < 0x80 ? 0 : c < 0xc2 ? -1 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : c < 0xf5 ? 3 : -1;
        if (more < 0)
            return false;
        for (; more > 0; more--)
            if (((unsigned char)*text++ & 0xc0) != 0x80)
                return false;
    }
    return true;
}

/* What is shown to users and clients is UTF-8 (PKCS#11 2.1); paths may be any. */
CK_RV section_check_text(const struct config_section *section, struct reason *reason)
{
    static const char *const shown[] = {"label", "slot description", "serial number",
                                        "manufacturer id", "model"};
    if (!is_utf8(section->name)) {
        reason_set(reason, "the section's name is not UTF-8");
        return CKR_DATA_INVALID;
    }
    for (size_t i = 0; i < ARRAY_SIZE(shown); i++) {
        const struct config_entry *entry = config_find(section, shown[i]);
        if (entry && !is_utf8(entry->value)) {
            reason->line = entry->line;
            reason_set(reason, "the '%s' is not UTF-8", entry->key);
            return CKR_DATA_INVALID;
        }
    }
    return CKR_OK;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static CK_RV read_id(const char *value, struct bytes *id, struct reason *reason)
{
    if (strncmp(value, "hex:", 4) != 0)
        return bytes_copy(id, view_string(value));
    uint8_t bytes[256];
    size_t size = 0;
    for (const char *c = value + 4; *c; c += 2) {
        int high = hex_digit(c[0]);
        int low = high < 0 ? -1 : hex_digit(c[1]);
        if (low < 0 || size == sizeof(bytes)) {
            reason_set(reason, "'id = %s' is not hex: and up to 256 pairs of hex digits", value);
            return CKR_DATA_INVALID;
        }
        bytes[size++] = (uint8_t)(high << 4 | low);
    }
    return bytes_copy(id, view_of(bytes, size));
}

CK_RV token_set_serial(struct token *token, struct view identity)
{
    uint8_t digest[HASH_MAX_SIZE];
    CK_RV rv = mechanism_digest(HASH_SHA256, identity, digest);
    for (size_t i = 0; rv == CKR_OK && i < 8; i++)
        snprintf(token->serial + 2 * i, 3, "%02x", digest[i]);
    return rv;
}

CK_RV section_change_serial(struct token *token, const char *name)
{
    struct bytes identity CLEANUP(bytes_free) = {0};
    CK_RV rv = bytes_copy(&identity, view_string(token->serial));
    if (rv == CKR_OK)
        rv = bytes_append(&identity, view_string(name), CONFIG_MAX_LINE + 16);
    return rv != CKR_OK ? rv : token_set_serial(token, bytes_view(&identity));
}

/* Cut to the field's room, never inside a UTF-8 character. */
static void set_text(char *field, size_t size, const char *text)
{
    size_t end = strlen(text);
    if (end >= size)
        for (end = size - 1; end && (text[end] & 0xc0) == 0x80;)
            end--;
    memcpy(field, text, end);
    field[end] = 0;
}

static CK_RV read_serial(const struct config_section *section, struct token *token)
{
    const char *value = config_value(section, "serial number");
    if (value && *value) {
        token->serial_given = true;
        set_text(token->serial, sizeof(token->serial), value);
        return CKR_OK;
    }
    const struct bytes *spki = &token->material.public_key.spki;
    return token_set_serial(token, spki->size ? bytes_view(spki) : view_string(section->name));
}

static const char *default_model(const struct token *token)
{
    static const char *const models[] = {
        [KEY_IN_SOFTWARE] = "software key",
        [KEY_IN_DEVICE] = "TPM 2.0",
        [KEY_IN_SWTPM] = "swtpm",
        [KEY_IN_EMBEDDED] = "embedded TPM",
        [KEY_IN_OTHER_TPM] = "TPM 2.0 (TCTI)",
    };
    return models[token_place(token)];
}

/* What every kind of token is called. */
CK_RV section_read_shown(const struct configuration *configuration,
                         const struct config_section *section, struct token *token)
{
    const char *description = config_value(section, "slot description");
    const char *manufacturer = configuration_value(configuration, section, "manufacturer id");
    const char *model = configuration_value(configuration, section, "model");
    set_text(token->description, sizeof(token->description),
             description ? description : section->name);
    set_text(token->manufacturer, sizeof(token->manufacturer),
             manufacturer ? manufacturer : "Signet");
    set_text(token->model, sizeof(token->model), model ? model : default_model(token));
    return read_serial(section, token);
}

CK_RV section_read_names(const struct configuration *configuration,
                         const struct config_section *section, struct token *token,
                         struct reason *reason)
{
    const char *label = config_value(section, "label");
    const struct config_entry *id = config_find(section, "id");
    reason->line = id ? id->line : 0;
    CK_RV rv = bytes_copy(&token->label, view_string(label ? label : section->name));
    if (rv == CKR_OK)
        rv = read_id(id ? id->value : section->name, &token->id, reason);
    return rv != CKR_OK ? rv : section_read_shown(configuration, section, token);
}

/* A state directory or device is a path like any other in the configuration; the
 * other kinds of TPM are left as they are. */
CK_RV section_tpm(const struct configuration *configuration, const struct config_section *section,
                  char **ret_tpm, struct reason *reason)
{
    static const char *const with_path[] = {"embedded:", "device:"};
    const char *value = configuration_value(configuration, section, "tpm");
    if (!value || !*value)
        value = "auto";
    for (size_t i = 0; i < ARRAY_SIZE(with_path); i++) {
        size_t size = strlen(with_path[i]);
        if (strncmp(value, with_path[i], size) != 0 || !value[size] || strchr(value, '='))
            continue;
        char *path = NULL;
        CK_RV rv = store_expand(value + size, configuration->directory, &path, reason);
        if (rv != CKR_OK)
            return rv;
        int made = asprintf(ret_tpm, "%s%s", with_path[i], path);
        free(path);
        return made < 0 ? CKR_HOST_MEMORY : CKR_OK;
    }
    *ret_tpm = strdup(value);
    return *ret_tpm ? CKR_OK : CKR_HOST_MEMORY;
}

CK_RV section_read_number(const struct config_section *section, const char *key, unsigned least,
                          unsigned most, unsigned fallback, unsigned *ret_number,
                          struct reason *reason)
{
    const struct config_entry *entry = config_find(section, key);
    *ret_number = fallback;
    if (!entry)
        return CKR_OK;
    char *end = NULL;
    errno = 0;
    unsigned long number = strtoul(entry->value, &end, 10);
    if (errno || end == entry->value || *end || *entry->value == '-' || number < least ||
        number > most) {
        reason->line = entry->line;
        reason_set(reason, "'%s = %s' is not a number from %u to %u", key, entry->value, least,
                   most);
        return CKR_DATA_INVALID;
    }
    *ret_number = (unsigned)number;
    return CKR_OK;
}

CK_RV section_read_choice(const struct config_section *section, const char *key, const char *yes,
                          const char *no, bool *ret_value, struct reason *reason)
{
    const struct config_entry *entry = config_find(section, key);
    *ret_value = false;
    if (!entry || strcmp(entry->value, no) == 0)
        return CKR_OK;
    if (strcmp(entry->value, yes) != 0) {
        reason->line = entry->line;
        reason_set(reason, "'%s = %s' is neither '%s' nor '%s'", key, entry->value, yes, no);
        return CKR_DATA_INVALID;
    }
    *ret_value = true;
    return CKR_OK;
}
