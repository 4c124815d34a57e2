#include "emulator/state.h"

#include "emulator/error.h"
#include "emulator/objects.h"
#include "emulator/permanent.h"
#include "emulator/tpm.h"

#include <string.h>
#include <tss2/tss2_tpm2_types.h>

uint32_t state_next_generation(uint32_t generation)
{
    return control_next_generation(generation);
}

bool state_is_behind(const struct instance *instance, enum command_kind kind)
{
    uint64_t word = control_word(&instance->control);

    if (!instance->in_step)
        return true;
    if (kind == KIND_OWN_OBJECTS)
        return control_hard_generation(word) != control_hard_generation(instance->word);
    return word != instance->word;
}

/* Whoever does not hold the directory's lock may read a slot that is just being
 * written again, two generations later: then the word has moved on. */
static TSS2_RC read_present(const struct control *control, uint64_t *ret_word,
                            struct tpm_state *ret)
{
    TSS2_RC rc;

    do {
        *ret_word = control_word(control);
        rc = control_read(control, control_generation(*ret_word), ret);
    } while (rc == TSS2_TCTI_RC_IO_ERROR && control_word(control) != *ret_word);
    return rc;
}

static TSS2_RC read_audited(struct instance *instance)
{
    if (tpm_read_audited(instance->tpm, &instance->audited) == TPM2_RC_SUCCESS)
        return TSS2_RC_SUCCESS;
    error_set("libtpms does not tell the commands under audit");
    return TSS2_TCTI_RC_GENERAL_FAILURE;
}

static TSS2_RC begin_run(struct instance *instance)
{
    if (tpm_stir_random(instance->tpm) == TPM2_RC_SUCCESS)
        return TSS2_RC_SUCCESS;
    error_set("the TPM's random number generator takes no entropy");
    return TSS2_TCTI_RC_GENERAL_FAILURE;
}

TSS2_RC state_take_over(struct instance *instance)
{
    TPM_STATE_SCOPE struct tpm_state state = TPM_STATE_EMPTY;
    uint64_t word = 0;
    TSS2_RC rc = read_present(&instance->control, &word, &state);

    if (rc != TSS2_RC_SUCCESS)
        return rc;
    objects_unload_all(instance);
    instance->in_step = false;
    rc = instance->tpm->operations->start(instance->tpm, &state.permanent, &state.running);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    rc = begin_run(instance);
    if (rc == TSS2_RC_SUCCESS)
        rc = read_audited(instance);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    session_rows_free(instance->sessions);
    memcpy(instance->sessions, state.sessions, sizeof(instance->sessions));
    memset(state.sessions, 0, sizeof(state.sessions));
    blob_move(&instance->permanent, &state.permanent);
    instance->word = word;
    instance->in_step = true;
    return TSS2_RC_SUCCESS;
}

void state_drop(struct instance *instance)
{
    objects_unload_all(instance);
    instance->in_step = false;
}

static TSS2_RC collect(struct instance *instance, struct tpm_state *state, bool *ret_stored)
{
    const struct tpm_backend_operations *tpm = instance->tpm->operations;
    TSS2_RC rc;

    *ret_stored = tpm->has_stored(instance->tpm);
    if (*ret_stored)
        rc = tpm->take_stored(instance->tpm, &state->permanent);
    else
        rc = blob_copy(instance->permanent.data, instance->permanent.size, &state->permanent) == 0
                 ? TSS2_RC_SUCCESS
                 : TSS2_TCTI_RC_MEMORY;
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    rc = session_rows_copy(state->sessions, instance->sessions);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    memcpy(state->boot_id, instance->boot_id, sizeof(state->boot_id));
    return tpm->running_state(instance->tpm, &state->running);
}

/* What a killed process left between its file and its word comes first. */
static TSS2_RC settle(const struct instance *instance)
{
    uint64_t word = control_word(&instance->control);
    TSS2_RC rc = permanent_settle(&instance->directory, &instance->control);

    if (rc == TSS2_RC_SUCCESS && control_word(&instance->control) != word)
        return TSS2_TCTI_RC_TRY_AGAIN;
    return rc;
}

/* The order is what makes it safe to be killed: the idle slot, which nobody
 * reads; the permanent file; the word. permanent.c completes what stopped
 * between the last two. */
TSS2_RC state_publish(struct instance *instance, bool hard)
{
    TPM_STATE_SCOPE struct tpm_state state = TPM_STATE_EMPTY;
    uint32_t generation =
        state_next_generation(control_generation(control_word(&instance->control)));
    bool stored = false;
    TSS2_RC rc;

    objects_unload_all(instance);
    instance->in_step = false;
    rc = settle(instance);
    if (rc == TSS2_RC_SUCCESS)
        rc = collect(instance, &state, &stored);
    if (rc == TSS2_RC_SUCCESS)
        rc = control_write(&instance->control, generation, &state);
    if (rc == TSS2_RC_SUCCESS && stored)
        rc =
            permanent_write(&instance->directory, &instance->control, generation, &state.permanent);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    instance->word = control_flip(&instance->control, generation, hard);
    blob_move(&instance->permanent, &state.permanent);
    /* Without knowing what is audited the next command takes over first. */
    instance->in_step = !hard || read_audited(instance) == TSS2_RC_SUCCESS;
    return TSS2_RC_SUCCESS;
}
