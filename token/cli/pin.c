#include "token/cli/pin.h"

#include <stdlib.h>
#include <string.h>

#include "token/store/file.h"

static void describe(const struct report *report, const char *word, const struct pin_source *source)
{
    static const char *const texts[] = {
        [PIN_SOURCE_APPLICATION] = "asked for by the application",
        [PIN_SOURCE_FILE] = "in the file",
        [PIN_SOURCE_CREDENTIAL] = "a credential of the service:",
        [PIN_SOURCE_KEYRING] = "in the kernel's keyring:",
        [PIN_SOURCE_PINENTRY] = "asked for by",
    };
    const char *value = source->value                         ? source->value
                        : source->kind == PIN_SOURCE_PINENTRY ? "the first pinentry in PATH"
                                                              : "";
    report_fact(report, word, "%s%s%s", texts[source->kind], *value ? " " : "", value);
}

/* Only the service itself has its credentials. */
static bool can_be_tried(const struct pin_source *source)
{
    const char *directory = secure_getenv("CREDENTIALS_DIRECTORY");
    return source->kind == PIN_SOURCE_FILE || source->kind == PIN_SOURCE_KEYRING ||
           (source->kind == PIN_SOURCE_CREDENTIAL && directory && *directory);
}

void pin_report(struct report *report, const struct config_section *section, const char *keyword,
                const struct pin_source *source)
{
    const struct config_entry *entry = config_find(section, keyword);
    unsigned line = entry ? entry->line : 0;
    const struct pin_request request = {.source = source, .user = CKU_USER};
    struct secret *pin CLEANUP(secret_cleanup) = NULL;
    struct reason reason = {.text = ""};
    describe(report, strcmp(keyword, "pin source") == 0 ? "PIN" : "SO PIN", source);
    if (can_be_tried(source) && pin_source_get(&request, &pin, &reason) != CKR_OK)
        report_problem(report, line, "no PIN: %s", reason.text);
    else if (source->kind == PIN_SOURCE_PINENTRY && source->value && strchr(source->value, '/') &&
             !store_exists(source->value))
        report_problem(report, line, "no PIN: there is no program %s", source->value);
}
