#ifndef EMULATOR_ERROR_H
#define EMULATOR_ERROR_H

/* The TCTI interface has room for a number only. The sentence that belongs to
 * the last failure of this thread is kept here: what failed, why, what to do. */

/* Replaces the text; cut to 511 bytes. */
void error_set(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Puts "place: " before the present text. */
void error_prefix(const char *place);

/* The text, "" if nothing failed yet. Borrowed until the next failure. */
const char *error_text(void);

void error_clear(void);

#endif
