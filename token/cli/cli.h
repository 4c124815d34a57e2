/* The `signet` command: its subcommands, and how they end. */
#ifndef SIGNET_CLI_CLI_H
#define SIGNET_CLI_CLI_H

enum cli_status {
    CLI_GOOD = 0,
    CLI_BAD = 1,   /* there are problems; or it could not be done, which stderr says */
    CLI_USAGE = 2, /* the arguments are wrong */
};

/* A row of the table in main.c. argv begins behind the name. */
struct cli_command {
    const char *name;
    const char *arguments;
    const char *summary;
    enum cli_status (*run)(const struct cli_command *command, int argc, char **argv);
};

enum cli_status doctor_run(const struct cli_command *command, int argc, char **argv);

#endif
