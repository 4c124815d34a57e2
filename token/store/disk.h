/* All that changes something in a directory, as a table, so that tests can make
 * each step fail. Each answers as its system call does, with errno. */
#ifndef SIGNET_STORE_DISK_H
#define SIGNET_STORE_DISK_H

#include <sys/types.h>
#include <time.h>

struct disk {
    int (*make_directory)(const char *path, mode_t mode);
    int (*create)(int directory, const char *name, mode_t mode); /* O_EXCL */
    int (*permit)(int file, mode_t mode);
    int (*permit_path)(const char *path, mode_t mode);
    int (*give)(int file, uid_t user, gid_t group);
    ssize_t (*write)(int file, const void *data, size_t size);
    int (*date)(int file, const struct timespec times[2]);
    int (*sync)(int file);
    int (*rename)(int directory, const char *from, const char *to);
    int (*remove)(int directory, const char *name);
};

extern const struct disk disk_system;

#endif
