#include "emulator/swtpm_running.h"

#include "emulator/swtpm_file.h"
#include "emulator/tpm.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <tss2/tss2_tpm2_types.h>

static bool is_older(const struct timespec *left, const struct timespec *right)
{
    return left->tv_sec < right->tv_sec ||
           (left->tv_sec == right->tv_sec && left->tv_nsec < right->tv_nsec);
}

static bool belongs(const struct directory *directory)
{
    struct stat running, permanent;

    return fstatat(directory->fd, SWTPM_VOLATILE_FILE, &running, AT_SYMLINK_NOFOLLOW) == 0 &&
           fstatat(directory->fd, SWTPM_PERMANENT_FILE, &permanent, AT_SYMLINK_NOFOLLOW) == 0 &&
           !is_older(&running.st_mtim, &permanent.st_mtim);
}

bool swtpm_running_read(const struct directory *directory, struct blob *ret)
{
    BLOB_SCOPE struct blob file = {NULL, 0};

    return belongs(directory) &&
           directory_read(directory, SWTPM_VOLATILE_FILE, VOLATILE_STATE_MAX + SWTPM_HEADER_SIZE,
                          &file) == TSS2_RC_SUCCESS &&
           file.data && swtpm_file_unwrap(&file, ret) == TSS2_RC_SUCCESS;
}

#define HANDLES_MAX 64

uint32_t swtpm_running_adopt(struct instance *instance)
{
    uint32_t handles[HANDLES_MAX];
    size_t count = 0;
    uint32_t rc = tpm_read_handles(instance->tpm, TRANSIENT_FIRST, handles, HANDLES_MAX, &count);

    for (size_t i = 0; i < count && rc == TPM2_RC_SUCCESS; i++)
        rc = tpm_flush(instance->tpm, handles[i]);
    if (rc != TPM2_RC_SUCCESS)
        return rc;
    rc = tpm_read_handles(instance->tpm, LOADED_SESSION_FIRST, handles, HANDLES_MAX, &count);
    if (rc != TPM2_RC_SUCCESS)
        return rc;
    session_rows_free(instance->sessions);
    for (size_t i = 0; i < count && i < SESSIONS_MAX; i++)
        instance->sessions[i] = (struct session_row){.handle = handles[i]};
    return TPM2_RC_SUCCESS;
}
