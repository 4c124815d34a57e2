#include "token/session/pin_source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "token/pin/pin.h"
#include "token/store/file.h"

#define FILE_MAX_SIZE (PIN_MAX_SIZE + 1) /* with a line's end */

static void free_string(char **string)
{
    free(*string);
}

/* `value` says whether something stands behind the colon. */
enum value { NO_VALUE, MAY_HAVE_VALUE, NEEDS_VALUE };

static const struct {
    const char *word;
    enum pin_source_kind kind;
    enum value value;
} words[] = {
    {"application", PIN_SOURCE_APPLICATION, NO_VALUE},
    {"file", PIN_SOURCE_FILE, NEEDS_VALUE},
    {"credential", PIN_SOURCE_CREDENTIAL, NEEDS_VALUE},
    {"keyring", PIN_SOURCE_KEYRING, NEEDS_VALUE},
    {"pinentry", PIN_SOURCE_PINENTRY, MAY_HAVE_VALUE},
};

static CK_RV malformed(struct reason *reason)
{
    reason_set(reason, "the source of the PIN is none of application, file:PATH, "
                       "credential:NAME, keyring:DESCRIPTION, pinentry, pinentry:PROGRAM");
    return CKR_DATA_INVALID;
}

/* Files are paths as everywhere in the configuration; so is a program with a slash. */
static CK_RV expand(enum pin_source_kind kind, const char *value, const char *directory,
                    char **ret_value, struct reason *reason)
{
    bool path = kind == PIN_SOURCE_FILE || (kind == PIN_SOURCE_PINENTRY && strchr(value, '/')) ||
                (kind == PIN_SOURCE_PINENTRY && *value == '~');
    if (path) {
        CK_RV rv = store_expand(value, directory, ret_value, reason);
        return rv == CKR_FUNCTION_FAILED ? CKR_DATA_INVALID : rv;
    }
    if (kind == PIN_SOURCE_CREDENTIAL && (strchr(value, '/') || strcmp(value, "..") == 0)) {
        reason_set(reason, "'credential:%s' is no name of a credential, which has no '/'", value);
        return CKR_DATA_INVALID;
    }
    *ret_value = strdup(value);
    return *ret_value ? CKR_OK : CKR_HOST_MEMORY;
}

CK_RV pin_source_parse(const char *value, const char *directory, struct pin_source *ret_source,
                       struct reason *reason)
{
    size_t size = strcspn(value, ":");
    bool has_value = value[size] != 0;
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (strlen(words[i].word) != size || strncmp(words[i].word, value, size) != 0)
            continue;
        if (has_value ? words[i].value == NO_VALUE || !value[size + 1]
                      : words[i].value == NEEDS_VALUE)
            break;
        char *expanded = NULL;
        CK_RV rv = has_value ? expand(words[i].kind, value + size + 1, directory, &expanded, reason)
                             : CKR_OK;
        if (rv == CKR_OK)
            *ret_source = (struct pin_source){.kind = words[i].kind, .value = expanded};
        return rv;
    }
    return malformed(reason);
}

CK_RV pin_source_read(const struct configuration *configuration,
                      const struct config_section *section, const char *keyword,
                      struct pin_source *ret_source, struct reason *reason)
{
    const struct config_entry *entry = config_find(section, keyword);
    if (!entry)
        entry = config_find(&configuration->config.sections[0], keyword);
    if (!entry) {
        *ret_source = (struct pin_source){0};
        return CKR_OK;
    }
    struct reason why = {.line = entry->line};
    CK_RV rv = pin_source_parse(entry->value, configuration->directory, ret_source, &why);
    if (rv != CKR_OK && reason) {
        reason->line = entry->line;
        reason_set(reason, "'%s': %s", keyword, why.text);
    }
    return rv;
}

void pin_source_clear(struct pin_source *source)
{
    free(source->value);
    secret_free(source->refused);
    *source = (struct pin_source){0};
}

bool pin_source_is_protected(const struct pin_source *source)
{
    return source->kind != PIN_SOURCE_APPLICATION;
}

/* One line's end is an editor's and not part of the PIN. */
static CK_RV take_content(const char *path, struct view content, struct secret **ret_pin,
                          struct reason *reason)
{
    if (content.size && content.data[content.size - 1] == '\n')
        content.size--;
    if (content.size > PIN_MAX_SIZE) {
        reason_set(reason, "%s: a PIN has at most %d bytes", path, PIN_MAX_SIZE);
        return CKR_FUNCTION_FAILED;
    }
    return secret_new(content, ret_pin);
}

