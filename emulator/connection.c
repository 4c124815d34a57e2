#include "emulator/connection.h"

#include "emulator/capability.h"
#include "emulator/error.h"
#include "emulator/identity/ek.h"
#include "emulator/kinds.h"
#include "emulator/objects.h"
#include "emulator/permanent.h"
#include "emulator/registry.h"
#include "emulator/sessions.h"
#include "emulator/state.h"
#include "emulator/tpm.h"

#include <stdlib.h>
#include <string.h>
#include <tss2/tss2_tpm2_types.h>
#include <unistd.h>

static void link_to(struct connection *connection, struct instance *instance)
{
    connection->instance = instance;
    connection->number = ++instance->connections_made;
    connection->next = instance->connections;
    instance->connections = connection;
}

TSS2_RC connection_open(const struct conf *conf, struct connection **ret)
{
    static const struct ek_order without_ek = {.none = true};
    struct connection *connection = calloc(1, sizeof(*connection));
    struct instance *instance = NULL;
    TSS2_RC rc;

    if (!connection)
        return TSS2_TCTI_RC_MEMORY;
    connection->bare = conf->bare;
    rc = registry_acquire(conf->directory, conf->no_ek ? &without_ek : NULL, &instance);
    if (rc == TSS2_RC_SUCCESS) {
        rc = instance_enter(instance);
        if (rc != TSS2_RC_SUCCESS)
            registry_release(instance);
    }
    if (rc != TSS2_RC_SUCCESS) {
        free(connection);
        return rc;
    }
    link_to(connection, instance);
    instance_leave(instance);
    *ret = connection;
    return TSS2_RC_SUCCESS;
}

/* The turn of this process to change what is shared. What a killed process left
 * half done comes first; if that fails, the present state is still the right one. */
static TSS2_RC take_turn(struct instance *instance)
{
    TSS2_RC rc = directory_lock(&instance->directory);

    if (rc == TSS2_RC_SUCCESS)
        (void)permanent_settle(&instance->directory, &instance->control);
    return rc;
}

/* Sessions are in the shared state: flushing them is a change to publish. */
static void flush_sessions(struct connection *connection)
{
    struct instance *instance = connection->instance;

    if (!sessions_any(connection) || take_turn(instance) != TSS2_RC_SUCCESS)
        return;
    if (!state_is_behind(instance, KIND_CHANGES_SHARED) ||
        state_take_over(instance) == TSS2_RC_SUCCESS) {
        sessions_flush(connection);
        (void)state_publish(instance, false);
    }
    directory_unlock(&instance->directory);
}

static void unlink_connection(struct connection *connection)
{
    struct connection **at = &connection->instance->connections;

    while (*at && *at != connection)
        at = &(*at)->next;
    if (*at)
        *at = connection->next;
}

void connection_close(struct connection *connection)
{
    struct instance *instance = connection->instance;
    /* What a forked child inherited is the parent's to flush. */
    bool ours = instance->process == getpid();
    bool entered = ours && instance_enter(instance) == TSS2_RC_SUCCESS;

    if (entered)
        flush_sessions(connection);
    for (size_t i = 0; i < OBJECTS_MAX; i++)
        if (connection->objects[i])
            objects_remove(connection, connection->objects[i], entered && instance->in_step);
    unlink_connection(connection);
    if (entered)
        instance_leave(instance);
    registry_release(instance);
    free(connection);
}

/* One command on its way through the resource manager. */
struct step {
    struct connection *connection;
    const struct message *message;
    struct command command;
    enum command_kind kind;
    struct message translated; /* the command with the TPM's handles */
    struct object *pinned[COMMAND_HANDLES_MAX];
    struct object *made;
};

/* Puts the TPM's handles in the place of the connection's. What does not load
 * any more (its hierarchy was cleared, say) is gone: TPM_RC_REFERENCE_Hx. */
