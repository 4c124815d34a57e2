#include "emulator/cli/cli.h"

#include "emulator/build.h"
#include "emulator/chain.h"
#include "emulator/command.h"
#include "emulator/error.h"
#include "emulator/swtpm_file.h"

#include <stdio.h>
#include <string.h>
#include <tss2/tss2_tpm2_types.h>

/* A program on tpm2-tss shows a number. This does what it did, with the same
 * configuration and environment, and says the sentence. */

#define TCTI_NAME "signet"
#define PROBE_FILE "signet.check"

static void close_chain(struct chain *chain)
{
    chain_close(chain);
}

/* The configuration of the TCTI, or what tpm2-tools take: its name, ":" and that. */
static const char *configuration_of(const struct cli_operands *operands)
{
    const char *text = operands->count ? operands->at[0] : "";
    size_t name = strlen(TCTI_NAME);

    if (strcmp(text, TCTI_NAME) == 0)
        return "";
    return strncmp(text, TCTI_NAME ":", name + 1) == 0 ? text + name + 1 : text;
}

/* A command that reads what all share. Around the stages: a check is no command
 * that a fault schedule or a trace should count. */
static TSS2_RC check_state(struct connection *connection)
{
    struct message command, response;

    build_begin(&command, TPM2_ST_NO_SESSIONS, TPM2_CC_ReadClock);
    build_end(&command);
    error_clear();
    connection_run(connection, &command, &response);
    if (response_code(&response) == TPM2_RC_SUCCESS)
        return TSS2_RC_SUCCESS;
    if (error_text()[0] == '\0')
        error_set("%s: TPM2_ReadClock fails with 0x%x; signet-tpm reset switches the TPM off and "
                  "on again",
                  connection->instance->directory.path, response_code(&response));
    return TSS2_TCTI_RC_GENERAL_FAILURE;
}

/* As much as a state can have, written as a state is: full disks refuse it. */
static TSS2_RC write_probe(const struct directory *directory)
{
    static uint8_t zeros[PERMANENT_STATE_MAX];
    const struct blob probe = {zeros, sizeof(zeros)};
    TSS2_RC rc = directory_replace(directory, PROBE_FILE, &probe);

    return rc == TSS2_RC_SUCCESS ? directory_remove(directory, PROBE_FILE) : rc;
}

static TSS2_RC check_disk(struct instance *instance)
{
    TSS2_RC rc = instance_enter(instance);

    if (rc != TSS2_RC_SUCCESS)
        return rc;
    rc = directory_lock(&instance->directory);
    if (rc == TSS2_RC_SUCCESS) {
        rc = write_probe(&instance->directory);
        directory_unlock(&instance->directory);
    }
    instance_leave(instance);
    return rc;
}

static void print_asked(const char *key, const char *value)
{
    if (value[0] != '\0')
        (void)printf("  %-10s%s\n", key, value);
}

/* What is in effect, wherever it was asked for. */
static void print_conf(const struct conf *conf)
{
    (void)printf("%s: works\n", conf->directory);
    print_asked("rm", conf->bare ? "off" : "");
    print_asked("profile", conf->profile);
    if (conf->profile[0] != '\0' && conf->speed != 1)
        (void)printf("  %-10s%gx\n", "speed", conf->speed);
    print_asked("faults", conf->faults);
    print_asked("trace", conf->trace);
    print_asked("pcap", conf->pcap);
    print_asked("counters", conf->counters);
}

enum cli_status check_run(const struct cli_command *command, int argc, char **argv)
{
    __attribute__((cleanup(close_chain))) struct chain chain = {NULL, NULL};
    const struct cli_option options[] = {{NULL, NULL, NULL}};
    struct cli_operands operands;
    struct conf conf;
    enum cli_status status = cli_parse(command, argc, argv, options, 0, 1, &operands);

    if (status != CLI_DONE)
        return status;
    error_clear();
    if (conf_read(configuration_of(&operands), &conf) != TSS2_RC_SUCCESS ||
        chain_open(&conf, &chain) != TSS2_RC_SUCCESS ||
        check_state(chain.connection) != TSS2_RC_SUCCESS ||
        check_disk(chain.connection->instance) != TSS2_RC_SUCCESS)
        return cli_failed();
    print_conf(&conf);
    return CLI_DONE;
}
