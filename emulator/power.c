#include "emulator/power.h"

#include "emulator/error.h"
#include "emulator/identity/ek.h"
#include "emulator/objects.h"
#include "emulator/permanent.h"
#include "emulator/sessions.h"
#include "emulator/state.h"
#include "emulator/swtpm_file.h"
#include "emulator/swtpm_running.h"
#include "emulator/tpm.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <tss2/tss2_tpm2_types.h>
#include <unistd.h>

static const struct lockout_parameters forgiving = {
    .max_tries = 32, .recovery_seconds = 10, .lockout_recovery_seconds = 10};

static void read_boot_id(char boot_id[BOOT_ID_SIZE])
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

    memset(boot_id, 0, BOOT_ID_SIZE);
    if (fd < 0)
        return;
    if (read(fd, boot_id, BOOT_ID_SIZE - 1) < 0)
        boot_id[0] = '\0';
    (void)close(fd);
    boot_id[strcspn(boot_id, "\n")] = '\0';
}

static TSS2_RC name_file(const struct instance *instance, TSS2_RC rc)
{
    char path[PATH_MAX + 32];

    (void)snprintf(path, sizeof(path), "%s/%s", instance->directory.path, SWTPM_PERMANENT_FILE);
    error_prefix(path);
    return rc;
}

static bool blobs_equal(const struct blob *left, const struct blob *right)
{
    return left->size == right->size && memcmp(left->data, right->data, left->size) == 0;
}

/* Finds the published state that belongs to the permanent file. That may be one
 * whose publisher died between the file and the word: then it is completed. After
 * a power loss the word may be older than the newest state that was synced. */
static bool find_published(struct instance *instance, const struct blob *permanent,
                           struct tpm_state *ret)
{
    uint32_t present = control_generation(control_word(&instance->control));
    const uint32_t next = state_next_generation(present);
    const uint32_t candidates[] = {next, present, next};

    for (int i = 0; i < 3; i++) {
        TPM_STATE_SCOPE struct tpm_state state = TPM_STATE_EMPTY;

        if (control_read(&instance->control, candidates[i], &state) != TSS2_RC_SUCCESS ||
            !blobs_equal(&state.permanent, permanent) ||
            (i == 0 && strcmp(state.boot_id, instance->boot_id) == 0))
            continue;
        if (candidates[i] != present)
            (void)control_flip(&instance->control, candidates[i], true);
        *ret = state;
        state = (struct tpm_state)TPM_STATE_EMPTY;
        return true;
    }
    return false;
}

static TSS2_RC startup(struct instance *instance, uint16_t type)
{
    uint32_t rc = tpm_startup(instance->tpm, type);

    if (rc == TPM2_RC_SUCCESS)
        return TSS2_RC_SUCCESS;
    error_set("TPM2_Startup fails with 0x%x", rc);
    return TSS2_TCTI_RC_GENERAL_FAILURE;
}

/* Takes over what the TPM stored so far; the caller's permanent state if nothing. */
static TSS2_RC keep_stored(struct instance *instance)
{
    struct blob stored = {NULL, 0};
    TSS2_RC rc;

    if (!instance->tpm->operations->has_stored(instance->tpm))
        return TSS2_RC_SUCCESS;
    rc = instance->tpm->operations->take_stored(instance->tpm, &stored);
    if (rc == TSS2_RC_SUCCESS)
        blob_move(&instance->permanent, &stored);
    return rc;
}

static TSS2_RC manufacture(struct instance *instance)
{
    TSS2_RC rc = instance->tpm->operations->start(instance->tpm, NULL, NULL);
    const struct lockout_parameters *order = &instance->order.lockout;
    uint32_t lockout;

    if (rc == TSS2_RC_SUCCESS)
        rc = startup(instance, TPM2_SU_CLEAR);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    lockout = tpm_set_lockout(instance->tpm, order->max_tries ? order : &forgiving);
    if (lockout != TPM2_RC_SUCCESS) {
        error_set("TPM2_DictionaryAttackParameters fails with 0x%x", lockout);
        return TSS2_TCTI_RC_GENERAL_FAILURE;
    }
    rc = ek_certify(instance->tpm, &instance->directory, &instance->order.endorsement);
    if (rc == TSS2_RC_SUCCESS)
        rc = state_publish(instance, true);
    instance->manufactured = rc == TSS2_RC_SUCCESS;
    return rc;
}

/* _TPM_Init and TPM2_Startup on instance->permanent. */
static TSS2_RC start_again(struct instance *instance, uint16_t type, bool keeps_saved)
{
    TSS2_RC rc = instance->tpm->operations->start(instance->tpm, &instance->permanent, NULL);

    if (rc == TSS2_RC_SUCCESS)
        rc = startup(instance, type);
    if (rc != TSS2_RC_SUCCESS)
        return name_file(instance, rc);
    control_set_clock(&instance->control, (struct control_clock){0, 0});
    sessions_lost_power(instance, keeps_saved);
    if (tpm_stir_random(instance->tpm) != TPM2_RC_SUCCESS)
        return TSS2_TCTI_RC_GENERAL_FAILURE;
    return state_publish(instance, true);
}

static TSS2_RC cold_start(struct instance *instance)
{
    return start_again(instance, TPM2_SU_CLEAR, false);
}

