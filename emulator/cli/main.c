#include "emulator/cli/cli.h"

#include "emulator/openssl_scope.h"

#include <stdio.h>
#include <string.h>

#ifndef SIGNET_VERSION
#error "the Makefile says which version this is"
#endif

static const struct cli_command commands[] = {
    {"make", "[--ca-key FILE --ca-certificate FILE | --no-ek] [--profile CHIP] DIR", "make a TPM",
     make_run},
    {"describe", "[--json] [DIR]", "tell what it is, what it holds, and who uses it", describe_run},
    {"check", "[signet:KEY=VALUE,...]",
     "use a TPM as a program would, with that configuration, and say what is wrong", check_run},
    {"reset", "[--restart | --resume | --power-loss] [DIR]",
     "switch it off and on again, for all who use it", reset_run},
    {"copy", "[--new-seed [--ca-key FILE --ca-certificate FILE]] FROM TO",
     "make an identical TPM, or another one with the same settings", copy_run},
    {"export", "[--force] DIR FILE", "write its permanent state as one file, as swtpm has it",
     export_run},
    {"import", "[--force] FILE DIR", "make a TPM of such a file", import_run},
    {"counters", "FILE", "print what counters=FILE counted, by command", counters_run},
    {"profiles", "", "list the chips that profile=CHIP can be", profiles_run},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void print_command(FILE *out, const struct cli_command *command)
{
    (void)fprintf(out, "  signet-tpm %s%s%s\n        %s\n", command->name,
                  command->arguments[0] ? " " : "", command->arguments, command->summary);
}

static enum cli_status help(void)
{
    (void)printf("Looks after embedded TPMs: TPM 2.0 in the process that uses it, one for each\n"
                 "state directory. For development and tests.\n\n");
    for (size_t i = 0; i < COMMANDS; i++)
        print_command(stdout, &commands[i]);
    (void)printf(
        "  signet-tpm --help | --version\n\n"
        "DIR is $XDG_STATE_HOME/signet/tpm, or ~/.local/state/signet/tpm, if it is left\n"
        "out. Programs on tpm2-tss reach the TPM as signet:dir=DIR; man signet-tpm has what\n"
        "else can stand there.\n");
    return CLI_DONE;
}

static enum cli_status run(const char *name, int argc, char **argv)
{
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(commands[i].name, name) != 0)
            continue;
        if (argc == 1 && strcmp(argv[0], "--help") == 0) {
            print_command(stdout, &commands[i]);
            return CLI_DONE;
        }
        return commands[i].run(&commands[i], argc, argv);
    }
    (void)fprintf(stderr, "signet-tpm: there is no command '%s'; see signet-tpm --help\n", name);
    return CLI_USAGE;
}

int main(int argc, char **argv)
{
    enum cli_status status;

    if (argc < 2) {
        (void)fprintf(stderr, "signet-tpm: a command is missing; see signet-tpm --help\n");
        return CLI_USAGE;
    }
    openssl_read_host_configuration();
    if (strcmp(argv[1], "--help") == 0)
        status = help();
    else if (strcmp(argv[1], "--version") == 0)
        status = printf("signet-tpm %s\n", SIGNET_VERSION) > 0 ? CLI_DONE : CLI_FAILED;
    else
        status = run(argv[1], argc - 2, argv + 2);
    if (fflush(stdout) != 0 && status == CLI_DONE) {
        (void)fprintf(stderr, "signet-tpm: cannot write to stdout; is its disk full?\n");
        return CLI_FAILED;
    }
    return status;
}
