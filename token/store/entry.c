#include "token/store/entry.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "token/store/entry_line.h"
#include "token/store/utf8.h"

#define SHOWN_MAX 40 /* bytes of a word in a reason */

struct entry_reader {
    struct line_reader lines;
    struct entry *entry;
    const uint8_t *pem_end; /* of the group at hand, if its PEM can still go on */
    struct reason *reason;
};

static CK_RV malformed(struct entry_reader *reader, unsigned line, const char *format, ...)
    PRINTF(3, 4);

static CK_RV malformed(struct entry_reader *reader, unsigned line, const char *format, ...)
{
    char text[REASON_MAX_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    reason_set(reader->reason, "%s", text);
    if (reader->reason)
        reader->reason->line = line;
    return CKR_DATA_INVALID;
}

/* How much of a word a reason shows: no half characters. */
static int shown(struct view word)
{
    size_t size = word.size < SHOWN_MAX ? word.size : SHOWN_MAX;
    while (size < word.size && size > 0 && (word.data[size] & 0xc0) == 0x80)
        size--;
    return (int)size;
}

/* Makes room for one more element; NULL without memory. */
static void *grow(void *array, size_t count, size_t size)
{
    if (count & (count - 1))
        return array;
    return realloc(array, (count ? 2 * count : 1) * size);
}

static struct entry_group *current(struct entry_reader *reader)
{
    return &reader->entry->groups[reader->entry->group_count - 1];
}

static CK_RV add_group(struct entry_reader *reader, struct view kind)
{
    struct entry *entry = reader->entry;
    if (entry->group_count >= ENTRY_MAX_GROUPS)
        return malformed(reader, reader->lines.line, "there are more than %d groups",
                         ENTRY_MAX_GROUPS - 1);
    struct entry_group *groups = grow(entry->groups, entry->group_count, sizeof(*groups));
    if (!groups)
        return CKR_HOST_MEMORY;
    entry->groups = groups;
    groups[entry->group_count++] = (struct entry_group){.kind = kind, .line = reader->lines.line};
    reader->pem_end = NULL;
    return CKR_OK;
}

static CK_RV read_group(struct entry_reader *reader, struct view line)
{
    const uint8_t *end = memchr(line.data, ']', line.size);
    struct view kind = {0};
    if (end)
        kind = line_trim(view_of(line.data + 1, (size_t)(end - line.data) - 1));
    if (!end || end != line.data + line.size - 1 || !kind.size)
        return malformed(reader, reader->lines.line,
                         "a group begins with '[its kind]' and no more");
    return add_group(reader, kind);
}

static CK_RV add_line(struct entry_reader *reader, struct view name, struct view value)
{
    struct entry_group *group = current(reader);
    unsigned number = reader->lines.line;
    for (size_t i = 0; i < group->line_count; i++)
        if (view_equal(group->lines[i].name, name))
            return malformed(reader, number, "'%.*s' was given already, at line %u", shown(name),
                             (const char *)name.data, group->lines[i].line);
    if (group->line_count >= ENTRY_MAX_LINES)
        return malformed(reader, number, "the group has more than %d lines", ENTRY_MAX_LINES);
    struct entry_line *lines = grow(group->lines, group->line_count, sizeof(*lines));
    if (!lines)
        return CKR_HOST_MEMORY;
    group->lines = lines;
    lines[group->line_count++] = (struct entry_line){.name = name, .value = value, .line = number};
    return CKR_OK;
}

static CK_RV read_value(struct entry_reader *reader, struct view line)
{
    const uint8_t *equals = memchr(line.data, '=', line.size);
    if (!equals)
        return malformed(reader, reader->lines.line,
                         "'%.*s' is neither 'name = value', nor a [group], nor PEM, nor a comment",
                         shown(line), (const char *)line.data);
    size_t at = (size_t)(equals - line.data);
    struct view name = line_trim(view_of(line.data, at));
    if (!name.size || line_starts(name, "-----"))
        return malformed(reader, reader->lines.line, "there is no name before '='");
    reader->pem_end = NULL;
    return add_line(reader, name, line_trim(view_of(equals + 1, line.size - at - 1)));
}

/* The blocks of a group are one piece of the text: what stands between two of them
 * would be lost when the piece is written again. */
static CK_RV read_pem(struct entry_reader *reader, struct view line)
{
    struct entry_group *group = current(reader);
    unsigned number = reader->lines.line;
    if (!line_is_pem(line))
        return malformed(reader, number, "'%.*s' does not begin a PEM block", shown(line),
                         (const char *)line.data);
    if (group->pem.data && !reader->pem_end)
        return malformed(reader, number,
                         "the PEM blocks of a group have to follow each other, without lines "
                         "between them");
    if (!line_take_pem(&reader->lines, line))
        return malformed(
            reader, number,
            "the PEM block that begins here is damaged or truncated: no such END line");
    const uint8_t *start = group->pem.data ? group->pem.data : line.data;
    reader->pem_end = reader->lines.rest.data;
    group->pem = view_of(start, (size_t)(reader->pem_end - start));
    return CKR_OK;
}

static CK_RV read_line(struct entry_reader *reader, struct view line)
{
    if (!utf8_is_line(line))
        return malformed(reader, reader->lines.line,
                         "the line holds a control character or is not UTF-8");
    if (line_is_comment(line))
        return CKR_OK;
    if (line_starts(line, "-----"))
        return read_pem(reader, line);
    line = line_trim(line);
    return line.data[0] == '[' ? read_group(reader, line) : read_value(reader, line);
}

/* A number of any size: what is above all that is known is a later version, too. */
static CK_RV read_version(struct entry_reader *reader, struct view number)
{
    unsigned version = 0;
    bool is_number = number.size > 0 && number.data[0] != '0';
    for (size_t i = 0; i < number.size; i++) {
        is_number = is_number && number.data[i] >= '0' && number.data[i] <= '9';
        if (version <= ENTRY_VERSION)
            version = 10 * version + (unsigned)(number.data[i] - '0');
    }
    if (!is_number)
        return malformed(reader, 1, "the first line has to be '" ENTRY_HEADER " %d'",
                         ENTRY_VERSION);
    if (version <= ENTRY_VERSION)
        return CKR_OK;
    return malformed(reader, 1,
                     "written by a newer version of Signet (format %.*s; this one knows %d)",
                     shown(number), (const char *)number.data, ENTRY_VERSION);
}

static struct view without_mark(struct view text)
{
    static const char byte_order_mark[] = "\xef\xbb\xbf";
    return line_starts(text, byte_order_mark) ? view_of(text.data + 3, text.size - 3) : text;
}

bool entry_recognise(struct view text)
{
    size_t size = sizeof(ENTRY_HEADER) - 1;
    text = without_mark(text);
    if (!line_starts(text, ENTRY_HEADER))
        return false;
    return text.size == size || memchr(" \t\r\n", text.data[size], 4);
}

static CK_RV read_entry(struct entry_reader *reader)
{
    struct view line;
    if (!entry_recognise(reader->lines.rest) || !line_next(&reader->lines, &line))
        return read_version(reader, (struct view){0});
    size_t size = sizeof(ENTRY_HEADER) - 1;
    CK_RV rv = read_version(reader, line_trim(view_of(line.data + size, line.size - size)));
    if (rv == CKR_OK)
        rv = add_group(reader, (struct view){0});
    while (rv == CKR_OK && line_next(&reader->lines, &line))
        rv = read_line(reader, line);
    return rv;
}

CK_RV entry_parse(struct view text, struct entry *ret_entry, struct reason *reason)
{
    struct entry entry = {0};
    struct entry_reader reader = {
        .lines = {.rest = without_mark(text)},
        .entry = &entry,
        .reason = reason,
    };
    CK_RV rv = read_entry(&reader);
    if (rv != CKR_OK) {
        entry_clear(&entry);
        return rv;
    }
    *ret_entry = entry;
    return CKR_OK;
}

void entry_clear(struct entry *entry)
{
    for (size_t i = 0; i < entry->group_count; i++)
        free(entry->groups[i].lines);
    free(entry->groups);
    *entry = (struct entry){0};
}

struct view entry_value(const struct entry_group *group, const char *name)
{
    for (size_t i = 0; i < group->line_count; i++)
        if (view_equal(group->lines[i].name, view_string(name)))
            return group->lines[i].value;
    return (struct view){0};
}
