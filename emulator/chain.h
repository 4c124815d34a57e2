#ifndef EMULATOR_CHAIN_H
#define EMULATOR_CHAIN_H

#include "emulator/conf.h"
#include "emulator/connection.h"
#include "emulator/stage.h"

/* The stages that a configuration asks for, with a connection as the last. */
struct chain {
    struct stage *first;
    struct connection *connection;
};

/* Failures have an error text; *ret is then untouched. */
TSS2_RC chain_open(const struct conf *conf, struct chain *ret);
void chain_close(struct chain *chain);

#endif
