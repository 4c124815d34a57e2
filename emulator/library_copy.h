#ifndef EMULATOR_LIBRARY_COPY_H
#define EMULATOR_LIBRARY_COPY_H

/* Loads a copy of a shared library that shares no data with any other, under
 * the name the loader would search (LD_LIBRARY_PATH, system directories, cache).
 * NULL on failure, with an error text. Free with library_copy_close. */
void *library_copy_open(const char *name);

/* A function of the copy; NULL if it has none of that name. */
void *library_copy_function(void *library, const char *name);

/* Takes NULL. */
void library_copy_close(void *library);

/* Around a fork, one at a time: no copy is being loaded or freed meanwhile, for
 * the child would find the loader locked or in the midst of it. */
void library_copy_before_fork(void);
void library_copy_after_fork_in_parent(void);
void library_copy_after_fork_in_child(void);

#endif
