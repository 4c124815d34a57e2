#include "emulator/cli/cli.h"

#include "emulator/cli/snapshot.h"
#include "emulator/connection.h"

#include <stdio.h>

static TSS2_RC reset(const char *path, enum tpm_reset how)
{
    struct connection *connection = NULL;
    TSS2_RC rc = snapshot_connect(path, &connection);

    if (rc != TSS2_RC_SUCCESS)
        return rc;
    rc = connection_reset(connection, how);
    connection_close(connection);
    return rc;
}

static const struct {
    enum tpm_reset how;
    const char *said;
} ways[] = {
    {TPM_RESET, "TPM reset: Shutdown(CLEAR), Startup(CLEAR)"},
    {TPM_RESTART, "TPM restart: Shutdown(STATE), Startup(CLEAR)"},
    {TPM_RESUME, "TPM resume: Shutdown(STATE), Startup(STATE)"},
    {TPM_POWER_LOSS, "power loss: no Shutdown, Startup(CLEAR)"},
};

enum cli_status reset_run(const struct cli_command *command, int argc, char **argv)
{
    bool asked[4] = {false};
    const struct cli_option options[] = {
        {"restart", &asked[1], NULL},
        {"resume", &asked[2], NULL},
        {"power-loss", &asked[3], NULL},
        {NULL, NULL, NULL},
    };
    struct cli_operands operands;
    char path[PATH_MAX];
    size_t way;
    enum cli_status status = cli_parse(command, argc, argv, options, 0, 1, &operands);

    if (status != CLI_DONE)
        return status;
    if (asked[1] + asked[2] + asked[3] > 1)
        return cli_usage(command, "--restart, --resume and --power-loss exclude each other");
    way = asked[1] ? 1 : asked[2] ? 2 : asked[3] ? 3 : 0;
    if (cli_directory(&operands, 0, path) != TSS2_RC_SUCCESS ||
        reset(path, ways[way].how) != TSS2_RC_SUCCESS)
        return cli_failed();
    (void)printf("%s: %s\n", path, ways[way].said);
    return CLI_DONE;
}
