#include "emulator/behaviour/chip.h"

#include "emulator/descriptor.h"
#include "emulator/error.h"

#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define SESSIONS_VERSION 0x53434831u /* "SCH1" */

TSS2_RC chip_open(const struct directory *directory, struct chip *ret)
{
    struct chip chip = CHIP_CLOSED;
    FD_SCOPE int fd = -1;

    if (directory_reopen(directory, &chip.directory) == TSS2_RC_SUCCESS)
        fd = directory_open_file(&chip.directory, CHIP_FILE);
    if (fd < 0) {
        error_prefix("profile");
        chip_close(&chip);
        return TSS2_TCTI_RC_IO_ERROR;
    }
    *ret = chip;
    return TSS2_RC_SUCCESS;
}

void chip_close(struct chip *chip)
{
    descriptor_close(&chip->fd);
    directory_close(&chip->directory);
}

bool chip_is_open(const struct chip *chip)
{
    return chip->directory.fd >= 0;
}

bool chip_take(struct chip *chip)
{
    chip->fd = directory_open_file(&chip->directory, CHIP_FILE);
    if (chip->fd < 0)
        return false;
    if (descriptor_lock(chip->fd) != 0)
        descriptor_close(&chip->fd);
    return chip->fd >= 0;
}

void chip_give(struct chip *chip)
{
    (void)flock(chip->fd, LOCK_UN);
    descriptor_close(&chip->fd);
}

void chip_read_sessions(const struct chip *chip, struct chip_sessions *ret)
{
    ssize_t size = pread(chip->fd, ret, sizeof(*ret), 0);

    if (size == (ssize_t)sizeof(*ret) && ret->version == SESSIONS_VERSION)
        return;
    memset(ret, 0, sizeof(*ret));
    ret->version = SESSIONS_VERSION;
}

/* The table is lost with a power cut, as the chip's own is. */
void chip_write_sessions(const struct chip *chip, const struct chip_sessions *sessions)
{
    if (pwrite(chip->fd, sessions, sizeof(*sessions), 0) == (ssize_t)sizeof(*sessions))
        return;
    /* A full disk: an empty table is better than half of one. */
    if (ftruncate(chip->fd, 0) != 0)
        return;
}
