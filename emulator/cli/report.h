#ifndef EMULATOR_CLI_REPORT_H
#define EMULATOR_CLI_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Facts, one after the other, as text for people or as JSON. A key is a word in
 * lower case with "_"; inside of a list it is NULL. Any bytes may stand in a
 * value: what a terminal or JSON would not bear is replaced. */

#define REPORT_DEPTH_MAX 8

struct report {
    FILE *out;
    bool json;
    unsigned depth;
    bool row;                     /* text: all values on one line */
    bool begun[REPORT_DEPTH_MAX]; /* something stands before, at this depth */
    char closing[REPORT_DEPTH_MAX];
};

void report_open(struct report *report, FILE *out, bool json);
void report_close(struct report *report);

/* Facts that belong together, until report_end. */
void report_group(struct report *report, const char *key);
void report_list(struct report *report, const char *key);

/* A group in a list, of few facts: one line of text, without their keys. */
void report_row(struct report *report);
void report_end(struct report *report);

void report_text(struct report *report, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void report_number(struct report *report, const char *key, uint64_t value);
void report_flag(struct report *report, const char *key, bool value);

/* Words joined with "|": in JSON a list of strings. */
void report_words(struct report *report, const char *key, const char *words);

/* A time span: in JSON its milliseconds, as text "1 d 02:03:04". */
void report_span(struct report *report, const char *key, uint64_t milliseconds);

#endif
