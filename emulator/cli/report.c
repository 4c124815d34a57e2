#include "emulator/cli/report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#define VALUE_MAX 8192
#define COLUMN 34

/* The length of the UTF-8 sequence at the text; 0 if it is none. */
static size_t sequence_length(const char *text)
{
    unsigned char first = (unsigned char)text[0];
    size_t length = first < 0x80                    ? 1
                    : first >= 0xc2 && first < 0xe0 ? 2
                    : first >= 0xe0 && first < 0xf0 ? 3
                    : first >= 0xf0 && first < 0xf5 ? 4
                                                    : 0;

    for (size_t i = 1; i < length; i++)
        if (((unsigned char)text[i] & 0xc0) != 0x80)
            return 0;
    /* Overlong forms, surrogates, and what is beyond Unicode. */
    if ((first == 0xe0 && (unsigned char)text[1] < 0xa0) ||
        (first == 0xed && (unsigned char)text[1] > 0x9f) ||
        (first == 0xf0 && (unsigned char)text[1] < 0x90) ||
        (first == 0xf4 && (unsigned char)text[1] > 0x8f))
        return 0;
    return length;
}

/* Control characters of one byte, and those of C1 in two. */
static bool is_control(const char *text, size_t length)
{
    return (length == 1 && ((unsigned char)text[0] < 0x20 || text[0] == 0x7f)) ||
           (length == 2 && (unsigned char)text[0] == 0xc2 && (unsigned char)text[1] < 0xa0);
}

static void write_replaced(const struct report *report, const char *text, size_t length)
{
    if (!report->json)
        (void)fputc('?', report->out);
    else if (length == 1)
        (void)fprintf(report->out, "\\u%04x", (unsigned)(unsigned char)text[0]);
    else
        (void)fputs("\\ufffd", report->out);
}

static void write_escaped(const struct report *report, const char *text)
{
    while (*text != '\0') {
        size_t length = sequence_length(text);

        if (length == 0 || is_control(text, length)) {
            write_replaced(report, text, length);
        } else {
            if (report->json && (*text == '"' || *text == '\\'))
                (void)fputc('\\', report->out);
            (void)fwrite(text, 1, length, report->out);
        }
        text += length ? length : 1;
    }
}

static void begin_line(const struct report *report)
{
    (void)fprintf(report->out, "%*s", (int)(report->depth ? report->depth - 1 : 0) * 2, "");
}

/* The key with blanks for "_". Returns its width. */
static int write_label(const struct report *report, const char *key)
{
    for (const char *at = key; *at != '\0'; at++)
        (void)fputc(*at == '_' ? ' ' : *at, report->out);
    return (int)strlen(key);
}

static void begin_json(struct report *report, const char *key)
{
    if (report->begun[report->depth])
        (void)fputc(',', report->out);
    if (report->depth > 0)
        (void)fprintf(report->out, "\n%*s", (int)report->depth * 2, "");
    report->begun[report->depth] = true;
    if (key)
        (void)fprintf(report->out, "\"%s\": ", key);
}

static void begin_text(struct report *report, const char *key)
{
    if (report->row) {
        (void)fputs(report->begun[report->depth] ? ", " : "", report->out);
    } else {
        begin_line(report);
        if (key) {
            int width = write_label(report, key) + (int)(report->depth - 1) * 2;

            (void)fprintf(report->out, "%*s", width < COLUMN ? COLUMN - width : 1, "");
        }
    }
    report->begun[report->depth] = true;
}

static void begin_value(struct report *report, const char *key)
{
    if (report->json)
        begin_json(report, key);
    else
        begin_text(report, key);
}

static void end_value(const struct report *report)
{
    if (!report->json && !report->row)
        (void)fputc('\n', report->out);
}

static void descend(struct report *report, char opening, char closing)
{
    if (report->json)
        (void)fputc(opening, report->out);
    if (report->depth + 1 < REPORT_DEPTH_MAX)
        report->depth++;
    report->begun[report->depth] = false;
    report->closing[report->depth] = closing;
}

void report_open(struct report *report, FILE *out, bool json)
{
    *report = (struct report){.out = out, .json = json};
    descend(report, '{', '}');
}

static void open_nested(struct report *report, const char *key, char opening, char closing)
{
    if (report->json) {
        begin_json(report, key);
    } else if (!key && report->begun[report->depth]) {
        (void)fputs("\n", report->out);
    } else if (key) {
        begin_line(report);
        (void)write_label(report, key);
        (void)fputc('\n', report->out);
    }
    report->begun[report->depth] = true;
    descend(report, opening, closing);
}

void report_group(struct report *report, const char *key)
{
    open_nested(report, key, '{', '}');
}

void report_list(struct report *report, const char *key)
{
    open_nested(report, key, '[', ']');
}

void report_row(struct report *report)
{
    if (report->json) {
        begin_json(report, NULL);
    } else {
        begin_line(report);
        report->begun[report->depth] = true;
    }
    descend(report, '{', '}');
    report->row = true;
}

void report_end(struct report *report)
{
    bool empty = !report->begun[report->depth];
    char closing = report->closing[report->depth];

    if (report->json && !empty)
        (void)fprintf(report->out, "\n%*s", (int)(report->depth - 1) * 2, "");
    if (report->json)
        (void)fputc(closing, report->out);
    else if (report->row)
        (void)fputc('\n', report->out);
    else if (closing == ']' && empty) {
        begin_line(report);
        (void)fputs("none\n", report->out);
    }
    report->row = false;
    report->depth--;
}

void report_close(struct report *report)
{
    report_end(report);
    if (report->json)
        (void)fputc('\n', report->out);
}

void report_text(struct report *report, const char *key, const char *format, ...)
{
    char value[VALUE_MAX];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(value, sizeof(value), format, args);
    va_end(args);
    begin_value(report, key);
    (void)fputs(report->json ? "\"" : "", report->out);
    write_escaped(report, value);
    (void)fputs(report->json ? "\"" : "", report->out);
    end_value(report);
}

void report_words(struct report *report, const char *key, const char *words)
{
    if (!report->json) {
        report_text(report, key, "%s", words);
        return;
    }
    begin_json(report, key);
    (void)fputc('[', report->out);
    while (*words != '\0') {
        size_t length = strcspn(words, "|");

        (void)fprintf(report->out, "\"%.*s\"%s", (int)length, words, words[length] ? ", " : "");
        words += length + (words[length] != '\0');
    }
    (void)fputc(']', report->out);
}

void report_span(struct report *report, const char *key, uint64_t milliseconds)
{
    uint64_t seconds = milliseconds / 1000;

    if (report->json)
        report_number(report, key, milliseconds);
    else
        report_text(report, key, "%" PRIu64 " d %02u:%02u:%02u", seconds / 86400,
                    (unsigned)(seconds / 3600 % 24), (unsigned)(seconds / 60 % 60),
                    (unsigned)(seconds % 60));
}

/* In a row only the key tells what a number is. */
static void write_row_label(const struct report *report, const char *key)
{
    if (!report->json && report->row && key) {
        (void)write_label(report, key);
        (void)fputc(' ', report->out);
    }
}

void report_number(struct report *report, const char *key, uint64_t value)
{
    begin_value(report, key);
    write_row_label(report, key);
    (void)fprintf(report->out, "%" PRIu64, value);
    end_value(report);
}

void report_flag(struct report *report, const char *key, bool value)
{
    begin_value(report, key);
    write_row_label(report, key);
    (void)fputs(report->json ? (value ? "true" : "false") : (value ? "yes" : "no"), report->out);
    end_value(report);
}
