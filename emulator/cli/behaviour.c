#include "emulator/cli/cli.h"

#include "emulator/behaviour/counters.h"
#include "emulator/behaviour/profile_print.h"
#include "emulator/error.h"

#include <stdlib.h>

/* What concerns the behaviour of TPMs and none in particular. */

static void free_counters(struct counters **counters)
{
    free(*counters);
}

enum cli_status counters_run(const struct cli_command *command, int argc, char **argv)
{
    __attribute__((cleanup(free_counters))) struct counters *counters = NULL;
    const struct cli_option options[] = {{NULL, NULL, NULL}};
    struct cli_operands operands;
    enum cli_status status = cli_parse(command, argc, argv, options, 1, 1, &operands);

    if (status != CLI_DONE)
        return status;
    error_clear();
    counters = calloc(1, sizeof(*counters));
    if (!counters || counters_read(operands.at[0], counters) != TSS2_RC_SUCCESS)
        return cli_failed();
    counters_print(stdout, counters);
    return CLI_DONE;
}

enum cli_status profiles_run(const struct cli_command *command, int argc, char **argv)
{
    const struct cli_option options[] = {{NULL, NULL, NULL}};
    struct cli_operands operands;
    enum cli_status status = cli_parse(command, argc, argv, options, 0, 0, &operands);

    if (status != CLI_DONE)
        return status;
    if (profiles_print(stdout) == 0)
        return CLI_DONE;
    error_set("cannot write to stdout; is its disk full?");
    return cli_failed();
}
