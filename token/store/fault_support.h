/* A disk whose n-th operation fails, or is the last thing that the process does.
 * Included by *_test.c alone. */
#ifndef SIGNET_STORE_FAULT_SUPPORT_H
#define SIGNET_STORE_FAULT_SUPPORT_H

#include "token/store/test_support.h"

#include <signal.h>

enum fate { FATE_FAIL, FATE_FAIL_ON, FATE_DIE_BEFORE, FATE_DIE_AFTER };

static struct {
    int countdown; /* 1: the next operation; 0: none */
    int error;
    enum fate fate;
    bool on;        /* all fail from now on */
    char done[512]; /* operations so far */
} fault;

static void die(void)
{
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

/* False: it fails. *ret_last: it dies afterwards. */
static bool goes_on(const char *operation, bool *ret_last)
{
    bool hit = fault.countdown > 0 && --fault.countdown == 0;
    snprintf(fault.done + strlen(fault.done), sizeof(fault.done) - strlen(fault.done), "%s ",
             operation);
    fault.on = fault.on || (hit && fault.fate == FATE_FAIL_ON);
    *ret_last = hit && fault.fate == FATE_DIE_AFTER;
    if (hit && fault.fate == FATE_DIE_BEFORE)
        die();
    errno = fault.error;
    return !fault.on && (!hit || fault.fate != FATE_FAIL);
}

#define FAULTY(call)                                                                               \
    bool last;                                                                                     \
    if (!goes_on(__func__ + sizeof("faulty"), &last))                                              \
        return -1;                                                                                 \
    int result = (int)(call);                                                                      \
    if (last)                                                                                      \
        die();                                                                                     \
    return result

static int faulty_make_directory(const char *path, mode_t mode)
{
    FAULTY(disk_system.make_directory(path, mode));
}

static int faulty_create(int directory, const char *name, mode_t mode)
{
    FAULTY(disk_system.create(directory, name, mode));
}

static int faulty_permit(int file, mode_t mode)
{
    FAULTY(disk_system.permit(file, mode));
}

static int faulty_permit_path(const char *path, mode_t mode)
{
    FAULTY(disk_system.permit_path(path, mode));
}

static int faulty_give(int file, uid_t user, gid_t group)
{
    FAULTY(disk_system.give(file, user, group));
}

/* Half of it is written first, whatever its fate. */
static ssize_t faulty_write(int file, const void *data, size_t size)
{
    size_t half = size > 1 ? size / 2 : size;
    if (fault.countdown == 1 && disk_system.write(file, data, half) < 0)
        return -1;
    if (fault.countdown == 1 && fault.fate == FATE_DIE_AFTER)
        die();
    FAULTY(disk_system.write(file, data, half));
}

static int faulty_date(int file, const struct timespec times[2])
{
    FAULTY(disk_system.date(file, times));
}

static int faulty_sync(int file)
{
    FAULTY(disk_system.sync(file));
}

static int faulty_rename(int directory, const char *from, const char *to)
{
    FAULTY(disk_system.rename(directory, from, to));
}

static int faulty_remove(int directory, const char *name)
{
    FAULTY(disk_system.remove(directory, name));
}

static const struct disk faulty_disk = {
    .make_directory = faulty_make_directory,
    .create = faulty_create,
    .permit = faulty_permit,
    .permit_path = faulty_permit_path,
    .give = faulty_give,
    .write = faulty_write,
    .date = faulty_date,
    .sync = faulty_sync,
    .rename = faulty_rename,
    .remove = faulty_remove,
};

static UNUSED void set_fault(struct directory *directory, enum fate fate, int error, int operation)
{
    directory->disk = &faulty_disk;
    fault.fate = fate;
    fault.error = error;
    fault.countdown = operation;
    fault.on = false;
    fault.done[0] = 0;
}

#endif
