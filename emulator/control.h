#ifndef EMULATOR_CONTROL_H
#define EMULATOR_CONTROL_H

#include "emulator/directory.h"

#include <stdatomic.h>

#define CONTROL_FILE "signet.state"
#define VOLATILE_STATE_MAX (128u * 1024)
#define SESSIONS_MAX 64
#define SESSION_CONTEXT_MAX 4096
#define BOOT_ID_SIZE 40

/* A session that somebody has loaded. */
struct session_row {
    uint32_t handle; /* 0: the row is free */
    uint32_t connection;
    uint64_t owner;      /* of the process; 0: the bare TPM's, nobody cleans it up */
    uint32_t used;       /* the generation that its last use published */
    struct blob context; /* while it is saved to make room; else empty */
};

void session_rows_free(struct session_row rows[SESSIONS_MAX]);

/* Replaces *to by a copy. TSS2_TCTI_RC_MEMORY: *to is then empty. */
TSS2_RC session_rows_copy(struct session_row to[SESSIONS_MAX],
                          const struct session_row from[SESSIONS_MAX]);

/* All that makes the running TPM, apart from the connections' own objects. */
struct tpm_state {
    struct blob permanent;
    struct blob running; /* libtpms' volatile state */
    struct session_row sessions[SESSIONS_MAX];
    char boot_id[BOOT_ID_SIZE];
};

#define TPM_STATE_EMPTY                                                                            \
    {                                                                                              \
        .permanent = {NULL, 0}, .running = { NULL, 0 }                                             \
    }

void tpm_state_free(struct tpm_state *state);
#define TPM_STATE_SCOPE __attribute__((cleanup(tpm_state_free)))

/* What became of a publish that replaces the permanent file as well. */
enum control_mark {
    CONTROL_SETTLED,
    CONTROL_UNDER_WAY, /* its process is at it, or was killed at it */
    CONTROL_WITHDRAWN, /* it failed; what it may have left in the file is to be undone */
};

/* The control file, mapped by every process on a state directory: one word that
 * says which of two slots is the present state. A publish writes the idle slot,
 * then stores the word; a process killed between the two has changed nothing.
 *
 * The word is {hard generation, generation}, each 32 bits. The generation moves
 * with every publish; the hard one with those that commands on own objects can
 * notice (kinds.h). The state's slot is generation & 1. */
struct control {
    int fd;
    struct control_page *page;
    const char *path; /* the directory's, borrowed from it, for error texts */
    bool sync_next;   /* the next state to write is to outlast a power loss */
};

#define CONTROL_CLOSED                                                                             \
    {                                                                                              \
        .fd = -1, .page = NULL, .path = NULL, .sync_next = false                                   \
    }

static inline uint32_t control_generation(uint64_t word)
{
    return (uint32_t)word;
}

static inline uint32_t control_hard_generation(uint64_t word)
{
    return (uint32_t)(word >> 32);
}

/* 0 means that nothing was ever published; 2 has its slot. */
static inline uint32_t control_next_generation(uint32_t generation)
{
    return generation + 1 != 0 ? generation + 1 : 2;
}

/* Opens and maps the control file; makes it if it is missing or of another
 * version. The caller holds the directory's lock; the directory stays where it is. */
TSS2_RC control_open(const struct directory *directory, struct control *ret);
void control_close(struct control *control);

/* The present word; 0 if nothing was ever published. Needs no lock. */
uint64_t control_word(const struct control *control);

/* Is the file still the one that others would open? */
bool control_is_linked(const struct control *control);

/* Reads the slot of a generation. TSS2_TCTI_RC_IO_ERROR if it does not hold a
 * whole state of just that generation. */
TSS2_RC control_read(const struct control *control, uint32_t generation, struct tpm_state *ret);

/* Writes the state as that of a generation, durably if sync_next is set, which it
 * takes back. Nobody sees it before control_flip. */
TSS2_RC control_write(struct control *control, uint32_t generation, const struct tpm_state *state);

/* Makes the generation the present one, and settled; returns the new word. */
uint64_t control_flip(const struct control *control, uint32_t generation, bool hard);

/* Notes, for those who come after a killed process, how far a publish is. */
void control_set_mark(const struct control *control, enum control_mark mark, uint32_t generation);

/* The mark, if it is of the publish after the present one, and its generation. */
enum control_mark control_mark(const struct control *control, uint32_t *ret_generation);

/* What clients were told of TPMS_TIME_INFO's time and clock, in milliseconds, by
 * whatever process. */
struct control_clock {
    uint64_t time;
    uint64_t clock;
};

struct control_clock control_clock(const struct control *control);
void control_set_clock(const struct control *control, struct control_clock told);

#endif
