#include "emulator/behaviour/schedule.h"

#include "emulator/behaviour/line.h"
#include "emulator/error.h"
#include "emulator/names.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_MAX 1000000000u
#define LENGTH_MAX 10000u
#define NO_ANSWER_TIME 1000000u

/* --- WHICH ---------------------------------------------------------------- */

static TSS2_RC read_command(struct line *line, struct word word, struct rule *rule)
{
    char name[WORD_ROOM];

    if (rule->command_count == RULE_COMMANDS_MAX)
        return line_refuse(line, "has too many commands", "at most 16 of them; or a second rule");
    if (!word_copy(word, name, sizeof(name)) ||
        !command_from_name(name, &rule->commands[rule->command_count])) {
        char shown[WORD_ROOM];

        word_show(word, shown);
        error_set("%.200s:%u: there is no command '%s'; expected: names as NV_Write (TPM 2.0 "
                  "Library part 2, TPM_CC) or numbers, with commas and no blanks between them, or "
                  "any",
                  line->file, line->number, shown);
        return TSS2_TCTI_RC_BAD_VALUE;
    }
    rule->command_count++;
    return TSS2_RC_SUCCESS;
}

static TSS2_RC read_which(struct line *line, struct rule *rule)
{
    struct word list = line->words[0];
    const char *end = list.start + list.length;
    TSS2_RC rc = TSS2_RC_SUCCESS;

    if (line_take(line, "any"))
        return rc;
    for (const char *at = list.start; rc == TSS2_RC_SUCCESS && at <= end;) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *stop = comma ? comma : end;

        rc = read_command(line, (struct word){at, (size_t)(stop - at)}, rule);
        at = stop + 1;
    }
    line->at++;
    return rc;
}

/* --- WHEN ----------------------------------------------------------------- */

static TSS2_RC read_probability(struct line *line, struct rule *rule)
{
    rule->when = WHEN_PROBABILITY;
    if (line_ends(line) || !word_probability(line->words[line->at], &rule->number))
        return line_refuse(line, "is no probability",
                           "0 to 1, with up to 9 places after the point");
    line->at++;
    return TSS2_RC_SUCCESS;
}

static TSS2_RC read_when(struct line *line, struct rule *rule)
{
    TSS2_RC rc = TSS2_RC_SUCCESS;

    rule->when = WHEN_FROM;
    rule->number = 1;
    rule->length = 1;
    if (line_take(line, "at")) {
        rc = line_number(line, 1, NUMBER_MAX, &rule->number);
    } else if (line_take(line, "every")) {
        rule->when = WHEN_EVERY;
        rc = line_number(line, 1, NUMBER_MAX, &rule->number);
    } else if (line_take(line, "probability")) {
        rc = read_probability(line, rule);
    } else {
        rule->length = 0;
        if (line_take(line, "from"))
            rc = line_number(line, 1, NUMBER_MAX, &rule->number);
    }
    if (rc == TSS2_RC_SUCCESS && line_take(line, "for"))
        rc = line_number(line, 1, LENGTH_MAX, &rule->length);
    return rc;
}

/* --- WHAT ----------------------------------------------------------------- */

static TSS2_RC read_code(struct line *line, struct rule *rule)
{
    char name[WORD_ROOM];

    if (line_ends(line) || !word_copy(line->words[line->at], name, sizeof(name)) ||
        !response_code_from_name(name, &rule->value))
        return line_refuse(line, "is no response code",
                           "a name as LOCKOUT (TPM 2.0 Library part 2, TPM_RC) or a number");
    line->at++;
    return TSS2_RC_SUCCESS;
}

static TSS2_RC read_time(struct line *line, struct rule *rule)
{
    if (line_ends(line) || !word_time(line->words[line->at], &rule->microseconds))
        return line_refuse(line, "is no time", "a time up to 600s, as 40us, 250ms or 2s");
    line->at++;
    return TSS2_RC_SUCCESS;
}

static TSS2_RC read_time_if_any(struct line *line, struct rule *rule)
{
    char first = line_ends(line) ? '\0' : line->words[line->at].start[0];

    rule->microseconds = NO_ANSWER_TIME;
    return first >= '0' && first <= '9' ? read_time(line, rule) : TSS2_RC_SUCCESS;
}

