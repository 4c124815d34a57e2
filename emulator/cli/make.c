#include "emulator/cli/cli.h"

#include "emulator/cli/issuer_options.h"
#include "emulator/error.h"
#include "emulator/instance.h"
#include "emulator/swtpm_file.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static TSS2_RC refuse(const char *path)
{
    error_set("%s: there is a TPM already; name another directory", path);
    return TSS2_TCTI_RC_BAD_VALUE;
}

static void free_instance(struct instance **instance)
{
    instance_free(*instance);
}

/* By the way that every use of a new directory takes, under its lock. */
static TSS2_RC make(const char *path, const struct ek_order *order)
{
    __attribute__((cleanup(directory_close))) struct directory directory = DIRECTORY_CLOSED;
    __attribute__((cleanup(free_instance))) struct instance *instance = NULL;
    TSS2_RC rc = directory_open(path, &directory);

    if (rc != TSS2_RC_SUCCESS)
        return rc;
    if (faccessat(directory.fd, SWTPM_PERMANENT_FILE, F_OK, 0) == 0)
        return refuse(path);
    rc = instance_new(&directory, &instance);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    instance->endorsement = order;
    rc = instance_open(instance);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    return instance->manufactured ? TSS2_RC_SUCCESS : refuse(path);
}

enum cli_status make_run(const struct cli_command *command, int argc, char **argv)
{
    struct ek_order order = {.none = false};
    const struct cli_option options[] = {
        {"ca-key", NULL, &order.ca_key},
        {"ca-certificate", NULL, &order.ca_certificate},
        {"no-ek", &order.none, NULL},
        {NULL, NULL, NULL},
    };
    struct cli_operands operands;
    char path[PATH_MAX];
    enum cli_status status = cli_parse(command, argc, argv, options, 1, 1, &operands);

    if (status == CLI_DONE)
        status = issuer_options_check(command, &order);
    if (status != CLI_DONE)
        return status;
    if (cli_directory(&operands, 0, path) != TSS2_RC_SUCCESS ||
        make(path, &order) != TSS2_RC_SUCCESS)
        return cli_failed();
    (void)printf("%s: a new TPM%s\n", path, order.none ? ", without endorsement certificates" : "");
    if (!order.none)
        (void)printf("its endorsement keys are certified by the CA in %s/%s\n", path, EK_CA_FILE);
    return CLI_DONE;
}
