#include "emulator/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ERROR_TEXT_MAX 512

static _Thread_local char text[ERROR_TEXT_MAX];

void error_set(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
}

void error_prefix(const char *place)
{
    char inner[ERROR_TEXT_MAX];

    memcpy(inner, text, sizeof(inner));
    (void)snprintf(text, sizeof(text), "%.150s: %.350s", place, inner);
}

const char *error_text(void)
{
    return text;
}

void error_clear(void)
{
    text[0] = '\0';
}
