#include "emulator/permanent.h"

#include "emulator/error.h"
#include "emulator/swtpm_file.h"

#include <stdio.h>
#include <string.h>

static TSS2_RC name_file(const struct directory *directory, TSS2_RC rc)
{
    char path[PATH_MAX + 32];

    (void)snprintf(path, sizeof(path), "%s/%s", directory->path, SWTPM_PERMANENT_FILE);
    error_prefix(path);
    return rc;
}

TSS2_RC permanent_read(const struct directory *directory, struct blob *ret)
{
    BLOB_SCOPE struct blob file = {NULL, 0};
    TSS2_RC rc = directory_read(directory, SWTPM_PERMANENT_FILE,
                                PERMANENT_STATE_MAX + SWTPM_HEADER_SIZE, &file);

    if (rc != TSS2_RC_SUCCESS || !file.data)
        return rc;
    rc = swtpm_file_unwrap(&file, ret);
    return rc == TSS2_RC_SUCCESS ? rc : name_file(directory, rc);
}

static TSS2_RC replace(const struct directory *directory, const struct blob *permanent)
{
    BLOB_SCOPE struct blob file = {NULL, 0};
    TSS2_RC rc = swtpm_file_wrap(permanent, &file);

    if (rc != TSS2_RC_SUCCESS)
        return rc;
    return directory_replace(directory, SWTPM_PERMANENT_FILE, &file);
}

/* Undoing what failed must not hide why it failed. */
static void withdraw(const struct directory *directory, const struct control *control,
                     uint32_t generation)
{
    char reason[512];

    (void)snprintf(reason, sizeof(reason), "%s", error_text());
    control_set_mark(control, CONTROL_WITHDRAWN, generation);
    (void)permanent_settle(directory, control);
    error_set("%s", reason);
}

TSS2_RC permanent_write(const struct directory *directory, const struct control *control,
                        uint32_t generation, const struct blob *permanent)
{
    TSS2_RC rc;

    if (!control_is_linked(control)) {
        error_set("%s: the state was removed while in use", directory->path);
        return TSS2_TCTI_RC_IO_ERROR;
    }
    control_set_mark(control, CONTROL_UNDER_WAY, generation);
    rc = replace(directory, permanent);
    if (rc != TSS2_RC_SUCCESS)
        withdraw(directory, control, generation);
    return rc;
}

static bool same(const struct blob *left, const struct blob *right)
{
    return left->size == right->size &&
           (left->size == 0 || memcmp(left->data, right->data, left->size) == 0);
}

/* Did the publish reach the permanent file? */
static TSS2_RC reached_file(const struct directory *directory, const struct control *control,
                            uint32_t generation, bool *ret)
{
    TPM_STATE_SCOPE struct tpm_state state = TPM_STATE_EMPTY;
    BLOB_SCOPE struct blob file = {NULL, 0};
    TSS2_RC rc = control_read(control, generation, &state);

    *ret = false;
    if (rc == TSS2_TCTI_RC_MEMORY)
        return rc;
    if (rc != TSS2_RC_SUCCESS)
        return TSS2_RC_SUCCESS;
    rc = permanent_read(directory, &file);
    if (rc == TSS2_RC_SUCCESS)
        *ret = file.data && same(&file, &state.permanent);
    return rc;
}

/* Puts the file back that belongs to the present state; removes it where there is
 * none yet. */
static TSS2_RC undo(const struct directory *directory, const struct control *control)
{
    TPM_STATE_SCOPE struct tpm_state state = TPM_STATE_EMPTY;
    uint64_t word = control_word(control);
    TSS2_RC rc;

    if (word == 0)
        return directory_remove(directory, SWTPM_PERMANENT_FILE);
    rc = control_read(control, control_generation(word), &state);
    if (rc == TSS2_RC_SUCCESS)
        return replace(directory, &state.permanent);
    /* After a power loss: then the file is all there is. */
    return rc == TSS2_TCTI_RC_MEMORY ? rc : TSS2_RC_SUCCESS;
}

TSS2_RC permanent_settle(const struct directory *directory, const struct control *control)
{
    uint32_t generation;
    enum control_mark mark = control_mark(control, &generation);
    bool reached = false;
    TSS2_RC rc = TSS2_RC_SUCCESS;

    if (mark == CONTROL_SETTLED)
        return rc;
    rc = reached_file(directory, control, generation, &reached);
    if (rc == TSS2_RC_SUCCESS && reached && mark == CONTROL_WITHDRAWN)
        rc = undo(directory, control);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    if (reached && mark == CONTROL_UNDER_WAY)
        (void)control_flip(control, generation, true);
    control_set_mark(control, CONTROL_SETTLED, generation);
    return TSS2_RC_SUCCESS;
}
