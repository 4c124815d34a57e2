#ifndef EMULATOR_BEHAVIOUR_WATCH_H
#define EMULATOR_BEHAVIOUR_WATCH_H

#include "emulator/conf.h"
#include "emulator/connection.h"
#include "emulator/stage.h"

/* The outermost stage: notes every command as the client sees it, with the time
 * it took, in what conf.trace, conf.pcap and conf.counters name. *ret stays NULL
 * if they name nothing. A file that cannot be opened or written to is an error
 * here with an error text; later it disturbs no command. */
TSS2_RC watch_open(const struct conf *conf, struct connection *connection, struct stage **ret);

/* The same with the table of commands alone. */
TSS2_RC watch_new(const struct conf *conf, const struct command_attributes *commands,
                  struct stage **ret);

#endif
