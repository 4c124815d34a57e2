/* The log: off unless asked for. One line has time, process, room, level and
 * one sentence; never a PIN, a key, or an authorisation. */
#ifndef SIGNET_BASE_LOG_H
#define SIGNET_BASE_LOG_H

#include <stdbool.h>

#include "token/base/compiler.h"

enum log_level { LOG_OFF, LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Reads "error", "warning", "info", "debug" or "off"; false for anything else. */
bool log_level_parse(const char *word, enum log_level *ret_level);

/* Directs the log to "stderr", "syslog", or appends to a file (made 0600).
 * NULL or "" turns it off. A file that cannot be opened leaves the log off and
 * answers false: a log must never stop the program that wanted it. */
bool log_open(const char *target, enum log_level level);
void log_close(void);

/* Also gives each error and warning to `listener`, without time, process and level,
 * wherever the log goes; NULL ends that. For a program of one thread. */
typedef void (*log_listener)(void *context, const char *text);
void log_listen(log_listener listener, void *context);

/* True if a line of this level would be written: lets callers spare the work. */
bool log_enabled(enum log_level level);

/* Writes one line; control characters in it become '?'. Thread-safe. */
void log_line(enum log_level level, const char *room, const char *format, ...) PRINTF(3, 4);

#endif
