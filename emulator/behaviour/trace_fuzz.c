#include "emulator/behaviour/trace.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One line of printable characters, with the fields that every line has. */
static void check_line(const char *line, size_t length)
{
    size_t spaces = 0;

    if (length != strlen(line) || length >= TRACE_LINE_MAX || line[length - 1] != '\n')
        abort();
    for (size_t i = 0; i + 1 < length; i++) {
        if (line[i] < ' ' || line[i] > '~')
            abort();
        spaces += line[i] == ' ';
    }
    if (spaces < 9 || !strstr(line, " handles=") || !strstr(line, " us="))
        abort();
}

/* 28 bytes of numbers, a byte that is odd if there is an answer, a command and its
 * answer in halves. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct message *sent = calloc(1, sizeof(*sent)), *answer = calloc(1, sizeof(*answer));
    struct observation seen = {.sent = sent};
    struct command_attributes table;
    char line[TRACE_LINE_MAX];
    size_t half;

    if (sent && answer && size >= 29) {
        memcpy(&seen.started, data, 8);
        memcpy(&seen.duration, data + 8, 8);
        memcpy(&seen.process, data + 16, 4);
        memcpy(&seen.connection, data + 20, 4);
        for (size_t i = 0; i < 256; i++)
            table.attributes[i] = get_u32(data + 24) ^ (uint32_t)(i << 25);
        half = (size - 29) / 2 < MESSAGE_MAX ? (size - 29) / 2 : MESSAGE_MAX;
        sent->size = answer->size = half;
        memcpy(sent->bytes, data + 29, half);
        memcpy(answer->bytes, data + 29 + half, half);
        seen.answer = data[28] & 1 ? answer : NULL;
        command_parse(sent, &table, &seen.command);
        check_line(line, trace_line(&seen, line));
    }
    free(sent);
    free(answer);
    return 0;
}
