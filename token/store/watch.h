/* What the kernel says of the names in a directory (inotify(7)). */
#ifndef SIGNET_STORE_WATCH_H
#define SIGNET_STORE_WATCH_H

#include "token/store/descriptor.h"

/* A zeroed one is closed. refused: it could not be opened when that was last tried. */
struct watch {
    struct descriptor descriptor;
    unsigned tries_used;
    bool refused;
};

enum watch_state {
    WATCH_QUIET,
    WATCH_TOLD, /* something happened, and `tell` was called for each name */
    WATCH_LOST, /* not all was told: look at everything, with a new watch */
};

/* came, gone: the name is new here, or is not any more. content: it may be another
 * one now. */
struct watch_event {
    const char *name;
    bool came;
    bool gone;
    bool content;
};
typedef CK_RV (*watch_tell)(void *data, const struct watch_event *event);

/* False where there is no such thing: too many users of it, another system, or the
 * file system of `directory` (an open descriptor of the same) is changed by other machines. */
bool watch_open(struct watch *watch, const char *path, int directory);

/* Takes 10 to 30 ms (the kernel waits till nobody can see it any more), as does the end of
 * the process instead. */
void watch_close(struct watch *watch);

/* Still this process's own. */
bool watch_holds(const struct watch *watch);

/* Passes on what `tell` fails with. */
CHECKED CK_RV watch_read(struct watch *watch, watch_tell tell, void *data,
                         enum watch_state *ret_state);

#endif