static uint32_t translate_handles(struct step *step)
{
    step->translated.size = step->message->size;
    memcpy(step->translated.bytes, step->message->bytes, step->message->size);
    for (unsigned i = 0; !step->connection->bare && i < step->command.handle_count; i++) {
        struct object *object;
        uint32_t rc;

        if (!handle_is_transient(step->command.handles[i]))
            continue;
        object = objects_find(step->connection, step->command.handles[i]);
        if (!object)
            return TPM2_RC_REFERENCE_H0 + i;
        rc = objects_pin(step->connection, object);
        if (rc == TPM2_RC_OBJECT_MEMORY)
            return rc;
        if (rc != TPM2_RC_SUCCESS) {
            objects_remove(step->connection, object, false);
            return TPM2_RC_REFERENCE_H0 + i;
        }
        step->pinned[i] = object;
        put_u32(step->translated.bytes + HEADER_SIZE + (size_t)i * 4, object->loaded);
    }
    return TPM2_RC_SUCCESS;
}

/* Could room be made for what the TPM had none for? */
static bool make_room(struct step *step, uint32_t rc)
{
    struct instance *instance = step->connection->instance;

    switch (rc) {
    case TPM2_RC_OBJECT_MEMORY:
        return objects_evict_one(instance);
    case TPM2_RC_SESSION_MEMORY:
        return sessions_make_room(instance, &step->command);
    case TPM2_RC_SESSION_HANDLES:
        return sessions_reclaim(instance);
    default:
        return false;
    }
}

static void process(struct step *step, struct message *response)
{
    struct tpm_backend *tpm = step->connection->instance->tpm;

    do {
        tpm->operations->process(tpm, step->connection->locality, &step->translated, response);
    } while (make_room(step, response_code(response)));
}

/* Gives what the command made a handle of the connection's. */
static void adopt_made(struct step *step, struct message *response)
{
    uint32_t loaded = response_handle(&step->command, response);

    if (step->connection->bare || !handle_is_transient(loaded))
        return;
    step->made = objects_add(step->connection, loaded);
    if (step->made) {
        put_u32(response->bytes + HEADER_SIZE, step->made->handle);
        return;
    }
    (void)tpm_flush(step->connection->instance->tpm, loaded);
    respond_code(TPM2_RC_OBJECT_MEMORY, response);
}

static void drop_flushed(struct step *step)
{
    for (unsigned i = 0; i < COMMAND_HANDLES_MAX; i++)
        if (step->pinned[i])
            objects_remove(step->connection, step->pinned[i], false);
}

/* TPM2_FlushContext has its handle among the parameters; done without the TPM. */
static bool flush_own_object(const struct step *step, struct message *response)
{
    struct object *object;
    uint32_t handle;

    if (step->connection->bare || step->command.code != TPM2_CC_FlushContext ||
        step->command.has_sessions || step->message->size != HEADER_SIZE + 4)
        return false;
    handle = get_u32(step->message->bytes + HEADER_SIZE);
    if (!handle_is_transient(handle))
        return false;
    object = objects_find(step->connection, handle);
    if (object)
        objects_remove(step->connection, object, true);
    respond_code(object ? TPM2_RC_SUCCESS : TPM2_RC_HANDLE | TPM2_RC_P | TPM2_RC_1, response);
    return true;
}

static void execute(struct step *step, struct message *response)
{
    uint32_t rc;

    /* What others have loaded meanwhile is not for the bare TPM to show. */
    if (step->connection->bare && step->kind != KIND_OWN_OBJECTS)
        objects_unload_all(step->connection->instance);
    if (flush_own_object(step, response) ||
        capability_answer(step->connection, &step->command, step->message, response))
        return;
    rc = translate_handles(step);
    if (rc == TPM2_RC_SUCCESS)
        rc = sessions_prepare(step->connection, &step->command, step->message);
    if (rc == TPM2_RC_SUCCESS)
        process(step, response);
    else
        respond_code(rc, response);
    objects_unpin_all(step->connection);
    if (response_code(response) != TPM2_RC_SUCCESS)
        return;
    if (step->command.flushes_handles)
        drop_flushed(step);
    adopt_made(step, response);
    sessions_note(step->connection, &step->command, step->message, response);
}

