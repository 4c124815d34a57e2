/* Forked children that report what they found. */
#ifndef CONFORMANCE_API_CHILDREN_H
#define CONFORMANCE_API_CHILDREN_H

#include <sys/types.h>

#include "conformance/api/client.h"

/* In a child: prints a wrong answer and ends the child. */
#define child_rv(call, ...) child_check(__FILE__, __LINE__, #call, (call), CODES(__VA_ARGS__))
#define child_true(what) child_check(__FILE__, __LINE__, #what, !(what), CODES(0))
void child_check(const char *file, int line, const char *call, CK_RV got, const CK_RV *allowed,
                 size_t allowed_count);

/* Undoes the framework's handlers until the next test: in a child they would
 * go on with the parent's tests, in a thread they end the program in silence. */
void let_signals_kill(void);

/* Runs the function in a child, which ends with _exit(0) after it, or with a
 * signal when it hangs for this many seconds. */
#define CHILD_SECONDS 60
pid_t start_child(void (*function)(void));
/* True when the child ended with status 0; says how it ended otherwise. */
bool child_ended_well(pid_t child);
void run_child(void (*function)(void));

#endif
