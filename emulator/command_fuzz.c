#include "emulator/kinds.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first half is a command, the second its response. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct message *message = malloc(sizeof(*message));
    struct message *response = malloc(sizeof(*response));
    struct command_attributes attributes;
    struct command command;
    size_t half = size / 2 < MESSAGE_MAX ? size / 2 : MESSAGE_MAX;

    if (message && response) {
        for (size_t i = 0; i < sizeof(attributes.attributes) / sizeof(attributes.attributes[0]);
             i++)
            attributes.attributes[i] = (uint32_t)(i & 7) << 25 | (uint32_t)(i & 8) << 25;
        memcpy(message->bytes, data, half);
        memcpy(response->bytes, data + half, half);
        message->size = response->size = half;
        command_parse(message, &attributes, &command);
        if (command.parameters > message->size || command.handle_count > COMMAND_HANDLES_MAX)
            abort();
        (void)command_kind(&command, message);
        (void)response_handle(&command, response);
        if (response_parameters(&command, response) > response->size)
            abort();
        (void)response_spends_commit(&command, response);
    }
    free(message);
    free(response);
    return 0;
}
