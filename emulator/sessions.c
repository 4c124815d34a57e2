#include "emulator/sessions.h"

#include "emulator/state.h"
#include "emulator/tpm.h"

#include <tss2/tss2_tpm2_types.h>

#define HANDLE_INDEX 0x00ffffffu

/* HMAC and policy sessions share one numbering. SESSIONS_MAX: there is none. */
static size_t index_of(const struct instance *instance, uint32_t handle)
{
    size_t i = 0;

    while (i < SESSIONS_MAX && (instance->sessions[i].handle == 0 ||
                                ((instance->sessions[i].handle ^ handle) & HANDLE_INDEX) != 0))
        i++;
    return i;
}

static struct session_row *find(struct instance *instance, uint32_t handle)
{
    size_t i = index_of(instance, handle);

    return i < SESSIONS_MAX ? &instance->sessions[i] : NULL;
}

static const struct session_row *find_const(const struct instance *instance, uint32_t handle)
{
    size_t i = index_of(instance, handle);

    return i < SESSIONS_MAX ? &instance->sessions[i] : NULL;
}

static void clear_row(struct session_row *row)
{
    blob_free(&row->context);
    *row = (struct session_row){.handle = 0};
}

static void release(struct instance *instance, uint32_t handle)
{
    struct session_row *row = find(instance, handle);

    if (row)
        clear_row(row);
}

/* The generation that the present command will publish. */
static uint32_t now(const struct instance *instance)
{
    return state_next_generation(control_generation(instance->word));
}

static void claim(struct connection *connection, uint32_t handle)
{
    struct instance *instance = connection->instance;

    release(instance, handle);
    for (size_t i = 0; i < SESSIONS_MAX; i++)
        if (instance->sessions[i].handle == 0) {
            instance->sessions[i] =
                (struct session_row){.handle = handle,
                                     .connection = connection->number,
                                     .owner = connection->bare ? 0 : instance->directory.owner,
                                     .used = now(instance)};
            return;
        }
}

/* --- saved to make room --------------------------------------------------------- */

/* TPMS_CONTEXT begins with its sequence. */
static uint64_t sequence_of(const uint8_t *context)
{
    return (uint64_t)get_u32(context) << 32 | get_u32(context + 4);
}

static struct session_row *oldest_swapped(struct instance *instance)
{
    struct session_row *oldest = NULL;

    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        struct session_row *row = &instance->sessions[i];

        if (row->handle != 0 && row->context.size >= 8 &&
            (!oldest || sequence_of(row->context.data) < sequence_of(oldest->context.data)))
            oldest = row;
    }
    return oldest;
}

/* A TPM counts how often contexts of sessions are saved, and saves no more when
 * the oldest is too far behind (TPM_RC_CONTEXT_GAP). A save just made room: the
 * time to load and save again what is half of that behind. */
static void renew_old_contexts(struct instance *instance, uint64_t newest)
{
    struct session_row *row = oldest_swapped(instance);

    while (row && newest - sequence_of(row->context.data) > instance->context_gap / 2) {
        struct blob context = {NULL, 0};
        uint32_t handle = 0;

        if (tpm_context_load(instance->tpm, &row->context, &handle) != TPM2_RC_SUCCESS)
            return;
        blob_free(&row->context);
        if (tpm_context_save(instance->tpm, handle, &context) != TPM2_RC_SUCCESS)
            return;
        newest = sequence_of(context.data);
        blob_move(&row->context, &context);
        row = oldest_swapped(instance);
    }
}

static bool swap_out(struct instance *instance, struct session_row *row)
{
    if (tpm_context_save(instance->tpm, row->handle, &row->context) != TPM2_RC_SUCCESS)
        return false;
    if (row->context.size < 8 || row->context.size > SESSION_CONTEXT_MAX) {
        clear_row(row);
        return true;
    }
    renew_old_contexts(instance, sequence_of(row->context.data));
    return true;
}

static bool is_named(const struct command *command, uint32_t handle)
{
    for (unsigned i = 0; i < command->handle_count; i++)
        if (command->handles[i] == handle)
            return true;
    for (unsigned i = 0; i < command->authorization_count; i++)
        if (command->authorizations[i] == handle)
            return true;
    return false;
}

bool sessions_make_room(struct instance *instance, const struct command *command)
{
    struct session_row *oldest = NULL;

    if (sessions_reclaim(instance))
        return true;
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        struct session_row *row = &instance->sessions[i];

        if (row->handle == 0 || row->owner == 0 || row->context.data ||
            is_named(command, row->handle))
            continue;
        if (!oldest || (int32_t)(row->used - oldest->used) < 0)
            oldest = row;
    }
    return oldest && swap_out(instance, oldest);
}

static uint32_t swap_in(struct instance *instance, struct session_row *row,
                        const struct command *command)
{
    uint32_t handle = 0, rc;

    do {
        rc = tpm_context_load(instance->tpm, &row->context, &handle);
    } while (rc == TPM2_RC_SESSION_MEMORY && sessions_make_room(instance, command));
    if (rc == TPM2_RC_SUCCESS)
        blob_free(&row->context);
    else if (rc != TPM2_RC_SESSION_MEMORY && rc != TPM2_RC_CONTEXT_GAP)
        clear_row(row);
    return rc;
}

