#include "token/store/entry_line.h"

#include <string.h>

#include "token/store/utf8.h"

static const char begin_guard[] = "-----BEGIN ", end_guard[] = "-----END ", dashes[] = "-----";

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static struct view trim_end(struct view text)
{
    while (text.size && is_blank(text.data[text.size - 1]))
        text.size--;
    return text;
}

struct view line_trim(struct view text)
{
    while (text.size && is_blank(text.data[0]))
        text = view_of(text.data + 1, text.size - 1);
    return trim_end(text);
}

bool line_is_comment(struct view line)
{
    struct view text = line_trim(line);
    return text.size == 0 || text.data[0] == '#' || text.data[0] == ';';
}

bool line_next(struct line_reader *reader, struct view *ret_line)
{
    if (reader->rest.size == 0)
        return false;
    const uint8_t *start = reader->rest.data, *end = memchr(start, '\n', reader->rest.size);
    size_t size = end ? (size_t)(end - start) : reader->rest.size;
    size_t used = end ? size + 1 : size;
    reader->rest = view_of(start + used, reader->rest.size - used);
    reader->line++;
    if (size && start[size - 1] == '\r')
        size--;
    *ret_line = trim_end(view_of(start, size));
    return true;
}

bool line_starts(struct view line, const char *text)
{
    size_t size = strlen(text);
    return line.size >= size && memcmp(line.data, text, size) == 0;
}

/* The label between a guard and the dashes, or NULL data. */
static struct view label_of(struct view line, const char *guard)
{
    size_t front = strlen(guard), back = sizeof(dashes) - 1;
    if (!line_starts(line, guard) || line.size <= front + back ||
        memcmp(line.data + line.size - back, dashes, back) != 0)
        return (struct view){0};
    return view_of(line.data + front, line.size - front - back);
}

bool line_is_pem(struct view begin)
{
    return label_of(begin, begin_guard).data != NULL;
}

bool line_take_pem(struct line_reader *reader, struct view begin)
{
    struct view label = label_of(begin, begin_guard);
    struct view line;
    while (line_next(reader, &line)) {
        if (!utf8_is_line(line) || line_starts(line, begin_guard))
            return false;
        if (line_starts(line, end_guard))
            return view_equal(label_of(line, end_guard), label);
    }
    return false;
}
