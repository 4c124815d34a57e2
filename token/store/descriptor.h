/* A file descriptor kept while the application runs. It may close descriptors that it
 * does not know, and then the number becomes somebody else's: before each use it
 * is asked whether it is still ours. */
#ifndef SIGNET_STORE_DESCRIPTOR_H
#define SIGNET_STORE_DESCRIPTOR_H

#include <sys/types.h>

#include "token/base/bytes.h"

/* A zeroed one is closed. */
struct descriptor {
    bool open;
    int number;
    pid_t process;
    dev_t device;
    ino_t inode;
    uint64_t mark;
};

/* Takes over an open number; if it cannot be marked it is closed, and false. */
bool descriptor_take(int number, struct descriptor *ret_descriptor);

/* Opened by this process, and still ours. */
bool descriptor_holds(const struct descriptor *descriptor);

/* Closes it if it is ours, or what this process inherited of it. */
void descriptor_close(struct descriptor *descriptor);

#endif
