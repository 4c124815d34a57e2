#ifndef EMULATOR_BEHAVIOUR_DISK_FAULT_H
#define EMULATOR_BEHAVIOUR_DISK_FAULT_H

#include <stdbool.h>

/* What is to happen to the operations on the disk that one command does. */
struct disk_fault {
    int error;   /* what is written fails with this: ENOSPC, EDQUOT, EIO or EROFS */
    unsigned at; /* or, if that is 0: the process is killed in the midst of this operation */
};

/* Before any thread works that shall have such faults. */
void disk_fault_prepare(void);

/* The calling thread's operations have this fate until disk_fault_end. False, and
 * nothing is done: too many threads have one at once. */
bool disk_fault_begin(const struct disk_fault *fault);
void disk_fault_end(void);

#endif
