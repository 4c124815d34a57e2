#include "token/cli/directory.h"

#include <stdio.h>
#include <string.h>

#include "token/cli/pin.h"
#include "token/cli/place.h"
#include "token/session/writable.h"
#include "token/tpm/health.h"

static const char *const users[VAULT_USERS] = {"PIN", "SO PIN"};

static unsigned line_of(const struct config_section *section)
{
    const struct config_entry *entry = config_find(section, "token directory");
    return entry ? entry->line : section->line;
}

static void report_files(const struct report *report, const struct token *token)
{
    const struct writable *writable = token->writable;
    const char *path = directory_path(writable->directory);
    size_t objects = 0;
    for (size_t i = 0; i < writable->record_count; i++)
        objects += writable->records[i]->count;
    if (!directory_exists(writable->directory))
        report_fact(report, "directory", "%s, which is made when the token is initialised", path);
    else
        report_fact(report, "directory", "%s: files: %zu, objects in them: %zu%s", path,
                    writable->record_count, objects,
                    writable_is_read_only(writable) ? "; nothing in it can be changed" : "");
}

/* Files that were not understood, or belong to another token. */
static void report_problems(struct report *report, const struct config_section *section,
                            const struct token *token)
{
    const struct problems *problems = &token->problems;
    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *problem = &problems->list[i];
        char path[4096];
        (void)snprintf(path, sizeof(path), "%s/%s", directory_path(token->writable->directory),
                       problem->file ? problem->file : "");
        if (problem->file)
            report_file_problem(report, path, problem->reason.line, problem->reason.text);
        else
            report_problem(report, line_of(section), "%s", problem->reason.text);
    }
    if (problems->dropped)
        report_problem(report, line_of(section), "and %zu more", problems->dropped);
}

static void report_home(struct report *report, const struct configuration *configuration,
                        const struct config_section *section, const struct token *token)
{
    const struct vault_identity *made = &token->writable->file.tpm;
    enum key_place place = vault_place(token->writable->vault);
    char where[PLACE_MAX_SIZE];
    place_describe(configuration, section, place, where, sizeof(where));
    report_fact(report, "keys", "in %s", where);
    if (!writable_is_initialised(token->writable))
        return;
    report_fact(report, "made on", "%s%s%s%s%s", place_name(made->place),
                *made->manufacturer ? " of " : "", made->manufacturer,
                *made->firmware ? ", firmware " : "", made->firmware);
    if (made->place != place)
        report_problem(report, line_of(section),
                       "the token was made on %s and is looked for on %s: nobody can log in; see "
                       "'tpm' in the configuration",
                       place_name(made->place), place_name(place));
}

/* The three gates, or what it costs that there is one. */
static void report_gates(const struct report *report, const char *user,
                         const struct vault_seal *seal)
{
    if (seal->open)
        report_fact(report, "",
                    "no %s: whoever may read the files and use the TPM may use the "
                    "keys",
                    user);
    else if (seal->gated)
        report_fact(report, "",
                    "guarded by a try counter of its own (NV index 0x%08x, %u tries), the TPM's "
                    "dictionary-attack logic, and a counter of changes (NV index 0x%08x)",
                    (unsigned)seal->pin_index, (unsigned)seal->try_limit,
                    (unsigned)seal->counter_index);
    else
        report_fact(report, "",
                    "guarded by the TPM's dictionary-attack logic alone, as the TPM had no room or "
                    "wanted a password of its owner. That costs: wrong tries count for all keys of "
                    "the TPM, and can lock them; a copy of the files of before a change of the PIN "
                    "opens with the old PIN");
}

static void report_tries(struct report *report, const struct config_section *section,
                         enum vault_user user, const struct vault_tries *tries)
{
    if (!tries->known || !tries->failed)
        return;
    report_fact(report, "", "%u of %u tries are used", (unsigned)tries->failed,
                (unsigned)tries->limit);
    if (tries->failed >= tries->limit)
        report_problem(report, line_of(section), "the %s is locked%s", users[user],
                       user == VAULT_USER ? ": the SO can set a new one (pkcs11-tool --login "
                                            "--login-type so --init-pin)"
                                          : ", for good");
}

static void report_user(struct report *report, const struct config_section *section,
                        const struct token *token, enum vault_user user)
{
    const struct writable *writable = token->writable;
    const struct vault_seal *seal = &writable->file.seals[user];
    bool so = user == VAULT_SO;
    if (!seal->present && so)
        return;
    if (!seal->present) {
        report_fact(report, users[user],
                    "not set yet: the SO sets it (pkcs11-tool --login "
                    "--login-type so --init-pin)");
        return;
    }
    if (seal->open)
        report_fact(report, users[user], "none");
    else
        pin_report(report, section, so ? "so pin source" : "pin source",
                   so ? &token->so_pin_source : &token->pin_source);
    report_gates(report, users[user], seal);
    report_tries(report, section, user, &writable->tries[user]);
    if (writable->file.pending[user].present)
        report_fact(report, "", "a change of it was interrupted: a login settles it");
}

void directory_report(struct report *report, const struct configuration *configuration,
                      const struct config_section *section, struct token *token)
{
    const struct writable *writable = token->writable;
    report_files(report, token);
    report_problems(report, section, token);
    if (writable->damaged)
        return;
    report_home(report, configuration, section, token);
    if (!writable_is_initialised(writable)) {
        report_fact(report, "state", "not initialised: pkcs11-tool --init-token, or the like");
    } else {
        report_user(report, section, token, VAULT_USER);
        report_user(report, section, token, VAULT_SO);
    }
    if (writable->file.has_next)
        report_fact(report, "leftover",
                    "an initialisation was interrupted: the next one clears "
                    "what it left in the TPM");
    if (writable->file.has_previous)
        report_fact(report, "leftover",
                    "an initialisation was interrupted: the next login clears what is left of the "
                    "token before it");
}

static void check_index(struct report *report, const struct config_section *section,
                        struct tpm *tpm, uint32_t index, enum vault_user user)
{
    bool there = false;
    if (tpm_health_index(tpm, index, &there) == CKR_OK && !there)
        report_problem(report, line_of(section),
                       "NV index 0x%08x, which the %s needs, is gone from the TPM: somebody has "
                       "deleted it, or the TPM was cleared; %s",
                       (unsigned)index, users[user],
                       user == VAULT_USER ? "the SO can set a new PIN" : "that PIN is lost");
}

void directory_report_tpm(struct report *report, const struct config_section *section,
                          struct token *token, struct tpm *tpm)
{
    const struct token_file *file = &token->writable->file;
    struct vault_identity now = {0};
    bool other = false;
    if (!writable_is_initialised(token->writable))
        return;
    if (vault_identify(token->writable->vault, &now) != CKR_OK)
        report_problem(report, line_of(section), "the TPM's storage root cannot be made or read");
    else
        other = file->tpm.root_name.size &&
                !view_equal(bytes_view(&now.root_name), bytes_view(&file->tpm.root_name));
    vault_identity_clear(&now);
    if (other) {
        report_problem(report, line_of(section),
                       "this is not the TPM that the token was made on, or it was cleared since: "
                       "the token's keys are lost, unless the other TPM comes back");
        return;
    }
    for (enum vault_user user = 0; user < VAULT_USERS; user++) {
        const struct vault_seal *seal = &file->seals[user];
        if (!seal->present || !seal->gated)
            continue;
        check_index(report, section, tpm, seal->pin_index, user);
        check_index(report, section, tpm, seal->counter_index, user);
    }
}
