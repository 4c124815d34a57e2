#ifndef EMULATOR_STEP_H
#define EMULATOR_STEP_H

#include "emulator/instance.h"
#include "emulator/kinds.h"

/* One command on its way through the resource manager. */
struct step {
    struct connection *connection;
    const struct message *message;
    struct command command;
    enum command_kind kind;
    struct message translated; /* the command with the TPM's handles */
    struct object *pinned[COMMAND_HANDLES_MAX];
    struct object *made;
};

/* Runs the command in the TPM's copy as it is, with the TPM's handles in the place
 * of the connection's, and gives what it made a handle of the connection's. Always
 * gives a response. */
void step_execute(struct step *step, struct message *response);

/* Takes back what the connection got by it. */
void step_undo(struct step *step);

#endif
