#include "emulator/objects.h"

#include "emulator/tpm.h"

#include <stdlib.h>
#include <tss2/tss2_tpm2_types.h>

/* TPMS_CONTEXT.savedHandle of a sequence object: TPM 2.0 Library part 2. */
#define SAVED_HANDLE_OFFSET 8
#define SAVED_SEQUENCE 0x80000001u

struct object *objects_find(const struct connection *connection, uint32_t handle)
{
    uint32_t index = handle - TRANSIENT_FIRST;

    return index < OBJECTS_MAX ? connection->objects[index] : NULL;
}

static uint32_t free_index(const struct connection *connection)
{
    uint32_t index = 0;

    while (index < OBJECTS_MAX && connection->objects[index])
        index++;
    return index;
}

bool objects_have_room(const struct connection *connection)
{
    return free_index(connection) < OBJECTS_MAX;
}

struct object *objects_add(struct connection *connection, uint32_t loaded)
{
    uint32_t index = free_index(connection);
    struct object *object;

    if (index == OBJECTS_MAX)
        return NULL;
    object = calloc(1, sizeof(*object));
    if (!object)
        return NULL;
    object->handle = TRANSIENT_FIRST + index;
    object->loaded = loaded;
    object->used = connection->instance->commands_run;
    connection->objects[index] = object;
    return object;
}

void objects_remove(struct connection *connection, struct object *object, bool flush)
{
    connection->objects[object->handle - TRANSIENT_FIRST] = NULL;
    if (flush && object->loaded)
        (void)tpm_flush(connection->instance->tpm, object->loaded);
    blob_free(&object->context);
    free(object);
}

/* A sequence object changes with use, any other's context is good for ever. */
static bool context_stays_good(const struct blob *context)
{
    return context->size >= SAVED_HANDLE_OFFSET + 4 &&
           get_u32(context->data + SAVED_HANDLE_OFFSET) != SAVED_SEQUENCE;
}

/* Leaves an object without context if the TPM no longer has it. */
static void unload(struct tpm_backend *tpm, struct object *object)
{
    if (!object->context.data)
        (void)tpm_context_save(tpm, object->loaded, &object->context);
    (void)tpm_flush(tpm, object->loaded);
    object->loaded = 0;
}

bool objects_evict_one(struct instance *instance)
{
    struct object *oldest = NULL;

    for (const struct connection *at = instance->connections; at; at = at->next)
        for (size_t i = 0; i < OBJECTS_MAX; i++) {
            struct object *object = at->objects[i];

            if (object && object->loaded && !object->pinned &&
                (!oldest || object->used < oldest->used))
                oldest = object;
        }
    if (!oldest)
        return false;
    unload(instance->tpm, oldest);
    return true;
}

uint32_t objects_pin(struct connection *connection, struct object *object)
{
    struct instance *instance = connection->instance;
    uint32_t rc = TPM2_RC_SUCCESS;

    if (!object->loaded) {
        if (!object->context.data)
            return TPM2_RC_HANDLE;
        do {
            rc = tpm_context_load(instance->tpm, &object->context, &object->loaded);
        } while (rc == TPM2_RC_OBJECT_MEMORY && objects_evict_one(instance));
        if (rc != TPM2_RC_SUCCESS)
            return rc;
        if (!context_stays_good(&object->context))
            blob_free(&object->context);
    }
    object->pinned = true;
    object->used = instance->commands_run;
    return rc;
}

void objects_unpin_all(struct connection *connection)
{
    for (size_t i = 0; i < OBJECTS_MAX; i++)
        if (connection->objects[i])
            connection->objects[i]->pinned = false;
}

void objects_unload(struct connection *connection)
{
    struct instance *instance = connection->instance;

    for (size_t i = 0; i < OBJECTS_MAX; i++) {
        struct object *object = connection->objects[i];

        if (!object || !object->loaded)
            continue;
        if (instance->in_step)
            unload(instance->tpm, object);
        object->loaded = 0;
    }
}

void objects_unload_all(struct instance *instance)
{
    for (struct connection *at = instance->connections; at; at = at->next)
        objects_unload(at);
}

void objects_forget_loaded(struct instance *instance)
{
    bool in_step = instance->in_step;

    instance->in_step = false;
    objects_unload_all(instance);
    instance->in_step = in_step;
}
