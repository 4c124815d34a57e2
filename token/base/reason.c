#include "token/base/reason.h"

#include <stdarg.h>
#include <stdio.h>

void reason_set(struct reason *reason, const char *format, ...)
{
    if (!reason)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason->text, sizeof(reason->text), format, arguments);
    va_end(arguments);
    for (char *c = reason->text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
}
