#include "emulator/cli/snapshot.h"

#include "emulator/connection.h"
#include "emulator/error.h"
#include "emulator/libtpms.h"
#include "emulator/permanent.h"
#include "emulator/swtpm_file.h"
#include "emulator/tpm.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <tss2/tss2_tpm2_types.h>
#include <unistd.h>

void snapshot_free(struct snapshot *snapshot)
{
    tpm_state_free(&snapshot->state);
}

static void close_connection(struct connection **connection)
{
    if (*connection)
        connection_close(*connection);
}

/* Opens the directory, which then is there, for its sentence on what is wrong. */
static TSS2_RC explain_directory(const char *path, const char *file, int reason)
{
    __attribute__((cleanup(directory_close))) struct directory directory = DIRECTORY_CLOSED;
    TSS2_RC rc = directory_open(path, &directory);

    if (rc == TSS2_RC_SUCCESS)
        error_set("%s: %s", file, strerror(reason));
    return rc == TSS2_RC_SUCCESS ? TSS2_TCTI_RC_IO_ERROR : rc;
}

/* A make that failed leaves a control file, too, but nothing published in it. */
static bool was_published(const char *path)
{
    __attribute__((cleanup(directory_close))) struct directory directory = DIRECTORY_CLOSED;
    struct control control = CONTROL_CLOSED;
    bool published;

    if (directory_open(path, &directory) != TSS2_RC_SUCCESS ||
        faccessat(directory.fd, CONTROL_FILE, F_OK, 0) != 0 ||
        directory_open_locks(&directory) != TSS2_RC_SUCCESS ||
        directory_lock(&directory) != TSS2_RC_SUCCESS)
        return false;
    published = control_open(&directory, &control) == TSS2_RC_SUCCESS && control_word(&control);
    control_close(&control);
    directory_unlock(&directory);
    return published;
}

TSS2_RC snapshot_expect_tpm(const char *path)
{
    char file[PATH_MAX + 32];
    struct stat status;

    (void)snprintf(file, sizeof(file), "%s/%s", path, SWTPM_PERMANENT_FILE);
    if (stat(file, &status) == 0)
        return TSS2_RC_SUCCESS;
    if (errno != ENOENT)
        return explain_directory(path, file, errno);
    if (stat(path, &status) == 0 && was_published(path))
        error_set("%s: the file is missing, yet there is %s; bring it back, or remove that one as "
                  "well for a new TPM",
                  file, CONTROL_FILE);
    else
        error_set("%s: there is no TPM here; make one with signet-tpm make", path);
    return TSS2_TCTI_RC_BAD_VALUE;
}

TSS2_RC snapshot_connect(const char *path, struct connection **ret)
{
    struct conf conf = {.speed = 1};
    TSS2_RC rc = snapshot_expect_tpm(path);

    if (rc != TSS2_RC_SUCCESS)
        return rc;
    (void)snprintf(conf.directory, sizeof(conf.directory), "%s", path);
    return connection_open(&conf, NULL, ret);
}

static TSS2_RC read_published(struct instance *instance, struct snapshot *ret)
{
    TSS2_RC rc = directory_lock(&instance->directory);

    if (rc != TSS2_RC_SUCCESS)
        return rc;
    rc = permanent_settle(&instance->directory, &instance->control);
    if (rc == TSS2_RC_SUCCESS)
        rc = control_read(&instance->control, control_generation(control_word(&instance->control)),
                          &ret->state);
    if (rc == TSS2_RC_SUCCESS)
        ret->others = directory_count_others(&instance->directory);
    else
        error_prefix(instance->directory.path);
    directory_unlock(&instance->directory);
    return rc;
}

TSS2_RC snapshot_take(const char *path, struct snapshot *ret)
{
    __attribute__((cleanup(close_connection))) struct connection *connection = NULL;
    TSS2_RC rc = snapshot_connect(path, &connection);

    if (rc == TSS2_RC_SUCCESS)
        rc = instance_enter(connection->instance);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    rc = read_published(connection->instance, ret);
    instance_leave(connection->instance);
    return rc;
}

void scratch_close(struct tpm_backend **tpm)
{
    if (*tpm)
        (*tpm)->operations->close(*tpm);
    *tpm = NULL;
}

static TSS2_RC failed(const char *command, uint32_t rc)
{
    error_set("a copy of the TPM fails in %s with 0x%x", command, rc);
    return TSS2_TCTI_RC_GENERAL_FAILURE;
}

/* startup: TPM2_Startup is to follow. */
static TSS2_RC power_on_copy(const struct blob *permanent, const struct blob *running, bool startup,
                             struct tpm_backend **ret)
{
    SCRATCH_SCOPE struct tpm_backend *tpm = NULL;
    TSS2_RC rc = libtpms_open(&tpm);
    uint32_t answer = TPM2_RC_SUCCESS;

    if (rc == TSS2_RC_SUCCESS)
        rc = tpm->operations->start(tpm, permanent, running);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    if (startup)
        answer = tpm_startup(tpm, TPM2_SU_CLEAR);
    if (answer != TPM2_RC_SUCCESS)
        return failed("TPM2_Startup", answer);
    answer = tpm_stir_random(tpm);
    if (answer != TPM2_RC_SUCCESS)
        return failed("TPM2_StirRandom", answer);
    *ret = tpm;
    tpm = NULL;
    return TSS2_RC_SUCCESS;
}

TSS2_RC scratch_resume(const struct tpm_state *state, struct tpm_backend **ret)
{
    return power_on_copy(&state->permanent, &state->running, false, ret);
}

TSS2_RC scratch_start(const struct blob *permanent, struct tpm_backend **ret)
{
    return power_on_copy(permanent, NULL, true, ret);
}

TSS2_RC scratch_shut_down(struct tpm_backend *tpm, const struct blob *before, struct blob *ret)
{
    uint32_t rc = tpm_shutdown(tpm, TPM2_SU_CLEAR);

    if (rc != TPM2_RC_SUCCESS)
        return failed("TPM2_Shutdown", rc);
    if (tpm->operations->has_stored(tpm))
        return tpm->operations->take_stored(tpm, ret);
    return blob_copy(before->data, before->size, ret) == 0 ? TSS2_RC_SUCCESS : TSS2_TCTI_RC_MEMORY;
}

TSS2_RC snapshot_shut_down(const struct snapshot *snapshot, struct blob *ret)
{
    SCRATCH_SCOPE struct tpm_backend *tpm = NULL;
    TSS2_RC rc = scratch_resume(&snapshot->state, &tpm);

    return rc == TSS2_RC_SUCCESS ? scratch_shut_down(tpm, &snapshot->state.permanent, ret) : rc;
}