static CK_RV from_file(const char *path, struct secret **ret_pin, struct reason *reason)
{
    struct bytes content CLEANUP(bytes_free) = {0};
    CK_RV rv = store_read_private(path, FILE_MAX_SIZE, &content, reason);
    return rv != CKR_OK ? rv : take_content(path, bytes_view(&content), ret_pin, reason);
}

static CK_RV from_credential(const char *name, struct secret **ret_pin, struct reason *reason)
{
    char *path CLEANUP(free_string) = NULL;
    const char *directory = secure_getenv("CREDENTIALS_DIRECTORY");
    if (!directory || !*directory) {
        reason_set(reason,
                   "credential '%s': there is no $CREDENTIALS_DIRECTORY: the service needs "
                   "LoadCredentialEncrypted=%s or the like in its unit",
                   name, name);
        return CKR_FUNCTION_FAILED;
    }
    if (asprintf(&path, "%s/%s", directory, name) < 0) {
        path = NULL;
        return CKR_HOST_MEMORY;
    }
    return from_file(path, ret_pin, reason);
}

static bool is_final(const struct pin_request *request)
{
    return request->flags &
           (request->user == CKU_SO ? CKF_SO_PIN_FINAL_TRY : CKF_USER_PIN_FINAL_TRY);
}

static const char *retry_text(const struct pin_request *request)
{
    bool low =
        request->flags & (request->user == CKU_SO ? CKF_SO_PIN_COUNT_LOW : CKF_USER_PIN_COUNT_LOW);
    if (request->use == PIN_TO_SET)
        return NULL;
    if (is_final(request))
        return "The last PIN was wrong. This is the last try.";
    return low ? "The last PIN was wrong." : NULL;
}

static CK_RV from_pinentry(const struct pin_request *request, struct secret **ret_pin,
                           struct reason *reason)
{
    static const char *const what[] = {
        [PIN_TO_LOG_IN] = "asks for the",
        [PIN_TO_REPLACE] = "changes the PIN, and asks for the present",
        [PIN_TO_SET] = "asks for a new",
    };
    char text[256];
    snprintf(text, sizeof(text), "%s %s %s of the token\n\"%s\".", program_invocation_short_name,
             what[request->use],
             request->user == CKU_SO ? "security officer's PIN (SO PIN)" : "PIN", request->label);
    const struct pin_question asked = {
        .program = request->source->value,
        .title = "Signet",
        .description = text,
        .prompt = request->use == PIN_TO_SET ? "New PIN:" : "PIN:",
        .repeat = request->use == PIN_TO_SET ? "Again:" : NULL,
        .retry = retry_text(request),
    };
    return pin_from_pinentry(&asked, ret_pin, reason);
}

CK_RV pin_source_get(const struct pin_request *request, struct secret **ret_pin,
                     struct reason *reason)
{
    const struct pin_source *source = request->source;
    if (source->kind == PIN_SOURCE_APPLICATION)
        return CKR_ARGUMENTS_BAD;
    if (source->kind == PIN_SOURCE_PINENTRY)
        return from_pinentry(request, ret_pin, reason);
    if (request->use != PIN_TO_SET && is_final(request)) {
        reason_set(reason, "one try is left before the PIN is locked, and it is not given to a PIN "
                           "that nobody types: log in with the PIN typed, once");
        return CKR_FUNCTION_FAILED;
    }
    if (source->kind == PIN_SOURCE_FILE)
        return from_file(source->value, ret_pin, reason);
    if (source->kind == PIN_SOURCE_CREDENTIAL)
        return from_credential(source->value, ret_pin, reason);
    return pin_from_keyring(source->value, ret_pin, reason);
}

bool pin_source_knows_wrong(const struct pin_source *source, struct view pin)
{
    return source->refused && source->kind != PIN_SOURCE_PINENTRY &&
           secret_views_equal(secret_view(source->refused), pin);
}

void pin_source_was_wrong(struct pin_source *source, struct view pin)
{
    struct secret *refused = NULL;
    if (!pin_source_is_protected(source) || secret_new(pin, &refused) != CKR_OK)
        return;
    secret_free(source->refused);
    source->refused = refused;
}

void pin_source_forget(struct pin_source *source)
{
    secret_free(source->refused);
    source->refused = NULL;
}
