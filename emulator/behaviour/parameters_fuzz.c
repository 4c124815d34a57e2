#include "emulator/behaviour/parameters.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool count_asked(void *context, const struct asked *asked)
{
    size_t *left = context;

    /* A format 1 code with the number of a parameter. */
    if ((asked->refusal & 0xc0) != 0xc0 || asked->refusal > 0xfff)
        abort();
    /* Each took at least its two bytes. */
    if (*left < 2)
        abort();
    *left -= 2;
    return true;
}

/* How many handles the command has, and the command. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct command_attributes table;
    struct message *message;
    struct command command;
    size_t left = size;

    if (size < 1 + HEADER_SIZE || size > 1 + MESSAGE_MAX)
        return 0;
    for (size_t i = 0; i < sizeof(table.attributes) / sizeof(table.attributes[0]); i++)
        table.attributes[i] = (uint32_t)(data[0] & 3) << 25;
    /* No larger than the command, so that reading on is noticed. */
    message = malloc(offsetof(struct message, bytes) + size - 1);
    if (!message)
        return 0;
    memcpy(message->bytes, data + 1, size - 1);
    message->size = size - 1;
    command_parse(message, &table, &command);
    parameters_walk(&command, message, count_asked, &left);
    free(message);
    return 0;
}
