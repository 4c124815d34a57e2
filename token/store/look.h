/* What stands at a name in a directory, and which version of it. */
#ifndef SIGNET_STORE_LOOK_H
#define SIGNET_STORE_LOOK_H

#include <sys/stat.h>

#include "token/store/directory.h"

enum look_kind { LOOK_NOTHING, LOOK_LOOSE_LINK, LOOK_FILE };

/* elsewhere: it can change without a word of the directory, as the target of a link
 * or under another name. recent: it changed so shortly ago that one more change
 * could leave it the same stamp. */
struct look {
    enum look_kind kind;
    bool elsewhere;
    bool recent;
    struct file_stamp stamp;
};

/* LOOK_NOTHING is also what is no regular file. link: it is known to be a link, or was
 * one of `elsewhere` before. */
struct look look_at(int directory, const char *name, bool link);

struct file_stamp stamp_of(const struct stat *status);
bool stamp_equal(const struct file_stamp *a, const struct file_stamp *b);

/* Nanoseconds since 1970, by the clock of the file times. */
int64_t stamp_now(void);
bool stamp_is_recent(const struct file_stamp *stamp, int64_t now);

#endif
