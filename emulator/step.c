#include "emulator/step.h"

#include "emulator/capability.h"
#include "emulator/objects.h"
#include "emulator/sessions.h"
#include "emulator/tpm.h"

#include <string.h>
#include <tss2/tss2_tpm2_types.h>

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

static bool makes_object(const struct step *step)
{
    const struct message *message = step->message;

    if (step->connection->bare || !step->command.returns_handle ||
        step->command.code == TPM2_CC_StartAuthSession)
        return false;
    /* TPMS_CONTEXT.savedHandle: sessions have contexts, too. */
    return step->command.code != TPM2_CC_ContextLoad ||
           (message->size >= HEADER_SIZE + 12 &&
            handle_is_transient(get_u32(message->bytes + HEADER_SIZE + 8)));
}

void step_execute(struct step *step, struct message *response)
{
    uint32_t rc;

    step->translated.size = 0;
    /* What others have loaded meanwhile is not for the bare TPM to show. */
    if (step->connection->bare && step->kind != KIND_OWN_OBJECTS)
        objects_unload_all(step->connection->instance);
    if (flush_own_object(step, response) ||
        capability_answer(step->connection, &step->command, step->message, response))
        return;
    /* Asked before, as afterwards the command would have changed its sessions. */
    rc = makes_object(step) && !objects_have_room(step->connection) ? TPM2_RC_OBJECT_MEMORY
                                                                    : translate_handles(step);
    if (rc == TPM2_RC_SUCCESS)
        rc = sessions_prepare(step->connection, &step->command, step->message);
    if (rc == TPM2_RC_SUCCESS)
        process(step, response);
    else
        respond_code(rc, response);
    explicit_bzero(step->translated.bytes, step->translated.size);
    objects_unpin_all(step->connection);
    if (response_code(response) != TPM2_RC_SUCCESS)
        return;
    if (step->command.flushes_handles)
        drop_flushed(step);
    adopt_made(step, response);
    sessions_note(step->connection, &step->command, step->message, response);
}

void step_undo(struct step *step)
{
    if (step->made)
        objects_remove(step->connection, step->made, true);
    step->made = NULL;
    for (unsigned i = 0; i < COMMAND_HANDLES_MAX; i++)
        step->pinned[i] = NULL;
}