/* The machine went down without a word to the TPM, as machines do. A chip would
 * count that as a failed try; we still have the volatile state, and can shut it
 * down in order before the reset. */
static TSS2_RC orderly_reset(struct instance *instance, const struct tpm_state *state)
{
    TSS2_RC rc =
        instance->tpm->operations->start(instance->tpm, &state->permanent, &state->running);

    if (rc == TSS2_RC_SUCCESS && tpm_shutdown(instance->tpm, TPM2_SU_CLEAR) == TPM2_RC_SUCCESS)
        rc = keep_stored(instance);
    instance->tpm->operations->stop(instance->tpm);
    return rc == TSS2_TCTI_RC_MEMORY ? rc : cold_start(instance);
}

/* Goes on from what swtpm stored when it stopped. False if it left nothing of use. */
static bool resume_from_swtpm(struct instance *instance)
{
    BLOB_SCOPE struct blob running = {NULL, 0};

    return swtpm_running_read(&instance->directory, &running) &&
           instance->tpm->operations->start(instance->tpm, &instance->permanent, &running) ==
               TSS2_RC_SUCCESS &&
           swtpm_running_adopt(instance) == TPM2_RC_SUCCESS &&
           state_publish(instance, true) == TSS2_RC_SUCCESS;
}

static TSS2_RC start_unpublished(struct instance *instance)
{
    return resume_from_swtpm(instance) ? TSS2_RC_SUCCESS : cold_start(instance);
}

static TSS2_RC start_from(struct instance *instance, struct blob *take_permanent)
{
    TPM_STATE_SCOPE struct tpm_state state = TPM_STATE_EMPTY;
    bool published = find_published(instance, take_permanent, &state);
    TSS2_RC rc;

    blob_move(&instance->permanent, take_permanent);
    if (published && strcmp(state.boot_id, instance->boot_id) != 0)
        return orderly_reset(instance, &state);
    if (published) {
        rc = state_take_over(instance);
        if (rc == TSS2_RC_SUCCESS)
            return rc;
        /* A volatile state that this libtpms cannot read is lost in a reset.
         * Not while others go on with it. */
        if (directory_is_shared(&instance->directory))
            return name_file(instance, rc);
        return cold_start(instance);
    }
    return start_unpublished(instance);
}

TSS2_RC power_on(struct instance *instance)
{
    BLOB_SCOPE struct blob permanent = {NULL, 0};
    TSS2_RC rc = permanent_settle(&instance->directory, &instance->control);

    directory_tidy(&instance->directory, SWTPM_PERMANENT_FILE);
    if (rc == TSS2_RC_SUCCESS)
        rc = permanent_read(&instance->directory, &permanent);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    read_boot_id(instance->boot_id);
    if (permanent.data) {
        rc = start_from(instance, &permanent);
    } else if (control_word(&instance->control) == 0) {
        rc = manufacture(instance);
    } else {
        error_set("the file is missing, yet %s says that a TPM was made here; bring it back, or "
                  "remove that one as well for a new TPM",
                  CONTROL_FILE);
        return name_file(instance, TSS2_TCTI_RC_IO_ERROR);
    }
    /* Once another state is published, it would be a step back. */
    if (rc == TSS2_RC_SUCCESS)
        rc = directory_remove(&instance->directory, SWTPM_VOLATILE_FILE);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    if (tpm_stir_random(instance->tpm) != TPM2_RC_SUCCESS ||
        tpm_read_commands(instance->tpm, &instance->commands) != TPM2_RC_SUCCESS ||
        tpm_read_property(instance->tpm, TPM2_PT_CONTEXT_GAP_MAX, &instance->context_gap) !=
            TPM2_RC_SUCCESS) {
        error_set("libtpms does not answer");
        return TSS2_TCTI_RC_GENERAL_FAILURE;
    }
    return TSS2_RC_SUCCESS;
}

/* The running TPM has the present state; what it stores on its way out is kept. */
static TSS2_RC power_down(struct instance *instance, enum tpm_reset how)
{
    uint32_t rc = TPM2_RC_SUCCESS;

    objects_unload_all(instance);
    instance->in_step = false;
    if (how == TPM_RESET)
        rc = tpm_shutdown(instance->tpm, TPM2_SU_CLEAR);
    else if (how != TPM_POWER_LOSS)
        rc = tpm_shutdown(instance->tpm, TPM2_SU_STATE);
    if (rc != TPM2_RC_SUCCESS) {
        error_set("TPM2_Shutdown fails with 0x%x", rc);
        return TSS2_TCTI_RC_GENERAL_FAILURE;
    }
    return keep_stored(instance);
}

TSS2_RC power_cycle(struct instance *instance, enum tpm_reset how)
{
    TSS2_RC rc = permanent_settle(&instance->directory, &instance->control);

    if (rc == TSS2_RC_SUCCESS && state_is_behind(instance, KIND_CHANGES_HARD))
        rc = state_take_over(instance);
    if (rc == TSS2_RC_SUCCESS)
        rc = power_down(instance, how);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    instance->tpm->operations->stop(instance->tpm);
    return start_again(instance, how == TPM_RESUME ? TPM2_SU_STATE : TPM2_SU_CLEAR,
                       how == TPM_RESUME || how == TPM_RESTART);
}
