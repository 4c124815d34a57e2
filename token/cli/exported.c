#include "token/cli/exported.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "token/cli/pin.h"
#include "token/cli/place.h"
#include "token/key/key.h"
#include "token/store/file.h"

static void free_string(char **string)
{
    free(*string);
}

static const char *algorithm_name(enum key_algorithm algorithm)
{
    static const char *const names[] = {
        [KEY_ALGORITHM_RSA] = "RSA",
        [KEY_ALGORITHM_EC] = "EC",
        [KEY_ALGORITHM_EDWARDS] = "EdDSA",
        [KEY_ALGORITHM_MONTGOMERY] = "Montgomery curve",
    };
    const char *name = algorithm < ARRAY_SIZE(names) ? names[algorithm] : NULL;
    return name ? name : "unknown";
}

static void report_key(const struct report *report, const struct configuration *configuration,
                       const struct config_section *section, const struct token *token)
{
    const struct public_key *public_key = &token->material.public_key;
    char where[PLACE_MAX_SIZE];
    if (!token->material.key) {
        report_fact(report, "key", "none: certificates or a public key alone");
        return;
    }
    place_describe(configuration, section, key_place(token->material.key), where, sizeof(where));
    if (public_key->algorithm == KEY_ALGORITHM_NONE)
        report_fact(report, "key", "in %s; of which kind only a login tells", where);
    else
        report_fact(report, "key", "%s, %u bits, in %s", algorithm_name(public_key->algorithm),
                    public_key->bits, where);
}

/* A key in clear that everybody may read is everybody's. */
static void check_key_files(struct report *report, const struct configuration *configuration,
                            const struct config_section *section, const struct token *token)
{
    const struct config_entry *entry = config_find(section, "private key");
    char *path CLEANUP(free_string) = NULL;
    if (!entry || !token->material.key || token_needs_login(token) ||
        key_place(token->material.key) != KEY_IN_SOFTWARE ||
        store_expand(entry->value, configuration->directory, &path, NULL) != CKR_OK)
        return;
    if (store_is_public(path))
        report_problem(report, entry->line,
                       "%s: is a private key in clear that everybody may read: chmod go= %s", path,
                       path);
}

/* YYYYMMDD as YYYY-MM-DD, and today in the former form. */
static void spell_date(const char date[9], char spelt[11])
{
    (void)snprintf(spelt, 11, "%.4s-%.2s-%.2s", date, date + 4, date + 6);
}

static void today(char date[9])
{
    struct tm utc;
    time_t now = time(NULL);
    date[0] = 0;
    if (gmtime_r(&now, &utc))
        (void)strftime(date, 9, "%Y%m%d", &utc);
}

static void report_certificate(struct report *report, const struct config_section *section,
                               const struct certificate *certificate)
{
    const struct config_entry *entry = config_find(section, "certificate");
    unsigned line = entry ? entry->line : section->line;
    const struct bytes *name = &certificate->common_name;
    int size = name->size > 100 ? 100 : (int)name->size;
    const char *text = name->size ? (const char *)name->data : "no common name";
    char now[9];
    char start[11];
    char end[11];
    if (!name->size)
        size = (int)strlen(text);
    today(now);
    spell_date(certificate->start_date, start);
    spell_date(certificate->end_date, end);
    report_fact(report, "certificate", "%.*s%s%s", size, text,
                certificate->end_date[0] ? ", valid until " : "",
                certificate->end_date[0] ? end : "");
    if (certificate->end_date[0] && strcmp(certificate->end_date, now) < 0)
        report_problem(report, line, "the certificate of %.*s has expired on %s", size, text, end);
    if (certificate->start_date[0] && strcmp(certificate->start_date, now) > 0)
        report_problem(report, line, "the certificate of %.*s is not valid before %s", size, text,
                       start);
}

void exported_report(struct report *report, const struct configuration *configuration,
                     const struct config_section *section, const struct token *token)
{
    const struct key_material *material = &token->material;
    report_key(report, configuration, section, token);
    check_key_files(report, configuration, section, token);
    for (size_t i = 0; i < material->certificate_count; i++)
        report_certificate(report, section, &material->certificates[i]);
    if (!material->certificate_count && material->key)
        report_fact(report, "certificate", "none%s",
                    token_needs_login(token) && material->public_key.algorithm == KEY_ALGORITHM_NONE
                        ? " before login"
                        : "");
    if (!material->key)
        return;
    if (token_needs_login(token))
        pin_report(report, section, "pin source", &token->pin_source);
    else
        report_fact(report, "PIN", "none: the key opens without one");
}
