#ifndef EMULATOR_LIBRARY_COPY_H
#define EMULATOR_LIBRARY_COPY_H

/* Loads a copy of a shared library that shares no data with any other, under
 * the name the loader would search (LD_LIBRARY_PATH, system directories, cache).
 * NULL on failure, with an error text. Free with dlclose. */
void *library_copy_open(const char *name);

#endif
