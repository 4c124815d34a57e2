/* Lines of an entry file, for its reader and its writer. */
#ifndef SIGNET_STORE_ENTRY_LINE_H
#define SIGNET_STORE_ENTRY_LINE_H

#include "token/base/bytes.h"

#define ENTRY_HEADER "Signet entry"

/* What is left of a text, and the number of the line read last. */
struct line_reader {
    struct view rest;
    unsigned line;
};

/* The next line without its end (LF or CRLF) and the blanks before that; false at the
 * end of the text. */
bool line_next(struct line_reader *reader, struct view *ret_line);
struct view line_trim(struct view text);
bool line_is_comment(struct view line);
bool line_starts(struct view line, const char *text);

/* With `begin` read: takes the lines of a PEM block up to its END line. False if it
 * has none of the same label, or holds what is no text. */
bool line_is_pem(struct view begin);
bool line_take_pem(struct line_reader *reader, struct view begin);

#endif