/* Did the command change what the others must see? */
static bool must_publish(const struct step *step, const struct message *response)
{
    struct tpm_backend *tpm = step->connection->instance->tpm;

    if (tpm->operations->has_stored(tpm))
        return true;
    if (response_code(response) != TPM2_RC_SUCCESS)
        return false;
    return step->kind >= KIND_CHANGES_SHARED || response_spends_commit(&step->command, response);
}

/* Does the change reach what commands on own objects depend on? Also a store
 * that was not the command's purpose does: a failed try, or the first use of a
 * key with dictionary attack protection. */
static bool is_hard(const struct step *step, const struct message *response)
{
    struct tpm_backend *tpm = step->connection->instance->tpm;
    struct command plain = step->command;
    enum command_kind kind;

    plain.uses_session = false;
    kind = command_kind(&plain, step->message);
    if (kind == KIND_CHANGES_HARD)
        return true;
    return tpm->operations->has_stored(tpm) &&
           (kind < KIND_CHANGES_SHARED || response_code(response) != TPM2_RC_SUCCESS);
}

/* An NV write that stores nothing is one to an orderly index. Its counters must not
 * go back after a power loss. */
static bool writes_orderly_index(const struct step *step)
{
    struct tpm_backend *tpm = step->connection->instance->tpm;
    uint32_t code = step->command.code;

    return (code == TPM2_CC_NV_Write || code == TPM2_CC_NV_Increment || code == TPM2_CC_NV_Extend ||
            code == TPM2_CC_NV_SetBits) &&
           !tpm->operations->has_stored(tpm);
}

static void undo(struct step *step)
{
    if (step->made)
        objects_remove(step->connection, step->made, true);
    step->made = NULL;
    for (unsigned i = 0; i < COMMAND_HANDLES_MAX; i++)
        step->pinned[i] = NULL;
}

/* The TPM's copy may have no room for the only reason that it is an old one. */
static bool lacks_room(const struct step *step, const struct message *response)
{
    return response_code(response) == TPM2_RC_OBJECT_MEMORY &&
           state_is_behind(step->connection->instance, KIND_READS_SHARED);
}

static TSS2_RC prepare(const struct step *step)
{
    struct instance *instance = step->connection->instance;

    return state_is_behind(instance, step->kind) ? state_take_over(instance) : TSS2_RC_SUCCESS;
}

/* Under the lock: publishes what the command changed. TSS2_TCTI_RC_TRY_AGAIN: what
 * is shared has moved on before that; the command is undone. */
static TSS2_RC settle(struct step *step, struct message *response)
{
    struct instance *instance = step->connection->instance;
    TSS2_RC rc;

    if (response_code(response) == TPM2_RC_FAILURE) {
        /* Failure mode is left as a chip leaves it: by a restart, from the last
         * good state. */
        instance->in_step = false;
        return TSS2_RC_SUCCESS;
    }
    if (!must_publish(step, response) && !lacks_room(step, response))
        return TSS2_RC_SUCCESS;
    if (state_is_behind(instance, KIND_CHANGES_SHARED)) {
        undo(step);
        rc = state_take_over(instance);
        return rc == TSS2_RC_SUCCESS ? TSS2_TCTI_RC_TRY_AGAIN : rc;
    }
    instance->control.sync_next = writes_orderly_index(step);
    rc = state_publish(instance, is_hard(step, response));
    if (rc != TSS2_RC_SUCCESS)
        undo(step);
    return rc;
}

static TSS2_RC attempt(struct step *step, struct message *response)
{
    TSS2_RC rc = prepare(step);

    if (rc != TSS2_RC_SUCCESS)
        return rc;
    execute(step, response);
    return settle(step, response);
}

static enum command_kind kind_of(const struct step *step)
{
    const struct instance *instance = step->connection->instance;
    enum command_kind kind = step->connection->bare
                                 ? command_kind_bare(&step->command, step->message)
                                 : command_kind(&step->command, step->message);

    /* The digest of the command audit goes on with each audited command. */
    if (kind < KIND_CHANGES_SHARED &&
        command_attributes_of(&instance->audited, step->command.code) != 0)
        kind = KIND_CHANGES_SHARED;
    return kind;
}

