#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "token/cli/cli.h"
#include "token/cli/directory.h"
#include "token/cli/exported.h"
#include "token/cli/report.h"
#include "token/cli/tpm.h"
#include "token/session/session.h"
#include "token/session/writable.h"

struct options {
    const char *path;
    bool quiet;
    bool tpm;
};

static enum cli_status usage(const struct cli_command *command, const char *why, const char *what)
{
    (void)fprintf(stderr, "signet %s: %s%s; usage: signet %s %s\n", command->name, why, what,
                  command->name, command->arguments);
    return CLI_USAGE;
}

static enum cli_status read_options(const struct cli_command *command, int argc, char **argv,
                                    struct options *options)
{
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--quiet") == 0)
            options->quiet = true;
        else if (strcmp(argv[i], "--tpm") == 0)
            options->tpm = true;
        else if (strncmp(argv[i], "--conf=", 7) == 0)
            options->path = argv[i] + 7;
        else if (strcmp(argv[i], "--conf") == 0 && i + 1 < argc)
            options->path = argv[++i];
        else if (strcmp(argv[i], "--conf") == 0)
            return usage(command, "--conf needs the path of a configuration", "");
        else
            return usage(command, "unknown argument: ", argv[i]);
        if (options->path && !*options->path)
            return usage(command, "--conf needs the path of a configuration", "");
    }
    return CLI_GOOD;
}

/* The string that an application would give C_Initialize, or NULL. The caller frees it. */
static bool make_string(const char *path, char **ret_string)
{
    *ret_string = NULL;
    if (path && asprintf(ret_string, "conf=\"%s\"", path) < 0) {
        *ret_string = NULL;
        return false;
    }
    return true;
}

static void report_places(struct report *report)
{
    report_heading(report, "configuration: none; looked for in this order:");
    for (size_t i = 0; configuration_place(i); i++)
        report_heading(report, "  %s", configuration_place(i));
}

static void report_configuration(struct report *report, const struct configuration *configuration)
{
    const char *named = configuration->named_by;
    if (!configuration->path) {
        report_places(report);
        return;
    }
    report_heading(report, "configuration: %s%s%s%s", configuration->path, named ? " (by $" : "",
                   named ? named : "", named ? ")" : "");
    for (size_t i = 0; i < configuration->config.problem_count; i++) {
        const struct config_problem *problem = &configuration->config.problems[i];
        report_problem(report, problem->line, "%s", problem->reason.text);
    }
}

static void report_served(struct report *report, const struct configuration *configuration,
                          const struct config_section *section, struct token *token)
{
    /* Only looking at a token directory shows what it is called. */
    if (token->writable)
        writable_load(token);
    report_heading(report, "[%s] slot %lu", section->name, token->slot);
    report_fact(report, "token", "\"%.*s\", serial number %s, %s", (int)token->label.size,
                token->label.size ? (const char *)token->label.data : "", token->serial,
                token->model);
    if (token->writable)
        directory_report(report, configuration, section, token);
    else
        exported_report(report, configuration, section, token);
}

/* True if the section is served. What is wrong with a broken one is said already. */
static bool report_section(struct report *report, const struct module *module, size_t number)
{
    const struct configuration *configuration = module_configuration(module);
    const struct config_section *section = &configuration->config.sections[number];
    struct token *token = module_token(module, number - 1);
    const struct reason *reason = module_left_out(module, number);
    report->section = section->name;
    if (token) {
        report_served(report, configuration, section, token);
    } else {
        report_heading(report, "[%s] left out%s", section->name,
                       section->broken ? ": something in it was not understood, see above" : "");
        if (!section->broken)
            report_problem(report, reason->line ? reason->line : section->line, "%s",
                           reason->text[0] ? reason->text : "it cannot be served");
    }
    report->section = NULL;
    return token != NULL;
}

static void report_sections(struct report *report, const struct module *module)
{
    const struct config *config = &module_configuration(module)->config;
    size_t served = 0;
    for (size_t i = 1; i < config->section_count; i++)
        served += report_section(report, module, i);
    if (config->section_count > 1)
        report_heading(report, "%zu of %zu tokens served", served, config->section_count - 1);
    else
        report_heading(report, "no tokens");
}

static enum cli_status diagnose(const struct options *options, const char *string)
{
    struct module *module = NULL;
    struct report report = {.quiet = options->quiet};
    module_prepare();
    CK_RV rv = module_new(string, &module);
    if (rv != CKR_OK) {
        (void)fprintf(stderr, "signet doctor: %s\n",
                      rv == CKR_HOST_MEMORY ? "no memory" : "the configuration cannot be read");
        return CLI_BAD;
    }
    report.path = module_configuration(module)->path;
    report_configuration(&report, module_configuration(module));
    report_sections(&report, module);
    if (options->tpm)
        tpm_report(&report, module);
    module_free(module);
    if (report.problems)
        report_heading(&report, "%zu problem%s", report.problems, report.problems == 1 ? "" : "s");
    else
        report_heading(&report, "no problems");
    return report.problems ? CLI_BAD : CLI_GOOD;
}

enum cli_status doctor_run(const struct cli_command *command, int argc, char **argv)
{
    struct options options = {0};
    char *string = NULL;
    enum cli_status status = read_options(command, argc, argv, &options);
    if (status != CLI_GOOD)
        return status;
    /* All that the log would say is in the report. */
    if (setenv("SIGNET_LOG_LEVEL", "off", 1) != 0 || !make_string(options.path, &string)) {
        (void)fprintf(stderr, "signet doctor: no memory\n");
        return CLI_BAD;
    }
    status = diagnose(&options, string);
    free(string);
    return status;
}
