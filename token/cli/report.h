/* What `signet doctor` prints: headings and facts, unless only problems were asked for,
 * and problems, which it counts. */
#ifndef SIGNET_CLI_REPORT_H
#define SIGNET_CLI_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "token/base/compiler.h"

/* path: the configuration's, in front of problems; section: its name, or NULL. */
struct report {
    bool quiet;
    const char *path;
    const char *section;
    size_t problems;
};

/* A line at the left edge. */
void report_heading(const struct report *report, const char *format, ...) PRINTF(2, 3);

/* An indented line: a word in a column of its own, and what there is to say. */
void report_fact(const struct report *report, const char *word, const char *format, ...)
    PRINTF(3, 4);

/* `line` of the configuration, 0 if it is about none in particular. Quiet, the line says
 * file, line and section itself: FILE:LINE: [SECTION]: text. */
void report_problem(struct report *report, unsigned line, const char *format, ...) PRINTF(3, 4);

/* The same for a line (or 0) of another file. */
void report_file_problem(struct report *report, const char *file, unsigned line, const char *text);

#endif
