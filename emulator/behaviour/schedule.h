#ifndef EMULATOR_BEHAVIOUR_SCHEDULE_H
#define EMULATOR_BEHAVIOUR_SCHEDULE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tss2/tss2_common.h>

/* The text form of a fault schedule. A line is empty, a rule, or a setting; a
 * comment goes from # to the end of its line.
 *
 *   seed N             of all that is drawn
 *   count in FILE      counts over processes, in this file beside the schedule
 *   WHICH WHEN WHAT    a rule
 *
 * WHICH: any, or names and numbers of commands with commas between them.
 * WHEN:  nothing (always), at N, from N, every N, or probability 0.01; then, if
 *        wanted, for N: that many commands in a row instead of one (of `from`:
 *        instead of all).
 * WHAT:  answer CODE [after effect]    no answer [TIME] [after effect]
 *        delay TIME    cut SIZE    corrupt [at OFFSET]
 *        reset    restart    resume    power loss    handles gone    failure mode
 *        disk ERROR    die before    die after    die in store [N]
 *        TIME is as 40us, 250ms, 2s; ERROR is ENOSPC, EDQUOT, EIO or EROFS.
 *
 * Each rule counts the commands that match it, from 1, whatever other rules do
 * with them. All that is due acts, in the order of the file. Whether a rule is
 * due, and what it draws, depends on nothing but the seed, the rule's place
 * among the rules, and its count. */

#define SCHEDULE_SIZE_MAX (64u * 1024)
#define SCHEDULE_RULES_MAX 256
#define RULE_COMMANDS_MAX 16

enum rule_when {
    WHEN_FROM,        /* the command `number`; `length` in a row, all if that is 0 */
    WHEN_EVERY,       /* each `number`th; `length` in a row */
    WHEN_PROBABILITY, /* `number` of 10^9; `length` in a row */
};

enum fault {
    FAULT_ANSWER,     /* value: the response code */
    FAULT_NO_ANSWER,  /* microseconds: until the driver gives up */
    FAULT_DELAY,      /* microseconds */
    FAULT_CUT,        /* value: the size that is left */
    FAULT_CORRUPT,    /* one bit of the answer */
    FAULT_CORRUPT_AT, /* value: the offset of the byte that is inverted */
    FAULT_RESET,
    FAULT_RESTART,
    FAULT_RESUME,
    FAULT_POWER_LOSS,
    FAULT_HANDLES_GONE,
    FAULT_FAILURE_MODE,
    FAULT_DISK, /* value: the errno of what the command has to write */
    FAULT_DIE_BEFORE,
    FAULT_DIE_AFTER,
    FAULT_DIE_IN_STORE, /* value: in the midst of which operation on the disk */
    FAULTS,
};

struct rule {
    uint32_t commands[RULE_COMMANDS_MAX];
    unsigned command_count; /* 0: any command */
    enum rule_when when;
    uint32_t number;
    uint32_t length;
    enum fault fault;
    bool after_effect; /* the command is done, and its answer replaced */
    uint32_t value;
    uint64_t microseconds;
};

struct schedule {
    uint64_t seed;
    char count_file[PATH_MAX]; /* "" if none was named */
    size_t rule_count;
    struct rule rules[SCHEDULE_RULES_MAX];
};

/* Reads the text form; free(*ret) when done. TSS2_TCTI_RC_BAD_VALUE, with
 * "NAME:LINE: what is wrong, what was expected" as error text, and *ret
 * untouched, for what is not a schedule. */
TSS2_RC schedule_parse(const char *name, const char *text, size_t size, struct schedule **ret);

/* Does the rule count a command of this code? */
bool rule_matches(const struct rule *rule, uint32_t code);

/* Is the rule at this place due when it has counted this many commands? */
bool schedule_is_due(const struct schedule *schedule, size_t place, uint64_t count);

/* What the rule draws at this count. */
uint64_t schedule_draw(const struct schedule *schedule, size_t place, uint64_t count);

#endif
