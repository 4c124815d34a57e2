#include "token/cli/tpm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "token/base/log.h"
#include "token/cli/directory.h"
#include "token/key/key.h"
#include "token/session/section.h"
#include "token/tpm/health.h"
#include "token/tpm/seal.h"
#include "token/tpm/tpm.h"

static void free_string(char **string)
{
    free(*string);
}

static void release(struct tpm **tpm)
{
    tpm_release(*tpm);
}

/* The room of the TPM says in the log why something failed. */
static void keep_last(void *context, const char *text)
{
    struct reason *reason = context;
    reason_set(reason, "%s", text);
}

static void report_tries(struct report *report, const struct tpm_health *health)
{
    report_fact(report, "wrong tries", "%u of %u; one is forgiven every %u s", health->failed_tries,
                health->max_tries, health->forgive_seconds);
    if (health->in_lockout)
        report_problem(report, 0,
                       "the TPM is in lockout: it refuses every PIN that its dictionary-attack "
                       "logic protects; wait %u s, or tpm2_dictionarylockout --clear-lockout",
                       health->forgive_seconds);
    report_fact(report, "owner", "%s", health->owner_has_auth ? "has a password" : "no password");
}

static void report_identity(const struct report *report, struct tpm *tpm)
{
    struct tpm_identity identity;
    if (tpm_identity_read(tpm, &identity) == CKR_OK)
        report_fact(report, "made by", "%s%s%s, firmware %u.%u", identity.manufacturer,
                    *identity.vendor ? ", " : "", identity.vendor,
                    (unsigned)(identity.firmware[0] >> 16),
                    (unsigned)(identity.firmware[0] & 0xffff));
}

static bool report_tpm(struct report *report, struct tpm *tpm)
{
    struct tpm_health health;
    struct reason reason = {.text = "it does not answer"};
    log_listen(keep_last, &reason);
    CK_RV rv = tpm_health_read(tpm, &health);
    log_listen(NULL, NULL);
    if (rv != CKR_OK) {
        report_problem(report, 0, "%s", reason.text);
        return false;
    }
    report_identity(report, tpm);
    report_tries(report, &health);
    return true;
}

/* The TPM of the section's token, or NULL. The caller releases it: the token has it too,
 * so that the same TPM is the same pointer. */
static struct tpm *tpm_of(const struct module *module, size_t number, char **ret_word)
{
    const struct configuration *configuration = module_configuration(module);
    const struct token *token = module_token(module, number - 1);
    struct tpm *tpm = NULL;
    if (!token || token_place(token) == KEY_IN_SOFTWARE ||
        section_tpm(configuration, &configuration->config.sections[number], ret_word, NULL) !=
            CKR_OK ||
        tpm_acquire(*ret_word, &tpm) != CKR_OK)
        return NULL;
    return tpm;
}

/* Those that were looked at already, and whether they answered. */
struct seen {
    const struct tpm *tpm;
    bool works;
};

static bool works(struct report *report, struct tpm *tpm, const char *word, struct seen *seen,
                  size_t *count)
{
    for (size_t i = 0; i < *count; i++)
        if (seen[i].tpm == tpm)
            return seen[i].works;
    report_heading(report, "TPM %s", word);
    seen[*count] = (struct seen){tpm, report_tpm(report, tpm)};
    return seen[(*count)++].works;
}

static void report_section(struct report *report, const struct module *module, size_t number,
                           struct seen *seen, size_t *count)
{
    const struct config_section *section = &module_configuration(module)->config.sections[number];
    struct token *token = module_token(module, number - 1);
    char *word CLEANUP(free_string) = NULL;
    struct tpm *tpm CLEANUP(release) = tpm_of(module, number, &word);
    if (!tpm)
        return;
    report->section = section->name;
    if (works(report, tpm, word, seen, count) && token->writable)
        directory_report_tpm(report, section, token, tpm);
    report->section = NULL;
}

void tpm_report(struct report *report, const struct module *module)
{
    size_t sections = module_configuration(module)->config.section_count;
    struct seen *seen = calloc(sections, sizeof(*seen));
    size_t count = 0;
    for (size_t i = 1; seen && i < sections; i++)
        report_section(report, module, i, seen, &count);
    free(seen);
}
