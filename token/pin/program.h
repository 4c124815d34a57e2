/* A program that speaks over one socket, which is its standard input and output. It
 * starts by posix_spawn: no code of ours runs in it, no handler of pthread_atfork, and
 * it gets no file, blocked signal or ignored signal of the application. */
#ifndef SIGNET_PIN_PROGRAM_H
#define SIGNET_PIN_PROGRAM_H

#include <sys/types.h>

#include "token/base/bytes.h"
#include "token/base/reason.h"

/* file: our end of the socket, or -1. A zeroed one was never started. */
struct program {
    pid_t pid;
    int file;
};

/* Names with a slash are paths, others are looked for in PATH; the first that is there
 * is taken. CKR_FUNCTION_FAILED with the reason. Ended with program_end. */
CHECKED CK_RV program_start(const char *const *names, size_t count, struct program *ret_program,
                            struct reason *reason);

/* The file becomes the caller's to close. */
int program_take_file(struct program *program);

/* Closes the socket, upon which the program should end; one that does not within two
 * seconds is killed. Waits for this one child and no other, and takes it if the
 * application has done so before. For CLEANUP(). */
void program_end(struct program *program);

#endif
