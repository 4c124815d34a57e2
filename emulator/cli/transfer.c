#include "emulator/cli/cli.h"

#include "emulator/cli/snapshot.h"
#include "emulator/cli/target.h"
#include "emulator/error.h"
#include "emulator/swtpm_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* export and import: a TPM as one file. */

/* The folder of a file, open, and the file's name in it, borrowed. */
static TSS2_RC open_folder(const char *path, struct directory *ret, const char **ret_name)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    size_t length = slash ? (size_t)(slash - path) : 0;
    char folder[PATH_MAX] = ".";

    if (name[0] == '\0' || strlen(name) > NAME_MAX || length >= sizeof(folder)) {
        error_set("'%s' is not the name of a file", path);
        return TSS2_TCTI_RC_BAD_VALUE;
    }
    if (slash) {
        memcpy(folder, path, length);
        (void)snprintf(folder + length, sizeof(folder) - length, "%s", length ? "" : "/");
    }
    /* directory_open would make it. */
    if (access(folder, F_OK) != 0) {
        error_set("%s: %s", folder, strerror(errno));
        return TSS2_TCTI_RC_IO_ERROR;
    }
    *ret_name = name;
    return directory_open(folder, ret);
}

static TSS2_RC read_file(const char *path, struct blob *ret)
{
    TARGET_SCOPE struct directory folder = DIRECTORY_CLOSED;
    const char *name = NULL;
    TSS2_RC rc = open_folder(path, &folder, &name);

    if (rc == TSS2_RC_SUCCESS)
        rc = directory_read(&folder, name, PERMANENT_STATE_MAX + SWTPM_HEADER_SIZE, ret);
    if (rc != TSS2_RC_SUCCESS || ret->data)
        return rc;
    error_set("%s: %s", path, strerror(ENOENT));
    return TSS2_TCTI_RC_IO_ERROR;
}

static TSS2_RC write_file(const char *path, const struct blob *content, bool force)
{
    TARGET_SCOPE struct directory folder = DIRECTORY_CLOSED;
    const char *name = NULL;
    TSS2_RC rc = open_folder(path, &folder, &name);

    if (rc != TSS2_RC_SUCCESS)
        return rc;
    if (!force && faccessat(folder.fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        error_set("%s: the file exists; name another, or add --force to replace it", path);
        return TSS2_TCTI_RC_BAD_VALUE;
    }
    return directory_replace(&folder, name, content);
}

/* As after an orderly shutdown, so that whoever starts it counts no failed try. */
static TSS2_RC export_state(const char *path, const char *file, bool force)
{
    SNAPSHOT_SCOPE struct snapshot snapshot = {.others = 0};
    BLOB_SCOPE struct blob permanent = {NULL, 0};
    BLOB_SCOPE struct blob content = {NULL, 0};
    TSS2_RC rc = snapshot_take(path, &snapshot);

    if (rc == TSS2_RC_SUCCESS)
        rc = snapshot_shut_down(&snapshot, &permanent);
    if (rc == TSS2_RC_SUCCESS)
        rc = swtpm_file_wrap(&permanent, &content);
    return rc == TSS2_RC_SUCCESS ? write_file(file, &content, force) : rc;
}

enum cli_status export_run(const struct cli_command *command, int argc, char **argv)
{
    bool force = false;
    const struct cli_option options[] = {{"force", &force, NULL}, {NULL, NULL, NULL}};
    struct cli_operands operands;
    char path[PATH_MAX];
    enum cli_status status = cli_parse(command, argc, argv, options, 2, 2, &operands);

    if (status != CLI_DONE)
        return status;
    if (cli_directory(&operands, 0, path) != TSS2_RC_SUCCESS ||
        export_state(path, operands.at[1], force) != TSS2_RC_SUCCESS)
        return cli_failed();
    (void)printf("%s: the permanent state of %s, secrets and all; swtpm takes it as %s\n",
                 operands.at[1], path, SWTPM_PERMANENT_FILE);
    return CLI_DONE;
}

/* Does a TPM start from the state? */
static TSS2_RC try_state(const char *file, const struct blob *permanent)
{
    SCRATCH_SCOPE struct tpm_backend *tpm = NULL;
    TSS2_RC rc = scratch_start(permanent, &tpm);

    if (rc != TSS2_RC_SUCCESS)
        error_prefix(file);
    return rc;
}

static TSS2_RC import_state(const char *file, const char *path, bool force)
{
    TARGET_SCOPE struct directory directory = DIRECTORY_CLOSED;
    BLOB_SCOPE struct blob content = {NULL, 0};
    BLOB_SCOPE struct blob permanent = {NULL, 0};
    TSS2_RC rc = read_file(file, &content);

    if (rc != TSS2_RC_SUCCESS)
        return rc;
    rc = swtpm_file_unwrap(&content, &permanent);
    if (rc != TSS2_RC_SUCCESS) {
        error_prefix(file);
        return rc;
    }
    rc = try_state(file, &permanent);
    if (rc == TSS2_RC_SUCCESS)
        rc = target_open(path, force, &directory);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    rc = target_forget_ca(&directory);
    return rc == TSS2_RC_SUCCESS ? target_write(&directory, &permanent) : rc;
}

enum cli_status import_run(const struct cli_command *command, int argc, char **argv)
{
    bool force = false;
    const struct cli_option options[] = {{"force", &force, NULL}, {NULL, NULL, NULL}};
    struct cli_operands operands;
    char path[PATH_MAX];
    enum cli_status status = cli_parse(command, argc, argv, options, 2, 2, &operands);

    if (status != CLI_DONE)
        return status;
    if (cli_directory(&operands, 1, path) != TSS2_RC_SUCCESS ||
        import_state(operands.at[0], path, force) != TSS2_RC_SUCCESS)
        return cli_failed();
    (void)printf("%s: a TPM with the state of %s\n", path, operands.at[0]);
    return CLI_DONE;
}