static TSS2_RC read_size(struct line *line, struct rule *rule)
{
    return line_number(line, 0, 4096, &rule->value);
}

static TSS2_RC read_disk_error(struct line *line, struct rule *rule)
{
    static const struct {
        const char *name;
        int error;
    } errors[] = {{"ENOSPC", ENOSPC}, {"EDQUOT", EDQUOT}, {"EIO", EIO}, {"EROFS", EROFS}};

    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
        if (line_take(line, errors[i].name)) {
            rule->value = (uint32_t)errors[i].error;
            return TSS2_RC_SUCCESS;
        }
    return line_refuse(line, "is no error of a disk", "ENOSPC, EDQUOT, EIO or EROFS");
}

static TSS2_RC read_operation_if_any(struct line *line, struct rule *rule)
{
    rule->value = 1;
    return line_ends(line) ? TSS2_RC_SUCCESS : line_number(line, 1, 1000, &rule->value);
}

/* The longer phrase before the one that it begins with. */
static const struct {
    const char *words;
    enum fault fault;
    TSS2_RC (*read)(struct line *line, struct rule *rule);
    bool can_follow_effect;
} faults[] = {
    {"answer", FAULT_ANSWER, read_code, true},
    {"no answer", FAULT_NO_ANSWER, read_time_if_any, true},
    {"delay", FAULT_DELAY, read_time, false},
    {"cut", FAULT_CUT, read_size, false},
    {"corrupt at", FAULT_CORRUPT_AT, read_size, false},
    {"corrupt", FAULT_CORRUPT, NULL, false},
    {"reset", FAULT_RESET, NULL, false},
    {"restart", FAULT_RESTART, NULL, false},
    {"resume", FAULT_RESUME, NULL, false},
    {"power loss", FAULT_POWER_LOSS, NULL, false},
    {"handles gone", FAULT_HANDLES_GONE, NULL, false},
    {"failure mode", FAULT_FAILURE_MODE, NULL, false},
    {"disk", FAULT_DISK, read_disk_error, false},
    {"die before", FAULT_DIE_BEFORE, NULL, false},
    {"die after", FAULT_DIE_AFTER, NULL, false},
    {"die in store", FAULT_DIE_IN_STORE, read_operation_if_any, false},
};

#define FAULT_PHRASES (sizeof(faults) / sizeof(faults[0]))

static TSS2_RC unknown_fault(const struct line *line)
{
    char known[320];
    size_t length = 0;

    for (size_t i = 0; i < FAULT_PHRASES; i++)
        length += (size_t)snprintf(known + length, sizeof(known) - length, "%s%s", i ? ", " : "",
                                   faults[i].words);
    return line_refuse(line, "is no fault", known);
}

static TSS2_RC read_what(struct line *line, struct rule *rule)
{
    TSS2_RC rc = TSS2_RC_SUCCESS;
    size_t i = 0;

    while (i < FAULT_PHRASES && !line_take(line, faults[i].words))
        i++;
    if (i == FAULT_PHRASES)
        return unknown_fault(line);
    rule->fault = faults[i].fault;
    if (faults[i].read)
        rc = faults[i].read(line, rule);
    if (rc == TSS2_RC_SUCCESS && faults[i].can_follow_effect)
        rule->after_effect = line_take(line, "after effect");
    return rc;
}

/* --- lines ---------------------------------------------------------------- */

static TSS2_RC read_rule(struct line *line, struct schedule *schedule)
{
    struct rule rule = {.command_count = 0};
    TSS2_RC rc;

    if (schedule->rule_count == SCHEDULE_RULES_MAX)
        return line_refuse(line, "begins one rule too many", "at most 256 rules");
    rc = read_which(line, &rule);
    if (rc == TSS2_RC_SUCCESS)
        rc = read_when(line, &rule);
    if (rc == TSS2_RC_SUCCESS)
        rc = read_what(line, &rule);
    if (rc == TSS2_RC_SUCCESS)
        schedule->rules[schedule->rule_count++] = rule;
    return rc;
}

