#include "token/base/config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Problems beyond these are not kept: a file of garbage has one per line. */
#define MAX_PROBLEMS 64

struct reader {
    struct config *config;
    struct config_section *section;
    const uint8_t *start; /* of the line */
    unsigned line;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

static struct view trim(struct view text)
{
    while (text.size && is_blank((char)text.data[0]))
        text = view_of(text.data + 1, text.size - 1);
    while (text.size && is_blank((char)text.data[text.size - 1]))
        text.size--;
    return text;
}

/* Makes room for one more element; NULL without memory. */
static void *grow(void *array, size_t count, size_t size)
{
    if (count & (count - 1))
        return array;
    return realloc(array, (count ? 2 * count : 1) * size);
}

void config_problem_add(struct config *config, unsigned line, unsigned column, const char *format,
                        ...)
{
    if (config->problem_count >= MAX_PROBLEMS)
        return;
    struct config_problem *problems =
        grow(config->problems, config->problem_count, sizeof(*problems));
    if (!problems)
        return;
    config->problems = problems;
    struct config_problem *problem = &problems[config->problem_count++];
    *problem = (struct config_problem){.line = line, .column = column};
    char text[REASON_MAX_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    reason_set(&problem->reason, "%s", text);
}

/* A terminated copy of text that is not; the caller frees it. */
static char *string_of(struct view text)
{
    char *copy = malloc(text.size + 1);
    if (!copy)
        return NULL;
    if (text.size)
        memcpy(copy, text.data, text.size);
    copy[text.size] = 0;
    return copy;
}

static struct config_section *find_section(struct config *config, struct view name)
{
    for (size_t i = 0; i < config->section_count; i++)
        if (view_equal(view_string(config->sections[i].name), name))
            return &config->sections[i];
    return NULL;
}

static CK_RV add_section(struct reader *reader, struct view name, bool broken)
{
    struct config *config = reader->config;
    struct config_section *sections =
        grow(config->sections, config->section_count, sizeof(*sections));
    if (!sections)
        return CKR_HOST_MEMORY;
    config->sections = sections;
    char *copy = string_of(name);
    if (!copy)
        return CKR_HOST_MEMORY;
    reader->section = &sections[config->section_count++];
    *reader->section = (struct config_section){
        .name = copy,
        .line = reader->line,
        .broken = broken,
    };
    return CKR_OK;
}

/* A line that nobody understands may be the one that mattered. */
static void line_is_bad(struct reader *reader, unsigned column, const char *what)
{
    config_problem_add(reader->config, reader->line, column, "%s", what);
    reader->section->broken = true;
}

/* One broken section takes what stands behind the last that is allowed. */
static CK_RV add_surplus_section(struct reader *reader, struct view name)
{
    struct config *config = reader->config;
    config_problem_add(config, reader->line, 1, "more than %d sections", CONFIG_MAX_SECTIONS);
    if (config->section_count == CONFIG_MAX_SECTIONS + 1)
        return add_section(reader, name, true);
    reader->section = &config->sections[CONFIG_MAX_SECTIONS + 1];
    return CKR_OK;
}

static CK_RV read_header(struct reader *reader, struct view text)
{
    const uint8_t *end = memchr(text.data, ']', text.size);
    struct view name = {0};
    struct view rest = {0};
    if (end) {
        name = trim(view_of(text.data + 1, (size_t)(end - text.data) - 1));
        rest = trim(view_of(end + 1, text.size - (size_t)(end - text.data) - 1));
    }
    if (reader->config->section_count > CONFIG_MAX_SECTIONS)
        return add_surplus_section(reader, name);
    bool tail = rest.size && rest.data[0] != ';' && rest.data[0] != '#';
    if (!end || !name.size || tail) {
        config_problem_add(reader->config, reader->line, 1, "%s",
                           !end   ? "the section's name has no closing ']'"
                           : tail ? "unexpected text after the section's name"
                                  : "the section has no name");
        return add_section(reader, name, true);
    }
    struct config_section *before = find_section(reader->config, name);
    if (before == reader->config->sections) {
        reader->section = before;
        return CKR_OK;
    }
    if (before)
        config_problem_add(reader->config, reader->line, 1,
                           "section [%s] is there already, at line %u; this one is left out",
                           before->name, before->line);
    return add_section(reader, name, before != NULL);
}

/* The value without quotes or comment; false if a quote is not closed. A
 * comment begins with a ';' after a blank, so that URIs may hold semicolons. */
static bool take_value(struct view text, struct view *ret_value)
{
    if (text.size && text.data[0] == '"') {
        const uint8_t *end = memchr(text.data + 1, '"', text.size - 1);
        if (!end)
            return false;
        struct view rest = trim(view_of(end + 1, text.size - (size_t)(end - text.data) - 1));
        *ret_value = view_of(text.data + 1, (size_t)(end - text.data) - 1);
        return rest.size == 0 || rest.data[0] == ';';
    }
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == ';' && (i == 0 || is_blank((char)text.data[i - 1]))) {
            text.size = i;
            break;
        }
    }
    *ret_value = trim(text);
    return true;
}

