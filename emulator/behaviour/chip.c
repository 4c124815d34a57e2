#include "emulator/behaviour/chip.h"

#include "emulator/error.h"

#include <errno.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define SESSIONS_VERSION 0x53434831u /* "SCH1" */

static bool open_file(struct chip *chip)
{
    if (chip->fd >= 0)
        (void)close(chip->fd);
    chip->fd = directory_open_file(&chip->directory, CHIP_FILE);
    chip->process = getpid();
    return chip->fd >= 0;
}

TSS2_RC chip_open(const struct directory *directory, struct chip *ret)
{
    struct chip chip = CHIP_CLOSED;

    if (directory_reopen(directory, &chip.directory) != TSS2_RC_SUCCESS || !open_file(&chip)) {
        error_prefix("profile");
        chip_close(&chip);
        return TSS2_TCTI_RC_IO_ERROR;
    }
    *ret = chip;
    return TSS2_RC_SUCCESS;
}

void chip_close(struct chip *chip)
{
    if (chip->fd >= 0)
        (void)close(chip->fd);
    chip->fd = -1;
    directory_close(&chip->directory);
}

bool chip_is_open(const struct chip *chip)
{
    return chip->directory.fd >= 0;
}

bool chip_take(struct chip *chip)
{
    /* A lock is of the open file, which a fork shares. */
    if ((chip->fd < 0 || chip->process != getpid()) && !open_file(chip))
        return false;
    while (flock(chip->fd, LOCK_EX) != 0)
        if (errno != EINTR)
            return false;
    return true;
}

void chip_give(struct chip *chip)
{
    (void)flock(chip->fd, LOCK_UN);
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