static TSS2_RC read_seed(struct line *line, struct schedule *schedule)
{
    if (line_ends(line) || !word_number(line->words[line->at], &schedule->seed))
        return line_refuse(line, "is no seed", "a number below 2^64");
    line->at++;
    return TSS2_RC_SUCCESS;
}

static TSS2_RC read_count_file(struct line *line, struct schedule *schedule)
{
    if (schedule->count_file[0] != '\0')
        return line_refuse(line, "is a second file of counts", "one for all rules");
    if (line_ends(line) || !word_copy(line->words[line->at], schedule->count_file, PATH_MAX))
        return line_refuse(line, "is too long", "the path of a file, without blanks");
    line->at++;
    return TSS2_RC_SUCCESS;
}

static TSS2_RC read_line(struct line *line, struct schedule *schedule)
{
    TSS2_RC rc;

    if (line_take(line, "seed"))
        rc = read_seed(line, schedule);
    else if (line_take(line, "count in"))
        rc = read_count_file(line, schedule);
    else
        rc = read_rule(line, schedule);
    if (rc == TSS2_RC_SUCCESS && !line_ends(line))
        rc = line_refuse(line, "is too much", "the end of the line");
    return rc;
}

static TSS2_RC read_text(const char *name, const char *text, size_t size, struct schedule *schedule)
{
    struct line line = {.file = name};
    const char *end = text + size;
    TSS2_RC rc = TSS2_RC_SUCCESS;

    for (const char *at = text; rc == TSS2_RC_SUCCESS && at < end;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline ? newline : end;

        line.number++;
        rc = line_split(at, stop, &line);
        if (rc == TSS2_RC_SUCCESS && line.count > 0)
            rc = read_line(&line, schedule);
        at = stop + 1;
    }
    return rc;
}

TSS2_RC schedule_parse(const char *name, const char *text, size_t size, struct schedule **ret)
{
    struct schedule *schedule;
    TSS2_RC rc;

    if (size > SCHEDULE_SIZE_MAX) {
        error_set("%.200s: the schedule has %zu bytes; at most %u are read", name, size,
                  SCHEDULE_SIZE_MAX);
        return TSS2_TCTI_RC_BAD_VALUE;
    }
    schedule = calloc(1, sizeof(*schedule));
    if (!schedule) {
        error_set("%.200s: no memory for the schedule", name);
        return TSS2_TCTI_RC_MEMORY;
    }
    rc = read_text(name, text, size, schedule);
    if (rc == TSS2_RC_SUCCESS)
        *ret = schedule;
    else
        free(schedule);
    return rc;
}

/* --- what a schedule says ------------------------------------------------- */

bool rule_matches(const struct rule *rule, uint32_t code)
{
    for (unsigned i = 0; i < rule->command_count; i++)
        if (rule->commands[i] == code)
            return true;
    return rule->command_count == 0;
}

/* The finaliser of splitmix64. */
static uint64_t mix(uint64_t value)
{
    value += 0x9e3779b97f4a7c15u;
    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9u;
    value = (value ^ value >> 27) * 0x94d049bb133111ebu;
    return value ^ value >> 31;
}

uint64_t schedule_draw(const struct schedule *schedule, size_t place, uint64_t count)
{
    return mix(mix(mix(schedule->seed) + place) + count);
}

/* Did chance strike at this count, or so shortly before that it still lasts? */
static bool strikes(const struct schedule *schedule, size_t place, uint64_t count)
{
    const struct rule *rule = &schedule->rules[place];

    for (uint64_t back = 0; back < rule->length && back < count; back++)
        if (schedule_draw(schedule, place, count - back) % BILLION < rule->number)
            return true;
    return false;
}

bool schedule_is_due(const struct schedule *schedule, size_t place, uint64_t count)
{
    const struct rule *rule = &schedule->rules[place];

    switch (rule->when) {
    case WHEN_FROM:
        return count >= rule->number && (rule->length == 0 || count - rule->number < rule->length);
    case WHEN_EVERY:
        return count >= rule->number && count % rule->number < rule->length;
    case WHEN_PROBABILITY:
        return strikes(schedule, place, count);
    }
    return false;
}
