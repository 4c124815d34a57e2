#include "emulator/capability.h"

#include "emulator/objects.h"
#include "emulator/sessions.h"

#include <tss2/tss2_tpm2_types.h>

/* The response: header, moreData (1), capability (4), count (4), handles. */
#define MORE_OFFSET HEADER_SIZE
#define COUNT_OFFSET (HEADER_SIZE + 5)
#define LIST_OFFSET (HEADER_SIZE + 9)
#define HANDLES_MAX 254u

/* What handles of which type does the command ask for? Answers to audit sessions
 * carry an HMAC, and stay as they are. */
static bool asks_for_handles(const struct command *command, const struct message *message,
                             uint8_t *ret_type)
{
    if (command->code != TPM2_CC_GetCapability || command->has_sessions ||
        message->size != HEADER_SIZE + 12 ||
        get_u32(message->bytes + HEADER_SIZE) != TPM2_CAP_HANDLES)
        return false;
    *ret_type = message->bytes[HEADER_SIZE + 4];
    return true;
}

static void finish_list(struct message *response, uint32_t count, bool more)
{
    response->size = LIST_OFFSET + (size_t)count * 4;
    response->bytes[MORE_OFFSET] = more;
    put_u32(response->bytes + COUNT_OFFSET, count);
    put_u32(response->bytes + 2, (uint32_t)response->size);
}

bool capability_answer_objects(const struct connection *connection, const struct command *command,
                               const struct message *message, struct message *response)
{
    uint32_t first = get_u32(message->bytes + HEADER_SIZE + 4);
    uint32_t wanted = get_u32(message->bytes + HEADER_SIZE + 8);
    uint32_t count = 0;
    uint8_t type = 0;
    bool more = false;

    if (!asks_for_handles(command, message, &type) || type != TPM2_HT_TRANSIENT)
        return false;
    if (wanted > HANDLES_MAX)
        wanted = HANDLES_MAX;
    respond_code(TPM2_RC_SUCCESS, response);
    put_u32(response->bytes + HEADER_SIZE + 1, TPM2_CAP_HANDLES);
    for (uint32_t i = 0; i < OBJECTS_MAX; i++) {
        const struct object *object = connection->objects[i];

        if (!object || object->handle < first)
            continue;
        if (count == wanted) {
            more = true;
            break;
        }
        put_u32(response->bytes + LIST_OFFSET + (size_t)count++ * 4, object->handle);
    }
    finish_list(response, count, more);
    return true;
}

void capability_hide_foreign_sessions(const struct connection *connection,
                                      const struct command *command, const struct message *message,
                                      struct message *response)
{
    uint32_t count, kept = 0;
    uint8_t type = 0;

    if (!asks_for_handles(command, message, &type) || type != TPM2_HT_LOADED_SESSION ||
        response->size < LIST_OFFSET)
        return;
    count = get_u32(response->bytes + COUNT_OFFSET);
    if (response->size != LIST_OFFSET + (size_t)count * 4)
        return;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t handle = get_u32(response->bytes + LIST_OFFSET + (size_t)i * 4);

        if (!sessions_is_foreign(connection, handle))
            put_u32(response->bytes + LIST_OFFSET + (size_t)kept++ * 4, handle);
    }
    finish_list(response, kept, response->bytes[MORE_OFFSET]);
}
