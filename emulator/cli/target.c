#include "emulator/cli/target.h"

#include "emulator/error.h"
#include "emulator/identity/ek.h"
#include "emulator/permanent.h"
#include "emulator/state.h"
#include "emulator/swtpm_file.h"

#include <fcntl.h>
#include <unistd.h>

static TSS2_RC refuse_presence(const struct directory *directory, bool force)
{
    unsigned others;

    if (faccessat(directory->fd, SWTPM_PERMANENT_FILE, F_OK, AT_SYMLINK_NOFOLLOW) != 0)
        return TSS2_RC_SUCCESS;
    if (!force) {
        error_set("%s: there is a TPM already; name another directory", directory->path);
        return TSS2_TCTI_RC_BAD_VALUE;
    }
    others = directory_count_others(directory);
    if (others == 0)
        return TSS2_RC_SUCCESS;
    error_set("%s: the TPM that is there has %u other user%s; end their programs first",
              directory->path, others, others == 1 ? "" : "s");
    return TSS2_TCTI_RC_BAD_VALUE;
}

TSS2_RC target_open(const char *path, bool force, struct directory *ret)
{
    TARGET_SCOPE struct directory directory = DIRECTORY_CLOSED;
    TSS2_RC rc = directory_open(path, &directory);

    if (rc == TSS2_RC_SUCCESS)
        rc = directory_open_locks(&directory);
    if (rc == TSS2_RC_SUCCESS)
        rc = directory_lock(&directory);
    if (rc == TSS2_RC_SUCCESS)
        rc = refuse_presence(&directory, force);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    *ret = directory;
    directory = (struct directory)DIRECTORY_CLOSED;
    return TSS2_RC_SUCCESS;
}

TSS2_RC target_forget_ca(const struct directory *directory)
{
    return directory_remove(directory, EK_CA_FILE);
}

/* What ran there before must not be taken for a part of the new one. */
static TSS2_RC remove_running(const struct directory *directory)
{
    TSS2_RC rc = directory_remove(directory, CONTROL_FILE);

    return rc == TSS2_RC_SUCCESS ? directory_remove(directory, SWTPM_VOLATILE_FILE) : rc;
}

TSS2_RC target_write(const struct directory *directory, const struct blob *permanent)
{
    BLOB_SCOPE struct blob file = {NULL, 0};
    TSS2_RC rc = swtpm_file_wrap(permanent, &file);

    if (rc == TSS2_RC_SUCCESS)
        rc = remove_running(directory);
    return rc == TSS2_RC_SUCCESS ? directory_replace(directory, SWTPM_PERMANENT_FILE, &file) : rc;
}

TSS2_RC target_write_running(const struct directory *directory, const struct tpm_state *state)
{
    __attribute__((cleanup(control_close))) struct control control = CONTROL_CLOSED;
    uint32_t generation = state_next_generation(0);
    TSS2_RC rc = remove_running(directory);

    if (rc == TSS2_RC_SUCCESS)
        rc = control_open(directory, &control);
    if (rc == TSS2_RC_SUCCESS)
        rc = control_write(&control, generation, state);
    if (rc == TSS2_RC_SUCCESS)
        rc = permanent_write(directory, &control, generation, &state->permanent);
    if (rc == TSS2_RC_SUCCESS)
        (void)control_flip(&control, generation, true);
    return rc;
}
