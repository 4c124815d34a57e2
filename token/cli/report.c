#include "token/cli/report.h"

#include <stdarg.h>
#include <stdio.h>

#include "token/base/reason.h"

/* Names and texts may come from anybody's file: no control characters reach a terminal. */
static void print_clean(const char *text)
{
    for (const char *c = text; *c; c++)
        (void)putchar((unsigned char)*c < ' ' || *c == 0x7f ? '?' : *c);
}

static void print_arguments(const char *format, va_list arguments)
{
    char text[2 * REASON_MAX_SIZE];
    (void)vsnprintf(text, sizeof(text), format, arguments);
    print_clean(text);
    (void)putchar('\n');
}

void report_heading(const struct report *report, const char *format, ...)
{
    if (report->quiet)
        return;
    va_list arguments;
    va_start(arguments, format);
    print_arguments(format, arguments);
    va_end(arguments);
}

void report_fact(const struct report *report, const char *word, const char *format, ...)
{
    if (report->quiet)
        return;
    (void)printf("  %-13s ", word);
    va_list arguments;
    va_start(arguments, format);
    print_arguments(format, arguments);
    va_end(arguments);
}

static void print_place(const char *file, unsigned line)
{
    print_clean(file);
    if (line)
        (void)printf(":%u", line);
    (void)printf(": ");
}

/* Full, a problem stands under the heading of its section, which names that. */
static void print_problem(struct report *report, const char *file, unsigned line, const char *text)
{
    report->problems++;
    if (!report->quiet)
        (void)printf("%sproblem%s", report->section ? "  " : "",
                     report->section ? "       " : ": ");
    if (file)
        print_place(file, line);
    if (report->quiet && report->section) {
        (void)putchar('[');
        print_clean(report->section);
        (void)printf("]: ");
    }
    print_clean(text);
    (void)putchar('\n');
}

void report_problem(struct report *report, unsigned line, const char *format, ...)
{
    char text[2 * REASON_MAX_SIZE];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    print_problem(report, report->path, line, text);
}

void report_file_problem(struct report *report, const char *file, unsigned line, const char *text)
{
    print_problem(report, file, line, text);
}
