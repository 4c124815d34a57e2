/* The text of an entry file: a header, groups of `name = value` lines, PEM blocks.
 * Words and lines only; what they mean is the business of the rooms above.
 *
 *   Signet entry 1
 *   token = 3f0c…
 *
 *   [private key]
 *   label = "web server"
 *   id = hex:0a0b
 *   -----BEGIN TSS2 PRIVATE KEY-----
 *   …
 */
#ifndef SIGNET_STORE_ENTRY_H
#define SIGNET_STORE_ENTRY_H

#include "token/base/bytes.h"
#include "token/base/reason.h"

#define ENTRY_VERSION 1
#define ENTRY_MAX_GROUPS 64
#define ENTRY_MAX_LINES 256 /* in a group */

/* name and value without surrounding blanks, as they stand in the text. */
struct entry_line {
    struct view name;
    struct view value;
    unsigned line;
};

/* pem: the group's blocks with their BEGIN and END lines, as one piece of the text;
 * empty if it has none. groups[0] is the header: kind empty. */
struct entry_group {
    struct view kind;
    unsigned line;
    struct entry_line *lines;
    size_t line_count;
    struct view pem;
};

/* Everything but the arrays is borrowed from the text. */
struct entry {
    struct entry_group *groups;
    size_t group_count;
};

/* Does it begin with the header of an entry file, of whatever version? */
bool entry_recognise(struct view text);

/* CKR_DATA_INVALID with the reason and line for what is malformed, or of a version
 * that this one does not know (then nothing of it may be used or replaced). The
 * caller clears it. */
CHECKED CK_RV entry_parse(struct view text, struct entry *ret_entry, struct reason *reason);
void entry_clear(struct entry *entry);

/* The value of a line, or NULL data. */
struct view entry_value(const struct entry_group *group, const char *name);

/* Writing: the header, then groups, then their lines and PEM, appended to `text`.
 * Names and kinds are of the caller's own; a value with a line break is
 * CKR_DATA_INVALID. */
CHECKED CK_RV entry_write_header(struct bytes *text);
CHECKED CK_RV entry_write_group(struct bytes *text, const char *kind);
CHECKED CK_RV entry_write_line(struct bytes *text, const char *name, struct view value);
CHECKED CK_RV entry_write_pem(struct bytes *text, struct view pem);

#endif
