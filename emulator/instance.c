#include "emulator/instance.h"

#include "emulator/error.h"
#include "emulator/libtpms.h"
#include "emulator/objects.h"
#include "emulator/openssl_scope.h"
#include "emulator/power.h"
#include "emulator/tpm.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <tss2/tss2_tpm2_types.h>
#include <unistd.h>

/* Threads that come and go all the time would not let it in. */
static atomic_int forks_waiting;

static void let_fork_pass(void)
{
    for (int i = 0; i < 1000 && atomic_load(&forks_waiting) > 0; i++)
        (void)sched_yield();
}

TSS2_RC instance_new(struct directory *take_directory, struct instance **ret)
{
    struct instance *instance = calloc(1, sizeof(*instance));
    struct stat status;

    if (!instance)
        return TSS2_TCTI_RC_MEMORY;
    if (fstat(take_directory->fd, &status) != 0 || pthread_mutex_init(&instance->lock, NULL) != 0) {
        free(instance);
        return TSS2_TCTI_RC_GENERAL_FAILURE;
    }
    instance->device = status.st_dev;
    instance->inode = status.st_ino;
    instance->process = getpid();
    instance->control = (struct control)CONTROL_CLOSED;
    instance->directory = *take_directory;
    *take_directory = (struct directory)DIRECTORY_CLOSED;
    *ret = instance;
    return TSS2_RC_SUCCESS;
}

static void power_off(struct instance *instance)
{
    if (instance->tpm)
        instance->tpm->operations->close(instance->tpm);
    instance->tpm = NULL;
    instance->opened = false;
    instance->in_step = false;
    blob_free(&instance->permanent);
    session_rows_free(instance->sessions);
    control_close(&instance->control);
    directory_drop_locks(&instance->directory);
}

void instance_free(struct instance *instance)
{
    if (!instance)
        return;
    /* A copy that a fork caught at work cannot even be taken down; nor one that has
     * lost its OpenSSL. */
    if (instance->damaged || openssl_is_over()) {
        instance->tpm = NULL;
        instance->permanent = (struct blob){NULL, 0};
        memset(instance->sessions, 0, sizeof(instance->sessions));
    }
    power_off(instance);
    directory_close(&instance->directory);
    (void)pthread_mutex_destroy(&instance->lock);
    free(instance);
}

static TSS2_RC open_parts(struct instance *instance)
{
    TSS2_RC rc = directory_open_locks(&instance->directory);

    if (rc == TSS2_RC_SUCCESS)
        rc = libtpms_open(&instance->tpm);
    if (rc == TSS2_RC_SUCCESS)
        rc = directory_lock(&instance->directory);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    rc = control_open(&instance->directory, &instance->control);
    if (rc == TSS2_RC_SUCCESS)
        rc = power_on(instance);
    directory_unlock(&instance->directory);
    return rc;
}

TSS2_RC instance_open(struct instance *instance)
{
    TSS2_RC rc = instance_enter(instance);

    if (rc != TSS2_RC_SUCCESS)
        return rc;
    if (!instance->tpm) {
        rc = open_parts(instance);
        if (rc != TSS2_RC_SUCCESS)
            power_off(instance);
        else
            instance->opened = true;
    }
    instance_leave(instance);
    return rc;
}

void instance_before_fork(struct instance *instance, const struct timespec *deadline)
{
    (void)atomic_fetch_add(&forks_waiting, 1);
    instance->held = pthread_mutex_timedlock(&instance->lock, deadline) == 0;
    (void)atomic_fetch_sub(&forks_waiting, 1);
}

void instance_forked_in_parent(struct instance *instance)
{
    if (instance->held) {
        instance->held = false;
        (void)pthread_mutex_unlock(&instance->lock);
    }
}

void instance_forked(struct instance *instance)
{
    if (instance->held) {
        instance->held = false;
        (void)pthread_mutex_unlock(&instance->lock);
    } else {
        (void)pthread_mutex_init(&instance->lock, NULL);
        instance->damaged = true;
    }
    instance->busy = false;
    /* Not ours: unlocking there would unlock the parent. */
    directory_drop_locks(&instance->directory);
}

/* The parent's thread was at work in the copy: leave it, and start afresh from
 * what is published. Objects without a saved context are lost. */
static TSS2_RC replace_damaged(struct instance *instance)
{
    instance->tpm = NULL;
    instance->permanent = (struct blob){NULL, 0};
    instance->in_step = false;
    memset(instance->sessions, 0, sizeof(instance->sessions));
    objects_forget_loaded(instance);
    if (instance->opened)
        return libtpms_open(&instance->tpm);
    /* It was only being opened: instance_open does all of that again. */
    control_close(&instance->control);
    directory_drop_locks(&instance->directory);
    return TSS2_RC_SUCCESS;
}

static TSS2_RC become_child(struct instance *instance)
{
    bool was_open = instance->tpm != NULL;
    TSS2_RC rc;

    if (!was_open && !instance->damaged) {
        instance->process = getpid();
        return TSS2_RC_SUCCESS;
    }
    instance->inherited_owner = instance->directory.owner;
    rc = directory_open_locks(&instance->directory);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    if (instance->damaged)
        rc = replace_damaged(instance);
    else if (instance->in_step && tpm_stir_random(instance->tpm) != TPM2_RC_SUCCESS)
        instance->in_step = false;
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    instance->damaged = false;
    instance->process = getpid();
    return TSS2_RC_SUCCESS;
}

bool instance_is_busy(const struct instance *instance)
{
    return atomic_load_explicit(&instance->busy, memory_order_relaxed);
}

void instance_lock(struct instance *instance)
{
    let_fork_pass();
    (void)pthread_mutex_lock(&instance->lock);
    instance->busy = true;
}

TSS2_RC instance_enter(struct instance *instance)
{
    if (openssl_is_over()) {
        error_set("the program is exiting, and OpenSSL has gone before: no TPM command can be run");
        return TSS2_TCTI_RC_IO_ERROR;
    }
    instance_lock(instance);
    if (instance->process != getpid()) {
        TSS2_RC rc = become_child(instance);

        if (rc != TSS2_RC_SUCCESS) {
            instance_leave(instance);
            return rc;
        }
    }
    return TSS2_RC_SUCCESS;
}

void instance_leave(struct instance *instance)
{
    instance->busy = false;
    (void)pthread_mutex_unlock(&instance->lock);
}