/* --- whose they are --------------------------------------------------------------- */

static bool is_own(const struct connection *connection, const struct session_row *row)
{
    return row->handle != 0 && row->owner == connection->instance->directory.owner &&
           row->connection == connection->number;
}

/* A forked child may go on with the sessions of its parent. */
static bool is_inherited(const struct connection *connection, const struct session_row *row)
{
    return row->owner == connection->instance->inherited_owner &&
           row->connection == connection->number;
}

bool sessions_is_foreign(const struct connection *connection, uint32_t handle)
{
    const struct session_row *row = find_const(connection->instance, handle);

    return row && row->owner != 0 && !is_own(connection, row) && !is_inherited(connection, row) &&
           directory_owner_lives(&connection->instance->directory, row->owner);
}

bool sessions_is_swapped(const struct instance *instance, uint32_t handle)
{
    const struct session_row *row = find_const(instance, handle);

    return row && row->context.data;
}

/* TPM2_FlushContext has its handle among the parameters. */
static bool flushes_session(const struct command *command, const struct message *message,
                            uint32_t *ret_handle)
{
    if (command->code != TPM2_CC_FlushContext || message->size != HEADER_SIZE + 4)
        return false;
    *ret_handle = get_u32(message->bytes + HEADER_SIZE);
    return handle_is_session(*ret_handle);
}

/* `missing` is what a TPM says of a session that is not loaded. */
static uint32_t prepare_one(struct connection *connection, uint32_t handle,
                            const struct command *command, uint32_t missing)
{
    struct instance *instance = connection->instance;
    struct session_row *row;
    uint32_t rc = TPM2_RC_SUCCESS;

    if (!handle_is_session(handle))
        return TPM2_RC_SUCCESS;
    if (sessions_is_foreign(connection, handle))
        return missing;
    row = find(instance, handle);
    if (!row)
        return TPM2_RC_SUCCESS;
    if (row->context.data) {
        rc = swap_in(instance, row, command);
        if (rc != TPM2_RC_SUCCESS)
            return rc == TPM2_RC_SESSION_MEMORY ? rc : missing;
    }
    /* As of a daemon that its parent left: nobody shall clean up after the parent. */
    if (row->owner != 0 && is_inherited(connection, row) &&
        !directory_owner_lives(&instance->directory, row->owner))
        row->owner = instance->directory.owner;
    row->used = now(instance);
    return rc;
}

uint32_t sessions_prepare(struct connection *connection, const struct command *command,
                          const struct message *message)
{
    uint32_t handle = 0, rc = TPM2_RC_SUCCESS;

    if (connection->bare)
        return rc;
    if (flushes_session(command, message, &handle) && sessions_is_foreign(connection, handle))
        return TPM2_RC_HANDLE | TPM2_RC_P | TPM2_RC_1;
    for (unsigned i = 0; i < command->handle_count && rc == TPM2_RC_SUCCESS; i++)
        rc = prepare_one(connection, command->handles[i], command, TPM2_RC_REFERENCE_H0 + i);
    for (unsigned i = 0; i < command->authorization_count && rc == TPM2_RC_SUCCESS; i++)
        rc = prepare_one(connection, command->authorizations[i], command, TPM2_RC_REFERENCE_S0 + i);
    return rc;
}

void sessions_note(struct connection *connection, const struct command *command,
                   const struct message *message, const struct message *response)
{
    struct instance *instance = connection->instance;
    uint32_t handle = response_handle(command, response);

    if (handle_is_session(handle))
        claim(connection, handle);
    for (unsigned i = 0; i < command->authorization_count; i++)
        if (handle_is_session(command->authorizations[i]) &&
            response_ends_session(command, response, i))
            release(instance, command->authorizations[i]);
    if (flushes_session(command, message, &handle))
        release(instance, handle);
    if (command->code == TPM2_CC_ContextSave && handle_is_session(command->handles[0])) {
        release(instance, command->handles[0]);
        if (response->size >= HEADER_SIZE + 8)
            renew_old_contexts(instance, sequence_of(response->bytes + HEADER_SIZE));
    }
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
        struct session_row *row = &connection->instance->sessions[i];

        if (!is_own(connection, row))
            continue;
        (void)tpm_flush(connection->instance->tpm, row->handle);
        clear_row(row);
    }
}

bool sessions_reclaim(struct instance *instance)
{
    bool any = false;

    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        struct session_row *row = &instance->sessions[i];

        if (row->handle == 0 || row->owner == 0 ||
            directory_owner_lives(&instance->directory, row->owner))
            continue;
        (void)tpm_flush(instance->tpm, row->handle);
        clear_row(row);
        any = true;
    }
    return any;
}

void sessions_lost_power(struct instance *instance, bool keeps_saved)
{
    for (size_t i = 0; i < SESSIONS_MAX; i++)
        if (!keeps_saved || !instance->sessions[i].context.data)
            clear_row(&instance->sessions[i]);
}
