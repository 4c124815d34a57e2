/* Files that the configuration names. The store sees bytes, not their meaning. */
#ifndef SIGNET_STORE_FILE_H
#define SIGNET_STORE_FILE_H

#include "token/base/bytes.h"
#include "token/base/reason.h"

/* Reads a whole regular file of at most `max` bytes. On any failure
 * CKR_FUNCTION_FAILED with the reason ("PATH: what"), CKR_HOST_MEMORY without
 * memory. Never waits on a pipe or device. The caller frees ret_content. */
CHECKED CK_RV store_read(const char *path, size_t max, struct bytes *ret_content,
                         struct reason *reason);

/* The same for a file that holds a secret: one that everybody may read or write is
 * refused. */
CHECKED CK_RV store_read_private(const char *path, size_t max, struct bytes *ret_content,
                                 struct reason *reason);

/* True if anything stands at `path`, readable or not. */
bool store_exists(const char *path);

/* True for a regular file that everybody may read. */
bool store_is_public(const char *path);

/* A path as a configuration writes it: '~' or '%h' in front is the home
 * directory, '%u' the user's name, '%%' a percent sign; a relative path is
 * relative to `directory` (NULL: left relative). The caller frees ret_path.
 * CKR_FUNCTION_FAILED with the reason for an unknown %-letter or no home. */
CHECKED CK_RV store_expand(const char *value, const char *directory, char **ret_path,
                           struct reason *reason);

/* The directory part of a path, absolute, so that it holds when the process moves.
 * The caller frees it. */
CHECKED CK_RV store_directory(const char *path, char **ret_directory);

#endif
