/* A file written beside the one that it shall replace. */
#ifndef SIGNET_STORE_DRAFT_H
#define SIGNET_STORE_DRAFT_H

#include "token/store/directory_state.h"

/* parent: the open directory, borrowed. A zeroed one has no file. */
struct draft {
    struct directory *directory;
    int parent;
    int file;
    char name[256];
    bool made;
    struct file_stamp stamp; /* when it was complete */
    bool dated;              /* its time is no other version's */
};

/* Makes it with its whole content; durable: on the disk, too. -1 with errno. */
int draft_make(struct draft *draft, const char *name, struct view content, bool durable);

/* Puts it in the place of `name`. -1 with errno. */
int draft_place(struct draft *draft, const char *name);

/* Removes what was not placed. */
void draft_end(struct draft *draft);

/* 0600, whatever the umask; and root leaves a file to the owner of the directory,
 * who could not use it else. -1 with errno. */
int draft_permit(const struct directory *directory, int parent, int file);

/* Removes what writers that were killed have left; the caller holds the lock, so that
 * none is at work. */
void draft_tidy(struct directory *directory, int parent);

#endif
