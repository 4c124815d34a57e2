#ifndef EMULATOR_CLI_CLI_H
#define EMULATOR_CLI_CLI_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <tss2/tss2_common.h>

/* What the subcommands of signet-tpm share: their table, the reading of their
 * arguments, and how they end. */

enum cli_status {
    CLI_DONE = 0,
    CLI_FAILED = 1, /* one line on stderr says what, why, and what to do */
    CLI_USAGE = 2,
};

/* A subcommand: a row of the table in main.c. argv begins behind its name. */
struct cli_command {
    const char *name;
    const char *arguments;
    const char *summary;
    enum cli_status (*run)(const struct cli_command *command, int argc, char **argv);
};

/* "--name", which sets *flag, or "--name VALUE" and "--name=VALUE", borrowed. */
struct cli_option {
    const char *name;
    bool *flag;
    const char **value;
};

#define CLI_OPERANDS_MAX 2

struct cli_operands {
    size_t count;
    const char *at[CLI_OPERANDS_MAX];
};

/* Reads the arguments of a subcommand: at least `minimum` operands and at most
 * `maximum`; options anywhere before "--". The table ends with a NULL name. On
 * CLI_USAGE all is said. */
enum cli_status cli_parse(const struct cli_command *command, int argc, char **argv,
                          const struct cli_option *options, size_t minimum, size_t maximum,
                          struct cli_operands *ret);

/* Says why the arguments are wrong, and what they should be. */
enum cli_status cli_usage(const struct cli_command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Says the error text. */
enum cli_status cli_failed(void);

/* cli_failed for all but TSS2_RC_SUCCESS. */
enum cli_status cli_status_of(TSS2_RC rc);

/* A copy of the operand, or the path of the TCTI's default state directory. */
TSS2_RC cli_directory(const struct cli_operands *operands, size_t index, char ret[PATH_MAX]);

enum cli_status make_run(const struct cli_command *command, int argc, char **argv);
enum cli_status check_run(const struct cli_command *command, int argc, char **argv);
enum cli_status describe_run(const struct cli_command *command, int argc, char **argv);
enum cli_status reset_run(const struct cli_command *command, int argc, char **argv);
enum cli_status copy_run(const struct cli_command *command, int argc, char **argv);
enum cli_status export_run(const struct cli_command *command, int argc, char **argv);
enum cli_status import_run(const struct cli_command *command, int argc, char **argv);
enum cli_status counters_run(const struct cli_command *command, int argc, char **argv);
enum cli_status profiles_run(const struct cli_command *command, int argc, char **argv);

#endif
