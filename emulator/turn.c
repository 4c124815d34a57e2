#include "emulator/turn.h"

#include "emulator/clock.h"
#include "emulator/permanent.h"
#include "emulator/query.h"
#include "emulator/state.h"
#include "emulator/step.h"

#include <string.h>
#include <tss2/tss2_tpm2_types.h>

TSS2_RC turn_take(struct instance *instance)
{
    TSS2_RC rc = directory_lock(&instance->directory);

    if (rc == TSS2_RC_SUCCESS) {
        /* If that fails, the present state is still the right one. */
        (void)permanent_settle(&instance->directory, &instance->control);
    }
    return rc;
}

static bool is_orderly_pin(struct tpm_backend *tpm, uint32_t handle)
{
    struct nv_public public;
    uint32_t type;

    if (!handle_is_nv_index(handle) || query_nv_public(tpm, handle, &public) != TPM2_RC_SUCCESS)
        return false;
    type = (public.attributes & TPMA_NV_TPM2_NT_MASK) >> TPMA_NV_TPM2_NT_SHIFT;
    return public.attributes & TPMA_NV_ORDERLY &&
           (type == TPM2_NT_PIN_FAIL || type == TPM2_NT_PIN_PASS);
}

/* Did the command have an orderly PIN index count? That stores nothing, whether
 * the command failed or not. The handles to be authorized are the first ones. */
static bool counts_orderly_pin(const struct step *step)
{
    const struct command *command = &step->command;
    bool counts = false;

    for (unsigned i = 0; i < command->handle_count && i < command->authorization_count; i++)
        counts = counts || is_orderly_pin(step->connection->instance->tpm, command->handles[i]);
    return counts;
}

/* Did the command change what the others must see? */
static bool must_publish(const struct step *step, const struct message *response)
{
    struct tpm_backend *tpm = step->connection->instance->tpm;

    if (tpm->operations->has_stored(tpm) || counts_orderly_pin(step))
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
        step_undo(step);
        rc = state_take_over(instance);
        return rc == TSS2_RC_SUCCESS ? TSS2_TCTI_RC_TRY_AGAIN : rc;
    }
    instance->control.sync_next =
        !instance->directory.unsynced && (writes_orderly_index(step) || counts_orderly_pin(step));
    rc = state_publish(instance, is_hard(step, response));
    if (rc != TSS2_RC_SUCCESS)
        step_undo(step);
    return rc;
}

static void execute(struct step *step, struct message *response)
{
    struct instance *instance = step->connection->instance;
    bool tells = clock_is_told(instance, &step->command);

    if (tells)
        clock_catch_up(instance);
    step_execute(step, response);
    if (tells)
        clock_note(instance);
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

/* Such a command has done its work on the connection's own object, and must not do
 * it twice. What it stored was not its own doing, but that a failed try was given
 * back, say; the next command does that again. */
static bool stores_in_passing(const struct step *step, const struct message *response)
{
    struct tpm_backend *tpm = step->connection->instance->tpm;
    uint32_t code = step->command.code;

    return (code == TPM2_CC_SequenceUpdate || code == TPM2_CC_SequenceComplete) &&
           response_code(response) == TPM2_RC_SUCCESS && tpm->operations->has_stored(tpm);
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
    if (stores_in_passing(step, response)) {
        state_drop(step->connection->instance);
        return true;
    }
    return !must_publish(step, response) && !lacks_room(step, response);
}

TSS2_RC turn_run(struct connection *connection, const struct message *message,
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
    rc = turn_take(instance);
    if (rc != TSS2_RC_SUCCESS) {
        if (executed) {
            step_undo(&step);
            state_drop(instance);
        }
        return rc;
    }
    rc = executed ? settle(&step, response) : attempt(&step, response);
    while (rc == TSS2_TCTI_RC_TRY_AGAIN)
        rc = attempt(&step, response);
    directory_unlock(&instance->directory);
    return rc;
}
