/* What is wrong with a token that is served all the same: for the log, and for `signet
 * doctor`, which lists it. */
#ifndef SIGNET_SESSION_PROBLEM_H
#define SIGNET_SESSION_PROBLEM_H

#include <stddef.h>

#include "token/base/reason.h"

#define PROBLEMS_MAX 1000

/* file: of a token directory, or NULL for the token as a whole. reason.line is a line of
 * that file, 0 for none in particular. */
struct problem {
    char *file;
    struct reason reason;
};

/* dropped: how many there were beyond PROBLEMS_MAX. Zeroed: none. */
struct problems {
    struct problem *list;
    size_t count;
    size_t dropped;
};

/* Keeps a copy; without memory, or above the maximum, it is counted only. A file has one
 * problem: a later one takes the place of the earlier. */
void problems_add(struct problems *problems, const char *file, const struct reason *reason);

/* Forgets what was wrong with this file (NULL: with the token). */
void problems_remove(struct problems *problems, const char *file);

void problems_clear(struct problems *problems);

#endif
