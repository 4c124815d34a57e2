#include "emulator/capability.h"

#include "emulator/objects.h"
#include "emulator/sessions.h"
#include "emulator/tpm.h"

#include <stdlib.h>
#include <tss2/tss2_tpm2_types.h>

/* The response: header, moreData (1), capability (4), count (4), handles. */
#define MORE_OFFSET HEADER_SIZE
#define COUNT_OFFSET (HEADER_SIZE + 5)
#define LIST_OFFSET (HEADER_SIZE + 9)
#define HANDLES_MAX 254u
#define HANDLE_INDEX 0x00ffffffu

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

struct handle_list {
    uint32_t handles[HANDLES_MAX + SESSIONS_MAX];
    size_t count;
};

static void add(struct handle_list *list, uint32_t handle)
{
    if (list->count < sizeof(list->handles) / sizeof(list->handles[0]))
        list->handles[list->count++] = handle;
}

/* What of the list is asked for: from `first` on, at most `wanted`. */
static void respond_list(const struct handle_list *list, uint32_t first, uint32_t wanted,
                         struct message *response)
{
    uint32_t count = 0;
    bool more = false;

    if (wanted > HANDLES_MAX)
        wanted = HANDLES_MAX;
    respond_code(TPM2_RC_SUCCESS, response);
    put_u32(response->bytes + HEADER_SIZE + 1, TPM2_CAP_HANDLES);
    for (size_t i = 0; i < list->count; i++) {
        if ((list->handles[i] & HANDLE_INDEX) < (first & HANDLE_INDEX))
            continue;
        if (count == wanted) {
            more = true;
            break;
        }
        put_u32(response->bytes + LIST_OFFSET + (size_t)count++ * 4, list->handles[i]);
    }
    response->size = LIST_OFFSET + (size_t)count * 4;
    response->bytes[MORE_OFFSET] = more;
    put_u32(response->bytes + COUNT_OFFSET, count);
    put_u32(response->bytes + 2, (uint32_t)response->size);
}

static void list_objects(const struct connection *connection, struct handle_list *list)
{
    for (size_t i = 0; i < OBJECTS_MAX; i++)
        if (connection->objects[i])
            add(list, connection->objects[i]->handle);
}

static int compare_index(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left & HANDLE_INDEX,
             b = *(const uint32_t *)right & HANDLE_INDEX;

    return (a > b) - (a < b);
}

static bool list_sessions(const struct connection *connection, uint8_t type,
                          struct handle_list *list)
{
    const struct instance *instance = connection->instance;
    uint32_t loaded[SESSIONS_MAX];
    size_t count = 0;

    if (tpm_read_handles(instance->tpm, (uint32_t)type << 24, loaded, SESSIONS_MAX, &count) !=
        TPM2_RC_SUCCESS)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!sessions_is_foreign(connection, loaded[i]) &&
            !sessions_is_swapped(instance, loaded[i]))
            add(list, loaded[i]);
    for (size_t i = 0; type == TPM2_HT_LOADED_SESSION && i < SESSIONS_MAX; i++)
        if (instance->sessions[i].context.data &&
            !sessions_is_foreign(connection, instance->sessions[i].handle))
            add(list, instance->sessions[i].handle);
    qsort(list->handles, list->count, sizeof(list->handles[0]), compare_index);
    return true;
}

bool capability_answer(const struct connection *connection, const struct command *command,
                       const struct message *message, struct message *response)
{
    struct handle_list list = {.count = 0};
    uint8_t type = 0;

    if (connection->bare || !asks_for_handles(command, message, &type))
        return false;
    if (type == TPM2_HT_TRANSIENT)
        list_objects(connection, &list);
    else if ((type != TPM2_HT_LOADED_SESSION && type != TPM2_HT_SAVED_SESSION) ||
             !list_sessions(connection, type, &list))
        return false;
    respond_list(&list, get_u32(message->bytes + HEADER_SIZE + 4),
                 get_u32(message->bytes + HEADER_SIZE + 8), response);
    return true;
}
