#include "emulator/command.h"

#include <tss2/tss2_tpm2_types.h>

#define TPMA_CC_HANDLES_SHIFT 25
#define AUTHORIZATION_SIZE_MIN 9

bool handle_is_transient(uint32_t handle)
{
    return handle >> 24 == TPM2_HT_TRANSIENT;
}

bool handle_is_session(uint32_t handle)
{
    return handle >> 24 == TPM2_HT_HMAC_SESSION || handle >> 24 == TPM2_HT_POLICY_SESSION;
}

bool handle_is_nv_index(uint32_t handle)
{
    return handle >> 24 == TPM2_HT_NV_INDEX;
}

uint32_t command_attributes_of(const struct command_attributes *table, uint32_t code)
{
    if (code < TPM2_CC_FIRST ||
        code - TPM2_CC_FIRST >= sizeof(table->attributes) / sizeof(table->attributes[0]))
        return 0;
    return table->attributes[code - TPM2_CC_FIRST];
}

/* Walks the authorization area {u32 size, {handle, nonce, attributes, hmac}...}. */
static void parse_sessions(const struct message *message, size_t at, struct command *command)
{
    size_t end;

    command->parameters = message->size;
    if (message->size - at < 4)
        return;
    end = at + 4 + get_u32(message->bytes + at);
    if (end > message->size)
        return;
    command->parameters = end;
    for (at += 4; at + AUTHORIZATION_SIZE_MIN <= end;) {
        size_t nonce_size = get_u16(message->bytes + at + 4);
        size_t hmac_size;

        if (handle_is_session(get_u32(message->bytes + at)))
            command->uses_session = true;
        if (command->authorization_count < COMMAND_AUTHORIZATIONS_MAX)
            command->authorizations[command->authorization_count++] = get_u32(message->bytes + at);
        if (at + AUTHORIZATION_SIZE_MIN + nonce_size > end)
            return;
        hmac_size = get_u16(message->bytes + at + 7 + nonce_size);
        at += AUTHORIZATION_SIZE_MIN + nonce_size + hmac_size;
    }
}

void command_parse(const struct message *message, const struct command_attributes *table,
                   struct command *ret)
{
    struct command command = {.code = 0};
    uint32_t attributes;
    size_t at = HEADER_SIZE;

    command.parameters = message->size;
    if (message->size >= HEADER_SIZE) {
        command.code = get_u32(message->bytes + 6);
        command.has_sessions = get_u16(message->bytes) == TPM2_ST_SESSIONS;
        attributes = command_attributes_of(table, command.code);
        command.returns_handle = attributes & TPMA_CC_RHANDLE;
        command.flushes_handles = attributes & TPMA_CC_FLUSHED;
        command.handle_count = attributes >> TPMA_CC_HANDLES_SHIFT & 7;
        if (command.handle_count > COMMAND_HANDLES_MAX)
            command.handle_count = COMMAND_HANDLES_MAX;
        if (command.handle_count > (message->size - at) / 4)
            command.handle_count = (unsigned)((message->size - at) / 4);
        for (unsigned i = 0; i < command.handle_count; i++, at += 4)
            command.handles[i] = get_u32(message->bytes + at);
        command.parameters = at;
        if (command.has_sessions)
            parse_sessions(message, at, &command);
    }
    *ret = command;
}

uint32_t response_code(const struct message *response)
{
    return response->size >= HEADER_SIZE ? get_u32(response->bytes + 6) : (uint32_t)TPM2_RC_FAILURE;
}

uint32_t response_handle(const struct command *command, const struct message *response)
{
    if (!command->returns_handle || response_code(response) != TPM2_RC_SUCCESS ||
        response->size < HEADER_SIZE + 4)
        return 0;
    return get_u32(response->bytes + HEADER_SIZE);
}

size_t response_parameters(const struct command *command, const struct message *response)
{
    size_t at = HEADER_SIZE + (command->returns_handle ? 4 : 0) + (command->has_sessions ? 4 : 0);

    if (response_code(response) != TPM2_RC_SUCCESS || at > response->size)
        return response->size;
    return at;
}

/* After the parameters come {nonce, attributes, hmac} for each authorization. */
bool response_ends_session(const struct command *command, const struct message *response,
                           unsigned authorization)
{
    size_t at = response_parameters(command, response);

    if (!command->has_sessions || at >= response->size)
        return false;
    at += get_u32(response->bytes + at - 4);
    for (unsigned i = 0; at + 2 <= response->size; i++) {
        at += 2 + (size_t)get_u16(response->bytes + at);
        if (at + 3 > response->size)
            return false;
        if (i == authorization)
            return !(response->bytes[at] & TPMA_SESSION_CONTINUESESSION);
        at += 3 + (size_t)get_u16(response->bytes + at + 1);
    }
    return false;
}

void respond_code(uint32_t code, struct message *response)
{
    response->size = HEADER_SIZE;
    put_u16(response->bytes, TPM2_ST_NO_SESSIONS);
    put_u32(response->bytes + 2, HEADER_SIZE);
    put_u32(response->bytes + 6, code);
}
