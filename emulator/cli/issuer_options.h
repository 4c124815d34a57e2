#ifndef EMULATOR_CLI_ISSUER_OPTIONS_H
#define EMULATOR_CLI_ISSUER_OPTIONS_H

#include "emulator/cli/cli.h"
#include "emulator/identity/ek.h"

/* A CA is a key and a certificate; and it has no use without endorsement keys. */
static inline enum cli_status issuer_options_check(const struct cli_command *command,
                                                   const struct ek_order *order)
{
    if (!order->ca_key != !order->ca_certificate)
        return cli_usage(command, "--ca-key and --ca-certificate belong together");
    if (order->ca_key && order->none)
        return cli_usage(command, "--no-ek needs no CA");
    return CLI_DONE;
}

#endif