/* Keys are words: case and the number of blanks between them do not matter. */
static char *normal_key(struct view text)
{
    char *key = malloc(text.size + 1);
    if (!key)
        return NULL;
    size_t used = 0;
    for (size_t i = 0; i < text.size; i++) {
        char c = (char)text.data[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        if (is_blank(c))
            c = ' ';
        if (c != ' ' || key[used - 1] != ' ')
            key[used++] = c;
    }
    key[used] = 0;
    return key;
}

static CK_RV add_entry(struct config_section *section, struct view key, struct view value,
                       unsigned line)
{
    struct config_entry *entries = grow(section->entries, section->entry_count, sizeof(*entries));
    if (!entries)
        return CKR_HOST_MEMORY;
    section->entries = entries;
    struct config_entry entry = {
        .key = normal_key(key),
        .value = string_of(value),
        .line = line,
    };
    if (!entry.key || !entry.value) {
        free(entry.key);
        free(entry.value);
        return CKR_HOST_MEMORY;
    }
    entries[section->entry_count++] = entry;
    return CKR_OK;
}

static CK_RV read_entry(struct reader *reader, struct view text)
{
    const uint8_t *equals = memchr(text.data, '=', text.size);
    if (!equals) {
        line_is_bad(reader, 1, "neither a [section], nor 'key = value', nor a comment");
        return CKR_OK;
    }
    size_t at = (size_t)(equals - text.data);
    struct view key = trim(view_of(text.data, at));
    if (!key.size) {
        line_is_bad(reader, 1, "no key before '='");
        return CKR_OK;
    }
    struct view written = trim(view_of(equals + 1, text.size - at - 1));
    struct view value;
    if (!take_value(written, &value)) {
        line_is_bad(reader, (unsigned)(written.data - reader->start) + 1,
                    "the quoted value does not end with a '\"'");
        return CKR_OK;
    }
    return add_entry(reader->section, key, value, reader->line);
}

static CK_RV read_line(struct reader *reader, struct view line)
{
    if (line.size > CONFIG_MAX_LINE) {
        line_is_bad(reader, CONFIG_MAX_LINE, "the line is longer than 4096 bytes");
        return CKR_OK;
    }
    const uint8_t *nul = line.size ? memchr(line.data, 0, line.size) : NULL;
    if (nul) {
        line_is_bad(reader, (unsigned)(nul - line.data) + 1, "the line holds a NUL byte");
        return CKR_OK;
    }
    struct view text = trim(line);
    if (!text.size || text.data[0] == '#' || text.data[0] == ';')
        return CKR_OK;
    return text.data[0] == '[' ? read_header(reader, text) : read_entry(reader, text);
}

static CK_RV read_lines(struct reader *reader, struct view text)
{
    while (text.size) {
        const uint8_t *end = memchr(text.data, '\n', text.size);
        size_t size = end ? (size_t)(end - text.data) : text.size;
        reader->line++;
        reader->start = text.data;
        CK_RV rv = read_line(reader, view_of(text.data, size));
        if (rv != CKR_OK)
            return rv;
        size_t taken = size + (end ? 1 : 0);
        text = view_of(text.data + taken, text.size - taken);
    }
    return CKR_OK;
}

CK_RV config_parse(struct view text, struct config *ret_config)
{
    struct config config = {0};
    struct reader reader = {.config = &config};
    CK_RV rv = add_section(&reader, view_string("global"), false);
    static const uint8_t byte_order_mark[] = {0xef, 0xbb, 0xbf};
    if (text.size >= 3 && memcmp(text.data, byte_order_mark, 3) == 0)
        text = view_of(text.data + 3, text.size - 3);
    if (rv == CKR_OK && text.size > CONFIG_MAX_SIZE)
        config_problem_add(&config, 0, 0, "the file is larger than 1 MiB and was not read");
    else if (rv == CKR_OK)
        rv = read_lines(&reader, text);
    if (rv != CKR_OK) {
        config_clear(&config);
        return rv;
    }
    *ret_config = config;
    return CKR_OK;
}

const struct config_entry *config_find(const struct config_section *section, const char *key)
{
    for (size_t i = section->entry_count; i > 0; i--)
        if (strcmp(section->entries[i - 1].key, key) == 0)
            return &section->entries[i - 1];
    return NULL;
}

const char *config_value(const struct config_section *section, const char *key)
{
    const struct config_entry *entry = config_find(section, key);
    return entry ? entry->value : NULL;
}

void config_clear(struct config *config)
{
    for (size_t i = 0; i < config->section_count; i++) {
        struct config_section *section = &config->sections[i];
        for (size_t j = 0; j < section->entry_count; j++) {
            free(section->entries[j].key);
            free(section->entries[j].value);
        }
        free(section->entries);
        free(section->name);
    }
    free(config->sections);
    free(config->problems);
    *config = (struct config){0};
}
