#include <stdio.h>
#include <string.h>

#include "token/base/compiler.h"
#include "token/cli/cli.h"
#include "token/session/version.h"

static const struct cli_command commands[] = {
    {"doctor", "[--conf PATH] [--tpm] [--quiet]",
     "say what the module makes of its configuration, and what is wrong", doctor_run},
};

static void print_command(const struct cli_command *command)
{
    (void)printf("  signet %s %s\n        %s\n", command->name, command->arguments,
                 command->summary);
}

static enum cli_status help(void)
{
    (void)printf("Looks after Signet, a PKCS#11 module whose keys live in a TPM.\n\n");
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        print_command(&commands[i]);
    (void)printf("  signet --help | --version\n");
    return CLI_GOOD;
}

static enum cli_status run(const char *name, int argc, char **argv)
{
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        if (strcmp(commands[i].name, name) != 0)
            continue;
        if (argc == 1 && strcmp(argv[0], "--help") == 0) {
            print_command(&commands[i]);
            return CLI_GOOD;
        }
        return commands[i].run(&commands[i], argc, argv);
    }
    (void)fprintf(stderr, "signet: there is no command '%s'; see signet --help\n", name);
    return CLI_USAGE;
}

int main(int argc, char **argv)
{
    enum cli_status status;
    if (argc < 2) {
        (void)fprintf(stderr, "signet: a command is missing; see signet --help\n");
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0) {
        status = help();
    } else if (strcmp(argv[1], "--version") == 0) {
        (void)printf("signet %d.%d\n", SIGNET_VERSION_MAJOR, SIGNET_VERSION_MINOR);
        status = CLI_GOOD;
    } else {
        status = run(argv[1], argc - 2, argv + 2);
    }
    if (fflush(stdout) != 0) {
        (void)fprintf(stderr, "signet: cannot write to stdout; is its disk full?\n");
        return CLI_BAD;
    }
    return status;
}
