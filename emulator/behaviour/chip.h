#ifndef EMULATOR_BEHAVIOUR_CHIP_H
#define EMULATOR_BEHAVIOUR_CHIP_H

#include "emulator/directory.h"

#define CHIP_FILE "signet.chip"
#define CHIP_SESSIONS_MAX 64

/* What makes a state directory one chip for all connections with a profile: it
 * runs one command at a time, and remembers in which order sessions were saved.
 * Both are in a file of the directory: an flock on it for the length of a command
 * (gone with a process that is killed), and a table. Connections without a profile
 * know nothing of it. */
struct chip {
    struct directory directory;
    int fd; /* -1 but in the own turn: a forked child that had it would keep the turn */
};

#define CHIP_CLOSED                                                                                \
    {                                                                                              \
        .directory = DIRECTORY_CLOSED, .fd = -1                                                    \
    }

/* An error text names the directory. */
TSS2_RC chip_open(const struct directory *directory, struct chip *ret);
void chip_close(struct chip *chip);

bool chip_is_open(const struct chip *chip);

/* Waits for the turn. False if the file cannot be had any more; nothing is then
 * to be given back. */
bool chip_take(struct chip *chip);
void chip_give(struct chip *chip);

/* The saved sessions that clients have, and when each was saved, in saves. */
struct chip_sessions {
    uint32_t version;
    uint32_t saves;
    struct chip_session {
        uint32_t handle; /* 0: a free row */
        uint32_t saved;
    } rows[CHIP_SESSIONS_MAX];
};

/* Reading gives an empty table if there is none. To be called in the own turn. */
void chip_read_sessions(const struct chip *chip, struct chip_sessions *ret);
void chip_write_sessions(const struct chip *chip, const struct chip_sessions *sessions);

#endif