/* A publish that is under way is another's, and not yet done; unless nobody has
 * the turn: then its process was killed, and what it left must not come to light
 * some time later. */
static void settle_for_the_dead(struct instance *instance)
{
    uint32_t generation;

    if (control_mark(&instance->control, &generation) == CONTROL_SETTLED ||
        !directory_try_lock(&instance->directory))
        return;
    (void)permanent_settle(&instance->directory, &instance->control);
    directory_unlock(&instance->directory);
}

/* The way of a command that need not change what is shared. True if it did not,
 * or false with *ret_executed: what it changed is to be settled. */
static bool run_without_lock(struct step *step, struct message *response, bool *ret_executed)
{
    *ret_executed = false;
    if (step->kind <= KIND_READS_SHARED)
        settle_for_the_dead(step->connection->instance);
    if (step->kind > KIND_READS_SHARED || prepare(step) != TSS2_RC_SUCCESS)
        return false;
    /* The state that was taken over may have the command under audit. */
    step->kind = kind_of(step);
    if (step->kind > KIND_READS_SHARED)
        return false;
    execute(step, response);
    *ret_executed = true;
    if (response_code(response) == TPM2_RC_FAILURE)
        return settle(step, response) == TSS2_RC_SUCCESS;
    return !must_publish(step, response) && !lacks_room(step, response);
}

static TSS2_RC run(struct connection *connection, const struct message *message,
                   struct message *response)
{
    struct instance *instance = connection->instance;
    struct step step; /* not initialized as a whole: it holds a message's room */
    bool executed;
    TSS2_RC rc;

    step.connection = connection;
    step.message = message;
    memset(step.pinned, 0, sizeof(step.pinned));
    step.made = NULL;
    command_parse(message, &instance->commands, &step.command);
    step.kind = kind_of(&step);
    instance->commands_run++;
    if (run_without_lock(&step, response, &executed))
        return TSS2_RC_SUCCESS;
    rc = take_turn(instance);
    if (rc != TSS2_RC_SUCCESS) {
        if (executed)
            undo(&step);
        instance->in_step = false;
        return rc;
    }
    rc = executed ? settle(&step, response) : attempt(&step, response);
    while (rc == TSS2_TCTI_RC_TRY_AGAIN)
        rc = attempt(&step, response);
    directory_unlock(&instance->directory);
    return rc;
}

/* Another thread was at work in the TPM's copy: work in another copy from now on,
 * so that the two need not wait for each other. */
static void move_to_another_copy(struct connection *connection)
{
    struct instance *from = connection->instance, *to = NULL;
    bool moved = false;

    if (!registry_acquire_another(from, &to))
        return;
    if (instance_enter(from) == TSS2_RC_SUCCESS) {
        if (from->in_step && !sessions_any(connection)) {
            objects_unload(connection);
            unlink_connection(connection);
            moved = true;
        }
        instance_leave(from);
    }
    if (moved && instance_enter(to) == TSS2_RC_SUCCESS) {
        link_to(connection, to);
        instance_leave(to);
    }
    registry_release(connection->instance == to ? from : to);
}

void connection_run(struct connection *connection, const struct message *command,
                    struct message *response)
{
    struct instance *instance = connection->instance;
    bool contended = instance_is_busy(instance);
    TSS2_RC rc = instance_enter(instance);

    if (rc == TSS2_RC_SUCCESS) {
        rc = run(connection, command, response);
        instance_leave(instance);
    }
    if (rc != TSS2_RC_SUCCESS)
        respond_code(TPM2_RC_NV_UNAVAILABLE, response);
    if (contended && rc == TSS2_RC_SUCCESS)
        move_to_another_copy(connection);
}

TSS2_RC connection_reset(struct connection *connection, enum tpm_reset how)
{
    struct instance *instance = connection->instance;
    TSS2_RC rc = instance_enter(instance);

    if (rc != TSS2_RC_SUCCESS)
        return rc;
    rc = directory_lock(&instance->directory);
    if (rc == TSS2_RC_SUCCESS) {
        rc = power_cycle(instance, how);
        directory_unlock(&instance->directory);
    }
    instance_leave(instance);
    return rc;
}
