#include "token/cli/tpm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "token/base/log.h"
#include "token/key/key.h"
#include "token/session/section.h"
#include "token/tpm/health.h"
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

static void report_tpm(struct report *report, struct tpm *tpm)
{
    struct tpm_health health;
    struct reason reason = {.text = "it does not answer"};
    log_listen(keep_last, &reason);
    CK_RV rv = tpm_health_read(tpm, &health);
    log_listen(NULL, NULL);
    if (rv == CKR_OK)
        report_tries(report, &health);
    else
        report_problem(report, 0, "%s", reason.text);
}

static bool uses_tpm(const struct token *token)
{
    return token && token->material.key && key_in_tpm(token->material.key);
}

/* The TPM of the section's token, unless an earlier section has the same. The caller
 * releases it: the token has it too, so that the same TPM is the same pointer. */
static struct tpm *tpm_of(const struct module *module, size_t number, char **ret_word)
{
    const struct configuration *configuration = module_configuration(module);
    struct tpm *tpm = NULL;
    if (!uses_tpm(module_token(module, number - 1)) ||
        section_tpm(configuration, &configuration->config.sections[number], ret_word, NULL) !=
            CKR_OK ||
        tpm_acquire(*ret_word, &tpm) != CKR_OK)
        return NULL;
    return tpm;
}

static void report_once(struct report *report, const struct module *module, size_t number,
                        const struct tpm **seen, size_t *seen_count)
{
    char *word CLEANUP(free_string) = NULL;
    struct tpm *tpm CLEANUP(release) = tpm_of(module, number, &word);
    for (size_t i = 0; i < *seen_count; i++)
        if (seen[i] == tpm)
            return;
    if (!tpm)
        return;
    seen[(*seen_count)++] = tpm;
    report_heading(report, "TPM %s", word);
    report->section = module_configuration(module)->config.sections[number].name;
    report_tpm(report, tpm);
    report->section = NULL;
}

void tpm_report(struct report *report, const struct module *module)
{
    size_t sections = module_configuration(module)->config.section_count;
    const struct tpm **seen = calloc(sections, sizeof(struct tpm *));
    size_t count = 0;
    for (size_t i = 1; seen && i < sections; i++)
        report_once(report, module, i, seen, &count);
    free(seen);
}
