#ifndef EMULATOR_BEHAVIOUR_LINE_H
#define EMULATOR_BEHAVIOUR_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tss2/tss2_common.h>

/* A line of a fault schedule as words, and what single words can say. */

#define LINE_WORDS_MAX 24
#define WORD_ROOM 48
#define BILLION 1000000000u

/* A slice of the text; not terminated. */
struct word {
    const char *start;
    size_t length;
};

struct line {
    const char *file;
    unsigned number;
    unsigned count;
    unsigned at; /* the next word */
    struct word words[LINE_WORDS_MAX];
};

/* Takes what is between start and end into words, up to a comment; file and number
 * stay. TSS2_TCTI_RC_BAD_VALUE with an error text for what is no text. */
TSS2_RC line_split(const char *start, const char *end, struct line *line);

bool line_ends(const struct line *line);

/* Steps over these words if they come next; a blank is between them. */
bool line_take(struct line *line, const char *phrase);

/* The next word is not what could stand there: TSS2_TCTI_RC_BAD_VALUE, with
 * "FILE:LINE: 'WORD' WHAT; expected: EXPECTED" as error text. */
TSS2_RC line_refuse(const struct line *line, const char *what, const char *expected);

/* Steps over a number between these, or refuses what is there instead. */
TSS2_RC line_number(struct line *line, uint32_t least, uint32_t most, uint32_t *ret);

/* The word as a string; false if there is no room for it. */
bool word_copy(struct word word, char *ret, size_t room);

/* The word's beginning, fit to be shown. */
void word_show(struct word word, char ret[WORD_ROOM]);

/* "250", "0xfa" */
bool word_number(struct word word, uint64_t *ret);

/* "0.01", in units of 10^-9, whatever the locale says of decimal points. */
bool word_probability(struct word word, uint32_t *ret);

/* "40us", "250ms", "2s", up to 600s, in microseconds. */
bool word_time(struct word word, uint64_t *ret);

#endif
