#include "emulator/connection.h"

#include "emulator/error.h"
#include "emulator/objects.h"
#include "emulator/openssl_scope.h"
#include "emulator/registry.h"
#include "emulator/sessions.h"
#include "emulator/state.h"
#include "emulator/turn.h"

#include <stdlib.h>
#include <tss2/tss2_tpm2_types.h>
#include <unistd.h>

static void link_to(struct connection *connection, struct instance *instance)
{
    connection->instance = instance;
    connection->number = ++instance->connections_made;
    connection->next = instance->connections;
    instance->connections = connection;
    /* One that wants its writes to last is enough. */
    if (!connection->unsynced)
        instance->directory.unsynced = false;
}

TSS2_RC connection_open(const struct conf *conf, const struct tpm_order *order,
                        struct connection **ret)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    struct instance *instance = NULL;
    TSS2_RC rc;

    if (!connection)
        return TSS2_TCTI_RC_MEMORY;
    connection->bare = conf->bare;
    connection->unsynced = conf->unsynced;
    rc = registry_acquire(conf, order, &instance);
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

/* Sessions are in the shared state: flushing them is a change to publish. */
static void flush_sessions(struct connection *connection)
{
    struct instance *instance = connection->instance;

    if (!sessions_any(connection) || turn_take(instance) != TSS2_RC_SUCCESS)
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
    bool usable;

    instance_lock(instance);
    usable = !instance->damaged && !openssl_is_over();
    /* Sessions that a forked child inherited are the parent's to flush; the objects
     * are in the child's own copy of the TPM, and take room there. */
    if (usable && instance->process == getpid())
        flush_sessions(connection);
    for (size_t i = 0; i < OBJECTS_MAX; i++)
        if (connection->objects[i])
            objects_remove(connection, connection->objects[i], usable && instance->in_step);
    unlink_connection(connection);
    instance_leave(instance);
    registry_release(instance);
    free(connection);
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
    if (!moved) {
        registry_release(to);
        return;
    }
    /* Always into one of the lists: whoever publishes unloads what is in them. */
    instance_lock(to);
    link_to(connection, to);
    instance_leave(to);
    registry_release(from);
}

void connection_run(struct connection *connection, const struct message *command,
                    struct message *response)
{
    struct instance *instance = connection->instance;
    bool contended = instance_is_busy(instance);
    TSS2_RC rc = instance_enter(instance);

    if (rc == TSS2_RC_SUCCESS) {
        rc = turn_run(connection, command, response);
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
