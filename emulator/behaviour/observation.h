#ifndef EMULATOR_BEHAVIOUR_OBSERVATION_H
#define EMULATOR_BEHAVIOUR_OBSERVATION_H

#include "emulator/command.h"

/* One command and its answer as the client sees them. The connection is the
 * how-manieth watched one of the process. */
struct observation {
    uint64_t started;  /* nanoseconds since 1970, UTC */
    uint64_t duration; /* nanoseconds */
    uint32_t process;
    uint32_t connection;
    struct command command;
    const struct message *sent;
    const struct message *answer; /* NULL: none will come */
};

/* Did the TPM do what was asked for? */
static inline bool observation_is_success(const struct observation *seen)
{
    return seen->answer && seen->answer->size >= HEADER_SIZE && response_code(seen->answer) == 0;
}

#endif
