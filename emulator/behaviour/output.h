#ifndef EMULATOR_BEHAVIOUR_OUTPUT_H
#define EMULATOR_BEHAVIOUR_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <tss2/tss2_common.h>

/* A file that all watched processes write. Programs that become daemons close
 * every descriptor; so which file it was is looked at before each use. */
struct output {
    int fd;
    bool breaks; /* a pipe or socket: its reader may go away */
    dev_t device;
    ino_t inode;
};

#define OUTPUT_CLOSED                                                                              \
    {                                                                                              \
        .fd = -1                                                                                   \
    }

/* Opens a regular file or a character device (a pipe could stop the program),
 * with mode 0600 if O_CREAT makes it. `flags` are those of open(2). Failures have an error text,
 * with `what` before the path; *ret is then untouched. */
TSS2_RC output_open(const char *what, const char *path, int flags, struct output *ret);

/* Writes to what stderr is now, whatever that is. */
TSS2_RC output_open_stderr(const char *what, struct output *ret);

/* Is it still the file that was opened, with at least that size? */
bool output_is_there(const struct output *output, size_t size);

/* Appends a record in one write, so that those of several processes do not mix.
 * False: it is not in the file, nor is a part of it if that can be helped. */
bool output_append(const struct output *output, const void *record, size_t size);

/* Closes it; takes a closed one. */
void output_close(struct output *output);

#define OUTPUT_SCOPE __attribute__((cleanup(output_close)))

/* Sets "what PATH: doing: why" from errno. Returns TSS2_TCTI_RC_IO_ERROR. */
TSS2_RC output_failed(const char *what, const char *path, const char *doing);

/* Sets "what PATH: why". Returns TSS2_TCTI_RC_BAD_VALUE. */
TSS2_RC output_refused(const char *what, const char *path, const char *why);

#endif
