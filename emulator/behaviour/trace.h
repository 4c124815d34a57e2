#ifndef EMULATOR_BEHAVIOUR_TRACE_H
#define EMULATOR_BEHAVIOUR_TRACE_H

#include "emulator/behaviour/observation.h"

#include <tss2/tss2_common.h>

/* A text file with one line for each command of all processes that name it:
 *
 *   2026-02-03T04:05:06.123456Z pid=71 conn=1 Sign handles=80000000 new=-
 *       sessions=1 in=91 out=10 us=455 rc=0x98e AUTH_FAIL session 1
 *
 * (in one line). It says no more of a command than that: no parameter (but
 * the handle that is flushed), so no authorization and no data. Lines sort by time; handles are
 * separated by commas. In the place of the code stands "no answer", or "no code" of one too short
 * for it. The codes of commands without a name are written 0x20001234. */
struct trace;

/* "-" is stderr. Failures have an error text. */
TSS2_RC trace_open(const char *path, struct trace **ret);
void trace_close(struct trace *trace);

/* Appends the line. One that cannot be written is dropped; when writing works
 * again, a line says how many were. */
void trace_note(struct trace *trace, const struct observation *seen);

/* The line, with its end and a NUL. Returns its length. */
#define TRACE_LINE_MAX 512
size_t trace_line(const struct observation *seen, char text[TRACE_LINE_MAX]);

#endif
