#include "emulator/sessions.h"

#include "emulator/tpm.h"

#include <string.h>
#include <tss2/tss2_tpm2_types.h>

#define HANDLE_INDEX 0x00ffffffu

/* HMAC and policy sessions share one numbering. */
static struct session_owner *find(struct instance *instance, uint32_t handle)
{
    for (size_t i = 0; i < SESSIONS_MAX; i++)
        if (instance->sessions[i].handle != 0 &&
            (instance->sessions[i].handle & HANDLE_INDEX) == (handle & HANDLE_INDEX))
            return &instance->sessions[i];
    return NULL;
}

static void release(struct instance *instance, uint32_t handle)
{
    struct session_owner *row = find(instance, handle);

    if (row)
        *row = (struct session_owner){.handle = 0};
}

static void claim(struct connection *connection, uint32_t handle)
{
    struct instance *instance = connection->instance;

    release(instance, handle);
    for (size_t i = 0; i < SESSIONS_MAX; i++)
        if (instance->sessions[i].handle == 0) {
            instance->sessions[i] =
                (struct session_owner){instance->directory.owner, handle, connection->number};
            return;
        }
}

void sessions_note(struct connection *connection, const struct command *command,
                   const struct message *message, const struct message *response)
{
    uint32_t handle = response_handle(command, response);

    if (handle_is_session(handle))
        claim(connection, handle);
    if (command->code == TPM2_CC_ContextSave && handle_is_session(command->handles[0]))
        release(connection->instance, command->handles[0]);
    if (command->code == TPM2_CC_FlushContext &&
        handle_is_session(get_u32(message->bytes + HEADER_SIZE)))
        release(connection->instance, get_u32(message->bytes + HEADER_SIZE));
}

static bool is_own(const struct connection *connection, const struct session_owner *row)
{
    return row->handle != 0 && row->owner == connection->instance->directory.owner &&
           row->connection == connection->number;
}

bool sessions_any(const struct connection *connection)
{
    for (size_t i = 0; i < SESSIONS_MAX; i++)
        if (is_own(connection, &connection->instance->sessions[i]))
            return true;
    return false;
}

void sessions_flush(struct connection *connection)
{
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        struct session_owner *row = &connection->instance->sessions[i];

        if (!is_own(connection, row))
            continue;
        (void)tpm_flush(connection->instance->tpm, row->handle);
        *row = (struct session_owner){.handle = 0};
    }
}

bool sessions_reclaim(struct instance *instance)
{
    bool any = false;

    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        struct session_owner *row = &instance->sessions[i];

        if (row->handle == 0 || directory_owner_lives(&instance->directory, row->owner))
            continue;
        (void)tpm_flush(instance->tpm, row->handle);
        *row = (struct session_owner){.handle = 0};
        any = true;
    }
    return any;
}

void sessions_lost_power(struct instance *instance, bool clear)
{
    (void)clear;
    memset(instance->sessions, 0, sizeof(instance->sessions));
}

bool sessions_is_foreign(const struct connection *connection, uint32_t handle)
{
    const struct session_owner *row = find(connection->instance, handle);

    return row && !is_own(connection, row) &&
           directory_owner_lives(&connection->instance->directory, row->owner);
}
