#include "emulator/chain.h"

#include "emulator/behaviour/faults.h"
#include "emulator/behaviour/profile.h"
#include "emulator/behaviour/profile_stage.h"
#include "emulator/behaviour/watch.h"

#include <stdlib.h>

/* The last stage: runs the command on the connection. */
struct last_stage {
    struct stage stage;
    struct connection *connection;
};

static void last_run(struct stage *stage, struct exchange *exchange)
{
    struct last_stage *last = (struct last_stage *)(void *)stage;

    connection_run(last->connection, exchange->command, exchange->response);
}

static void last_close(struct stage *stage)
{
    connection_close(((struct last_stage *)(void *)stage)->connection);
    free(stage);
}

static const struct stage_operations last_operations = {last_run, last_close};

static TSS2_RC last_open(const struct conf *conf, struct chain *chain)
{
    struct last_stage *last = calloc(1, sizeof(*last));
    struct tpm_order order = {.endorsement.none = conf->no_ek};
    TSS2_RC rc;

    if (!last)
        return TSS2_TCTI_RC_MEMORY;
    (void)profile_lockout(conf->profile, &order.lockout);
    rc = connection_open(conf, &order, &last->connection);
    if (rc != TSS2_RC_SUCCESS) {
        free(last);
        return rc;
    }
    last->stage.operations = &last_operations;
    chain->connection = last->connection;
    chain->first = &last->stage;
    return TSS2_RC_SUCCESS;
}

/* What can be put before the connection, from the TPM to the client. An opener
 * leaves *ret NULL if the configuration does not ask for its stage. */
typedef TSS2_RC (*stage_opener)(const struct conf *conf, struct connection *connection,
                                struct stage **ret);
static const stage_opener openers[] = {
    profile_open,
    faults_open,
    watch_open,
};

TSS2_RC chain_open(const struct conf *conf, struct chain *ret)
{
    struct chain chain = {NULL, NULL};
    TSS2_RC rc = profile_check(conf);

    if (rc == TSS2_RC_SUCCESS)
        rc = last_open(conf, &chain);
    for (size_t i = 0; rc == TSS2_RC_SUCCESS && i < sizeof(openers) / sizeof(openers[0]); i++) {
        struct stage *stage = NULL;

        rc = openers[i](conf, chain.connection, &stage);
        if (stage) {
            stage->next = chain.first;
            chain.first = stage;
        }
    }
    if (rc == TSS2_RC_SUCCESS)
        *ret = chain;
    else
        chain_close(&chain);
    return rc;
}

void chain_close(struct chain *chain)
{
    while (chain->first) {
        struct stage *stage = chain->first;

        chain->first = stage->next;
        stage->operations->close(stage);
    }
    chain->connection = NULL;
}
