#include "emulator/cli/cli.h"

#include "emulator/conf.h"
#include "emulator/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum cli_status cli_usage(const struct cli_command *command, const char *format, ...)
{
    va_list args;

    (void)fprintf(stderr, "signet-tpm %s: ", command->name);
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fprintf(stderr, "; usage: signet-tpm %s %s\n", command->name, command->arguments);
    return CLI_USAGE;
}

enum cli_status cli_failed(void)
{
    const char *text = error_text();

    (void)fprintf(stderr, "signet-tpm: %s\n", text[0] ? text : "no memory");
    return CLI_FAILED;
}

enum cli_status cli_status_of(TSS2_RC rc)
{
    return rc == TSS2_RC_SUCCESS ? CLI_DONE : cli_failed();
}

static const struct cli_option *find_option(const struct cli_option *options, const char *text)
{
    size_t length = strcspn(text, "=");

    for (; options->name; options++)
        if (strlen(options->name) == length && memcmp(options->name, text, length) == 0)
            return options;
    return NULL;
}

/* Takes the option at *at, and maybe its value behind it. */
static enum cli_status take_option(const struct cli_command *command,
                                   const struct cli_option *options, int argc, char **argv, int *at)
{
    const char *text = argv[*at] + 2;
    const struct cli_option *option = find_option(options, text);
    const char *value = strchr(text, '=');

    if (!option)
        return cli_usage(command, "unknown option '%s'", argv[*at]);
    if (option->flag && value)
        return cli_usage(command, "--%s takes no value", option->name);
    if (option->flag) {
        *option->flag = true;
        return CLI_DONE;
    }
    if (!value && *at + 1 >= argc)
        return cli_usage(command, "--%s needs a value", option->name);
    *option->value = value ? value + 1 : argv[++*at];
    return CLI_DONE;
}

enum cli_status cli_parse(const struct cli_command *command, int argc, char **argv,
                          const struct cli_option *options, size_t minimum, size_t maximum,
                          struct cli_operands *ret)
{
    bool only_operands = false;

    *ret = (struct cli_operands){.count = 0};
    for (int i = 0; i < argc; i++) {
        if (!only_operands && strcmp(argv[i], "--") == 0) {
            only_operands = true;
        } else if (!only_operands && strncmp(argv[i], "--", 2) == 0) {
            if (take_option(command, options, argc, argv, &i) != CLI_DONE)
                return CLI_USAGE;
        } else if (!only_operands && argv[i][0] == '-' && argv[i][1] != '\0') {
            return cli_usage(command, "unknown option '%s'", argv[i]);
        } else if (ret->count == maximum) {
            return cli_usage(command, "'%s' is one argument too many", argv[i]);
        } else {
            ret->at[ret->count++] = argv[i];
        }
    }
    if (ret->count < minimum)
        return cli_usage(command, "an argument is missing");
    return CLI_DONE;
}

TSS2_RC cli_directory(const struct cli_operands *operands, size_t index, char ret[PATH_MAX])
{
    struct conf conf;
    TSS2_RC rc;

    if (index < operands->count) {
        size_t length = strlen(operands->at[index]);

        if (length > 0 && length < PATH_MAX) {
            memcpy(ret, operands->at[index], length + 1);
            return TSS2_RC_SUCCESS;
        }
        error_set("the path of a state directory has %zu bytes; expected: 1 to %d", length,
                  PATH_MAX - 1);
        return TSS2_TCTI_RC_BAD_VALUE;
    }
    rc = conf_read(NULL, &conf);
    if (rc == TSS2_RC_SUCCESS)
        memcpy(ret, conf.directory, PATH_MAX);
    return rc;
}
