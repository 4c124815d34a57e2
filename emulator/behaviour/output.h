#ifndef EMULATOR_BEHAVIOUR_OUTPUT_H
#define EMULATOR_BEHAVIOUR_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <tss2/tss2_common.h>

/* Opens a file that all watched processes write, made with mode 0600 if it is
 * missing: a regular file or a character device, as a pipe could stop or kill
 * the program. `flags` are those of open(2) besides O_CREAT and O_CLOEXEC.
 * Failures have an error text, with `what` before the path. */
TSS2_RC output_open(const char *what, const char *path, int flags, int *ret_fd);

/* Appends a record in one write, so that those of several processes do not mix.
 * False: it is not in the file, nor is a part of it if that can be helped. */
bool output_append(int fd, const void *record, size_t size);

/* Sets "what PATH: doing: why" from errno. Returns TSS2_TCTI_RC_IO_ERROR. */
TSS2_RC output_failed(const char *what, const char *path, const char *doing);

/* Sets "what PATH: why". Returns TSS2_TCTI_RC_BAD_VALUE. */
TSS2_RC output_refused(const char *what, const char *path, const char *why);

/* Closes a descriptor, and leaves -1; takes -1. */
void output_close(int *fd);

#define OUTPUT_SCOPE __attribute__((cleanup(output_close)))

#endif
